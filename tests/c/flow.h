/*
 * What the programs of this folder have in common, each of which is one flow that AWS's customers have: a user logs in
 * and generates, signs, encrypts, wraps. They are C, and compiled on include/ alone, because that is what those
 * customers write.
 *
 *   PROGRAM LIBRARY PIN [fips]    PIN is `user:password` of a crypto user; fips: the HSM is in FIPS mode
 *
 * One line a check: `ok c-PROGRAM-WHAT` or `FAIL c-PROGRAM-WHAT: FILE:LINE: why`. The status is 1 if a check failed.
 */
#ifndef FLOW_H
#define FLOW_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cryptoki.h"

#include "cloudhsm_pkcs11_vendor_defs.h"

static CK_FUNCTION_LIST *p11;
static CK_SLOT_ID slot;
static const char *flow;
static char *pin;
static int fips, failures;

#define COUNT(array) (sizeof(array) / sizeof *(array))
/* A template as the functions take it: the array and its length. */
#define LIST(array) (array), COUNT(array)

/* The entries of a template. */
#define FLAG(type, value) {type, &(CK_BBOOL){value}, sizeof(CK_BBOOL)}
#define ON(type) FLAG(type, CK_TRUE)
#define OFF(type) FLAG(type, CK_FALSE)
#define NUMBER(type, value) {type, &(CK_ULONG){value}, sizeof(CK_ULONG)}
#define BYTES(type, array) {type, array, sizeof array}
#define TEXT(type, literal) {type, (void *)(literal), sizeof(literal) - 1}

/* CKA_EC_PARAMS: the curves' object identifiers (RFC 5480, RFC 8410). */
#define OID_P256 "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
#define OID_P384 "\x06\x05\x2b\x81\x04\x00\x22"
#define OID_ED25519 "\x06\x03\x2b\x65\x70"

/* ------------------------------------------------------------------------------------------------------- the checks */

static inline const char *name_of(CK_RV rv)
{
    static char number[32];
#define NAME(code) case code: return #code;
    switch (rv) {
        NAME(CKR_OK) NAME(CKR_HOST_MEMORY) NAME(CKR_SLOT_ID_INVALID) NAME(CKR_GENERAL_ERROR) NAME(CKR_FUNCTION_FAILED)
        NAME(CKR_ARGUMENTS_BAD) NAME(CKR_ACTION_PROHIBITED) NAME(CKR_ATTRIBUTE_READ_ONLY) NAME(CKR_ATTRIBUTE_SENSITIVE)
        NAME(CKR_ATTRIBUTE_TYPE_INVALID) NAME(CKR_ATTRIBUTE_VALUE_INVALID) NAME(CKR_DATA_INVALID)
        NAME(CKR_DATA_LEN_RANGE) NAME(CKR_DEVICE_ERROR) NAME(CKR_DEVICE_MEMORY) NAME(CKR_ENCRYPTED_DATA_INVALID)
        NAME(CKR_ENCRYPTED_DATA_LEN_RANGE) NAME(CKR_FUNCTION_NOT_SUPPORTED) NAME(CKR_KEY_HANDLE_INVALID)
        NAME(CKR_KEY_SIZE_RANGE) NAME(CKR_KEY_TYPE_INCONSISTENT) NAME(CKR_KEY_FUNCTION_NOT_PERMITTED)
        NAME(CKR_KEY_NOT_WRAPPABLE) NAME(CKR_KEY_UNEXTRACTABLE) NAME(CKR_MECHANISM_INVALID)
        NAME(CKR_MECHANISM_PARAM_INVALID) NAME(CKR_OBJECT_HANDLE_INVALID) NAME(CKR_OPERATION_ACTIVE)
        NAME(CKR_OPERATION_NOT_INITIALIZED) NAME(CKR_PIN_INCORRECT) NAME(CKR_PIN_LOCKED) NAME(CKR_SESSION_CLOSED)
        NAME(CKR_SESSION_HANDLE_INVALID) NAME(CKR_SESSION_READ_ONLY) NAME(CKR_SIGNATURE_INVALID)
        NAME(CKR_SIGNATURE_LEN_RANGE) NAME(CKR_TEMPLATE_INCOMPLETE) NAME(CKR_TEMPLATE_INCONSISTENT)
        NAME(CKR_UNWRAPPING_KEY_HANDLE_INVALID) NAME(CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT)
        NAME(CKR_USER_ALREADY_LOGGED_IN) NAME(CKR_USER_NOT_LOGGED_IN) NAME(CKR_USER_PIN_NOT_INITIALIZED)
        NAME(CKR_USER_TYPE_INVALID) NAME(CKR_WRAPPED_KEY_INVALID) NAME(CKR_WRAPPED_KEY_LEN_RANGE)
        NAME(CKR_WRAPPING_KEY_HANDLE_INVALID) NAME(CKR_WRAPPING_KEY_TYPE_INCONSISTENT) NAME(CKR_BUFFER_TOO_SMALL)
        NAME(CKR_CRYPTOKI_NOT_INITIALIZED) NAME(CKR_CRYPTOKI_ALREADY_INITIALIZED) NAME(CKR_CURVE_NOT_SUPPORTED)
    }
#undef NAME
    snprintf(number, sizeof number, "0x%lx", rv);
    return number;
}

