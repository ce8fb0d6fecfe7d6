/*
 * Keys of a session: every session of the program uses them, and they go with the one that made them (PKCS#11 2.40,
 * C_CloseSession).
 */
#include "flow.h"

int main(int argc, char **argv)
{
    static const char text[] = "signed in another session";
    CK_SESSION_HANDLE first = begin(argc, argv), second = open_session(), third = open_session();
    CK_MECHANISM generate = {CKM_EC_KEY_PAIR_GEN, NULL, 0}, mechanism = {CKM_ECDSA_SHA256, NULL, 0};
    CK_ATTRIBUTE public_template[] = {TEXT(CKA_EC_PARAMS, OID_P256), OFF(CKA_TOKEN), ON(CKA_VERIFY)};
    CK_ATTRIBUTE private_template[] = {OFF(CKA_TOKEN), ON(CKA_SIGN)};
    CK_OBJECT_HANDLE public = 0, private = 0;
    struct bytes signature;

    OK("generate",
       p11->C_GenerateKeyPair(first, &generate, LIST(public_template), LIST(private_template), &public, &private));
    OK("sign-where-it-was-made", sign(first, &mechanism, private, text, sizeof text, &signature));
    OK("sign-in-the-second", sign(second, &mechanism, private, text, sizeof text, &signature));
    OK("verify-in-the-third", verify(third, &mechanism, public, text, sizeof text, &signature));

    OK("close-the-first", p11->C_CloseSession(first));
    GIVES(CKR_KEY_HANDLE_INVALID, "sign-after-that", p11->C_SignInit(second, &mechanism, private));
    GIVES(CKR_KEY_HANDLE_INVALID, "verify-after-that", p11->C_VerifyInit(third, &mechanism, public));
    GIVES(CKR_OBJECT_HANDLE_INVALID, "destroy-after-that", p11->C_DestroyObject(third, public));
    return end();
}
