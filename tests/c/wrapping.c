/*
 * Keys out of the HSM and in again, wrapped by each mechanism that AWS has for it; what comes back is used (User Guide,
 * manage-aes-key-wrapping and pkcs11-mechanisms). Wrapping keys are keys of the token, as customers have them.
 */
#include "flow.h"

static CK_ATTRIBUTE aes_template[] = {NUMBER(CKA_CLASS, CKO_SECRET_KEY), NUMBER(CKA_KEY_TYPE, CKK_AES), ON(CKA_ENCRYPT),
                                      ON(CKA_DECRYPT)};
static CK_ATTRIBUTE rsa_template[] = {NUMBER(CKA_CLASS, CKO_PRIVATE_KEY), NUMBER(CKA_KEY_TYPE, CKK_RSA), ON(CKA_SIGN)};

static CK_OBJECT_HANDLE aes, rsa_public, rsa_private;

/* The AES key wrapped and unwrapped: 32 bytes of key become so many. */
static void secret(CK_SESSION_HANDLE session, const char *what, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping,
                   CK_OBJECT_HANDLE unwrapping, CK_ULONG length)
{
    CK_OBJECT_HANDLE back = 0;
    CK_ULONG needed = 0;
    struct bytes wrapped;
    int asked = mechanism->mechanism != CKM_AES_GCM; /* its first call writes the IV, which the second would refuse */

    OK(what, asked ? p11->C_WrapKey(session, mechanism, wrapping, aes, NULL, &needed) : CKR_OK);
    OK("wrap", wrap(session, mechanism, wrapping, aes, &wrapped));
    HOLDS("wrapped-length", wrapped.length == length && (!asked || needed >= length));
    OK("unwrap", unwrap(session, mechanism, unwrapping, &wrapped, LIST(aes_template), &back));
    HOLDS("the-same-key", agree(session, aes, back) && agree(session, back, aes));
    wrapped.at[wrapped.length - 1] ^= 1;
    REFUSED("unwrap-what-was-changed", unwrap(session, mechanism, unwrapping, &wrapped, LIST(aes_template), &back));
}

/* The RSA private key wrapped and unwrapped; wrapped keys are a multiple of so many bytes. */
static void private_key(CK_SESSION_HANDLE session, const char *what, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping,
                        CK_OBJECT_HANDLE unwrapping, CK_ULONG block)
{
    CK_OBJECT_HANDLE back = 0;
    struct bytes wrapped;
    OK(what, wrap(session, mechanism, wrapping, rsa_private, &wrapped));
    HOLDS("wrapped-blocks", wrapped.length % block == 0 && wrapped.length > 1024);
    OK("unwrap-private", unwrap(session, mechanism, unwrapping, &wrapped, LIST(rsa_template), &back));
    HOLDS("the-same-private-key", rsa_halves(session, rsa_public, back));
    wrapped.at[wrapped.length / 2] ^= 1;
    REFUSED("unwrap-private-that-was-changed", unwrap(session, mechanism, unwrapping, &wrapped, LIST(rsa_template), &back));
}

static void under_aes(CK_SESSION_HANDLE session)
{
    CK_MECHANISM generate = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ATTRIBUTE template[] = {NUMBER(CKA_VALUE_LEN, 32), ON(CKA_TOKEN), ON(CKA_WRAP), ON(CKA_UNWRAP)};
    CK_BYTE iv[] = {0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6}, other[] = {1, 2, 3, 4, 5, 6, 7, 8};
    CK_BYTE gcm_iv[12] = {0}, zero[12] = {0};
    CK_GCM_PARAMS in_parameters = {gcm_iv, sizeof gcm_iv, 0, NULL, 0, 128}, in_front = {NULL, 0, 0, NULL, 0, 128};
    CK_MECHANISM no_pad = {CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD, NULL, 0};
    CK_MECHANISM no_pad_iv = {CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD, iv, sizeof iv};
    CK_MECHANISM no_pad_other = {CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD, other, sizeof other};
    CK_MECHANISM zero_pad = {CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD, NULL, 0};
    CK_MECHANISM pkcs5 = {CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD, NULL, 0};
    CK_MECHANISM gcm = {CKM_AES_GCM, &in_parameters, sizeof in_parameters};
    CK_MECHANISM cloudhsm_gcm = {CKM_CLOUDHSM_AES_GCM, &in_front, sizeof in_front};
    CK_OBJECT_HANDLE key = 0;
    struct bytes wrapped;

    OK("wrapping-key", p11->C_GenerateKey(session, &generate, LIST(template), &key));
    secret(session, "no-pad", &no_pad, key, key, 40);
    secret(session, "no-pad-with-the-iv", &no_pad_iv, key, key, 40);
    REFUSED("no-pad-with-another-iv", wrap(session, &no_pad_other, key, aes, &wrapped));
    REFUSED("no-pad-of-an-rsa-key", wrap(session, &no_pad, key, rsa_private, &wrapped));
    secret(session, "zero-pad", &zero_pad, key, key, 40);
    private_key(session, "zero-pad-private", &zero_pad, key, key, 8);
    secret(session, "pkcs5-pad", &pkcs5, key, key, 48);
    private_key(session, "pkcs5-pad-private", &pkcs5, key, key, 8);

    secret(session, "gcm", &gcm, key, key, 32 + 16);
    HOLDS("gcm-wrote-the-iv", memcmp(gcm_iv, zero, sizeof zero) != 0);
    memset(gcm_iv, 0, sizeof gcm_iv);
    private_key(session, "gcm-private", &gcm, key, key, 1);
    secret(session, "cloudhsm-gcm", &cloudhsm_gcm, key, key, 12 + 32 + 16);
    private_key(session, "cloudhsm-gcm-private", &cloudhsm_gcm, key, key, 1);

    GIVES(CKR_KEY_FUNCTION_NOT_PERMITTED, "key-that-does-not-wrap", wrap(session, &no_pad, aes, key, &wrapped));
    GIVES(CKR_OK, "destroy", p11->C_DestroyObject(session, key));
}

