/*
 * p11bench - a small, module-neutral PKCS#11 benchmark.
 *
 *   p11bench MODULE TOKEN PIN [FILTER] [THREADS]
 *
 *   MODULE   path of a PKCS#11 shared library (dlopen'ed, C_GetFunctionList)
 *   TOKEN    token label, or a decimal slot id
 *   PIN      user PIN ("user:password" modules work too); "" = do not log in
 *   FILTER   comma-separated name prefixes; a test runs if one of them is a
 *            prefix of its name ("-" or "" = every default test)
 *   THREADS  N > 1: tests marked as thread-capable run with 1 and with N
 *            threads, the repeats interleaved
 *
 * Environment:
 *   P11BENCH_INIT_ARGS    string passed as pReserved of C_Initialize
 *   P11BENCH_SECS         seconds per repeat (0.5)
 *   P11BENCH_REPS         repeats, the median is reported (5)
 *   P11BENCH_MAX_OBJECTS  largest find/N level (10000)
 *   P11BENCH_FILL_SECS    give up filling the token after that long (120)
 *   P11BENCH_KEEP         1: leave the filled objects on the token
 *   P11BENCH_COLD_RUNS    process starts per cold/ test (15)
 *   P11BENCH_NO_HEADER    1: no TSV header line
 *
 * Output (stdout, TSV): test  threads  value  unit  min  max  cpu
 *   value/min/max are wall-clock figures over the repeats; cpu is the median
 *   number of operations per second of CPU time of this process (user and
 *   system, all threads), the figure to compare on a busy machine ("-": none).
 * Skipped tests go to stderr with the failing call and CK_RV.
 *
 * Build: cc -O2 -Wall -Wextra -I../../../include -o p11bench p11bench.c -ldl -lpthread
 * Only PKCS#11 v2.40 functions are used; the header may be any pkcs11.h.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pkcs11.h"

#ifndef CKM_EC_EDWARDS_KEY_PAIR_GEN
#define CKM_EC_EDWARDS_KEY_PAIR_GEN 0x1055UL
#endif
#ifndef CKM_EDDSA
#define CKM_EDDSA 0x1057UL
#endif

#define MAX_THREADS 64
#define BUF_SIZE (1024 * 1024 + 64)
#define FEW 1000UL /* objects that a program looks for among many */
#define FILL_LABEL "p11bench-fill-%06lu"
#define COLD_LABEL "p11bench-cold"

extern char **environ;

static CK_FUNCTION_LIST *p11;
static CK_SLOT_ID slot;
static CK_SESSION_HANDLE main_s; /* owns the session keys of all tests */
static const char *module_path, *token_arg, *pin;
static double rep_secs = 0.5;
static int reps = 5, nthreads = 1;
static unsigned long max_objects = 10000;
static double fill_secs = 120;
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static char fail_call[64]; /* the last failing call of a set-up, for messages */

/* ---------------------------------------------------------------- helpers */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int cmp_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, cmp_double);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void report(const char *name, int threads, double *v, double *cpu,
                   int n, const char *unit)
{
    double m = median(v, n);
    printf("%s\t%d\t%.6g\t%s\t%.6g\t%.6g\t", name, threads, m, unit, v[0],
           v[n - 1]);
    if (cpu)
        printf("%.6g\n", median(cpu, n));
    else
        puts("-");
    fflush(stdout);
}

static void report1(const char *name, double v, const char *unit)
{
    report(name, 1, &v, NULL, 1, unit);
}

static long status_kib(const char *key) /* VmHWM, VmRSS of this process */
{
    char line[256];
    long kib = -1;
    size_t n = strlen(key);
    FILE *f = fopen("/proc/self/status", "r");
    if (!f)
        return -1;
    while (fgets(line, sizeof line, f))
        if (!strncmp(line, key, n) && line[n] == ':')
            kib = atol(line + n + 1);
    fclose(f);
    return kib;
}

static uint64_t rng_state = 0x9e3779b97f4a7c15ULL;
static uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state;
}

static CK_RV failed(const char *call, CK_RV rv)
{
    if (rv != CKR_OK)
        snprintf(fail_call, sizeof fail_call, "%s", call);
    return rv;
}

#define TRY(call_name, expr)                          \
    do {                                              \
        CK_RV rv_ = (expr);                           \
        if (rv_ != CKR_OK)                            \
            return failed(call_name, rv_);            \
    } while (0)

/* ------------------------------------------------------------------- keys */

struct pair {
    int ready; /* 0 not made, 1 made, -1 not available */
    CK_RV rv;
    CK_OBJECT_HANDLE pub, prv;
};

enum { K_RSA2048, K_RSA3072, K_RSA4096, K_P256, K_P384, K_ED25519, K_PAIRS };
static struct pair pairs[K_PAIRS];
static struct pair aes_key, wrap_key, hmac_key, token_key, token_pair;
static CK_BYTE peer_point[256];
static CK_ULONG peer_point_len;

static CK_BYTE oid_p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
static CK_BYTE oid_p384[] = {6, 5, 0x2b, 0x81, 4, 0, 0x22};
static CK_BYTE oid_ed25519[] = {6, 3, 0x2b, 0x65, 0x70};
static CK_BYTE name_ed25519[] = {0x13, 12,  'e', 'd', 'w', 'a', 'r',
                                 'd',  's', '2', '5', '5', '1', '9'};

static CK_RV gen_rsa(CK_SESSION_HANDLE s, CK_ULONG bits, CK_BBOOL *token,
                     const char *label, CK_OBJECT_HANDLE *pub,
                     CK_OBJECT_HANDLE *prv)
{
    CK_BYTE e[] = {1, 0, 1};
    CK_MECHANISM m = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
    CK_ATTRIBUTE a[] = {{CKA_TOKEN, token, 1},
                        {CKA_MODULUS_BITS, &bits, sizeof bits},
                        {CKA_PUBLIC_EXPONENT, e, sizeof e},
                        {CKA_VERIFY, &yes, 1},
                        {CKA_ENCRYPT, &yes, 1},
                        {CKA_LABEL, (void *)label, strlen(label)}};
    CK_ATTRIBUTE b[] = {{CKA_TOKEN, token, 1},
                        {CKA_PRIVATE, &yes, 1},
                        {CKA_SENSITIVE, &yes, 1},
                        {CKA_SIGN, &yes, 1},
                        {CKA_DECRYPT, &yes, 1},
                        {CKA_LABEL, (void *)label, strlen(label)}};
    return failed("C_GenerateKeyPair",
                  p11->C_GenerateKeyPair(s, &m, a, 6, b, 6, pub, prv));
}

