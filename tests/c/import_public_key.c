/*
 * A public RSA key that is known by its numbers is brought in, for a while or for good, and wraps a key for whoever has the private
 * half (User Guide, pkcs11-key-types and pkcs11-mechanisms; both of AWS's tools that import a key for wrapping). The private half is
 * in the HSM here, so that what was wrapped can be shown to be the key.
 */
#include "flow.h"

static CK_OBJECT_HANDLE brought_in(CK_SESSION_HANDLE session, CK_BBOOL token, struct bytes *modulus, struct bytes *exponent)
{
    CK_ATTRIBUTE template[] = {
        NUMBER(CKA_KEY_TYPE, CKK_RSA), NUMBER(CKA_CLASS, CKO_PUBLIC_KEY), TEXT(CKA_LABEL, "Imported RSA Pub Key"),
        {CKA_MODULUS, modulus->at, modulus->length}, {CKA_PUBLIC_EXPONENT, exponent->at, exponent->length},
        {CKA_TOKEN, &token, sizeof token}, ON(CKA_WRAP),
    };
    CK_OBJECT_HANDLE key = 0;
    OK("create", p11->C_CreateObject(session, LIST(template), &key));
    return key;
}

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE session = begin(argc, argv);
    CK_MECHANISM generate = {CKM_RSA_X9_31_KEY_PAIR_GEN, NULL, 0};
    CK_ATTRIBUTE public_template[] = {NUMBER(CKA_MODULUS_BITS, 2048), TEXT(CKA_PUBLIC_EXPONENT, "\1\0\1")};
    CK_ATTRIBUTE private_template[] = {ON(CKA_UNWRAP)};
    CK_ATTRIBUTE back_template[] = {NUMBER(CKA_CLASS, CKO_SECRET_KEY), NUMBER(CKA_KEY_TYPE, CKK_AES), ON(CKA_ENCRYPT),
                                    ON(CKA_DECRYPT)};
    CK_ATTRIBUTE by_label[] = {TEXT(CKA_LABEL, "Imported RSA Pub Key")};
    CK_RSA_PKCS_OAEP_PARAMS parameters = {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0};
    CK_MECHANISM oaep = {CKM_RSA_PKCS_OAEP, &parameters, sizeof parameters};
    CK_OBJECT_HANDLE public = 0, private = 0, wrapping, aes = aes_key(session, "key-to-wrap"), back, found[2];
    struct bytes modulus, exponent, wrapped;
    CK_BBOOL token;

    OK("pair", p11->C_GenerateKeyPair(session, &generate, LIST(public_template), LIST(private_template), &public, &private));
    OK("modulus", value_of(session, public, CKA_MODULUS, &modulus));
    OK("exponent", value_of(session, public, CKA_PUBLIC_EXPONENT, &exponent));

    for (token = CK_FALSE; token <= CK_TRUE; token++) {
        wrapping = brought_in(session, token, &modulus, &exponent);
        HOLDS("found-by-label", find(session, LIST(by_label), found, COUNT(found)) == 1 && found[0] == wrapping);
        wrapped.length = 0;
        OK("wrap-length", p11->C_WrapKey(session, &oaep, wrapping, aes, NULL, &wrapped.length));
        HOLDS("wrap-length-of-the-modulus", wrapped.length == 256);
        OK("wrap", p11->C_WrapKey(session, &oaep, wrapping, aes, wrapped.at, &wrapped.length));
        back = 0;
        OK("unwrap", unwrap(session, &oaep, private, &wrapped, LIST(back_template), &back));
        HOLDS("the-same-key", agree(session, aes, back));
        OK("destroy", p11->C_DestroyObject(session, wrapping));
    }
    return end();
}
