/*
 * hot_calls - runs some twenty calls of a PKCS#11 module many times, each between two marks for callgrind.
 *
 *   valgrind --tool=callgrind --instr-atstart=no ... hot_calls MODULE PIN
 *
 * Prints a line `features NAME...` with what the processor that valgrind plays can do, then one line `NAME ITERATIONS` for each
 * call; callgrind writes one file for each, with NAME as its trigger. tools/dev/bench/instructions reads both. The first slot is
 * used; all objects that are made are destroyed.
 *
 * Build: cc -O2 -Iinclude -o hot_calls tools/dev/bench/hot_calls.c -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined __x86_64__
#include <cpuid.h>
#endif
#include <valgrind/callgrind.h>

#include "pkcs11.h"

static CK_FUNCTION_LIST *p11;
static CK_SLOT_ID slot;
static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE aes, token_aes, wrapping, generic, rsa, rsa_public, ec, ec_public, token_ec, token_ec_public;
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_BYTE in[1024], out[2048], opened[2048], iv[16], gcm_iv[12], label[] = "hot-calls";
static CK_ULONG sealed, ec_signed, mac_length;
static CK_BYTE gcm_sealed[128], ec_signature[128], mac[64];

#define OK(call)                                                                                  \
    do {                                                                                          \
        CK_RV rv = (call);                                                                        \
        if (rv != CKR_OK) {                                                                       \
            fprintf(stderr, "hot_calls: %s: 0x%lx\n", #call, rv);                                 \
            exit(1);                                                                              \
        }                                                                                         \
    } while (0)

static CK_MECHANISM mechanism(CK_MECHANISM_TYPE type)
{
    static CK_GCM_PARAMS gcm;
    static CK_AES_CTR_PARAMS ctr;
    CK_MECHANISM m = {type, NULL, 0};
    if (type == CKM_AES_GCM) {
        memset(&gcm, 0, sizeof gcm);
        gcm.pIv = gcm_iv, gcm.ulIvLen = sizeof gcm_iv, gcm.ulIvBits = 96, gcm.ulTagBits = 128;
        m.pParameter = &gcm, m.ulParameterLen = sizeof gcm;
    } else if (type == CKM_AES_CTR) {
        memset(&ctr, 0, sizeof ctr);
        ctr.ulCounterBits = 128;
        m.pParameter = &ctr, m.ulParameterLen = sizeof ctr;
    } else if (type == CKM_AES_CBC) {
        m.pParameter = iv, m.ulParameterLen = sizeof iv;
    }
    return m;
}

static void sign(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key, CK_ULONG length, CK_BYTE *signature, CK_ULONG *n)
{
    CK_MECHANISM m = mechanism(type);
    OK(p11->C_SignInit(session, &m, key));
    OK(p11->C_Sign(session, in, length, signature, n));
}

static void verify(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key, CK_ULONG length, CK_BYTE *signature, CK_ULONG n)
{
    CK_MECHANISM m = mechanism(type);
    OK(p11->C_VerifyInit(session, &m, key));
    OK(p11->C_Verify(session, in, length, signature, n));
}

static void encrypt(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key, CK_ULONG length)
{
    CK_MECHANISM m = mechanism(type);
    CK_ULONG n = sizeof out;
    OK(p11->C_EncryptInit(session, &m, key));
    OK(p11->C_Encrypt(session, in, length, out, &n));
}

static void attributes(CK_OBJECT_HANDLE object)
{
    CK_BYTE text[64], id[64];
    CK_KEY_TYPE type;
    CK_ATTRIBUTE a[] = {{CKA_LABEL, text, sizeof text}, {CKA_KEY_TYPE, &type, sizeof type}, {CKA_ID, id, sizeof id}};
    OK(p11->C_GetAttributeValue(session, object, a, 3));
}

static void call_session(void)
{
    CK_SESSION_HANDLE s;
    OK(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s));
    OK(p11->C_CloseSession(s));
}
static void call_session_info(void)
{
    CK_SESSION_INFO info;
    OK(p11->C_GetSessionInfo(session, &info));
}
static void call_random(void) { OK(p11->C_GenerateRandom(session, out, 32)); }
static void call_attributes(void) { attributes(aes); }
static void call_token_attributes(void) { attributes(token_aes); }
static void call_digest(void)
{
    CK_MECHANISM m = mechanism(CKM_SHA256);
    CK_ULONG n = sizeof out;
    OK(p11->C_DigestInit(session, &m));
    OK(p11->C_Digest(session, in, 64, out, &n));
}
static void call_digest_parts(void)
{
    CK_MECHANISM m = mechanism(CKM_SHA256);
    CK_ULONG n = sizeof out;
    OK(p11->C_DigestInit(session, &m));
    OK(p11->C_DigestUpdate(session, in, 32));
    OK(p11->C_DigestUpdate(session, in, 32));
    OK(p11->C_DigestFinal(session, out, &n));
}
static void call_hmac(void) { CK_ULONG n = sizeof out; sign(CKM_SHA256_HMAC, generic, 64, out, &n); }
static void call_hmac_verify(void) { verify(CKM_SHA256_HMAC, generic, 64, mac, mac_length); }
static void call_gcm(void) { encrypt(CKM_AES_GCM, aes, 64); }
static void call_gcm_open(void)
{
    CK_MECHANISM m = mechanism(CKM_AES_GCM);
    CK_ULONG n = sizeof opened;
    OK(p11->C_DecryptInit(session, &m, aes));
    OK(p11->C_Decrypt(session, gcm_sealed, sealed, opened, &n));
}
static void call_gcm_token(void) { encrypt(CKM_AES_GCM, token_aes, 64); }
static void call_cbc(void) { encrypt(CKM_AES_CBC, aes, 1024); }
static void call_cbc_parts(void)
{
    CK_MECHANISM m = mechanism(CKM_AES_CBC);
    CK_ULONG n = sizeof out;
    OK(p11->C_EncryptInit(session, &m, aes));
    OK(p11->C_EncryptUpdate(session, in, 512, out, &n));
    n = sizeof out;
    OK(p11->C_EncryptUpdate(session, in, 512, out, &n));
    n = sizeof out;
    OK(p11->C_EncryptFinal(session, out, &n));
}
static void call_ctr(void) { encrypt(CKM_AES_CTR, aes, 64); }
static void call_wrap(void)
{
    CK_MECHANISM m = mechanism(CKM_AES_KEY_WRAP);
    CK_ULONG n = sizeof out;
    OK(p11->C_WrapKey(session, &m, wrapping, aes, out, &n));
}
static void call_ecdsa(void) { CK_ULONG n = sizeof out; sign(CKM_ECDSA, ec, 32, out, &n); }
static void call_ecdsa_token(void) { CK_ULONG n = sizeof out; sign(CKM_ECDSA, token_ec, 32, out, &n); }
static void call_ecdsa_verify(void) { verify(CKM_ECDSA, ec_public, 32, ec_signature, ec_signed); }
static void call_rsa(void) { CK_ULONG n = sizeof out; sign(CKM_SHA256_RSA_PKCS, rsa, 64, out, &n); }
static void call_find(void)
{
    CK_OBJECT_HANDLE found;
    CK_ULONG n = 0;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_ATTRIBUTE a[] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, label, sizeof label - 1}};
    OK(p11->C_FindObjectsInit(session, a, 2));
    OK(p11->C_FindObjects(session, &found, 1, &n));
    OK(p11->C_FindObjectsFinal(session));
    if (n != 1)
        exit(1);
}
static CK_OBJECT_HANDLE make_secret(CK_MECHANISM_TYPE type, CK_BBOOL *token, CK_BBOOL *wraps)
{
    CK_MECHANISM m = mechanism(type);
    CK_ULONG length = 32;
    CK_BBOOL *macs = type == CKM_AES_KEY_GEN ? &no : &yes, *ciphers = type == CKM_AES_KEY_GEN ? &yes : &no;
    CK_OBJECT_HANDLE h;
    CK_ATTRIBUTE a[] = {{CKA_TOKEN, token, 1},     {CKA_EXTRACTABLE, &yes, 1}, {CKA_VALUE_LEN, &length, sizeof length},
                        {CKA_ENCRYPT, ciphers, 1}, {CKA_DECRYPT, ciphers, 1},  {CKA_WRAP, wraps, 1},
                        {CKA_SIGN, macs, 1},       {CKA_VERIFY, macs, 1},      {CKA_LABEL, label, *token ? sizeof label - 1 : 1},
                        {CKA_ID, label, 2}};
    OK(p11->C_GenerateKey(session, &m, a, 10, &h));
    return h;
}
static void call_keygen(void) { OK(p11->C_DestroyObject(session, make_secret(CKM_AES_KEY_GEN, &no, &no))); }

static void make_pair(CK_MECHANISM_TYPE type, CK_BBOOL *token, CK_OBJECT_HANDLE *public, CK_OBJECT_HANDLE *private)
{
    static CK_BYTE p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}, exponent[] = {1, 0, 1};
    CK_ULONG bits = 2048;
    CK_MECHANISM m = mechanism(type);
    int is_rsa = type == CKM_RSA_PKCS_KEY_PAIR_GEN;
    CK_ATTRIBUTE of_ec[] = {{CKA_EC_PARAMS, p256, sizeof p256}, {CKA_TOKEN, token, 1}, {CKA_VERIFY, &yes, 1}};
    CK_ATTRIBUTE of_rsa[] = {{CKA_MODULUS_BITS, &bits, sizeof bits}, {CKA_TOKEN, token, 1}, {CKA_VERIFY, &yes, 1},
                             {CKA_PUBLIC_EXPONENT, exponent, sizeof exponent}};
    CK_ATTRIBUTE of_private[] = {{CKA_TOKEN, token, 1}, {CKA_SIGN, &yes, 1}};
    OK(p11->C_GenerateKeyPair(session, &m, is_rsa ? of_rsa : of_ec, is_rsa ? 4 : 3, of_private, 2, public, private));
}

static const struct {
    const char *name;
    void (*call)(void);
    int iterations;
} calls[] = {
    {"open and close a session", call_session, 500},
    {"C_GetSessionInfo", call_session_info, 500},
    {"C_GenerateRandom, 32 bytes", call_random, 512},
    {"three attributes, session key", call_attributes, 500},
    {"three attributes, token key", call_token_attributes, 500},
    {"SHA-256, 64 bytes", call_digest, 500},
    {"SHA-256, 64 bytes in two parts", call_digest_parts, 500},
    {"HMAC-SHA256, 64 bytes", call_hmac, 500},
    {"verify HMAC-SHA256, 64 bytes", call_hmac_verify, 500},
    {"encrypt AES-GCM, 64 bytes", call_gcm, 500},
    {"decrypt AES-GCM, 64 bytes", call_gcm_open, 500},
    {"encrypt AES-GCM, token key", call_gcm_token, 500},
    {"encrypt AES-CBC, 1 KiB", call_cbc, 200},
    {"encrypt AES-CBC, 1 KiB in two parts", call_cbc_parts, 200},
    {"encrypt AES-CTR, 64 bytes", call_ctr, 500},
    {"wrap an AES key, AES-KW", call_wrap, 200},
    {"sign ECDSA P-256", call_ecdsa, 50},
    {"sign ECDSA P-256, token key", call_ecdsa_token, 50},
    {"verify ECDSA P-256", call_ecdsa_verify, 50},
    {"sign RSA-2048", call_rsa, 10},
    {"find by label", call_find, 100},
    {"generate and destroy an AES key", call_keygen, 200},
};

static void print_features(void)
{
    printf("features");
#if defined __x86_64__
    unsigned a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d))
        printf("%s%s", c & bit_AES ? " aes" : "", c & bit_AVX ? " avx" : "");
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
        printf("%s%s%s%s", b & bit_AVX2 ? " avx2" : "", b & bit_AVX512F ? " avx512f" : "", b & bit_SHA ? " sha" : "",
               c & bit_VAES ? " vaes" : "");
#endif
    printf("\n");
}

int main(int argc, char **argv)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    CK_RV (*get)(CK_FUNCTION_LIST **);
    CK_ULONG slots = 1;
    void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (!library) {
        fprintf(stderr, "usage: hot_calls MODULE PIN\n");
        return 2;
    }
    *(void **)&get = dlsym(library, "C_GetFunctionList");
    OK(get(&p11));
    OK(p11->C_Initialize(&args));
    OK(p11->C_GetSlotList(CK_TRUE, &slot, &slots));
    OK(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session));
    OK(p11->C_Login(session, CKU_USER, (CK_BYTE *)argv[2], strlen(argv[2])));
    aes = make_secret(CKM_AES_KEY_GEN, &no, &no);
    token_aes = make_secret(CKM_AES_KEY_GEN, &yes, &no);
    wrapping = make_secret(CKM_AES_KEY_GEN, &no, &yes);
    generic = make_secret(CKM_GENERIC_SECRET_KEY_GEN, &no, &no);
    make_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &no, &rsa_public, &rsa);
    make_pair(CKM_EC_KEY_PAIR_GEN, &no, &ec_public, &ec);
    make_pair(CKM_EC_KEY_PAIR_GEN, &yes, &token_ec_public, &token_ec);
    encrypt(CKM_AES_GCM, aes, 64);
    memcpy(gcm_sealed, out, sealed = 80);
    sign(CKM_ECDSA, ec, 32, ec_signature, (ec_signed = sizeof ec_signature, &ec_signed));
    sign(CKM_SHA256_HMAC, generic, 64, mac, (mac_length = sizeof mac, &mac_length));

    print_features();
    for (size_t at = 0; at < sizeof calls / sizeof *calls; at++) {
        for (int warm = 0; warm < 20; warm++)
            calls[at].call();
        CALLGRIND_START_INSTRUMENTATION;
        CALLGRIND_ZERO_STATS;
        for (int i = 0; i < calls[at].iterations; i++)
            calls[at].call();
        CALLGRIND_DUMP_STATS_AT(calls[at].name);
        CALLGRIND_STOP_INSTRUMENTATION;
        printf("%s\t%d\n", calls[at].name, calls[at].iterations);
    }
    OK(p11->C_DestroyObject(session, token_aes));
    OK(p11->C_DestroyObject(session, token_ec));
    OK(p11->C_DestroyObject(session, token_ec_public));
    OK(p11->C_Finalize(NULL));
    return 0;
}