static CK_RV gen_ec(CK_SESSION_HANDLE s, CK_MECHANISM_TYPE mech, CK_BYTE *oid,
                    CK_ULONG oid_len, CK_BBOOL derive, CK_BBOOL *token,
                    const char *label, CK_OBJECT_HANDLE *pub,
                    CK_OBJECT_HANDLE *prv)
{
    CK_MECHANISM m = {mech, NULL, 0};
    CK_ATTRIBUTE a[] = {{CKA_TOKEN, token, 1},
                        {CKA_EC_PARAMS, oid, oid_len},
                        {CKA_VERIFY, &yes, 1},
                        {CKA_LABEL, (void *)label, strlen(label)}};
    CK_ATTRIBUTE b[] = {{CKA_TOKEN, token, 1},
                        {CKA_PRIVATE, &yes, 1},
                        {CKA_SENSITIVE, &yes, 1},
                        {CKA_SIGN, &yes, 1},
                        {CKA_LABEL, (void *)label, strlen(label)},
                        {CKA_DERIVE, &yes, 1}};
    return failed("C_GenerateKeyPair",
                  p11->C_GenerateKeyPair(s, &m, a, 4, b, derive ? 6 : 5, pub,
                                         prv));
}

static CK_RV gen_aes(CK_SESSION_HANDLE s, CK_BBOOL *token, CK_BBOOL *wrap,
                     const char *label, CK_BYTE *id, CK_ULONG id_len,
                     CK_OBJECT_HANDLE *h)
{
    CK_ULONG len = 32;
    CK_MECHANISM m = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ATTRIBUTE a[] = {{CKA_TOKEN, token, 1},
                        {CKA_PRIVATE, &yes, 1},
                        {CKA_SENSITIVE, &yes, 1},
                        {CKA_EXTRACTABLE, &yes, 1},
                        {CKA_ENCRYPT, &yes, 1},
                        {CKA_DECRYPT, &yes, 1},
                        {CKA_WRAP, wrap, 1},
                        {CKA_UNWRAP, wrap, 1},
                        {CKA_VALUE_LEN, &len, sizeof len},
                        {CKA_LABEL, (void *)label, strlen(label)},
                        {CKA_ID, id, id_len}};
    return failed("C_GenerateKey",
                  p11->C_GenerateKey(s, &m, a, id_len ? 11 : 10, h));
}

static CK_RV gen_hmac(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *h)
{
    CK_ULONG len = 32;
    CK_OBJECT_CLASS cls = CKO_SECRET_KEY;
    CK_KEY_TYPE kt = CKK_GENERIC_SECRET;
    CK_MECHANISM m = {CKM_GENERIC_SECRET_KEY_GEN, NULL, 0};
    CK_ATTRIBUTE a[] = {{CKA_TOKEN, &no, 1},
                        {CKA_PRIVATE, &yes, 1},
                        {CKA_CLASS, &cls, sizeof cls},
                        {CKA_KEY_TYPE, &kt, sizeof kt},
                        {CKA_SIGN, &yes, 1},
                        {CKA_VERIFY, &yes, 1},
                        {CKA_VALUE_LEN, &len, sizeof len}};
    return failed("C_GenerateKey", p11->C_GenerateKey(s, &m, a, 7, h));
}

static CK_RV need_pair(CK_SESSION_HANDLE s, int k)
{
    struct pair *p = &pairs[k];
    static const CK_ULONG bits[] = {2048, 3072, 4096};

    if (p->ready)
        return p->rv;
    switch (k) {
    case K_RSA2048:
    case K_RSA3072:
    case K_RSA4096:
        p->rv = gen_rsa(s, bits[k], &no, "b", &p->pub, &p->prv);
        break;
    case K_P256:
        p->rv = gen_ec(s, CKM_EC_KEY_PAIR_GEN, oid_p256, sizeof oid_p256, 1,
                       &no, "b", &p->pub, &p->prv);
        if (p->rv == CKR_OK) {
            CK_ATTRIBUTE a = {CKA_EC_POINT, peer_point, sizeof peer_point};
            p->rv = failed("C_GetAttributeValue",
                           p11->C_GetAttributeValue(s, p->pub, &a, 1));
            peer_point_len = a.ulValueLen;
        }
        break;
    case K_P384:
        p->rv = gen_ec(s, CKM_EC_KEY_PAIR_GEN, oid_p384, sizeof oid_p384, 0,
                       &no, "b", &p->pub, &p->prv);
        break;
    case K_ED25519:
        p->rv = gen_ec(s, CKM_EC_EDWARDS_KEY_PAIR_GEN, oid_ed25519,
                       sizeof oid_ed25519, 0, &no, "b", &p->pub, &p->prv);
        if (p->rv != CKR_OK)
            p->rv = gen_ec(s, CKM_EC_EDWARDS_KEY_PAIR_GEN, name_ed25519,
                           sizeof name_ed25519, 0, &no, "b", &p->pub, &p->prv);
        break;
    }
    p->ready = 1;
    return p->rv;
}

/* a P-256 pair on the token, as most keys of an HSM are */
static CK_RV need_token_pair(CK_SESSION_HANDLE s)
{
    struct pair *p = &token_pair;
    if (!p->ready) {
        p->rv = gen_ec(s, CKM_EC_KEY_PAIR_GEN, oid_p256, sizeof oid_p256, 0,
                       &yes, "p11bench-token", &p->pub, &p->prv);
        p->ready = 1;
    }
    return p->rv;
}

static CK_RV need_secret(CK_SESSION_HANDLE s, struct pair *p)
{
    if (p->ready)
        return p->rv;
    if (p == &aes_key)
        p->rv = gen_aes(s, &no, &no, "b", (CK_BYTE *)"sk", 2, &p->prv);
    else if (p == &wrap_key)
        p->rv = gen_aes(s, &no, &yes, "b", NULL, 0, &p->prv);
    else if (p == &token_key)
        p->rv = gen_aes(s, &yes, &no, "p11bench-token", (CK_BYTE *)"tk", 2,
                        &p->prv);
    else
        p->rv = gen_hmac(s, &p->prv);
    p->ready = 1;
    return p->rv;
}

/* ------------------------------------------------------------------ tests */

struct ctx; /* one per thread */
struct test {
    const char *name;
    CK_RV (*setup)(struct ctx *);
    CK_RV (*op)(struct ctx *);
    CK_MECHANISM_TYPE mech;
    int key;          /* K_* or -1 */
    CK_ULONG size;    /* bytes of input; find/: among so many, 0: all */
    int threaded;     /* may run with several threads */
    int sha1;         /* OAEP: SHA-1 instead of SHA-256 */
};

