/*
 * start - what a program waits for before it can work with a PKCS#11 module.
 *
 *   start MODULE PIN RUNS
 *
 * In RUNS processes one after the other: dlopen and C_Initialize; then C_OpenSession and C_Login; then a search that finds
 * nothing. Prints the median of each in microseconds of wall-clock time and of CPU time, and the resident memory after the
 * login in KiB.
 *
 * Build: cc -O2 -Iinclude -o start tools/dev/bench/start.c -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pkcs11.h"

enum { LOADED, LOGGED_IN, SEARCHED, STEPS, MOST = 256 };
struct figures {
    double wall[STEPS], cpu[STEPS], resident;
};

static double clock_of(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void fail(const char *what)
{
    fprintf(stderr, "start: %s failed\n", what);
    _exit(1);
}

static double resident(void)
{
    char line[256];
    double kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        sscanf(line, "VmRSS: %lf", &kib);
    return kib;
}

static void child(char **argv, int out)
{
    struct figures f;
    CK_FUNCTION_LIST *p11;
    CK_RV (*get)(CK_FUNCTION_LIST **);
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    CK_SLOT_ID slot[64];
    CK_ULONG slots = 64, found;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE object;
    CK_ATTRIBUTE label = {CKA_LABEL, "no such label", 13};
    double wall = clock_of(CLOCK_MONOTONIC), cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID);
    void *library = dlopen(argv[1], RTLD_NOW);
    if (!library)
        fail("dlopen");
    *(void **)&get = dlsym(library, "C_GetFunctionList");
    if (get(&p11) || p11->C_Initialize(&args))
        fail("C_Initialize");
#define STEP(at)                                                          \
    f.wall[at] = clock_of(CLOCK_MONOTONIC) - wall, wall += f.wall[at];    \
    f.cpu[at] = clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu, cpu += f.cpu[at]
    STEP(LOADED);
    if (p11->C_GetSlotList(CK_TRUE, slot, &slots) || p11->C_OpenSession(slot[0], CKF_SERIAL_SESSION, NULL, NULL, &session) ||
        p11->C_Login(session, CKU_USER, (CK_BYTE *)argv[2], strlen(argv[2])))
        fail("C_Login");
    STEP(LOGGED_IN);
    f.resident = resident();
    if (p11->C_FindObjectsInit(session, &label, 1) || p11->C_FindObjects(session, &object, 1, &found) ||
        p11->C_FindObjectsFinal(session))
        fail("C_FindObjects");
    STEP(SEARCHED);
    if (write(out, &f, sizeof f) != sizeof f)
        fail("write");
    p11->C_Finalize(NULL);
    _exit(0);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, ascending);
    return values[n / 2];
}

int main(int argc, char **argv)
{
    static double wall[STEPS][MOST], cpu[STEPS][MOST], kib[MOST];
    static const char *names[] = {"dlopen and C_Initialize", "C_OpenSession and C_Login", "the first search"};
    int runs = argc == 4 ? atoi(argv[3]) : 0, pipes[2], status;
    struct figures f;
    if (runs < 1 || runs > MOST || pipe(pipes)) {
        fprintf(stderr, "usage: start MODULE PIN RUNS (at most %d)\n", MOST);
        return 2;
    }
    for (int run = 0; run < runs; run++) {
        pid_t pid = fork();
        if (pid == 0)
            child(argv, pipes[1]);
        if (waitpid(pid, &status, 0) < 0 || status != 0 || read(pipes[0], &f, sizeof f) != sizeof f)
            return 1;
        for (int at = 0; at < STEPS; at++)
            wall[at][run] = f.wall[at], cpu[at][run] = f.cpu[at];
        kib[run] = f.resident;
    }
    for (int at = 0; at < STEPS; at++)
        printf("%-28s %9.0f us wall %9.0f us CPU\n", names[at], median(wall[at], runs), median(cpu[at], runs));
    printf("%-28s %9.0f KiB\n", "resident after the login", median(kib, runs));
    return 0;
}
