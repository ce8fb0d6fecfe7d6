/*
 * Finding keys by what is known of them, and C_FindObjects with a NULL array, which counts nothing and takes nothing
 * (PKCS#11 2.40, C_FindObjects).
 */
#include "flow.h"

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE session = begin(argc, argv);
    CK_MECHANISM generate = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ATTRIBUTE template[] = {NUMBER(CKA_VALUE_LEN, 32), ON(CKA_TOKEN), TEXT(CKA_LABEL, "one of five")};
    CK_ATTRIBUTE by_label[] = {TEXT(CKA_LABEL, "one of five")}, by_no_label[] = {TEXT(CKA_LABEL, "one of")};
    CK_OBJECT_HANDLE made[5], found[8], public = 0, private = 0;
    CK_ULONG count = 99, all = 0;
    struct bytes modulus;

    for (size_t i = 0; i < COUNT(made); i++)
        OK("generate", p11->C_GenerateKey(session, &generate, LIST(template), &made[i]));
    rsa_pair(session, "rsa", &public, &private);
    rsa_pair(session, "another-rsa", &found[0], &found[1]);

    OK("init", p11->C_FindObjectsInit(session, LIST(by_label)));
    OK("null-array", p11->C_FindObjects(session, NULL, 0, &count));
    OK("two", p11->C_FindObjects(session, found, 2, &count));
    HOLDS("two-are-two", count == 2);
    for (all = count; count > 0; all += count) {
        OK("next", p11->C_FindObjects(session, found + all, COUNT(found) - all, &count));
        HOLDS("there-is-room-for-all", all + count < COUNT(found));
    }
    HOLDS("five-in-all", all == COUNT(made));
    OK("after-the-last", p11->C_FindObjects(session, found + all, COUNT(found) - all, &count));
    HOLDS("after-the-last-none", count == 0);
    OK("final", p11->C_FindObjectsFinal(session));
    for (size_t i = 0; i < COUNT(made); i++) {
        int times = 0;
        for (CK_ULONG j = 0; j < all; j++)
            times += found[j] == made[i];
        HOLDS("each-once", times == 1);
    }
    HOLDS("a-part-of-the-label-finds-none", find(session, LIST(by_no_label), found, COUNT(found)) == 0);

    OK("modulus", value_of(session, public, CKA_MODULUS, &modulus));
    {
        CK_ATTRIBUTE by_modulus[] = {NUMBER(CKA_CLASS, CKO_PUBLIC_KEY), {CKA_MODULUS, modulus.at, modulus.length}};
        CK_ATTRIBUTE by_private_modulus[] = {NUMBER(CKA_CLASS, CKO_PRIVATE_KEY), {CKA_MODULUS, modulus.at, modulus.length}};
        HOLDS("by-class-and-modulus", find(session, LIST(by_modulus), found, COUNT(found)) == 1 && found[0] == public);
        HOLDS("private-by-modulus", find(session, LIST(by_private_modulus), found, COUNT(found)) == 1 && found[0] == private);
    }
    HOLDS("all-without-a-template", find(session, NULL, 0, found, COUNT(found)) == COUNT(made) + 4);
    GIVES(CKR_OPERATION_NOT_INITIALIZED, "find-without-init", p11->C_FindObjects(session, found, 1, &count));
    return end();
}