/* one for each thread, and no line of the cache shared by two */
struct ctx {
    _Alignas(128) const struct test *t;
    CK_SESSION_HANDLE s;
    CK_MECHANISM m;
    CK_OBJECT_HANDLE key;
    CK_BYTE *in, *out, *sig;
    CK_ULONG in_len, sig_len;
    CK_BYTE iv[16];
    union {
        CK_GCM_PARAMS gcm;
        CK_AES_CTR_PARAMS ctr;
        CK_RSA_PKCS_PSS_PARAMS pss;
        CK_RSA_PKCS_OAEP_PARAMS oaep;
        CK_ECDH1_DERIVE_PARAMS ecdh;
    } par;
    CK_OBJECT_HANDLE *made; /* token objects to destroy after a repeat */
    size_t n_made, cap_made;
    CK_RV rv;
    double ops;
    unsigned long count;
    unsigned long fill; /* find tests: objects on the token */
};

static void remember(struct ctx *c, CK_OBJECT_HANDLE h)
{
    if (c->n_made == c->cap_made) {
        c->cap_made = c->cap_made ? c->cap_made * 2 : 256;
        c->made = realloc(c->made, c->cap_made * sizeof *c->made);
        if (!c->made)
            abort();
    }
    c->made[c->n_made++] = h;
}

/* mechanism parameters; the IV is handed over zeroed, because some HSMs
 * (AWS CloudHSM) generate it and write it back */
static void set_mech(struct ctx *c)
{
    c->m.mechanism = c->t->mech;
    c->m.pParameter = NULL;
    c->m.ulParameterLen = 0;
    switch (c->t->mech) {
    case CKM_AES_GCM:
        memset(c->iv, 0, sizeof c->iv);
        memset(&c->par.gcm, 0, sizeof c->par.gcm);
        c->par.gcm.pIv = c->iv;
        c->par.gcm.ulIvLen = 12;
        c->par.gcm.ulIvBits = 96;
        c->par.gcm.ulTagBits = 128;
        c->m.pParameter = &c->par.gcm;
        c->m.ulParameterLen = sizeof c->par.gcm;
        break;
    case CKM_AES_CTR:
        memset(&c->par.ctr, 0, sizeof c->par.ctr);
        c->par.ctr.ulCounterBits = 128;
        c->m.pParameter = &c->par.ctr;
        c->m.ulParameterLen = sizeof c->par.ctr;
        break;
    case CKM_AES_CBC:
    case CKM_AES_CBC_PAD:
        c->m.pParameter = c->iv;
        c->m.ulParameterLen = 16;
        break;
    case CKM_RSA_PKCS_PSS:
    case CKM_SHA256_RSA_PKCS_PSS:
        c->par.pss.hashAlg = CKM_SHA256;
        c->par.pss.mgf = CKG_MGF1_SHA256;
        c->par.pss.sLen = 32;
        c->m.pParameter = &c->par.pss;
        c->m.ulParameterLen = sizeof c->par.pss;
        break;
    case CKM_RSA_PKCS_OAEP:
        memset(&c->par.oaep, 0, sizeof c->par.oaep);
        c->par.oaep.hashAlg = c->t->sha1 ? CKM_SHA_1 : CKM_SHA256;
        c->par.oaep.mgf = c->t->sha1 ? CKG_MGF1_SHA1 : CKG_MGF1_SHA256;
        c->par.oaep.source = CKZ_DATA_SPECIFIED;
        c->m.pParameter = &c->par.oaep;
        c->m.ulParameterLen = sizeof c->par.oaep;
        break;
    }
}

static CK_RV op_session(struct ctx *c)
{
    CK_SESSION_HANDLE s;
    CK_RV rv = p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION,
                                  NULL, NULL, &s);
    (void)c;
    return rv ? rv : p11->C_CloseSession(s);
}

static CK_RV op_random(struct ctx *c)
{
    return p11->C_GenerateRandom(c->s, c->out, c->t->size);
}

static CK_RV op_sign(struct ctx *c)
{
    CK_ULONG n = 1024;
    CK_RV rv;
    set_mech(c);
    rv = p11->C_SignInit(c->s, &c->m, c->key);
    if (rv)
        return failed("C_SignInit", rv);
    return failed("C_Sign", p11->C_Sign(c->s, c->in, c->in_len, c->out, &n));
}

static CK_RV op_verify(struct ctx *c)
{
    CK_RV rv;
    set_mech(c);
    rv = p11->C_VerifyInit(c->s, &c->m, c->key);
    if (rv)
        return failed("C_VerifyInit", rv);
    return failed("C_Verify", p11->C_Verify(c->s, c->in, c->in_len, c->sig,
                                            c->sig_len));
}

static CK_RV op_encrypt(struct ctx *c)
{
    CK_ULONG n = BUF_SIZE;
    CK_RV rv;
    set_mech(c);
    rv = p11->C_EncryptInit(c->s, &c->m, c->key);
    if (rv)
        return failed("C_EncryptInit", rv);
    return failed("C_Encrypt",
                  p11->C_Encrypt(c->s, c->in, c->in_len, c->out, &n));
}

static CK_RV op_decrypt(struct ctx *c)
{
    CK_ULONG n = BUF_SIZE;
    CK_RV rv;
    set_mech(c);
    rv = p11->C_DecryptInit(c->s, &c->m, c->key);
    if (rv)
        return failed("C_DecryptInit", rv);
    return failed("C_Decrypt",
                  p11->C_Decrypt(c->s, c->sig, c->sig_len, c->out, &n));
}

static CK_RV op_digest(struct ctx *c)
{
    CK_ULONG n = 64;
    CK_RV rv;
    set_mech(c);
    rv = p11->C_DigestInit(c->s, &c->m);
    if (rv)
        return failed("C_DigestInit", rv);
    return failed("C_Digest",
                  p11->C_Digest(c->s, c->in, c->in_len, c->out, &n));
}

static CK_RV op_wrap(struct ctx *c)
{
    CK_ULONG n = 1024;
    CK_MECHANISM m = {c->t->mech, NULL, 0};
    return failed("C_WrapKey", p11->C_WrapKey(c->s, &m, wrap_key.prv,
                                              aes_key.prv, c->out, &n));
}

static CK_RV op_derive(struct ctx *c)
{
    CK_ULONG len = 32;
    CK_OBJECT_CLASS cls = CKO_SECRET_KEY;
    CK_KEY_TYPE kt = CKK_AES;
    CK_OBJECT_HANDLE h;
    CK_MECHANISM m = {CKM_ECDH1_DERIVE, &c->par.ecdh, sizeof c->par.ecdh};
    CK_ATTRIBUTE a[] = {{CKA_TOKEN, &no, 1},
                        {CKA_CLASS, &cls, sizeof cls},
                        {CKA_KEY_TYPE, &kt, sizeof kt},
                        {CKA_VALUE_LEN, &len, sizeof len},
                        {CKA_ENCRYPT, &yes, 1}};
    CK_RV rv = p11->C_DeriveKey(c->s, &m, c->key, a, 5, &h);
    if (rv)
        return failed("C_DeriveKey", rv);
    return p11->C_DestroyObject(c->s, h);
}

