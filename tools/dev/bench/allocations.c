/*
 * allocations - counts the heap allocations of one operation, for a few operations of a PKCS#11 module.
 *
 *   allocations MODULE PIN
 *
 * The program has malloc and its kin itself, so every allocation of the process is counted, the module's included.
 * Each operation runs 100 times before counting (caches fill) and 10,000 times while counting; the figure is the
 * mean. The first slot is used; the keys are session keys and one token key, destroyed at the end.
 *
 * Build: cc -O2 -rdynamic -Iinclude -o allocations tools/dev/bench/allocations.c -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkcs11.h"

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static unsigned long allocations;

void *malloc(size_t n)
{
    allocations++;
    return __libc_malloc(n);
}
void *calloc(size_t n, size_t m)
{
    allocations++;
    return __libc_calloc(n, m);
}
void *realloc(void *p, size_t n)
{
    allocations++;
    return __libc_realloc(p, n);
}
int posix_memalign(void **p, size_t a, size_t n)
{
    allocations++;
    *p = __libc_memalign(a, n);
    return *p ? 0 : 12;
}

static CK_FUNCTION_LIST *p11;
static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE aes, secret, public_key, private_key, rsa_public, rsa_private;
static CK_BYTE data[64], out[1024];
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static void must(CK_RV rv, const char *what)
{
    if (rv != CKR_OK) {
        fprintf(stderr, "%s: %#lx\n", what, rv);
        exit(1);
    }
}

static void sign(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key, CK_ULONG length)
{
    CK_MECHANISM mechanism = { type, NULL, 0 };
    CK_ULONG room = sizeof out;
    must(p11->C_SignInit(session, &mechanism, key), "C_SignInit");
    must(p11->C_Sign(session, data, length, out, &room), "C_Sign");
}

static void sign_ecdsa(void) { sign(CKM_ECDSA, private_key, 32); }
static void sign_ecdsa_sha256(void) { sign(CKM_ECDSA_SHA256, private_key, 64); }
static void sign_rsa(void) { sign(CKM_SHA256_RSA_PKCS, rsa_private, 64); }
static void sign_hmac(void) { sign(CKM_SHA256_HMAC, secret, 64); }

static void encrypt_gcm(void)
{
    CK_BYTE iv[12] = { 1 };
    CK_GCM_PARAMS parameter = { iv, 12, 96, NULL, 0, 128 };
    CK_MECHANISM mechanism = { CKM_AES_GCM, &parameter, sizeof parameter };
    CK_ULONG room = sizeof out;
    must(p11->C_EncryptInit(session, &mechanism, aes), "C_EncryptInit");
    must(p11->C_Encrypt(session, data, sizeof data, out, &room), "C_Encrypt");
}

static void digest(void)
{
    CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };
    CK_ULONG room = sizeof out;
    must(p11->C_DigestInit(session, &mechanism), "C_DigestInit");
    must(p11->C_Digest(session, data, sizeof data, out, &room), "C_Digest");
}

static void attributes(void)
{
    CK_ULONG class, type;
    CK_BBOOL token;
    CK_ATTRIBUTE template[] = {
        { CKA_CLASS, &class, sizeof class }, { CKA_KEY_TYPE, &type, sizeof type }, { CKA_TOKEN, &token, sizeof token },
    };
    must(p11->C_GetAttributeValue(session, aes, template, 3), "C_GetAttributeValue");
}

static void random_32(void) { must(p11->C_GenerateRandom(session, out, 32), "C_GenerateRandom"); }

static void count(const char *name, void (*operation)(void))
{
    enum { WARM = 100, RUNS = 10000 };
    for (int i = 0; i < WARM; i++)
        operation();
    unsigned long before = allocations;
    int runs = operation == sign_rsa ? RUNS / 50 : RUNS;
    for (int i = 0; i < runs; i++)
        operation();
    printf("%-24s %.3f allocations per operation\n", name, (double)(allocations - before) / runs);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: allocations MODULE PIN\n");
        return 2;
    }
    void *module = dlopen(argv[1], RTLD_NOW);
    CK_C_GetFunctionList get = module ? (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList") : NULL;
    if (!get) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    must(get(&p11), "C_GetFunctionList");
    must(p11->C_Initialize(NULL), "C_Initialize");
    CK_SLOT_ID slots[8];
    CK_ULONG slot_count = 8;
    must(p11->C_GetSlotList(CK_TRUE, slots, &slot_count), "C_GetSlotList");
    must(p11->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), "C_OpenSession");
    must(p11->C_Login(session, CKU_USER, (CK_UTF8CHAR *)argv[2], strlen(argv[2])), "C_Login");

    CK_ULONG length = 32;
    CK_MECHANISM generate = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_ATTRIBUTE secret_template[] = { { CKA_TOKEN, &no, 1 }, { CKA_VALUE_LEN, &length, sizeof length },
        { CKA_ENCRYPT, &yes, 1 } };
    must(p11->C_GenerateKey(session, &generate, secret_template, 3, &aes), "C_GenerateKey");
    generate.mechanism = CKM_GENERIC_SECRET_KEY_GEN;
    CK_ATTRIBUTE hmac_template[] = { { CKA_TOKEN, &no, 1 }, { CKA_VALUE_LEN, &length, sizeof length },
        { CKA_SIGN, &yes, 1 } };
    must(p11->C_GenerateKey(session, &generate, hmac_template, 3, &secret), "C_GenerateKey");
    CK_BYTE p256[] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
    CK_MECHANISM generate_pair = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
    CK_ATTRIBUTE public_template[] = { { CKA_TOKEN, &yes, 1 }, { CKA_EC_PARAMS, p256, sizeof p256 } };
    CK_ATTRIBUTE private_template[] = { { CKA_TOKEN, &yes, 1 }, { CKA_SIGN, &yes, 1 } };
    must(p11->C_GenerateKeyPair(session, &generate_pair, public_template, 2, private_template, 2, &public_key,
             &private_key), "C_GenerateKeyPair");
    CK_ULONG bits = 2048;
    CK_BYTE exponent[] = { 1, 0, 1 };
    CK_MECHANISM generate_rsa = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
    CK_ATTRIBUTE rsa_public_template[] = { { CKA_TOKEN, &no, 1 }, { CKA_MODULUS_BITS, &bits, sizeof bits },
        { CKA_PUBLIC_EXPONENT, exponent, sizeof exponent } };
    CK_ATTRIBUTE rsa_private_template[] = { { CKA_TOKEN, &no, 1 }, { CKA_SIGN, &yes, 1 } };
    must(p11->C_GenerateKeyPair(session, &generate_rsa, rsa_public_template, 3, rsa_private_template, 2, &rsa_public,
             &rsa_private), "C_GenerateKeyPair");

    count("sign ECDSA P-256", sign_ecdsa);
    count("sign ECDSA-SHA256", sign_ecdsa_sha256);
    count("sign SHA256-RSA-PKCS", sign_rsa);
    count("sign SHA256-HMAC", sign_hmac);
    count("encrypt AES-GCM 64", encrypt_gcm);
    count("digest SHA-256 64", digest);
    count("three attributes", attributes);
    count("random 32", random_32);

    must(p11->C_DestroyObject(session, public_key), "C_DestroyObject");
    must(p11->C_DestroyObject(session, private_key), "C_DestroyObject");
    must(p11->C_Finalize(NULL), "C_Finalize");
    return 0;
}
