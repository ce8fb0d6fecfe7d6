/*
 * Makes what unwrap_with_template needs and a crypto user cannot make alone: a wrapping key that an officer trusts,
 * labelled `trusted wrapping key`. Only profile `cloudhsm` lets an officer in over PKCS#11.
 *
 *   trusted_key LIBRARY PIN [fips]    CLOUDHSM_TEST_OFFICER is the officer's PIN
 */
#include "flow.h"

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE session = begin(argc, argv);
    char *officer = getenv("CLOUDHSM_TEST_OFFICER");
    CK_MECHANISM generate = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ATTRIBUTE inner[] = {ON(CKA_EXTRACTABLE)};
    CK_ATTRIBUTE template[] = {NUMBER(CKA_VALUE_LEN, 32), ON(CKA_TOKEN), ON(CKA_WRAP), ON(CKA_UNWRAP),
                               TEXT(CKA_LABEL, "trusted wrapping key"), {CKA_UNWRAP_TEMPLATE, inner, sizeof inner}};
    CK_ATTRIBUTE by_label[] = {TEXT(CKA_LABEL, "trusted wrapping key")}, trusted[] = {ON(CKA_TRUSTED)};
    CK_OBJECT_HANDLE key = 0, found[2];

    if (!officer) {
        printf("FAIL c-%s-officer: CLOUDHSM_TEST_OFFICER is not set\n", flow);
        return 1;
    }
    OK("generate", p11->C_GenerateKey(session, &generate, LIST(template), &key));
    GIVES(CKR_ATTRIBUTE_READ_ONLY, "the-owner-cannot-trust-it", p11->C_SetAttributeValue(session, key, LIST(trusted)));
    OK("logout", p11->C_Logout(session));
    OK("officer", p11->C_Login(session, CKU_SO, (CK_UTF8CHAR *)officer, strlen(officer)));
    HOLDS("the-officer-sees-it", find(session, LIST(by_label), found, COUNT(found)) == 1);
    OK("the-officer-trusts-it", p11->C_SetAttributeValue(session, found[0], LIST(trusted)));
    return end();
}
