/*
 * Two parties agree on an AES key by ECDH with the derivation of ANSI X9.63, the peer's point as CKA_EC_POINT shows it
 * or raw; without a derivation where the HSM is not in FIPS mode (User Guide, pkcs11-mechanisms).
 */
#include "flow.h"

struct party {
    CK_OBJECT_HANDLE public, private;
    struct bytes point; /* CKA_EC_POINT: a DER OCTET STRING */
};

static struct party party(CK_SESSION_HANDLE session, const char *what, const char *oid, CK_ULONG oid_length)
{
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_ATTRIBUTE public_template[] = {{CKA_EC_PARAMS, (void *)oid, oid_length}, ON(CKA_VERIFY)};
    CK_ATTRIBUTE private_template[] = {ON(CKA_DERIVE)};
    struct party made = {0};
    OK(what, p11->C_GenerateKeyPair(session, &mechanism, LIST(public_template), LIST(private_template), &made.public,
                                    &made.private));
    OK("point", value_of(session, made.public, CKA_EC_POINT, &made.point));
    return made;
}

static CK_RV derive(CK_SESSION_HANDLE session, CK_EC_KDF_TYPE kdf, const struct party *own, const CK_BYTE *point,
                    CK_ULONG length, CK_OBJECT_HANDLE *key)
{
    CK_ECDH1_DERIVE_PARAMS parameters = {kdf, 0, NULL, length, (CK_BYTE *)point};
    CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &parameters, sizeof parameters};
    CK_ATTRIBUTE template[] = {NUMBER(CKA_CLASS, CKO_SECRET_KEY), NUMBER(CKA_KEY_TYPE, CKK_AES), NUMBER(CKA_VALUE_LEN, 32),
                               ON(CKA_ENCRYPT), ON(CKA_DECRYPT)};
    return p11->C_DeriveKey(session, &mechanism, own->private, LIST(template), key);
}

static void agreement(CK_SESSION_HANDLE session, const char *what, const char *oid, CK_ULONG oid_length)
{
    static const struct {
        const char *name;
        CK_EC_KDF_TYPE kdf;
    } kdfs[] = {{"x963-sha1", CKD_CLOUDHSM_X963_SHA1_KDF},     {"x963-sha224", CKD_CLOUDHSM_X963_SHA224_KDF},
                {"x963-sha256", CKD_CLOUDHSM_X963_SHA256_KDF}, {"x963-sha384", CKD_CLOUDHSM_X963_SHA384_KDF},
                {"x963-sha512", CKD_CLOUDHSM_X963_SHA512_KDF}, {"no-derivation", CKD_NULL}};
    struct party one = party(session, what, oid, oid_length), other = party(session, what, oid, oid_length);
    CK_OBJECT_HANDLE first, second, before = 0;

    for (size_t i = 0; i < COUNT(kdfs); i++) {
        if (kdfs[i].kdf == CKD_NULL && fips) {
            REFUSED(kdfs[i].name, derive(session, CKD_NULL, &one, other.point.at, other.point.length, &first));
            continue;
        }
        first = second = 0;
        OK(kdfs[i].name, derive(session, kdfs[i].kdf, &one, other.point.at, other.point.length, &first));
        /* Points up to 127 bytes: the OCTET STRING's head has two bytes. */
        OK("raw-point", derive(session, kdfs[i].kdf, &other, one.point.at + 2, one.point.length - 2, &second));
        HOLDS("the-parties-agree", agree(session, first, second));
        if (before)
            HOLDS("another-derivation-is-another-key", !agree(session, first, before));
        before = first;
    }
    one.point.at[10] ^= 1;
    REFUSED("no-point-of-the-curve", derive(session, CKD_CLOUDHSM_X963_SHA256_KDF, &other, one.point.at, one.point.length, &first));
}

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE session = begin(argc, argv);
    agreement(session, "p256", OID_P256, sizeof OID_P256 - 1);
    agreement(session, "p384", OID_P384, sizeof OID_P384 - 1);
    return end();
}
