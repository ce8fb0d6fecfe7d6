/*
 * Encryption as AWS's customers do it: AES in CBC, CTR, ECB and GCM, triple DES in ECB, in one call and in parts, with
 * length queries on every call (User Guide, pkcs11-mechanisms; PKCS#11 2.40, section 5.2).
 */
#include "flow.h"

/* NIST SP 800-38A, appendix F: the key of 256 bits, the first block. */
#define KEY "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
#define BLOCK "6bc1bee22e409f96e93d7e117393172a"

static CK_OBJECT_HANDLE key_of(CK_SESSION_HANDLE session, const char *what, CK_KEY_TYPE type, const char *digits)
{
    struct bytes value = from_hex(digits);
    CK_ATTRIBUTE template[] = {
        NUMBER(CKA_CLASS, CKO_SECRET_KEY), NUMBER(CKA_KEY_TYPE, type), {CKA_VALUE, value.at, value.length},
        ON(CKA_ENCRYPT), ON(CKA_DECRYPT),
    };
    CK_OBJECT_HANDLE key = 0;
    OK(what, p11->C_CreateObject(session, LIST(template), &key));
    return key;
}

static void known(CK_SESSION_HANDLE session, const char *what, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                  const char *plain, const char *wanted)
{
    struct bytes in = from_hex(plain), out = from_hex(wanted), made, opened;
    OK(what, encrypt(session, mechanism, key, in.at, in.length, &made));
    HOLDS("known-answer", same(&made, out.at, out.length));
    OK("decrypt", decrypt(session, mechanism, key, &made, &opened));
    HOLDS("round-trip", same(&opened, in.at, in.length));
}

typedef CK_RV (*update)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG_PTR);
typedef CK_RV (*final)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG_PTR);

/* Each part is asked for its length with a NULL buffer first, and the end too. */
static void in_parts(CK_SESSION_HANDLE session, update next, final last, const struct bytes *in, struct bytes *out)
{
    CK_ULONG length, written, part;
    int enough = 1;
    out->length = 0;
    for (CK_ULONG at = 0; at < in->length; at += part) {
        part = in->length - at < 21 ? in->length - at : 21;
        OK("part-length", next(session, (CK_BYTE *)in->at + at, part, NULL, &length));
        written = length;
        OK("part", next(session, (CK_BYTE *)in->at + at, part, out->at + out->length, &written));
        enough &= written <= length;
        out->length += written;
    }
    OK("end-length", last(session, NULL, &length));
    written = length;
    OK("end", last(session, out->at + out->length, &written));
    HOLDS("lengths-were-enough", enough && written <= length);
    out->length += written;
}

static void cbc(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    CK_BYTE iv[16];
    CK_MECHANISM mechanism = {CKM_AES_CBC, iv, sizeof iv};
    struct bytes plain, single, parts, opened;
    CK_ULONG length = 0;

    for (size_t i = 0; i < sizeof iv; i++)
        iv[i] = (CK_BYTE)i;
    known(session, "aes-cbc", &mechanism, key, BLOCK, "f58c4c04d6e5f1ba779eabfb5f7bfbd6");

    mechanism.mechanism = CKM_AES_CBC_PAD;
    for (plain.length = 0; plain.length < 100; plain.length++)
        plain.at[plain.length] = (CK_BYTE)(3 * plain.length);
    OK("aes-cbc-pad", p11->C_EncryptInit(session, &mechanism, key));
    OK("aes-cbc-pad-length", p11->C_Encrypt(session, plain.at, plain.length, NULL, &length));
    HOLDS("aes-cbc-pad-length-112", length == 112);
    single.length = length;
    OK("aes-cbc-pad-encrypt", p11->C_Encrypt(session, plain.at, plain.length, single.at, &single.length));
    OK("aes-cbc-pad-decrypt", decrypt(session, &mechanism, key, &single, &opened));
    HOLDS("aes-cbc-pad-round-trip", same(&opened, plain.at, plain.length));

    OK("aes-cbc-pad-in-parts", p11->C_EncryptInit(session, &mechanism, key));
    in_parts(session, p11->C_EncryptUpdate, p11->C_EncryptFinal, &plain, &parts);
    HOLDS("aes-cbc-pad-parts-are-the-whole", same(&parts, single.at, single.length));
    OK("aes-cbc-pad-decrypt-in-parts", p11->C_DecryptInit(session, &mechanism, key));
    in_parts(session, p11->C_DecryptUpdate, p11->C_DecryptFinal, &single, &opened);
    HOLDS("aes-cbc-pad-parts-round-trip", same(&opened, plain.at, plain.length));
}

