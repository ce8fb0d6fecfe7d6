/*
 * Threads of one process on sessions, objects, logins and the end of the library, for a checker of threads to look on.
 *
 *   threads LIBRARY PIN ROUNDS [planted]      planted: and a thread reads beyond an allocation, which the checker must see
 *
 * Four threads open sessions, find, make, use and destroy keys; one logs out and in again beneath them; at last one ends the library
 * while the others call it. Each call must answer with one of the codes that the standard has for what may have happened meanwhile.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cryptoki.h"

#define WORKERS 4

static CK_FUNCTION_LIST *p11;
static CK_SLOT_ID slot;
static char *pin;
static int rounds;
static atomic_int failures, ending;
static atomic_long calls;

/* What may come of a call whose session, login, key or library another thread may have ended. */
static int fine(CK_RV rv)
{
    switch (rv) {
    case CKR_OK:
    case CKR_USER_NOT_LOGGED_IN:
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_SESSION_CLOSED:
    case CKR_OBJECT_HANDLE_INVALID:
    case CKR_KEY_HANDLE_INVALID:
    case CKR_OPERATION_NOT_INITIALIZED:
        return 1;
    case CKR_CRYPTOKI_NOT_INITIALIZED:
        return ending;
    default:
        return 0;
    }
}

static CK_RV checked(const char *what, CK_RV rv)
{
    calls++;
    if (!fine(rv)) {
        printf("FAIL threads-%s: 0x%lx\n", what, rv);
        failures++;
    }
    return rv;
}
#define CALL(function, ...) checked(#function, p11->function(__VA_ARGS__))

static void round_of_work(void)
{
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key = 0, found[8];
    CK_ULONG size = 32, count = 0, length;
    CK_BBOOL yes = CK_TRUE;
    CK_BYTE iv[16] = {0}, data[64] = {0}, out[80], random[16];
    CK_ATTRIBUTE template[] = {{CKA_VALUE_LEN, &size, sizeof size}, {CKA_ENCRYPT, &yes, 1}, {CKA_LABEL, "of a thread", 11}};
    CK_MECHANISM generate = {CKM_AES_KEY_GEN, NULL, 0}, cbc = {CKM_AES_CBC, iv, sizeof iv}, sha = {CKM_SHA256, NULL, 0};
    if (CALL(C_OpenSession, slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session) != CKR_OK)
        return;
    if (CALL(C_GenerateKey, session, &generate, template, 3, &key) == CKR_OK) {
        length = sizeof out;
        if (CALL(C_EncryptInit, session, &cbc, key) == CKR_OK)
            CALL(C_Encrypt, session, data, sizeof data, out, &length);
        if (CALL(C_FindObjectsInit, session, template + 2, 1) == CKR_OK) {
            CALL(C_FindObjects, session, found, 8, &count);
            CALL(C_FindObjectsFinal, session);
        }
        CALL(C_GetAttributeValue, session, key, (CK_ATTRIBUTE[]){{CKA_VALUE_LEN, &size, sizeof size}}, 1);
        CALL(C_DestroyObject, session, key);
    }
    length = sizeof out;
    if (CALL(C_DigestInit, session, &sha) == CKR_OK)
        CALL(C_Digest, session, data, sizeof data, out, &length);
    CALL(C_GenerateRandom, session, random, sizeof random);
    CALL(C_CloseSession, session);
}

static void *work(void *unused)
{
    (void)unused;
    for (int at = 0; at < rounds; at++)
        round_of_work();
    return NULL;
}

static void *read_beyond(void *memory)
{
    if (*(volatile char *)memory)
        calls++;
    return NULL;
}

static void *work_to_the_end(void *unused)
{
    (void)unused;
    for (int at = 0; at < 4 * rounds; at++)
        round_of_work();
    return NULL;
}

static void log_in(CK_SESSION_HANDLE session)
{
    CK_RV rv = p11->C_Login(session, CKU_USER, (CK_BYTE *)pin, strlen(pin));
    if (rv != CKR_OK) {
        printf("FAIL threads-C_Login: 0x%lx\n", rv);
        exit(1);
    }
}

static void start(pthread_t *threads, void *(*run)(void *))
{
    for (int at = 0; at < WORKERS; at++)
        if (pthread_create(&threads[at], NULL, run, NULL) != 0)
            exit(2);
}

static void join(pthread_t *threads)
{
    for (int at = 0; at < WORKERS; at++)
        pthread_join(threads[at], NULL);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: threads LIBRARY PIN ROUNDS [planted]\n");
        return 2;
    }
    void *library = dlopen(argv[1], RTLD_NOW);
    CK_C_GetFunctionList list = library ? (CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList") : NULL;
    CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};
    CK_SESSION_HANDLE keeper;
    CK_ULONG count = 1;
    pthread_t threads[WORKERS];
    pin = argv[2];
    rounds = atoi(argv[3]);
    if (!list || list(&p11) != CKR_OK || p11->C_Initialize(&arguments) != CKR_OK ||
        p11->C_GetSlotList(CK_TRUE, &slot, &count) != CKR_OK ||
        p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &keeper) != CKR_OK) {
        fprintf(stderr, "the library cannot be started\n");
        return 2;
    }
    if (argc == 5) {
        char *memory = calloc(1, 64);
        if (memory && pthread_create(threads, NULL, read_beyond, memory + 64) == 0)
            pthread_join(*threads, NULL);
        free(memory);
    }
    log_in(keeper);
    start(threads, work);
    for (int at = 0; at < 3; at++) {
        CALL(C_Logout, keeper);
        log_in(keeper);
    }
    join(threads);
    /* And the end beneath them. */
    ending = 1;
    start(threads, work_to_the_end);
    round_of_work();
    CALL(C_Finalize, NULL);
    join(threads);
    printf("%s threads (%ld calls)\n", failures ? "FAIL" : "ok", (long)calls);
    return failures != 0;
}
