/*
 * Signatures as AWS's customers make them: RSA and ECDSA in one call and in parts, ML-DSA over a message and over mu,
 * Ed25519 and Ed25519ph (User Guide, pkcs11-mechanisms).
 */
#include "flow.h"

static const char text[] = "the message that is signed";

/* The pair of this generation that signs and verifies. */
static CK_RV pair(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE type, CK_ATTRIBUTE parameter, CK_ATTRIBUTE private_parameter,
                  CK_OBJECT_HANDLE *public, CK_OBJECT_HANDLE *private)
{
    CK_MECHANISM mechanism = {type, NULL, 0};
    CK_ATTRIBUTE public_template[] = {ON(CKA_VERIFY), parameter};
    CK_ATTRIBUTE private_template[] = {ON(CKA_SIGN), private_parameter};
    return p11->C_GenerateKeyPair(session, &mechanism, LIST(public_template), private_template,
                                  private_parameter.ulValueLen ? 2 : 1, public, private);
}

/* A signature has this length and is good for this message; the message changed or the signature, it is not. */
static void whole(CK_SESSION_HANDLE session, const char *what, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE public,
                  CK_OBJECT_HANDLE private, CK_ULONG length, struct bytes *signature)
{
    CK_BYTE other[sizeof text];
    CK_ULONG needed = 0;
    memcpy(other, text, sizeof text);
    other[3] ^= 1;
    OK(what, p11->C_SignInit(session, mechanism, private));
    OK("length", p11->C_Sign(session, (CK_BYTE *)text, sizeof text, NULL, &needed));
    HOLDS("length-is-enough", needed >= length && needed <= sizeof signature->at);
    signature->length = needed;
    OK("sign", p11->C_Sign(session, (CK_BYTE *)text, sizeof text, signature->at, &signature->length));
    HOLDS("signature-length", signature->length == length);
    OK("verify", verify(session, mechanism, public, text, sizeof text, signature));
    GIVES(CKR_SIGNATURE_INVALID, "another-message", verify(session, mechanism, public, other, sizeof other, signature));
    signature->at[length / 2] ^= 1;
    GIVES(CKR_SIGNATURE_INVALID, "another-signature", verify(session, mechanism, public, text, sizeof text, signature));
    signature->at[length / 2] ^= 1;
}

/* The same in three parts: verifies as a whole, and what was signed as a whole verifies in parts. */
static void parts(CK_SESSION_HANDLE session, const char *what, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE public,
                  CK_OBJECT_HANDLE private, struct bytes *signature)
{
    static const size_t cuts[] = {0, 5, 6, sizeof text};
    struct bytes made;
    OK(what, p11->C_SignInit(session, mechanism, private));
    for (size_t i = 1; i < COUNT(cuts); i++)
        OK("sign-part", p11->C_SignUpdate(session, (CK_BYTE *)text + cuts[i - 1], cuts[i] - cuts[i - 1]));
    made.length = 0;
    OK("sign-final-length", p11->C_SignFinal(session, NULL, &made.length));
    HOLDS("sign-final-length-is-enough", made.length >= signature->length);
    OK("sign-final", p11->C_SignFinal(session, made.at, &made.length));
    OK("parts-verify-as-a-whole", verify(session, mechanism, public, text, sizeof text, &made));
    OK("verify-in-parts", p11->C_VerifyInit(session, mechanism, public));
    for (size_t i = 1; i < COUNT(cuts); i++)
        OK("verify-part", p11->C_VerifyUpdate(session, (CK_BYTE *)text + cuts[i - 1], cuts[i] - cuts[i - 1]));
    OK("verify-final", p11->C_VerifyFinal(session, signature->at, signature->length));
}

