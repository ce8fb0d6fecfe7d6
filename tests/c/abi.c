/*
 * The C boundary as a C program meets it: sizes, offsets and numbers at compile time, then the library through its
 * function list.
 *
 *   abi LIBRARY        on a machine without an HSM: it is unactivated, and says so
 *   abi LIBRARY PIN    as the crypto user `user:password` of an activated HSM
 *
 * CLOUDHSM_PKCS11_HOME says where the HSM is. One line a check: `ok NAME` or `FAIL NAME: why`.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cryptoki.h"

#include "cloudhsm_pkcs11_vendor_defs.h"
#include "functions.h"

/* ------------------------------------------------------------------------------------------------ layout and numbers */

#define SAME(what, value) _Static_assert((what) == (value), #what)
#define SIZE(type, size) _Static_assert(sizeof(type) == (size), "sizeof " #type)
#define AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field)

/* Linux: natural alignment, CK_ULONG of 8 bytes. (The packed structures of the standard are Windows's.) */
SIZE(CK_ULONG, 8);
SIZE(CK_BBOOL, 1);
SIZE(CK_VERSION, 2);
SIZE(CK_ATTRIBUTE, 24);
AT(CK_ATTRIBUTE, type, 0);
AT(CK_ATTRIBUTE, pValue, 8);
AT(CK_ATTRIBUTE, ulValueLen, 16);
SIZE(CK_MECHANISM, 24);
AT(CK_MECHANISM, mechanism, 0);
AT(CK_MECHANISM, pParameter, 8);
AT(CK_MECHANISM, ulParameterLen, 16);
SIZE(CK_MECHANISM_INFO, 24);
AT(CK_MECHANISM_INFO, flags, 16);
SIZE(CK_INFO, 88);
AT(CK_INFO, manufacturerID, 2);
AT(CK_INFO, flags, 40);
AT(CK_INFO, libraryDescription, 48);
AT(CK_INFO, libraryVersion, 80);
SIZE(CK_SLOT_INFO, 112);
AT(CK_SLOT_INFO, manufacturerID, 64);
AT(CK_SLOT_INFO, flags, 96);
AT(CK_SLOT_INFO, hardwareVersion, 104);
AT(CK_SLOT_INFO, firmwareVersion, 106);
SIZE(CK_TOKEN_INFO, 208);
AT(CK_TOKEN_INFO, manufacturerID, 32);
AT(CK_TOKEN_INFO, model, 64);
AT(CK_TOKEN_INFO, serialNumber, 80);
AT(CK_TOKEN_INFO, flags, 96);
AT(CK_TOKEN_INFO, ulMaxSessionCount, 104);
AT(CK_TOKEN_INFO, ulMaxPinLen, 136);
AT(CK_TOKEN_INFO, ulFreePrivateMemory, 176);
AT(CK_TOKEN_INFO, hardwareVersion, 184);
AT(CK_TOKEN_INFO, utcTime, 188);
SIZE(CK_SESSION_INFO, 32);
AT(CK_SESSION_INFO, ulDeviceError, 24);
SIZE(CK_C_INITIALIZE_ARGS, 48);
AT(CK_C_INITIALIZE_ARGS, flags, 32);
AT(CK_C_INITIALIZE_ARGS, pReserved, 40);
SIZE(CK_GCM_PARAMS, 48);
AT(CK_GCM_PARAMS, pIv, 0);
AT(CK_GCM_PARAMS, ulIvLen, 8);
AT(CK_GCM_PARAMS, ulIvBits, 16);
AT(CK_GCM_PARAMS, pAAD, 24);
AT(CK_GCM_PARAMS, ulAADLen, 32);
AT(CK_GCM_PARAMS, ulTagBits, 40);
SIZE(CK_AES_CTR_PARAMS, 24);
AT(CK_AES_CTR_PARAMS, cb, 8);
SIZE(CK_RSA_PKCS_OAEP_PARAMS, 40);
AT(CK_RSA_PKCS_OAEP_PARAMS, pSourceData, 24);
SIZE(CK_RSA_PKCS_PSS_PARAMS, 24);
AT(CK_RSA_PKCS_PSS_PARAMS, sLen, 16);
SIZE(CK_ECDH1_DERIVE_PARAMS, 40);
AT(CK_ECDH1_DERIVE_PARAMS, pPublicData, 32);
SIZE(CK_EDDSA_PARAMS, 24);
AT(CK_EDDSA_PARAMS, ulContextDataLen, 8);
SIZE(CK_RSA_AES_KEY_WRAP_PARAMS, 16);
SIZE(CK_PRF_DATA_PARAM, 24);
SIZE(CK_SP800_108_COUNTER_FORMAT, 8);
SIZE(CK_SP800_108_DKM_LENGTH_FORMAT, 16);
SIZE(CK_SP800_108_KDF_PARAMS, 24);
AT(CK_SP800_108_KDF_PARAMS, pDataParams, 16);
SIZE(CK_DATE, 8);
SIZE(CK_INTERFACE, 24);
AT(CK_INTERFACE, pFunctionList, 8);
AT(CK_INTERFACE, flags, 16);
SIZE(CK_FUNCTION_LIST, 8 + 68 * 8);
SIZE(CK_FUNCTION_LIST_3_0, 8 + 92 * 8);
SIZE(CK_FUNCTION_LIST_3_2, 8 + 104 * 8);

