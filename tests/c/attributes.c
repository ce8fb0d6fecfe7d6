/*
 * Every attribute that has a name is asked of every kind of key, one at a time: each has an answer of its own, and
 * none of them is a crash (User Guide, pkcs11-attributes-interpreting and attr-errors; PKCS#11 2.40,
 * C_GetAttributeValue).
 */
#include "flow.h"

static const struct {
    CK_ATTRIBUTE_TYPE type;
    const char *name;
} known[] = {
#define KNOWN(name) {name, #name},
    KNOWN(CKA_AC_ISSUER) KNOWN(CKA_ALLOWED_MECHANISMS) KNOWN(CKA_ALWAYS_AUTHENTICATE) KNOWN(CKA_ALWAYS_SENSITIVE)
    KNOWN(CKA_APPLICATION) KNOWN(CKA_ATTR_TYPES) KNOWN(CKA_BASE)
    KNOWN(CKA_BITS_PER_PIXEL) KNOWN(CKA_CERTIFICATE_CATEGORY) KNOWN(CKA_CERTIFICATE_TYPE) KNOWN(CKA_CHAR_COLUMNS)
    KNOWN(CKA_CHAR_ROWS) KNOWN(CKA_CHAR_SETS) KNOWN(CKA_CHECK_VALUE) KNOWN(CKA_CLASS) KNOWN(CKA_COEFFICIENT)
    KNOWN(CKA_COLOR) KNOWN(CKA_COPYABLE) KNOWN(CKA_DECAPSULATE) KNOWN(CKA_DECAPSULATE_TEMPLATE) KNOWN(CKA_DECRYPT)
    KNOWN(CKA_DEFAULT_CMS_ATTRIBUTES) KNOWN(CKA_DERIVE) KNOWN(CKA_DERIVE_TEMPLATE) KNOWN(CKA_DESTROYABLE)
    KNOWN(CKA_EC_PARAMS) KNOWN(CKA_EC_POINT) KNOWN(CKA_ENCAPSULATE) KNOWN(CKA_ENCAPSULATE_TEMPLATE)
    KNOWN(CKA_ENCODING_METHODS) KNOWN(CKA_ENCRYPT) KNOWN(CKA_END_DATE) KNOWN(CKA_EXPONENT_1) KNOWN(CKA_EXPONENT_2)
    KNOWN(CKA_EXTRACTABLE) KNOWN(CKA_GOST28147_PARAMS) KNOWN(CKA_GOSTR3410_PARAMS) KNOWN(CKA_GOSTR3411_PARAMS)
    KNOWN(CKA_HASH_OF_CERTIFICATE) KNOWN(CKA_HASH_OF_ISSUER_PUBLIC_KEY) KNOWN(CKA_HASH_OF_SUBJECT_PUBLIC_KEY)
    KNOWN(CKA_HAS_RESET) KNOWN(CKA_HW_FEATURE_TYPE) KNOWN(CKA_ID) KNOWN(CKA_ISSUER)
    KNOWN(CKA_JAVA_MIDP_SECURITY_DOMAIN) KNOWN(CKA_KEY_GEN_MECHANISM) KNOWN(CKA_KEY_TYPE) KNOWN(CKA_LABEL)
    KNOWN(CKA_LOCAL) KNOWN(CKA_MECHANISM_TYPE) KNOWN(CKA_MIME_TYPES) KNOWN(CKA_MODIFIABLE) KNOWN(CKA_MODULUS)
    KNOWN(CKA_MODULUS_BITS) KNOWN(CKA_NAME_HASH_ALGORITHM) KNOWN(CKA_NEVER_EXTRACTABLE) KNOWN(CKA_OBJECT_ID)
    KNOWN(CKA_OBJECT_VALIDATION_FLAGS) KNOWN(CKA_OWNER) KNOWN(CKA_PARAMETER_SET) KNOWN(CKA_PIXEL_X)
    KNOWN(CKA_PIXEL_Y) KNOWN(CKA_PRIME) KNOWN(CKA_PRIME_1) KNOWN(CKA_PRIME_2) KNOWN(CKA_PRIME_BITS)
    KNOWN(CKA_PRIVATE) KNOWN(CKA_PRIVATE_EXPONENT) KNOWN(CKA_PROFILE_ID) KNOWN(CKA_PUBLIC_CRC64_VALUE)
    KNOWN(CKA_PUBLIC_EXPONENT) KNOWN(CKA_PUBLIC_KEY_INFO) KNOWN(CKA_REQUIRED_CMS_ATTRIBUTES)
    KNOWN(CKA_RESET_ON_INIT) KNOWN(CKA_RESOLUTION) KNOWN(CKA_SEED) KNOWN(CKA_SENSITIVE)
    KNOWN(CKA_SERIAL_NUMBER) KNOWN(CKA_SIGN) KNOWN(CKA_SIGN_RECOVER) KNOWN(CKA_START_DATE) KNOWN(CKA_SUBJECT)
    KNOWN(CKA_SUBPRIME) KNOWN(CKA_SUBPRIME_BITS) KNOWN(CKA_SUPPORTED_CMS_ATTRIBUTES) KNOWN(CKA_TOKEN)
    KNOWN(CKA_TRUSTED) KNOWN(CKA_UNIQUE_ID) KNOWN(CKA_UNWRAP) KNOWN(CKA_UNWRAP_TEMPLATE) KNOWN(CKA_URL)
    KNOWN(CKA_VALUE) KNOWN(CKA_VALUE_BITS) KNOWN(CKA_VALUE_LEN) KNOWN(CKA_VERIFY) KNOWN(CKA_VERIFY_RECOVER)
    KNOWN(CKA_WRAP) KNOWN(CKA_WRAP_TEMPLATE) KNOWN(CKA_WRAP_WITH_TRUSTED)
    KNOWN(CKA_OTP_FORMAT) KNOWN(CKA_OTP_LENGTH) KNOWN(CKA_OTP_TIME_INTERVAL) KNOWN(CKA_OTP_USER_FRIENDLY_MODE)
    KNOWN(CKA_OTP_CHALLENGE_REQUIREMENT) KNOWN(CKA_OTP_TIME_REQUIREMENT) KNOWN(CKA_OTP_COUNTER_REQUIREMENT)
    KNOWN(CKA_OTP_PIN_REQUIREMENT) KNOWN(CKA_OTP_COUNTER) KNOWN(CKA_OTP_TIME) KNOWN(CKA_OTP_USER_IDENTIFIER)
    KNOWN(CKA_OTP_SERVICE_IDENTIFIER) KNOWN(CKA_OTP_SERVICE_LOGO) KNOWN(CKA_OTP_SERVICE_LOGO_TYPE)
    /* Deprecated since 2.40, and in programs. */
    KNOWN(CKA_ECDSA_PARAMS) KNOWN(CKA_SECONDARY_AUTH) KNOWN(CKA_AUTH_PIN_FLAGS) KNOWN(CKA_SUB_PRIME_BITS)
    KNOWN(CKA_VENDOR_DEFINED) KNOWN(CKA_CLOUDHSM_PARAMETER_SET)
};

