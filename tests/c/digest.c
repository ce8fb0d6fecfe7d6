/*
 * Digests in one call and in parts; a length query does not end the operation, at C_DigestFinal neither (PKCS#11 2.40,
 * section 5.2). The answers are those of FIPS 180-4's examples.
 */
#include "flow.h"

static const struct {
    const char *name;
    CK_MECHANISM_TYPE type;
    const char *of_abc;
} table[] = {
    {"sha1", CKM_SHA_1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {"sha224", CKM_SHA224, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
    {"sha256", CKM_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"sha384", CKM_SHA384,
     "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"},
    {"sha512", CKM_SHA512,
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
     "454d4423643ce80e2a9ac94fa54ca49f"},
};

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE session = begin(argc, argv);
    for (size_t i = 0; i < COUNT(table); i++) {
        CK_MECHANISM mechanism = {table[i].type, NULL, 0};
        struct bytes wanted = from_hex(table[i].of_abc), made;
        CK_ULONG length = 0;

        OK(table[i].name, p11->C_DigestInit(session, &mechanism));
        OK("length", p11->C_Digest(session, (CK_BYTE *)"abc", 3, NULL, &length));
        HOLDS("length-is-the-digest's", length == wanted.length);
        made.length = sizeof made.at;
        OK("digest", p11->C_Digest(session, (CK_BYTE *)"abc", 3, made.at, &made.length));
        HOLDS("known-answer", same(&made, wanted.at, wanted.length));

        OK("in-parts", p11->C_DigestInit(session, &mechanism));
        OK("part", p11->C_DigestUpdate(session, (CK_BYTE *)"a", 1));
        OK("part", p11->C_DigestUpdate(session, (CK_BYTE *)"bc", 2));
        length = 0;
        OK("final-length", p11->C_DigestFinal(session, NULL, &length));
        HOLDS("final-length-is-the-digest's", length == wanted.length);
        made.length = wanted.length - 1;
        GIVES(CKR_BUFFER_TOO_SMALL, "final-short-buffer", p11->C_DigestFinal(session, made.at, &made.length));
        made.length = length;
        OK("final", p11->C_DigestFinal(session, made.at, &made.length));
        HOLDS("known-answer-of-parts", same(&made, wanted.at, wanted.length));
        GIVES(CKR_OPERATION_NOT_INITIALIZED, "ended", p11->C_DigestFinal(session, made.at, &made.length));
    }
    return end();
}
