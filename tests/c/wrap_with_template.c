/*
 * A wrapping key with CKA_WRAP_TEMPLATE wraps the keys that match it and no others (User Guide,
 * cloudhsm_using_trusted_keys_control_key_wrap; PKCS#11 2.40, C_WrapKey).
 */
#include "flow.h"

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE session = begin(argc, argv);
    CK_MECHANISM generate = {CKM_AES_KEY_GEN, NULL, 0}, mechanism = {CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD, NULL, 0};
    CK_ATTRIBUTE required[] = {ON(CKA_ENCRYPT)};
    CK_ATTRIBUTE wrapping_template[] = {NUMBER(CKA_VALUE_LEN, 32), ON(CKA_TOKEN), ON(CKA_WRAP), ON(CKA_UNWRAP),
                                        {CKA_WRAP_TEMPLATE, required, sizeof required}};
    CK_ATTRIBUTE with[] = {NUMBER(CKA_VALUE_LEN, 32), ON(CKA_ENCRYPT), ON(CKA_DECRYPT), ON(CKA_EXTRACTABLE)};
    CK_ATTRIBUTE without[] = {NUMBER(CKA_VALUE_LEN, 32), OFF(CKA_ENCRYPT), ON(CKA_DECRYPT), ON(CKA_EXTRACTABLE)};
    CK_ATTRIBUTE back_template[] = {NUMBER(CKA_CLASS, CKO_SECRET_KEY), NUMBER(CKA_KEY_TYPE, CKK_AES), ON(CKA_ENCRYPT),
                                    ON(CKA_DECRYPT)};
    CK_BBOOL value = CK_FALSE;
    CK_ATTRIBUTE inner[] = {{0, &value, sizeof value}}, shown = {CKA_WRAP_TEMPLATE, NULL, 0};
    CK_OBJECT_HANDLE wrapping = 0, good = 0, bad = 0, back = 0;
    struct bytes wrapped;

    OK("wrapping-key", p11->C_GenerateKey(session, &generate, LIST(wrapping_template), &wrapping));
    /* User Guide, pkcs11-attributes-retrieve: a template is read in two calls. */
    OK("template-length", p11->C_GetAttributeValue(session, wrapping, &shown, 1));
    HOLDS("template-has-one-attribute", shown.ulValueLen == sizeof inner);
    shown.pValue = inner;
    OK("template", p11->C_GetAttributeValue(session, wrapping, &shown, 1));
    HOLDS("template-is-the-one-given", inner[0].type == CKA_ENCRYPT && inner[0].ulValueLen == 1 && value == CK_TRUE);

    OK("key-that-does-not-encrypt", p11->C_GenerateKey(session, &generate, LIST(without), &bad));
    GIVES(CKR_KEY_HANDLE_INVALID, "it-is-not-wrapped", wrap(session, &mechanism, wrapping, bad, &wrapped));
    OK("key-that-encrypts", p11->C_GenerateKey(session, &generate, LIST(with), &good));
    OK("it-is-wrapped", wrap(session, &mechanism, wrapping, good, &wrapped));
    OK("and-unwrapped", unwrap(session, &mechanism, wrapping, &wrapped, LIST(back_template), &back));
    HOLDS("the-same-key", agree(session, good, back));
    return end();
}
