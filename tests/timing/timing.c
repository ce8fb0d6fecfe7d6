/*
 * Whether the time of a call tells something of a secret: PINs, MACs, paddings, wrapped keys. Two classes of input, each of which is
 * refused in the same words, or taken in the same words.
 *
 *   timing LIBRARY short|full [NAME...]       the HSM is made by tests/timing/run; profile standard
 *
 * One line a question: `ok timing-NAME ...` or `FAIL timing-NAME ...`. What exceeds the limit is asked once more with another order
 * and twice the measurements: chance does not do it again, and a leak does it more. The last question is the control, a comparison
 * of this program's own that stops at the first difference; it must be found out.
 */
#include <dlfcn.h>
#include <string.h>

#include "cryptoki.h"

#include "welch.h"

#include "cloudhsm_pkcs11_vendor_defs.h"

#define POOL 128

static CK_FUNCTION_LIST *p11;
static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE hmac_key, aes_key, rsa_public, rsa_private, made;
static CK_MECHANISM mechanism;
static CK_BYTE inputs[2][POOL][512], input[512], output[512], message[64], iv[16];
static CK_ULONG lengths[2][POOL], length;
static CK_RV answer;

static void must(const char *what, CK_RV rv)
{
    if (rv != CKR_OK) {
        fprintf(stderr, "%s: 0x%lx\n", what, rv);
        exit(2);
    }
}

/*
 * The input of a class into the one place from which the library reads it. Both classes are read, whichever is wanted: what the cache
 * holds must not tell them apart, or the test would measure itself.
 */
static void choose(int class)
{
    size_t which = dice() % POOL;
    uint64_t mask = -(uint64_t)class;
    for (size_t at = 0; at < sizeof input; at += sizeof mask) {
        uint64_t zero, one;
        memcpy(&zero, &inputs[0][which][at], sizeof zero);
        memcpy(&one, &inputs[1][which][at], sizeof one);
        zero ^= (zero ^ one) & mask;
        memcpy(&input[at], &zero, sizeof zero);
    }
    length = lengths[0][which] ^ ((lengths[0][which] ^ lengths[1][which]) & mask);
}

static void fill(int class, size_t which, const CK_BYTE *bytes, CK_ULONG count)
{
    memcpy(inputs[class][which], bytes, count);
    lengths[class][which] = count;
}

/* ------------------------------------------------------------------------------------------ MACs and tags: which byte is wrong */

static void right_mac(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key)
{
    CK_BYTE mac[64];
    CK_ULONG size = sizeof mac;
    mechanism = (CK_MECHANISM){type, NULL, 0};
    must("C_SignInit", p11->C_SignInit(session, &mechanism, key));
    must("C_Sign", p11->C_Sign(session, message, sizeof message, mac, &size));
    for (size_t at = 0; at < POOL; at++) {
        fill(0, at, mac, size);
        inputs[0][at][0] ^= (CK_BYTE)(1 + at);
        fill(1, at, mac, size);
        inputs[1][at][size - 1] ^= (CK_BYTE)(1 + at);
    }
}

static CK_OBJECT_HANDLE mac_key;

static void begin_mac(int class)
{
    choose(class);
    must("C_VerifyInit", p11->C_VerifyInit(session, &mechanism, mac_key));
}

static void verify(void) { answer = p11->C_Verify(session, message, sizeof message, input, length); }

static void begin_decrypt(int class)
{
    choose(class);
    must("C_DecryptInit", p11->C_DecryptInit(session, &mechanism, aes_key));
}

static void decrypt(void)
{
    CK_ULONG room = sizeof output;
    answer = p11->C_Decrypt(session, input, length, output, &room);
}

static CK_GCM_PARAMS gcm;

static void sealed(void)
{
    CK_BYTE text[128];
    CK_ULONG size = sizeof text;
    gcm = (CK_GCM_PARAMS){.pIv = iv, .ulIvLen = 12, .ulIvBits = 96, .ulTagBits = 128};
    mechanism = (CK_MECHANISM){CKM_AES_GCM, &gcm, sizeof gcm};
    must("C_EncryptInit", p11->C_EncryptInit(session, &mechanism, aes_key));
    must("C_Encrypt", p11->C_Encrypt(session, message, sizeof message, text, &size));
    for (size_t at = 0; at < POOL; at++) {
        fill(0, at, text, size);
        inputs[0][at][size - 16] ^= (CK_BYTE)(1 + at);
        fill(1, at, text, size);
        inputs[1][at][size - 1] ^= (CK_BYTE)(1 + at);
    }
}