/* What a kind of key shows and what it keeps to itself, of what AWS's tables are clear about. */
struct kind {
    const char *name;
    CK_OBJECT_HANDLE key;
    CK_ATTRIBUTE_TYPE shown[8], sensitive[8], unknown[8]; /* each to the first 0 */
};

static CK_RV ask(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_ATTRIBUTE *attribute)
{
    return p11->C_GetAttributeValue(session, key, attribute, 1);
}

/* The first thing that is wrong with the answer to one attribute; none, if nothing is. */
static const char *wrong_with(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type)
{
    static CK_BYTE value[8192];
    CK_ATTRIBUTE attribute = {type, NULL, 77};
    CK_RV rv = ask(session, key, &attribute);
    CK_ULONG length = attribute.ulValueLen;
    int template = type == CKA_WRAP_TEMPLATE || type == CKA_UNWRAP_TEMPLATE || type == CKA_DERIVE_TEMPLATE;

    if (rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE)
        return length == CK_UNAVAILABLE_INFORMATION ? NULL : "refused, and the length is not CK_UNAVAILABLE_INFORMATION";
    if (rv != CKR_OK)
        return name_of(rv);
    if (length > sizeof value)
        return "an unlikely length";
    if (template)
        return length % sizeof(CK_ATTRIBUTE) ? "no array of attributes" : NULL;
    attribute.pValue = value;
    memset(value, 0xa5, sizeof value);
    if (ask(session, key, &attribute) != CKR_OK || attribute.ulValueLen != length)
        return "the second answer is not the first";
    if (length < sizeof value && value[length] != 0xa5)
        return "something was written behind the buffer";
    if (length == 0)
        return NULL;
    attribute.ulValueLen = length - 1;
    if (ask(session, key, &attribute) != CKR_BUFFER_TOO_SMALL || attribute.ulValueLen != CK_UNAVAILABLE_INFORMATION)
        return "a short buffer is not CKR_BUFFER_TOO_SMALL";
    return NULL;
}

/* These attributes of a key are answered with one code, each. */
static void each(CK_SESSION_HANDLE session, const struct kind *kind, const CK_ATTRIBUTE_TYPE *types, CK_RV wanted)
{
    char what[80];
    for (; *types; types++) {
        CK_ATTRIBUTE attribute = {*types, NULL, 0};
        size_t at = 0;
        while (at < COUNT(known) - 1 && known[at].type != *types)
            at++;
        snprintf(what, sizeof what, "%s-%s", kind->name, known[at].name);
        GIVES(wanted, what, ask(session, kind->key, &attribute));
    }
}