/* Each function stands at its place in every list that has it. */
enum {
#define PLACE(name) PLACE_##name,
    FUNCTIONS_2_40(PLACE) FUNCTIONS_3_0(PLACE) FUNCTIONS_3_2(PLACE) PLACES
};
#define IN_2_40(name) AT(CK_FUNCTION_LIST, name, 8 + 8 * PLACE_##name);
#define IN_3_0(name) AT(CK_FUNCTION_LIST_3_0, name, 8 + 8 * PLACE_##name);
#define IN_3_2(name) AT(CK_FUNCTION_LIST_3_2, name, 8 + 8 * PLACE_##name);
FUNCTIONS_2_40(IN_2_40)
FUNCTIONS_2_40(IN_3_0) FUNCTIONS_3_0(IN_3_0)
FUNCTIONS_2_40(IN_3_2) FUNCTIONS_3_0(IN_3_2) FUNCTIONS_3_2(IN_3_2)
SAME(PLACES, 104);

SAME(CKU_SO, 0);
SAME(CKU_USER, 1);
SAME(CKO_SECRET_KEY, 4);
SAME(CKK_AES, 0x1F);
SAME(CKK_EC, 3);
SAME(CKA_TOKEN, 1);
SAME(CKA_PRIVATE, 2);
SAME(CKA_LABEL, 3);
SAME(CKA_VALUE, 0x11);
SAME(CKA_ID, 0x102);
SAME(CKA_VALUE_LEN, 0x161);
SAME(CKA_EXTRACTABLE, 0x162);
SAME(CKA_EC_PARAMS, 0x180);
SAME(CKA_EC_POINT, 0x181);
SAME(CKM_RSA_PKCS, 1);
SAME(CKM_SHA256, 0x250);
SAME(CKM_SHA256_HMAC, 0x251);
SAME(CKM_EC_KEY_PAIR_GEN, 0x1040);
SAME(CKM_ECDSA, 0x1041);
SAME(CKM_ECDSA_SHA256, 0x1044);
SAME(CKM_AES_KEY_GEN, 0x1080);
SAME(CKM_AES_GCM, 0x1087);
SAME(CKM_AES_KEY_WRAP, 0x2109);
SAME(CKM_AES_KEY_WRAP_PAD, 0x210A);
SAME(CKM_CLOUDHSM_AES_GCM, 0x80001087UL);
SAME(CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD, 0x80002109UL);
SAME(CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD, 0x8000210AUL);
SAME(CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD, 0x8000216FUL);
SAME(CKM_SP800_108_COUNTER_KDF, 0x80000001UL);
SAME(CKR_USER_ALREADY_LOGGED_IN, 0x100);
SAME(CKR_USER_NOT_LOGGED_IN, 0x101);
SAME(CKR_USER_PIN_NOT_INITIALIZED, 0x102);
SAME(CKR_BUFFER_TOO_SMALL, 0x150);
SAME(CKR_CRYPTOKI_NOT_INITIALIZED, 0x190);