static CK_RV op_getattr(struct ctx *c)
{
    CK_BYTE label[64], id[64];
    CK_KEY_TYPE kt;
    CK_ATTRIBUTE a[] = {{CKA_LABEL, label, sizeof label},
                        {CKA_KEY_TYPE, &kt, sizeof kt},
                        {CKA_ID, id, sizeof id}};
    return failed("C_GetAttributeValue",
                  p11->C_GetAttributeValue(c->s, c->key, a, 3));
}

static CK_RV op_gen_aes(struct ctx *c)
{
    CK_OBJECT_HANDLE h;
    CK_RV rv = gen_aes(c->s, &no, &no, "g", NULL, 0, &h);
    return rv ? rv : p11->C_DestroyObject(c->s, h);
}

static CK_RV op_gen_aes_token(struct ctx *c)
{
    CK_OBJECT_HANDLE h;
    CK_RV rv = gen_aes(c->s, &yes, &no, "g", NULL, 0, &h);
    if (!rv)
        remember(c, h);
    return rv;
}

static CK_RV op_gen_rsa(struct ctx *c)
{
    CK_OBJECT_HANDLE a, b;
    TRY("", gen_rsa(c->s, 2048, &no, "g", &a, &b));
    p11->C_DestroyObject(c->s, a);
    return p11->C_DestroyObject(c->s, b);
}

static CK_RV op_gen_ec(struct ctx *c)
{
    CK_OBJECT_HANDLE a, b;
    CK_RV rv = gen_ec(c->s, CKM_EC_KEY_PAIR_GEN, oid_p256, sizeof oid_p256, 0,
                      &no, "g", &a, &b);
    if (rv)
        return rv;
    p11->C_DestroyObject(c->s, a);
    return p11->C_DestroyObject(c->s, b);
}

static CK_RV op_gen_ec_token(struct ctx *c)
{
    CK_OBJECT_HANDLE a, b;
    CK_RV rv = gen_ec(c->s, CKM_EC_KEY_PAIR_GEN, oid_p256, sizeof oid_p256, 0,
                      &yes, "g", &a, &b);
    if (!rv) {
        remember(c, a);
        remember(c, b);
    }
    return rv;
}

static CK_RV find(CK_SESSION_HANDLE s, CK_ATTRIBUTE *a, CK_ULONG n,
                  CK_OBJECT_HANDLE *h, CK_ULONG max, CK_ULONG *found)
{
    CK_RV rv;
    TRY("C_FindObjectsInit", p11->C_FindObjectsInit(s, a, n));
    rv = failed("C_FindObjects", p11->C_FindObjects(s, h, max, found));
    p11->C_FindObjectsFinal(s);
    return rv;
}

static CK_RV find_fill(struct ctx *c, int by_id)
{
    char label[64];
    CK_BYTE id[4];
    CK_OBJECT_CLASS cls = CKO_SECRET_KEY;
    CK_OBJECT_HANDLE h;
    CK_ULONG n = 0;
    unsigned long i = (unsigned long)(rng() % (c->t->size && c->t->size < c->fill ? c->t->size : c->fill));
    CK_ATTRIBUTE a[] = {{CKA_CLASS, &cls, sizeof cls},
                        {CKA_LABEL, label, 0}};

    snprintf(label, sizeof label, FILL_LABEL, i);
    a[1].ulValueLen = strlen(label);
    if (by_id) {
        id[0] = (CK_BYTE)(i >> 24), id[1] = (CK_BYTE)(i >> 16);
        id[2] = (CK_BYTE)(i >> 8), id[3] = (CK_BYTE)i;
        a[1].type = CKA_ID;
        a[1].pValue = id;
        a[1].ulValueLen = 4;
    }
    TRY("find", find(c->s, a, 2, &h, 1, &n));
    return n == 1 ? CKR_OK : failed("find: no match", CKR_GENERAL_ERROR);
}

static CK_RV op_find_label(struct ctx *c) { return find_fill(c, 0); }
static CK_RV op_find_id(struct ctx *c) { return find_fill(c, 1); }

static CK_RV op_login(struct ctx *c)
{
    TRY("C_Logout", p11->C_Logout(c->s));
    return failed("C_Login", p11->C_Login(c->s, CKU_USER, (CK_BYTE *)pin,
                                          strlen(pin)));
}

/* set-ups: make the key, prepare input, run the operation once */

static CK_RV su_plain(struct ctx *c) { return c->t->op(c); }

static CK_RV su_sign(struct ctx *c)
{
    TRY("", need_pair(main_s, c->t->key));
    c->key = pairs[c->t->key].prv;
    return op_sign(c);
}

static CK_RV su_verify(struct ctx *c)
{
    TRY("", need_pair(main_s, c->t->key));
    c->key = pairs[c->t->key].prv;
    set_mech(c);
    TRY("C_SignInit", p11->C_SignInit(c->s, &c->m, c->key));
    c->sig_len = 1024;
    TRY("C_Sign", p11->C_Sign(c->s, c->in, c->in_len, c->sig, &c->sig_len));
    c->key = pairs[c->t->key].pub;
    return op_verify(c);
}

static CK_RV su_oaep(struct ctx *c)
{
    TRY("", need_pair(main_s, c->t->key));
    set_mech(c);
    TRY("C_EncryptInit",
        p11->C_EncryptInit(c->s, &c->m, pairs[c->t->key].pub));
    c->sig_len = 1024;
    TRY("C_Encrypt", p11->C_Encrypt(c->s, c->in, c->in_len, c->sig,
                                    &c->sig_len));
    c->key = pairs[c->t->key].prv;
    return op_decrypt(c);
}

static CK_RV su_aes(struct ctx *c)
{
    TRY("", need_secret(main_s, &aes_key));
    c->key = aes_key.prv;
    return op_encrypt(c);
}

static CK_RV su_sign_token(struct ctx *c)
{
    TRY("", need_token_pair(main_s));
    c->key = token_pair.prv;
    return op_sign(c);
}

static CK_RV su_aes_token(struct ctx *c)
{
    TRY("", need_secret(main_s, &token_key));
    c->key = token_key.prv;
    return op_encrypt(c);
}