static void all_of(CK_SESSION_HANDLE session, const struct kind *kind)
{
    int good = 1;
    for (size_t i = 0; i < COUNT(known); i++) {
        const char *wrong = wrong_with(session, kind->key, known[i].type);
        if (wrong) {
            printf("FAIL c-%s-%s: %s of it: %s\n", flow, kind->name, known[i].name, wrong);
            failures++;
            good = 0;
        }
    }
    HOLDS(kind->name, good);
    each(session, kind, kind->shown, CKR_OK);
    each(session, kind, kind->sensitive, CKR_ATTRIBUTE_SENSITIVE);
    each(session, kind, kind->unknown, CKR_ATTRIBUTE_TYPE_INVALID);
}

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE session = begin(argc, argv);
    CK_MECHANISM ec = {CKM_EC_KEY_PAIR_GEN, NULL, 0}, ml_dsa = {CKM_CLOUDHSM_ML_DSA_KEY_PAIR_GEN, NULL, 0};
    CK_MECHANISM generic = {CKM_GENERIC_SECRET_KEY_GEN, NULL, 0};
    CK_ATTRIBUTE ec_public[] = {TEXT(CKA_EC_PARAMS, OID_P256)}, none[] = {ON(CKA_SIGN)};
    CK_ATTRIBUTE set[] = {NUMBER(CKA_CLOUDHSM_PARAMETER_SET, CKP_CLOUDHSM_ML_DSA_65)};
    CK_ATTRIBUTE length[] = {NUMBER(CKA_VALUE_LEN, 48)};
    struct kind kinds[] = {
        {"aes", 0, {CKA_KEY_TYPE, CKA_VALUE_LEN, CKA_CHECK_VALUE, CKA_WRAP_TEMPLATE}, {CKA_VALUE},
         {CKA_MODULUS, CKA_EC_PARAMS, CKA_COPYABLE}},
        {"generic", 0, {CKA_VALUE_LEN, CKA_TRUSTED}, {CKA_VALUE}, {CKA_ENCRYPT, CKA_CHECK_VALUE, CKA_WRAP}},
        {"rsa-public", 0, {CKA_MODULUS, CKA_MODULUS_BITS, CKA_PUBLIC_EXPONENT, CKA_VERIFY_RECOVER}, {0},
         {CKA_SIGN, CKA_PRIVATE_EXPONENT}},
        {"rsa-private", 0, {CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_SIGN_RECOVER},
         {CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT},
         {CKA_VERIFY, CKA_ALWAYS_AUTHENTICATE, CKA_MODULUS_BITS, CKA_PUBLIC_KEY_INFO, CKA_SUBJECT}},
        {"ec-public", 0, {CKA_EC_PARAMS, CKA_EC_POINT, CKA_CHECK_VALUE}, {0}, {CKA_ENCRYPT, CKA_WRAP, CKA_KEY_GEN_MECHANISM}},
        {"ec-private", 0, {CKA_EC_PARAMS, CKA_SENSITIVE, CKA_NEVER_EXTRACTABLE}, {CKA_VALUE}, {CKA_EC_POINT, CKA_START_DATE}},
        {"ml-dsa-public", 0, {CKA_CLOUDHSM_PARAMETER_SET, CKA_VERIFY}, {0}, {CKA_CHECK_VALUE, CKA_ENCRYPT}},
        {"ml-dsa-private", 0, {CKA_CLOUDHSM_PARAMETER_SET, CKA_SIGN}, {0}, {CKA_CHECK_VALUE, CKA_DERIVE}},
    };
    CK_BYTE label[16], small[1], type[sizeof(CK_ULONG)];
    CK_ATTRIBUTE several[] = {BYTES(CKA_PRIME, small), BYTES(CKA_LABEL, label), BYTES(CKA_MODULUS, small),
                              BYTES(CKA_PRIME_1, label), BYTES(CKA_KEY_TYPE, type)};

    kinds[0].key = aes_key(session, "generate-aes");
    OK("generate-generic", p11->C_GenerateKey(session, &generic, LIST(length), &kinds[1].key));
    rsa_pair(session, "generate-rsa", &kinds[2].key, &kinds[3].key);
    OK("generate-ec", p11->C_GenerateKeyPair(session, &ec, LIST(ec_public), LIST(none), &kinds[4].key, &kinds[5].key));
    OK("generate-ml-dsa", p11->C_GenerateKeyPair(session, &ml_dsa, LIST(set), LIST(set), &kinds[6].key, &kinds[7].key));
    for (size_t i = 0; i < COUNT(kinds); i++)
        all_of(session, &kinds[i]);

    /* One that is refused does not spoil the others. */
    HOLDS("several", p11->C_GetAttributeValue(session, kinds[3].key, LIST(several)) != CKR_OK);
    HOLDS("several-unknown", several[0].ulValueLen == CK_UNAVAILABLE_INFORMATION);
    HOLDS("several-empty-label", several[1].ulValueLen == 0);
    HOLDS("several-short-buffer", several[2].ulValueLen == CK_UNAVAILABLE_INFORMATION);
    HOLDS("several-sensitive", several[3].ulValueLen == CK_UNAVAILABLE_INFORMATION);
    HOLDS("several-last", several[4].ulValueLen == sizeof type && !memcmp(type, &(CK_ULONG){CKK_RSA}, sizeof type));
    return end();
}