/* ------------------------------------------------------------------------------------------------------ the checks */

static CK_FUNCTION_LIST *p11;
static int failures;

static int check(const char *name, int good, const char *format, ...)
{
    va_list arguments;
    if (good) {
        printf("ok c-%s\n", name);
        return 1;
    }
    failures++;
    printf("FAIL c-%s: ", name);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    return 0;
}

static int returns(const char *name, CK_RV got, CK_RV wanted)
{
    return check(name, got == wanted, "0x%lx, wanted 0x%lx", got, wanted);
}

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

/* Space-padded text of a structure. */
static int padded(const CK_UTF8CHAR *text, size_t size, const char *wanted)
{
    size_t length = strlen(wanted);
    if (length > size || memcmp(text, wanted, length))
        return 0;
    for (; length < size; length++)
        if (text[length] != ' ')
            return 0;
    return 1;
}

static void symbols(void *library)
{
    static const char *const names[] = {
#define NAME(name) #name,
        FUNCTIONS_2_40(NAME) FUNCTIONS_3_0(NAME) FUNCTIONS_3_2(NAME)};
    const char *missing = NULL;
    for (size_t i = 0; i < COUNT(names); i++)
        if (!dlsym(library, names[i]))
            missing = names[i];
    check("every-function-is-a-symbol", !missing, "no %s", missing ? missing : "");
}

/* The entries of a function list, which begins with a version in a word of its own. */
static int is_full(const void *list, size_t count)
{
    void *const *entries = (void *const *)list + 1;
    for (size_t i = 0; i < count; i++)
        if (!entries[i])
            return 0;
    return 1;
}

static void interfaces(void *library)
{
    CK_C_GetInterfaceList get_list;
    CK_C_GetInterface get;
    CK_INTERFACE all[8], *one = NULL;
    CK_ULONG count = 0, small = 0;
    CK_VERSION version = {3, 0}, absent = {9, 9};
    int seen_2_40 = 0, seen_3_0 = 0, seen_3_2 = 0;

    *(void **)&get_list = dlsym(library, "C_GetInterfaceList");
    *(void **)&get = dlsym(library, "C_GetInterface");
    if (!check("interface-symbols", get_list && get, "missing"))
        return;
    returns("interface-list-counts", get_list(NULL, &count), CKR_OK);
    returns("interface-list-short", get_list(all, &small), CKR_BUFFER_TOO_SMALL);
    check("interface-count", count >= 3 && count <= COUNT(all), "%lu interfaces", count);
    count = COUNT(all);
    if (!returns("interface-list", get_list(all, &count), CKR_OK))
        return;
    for (CK_ULONG i = 0; i < count; i++) {
        const CK_VERSION *v = all[i].pFunctionList;
        if (strcmp((const char *)all[i].pInterfaceName, "PKCS 11"))
            continue;
        seen_2_40 |= v->major == 2 && v->minor == 40 && is_full(v, 68);
        seen_3_0 |= v->major == 3 && v->minor == 0 && is_full(v, 92);
        seen_3_2 |= v->major == 3 && v->minor == 2 && is_full(v, 104);
    }
    check("interface-2.40-3.0-3.2", seen_2_40 && seen_3_0 && seen_3_2, "found %d %d %d", seen_2_40, seen_3_0, seen_3_2);
    returns("interface-default", get(NULL, NULL, &one, 0), CKR_OK);
    check("interface-default-name", one && !strcmp((const char *)one->pInterfaceName, "PKCS 11"), "another name");
    one = NULL;
    returns("interface-3.0", get((CK_UTF8CHAR *)"PKCS 11", &version, &one, 0), CKR_OK);
    check("interface-3.0-version", one && ((CK_VERSION *)one->pFunctionList)->major == 3 &&
          ((CK_VERSION *)one->pFunctionList)->minor == 0, "another version");
    check("interface-9.9", get((CK_UTF8CHAR *)"PKCS 11", &absent, &one, 0) != CKR_OK, "there is none");
    check("interface-name", get((CK_UTF8CHAR *)"Vendor none", NULL, &one, 0) != CKR_OK, "there is none");
}