/* ------------------------------------------------------------------------------------------------------- CBC: the padding */

/* Class 0: the last byte is no length. Class 1: it says 16, and the first of the sixteen says otherwise. */
static void padded(void)
{
    CK_MECHANISM plain = {CKM_AES_CBC, iv, sizeof iv};
    for (int class = 0; class < 2; class++)
        for (size_t at = 0; at < POOL; at++) {
            CK_BYTE text[64], cipher[64];
            CK_ULONG size = sizeof cipher;
            for (size_t byte = 0; byte < sizeof text; byte++)
                text[byte] = (CK_BYTE)dice();
            memset(text + 48, 16, 16);
            if (class)
                text[48] = (CK_BYTE)(32 + at);
            else
                text[63] = (CK_BYTE)(32 + at);
            must("C_EncryptInit", p11->C_EncryptInit(session, &plain, aes_key));
            must("C_Encrypt", p11->C_Encrypt(session, text, sizeof text, cipher, &size));
            fill(class, at, cipher, size);
        }
    mechanism = (CK_MECHANISM){CKM_AES_CBC_PAD, iv, sizeof iv};
}

/* ---------------------------------------------------------------------------------------------- AES key wrap: the check value */

/* RFC 3394: wrapped under another initial value that differs in its first byte, or in its last. */
static void wrapped(void)
{
    CK_BBOOL yes = CK_TRUE;
    CK_ULONG size = 32;
    CK_ATTRIBUTE template[] = {{CKA_VALUE_LEN, &size, sizeof size}, {CKA_EXTRACTABLE, &yes, 1}};
    CK_MECHANISM generate = {CKM_AES_KEY_GEN, NULL, 0};
    CK_OBJECT_HANDLE payload;
    must("C_GenerateKey", p11->C_GenerateKey(session, &generate, template, 2, &payload));
    for (int class = 0; class < 2; class++)
        for (size_t at = 0; at < POOL; at++) {
            CK_BYTE initial[8], blob[64];
            CK_ULONG room = sizeof blob;
            memset(initial, 0xa6, sizeof initial);
            initial[class ? 7 : 0] ^= (CK_BYTE)(1 + at);
            CK_MECHANISM wrap = {CKM_AES_KEY_WRAP, initial, sizeof initial};
            must("C_WrapKey", p11->C_WrapKey(session, &wrap, aes_key, payload, blob, &room));
            fill(class, at, blob, room);
        }
    mechanism = (CK_MECHANISM){CKM_AES_KEY_WRAP, NULL, 0};
}

static CK_OBJECT_HANDLE unwrapping;

static void begin_unwrap(int class)
{
    if (made)
        must("C_DestroyObject", p11->C_DestroyObject(session, made));
    made = 0;
    choose(class);
}

static void unwrap(void)
{
    static CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    static CK_KEY_TYPE type = CKK_AES;
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}};
    answer = p11->C_UnwrapKey(session, &mechanism, unwrapping, input, length, template, 2, &made);
}

/* --------------------------------------------------------------------------- PKCS#1 v1.5: a padding that is right or wrong */

/* Class 0: messages in a right padding. Class 1: `kind` 0, another block type; `kind` 1, no end of the padding. */
static void in_pkcs1(int kind, int as_key)
{
    CK_MECHANISM raw = {CKM_RSA_X_509, NULL, 0};
    for (int class = 0; class < 2; class++)
        for (size_t at = 0; at < POOL; at++) {
            CK_BYTE block[256], cipher[256];
            CK_ULONG size = sizeof cipher;
            for (size_t byte = 0; byte < sizeof block; byte++)
                block[byte] = (CK_BYTE)(1 + dice() % 255);
            block[0] = 0;
            block[1] = class && kind == 0 ? 1 : 2;
            if (!(class && kind == 1))
                /* Keys of the lengths that the library's answer to a wrong padding may have. */
                block[255 - (as_key ? 16 + 8 * (dice() % 3) : 32)] = 0;
            must("C_EncryptInit", p11->C_EncryptInit(session, &raw, rsa_public));
            must("C_Encrypt", p11->C_Encrypt(session, block, sizeof block, cipher, &size));
            fill(class, at, cipher, size);
        }
    mechanism = (CK_MECHANISM){CKM_RSA_PKCS, NULL, 0};
}