static void ml_dsa(CK_SESSION_HANDLE session)
{
    static const struct {
        const char *name;
        CK_ULONG set, length; /* FIPS 204, table 2 */
    } sets[] = {{"ml-dsa-44", CKP_CLOUDHSM_ML_DSA_44, 2420},
                {"ml-dsa-65", CKP_CLOUDHSM_ML_DSA_65, 3309},
                {"ml-dsa-87", CKP_CLOUDHSM_ML_DSA_87, 4627}};
    CK_MECHANISM pure = {CKM_CLOUDHSM_ML_DSA, NULL, 0}, of_mu = {CKM_CLOUDHSM_EXT_MU_ML_DSA, NULL, 0};
    /* No public attribute of the key gives its bytes, so that the mu of a message cannot be computed here. */
    CK_BYTE mu[64];
    struct bytes signature;
    memset(mu, 0x5a, sizeof mu);
    for (size_t i = 0; i < COUNT(sets); i++) {
        CK_ATTRIBUTE set = NUMBER(CKA_CLOUDHSM_PARAMETER_SET, sets[i].set);
        CK_OBJECT_HANDLE public = 0, private = 0;
        OK(sets[i].name, pair(session, CKM_CLOUDHSM_ML_DSA_KEY_PAIR_GEN, set, set, &public, &private));
        whole(session, "ml-dsa-pure", &pure, public, private, sets[i].length, &signature);
        OK("ml-dsa-of-mu", sign(session, &of_mu, private, mu, sizeof mu, &signature));
        HOLDS("ml-dsa-of-mu-length", signature.length == sets[i].length);
        OK("ml-dsa-of-mu-verify", verify(session, &of_mu, public, mu, sizeof mu, &signature));
        GIVES(CKR_SIGNATURE_INVALID, "ml-dsa-mu-is-no-message", verify(session, &pure, public, mu, sizeof mu, &signature));
        mu[63] ^= 1;
        GIVES(CKR_SIGNATURE_INVALID, "ml-dsa-another-mu", verify(session, &of_mu, public, mu, sizeof mu, &signature));
        REFUSED("ml-dsa-mu-of-63-bytes", sign(session, &of_mu, private, mu, sizeof mu - 1, &signature));
    }
}

static void eddsa(CK_SESSION_HANDLE session)
{
    CK_EDDSA_PARAMS prehashed = {CK_TRUE, 0, NULL};
    CK_MECHANISM pure = {CKM_CLOUDHSM_EDDSA, NULL, 0}, ph = {CKM_CLOUDHSM_EDDSA, &prehashed, sizeof prehashed};
    CK_ATTRIBUTE curve = TEXT(CKA_EC_PARAMS, OID_ED25519), none = {0, NULL, 0};
    CK_OBJECT_HANDLE public = 0, private = 0;
    struct bytes signature;
    OK("ed25519", pair(session, CKM_EC_KEY_PAIR_GEN, curve, none, &public, &private));
    whole(session, "ed25519-pure", &pure, public, private, 64, &signature);
    GIVES(CKR_SIGNATURE_INVALID, "ed25519-pure-is-not-ph", verify(session, &ph, public, text, sizeof text, &signature));
    whole(session, "ed25519-ph", &ph, public, private, 64, &signature);
    parts(session, "ed25519-ph-in-parts", &ph, public, private, &signature);
}

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE session = begin(argc, argv);
    CK_MECHANISM rsa = {CKM_SHA512_RSA_PKCS, NULL, 0}, ecdsa = {CKM_ECDSA_SHA512, NULL, 0};
    CK_ATTRIBUTE curve = TEXT(CKA_EC_PARAMS, OID_P256), none = {0, NULL, 0};
    CK_OBJECT_HANDLE public = 0, private = 0;
    struct bytes signature;

    rsa_pair(session, "rsa", &public, &private);
    whole(session, "rsa-sha512", &rsa, public, private, 256, &signature);
    parts(session, "rsa-sha512-in-parts", &rsa, public, private, &signature);
    REFUSED("sign-with-the-public-half", p11->C_SignInit(session, &rsa, public));

    OK("ec", pair(session, CKM_EC_KEY_PAIR_GEN, curve, none, &public, &private));
    whole(session, "ecdsa-sha512", &ecdsa, public, private, 64, &signature);
    parts(session, "ecdsa-sha512-in-parts", &ecdsa, public, private, &signature);

    ml_dsa(session);
    if (!fips) /* User Guide, pkcs11-mechanisms: not in FIPS mode */
        eddsa(session);
    return end();
}
