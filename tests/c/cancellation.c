/*
 * A thread that is cancelled inside a call. POSIX lists the functions that are cancellation points (System Interfaces, 2.9.5) and
 * says that others may only be if they call one of those; a thread whose request is pending ends at the first. Here none is let
 * through: the call ends with its answer, the thread ends after it, and what it held is free for the others.
 *
 * The request is made before the call, in the thread itself, so that every cancellation point on the way is tried.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <unistd.h>

#include "flow.h"

static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE token_key, token_private, token_public, wrapping;

static CK_RV again(void)
{
    CK_RV rv = p11->C_Finalize(NULL);
    if (rv == CKR_OK)
        rv = p11->C_Initialize(NULL);
    if (rv == CKR_OK)
        rv = p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session);
    return rv != CKR_OK ? rv : login(session);
}

static CK_RV relogin(void)
{
    CK_RV rv = p11->C_Logout(session);
    return rv != CKR_OK ? rv : login(session);
}

static CK_RV refused_login(void)
{
    CK_RV rv = p11->C_Login(session, CKU_USER, (CK_UTF8CHAR *)"nobody:wrong-password", 21);
    return rv == CKR_USER_ALREADY_LOGGED_IN ? CKR_OK : rv;
}

static CK_RV pair(CK_BBOOL lasting, CK_OBJECT_HANDLE *public, CK_OBJECT_HANDLE *private)
{
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_ATTRIBUTE public_template[] = {TEXT(CKA_EC_PARAMS, OID_P256), FLAG(CKA_TOKEN, lasting), ON(CKA_VERIFY)};
    CK_ATTRIBUTE private_template[] = {FLAG(CKA_TOKEN, lasting), ON(CKA_SIGN)};
    return p11->C_GenerateKeyPair(session, &mechanism, LIST(public_template), LIST(private_template), public, private);
}

static CK_RV secret(CK_BBOOL lasting, CK_OBJECT_HANDLE *key)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ATTRIBUTE template[] = {NUMBER(CKA_VALUE_LEN, 32), FLAG(CKA_TOKEN, lasting), ON(CKA_ENCRYPT), ON(CKA_EXTRACTABLE)};
    return p11->C_GenerateKey(session, &mechanism, LIST(template), key);
}

static CK_RV generate_pairs(void)
{
    CK_OBJECT_HANDLE one, two;
    CK_RV rv = pair(CK_TRUE, &token_public, &token_private);
    return rv != CKR_OK ? rv : pair(CK_FALSE, &one, &two);
}

static CK_RV generate_keys(void)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ATTRIBUTE template[] = {NUMBER(CKA_VALUE_LEN, 32), OFF(CKA_TOKEN), ON(CKA_WRAP), ON(CKA_UNWRAP)};
    CK_OBJECT_HANDLE key;
    CK_RV rv = secret(CK_TRUE, &token_key);
    if (rv == CKR_OK)
        rv = secret(CK_FALSE, &key);
    return rv != CKR_OK ? rv : p11->C_GenerateKey(session, &mechanism, LIST(template), &wrapping);
}

static CK_RV destroy(void)
{
    CK_OBJECT_HANDLE key;
    CK_RV rv = secret(CK_TRUE, &key);
    return rv != CKR_OK ? rv : p11->C_DestroyObject(session, key);
}

static CK_RV import(void)
{
    CK_BYTE modulus[256] = {0x80}, exponent[] = {1, 0, 1};
    CK_ATTRIBUTE template[] = {NUMBER(CKA_CLASS, CKO_PUBLIC_KEY), NUMBER(CKA_KEY_TYPE, CKK_RSA), ON(CKA_TOKEN),
                               ON(CKA_VERIFY), BYTES(CKA_MODULUS, modulus), BYTES(CKA_PUBLIC_EXPONENT, exponent)};
    CK_OBJECT_HANDLE key;
    modulus[255] = 1;
    return p11->C_CreateObject(session, LIST(template), &key);
}

static CK_RV transport(void)
{
    CK_MECHANISM mechanism = {CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD, NULL, 0};
    CK_ATTRIBUTE template[] = {NUMBER(CKA_CLASS, CKO_SECRET_KEY), NUMBER(CKA_KEY_TYPE, CKK_AES), ON(CKA_TOKEN)};
    struct bytes wrapped;
    CK_OBJECT_HANDLE key;
    CK_RV rv = wrap(session, &mechanism, wrapping, token_key, &wrapped);
    return rv != CKR_OK ? rv : unwrap(session, &mechanism, wrapping, &wrapped, LIST(template), &key);
}

static CK_RV search(void)
{
    CK_ATTRIBUTE template[] = {NUMBER(CKA_CLASS, CKO_SECRET_KEY)};
    CK_OBJECT_HANDLE found[8];
    return find(session, LIST(template), found, COUNT(found)) == CK_UNAVAILABLE_INFORMATION ? CKR_GENERAL_ERROR : CKR_OK;
}

static CK_RV read_attribute(void)
{
    struct bytes value;
    return value_of(session, token_key, CKA_KEY_TYPE, &value);
}

static CK_RV sign_and_verify(void)
{
    CK_MECHANISM mechanism = {CKM_ECDSA_SHA256, NULL, 0};
    struct bytes signature;
    CK_RV rv = sign(session, &mechanism, token_private, "text", 4, &signature);
    return rv != CKR_OK ? rv : verify(session, &mechanism, token_public, "text", 4, &signature);
}

static CK_RV encrypt_and_decrypt(void)
{
    CK_BYTE iv[16] = {0};
    CK_MECHANISM mechanism = {CKM_AES_CBC, iv, sizeof iv};
    struct bytes secret;
    return encrypt(session, &mechanism, token_key, iv, sizeof iv, &secret);
}

static CK_RV random_and_digest(void)
{
    CK_MECHANISM mechanism = {CKM_SHA256, NULL, 0};
    CK_BYTE bytes[5000], digest[32];
    CK_ULONG length = sizeof digest;
    CK_RV rv = p11->C_GenerateRandom(session, bytes, sizeof bytes);
    if (rv == CKR_OK)
        rv = p11->C_DigestInit(session, &mechanism);
    return rv != CKR_OK ? rv : p11->C_Digest(session, bytes, sizeof bytes, digest, &length);
}

static CK_RV look_around(void)
{
    CK_SESSION_HANDLE own;
    CK_SESSION_INFO session_info;
    CK_TOKEN_INFO token;
    CK_INFO info;
    CK_ULONG count = 0;
    CK_RV rv = p11->C_GetInfo(&info);
    if (rv == CKR_OK)
        rv = p11->C_GetTokenInfo(slot, &token);
    if (rv == CKR_OK)
        rv = p11->C_GetMechanismList(slot, NULL, &count);
    if (rv == CKR_OK)
        rv = p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &own);
    if (rv == CKR_OK)
        rv = p11->C_GetSessionInfo(own, &session_info);
    return rv != CKR_OK ? rv : p11->C_CloseSession(own);
}

static const struct {
    const char *name;
    CK_RV (*run)(void);
} calls[] = {
    {"initialize", again},          {"login", relogin},           {"refused-login", refused_login},
    {"generate-keys", generate_keys}, {"generate-pairs", generate_pairs}, {"import", import},
    {"destroy", destroy},           {"wrap", transport},          {"find", search},
    {"read", read_attribute},       {"sign", sign_and_verify},    {"encrypt", encrypt_and_decrypt},
    {"random", random_and_digest},  {"look-around", look_around},
};

static CK_RV answer;

static void *cancelled(void *which)
{
    int ignored;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &ignored);
    pthread_cancel(pthread_self());
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &ignored);
    answer = calls[*(size_t *)which].run();
    pthread_testcancel();
    return NULL;
}

static void *busy(void *nothing)
{
    for (;;) {
        CK_OBJECT_HANDLE key;
        if (secret(CK_TRUE, &key) != CKR_OK || p11->C_DestroyObject(session, key) != CKR_OK)
            break;
        search();
        pthread_testcancel();
    }
    return nothing;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    void *end_of_thread;

    alarm(120);
    /* Each call writes a line, and a line is a cancellation point. */
    setenv("CLOUDHSM_PKCS11_LOG_LEVEL", "debug", 1);
    setenv("CLOUDHSM_PKCS11_LOG_FILE", "/dev/null", 1);
    session = begin(argc, argv);
    for (size_t at = 0; at < COUNT(calls); at++) {
        answer = CKR_GENERAL_ERROR;
        pthread_create(&thread, NULL, cancelled, &at);
        pthread_join(thread, &end_of_thread);
        GIVES(CKR_OK, calls[at].name, answer);
        HOLDS("cancelled-afterwards", end_of_thread == PTHREAD_CANCELED);
    }
    for (int at = 0; at < 30; at++) {
        pthread_create(&thread, NULL, busy, NULL);
        usleep(3000 + 137 * at);
        pthread_cancel(thread);
        pthread_join(thread, &end_of_thread);
        if (end_of_thread != PTHREAD_CANCELED)
            break;
    }
    HOLDS("cancelled-at-any-time", end_of_thread == PTHREAD_CANCELED);
    OK("the-others-go-on", sign_and_verify());
    OK("nothing-is-held", again());
    return end();
}