static CK_RV su_aes_dec(struct ctx *c)
{
    CK_ULONG n = BUF_SIZE;
    TRY("", need_secret(main_s, &aes_key));
    c->key = aes_key.prv;
    set_mech(c);
    TRY("C_EncryptInit", p11->C_EncryptInit(c->s, &c->m, c->key));
    TRY("C_Encrypt", p11->C_Encrypt(c->s, c->in, c->in_len, c->sig, &n));
    c->sig_len = n;
    return op_decrypt(c);
}

static CK_RV su_hmac(struct ctx *c)
{
    TRY("", need_secret(main_s, &hmac_key));
    c->key = hmac_key.prv;
    return op_sign(c);
}

static CK_RV su_wrap(struct ctx *c)
{
    TRY("", need_secret(main_s, &aes_key));
    TRY("", need_secret(main_s, &wrap_key));
    return op_wrap(c);
}

static CK_RV su_derive(struct ctx *c)
{
    CK_RV rv;
    TRY("", need_pair(main_s, K_P256));
    c->key = pairs[K_P256].prv;
    memset(&c->par.ecdh, 0, sizeof c->par.ecdh);
    c->par.ecdh.kdf = CKD_NULL;
    c->par.ecdh.pPublicData = peer_point;
    c->par.ecdh.ulPublicDataLen = peer_point_len;
    if (peer_point_len == 67 && peer_point[0] == 4 && peer_point[1] == 65) {
        c->par.ecdh.pPublicData += 2; /* raw point first, then DER */
        c->par.ecdh.ulPublicDataLen -= 2;
    }
    rv = op_derive(c);
    if (rv != CKR_OK) {
        c->par.ecdh.pPublicData = peer_point;
        c->par.ecdh.ulPublicDataLen = peer_point_len;
        rv = op_derive(c);
    }
    return rv;
}

static CK_RV su_attr_token(struct ctx *c)
{
    TRY("", need_secret(main_s, &token_key));
    c->key = token_key.prv;
    return op_getattr(c);
}

static CK_RV su_attr_session(struct ctx *c)
{
    TRY("", need_secret(main_s, &aes_key));
    c->key = aes_key.prv;
    return op_getattr(c);
}

#define KIB 1024
#define MIB (1024 * 1024)

static const struct test tests[] = {
    {"session/open-close", su_plain, op_session, 0, -1, 0, 0, 0},
    {"random/32", su_plain, op_random, 0, -1, 32, 1, 0},
    {"sign/rsa2048-pkcs", su_sign, op_sign, CKM_RSA_PKCS, K_RSA2048, 51, 1, 0},
    {"sign/rsa2048-sha256", su_sign, op_sign, CKM_SHA256_RSA_PKCS, K_RSA2048, 64, 1, 0},
    {"sign/rsa2048-pss", su_sign, op_sign, CKM_SHA256_RSA_PKCS_PSS, K_RSA2048, 64, 1, 0},
    {"sign/rsa3072-pkcs", su_sign, op_sign, CKM_RSA_PKCS, K_RSA3072, 51, 1, 0},
    {"sign/rsa3072-sha256", su_sign, op_sign, CKM_SHA256_RSA_PKCS, K_RSA3072, 64, 1, 0},
    {"sign/rsa4096-pkcs", su_sign, op_sign, CKM_RSA_PKCS, K_RSA4096, 51, 1, 0},
    {"sign/rsa4096-sha256", su_sign, op_sign, CKM_SHA256_RSA_PKCS, K_RSA4096, 64, 1, 0},
    {"verify/rsa2048-sha256", su_verify, op_verify, CKM_SHA256_RSA_PKCS, K_RSA2048, 64, 1, 0},
    {"verify/rsa3072-sha256", su_verify, op_verify, CKM_SHA256_RSA_PKCS, K_RSA3072, 64, 1, 0},
    {"verify/rsa4096-sha256", su_verify, op_verify, CKM_SHA256_RSA_PKCS, K_RSA4096, 64, 1, 0},
    {"decrypt/rsa2048-oaep-sha256", su_oaep, op_decrypt, CKM_RSA_PKCS_OAEP, K_RSA2048, 32, 1, 0},
    {"decrypt/rsa2048-oaep-sha1", su_oaep, op_decrypt, CKM_RSA_PKCS_OAEP, K_RSA2048, 32, 1, 1},
    {"sign/ecdsa-p256", su_sign, op_sign, CKM_ECDSA, K_P256, 32, 1, 0},
    {"verify/ecdsa-p256", su_verify, op_verify, CKM_ECDSA, K_P256, 32, 1, 0},
    {"sign/ecdsa-p384", su_sign, op_sign, CKM_ECDSA, K_P384, 48, 1, 0},
    {"verify/ecdsa-p384", su_verify, op_verify, CKM_ECDSA, K_P384, 48, 1, 0},
    {"derive/ecdh-p256", su_derive, op_derive, CKM_ECDH1_DERIVE, K_P256, 0, 1, 0},
    {"sign/ed25519", su_sign, op_sign, CKM_EDDSA, K_ED25519, 32, 1, 0},
    {"encrypt/aes256-gcm-64", su_aes, op_encrypt, CKM_AES_GCM, -1, 64, 1, 0},
    {"encrypt/aes256-gcm-1k", su_aes, op_encrypt, CKM_AES_GCM, -1, KIB, 1, 0},
    {"encrypt/aes256-gcm-16k", su_aes, op_encrypt, CKM_AES_GCM, -1, 16 * KIB, 1, 0},
    {"encrypt/aes256-gcm-1m", su_aes, op_encrypt, CKM_AES_GCM, -1, MIB, 1, 0},
    {"encrypt/aes256-cbc-1k", su_aes, op_encrypt, CKM_AES_CBC, -1, KIB, 1, 0},
    {"encrypt/aes256-cbc-1m", su_aes, op_encrypt, CKM_AES_CBC, -1, MIB, 1, 0},
    {"decrypt/aes256-cbc-1m", su_aes_dec, op_decrypt, CKM_AES_CBC, -1, MIB, 1, 0},
    {"encrypt/aes256-ctr-1m", su_aes, op_encrypt, CKM_AES_CTR, -1, MIB, 1, 0},
    {"digest/sha256-64", su_plain, op_digest, CKM_SHA256, -1, 64, 1, 0},
    {"digest/sha256-1k", su_plain, op_digest, CKM_SHA256, -1, KIB, 1, 0},
    {"digest/sha256-1m", su_plain, op_digest, CKM_SHA256, -1, MIB, 1, 0},
    {"hmac/sha256-64", su_hmac, op_sign, CKM_SHA256_HMAC, -1, 64, 1, 0},
    {"hmac/sha256-1k", su_hmac, op_sign, CKM_SHA256_HMAC, -1, KIB, 1, 0},
    {"wrap/aes-kw-aes256", su_wrap, op_wrap, CKM_AES_KEY_WRAP, -1, 0, 1, 0},
    {"token-key/ecdsa-p256-sign", su_sign_token, op_sign, CKM_ECDSA, -1, 32, 1, 0},
    {"token-key/aes256-gcm-1k", su_aes_token, op_encrypt, CKM_AES_GCM, -1, KIB, 1, 0},
    {"token-key/aes256-cbc-1k", su_aes_token, op_encrypt, CKM_AES_CBC, -1, KIB, 1, 0},
    {"attr/session-key-3", su_attr_session, op_getattr, 0, -1, 0, 1, 0},
    {"attr/token-key-3", su_attr_token, op_getattr, 0, -1, 0, 1, 0},
    {"keygen/aes256-session", su_plain, op_gen_aes, 0, -1, 0, 1, 0},
    {"keygen/aes256-token", su_plain, op_gen_aes_token, 0, -1, 0, 1, 0},
    {"keygen/ec-p256-session", su_plain, op_gen_ec, 0, -1, 0, 1, 0},
    {"keygen/ec-p256-token", su_plain, op_gen_ec_token, 0, -1, 0, 1, 0},
    {"keygen/rsa2048-session", su_plain, op_gen_rsa, 0, -1, 0, 0, 0},
};
#define N_TESTS (sizeof tests / sizeof tests[0])

