/*
 * The list of mechanisms is AWS's, no more and no less, each with AWS's uses (User Guide, pkcs11-mechanisms; for FIPS
 * mode compliance-dep-notif, and note 3 of pkcs11-mechanisms on Ed25519).
 */
#include "flow.h"

#define CIPHER (CKF_ENCRYPT | CKF_DECRYPT)
#define SIGNATURE (CKF_SIGN | CKF_VERIFY)
#define TRANSPORT (CKF_WRAP | CKF_UNWRAP)
/* Of a mechanism's flags, those that say what it is for. */
#define USES (CIPHER | SIGNATURE | TRANSPORT | CKF_DIGEST | CKF_GENERATE | CKF_GENERATE_KEY_PAIR | CKF_DERIVE | \
              CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER)

#define SAME_IN_FIPS(mechanism, uses) {mechanism, #mechanism, uses, uses}
#define IN_FIPS(mechanism, uses, left) {mechanism, #mechanism, uses, left}

static const struct {
    CK_MECHANISM_TYPE mechanism;
    const char *name;
    CK_FLAGS uses, uses_in_fips; /* without a use it is not listed */
} table[] = {
    SAME_IN_FIPS(CKM_AES_KEY_GEN, CKF_GENERATE),
    IN_FIPS(CKM_DES3_KEY_GEN, CKF_GENERATE, 0),
    SAME_IN_FIPS(CKM_GENERIC_SECRET_KEY_GEN, CKF_GENERATE),
    SAME_IN_FIPS(CKM_RSA_PKCS_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR),
    SAME_IN_FIPS(CKM_RSA_X9_31_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR),
    SAME_IN_FIPS(CKM_EC_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR),
    SAME_IN_FIPS(CKM_CLOUDHSM_ML_DSA_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR),
    SAME_IN_FIPS(CKM_RSA_X_509, SIGNATURE | CIPHER),
    IN_FIPS(CKM_RSA_PKCS, SIGNATURE | CIPHER | TRANSPORT, SIGNATURE),
    SAME_IN_FIPS(CKM_RSA_PKCS_OAEP, CIPHER | TRANSPORT),
    SAME_IN_FIPS(CKM_RSA_PKCS_PSS, SIGNATURE),
    SAME_IN_FIPS(CKM_SHA1_RSA_PKCS, SIGNATURE),
    SAME_IN_FIPS(CKM_SHA224_RSA_PKCS, SIGNATURE),
    SAME_IN_FIPS(CKM_SHA256_RSA_PKCS, SIGNATURE),
    SAME_IN_FIPS(CKM_SHA384_RSA_PKCS, SIGNATURE),
    SAME_IN_FIPS(CKM_SHA512_RSA_PKCS, SIGNATURE),
    SAME_IN_FIPS(CKM_SHA1_RSA_PKCS_PSS, SIGNATURE),
    SAME_IN_FIPS(CKM_SHA224_RSA_PKCS_PSS, SIGNATURE),
    SAME_IN_FIPS(CKM_SHA256_RSA_PKCS_PSS, SIGNATURE),
    SAME_IN_FIPS(CKM_SHA384_RSA_PKCS_PSS, SIGNATURE),
    SAME_IN_FIPS(CKM_SHA512_RSA_PKCS_PSS, SIGNATURE),
    SAME_IN_FIPS(CKM_ECDSA, SIGNATURE),
    SAME_IN_FIPS(CKM_ECDSA_SHA1, SIGNATURE),
    SAME_IN_FIPS(CKM_ECDSA_SHA224, SIGNATURE),
    SAME_IN_FIPS(CKM_ECDSA_SHA256, SIGNATURE),
    SAME_IN_FIPS(CKM_ECDSA_SHA384, SIGNATURE),
    SAME_IN_FIPS(CKM_ECDSA_SHA512, SIGNATURE),
    SAME_IN_FIPS(CKM_SHA_1_HMAC, SIGNATURE),
    SAME_IN_FIPS(CKM_SHA224_HMAC, SIGNATURE),
    SAME_IN_FIPS(CKM_SHA256_HMAC, SIGNATURE),
    SAME_IN_FIPS(CKM_SHA384_HMAC, SIGNATURE),
    SAME_IN_FIPS(CKM_SHA512_HMAC, SIGNATURE),
    SAME_IN_FIPS(CKM_AES_CMAC, SIGNATURE),
    IN_FIPS(CKM_CLOUDHSM_EDDSA, SIGNATURE, 0),
    SAME_IN_FIPS(CKM_CLOUDHSM_ML_DSA, SIGNATURE),
    SAME_IN_FIPS(CKM_CLOUDHSM_EXT_MU_ML_DSA, SIGNATURE),
    SAME_IN_FIPS(CKM_SHA_1, CKF_DIGEST),
    SAME_IN_FIPS(CKM_SHA224, CKF_DIGEST),
    SAME_IN_FIPS(CKM_SHA256, CKF_DIGEST),
    SAME_IN_FIPS(CKM_SHA384, CKF_DIGEST),
    SAME_IN_FIPS(CKM_SHA512, CKF_DIGEST),
    SAME_IN_FIPS(CKM_AES_ECB, CIPHER),
    SAME_IN_FIPS(CKM_AES_CTR, CIPHER),
    SAME_IN_FIPS(CKM_AES_CBC, CIPHER),
    SAME_IN_FIPS(CKM_AES_CBC_PAD, CIPHER),
    IN_FIPS(CKM_DES3_ECB, CIPHER, CKF_DECRYPT),
    IN_FIPS(CKM_DES3_CBC, CIPHER, CKF_DECRYPT),
    IN_FIPS(CKM_DES3_CBC_PAD, CIPHER, CKF_DECRYPT),
    SAME_IN_FIPS(CKM_AES_GCM, CIPHER | TRANSPORT),
    SAME_IN_FIPS(CKM_CLOUDHSM_AES_GCM, CIPHER | TRANSPORT),
    SAME_IN_FIPS(CKM_RSA_AES_KEY_WRAP, TRANSPORT),
    SAME_IN_FIPS(CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD, TRANSPORT),
    SAME_IN_FIPS(CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD, TRANSPORT),
    SAME_IN_FIPS(CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD, TRANSPORT),
    SAME_IN_FIPS(CKM_CLOUDHSM_SP800_108_COUNTER_KDF, CKF_DERIVE),
    SAME_IN_FIPS(CKM_ECDH1_DERIVE, CKF_DERIVE),
};

