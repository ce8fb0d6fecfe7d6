/*
 * An X.509 certificate in the HSM: stored, found by label and by subject, changed, destroyed; a session without a login
 * sees it too (User Guide, pkcs11-certificate-storage and the pages below it). The setting `certificate_storage` is on.
 */
#include "flow.h"

/* Made with `openssl req -x509` for a key that nobody has kept: CN=example, O=Example, C=DE. */
static const char certificate[] =
    "308201b93082015fa00302010202140dd373d3465bfa061a1f5c8cd045e8436df62d69300a06082a8648ce3d0403023031310b30"
    "090603550406130244453110300e060355040a0c074578616d706c653110300e06035504030c076578616d706c653020170d3236"
    "313132323034323335395a180f32313236313032393034323335395a3031310b30090603550406130244453110300e060355040a"
    "0c074578616d706c653110300e06035504030c076578616d706c653059301306072a8648ce3d020106082a8648ce3d0301070342"
    "0004bd2ac4354cfc8f290e0ef63132101d0e16e4c04f4f2c8ae0b7da00a9c5d4042a6d2b9e700dca6a111ee4bc0f31c90fb92a4e"
    "aeb993d8133b92500d6dc2525d03a3533051301d0603551d0e041604148a7939894dff0f9e1a86017bb2da149bd81ddbec301f06"
    "03551d230418301680148a7939894dff0f9e1a86017bb2da149bd81ddbec300f0603551d130101ff040530030101ff300a06082a"
    "8648ce3d040302034800304502210084e178fe28a4c6c1affcccd9797ea6e053e9271756f1fef10fcf9505f4a95fc902206c2336"
    "7d7ba212e2f3017b635823ccbf3a599774f2ae8fe4f4a05f24fa902700";
#define SUBJECT 134, 49 /* its first byte and its length: the name in front of the public key */

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE session = begin(argc, argv);
    struct bytes value = from_hex(certificate), read;
    CK_BYTE *subject = value.at + (CK_ULONG[]){SUBJECT}[0];
    CK_ULONG subject_length = (CK_ULONG[]){SUBJECT}[1];
    CK_ATTRIBUTE template[] = {
        NUMBER(CKA_CLASS, CKO_CERTIFICATE), NUMBER(CKA_CERTIFICATE_TYPE, CKC_X_509), {CKA_SUBJECT, subject, subject_length},
        {CKA_VALUE, value.at, value.length}, TEXT(CKA_LABEL, "example"), TEXT(CKA_ID, "\1\2\3"), ON(CKA_TOKEN), OFF(CKA_PRIVATE),
    };
    CK_ATTRIBUTE of_the_session[] = {template[0], template[1], template[2], template[3], OFF(CKA_TOKEN)};
    CK_ATTRIBUTE by_label[] = {NUMBER(CKA_CLASS, CKO_CERTIFICATE), TEXT(CKA_LABEL, "example")};
    CK_ATTRIBUTE by_subject[] = {NUMBER(CKA_CLASS, CKO_CERTIFICATE), {CKA_SUBJECT, subject, subject_length}};
    CK_ATTRIBUTE new_label[] = {TEXT(CKA_LABEL, "renamed")};
    CK_OBJECT_HANDLE made = 0, found[2];

    OK("create", p11->C_CreateObject(session, LIST(template), &made));
    HOLDS("by-label", find(session, LIST(by_label), found, COUNT(found)) == 1 && found[0] == made);
    HOLDS("by-subject", find(session, LIST(by_subject), found, COUNT(found)) == 1 && found[0] == made);
    OK("value", value_of(session, made, CKA_VALUE, &read));
    HOLDS("value-is-the-certificate", same(&read, value.at, value.length));
    OK("check-value", value_of(session, made, CKA_CHECK_VALUE, &read));
    HOLDS("check-value-of-three-bytes", read.length == 3);
    OK("issuer", value_of(session, made, CKA_ISSUER, &read));
    HOLDS("issuer-is-empty-unless-given", read.length == 0);
    GIVES(CKR_TEMPLATE_INCOMPLETE, "without-a-value", p11->C_CreateObject(session, template, 3, &found[0]));
    GIVES(CKR_ATTRIBUTE_VALUE_INVALID, "not-of-the-session", p11->C_CreateObject(session, LIST(of_the_session), &found[0]));

    OK("logout", p11->C_Logout(session));
    HOLDS("found-without-a-login", find(session, LIST(by_subject), found, COUNT(found)) == 1);
    OK("login-again", login(session));
    HOLDS("found-again", find(session, LIST(by_subject), &made, 1) == 1);
    OK("rename", p11->C_SetAttributeValue(session, made, LIST(new_label)));
    HOLDS("not-by-the-old-label", find(session, LIST(by_label), found, COUNT(found)) == 0);
    OK("label", value_of(session, made, CKA_LABEL, &read));
    HOLDS("the-new-label", same(&read, "renamed", 7));
    OK("destroy", p11->C_DestroyObject(session, made));
    HOLDS("destroyed", find(session, LIST(by_subject), found, COUNT(found)) == 0);
    return end();
}