/* ----------------------------------------------------------------- runner */

static CK_RV ctx_open(struct ctx *c, const struct test *t)
{
    memset(c, 0, sizeof *c);
    c->t = t;
    c->in = calloc(1, BUF_SIZE);
    c->out = calloc(1, BUF_SIZE);
    c->sig = calloc(1, BUF_SIZE);
    if (!c->in || !c->out || !c->sig)
        abort();
    for (size_t i = 0; i < BUF_SIZE; i++)
        c->in[i] = (CK_BYTE)(i * 7 + 1);
    c->in_len = t->size;
    return failed("C_OpenSession",
                  p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION,
                                     NULL, NULL, &c->s));
}

/* destroys remembered token objects; returns seconds per object */
static double ctx_sweep(struct ctx *c)
{
    double t0 = now(), per = 0;
    size_t n = c->n_made;
    for (size_t i = 0; i < n; i++)
        p11->C_DestroyObject(c->s, c->made[i]);
    c->n_made = 0;
    if (n)
        per = (now() - t0) / (double)n;
    return per;
}

static void ctx_close(struct ctx *c)
{
    ctx_sweep(c);
    p11->C_CloseSession(c->s);
    free(c->in);
    free(c->out);
    free(c->sig);
    free(c->made);
}

static pthread_barrier_t gate;

static void *worker(void *arg)
{
    struct ctx *c = arg;
    unsigned long done = 0, batch = 1;
    double t0, t, last;

    pthread_barrier_wait(&gate);
    t0 = last = now();
    do {
        for (unsigned long i = 0; i < batch; i++) {
            c->rv = c->t->op(c);
            if (c->rv != CKR_OK) {
                c->ops = 0;
                c->count = 0;
                return NULL;
            }
        }
        done += batch;
        t = now();
        if (t - last < 0.001 && batch < 4096)
            batch *= 2;
        last = t;
    } while (t - t0 < rep_secs);
    c->ops = (double)done / (t - t0);
    c->count = done;
    return NULL;
}

/* one repeat on n threads; ops/s in total, or -1; *cpu: ops per CPU second */
static double run_once(struct ctx *c, int n, double *cpu)
{
    pthread_t th[MAX_THREADS];
    double sum = 0, count = 0, c0 = cpu_now();

    pthread_barrier_init(&gate, NULL, (unsigned)n);
    for (int i = 1; i < n; i++)
        pthread_create(&th[i], NULL, worker, &c[i]);
    worker(&c[0]);
    for (int i = 1; i < n; i++)
        pthread_join(th[i], NULL);
    c0 = cpu_now() - c0;
    pthread_barrier_destroy(&gate);
    for (int i = 0; i < n; i++) {
        if (c[i].rv != CKR_OK)
            return -1;
        sum += c[i].ops;
        count += (double)c[i].count;
    }
    *cpu = c0 > 0 ? count / c0 : 0;
    return sum;
}

static void skip(const char *name, CK_RV rv)
{
    fprintf(stderr, "skip\t%s\t%s\t0x%lx\n", name, fail_call,
            (unsigned long)rv);
}

static void run_test(const struct test *t, unsigned long fill)
{
    static struct ctx c[MAX_THREADS];
    double v1[64], vn[64], cpu1[64], cpun[64], sweep[64];
    int n = t->threaded ? nthreads : 1, k = 0, ok = 1, n_sweep = 0;
    CK_RV rv = CKR_OK;

    for (k = 0; k < n && rv == CKR_OK; k++) {
        rv = ctx_open(&c[k], t);
        c[k].fill = fill;
        if (rv == CKR_OK)
            rv = t->setup(&c[k]);
    }
    if (rv != CKR_OK) {
        skip(t->name, rv);
        ok = 0;
    }
    for (int r = 0; ok && r < reps; r++) {
        v1[r] = run_once(c, 1, &cpu1[r]);
        if (c[0].n_made)
            sweep[n_sweep++] = 1 / ctx_sweep(&c[0]);
        if (n > 1)
            vn[r] = run_once(c, n, &cpun[r]);
        if (v1[r] < 0 || (n > 1 && vn[r] < 0)) {
            skip(t->name, c[0].rv ? c[0].rv : c[n - 1].rv);
            ok = 0;
        }
    }
    if (ok) {
        report(t->name, 1, v1, cpu1, reps, "ops/s");
        if (n > 1)
            report(t->name, n, vn, cpun, reps, "ops/s");
    }
    if (n_sweep) {
        char name[96];
        snprintf(name, sizeof name, "destroy/%s",
                 strchr(t->name, '/') ? strchr(t->name, '/') + 1 : t->name);
        report(name, 1, sweep, NULL, n_sweep, "ops/s");
    }
    while (k--)
        ctx_close(&c[k]);
}

/* ------------------------------------------------- find with many objects */

static unsigned long n_fill;