static void ctr(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    CK_AES_CTR_PARAMS parameters = {32, {0}};
    CK_MECHANISM mechanism = {CKM_AES_CTR, &parameters, sizeof parameters};
    for (size_t i = 0; i < sizeof parameters.cb; i++)
        parameters.cb[i] = (CK_BYTE)(0xf0 + i);
    known(session, "aes-ctr", &mechanism, key, BLOCK, "601ec313775789a5b7a7f504bbf3d228");
    known(session, "aes-ctr-of-three-bytes", &mechanism, key, "6bc1be", "601ec3");
}

static void gcm(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    static const char text[] = "sealed with an IV of the HSM";
    CK_BYTE iv[12] = {0}, at_init[12], zero[12] = {0}, additional[] = {1, 2, 3};
    CK_GCM_PARAMS parameters = {iv, sizeof iv, 0, additional, sizeof additional, 128};
    CK_MECHANISM mechanism = {CKM_AES_GCM, &parameters, sizeof parameters};
    struct bytes sealed, opened;
    CK_ULONG length = 0;

    OK("aes-gcm", p11->C_EncryptInit(session, &mechanism, key));
    memcpy(at_init, iv, sizeof iv);
    HOLDS("aes-gcm-iv-is-written-at-init", memcmp(at_init, zero, sizeof iv) != 0);
    OK("aes-gcm-length", p11->C_Encrypt(session, (CK_BYTE *)text, sizeof text, NULL, &length));
    HOLDS("aes-gcm-length-with-tag", length == sizeof text + 16);
    sealed.length = length;
    OK("aes-gcm-encrypt", p11->C_Encrypt(session, (CK_BYTE *)text, sizeof text, sealed.at, &sealed.length));
    HOLDS("aes-gcm-iv-is-there-after-the-call", !memcmp(iv, at_init, sizeof iv));
    OK("aes-gcm-decrypt", decrypt(session, &mechanism, key, &sealed, &opened));
    HOLDS("aes-gcm-round-trip", same(&opened, text, sizeof text));
    additional[0] ^= 1;
    GIVES(CKR_ENCRYPTED_DATA_INVALID, "aes-gcm-other-additional-data", decrypt(session, &mechanism, key, &sealed, &opened));

    memset(iv, 0, sizeof iv);
    OK("aes-gcm-again", encrypt(session, &mechanism, key, text, sizeof text, &sealed));
    HOLDS("aes-gcm-another-iv", memcmp(iv, at_init, sizeof iv) != 0);

    /* User Guide, ki-pkcs11-sdk */
    memset(iv, 0, sizeof iv);
    OK("aes-gcm-in-parts", p11->C_EncryptInit(session, &mechanism, key));
    sealed.length = sizeof sealed.at;
    GIVES(CKR_MECHANISM_INVALID, "aes-gcm-has-no-parts",
          p11->C_EncryptUpdate(session, (CK_BYTE *)text, sizeof text, sealed.at, &sealed.length));
}

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE session = begin(argc, argv);
    CK_OBJECT_HANDLE aes = key_of(session, "aes-key", CKK_AES, KEY), des3;
    CK_MECHANISM aes_ecb = {CKM_AES_ECB, NULL, 0}, des3_ecb = {CKM_DES3_ECB, NULL, 0};
    struct bytes made;

    cbc(session, aes);
    ctr(session, aes);
    known(session, "aes-ecb", &aes_ecb, aes, BLOCK BLOCK, "f3eed1bdb5d2a03c064b5a7e3db181f8f3eed1bdb5d2a03c064b5a7e3db181f8");
    GIVES(CKR_DATA_LEN_RANGE, "aes-ecb-of-half-a-block", encrypt(session, &aes_ecb, aes, "12345678", 8, &made));
    if (!fips) { /* User Guide, compliance-dep-notif: no encryption with triple DES in FIPS mode */
        /* NIST SP 800-67, appendix B.1 */
        des3 = key_of(session, "des3-key", CKK_DES3, "0123456789abcdef23456789abcdef01456789abcdef0123");
        known(session, "des3-ecb", &des3_ecb, des3, "5468652071756663", "a826fd8ce53b855f");
    }
    gcm(session, aes);
    return end();
}
