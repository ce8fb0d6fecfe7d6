/*
 * Keys of each type that AWS names, and what they are afterwards (User Guide, pkcs11-key-types; for FIPS mode
 * compliance-dep-notif).
 */
#include "flow.h"

static CK_ULONG number_of(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type)
{
    CK_ULONG number = CK_UNAVAILABLE_INFORMATION;
    CK_ATTRIBUTE attribute = {type, &number, sizeof number};
    return p11->C_GetAttributeValue(session, key, &attribute, 1) == CKR_OK ? number : CK_UNAVAILABLE_INFORMATION;
}

static int flag_is(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type, CK_BBOOL wanted)
{
    struct bytes value;
    return value_of(session, key, type, &value) == CKR_OK && same(&value, &wanted, 1);
}

static void aes(CK_SESSION_HANDLE session)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    for (CK_ULONG length = 16; length <= 32; length += 8) {
        CK_ATTRIBUTE template[] = {ON(CKA_SENSITIVE), OFF(CKA_TOKEN), NUMBER(CKA_VALUE_LEN, length)};
        CK_OBJECT_HANDLE key = 0;
        OK("aes", p11->C_GenerateKey(session, &mechanism, LIST(template), &key));
        HOLDS("aes-length", number_of(session, key, CKA_VALUE_LEN) == length);
        HOLDS("aes-class", number_of(session, key, CKA_CLASS) == CKO_SECRET_KEY);
        HOLDS("aes-type", number_of(session, key, CKA_KEY_TYPE) == CKK_AES);
        HOLDS("aes-local", flag_is(session, key, CKA_LOCAL, CK_TRUE));
        HOLDS("aes-not-on-the-token", flag_is(session, key, CKA_TOKEN, CK_FALSE));
    }
}

static void rsa(CK_SESSION_HANDLE session)
{
    CK_OBJECT_HANDLE public = 0, private = 0;
    struct bytes modulus, other, exponent;
    rsa_pair(session, "rsa-x9.31", &public, &private);
    HOLDS("rsa-bits", number_of(session, public, CKA_MODULUS_BITS) == 2048);
    OK("rsa-modulus", value_of(session, public, CKA_MODULUS, &modulus));
    HOLDS("rsa-modulus-is-full", modulus.length == 256 && modulus.at[0] & 0x80 && modulus.at[255] & 1);
    OK("rsa-private-modulus", value_of(session, private, CKA_MODULUS, &other));
    HOLDS("rsa-one-modulus", same(&other, modulus.at, modulus.length));
    OK("rsa-exponent", value_of(session, public, CKA_PUBLIC_EXPONENT, &exponent));
    HOLDS("rsa-exponent-65537", same(&exponent, "\1\0\1", 3));
    HOLDS("rsa-sensitive", flag_is(session, private, CKA_SENSITIVE, CK_TRUE));
    HOLDS("rsa-halves", rsa_halves(session, public, private));
}

static void ec(CK_SESSION_HANDLE session, const char *what, const char *oid, CK_ULONG oid_length, CK_ULONG point_length)
{
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_ATTRIBUTE public_template[] = {{CKA_EC_PARAMS, (void *)oid, oid_length}, ON(CKA_VERIFY)};
    CK_ATTRIBUTE private_template[] = {ON(CKA_SIGN)};
    CK_OBJECT_HANDLE public = 0, private = 0;
    struct bytes value;
    OK(what, p11->C_GenerateKeyPair(session, &mechanism, LIST(public_template), LIST(private_template), &public, &private));
    HOLDS("ec-type", number_of(session, private, CKA_KEY_TYPE) == CKK_EC);
    OK("ec-params", value_of(session, public, CKA_EC_PARAMS, &value));
    HOLDS("ec-params-are-the-curve", same(&value, oid, oid_length));
    OK("ec-point", value_of(session, public, CKA_EC_POINT, &value));
    HOLDS("ec-point-is-an-octet-string", value.length == 2 + point_length && value.at[0] == 4 && value.at[1] == point_length);
    GIVES(CKR_ATTRIBUTE_SENSITIVE, "ec-value", value_of(session, private, CKA_VALUE, &value));
}

static void ml_dsa(CK_SESSION_HANDLE session)
{
    static const CK_ULONG sets[] = {CKP_CLOUDHSM_ML_DSA_44, CKP_CLOUDHSM_ML_DSA_65, CKP_CLOUDHSM_ML_DSA_87};
    CK_MECHANISM mechanism = {CKM_CLOUDHSM_ML_DSA_KEY_PAIR_GEN, NULL, 0};
    for (size_t i = 0; i < COUNT(sets); i++) {
        CK_ATTRIBUTE public_template[] = {NUMBER(CKA_CLOUDHSM_PARAMETER_SET, sets[i]), ON(CKA_VERIFY)};
        CK_ATTRIBUTE private_template[] = {NUMBER(CKA_CLOUDHSM_PARAMETER_SET, sets[i]), ON(CKA_SIGN)};
        CK_OBJECT_HANDLE public = 0, private = 0;
        OK("ml-dsa",
           p11->C_GenerateKeyPair(session, &mechanism, LIST(public_template), LIST(private_template), &public, &private));
        HOLDS("ml-dsa-set", number_of(session, public, CKA_CLOUDHSM_PARAMETER_SET) == sets[i] &&
                                number_of(session, private, CKA_CLOUDHSM_PARAMETER_SET) == sets[i]);
    }
}

static void outside_fips(CK_SESSION_HANDLE session)
{
    CK_MECHANISM des3 = {CKM_DES3_KEY_GEN, NULL, 0}, ed25519 = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_ATTRIBUTE template[] = {ON(CKA_TOKEN), TEXT(CKA_LABEL, "triple"), ON(CKA_ENCRYPT), ON(CKA_DECRYPT)};
    CK_ATTRIBUTE public_template[] = {TEXT(CKA_EC_PARAMS, OID_ED25519), ON(CKA_VERIFY)};
    CK_ATTRIBUTE private_template[] = {ON(CKA_SIGN)};
    CK_OBJECT_HANDLE key = 0, public = 0;
    if (fips) {
        REFUSED("des3", p11->C_GenerateKey(session, &des3, LIST(template), &key));
        REFUSED("ed25519",
                p11->C_GenerateKeyPair(session, &ed25519, LIST(public_template), LIST(private_template), &public, &key));
        return;
    }
    OK("des3", p11->C_GenerateKey(session, &des3, LIST(template), &key));
    HOLDS("des3-type", number_of(session, key, CKA_KEY_TYPE) == CKK_DES3);
    OK("des3-destroy", p11->C_DestroyObject(session, key));
    ec(session, "ed25519", OID_ED25519, sizeof OID_ED25519 - 1, 32);
}

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE session = begin(argc, argv);
    aes(session);
    rsa(session);
    ec(session, "ec-p256", OID_P256, sizeof OID_P256 - 1, 65);
    ec(session, "ec-p384", OID_P384, sizeof OID_P384 - 1, 97);
    ml_dsa(session);
    outside_fips(session);
    return end();
}