static void begin_rsa(int class)
{
    choose(class);
    must("C_DecryptInit", p11->C_DecryptInit(session, &mechanism, rsa_private));
}

/* -------------------------------------------------------------------------------------------------------------- PINs */

static const char *right_pin = "alice:alice-password";
static char pins[2][64];
static int wrong_in_a_row;

static void log_in_rightly(void)
{
    must("C_Login", p11->C_Login(session, CKU_USER, (CK_BYTE *)right_pin, strlen(right_pin)));
    must("C_Logout", p11->C_Logout(session));
    wrong_in_a_row = 0;
}

/* After five wrong ones the user would be locked. */
static void begin_login(int class)
{
    if (wrong_in_a_row == 4)
        log_in_rightly();
    wrong_in_a_row += strncmp(pins[class], "alice:", 6) == 0;
    length = strlen(pins[class]);
    memcpy(input, pins[class], sizeof pins[class]);
}

static void log_in(void) { answer = p11->C_Login(session, CKU_USER, input, length); }

/* -------------------------------------------------------------------------------------------------------- the control */

static CK_BYTE own_mac[32];

static void begin_leaky(int class)
{
    choose(class);
    must("C_SignInit", p11->C_SignInit(session, &mechanism, hmac_key));
}

/* A MAC that is made by the library and compared as no one should. */
static void leaky(void)
{
    CK_ULONG size = sizeof own_mac;
    answer = p11->C_Sign(session, message, sizeof message, own_mac, &size);
    for (volatile CK_ULONG at = 0; at < size; at++)
        if (own_mac[at] != input[at])
            break;
}

/* -------------------------------------------------------------------------------------------------------------- all of it */

static int full, failures;
static char **chosen;

static int wanted(const char *name)
{
    for (char **one = chosen; *one; one++)
        if (strcmp(*one, name) == 0)
            return 1;
    return !*chosen;
}

/* Asks, and says what came of it. Both classes must be answered with `code`. */
static void ask(const struct subject *subject, CK_RV code, int leaks)
{
    double median, t;
    size_t samples = subject->samples;
    const char *unit = subject->of_thread ? "ns" : "ticks";
    subject->prepare(0);
    subject->run();
    CK_RV first = answer;
    subject->prepare(1);
    subject->run();
    if (first != code || answer != code) {
        printf("FAIL timing-%s: the classes are answered 0x%lx and 0x%lx\n", subject->name, first, answer);
        failures++;
        return;
    }
    t = largest_t(subject, samples, 20231116, &median);
    if (!leaks && t >= LIMIT) {
        printf("timing-%s: |t| = %.2f of %zu, asked again\n", subject->name, t, samples);
        samples *= 2;
        t = largest_t(subject, samples, 19980604, &median);
    }
    int good = leaks ? t >= LIMIT : t < LIMIT;
    failures += !good;
    printf("%s timing-%s: |t| = %.2f of %zu measurements, median %.0f %s%s\n", good ? "ok" : "FAIL", subject->name, t, samples,
        median, unit, leaks ? " (the control: it must exceed 4.5)" : "");
    fflush(stdout);
}