int main(int argc, char **argv)
{
    CK_MECHANISM_TYPE list[2 * COUNT(table)];
    CK_MECHANISM_INFO information;
    CK_ULONG count = 0, listed;
    int found[COUNT(table)] = {0};
    size_t at;

    start(argc, argv);
    OK("count", p11->C_GetMechanismList(slot, NULL, &count));
    HOLDS("count-is-likely", count > 0 && count <= COUNT(list));
    listed = count - 1;
    GIVES(CKR_BUFFER_TOO_SMALL, "short-buffer", p11->C_GetMechanismList(slot, list, &listed));
    HOLDS("short-buffer-says-how-many", listed == count);
    listed = COUNT(list);
    OK("list", p11->C_GetMechanismList(slot, list, &listed));
    HOLDS("list-has-the-count", listed == count);

    for (CK_ULONG i = 0; i < listed; i++) {
        for (at = 0; at < COUNT(table) && table[at].mechanism != list[i]; at++)
            ;
        if (at == COUNT(table)) {
            printf("FAIL c-%s-unknown: 0x%lx is listed, and none of AWS's\n", flow, list[i]);
            failures++;
            continue;
        }
        found[at]++;
        memset(&information, 0, sizeof information);
        GIVES(CKR_OK, table[at].name, p11->C_GetMechanismInfo(slot, list[i], &information));
        if ((information.flags & USES) != (fips ? table[at].uses_in_fips : table[at].uses)) {
            printf("FAIL c-%s-%s: its uses are 0x%lx, AWS's are 0x%lx\n", flow, table[at].name, information.flags & USES,
                   fips ? table[at].uses_in_fips : table[at].uses);
            failures++;
        }
        if (information.ulMinKeySize > information.ulMaxKeySize) {
            printf("FAIL c-%s-%s: sizes %lu to %lu\n", flow, table[at].name, information.ulMinKeySize, information.ulMaxKeySize);
            failures++;
        }
    }
    for (at = 0; at < COUNT(table); at++)
        if (found[at] != ((fips ? table[at].uses_in_fips : table[at].uses) != 0)) {
            printf("FAIL c-%s-%s: listed %d times\n", flow, table[at].name, found[at]);
            failures++;
        }
    GIVES(CKR_MECHANISM_INVALID, "not-served", p11->C_GetMechanismInfo(slot, CKM_MD5, &information));
    return end();
}