static CK_RV fill_to(CK_SESSION_HANDLE s, unsigned long target, double *rate)
{
    double t0 = now();
    unsigned long from = n_fill;
    char label[64];
    CK_BYTE id[4];
    CK_OBJECT_HANDLE h;

    while (n_fill < target) {
        unsigned long i = n_fill;
        snprintf(label, sizeof label, FILL_LABEL, i);
        id[0] = (CK_BYTE)(i >> 24), id[1] = (CK_BYTE)(i >> 16);
        id[2] = (CK_BYTE)(i >> 8), id[3] = (CK_BYTE)i;
        TRY("fill", gen_aes(s, &yes, &no, label, id, 4, &h));
        n_fill++;
        if (now() - t0 > fill_secs)
            break;
    }
    *rate = n_fill > from ? (double)(n_fill - from) / (now() - t0) : 0;
    return n_fill == target ? CKR_OK : failed("fill too slow", CKR_CANCEL);
}

static void sweep_fill(CK_SESSION_HANDLE s)
{
    char label[64];
    CK_OBJECT_CLASS cls = CKO_SECRET_KEY;
    static CK_OBJECT_HANDLE h[4096];
    CK_ULONG n;
    CK_ATTRIBUTE a = {CKA_CLASS, &cls, sizeof cls};

    /* every secret key with a fill label; the label is read back */
    do {
        CK_ULONG hit = 0;
        if (find(s, &a, 1, h, 4096, &n) != CKR_OK)
            return;
        for (CK_ULONG i = 0; i < n; i++) {
            CK_ATTRIBUTE l = {CKA_LABEL, label, sizeof label};
            if (p11->C_GetAttributeValue(s, h[i], &l, 1) == CKR_OK &&
                l.ulValueLen != (CK_ULONG)-1 && l.ulValueLen >= 14 &&
                !memcmp(label, "p11bench-fill-", 14) &&
                p11->C_DestroyObject(s, h[i]) == CKR_OK)
                hit++;
        }
        if (!hit)
            return;
    } while (n == 4096);
}

static int wanted(const char *filter, const char *name)
{
    char buf[1024], *save = NULL;
    if (!*filter || !strcmp(filter, "-"))
        return 1;
    snprintf(buf, sizeof buf, "%s", filter);
    for (char *w = strtok_r(buf, ",", &save); w; w = strtok_r(NULL, ",", &save))
        if (!strncmp(w, name, strlen(w)))
            return 1;
    return 0;
}

static CK_RV su_attr_fill(struct ctx *c)
{
    CK_ULONG n = 0;
    CK_OBJECT_CLASS cls = CKO_SECRET_KEY;
    CK_ATTRIBUTE a[] = {{CKA_CLASS, &cls, sizeof cls},
                        {CKA_LABEL, "p11bench-fill-000000", 20}};
    TRY("find", find(c->s, a, 2, &c->key, 1, &n));
    return n == 1 ? op_getattr(c) : failed("find: no match", CKR_GENERAL_ERROR);
}

static void run_cold(CK_SESSION_HANDLE s, const char *self, unsigned long n);

static void run_find(CK_SESSION_HANDLE s, const char *filter)
{
    static const unsigned long levels[] = {1, 1000, 10000, 100000};
    char name[64];
    int keep = getenv("P11BENCH_KEEP") && atoi(getenv("P11BENCH_KEEP"));

    for (int l = 0; l < 4; l++) {
        double rate = 0, v;
        unsigned long n = levels[l];
        snprintf(name, sizeof name, "find/%lu", n);
        if (n > max_objects || !wanted(filter, name))
            continue;
        CK_RV rv = fill_to(s, n, &rate);
        snprintf(name, sizeof name, "fill/%lu", n_fill);
        if (rate > 0)
            report1(name, rate, "ops/s");
        if (rv != CKR_OK) {
            snprintf(name, sizeof name, "find/%lu", n);
            skip(name, rv);
            if (!n_fill)
                break;
            n = n_fill; /* measure at the level reached */
        }
        struct test t = {name, su_plain, op_find_label, 0, -1, 0, 1, 0};
        snprintf(name, sizeof name, "find/%lu-by-label", n);
        run_test(&t, n);
        snprintf(name, sizeof name, "find/%lu-by-id", n);
        t.op = op_find_id;
        run_test(&t, n);
        if (n > FEW) { /* a program that asks for the same few again and again */
            snprintf(name, sizeof name, "find/%lu-a-thousand-of-them", n);
            t.op = op_find_label;
            t.size = FEW;
            run_test(&t, n);
            t.size = 0;
        }
        v = (double)status_kib("VmRSS");
        snprintf(name, sizeof name, "mem/rss-after-find-%lu", n);
        report1(name, v, "KiB");
        snprintf(name, sizeof name, "attr/at-%lu", n);
        t.setup = su_attr_fill;
        t.op = op_getattr;
        run_test(&t, n);
        snprintf(name, sizeof name, "keygen/at-%lu", n);
        t.setup = su_plain;
        t.op = op_gen_aes_token;
        t.threaded = 0;
        run_test(&t, n);
        run_cold(s, "/proc/self/exe", n);
        if (rv != CKR_OK)
            break;
    }
    if (n_fill && !keep)
        sweep_fill(s);
}

/* ------------------------------------------------------------- start-up */

static CK_RV load(void)
{
    CK_RV (*get)(CK_FUNCTION_LIST **);
    struct { /* room for the extra pointer NSS softokn expects */
        CK_C_INITIALIZE_ARGS a;
        void *extra;
    } init;
    CK_SLOT_ID slots[64];
    CK_ULONG n = 64;
    void *lib = dlopen(module_path, RTLD_NOW | RTLD_LOCAL);

    if (!lib) {
        fprintf(stderr, "dlopen: %s\n", dlerror());
        exit(2);
    }
    *(void **)&get = dlsym(lib, "C_GetFunctionList");
    if (!get) {
        fprintf(stderr, "no C_GetFunctionList\n");
        exit(2);
    }
    TRY("C_GetFunctionList", get(&p11));
    memset(&init, 0, sizeof init);
    init.a.flags = CKF_OS_LOCKING_OK;
    init.a.pReserved = getenv("P11BENCH_INIT_ARGS");
    TRY("C_Initialize", p11->C_Initialize(&init));
    TRY("C_GetSlotList", p11->C_GetSlotList(CK_TRUE, slots, &n));
    for (CK_ULONG i = 0; i < n; i++) {
        CK_TOKEN_INFO ti;
        char label[33], id[24];
        if (p11->C_GetTokenInfo(slots[i], &ti) != CKR_OK)
            continue;
        memcpy(label, ti.label, 32);
        label[32] = 0;
        for (int k = 31; k >= 0 && label[k] == ' '; k--)
            label[k] = 0;
        snprintf(id, sizeof id, "%lu", (unsigned long)slots[i]);
        if (!strcmp(label, token_arg) || !strcmp(id, token_arg)) {
            slot = slots[i];
            return CKR_OK;
        }
    }
    return failed("token not found", CKR_TOKEN_NOT_PRESENT);
}