static void keys(void)
{
    CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
    CK_KEY_TYPE generic = CKK_GENERIC_SECRET;
    CK_BYTE value[32] = {1, 2, 3}, exponent[] = {1, 0, 1};
    CK_BBOOL yes = CK_TRUE;
    CK_ULONG bits = 2048, size = 32;
    CK_ATTRIBUTE mac[] = {{CKA_CLASS, &secret, sizeof secret}, {CKA_KEY_TYPE, &generic, sizeof generic},
        {CKA_VALUE, value, sizeof value}, {CKA_SIGN, &yes, 1}, {CKA_VERIFY, &yes, 1}};
    CK_ATTRIBUTE aes[] = {{CKA_VALUE_LEN, &size, sizeof size}, {CKA_ENCRYPT, &yes, 1}, {CKA_DECRYPT, &yes, 1},
        {CKA_WRAP, &yes, 1}, {CKA_UNWRAP, &yes, 1}, {CKA_SIGN, &yes, 1}, {CKA_VERIFY, &yes, 1}};
    CK_ATTRIBUTE public[] = {{CKA_MODULUS_BITS, &bits, sizeof bits}, {CKA_PUBLIC_EXPONENT, exponent, sizeof exponent},
        {CKA_ENCRYPT, &yes, 1}, {CKA_WRAP, &yes, 1}};
    CK_ATTRIBUTE private[] = {{CKA_DECRYPT, &yes, 1}, {CKA_UNWRAP, &yes, 1}};
    CK_MECHANISM of_aes = {CKM_AES_KEY_GEN, NULL, 0}, of_rsa = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
    must("C_CreateObject", p11->C_CreateObject(session, mac, 5, &hmac_key));
    must("C_GenerateKey", p11->C_GenerateKey(session, &of_aes, aes, 7, &aes_key));
    must("C_GenerateKeyPair", p11->C_GenerateKeyPair(session, &of_rsa, public, 4, private, 2, &rsa_public, &rsa_private));
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: timing LIBRARY short|full [NAME...]\n");
        return 2;
    }
    void *library = dlopen(argv[1], RTLD_NOW);
    CK_C_GetFunctionList list = library ? (CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList") : NULL;
    if (!list) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    full = strcmp(argv[2], "full") == 0;
    chosen = argv + 3;
    must("C_GetFunctionList", list(&p11));
    must("C_Initialize", p11->C_Initialize(NULL));
    CK_SLOT_ID slot;
    CK_ULONG count = 1;
    must("C_GetSlotList", p11->C_GetSlotList(CK_TRUE, &slot, &count));
    must("C_OpenSession", p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session));
    size_t fast = full ? 10000000 : 300000, slow = full ? 200000 : 4000, logins = full ? 4000 : 200;
    dice_state = 1;

    log_in_rightly();
    strcpy(pins[0], "nobody:alice-passworx"), strcpy(pins[1], "alice:alice-passworx");
    if (wanted("pin-of-nobody"))
        ask(&(struct subject){"pin-of-nobody", logins, begin_login, log_in, 1}, CKR_PIN_INCORRECT, 0);
    strcpy(pins[0], "alice:alice-passworx"), strcpy(pins[1], "alice:xlice-password");
    if (wanted("pin-prefix"))
        ask(&(struct subject){"pin-prefix", logins, begin_login, log_in, 1}, CKR_PIN_INCORRECT, 0);
    log_in_rightly();

    must("C_Login", p11->C_Login(session, CKU_USER, (CK_BYTE *)right_pin, strlen(right_pin)));
    keys();
    if (wanted("hmac"))
        mac_key = hmac_key, right_mac(CKM_SHA256_HMAC, hmac_key),
        ask(&(struct subject){"hmac", fast, begin_mac, verify, 0}, CKR_SIGNATURE_INVALID, 0);
    if (wanted("cmac"))
        mac_key = aes_key, right_mac(CKM_AES_CMAC, aes_key),
        ask(&(struct subject){"cmac", fast, begin_mac, verify, 0}, CKR_SIGNATURE_INVALID, 0);
    if (wanted("gcm-tag"))
        sealed(), ask(&(struct subject){"gcm-tag", fast, begin_decrypt, decrypt, 0}, CKR_ENCRYPTED_DATA_INVALID, 0);
    if (wanted("cbc-padding"))
        padded(), ask(&(struct subject){"cbc-padding", fast, begin_decrypt, decrypt, 0}, CKR_ENCRYPTED_DATA_INVALID, 0);
    if (wanted("aes-key-unwrap"))
        unwrapping = aes_key, wrapped(),
        ask(&(struct subject){"aes-key-unwrap", fast / 5, begin_unwrap, unwrap, 0}, CKR_WRAPPED_KEY_INVALID, 0);
    if (wanted("rsa-decrypt-block-type"))
        in_pkcs1(0, 0), ask(&(struct subject){"rsa-decrypt-block-type", slow, begin_rsa, decrypt, 0}, CKR_OK, 0);
    if (wanted("rsa-decrypt-no-end"))
        in_pkcs1(1, 0), ask(&(struct subject){"rsa-decrypt-no-end", slow, begin_rsa, decrypt, 0}, CKR_OK, 0);
    if (wanted("rsa-unwrap"))
        unwrapping = rsa_private, in_pkcs1(0, 1),
        ask(&(struct subject){"rsa-unwrap", slow, begin_unwrap, unwrap, 0}, CKR_OK, 0);
    if (wanted("leaky-compare"))
        right_mac(CKM_SHA256_HMAC, hmac_key),
        ask(&(struct subject){"leaky-compare", fast, begin_leaky, leaky, 0}, CKR_OK, 1);
    return failures != 0;
}