static inline int held(const char *file, int line, const char *what, int holds, const char *condition)
{
    if (holds) {
        printf("ok c-%s-%s\n", flow, what);
        return 1;
    }
    failures++;
    printf("FAIL c-%s-%s: %s:%d: not so: %s\n", flow, what, file, line, condition);
    return 0;
}

static inline int answered(const char *file, int line, const char *what, CK_RV got, CK_RV wanted, int go_on)
{
    if (got == wanted) {
        printf("ok c-%s-%s\n", flow, what);
        return 1;
    }
    failures++;
    printf("FAIL c-%s-%s: %s:%d: %s, ", flow, what, file, line, name_of(got));
    printf("wanted %s\n", name_of(wanted));
    if (!go_on)
        exit(1);
    return 0;
}

static inline int denied(const char *file, int line, const char *what, CK_RV got, const char *call)
{
    return got == CKR_OK ? held(file, line, what, 0, call) : held(file, line, what, 1, call);
}

/* The call succeeds; what comes after it needs that, so that a failure ends the program. */
#define OK(what, call) answered(__FILE__, __LINE__, what, call, CKR_OK, 0)
/* The call answers this code. */
#define GIVES(wanted, what, call) answered(__FILE__, __LINE__, what, call, wanted, 1)
/* The call fails; AWS's text says so, without a code. */
#define REFUSED(what, call) denied(__FILE__, __LINE__, what, call, "refused: " #call)
#define HOLDS(what, condition) held(__FILE__, __LINE__, what, condition, #condition)

/* ------------------------------------------------------------------------------------------------ beginning and end */

/* Loads and initializes the library. */
static inline void start(int argc, char **argv)
{
    CK_C_INITIALIZE_ARGS arguments;
    CK_C_GetFunctionList get;
    CK_ULONG count = 1;
    void *library;

    if (argc < 3 || argc > 4 || (argc == 4 && strcmp(argv[3], "fips"))) {
        fprintf(stderr, "usage: %s LIBRARY PIN [fips]\n", argv[0]);
        exit(2);
    }
    flow = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    pin = argv[2];
    fips = argc == 4;
    setvbuf(stdout, NULL, _IOLBF, 0);
    library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
    if (!library) {
        printf("FAIL c-%s-load: %s\n", flow, dlerror());
        exit(1);
    }
    *(void **)&get = dlsym(library, "C_GetFunctionList");
    if (!get) {
        printf("FAIL c-%s-load: there is no C_GetFunctionList\n", flow);
        exit(1);
    }
    OK("function-list", get(&p11));
    memset(&arguments, 0, sizeof arguments);
    arguments.flags = CKF_OS_LOCKING_OK;
    OK("initialize", p11->C_Initialize(&arguments));
    OK("slot", p11->C_GetSlotList(CK_TRUE, &slot, &count));
}

static inline CK_SESSION_HANDLE open_session(void)
{
    CK_SESSION_HANDLE session = 0;
    OK("open-session", p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session));
    return session;
}

static inline CK_RV login(CK_SESSION_HANDLE session)
{
    return p11->C_Login(session, CKU_USER, (CK_UTF8CHAR *)pin, strlen(pin));
}

/* The library with a session of the user, who is logged in. */
static inline CK_SESSION_HANDLE begin(int argc, char **argv)
{
    CK_SESSION_HANDLE session;
    start(argc, argv);
    session = open_session();
    OK("login", login(session));
    return session;
}

static inline int end(void)
{
    OK("finalize", p11->C_Finalize(NULL));
    return failures != 0;
}

/* ----------------------------------------------------------------------------------------------------- calls in one */

struct bytes {
    CK_BYTE at[8192];
    CK_ULONG length;
};

static inline int same(const struct bytes *bytes, const void *wanted, size_t length)
{
    return bytes->length == length && !memcmp(bytes->at, wanted, length);
}

static inline struct bytes from_hex(const char *digits)
{
    struct bytes made;
    unsigned byte;
    for (made.length = 0; sscanf(digits + 2 * made.length, "%2x", &byte) == 1; made.length++)
        made.at[made.length] = (CK_BYTE)byte;
    return made;
}

static inline CK_RV encrypt(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, const void *data,
                            CK_ULONG length, struct bytes *out)
{
    CK_RV rv = p11->C_EncryptInit(session, mechanism, key);
    out->length = sizeof out->at;
    return rv != CKR_OK ? rv : p11->C_Encrypt(session, (CK_BYTE *)data, length, out->at, &out->length);
}

static inline CK_RV decrypt(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                            const struct bytes *in, struct bytes *out)
{
    CK_RV rv = p11->C_DecryptInit(session, mechanism, key);
    out->length = sizeof out->at;
    return rv != CKR_OK ? rv : p11->C_Decrypt(session, (CK_BYTE *)in->at, in->length, out->at, &out->length);
}

