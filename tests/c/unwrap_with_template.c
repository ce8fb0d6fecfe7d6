/*
 * A key that only trusted keys may wrap goes out under one and comes back; CKA_UNWRAP_TEMPLATE decides what it is then
 * (User Guide, cloudhsm_using_trusted_keys_control_key_wrap; PKCS#11 2.40, C_UnwrapKey). trusted_key has made the
 * trusted key: its CKA_UNWRAP_TEMPLATE says that what it unwraps is extractable.
 */
#include "flow.h"

static CK_MECHANISM mechanism = {CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD, NULL, 0};

static int extractable(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_BBOOL wanted)
{
    struct bytes value;
    return value_of(session, key, CKA_EXTRACTABLE, &value) == CKR_OK && same(&value, &wanted, 1);
}

/* Found as AWS's sample does, which counts first: the array is NULL in the first call, which takes nothing, though it asks for two. */
static CK_OBJECT_HANDLE trusted_key(CK_SESSION_HANDLE session)
{
    CK_ATTRIBUTE by[] = {TEXT(CKA_LABEL, "trusted wrapping key"), ON(CKA_TRUSTED)};
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG count = 0;
    OK("find", p11->C_FindObjectsInit(session, LIST(by)));
    OK("find-null-array", p11->C_FindObjects(session, NULL, 2, &count));
    HOLDS("counted-one", count == 1);
    OK("find-one", p11->C_FindObjects(session, &key, 1, &count));
    HOLDS("found-one", count == 1);
    OK("find-final", p11->C_FindObjectsFinal(session));
    return key;
}

/* What the template of the unwrapping key says holds, also where it is not the default: not extractable. */
static void other_than_the_default(CK_SESSION_HANDLE session)
{
    CK_MECHANISM generate = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ATTRIBUTE inner[] = {OFF(CKA_EXTRACTABLE)};
    CK_ATTRIBUTE template[] = {NUMBER(CKA_VALUE_LEN, 32), ON(CKA_WRAP), ON(CKA_UNWRAP),
                               {CKA_UNWRAP_TEMPLATE, inner, sizeof inner}};
    CK_ATTRIBUTE against[] = {NUMBER(CKA_CLASS, CKO_SECRET_KEY), NUMBER(CKA_KEY_TYPE, CKK_AES), ON(CKA_EXTRACTABLE)};
    CK_ATTRIBUTE with[] = {NUMBER(CKA_CLASS, CKO_SECRET_KEY), NUMBER(CKA_KEY_TYPE, CKK_AES), OFF(CKA_EXTRACTABLE)};
    CK_OBJECT_HANDLE wrapping = 0, key = aes_key(session, "aes"), back = 0;
    struct bytes wrapped;
    OK("wrapping-key", p11->C_GenerateKey(session, &generate, LIST(template), &wrapping));
    OK("wrap", wrap(session, &mechanism, wrapping, key, &wrapped));
    GIVES(CKR_TEMPLATE_INCONSISTENT, "against-the-template", unwrap(session, &mechanism, wrapping, &wrapped, LIST(against), &back));
    OK("with-the-template", unwrap(session, &mechanism, wrapping, &wrapped, LIST(with), &back));
    OK("without-a-word", unwrap(session, &mechanism, wrapping, &wrapped, with, 2, &back));
    HOLDS("not-extractable-by-the-template", extractable(session, back, CK_FALSE));
}

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE session = begin(argc, argv);
    CK_MECHANISM generate = {CKM_RSA_X9_31_KEY_PAIR_GEN, NULL, 0}, generate_aes = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ATTRIBUTE public_template[] = {NUMBER(CKA_MODULUS_BITS, 2048), TEXT(CKA_PUBLIC_EXPONENT, "\1\0\1"), ON(CKA_VERIFY)};
    CK_ATTRIBUTE private_template[] = {ON(CKA_SIGN), ON(CKA_EXTRACTABLE), ON(CKA_WRAP_WITH_TRUSTED)};
    CK_ATTRIBUTE untrusted_template[] = {NUMBER(CKA_VALUE_LEN, 32), ON(CKA_WRAP), ON(CKA_UNWRAP)};
    CK_ATTRIBUTE back_template[] = {NUMBER(CKA_CLASS, CKO_PRIVATE_KEY), NUMBER(CKA_KEY_TYPE, CKK_RSA), ON(CKA_SIGN),
                                    OFF(CKA_EXTRACTABLE)};
    CK_OBJECT_HANDLE trusted = trusted_key(session), untrusted = 0, public = 0, private = 0, back = 0;
    struct bytes wrapped;

    OK("pair", p11->C_GenerateKeyPair(session, &generate, LIST(public_template), LIST(private_template), &public, &private));
    OK("untrusted-key", p11->C_GenerateKey(session, &generate_aes, LIST(untrusted_template), &untrusted));
    GIVES(CKR_KEY_NOT_WRAPPABLE, "not-under-the-untrusted-key", wrap(session, &mechanism, untrusted, private, &wrapped));
    OK("under-the-trusted-key", wrap(session, &mechanism, trusted, private, &wrapped));
    GIVES(CKR_TEMPLATE_INCONSISTENT, "unwrap-as-not-extractable",
          unwrap(session, &mechanism, trusted, &wrapped, LIST(back_template), &back));
    OK("unwrap", unwrap(session, &mechanism, trusted, &wrapped, back_template, COUNT(back_template) - 1, &back));
    HOLDS("extractable-by-the-template", extractable(session, back, CK_TRUE));
    HOLDS("the-same-key", rsa_halves(session, public, back));
    other_than_the_default(session);
    return end();
}