static CK_RV open_login(CK_SESSION_HANDLE *s)
{
    TRY("C_OpenSession",
        p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
                           NULL, s));
    if (*pin)
        TRY("C_Login",
            p11->C_Login(*s, CKU_USER, (CK_BYTE *)pin, strlen(pin)));
    return CKR_OK;
}

static CK_RV find_cold_key(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *h)
{
    CK_OBJECT_CLASS cls = CKO_PRIVATE_KEY;
    CK_ULONG n = 0;
    CK_ATTRIBUTE a[] = {{CKA_CLASS, &cls, sizeof cls},
                        {CKA_LABEL, COLD_LABEL, sizeof COLD_LABEL - 1}};
    TRY("find", find(s, a, 2, h, 1, &n));
    return n ? CKR_OK : failed("no cold key", CKR_KEY_HANDLE_INVALID);
}

/* the child of a cold/ test: the whole life of a short program */
static int cold_child(void)
{
    CK_SESSION_HANDLE s;
    CK_OBJECT_HANDLE h;
    CK_BYTE hash[32] = {1}, sig[256];
    CK_ULONG n = sizeof sig;
    CK_MECHANISM m = {CKM_ECDSA, NULL, 0};
    CK_RV rv = load();

    if (!rv)
        rv = open_login(&s);
    if (!rv)
        rv = find_cold_key(s, &h);
    if (!rv)
        rv = failed("C_SignInit", p11->C_SignInit(s, &m, h));
    if (!rv)
        rv = failed("C_Sign", p11->C_Sign(s, hash, 32, sig, &n));
    if (rv) {
        fprintf(stderr, "cold child: %s 0x%lx\n", fail_call,
                (unsigned long)rv);
        return 1;
    }
    p11->C_Finalize(NULL);
    return 0;
}

/* with n objects on the token already; 0: as many as there are */
static void run_cold(CK_SESSION_HANDLE s, const char *self, unsigned long n_objects)
{
    char name[64], at[32] = "";
    double ms[256], cpu[256], rss[256];
    int runs = getenv("P11BENCH_COLD_RUNS") ? atoi(getenv("P11BENCH_COLD_RUNS"))
                                            : 15;
    CK_OBJECT_HANDLE pub = 0, prv = 0;
    char *argv[] = {(char *)self, (char *)module_path, (char *)token_arg,
                    (char *)pin, "--cold-child", NULL};
    int n = 0;

    if (runs > 256)
        runs = 256;
    if (find_cold_key(s, &prv) != CKR_OK) {
        CK_RV rv = gen_ec(s, CKM_EC_KEY_PAIR_GEN, oid_p256, sizeof oid_p256, 0,
                          &yes, COLD_LABEL, &pub, &prv);
        if (rv != CKR_OK) {
            skip("cold", rv);
            return;
        }
    }
    for (int i = 0; i < runs; i++) {
        pid_t pid;
        int st;
        struct rusage ru;
        double t0 = now();
        if (posix_spawn(&pid, self, NULL, NULL, argv, environ))
            return;
        if (wait4(pid, &st, 0, &ru) < 0 || st != 0) {
            fprintf(stderr, "skip\tcold\tchild\t0x%x\n", (unsigned)st);
            return;
        }
        ms[n] = (now() - t0) * 1e3;
        cpu[n] = (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e3 +
                 (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e3;
        rss[n++] = (double)ru.ru_maxrss;
    }
    if (n_objects)
        snprintf(at, sizeof at, "-at-%lu", n_objects);
    snprintf(name, sizeof name, "cold/start-login-find-sign%s", at);
    report(name, 1, ms, NULL, n, "ms");
    snprintf(name, sizeof name, "cold/cpu%s", at);
    report(name, 1, cpu, NULL, n, "ms");
    snprintf(name, sizeof name, "mem/cold-peak-rss%s", at);
    report(name, 1, rss, NULL, n, "KiB");
}

static double env_num(const char *name, double dflt)
{
    const char *v = getenv(name);
    return v && *v ? atof(v) : dflt;
}

int main(int argc, char **argv)
{
    const char *filter = argc > 4 ? argv[4] : "";
    CK_SESSION_HANDLE s;
    CK_RV rv;

    if (argc < 4) {
        fprintf(stderr,
                "usage: %s MODULE TOKEN-LABEL-OR-SLOT PIN [FILTER] [THREADS]\n",
                argv[0]);
        return 2;
    }
    module_path = argv[1];
    token_arg = argv[2];
    pin = argv[3];
    if (!strcmp(filter, "--cold-child"))
        return cold_child();
    nthreads = argc > 5 ? atoi(argv[5]) : 1;
    if (nthreads < 1 || nthreads > MAX_THREADS)
        nthreads = 1;
    rep_secs = env_num("P11BENCH_SECS", 0.5);
    reps = (int)env_num("P11BENCH_REPS", 5);
    if (reps < 1 || reps > 64)
        reps = 5;
    max_objects = (unsigned long)env_num("P11BENCH_MAX_OBJECTS", 10000);
    fill_secs = env_num("P11BENCH_FILL_SECS", 120);

    if (!env_num("P11BENCH_NO_HEADER", 0))
        puts("test\tthreads\tvalue\tunit\tmin\tmax\tcpu");
    rv = load();
    if (!rv)
        rv = open_login(&s);
    if (rv) {
        fprintf(stderr, "%s: 0x%lx\n", fail_call, (unsigned long)rv);
        return 1;
    }
    main_s = s;
    if (wanted(filter, "mem/"))
        report1("mem/rss-after-login", (double)status_kib("VmRSS"), "KiB");
    for (size_t i = 0; i < N_TESTS; i++)
        if (wanted(filter, tests[i].name))
            run_test(&tests[i], 0);
    if (token_key.ready && token_key.rv == CKR_OK)
        p11->C_DestroyObject(s, token_key.prv);
    if (token_pair.ready && token_pair.rv == CKR_OK) {
        p11->C_DestroyObject(s, token_pair.prv);
        p11->C_DestroyObject(s, token_pair.pub);
    }
    run_find(s, filter);
    if (wanted(filter, "cold"))
        run_cold(s, "/proc/self/exe", 0);
    if (*pin && wanted(filter, "login")) { /* last: a logout drops objects */
        static const struct test t = {"login/logout-login", su_plain, op_login,
                                      0, -1, 0, 0, 0};
        run_test(&t, 0);
    }
    if (wanted(filter, "mem/"))
        report1("mem/peak-rss", (double)status_kib("VmHWM"), "KiB");
    p11->C_Finalize(NULL);
    return 0;
}
