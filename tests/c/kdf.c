/*
 * Two parties that have one key derive another from it with SP 800-108 in counter mode: by every pseudorandom function
 * and in both styles of input that AWS's header has. What the one seals with the derived key, the other opens (User
 * Guide, pkcs11-mechanisms and pkcs11-key-derivation).
 */
#include "flow.h"

static CK_BYTE label[] = "label of the key", context[] = "the two parties", separator[] = {0};

static CK_OBJECT_HANDLE base_key(CK_SESSION_HANDLE session)
{
    CK_BYTE value[32];
    CK_ATTRIBUTE template[] = {NUMBER(CKA_CLASS, CKO_SECRET_KEY), NUMBER(CKA_KEY_TYPE, CKK_AES), BYTES(CKA_VALUE, value),
                               ON(CKA_DERIVE)};
    CK_OBJECT_HANDLE key = 0;
    memset(value, 0x42, sizeof value);
    OK("base-key", p11->C_CreateObject(session, LIST(template), &key));
    return key;
}

static CK_RV derive(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE base, CK_MECHANISM_TYPE prf, CK_PRF_DATA_PARAM *pieces,
                    CK_ULONG count, CK_OBJECT_HANDLE *derived)
{
    CK_SP800_108_KDF_PARAMS parameters = {prf, count, pieces};
    CK_MECHANISM mechanism = {CKM_CLOUDHSM_SP800_108_COUNTER_KDF, &parameters, sizeof parameters};
    CK_ATTRIBUTE template[] = {NUMBER(CKA_CLASS, CKO_SECRET_KEY), NUMBER(CKA_KEY_TYPE, CKK_AES), NUMBER(CKA_VALUE_LEN, 32),
                               ON(CKA_ENCRYPT), ON(CKA_DECRYPT)};
    return p11->C_DeriveKey(session, &mechanism, base, LIST(template), derived);
}

static void parties(CK_SESSION_HANDLE session, const char *what, CK_MECHANISM_TYPE prf, CK_ULONG counter_bits,
                    CK_ULONG length_bits)
{
    CK_SP800_108_COUNTER_FORMAT counter = {counter_bits};
    CK_SP800_108_DKM_LENGTH_FORMAT length = {SP800_108_DKM_LENGTH_SUM_OF_KEYS, length_bits};
    /* The older pieces, whose order does not count. */
    CK_PRF_DATA_PARAM older[] = {{SP800_108_COUNTER_FORMAT, &counter, sizeof counter},
                                 {SP800_108_PRF_LABEL, label, sizeof label},
                                 {SP800_108_PRF_CONTEXT, context, sizeof context},
                                 {SP800_108_DKM_FORMAT, &length, sizeof length}};
    CK_PRF_DATA_PARAM turned[] = {older[3], older[2], older[0], older[1]};
    /* The newer ones: the same input, piece by piece. */
    CK_PRF_DATA_PARAM newer[] = {{CK_SP800_108_ITERATION_VARIABLE, &counter, sizeof counter},
                                 {CK_SP800_108_BYTE_ARRAY, label, sizeof label},
                                 {CK_SP800_108_BYTE_ARRAY, separator, sizeof separator},
                                 {CK_SP800_108_BYTE_ARRAY, context, sizeof context},
                                 {CK_SP800_108_DKM_LENGTH, &length, sizeof length}};
    CK_PRF_DATA_PARAM label_first[] = {newer[1], newer[0], newer[3], newer[4]};
    CK_OBJECT_HANDLE one = base_key(session), other = base_key(session);
    CK_OBJECT_HANDLE first = 0, second = 0, third = 0, fourth = 0, fifth = 0;

    OK(what, derive(session, one, prf, LIST(older), &first));
    OK("older-in-another-order", derive(session, other, prf, LIST(turned), &second));
    HOLDS("older-parties-agree", agree(session, first, second));
    OK("newer", derive(session, other, prf, LIST(newer), &third));
    HOLDS("older-and-newer-agree", agree(session, first, third));
    OK("newer-label-first", derive(session, one, prf, LIST(label_first), &fourth));
    OK("newer-label-first-other", derive(session, other, prf, LIST(label_first), &fifth));
    HOLDS("newer-parties-agree", agree(session, fourth, fifth));
    HOLDS("another-order-is-another-key", !agree(session, first, fourth));
}

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE session = begin(argc, argv);
    CK_SP800_108_COUNTER_FORMAT narrow = {8};
    CK_PRF_DATA_PARAM pieces[] = {{CK_SP800_108_ITERATION_VARIABLE, &narrow, sizeof narrow},
                                  {CK_SP800_108_BYTE_ARRAY, label, sizeof label}};
    CK_OBJECT_HANDLE derived = 0;
    struct bytes value;

    parties(session, "sha1-hmac", CKM_SHA_1_HMAC, 32, 32);
    parties(session, "sha224-hmac", CKM_SHA224_HMAC, 16, 16);
    parties(session, "sha256-hmac", CKM_SHA256_HMAC, 32, 64);
    parties(session, "sha384-hmac", CKM_SHA384_HMAC, 16, 32);
    parties(session, "sha512-hmac", CKM_SHA512_HMAC, 32, 16);
    parties(session, "aes-cmac", CKM_AES_CMAC, 32, 32);
    /* The counter has 16 or 32 bits. */
    REFUSED("counter-of-8-bits", derive(session, base_key(session), CKM_SHA256_HMAC, LIST(pieces), &derived));
    narrow.ulWidthInBits = 16;
    OK("counter-of-16-bits", derive(session, base_key(session), CKM_SHA256_HMAC, LIST(pieces), &derived));
    GIVES(CKR_ATTRIBUTE_SENSITIVE, "derived-keys-are-sensitive", value_of(session, derived, CKA_VALUE, &value));
    return end();
}