static int start(CK_SLOT_ID *slot, CK_SESSION_HANDLE *session)
{
    CK_C_INITIALIZE_ARGS args;
    CK_INFO info;
    CK_TOKEN_INFO token;
    CK_ULONG count = 0;

    returns("before-initialize", p11->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
    memset(&args, 0, sizeof args);
    args.flags = CKF_OS_LOCKING_OK;
    if (!returns("initialize", p11->C_Initialize(&args), CKR_OK))
        return 0;
    returns("initialize-twice", p11->C_Initialize(&args), CKR_CRYPTOKI_ALREADY_INITIALIZED);
    returns("info", p11->C_GetInfo(&info), CKR_OK);
    check("info-version", info.cryptokiVersion.major == 2 && info.cryptokiVersion.minor == 40, "%d.%d",
          info.cryptokiVersion.major, info.cryptokiVersion.minor);
    check("info-manufacturer", padded(info.manufacturerID, sizeof info.manufacturerID, "CloudHSM"), "%.32s",
          (const char *)info.manufacturerID);
    check("info-description", padded(info.libraryDescription, sizeof info.libraryDescription, "CloudHSM PKCS#11"),
          "%.32s", (const char *)info.libraryDescription);
    returns("slot-count", p11->C_GetSlotList(CK_TRUE, NULL, &count), CKR_OK);
    check("one-slot", count == 1, "%lu slots", count);
    count = 1;
    if (!returns("slot-list", p11->C_GetSlotList(CK_TRUE, slot, &count), CKR_OK))
        return 0;
    check("slot-id", *slot == 0x2000000000000001UL, "0x%lx", *slot);
    returns("token-info", p11->C_GetTokenInfo(*slot, &token), CKR_OK);
    check("token-label", padded(token.label, sizeof token.label, "hsm1"), "%.32s", (const char *)token.label);
    return returns("open-session",
                   p11->C_OpenSession(*slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, session), CKR_OK);
}

static void unactivated(void)
{
    CK_SLOT_ID slot = 0;
    CK_SESSION_HANDLE session = 0;
    CK_TOKEN_INFO token;
    CK_UTF8CHAR pin[] = "example_user:password1";

    if (start(&slot, &session)) {
        memset(&token, 0, sizeof token);
        p11->C_GetTokenInfo(slot, &token);
        check("unactivated-flags", !(token.flags & CKF_USER_PIN_INITIALIZED), "0x%lx", token.flags);
        returns("unactivated-login", p11->C_Login(session, CKU_USER, pin, sizeof pin - 1), CKR_USER_PIN_NOT_INITIALIZED);
    }
    returns("finalize", p11->C_Finalize(NULL), CKR_OK);
}

static void digest(CK_SESSION_HANDLE session)
{
    static const CK_BYTE wanted[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                     0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                     0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    CK_MECHANISM mechanism = {CKM_SHA256, NULL, 0};
    CK_BYTE data[] = "abc", hash[40];
    CK_ULONG length = 0;

    returns("digest-init", p11->C_DigestInit(session, &mechanism), CKR_OK);
    returns("digest-length", p11->C_Digest(session, data, 3, NULL, &length), CKR_OK);
    check("digest-length-32", length == 32, "%lu", length);
    length = 31;
    returns("digest-short-buffer", p11->C_Digest(session, data, 3, hash, &length), CKR_BUFFER_TOO_SMALL);
    check("digest-short-says-32", length == 32, "%lu", length);
    length = sizeof hash;
    returns("digest", p11->C_Digest(session, data, 3, hash, &length), CKR_OK);
    check("digest-known-answer", length == 32 && !memcmp(hash, wanted, 32), "another hash");
    returns("digest-ended", p11->C_Digest(session, data, 3, hash, &length), CKR_OPERATION_NOT_INITIALIZED);
}

static void gcm(CK_SESSION_HANDLE session)
{
    CK_ULONG size = 32, length = 0, plain_length;
    CK_MECHANISM generate = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ATTRIBUTE template[] = {
        {CKA_TOKEN, &no, sizeof no},      {CKA_VALUE_LEN, &size, sizeof size}, {CKA_ENCRYPT, &yes, sizeof yes},
        {CKA_DECRYPT, &yes, sizeof yes},  {CKA_SENSITIVE, &yes, sizeof yes},   {CKA_EXTRACTABLE, &yes, sizeof yes},
        {CKA_LABEL, (void *)"c-test aes", 10},
    };
    CK_BYTE iv[12], zero[12], text[] = "twenty-one bytes long", aad[] = "aad", sealed[64], plain[64];
    CK_GCM_PARAMS params = {iv, sizeof iv, 0, aad, sizeof aad - 1, 128};
    CK_MECHANISM mechanism = {CKM_AES_GCM, &params, sizeof params};
    CK_OBJECT_HANDLE key = 0;

    memset(iv, 0, sizeof iv);
    memset(zero, 0, sizeof zero);
    if (!returns("aes-generate", p11->C_GenerateKey(session, &generate, template, COUNT(template), &key), CKR_OK))
        return;

    returns("gcm-encrypt-init", p11->C_EncryptInit(session, &mechanism, key), CKR_OK);
    check("gcm-iv-written-back", memcmp(iv, zero, sizeof iv) != 0, "the buffer is still zero");
    returns("gcm-length", p11->C_Encrypt(session, text, 21, NULL, &length), CKR_OK);
    check("gcm-length-37", length == 21 + 16, "%lu", length);
    length = sizeof sealed;
    returns("gcm-encrypt", p11->C_Encrypt(session, text, 21, sealed, &length), CKR_OK);
    returns("gcm-decrypt-init", p11->C_DecryptInit(session, &mechanism, key), CKR_OK);
    plain_length = sizeof plain;
    returns("gcm-decrypt", p11->C_Decrypt(session, sealed, length, plain, &plain_length), CKR_OK);
    check("gcm-round-trip", plain_length == 21 && !memcmp(plain, text, 21), "another text");
    sealed[0] ^= 1;
    returns("gcm-decrypt-init-2", p11->C_DecryptInit(session, &mechanism, key), CKR_OK);
    plain_length = sizeof plain;
    returns("gcm-tampered", p11->C_Decrypt(session, sealed, length, plain, &plain_length), CKR_ENCRYPTED_DATA_INVALID);
    returns("gcm-iv-of-the-caller", p11->C_EncryptInit(session, &mechanism, key), CKR_MECHANISM_PARAM_INVALID);

    mechanism.mechanism = CKM_CLOUDHSM_AES_GCM;
    params.pIv = NULL;
    params.ulIvLen = 0;
    returns("cloudhsm-gcm-encrypt-init", p11->C_EncryptInit(session, &mechanism, key), CKR_OK);
    length = sizeof sealed;
    returns("cloudhsm-gcm-encrypt", p11->C_Encrypt(session, text, 21, sealed, &length), CKR_OK);
    check("cloudhsm-gcm-length", length == 12 + 21 + 16, "%lu", length);
    returns("cloudhsm-gcm-decrypt-init", p11->C_DecryptInit(session, &mechanism, key), CKR_OK);
    plain_length = sizeof plain;
    returns("cloudhsm-gcm-decrypt", p11->C_Decrypt(session, sealed, length, plain, &plain_length), CKR_OK);
    check("cloudhsm-gcm-round-trip", plain_length == 21 && !memcmp(plain, text, 21), "another text");
    returns("aes-destroy", p11->C_DestroyObject(session, key), CKR_OK);
}

static CK_ULONG found(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG n, CK_OBJECT_HANDLE *first)
{
    CK_OBJECT_HANDLE handles[8];
    CK_ULONG count = 0;
    if (p11->C_FindObjectsInit(session, template, n) != CKR_OK)
        return 99;
    if (p11->C_FindObjects(session, handles, COUNT(handles), &count) != CKR_OK)
        count = 98;
    p11->C_FindObjectsFinal(session);
    if (count >= 1 && count <= COUNT(handles))
        *first = handles[0];
    return count;
}

static void ecdsa(CK_SESSION_HANDLE session)
{
    static CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    static const char label[] = "c-test ec";
    CK_BYTE id[] = {0xc0, 0x01}, data[] = "data to sign", signature[80], point[80], value[80];
    CK_ULONG length = 0;
    CK_OBJECT_CLASS private_class = CKO_PRIVATE_KEY;
    CK_MECHANISM generate = {CKM_EC_KEY_PAIR_GEN, NULL, 0}, mechanism = {CKM_ECDSA_SHA256, NULL, 0};
    CK_ATTRIBUTE public_template[] = {
        {CKA_TOKEN, &yes, sizeof yes},           {CKA_VERIFY, &yes, sizeof yes}, {CKA_EC_PARAMS, p256, sizeof p256},
        {CKA_LABEL, (void *)label, strlen(label)}, {CKA_ID, id, sizeof id},
    };
    CK_ATTRIBUTE private_template[] = {
        {CKA_TOKEN, &yes, sizeof yes},
        {CKA_SIGN, &yes, sizeof yes},
        {CKA_LABEL, (void *)label, strlen(label)},
        {CKA_ID, id, sizeof id},
    };
    CK_ATTRIBUTE find[] = {{CKA_CLASS, &private_class, sizeof private_class}, {CKA_LABEL, (void *)label, strlen(label)}};
    CK_ATTRIBUTE get_point = {CKA_EC_POINT, point, sizeof point}, get_value = {CKA_VALUE, value, sizeof value};
    CK_OBJECT_HANDLE public = 0, private = 0, hit = 0;

    if (!returns("ec-generate",
                 p11->C_GenerateKeyPair(session, &generate, public_template, COUNT(public_template), private_template,
                                        COUNT(private_template), &public, &private),
                 CKR_OK))
        return;
    returns("ecdsa-sign-init", p11->C_SignInit(session, &mechanism, private), CKR_OK);
    returns("ecdsa-length", p11->C_Sign(session, data, sizeof data, NULL, &length), CKR_OK);
    check("ecdsa-length-64", length == 64, "%lu", length);
    length = sizeof signature;
    returns("ecdsa-sign", p11->C_Sign(session, data, sizeof data, signature, &length), CKR_OK);
    returns("ecdsa-verify-init", p11->C_VerifyInit(session, &mechanism, public), CKR_OK);
    returns("ecdsa-verify", p11->C_Verify(session, data, sizeof data, signature, length), CKR_OK);
    signature[40] ^= 1;
    returns("ecdsa-verify-init-2", p11->C_VerifyInit(session, &mechanism, public), CKR_OK);
    returns("ecdsa-tampered", p11->C_Verify(session, data, sizeof data, signature, length), CKR_SIGNATURE_INVALID);
    check("ecdsa-sign-with-public", p11->C_SignInit(session, &mechanism, public) != CKR_OK, "a public key signs");

    returns("ec-point", p11->C_GetAttributeValue(session, public, &get_point, 1), CKR_OK);
    check("ec-point-is-der", get_point.ulValueLen == 67 && point[0] == 4 && point[1] == 65 && point[2] == 4,
          "%lu bytes, %02x %02x %02x", get_point.ulValueLen, point[0], point[1], point[2]);
    returns("ec-value-is-sensitive", p11->C_GetAttributeValue(session, private, &get_value, 1), CKR_ATTRIBUTE_SENSITIVE);
    check("ec-value-length", get_value.ulValueLen == CK_UNAVAILABLE_INFORMATION, "%lu", get_value.ulValueLen);

    check("find-by-label", found(session, find, COUNT(find), &hit) == 1 && hit == private, "not this key alone");
    returns("find-init", p11->C_FindObjectsInit(session, find, COUNT(find)), CKR_OK);
    length = 99;
    returns("find-null-array", p11->C_FindObjects(session, NULL, 0, &length), CKR_OK);
    returns("find-after-null", p11->C_FindObjects(session, &hit, 1, &length), CKR_OK);
    check("find-null-takes-nothing", length == 1 && hit == private, "%lu found", length);
    returns("find-final", p11->C_FindObjectsFinal(session), CKR_OK);

    returns("ec-destroy-private", p11->C_DestroyObject(session, private), CKR_OK);
    returns("ec-destroy-public", p11->C_DestroyObject(session, public), CKR_OK);
    returns("ec-destroyed", p11->C_DestroyObject(session, private), CKR_OBJECT_HANDLE_INVALID);
    check("find-none", found(session, find, COUNT(find), &hit) == 0, "still found");
}

static void activated(char *pin)
{
    CK_SLOT_ID slot = 0;
    CK_SESSION_HANDLE session = 0;
    CK_SESSION_INFO info;
    CK_ULONG size = 32;
    CK_MECHANISM generate = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ATTRIBUTE template[] = {{CKA_VALUE_LEN, &size, sizeof size}};
    CK_OBJECT_HANDLE key = 0;

    if (!start(&slot, &session))
        return;
    returns("session-info", p11->C_GetSessionInfo(session, &info), CKR_OK);
    check("session-public", info.state == CKS_RW_PUBLIC_SESSION && info.slotID == slot, "state %lu", info.state);
    returns("generate-before-login", p11->C_GenerateKey(session, &generate, template, 1, &key), CKR_USER_NOT_LOGGED_IN);
    if (returns("login", p11->C_Login(session, CKU_USER, (CK_UTF8CHAR *)pin, strlen(pin)), CKR_OK)) {
        returns("login-twice", p11->C_Login(session, CKU_USER, (CK_UTF8CHAR *)pin, strlen(pin)), CKR_USER_ALREADY_LOGGED_IN);
        returns("session-info-2", p11->C_GetSessionInfo(session, &info), CKR_OK);
        check("session-user", info.state == CKS_RW_USER_FUNCTIONS, "state %lu", info.state);
        digest(session);
        gcm(session);
        ecdsa(session);
        returns("logout", p11->C_Logout(session), CKR_OK);
    }
    returns("generate-after-logout", p11->C_GenerateKey(session, &generate, template, 1, &key), CKR_USER_NOT_LOGGED_IN);
    returns("close-session", p11->C_CloseSession(session), CKR_OK);
    returns("closed-session", p11->C_GetSessionInfo(session, &info), CKR_SESSION_HANDLE_INVALID);
    returns("finalize", p11->C_Finalize(NULL), CKR_OK);
    returns("after-finalize", p11->C_GetSlotList(CK_TRUE, NULL, &size), CKR_CRYPTOKI_NOT_INITIALIZED);
}

int main(int argc, char **argv)
{
    CK_C_GetFunctionList get;
    void *library;

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s LIBRARY [PIN]\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
    if (!check("load", library != NULL, "%s", library ? "" : dlerror()))
        return 1;
    *(void **)&get = dlsym(library, "C_GetFunctionList");
    if (!check("function-list-symbol", get != NULL, "missing") || !returns("function-list", get(&p11), CKR_OK))
        return 1;
    check("function-list-version", p11->version.major == 2 && p11->version.minor == 40, "%d.%d", p11->version.major,
          p11->version.minor);
    check("function-list-full", is_full(p11, 68), "an entry is null");
    returns("function-list-null", get(NULL), CKR_ARGUMENTS_BAD);
    symbols(library);
    interfaces(library);
    if (argc == 3)
        activated(argv[2]);
    else
        unactivated();
    return failures != 0;
}