static void under_rsa(CK_SESSION_HANDLE session)
{
    CK_MECHANISM generate = {CKM_RSA_X9_31_KEY_PAIR_GEN, NULL, 0};
    CK_ATTRIBUTE public_template[] = {NUMBER(CKA_MODULUS_BITS, 2048), TEXT(CKA_PUBLIC_EXPONENT, "\1\0\1"), ON(CKA_TOKEN),
                                      ON(CKA_WRAP)};
    CK_ATTRIBUTE private_template[] = {ON(CKA_TOKEN), ON(CKA_UNWRAP)};
    CK_RSA_PKCS_OAEP_PARAMS parameters = {CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0};
    CK_RSA_AES_KEY_WRAP_PARAMS in_two = {256, &parameters};
    CK_MECHANISM oaep = {CKM_RSA_PKCS_OAEP, &parameters, sizeof parameters};
    CK_MECHANISM rsa_aes = {CKM_RSA_AES_KEY_WRAP, &in_two, sizeof in_two};
    CK_OBJECT_HANDLE public = 0, private = 0;
    struct bytes wrapped;

    OK("wrapping-pair",
       p11->C_GenerateKeyPair(session, &generate, LIST(public_template), LIST(private_template), &public, &private));
    secret(session, "oaep-sha256", &oaep, public, private, 256);
    REFUSED("oaep-of-an-rsa-key", wrap(session, &oaep, public, rsa_private, &wrapped));
    secret(session, "rsa-aes", &rsa_aes, public, private, 256 + 40);
    private_key(session, "rsa-aes-private", &rsa_aes, public, private, 8);
}

static void may_not_leave(CK_SESSION_HANDLE session)
{
    CK_MECHANISM generate = {CKM_AES_KEY_GEN, NULL, 0}, mechanism = {CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD, NULL, 0};
    CK_ATTRIBUTE wrapping[] = {NUMBER(CKA_VALUE_LEN, 32), ON(CKA_WRAP)};
    CK_ATTRIBUTE kept[] = {NUMBER(CKA_VALUE_LEN, 32), OFF(CKA_EXTRACTABLE)};
    CK_ATTRIBUTE guarded[] = {NUMBER(CKA_VALUE_LEN, 32), ON(CKA_WRAP_WITH_TRUSTED)};
    CK_OBJECT_HANDLE key = 0, other = 0;
    struct bytes wrapped;
    OK("untrusted-wrapping-key", p11->C_GenerateKey(session, &generate, LIST(wrapping), &key));
    OK("not-extractable", p11->C_GenerateKey(session, &generate, LIST(kept), &other));
    GIVES(CKR_KEY_UNEXTRACTABLE, "not-extractable-stays", wrap(session, &mechanism, key, other, &wrapped));
    OK("wrap-with-trusted", p11->C_GenerateKey(session, &generate, LIST(guarded), &other));
    GIVES(CKR_KEY_NOT_WRAPPABLE, "wrap-with-trusted-stays", wrap(session, &mechanism, key, other, &wrapped));
}

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE session = begin(argc, argv);
    aes = aes_key(session, "aes");
    rsa_pair(session, "rsa", &rsa_public, &rsa_private);
    under_aes(session);
    under_rsa(session);
    may_not_leave(session);
    return end();
}