static inline CK_RV sign(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, const void *data,
                         CK_ULONG length, struct bytes *out)
{
    CK_RV rv = p11->C_SignInit(session, mechanism, key);
    out->length = sizeof out->at;
    return rv != CKR_OK ? rv : p11->C_Sign(session, (CK_BYTE *)data, length, out->at, &out->length);
}

static inline CK_RV verify(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, const void *data,
                           CK_ULONG length, const struct bytes *signature)
{
    CK_RV rv = p11->C_VerifyInit(session, mechanism, key);
    return rv != CKR_OK
               ? rv
               : p11->C_Verify(session, (CK_BYTE *)data, length, (CK_BYTE *)signature->at, signature->length);
}

static inline CK_RV wrap(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE with, CK_OBJECT_HANDLE key,
                         struct bytes *out)
{
    out->length = sizeof out->at;
    return p11->C_WrapKey(session, mechanism, with, key, out->at, &out->length);
}

static inline CK_RV unwrap(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE with,
                           const struct bytes *wrapped, CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *key)
{
    return p11->C_UnwrapKey(session, mechanism, with, (CK_BYTE *)wrapped->at, wrapped->length, template, count, key);
}

static inline CK_RV value_of(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, struct bytes *out)
{
    CK_ATTRIBUTE attribute = {type, out->at, sizeof out->at};
    CK_RV rv = p11->C_GetAttributeValue(session, object, &attribute, 1);
    out->length = attribute.ulValueLen;
    return rv;
}

/* The objects that match, until none is left; the first handles into `found`. */
static inline CK_ULONG find(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *found,
                            CK_ULONG room)
{
    CK_OBJECT_HANDLE some[2];
    CK_ULONG n = 0, all = 0;
    if (p11->C_FindObjectsInit(session, template, count) != CKR_OK)
        return CK_UNAVAILABLE_INFORMATION;
    while (p11->C_FindObjects(session, some, COUNT(some), &n) == CKR_OK && n > 0)
        for (CK_ULONG i = 0; i < n; i++, all++)
            if (all < room)
                found[all] = some[i];
    return p11->C_FindObjectsFinal(session) == CKR_OK ? all : CK_UNAVAILABLE_INFORMATION;
}

/* An AES key of the session that is there to be used: by AES-GCM, and under a wrapping key. */
static inline CK_OBJECT_HANDLE aes_key(CK_SESSION_HANDLE session, const char *what)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ATTRIBUTE template[] = {NUMBER(CKA_VALUE_LEN, 32), OFF(CKA_TOKEN), ON(CKA_ENCRYPT), ON(CKA_DECRYPT), ON(CKA_EXTRACTABLE)};
    CK_OBJECT_HANDLE key = 0;
    OK(what, p11->C_GenerateKey(session, &mechanism, LIST(template), &key));
    return key;
}

/* An RSA pair of 2,048 bits for signatures, of the session. */
static inline void rsa_pair(CK_SESSION_HANDLE session, const char *what, CK_OBJECT_HANDLE *public, CK_OBJECT_HANDLE *private)
{
    CK_MECHANISM mechanism = {CKM_RSA_X9_31_KEY_PAIR_GEN, NULL, 0};
    CK_ATTRIBUTE public_template[] = {NUMBER(CKA_MODULUS_BITS, 2048), TEXT(CKA_PUBLIC_EXPONENT, "\1\0\1"), ON(CKA_VERIFY)};
    CK_ATTRIBUTE private_template[] = {ON(CKA_SIGN), ON(CKA_EXTRACTABLE)};
    OK(what, p11->C_GenerateKeyPair(session, &mechanism, LIST(public_template), LIST(private_template), public, private));
}

/* Whether two keys are one AES key: what the one seals with AES-GCM, the other opens. */
static inline int agree(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE one, CK_OBJECT_HANDLE other)
{
    static const char text[] = "from one party to the other";
    CK_BYTE iv[12] = {0};
    CK_GCM_PARAMS parameters = {iv, sizeof iv, 0, NULL, 0, 128};
    CK_MECHANISM mechanism = {CKM_AES_GCM, &parameters, sizeof parameters};
    struct bytes sealed, opened;
    return encrypt(session, &mechanism, one, text, sizeof text, &sealed) == CKR_OK &&
           decrypt(session, &mechanism, other, &sealed, &opened) == CKR_OK && same(&opened, text, sizeof text);
}

/* Whether a private key is the other half of a public RSA key. */
static inline int rsa_halves(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE public, CK_OBJECT_HANDLE private)
{
    static const char text[] = "signed by the one half";
    CK_MECHANISM mechanism = {CKM_SHA256_RSA_PKCS, NULL, 0};
    struct bytes signature;
    return sign(session, &mechanism, private, text, sizeof text, &signature) == CKR_OK &&
           verify(session, &mechanism, public, text, sizeof text, &signature) == CKR_OK;
}

#endif
