/*
 * Destroying keys, of the session and of the token; a key that says that it is not destroyable stays (PKCS#11 2.40,
 * C_DestroyObject; CKA_DESTROYABLE in the User Guide, pkcs11-attributes-interpreting).
 */
#include "flow.h"

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE session = begin(argc, argv);
    CK_MECHANISM generate = {CKM_AES_KEY_GEN, NULL, 0}, mechanism = {CKM_AES_ECB, NULL, 0};
    CK_ATTRIBUTE by_label[] = {TEXT(CKA_LABEL, "to be destroyed")}, kept[] = {TEXT(CKA_LABEL, "kept")};
    CK_ATTRIBUTE not_destroyable[] = {NUMBER(CKA_VALUE_LEN, 16), TEXT(CKA_LABEL, "kept"), ON(CKA_TOKEN), OFF(CKA_DESTROYABLE)};
    CK_OBJECT_HANDLE key = 0, found[2];

    for (int token = 0; token <= 1; token++) {
        CK_ATTRIBUTE template[] = {NUMBER(CKA_VALUE_LEN, 16), TEXT(CKA_LABEL, "to be destroyed"), FLAG(CKA_TOKEN, token),
                                   ON(CKA_ENCRYPT)};
        OK(token ? "token-key" : "session-key", p11->C_GenerateKey(session, &generate, LIST(template), &key));
        HOLDS("found", find(session, LIST(by_label), found, COUNT(found)) == 1 && found[0] == key);
        OK("destroy", p11->C_DestroyObject(session, key));
        HOLDS("not-found", find(session, LIST(by_label), found, COUNT(found)) == 0);
        GIVES(CKR_OBJECT_HANDLE_INVALID, "destroy-again", p11->C_DestroyObject(session, key));
        GIVES(CKR_KEY_HANDLE_INVALID, "use-after-that", p11->C_EncryptInit(session, &mechanism, key));
    }
    OK("not-destroyable", p11->C_GenerateKey(session, &generate, LIST(not_destroyable), &key));
    GIVES(CKR_ACTION_PROHIBITED, "destroy-refused", p11->C_DestroyObject(session, key));
    HOLDS("it-is-kept", find(session, LIST(kept), found, COUNT(found)) == 1);
    return end();
}
