/* Stands between the library and the kernel (LD_PRELOAD): lets one call about the files of a folder fail, or writes down
 * all that changes them, in order. The test arms it, and says in between what has been acknowledged.
 *
 *   IO_SHIM_ROOT   the folder; other files are left alone
 *   IO_SHIM_FAIL   "N KIND": the N-th call after arming fails; KIND is eio, enospc, eintr or short. With kill or stop
 *                  the process dies or stops before the N-th of those that change something
 *   IO_SHIM_TRACE  a file for the record: op, path, offset, bytes
 *   IO_SHIM_OUTAGE the disk is out of order as long as the shim is armed: eio, enospc or erofs is what every call answers that changes
 *                  something; sync is EIO for each wait for the disk
 *   IO_SHIM_SLOW   milliseconds that the disk takes for a sync
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define MOST_FILES 1024

static char root[PATH_MAX];
static size_t root_length;
static atomic_int armed;
static atomic_long calls;
static long fail_at;
static char fail_kind[16];
static int trace = -1;
static unsigned slow;
static int outage, sync_outage;
static atomic_char ours[MOST_FILES];

__attribute__((constructor)) static void begin(void) {
    const char *value = getenv("IO_SHIM_ROOT");
    if (!value || !realpath(value, root)) return;
    root_length = strlen(root);
    if ((value = getenv("IO_SHIM_FAIL"))) sscanf(value, "%ld %15s", &fail_at, fail_kind);
    if ((value = getenv("IO_SHIM_OUTAGE"))) {
        outage = !strcmp(value, "eio") ? EIO : !strcmp(value, "enospc") ? ENOSPC : !strcmp(value, "erofs") ? EROFS : 0;
        sync_outage = !strcmp(value, "sync");
    }
    if ((value = getenv("IO_SHIM_SLOW"))) slow = (unsigned)strtoul(value, NULL, 10);
    if ((value = getenv("IO_SHIM_TRACE")))
        trace = (int)syscall(SYS_openat, AT_FDCWD, value, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

void io_shim_arm(int on) { atomic_store(&armed, on); }
long io_shim_calls(void) { return atomic_load(&calls); }

static int is_ours(int fd) { return root_length && fd >= 0 && fd < MOST_FILES && atomic_load(&ours[fd]); }

/* The path of an open file; nothing for one elsewhere. */
static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return strncmp(path, root, root_length) == 0 && path[root_length] == '/';
}

static void note(char op, const char *path, uint64_t offset, const void *bytes, uint32_t length) {
    if (trace < 0) return;
    uint32_t name = (uint32_t)strlen(path);
    char head[32];
    head[0] = op;
    memcpy(head + 1, &name, 4);
    memcpy(head + 5, &offset, 8);
    memcpy(head + 13, &length, 4);
    size_t size = 17 + (size_t)name + length;
    char *record = malloc(size);
    memcpy(record, head, 17);
    memcpy(record + 17, path, name);
    if (length) memcpy(record + 17 + name, bytes, length);
    if (syscall(SYS_write, trace, record, size) != (long)size) abort();
    free(record);
}

static void note_fd(char op, int fd, uint64_t offset, const void *bytes, size_t length) {
    char path[PATH_MAX];
    if (trace >= 0 && path_of(fd, path)) note(op, path + root_length + 1, offset, bytes, (uint32_t)length);
}

/* What the test has been told is done. */
void io_shim_acknowledge(const char *text) { note('A', text, 0, NULL, 0); }

/* Whether this call is the one that fails; how, is in errno and, for a part that is done, in the answer. */
static int fails(int changes) {
    int stops = !strcmp(fail_kind, "stop"), kills = stops || !strcmp(fail_kind, "kill");
    if (!atomic_load(&armed) || (kills && !changes)) return 0;
    if (outage && changes) {
        errno = outage;
        return 1;
    }
    if (atomic_fetch_add(&calls, 1) + 1 != fail_at) return 0;
    if (kills) {
        raise(stops ? SIGSTOP : SIGKILL);
        return 0;
    }
    if (!strcmp(fail_kind, "eio")) errno = EIO;
    else if (!strcmp(fail_kind, "enospc")) errno = ENOSPC;
    else if (!strcmp(fail_kind, "eintr")) errno = EINTR;
    else return 2;
    return 1;
}

static int opened(int fd, int flags) {
    char path[PATH_MAX];
    if (fd >= 0 && fd < MOST_FILES && root_length) {
        int own = path_of(fd, path);
        atomic_store(&ours[fd], (char)own);
        if (own && (flags & O_CREAT)) note('C', path + root_length + 1, 0, NULL, 0);
    }
    return fd;
}

static int in_root(const char *path) { return root_length && strncmp(path, root, root_length) == 0; }

static mode_t mode_of(int flags, va_list *list) {
    return (flags & (O_CREAT | O_TMPFILE)) ? (mode_t)va_arg(*list, int) : 0;
}

#define OPEN(name)                                                                  \
    int name(const char *path, int flags, ...) {                                    \
        va_list list;                                                               \
        va_start(list, flags);                                                      \
        mode_t mode = mode_of(flags, &list);                                        \
        va_end(list);                                                               \
        if (in_root(path) && fails(!!(flags & O_CREAT)) == 1) return -1;              \
        return opened((int)syscall(SYS_openat, AT_FDCWD, path, flags, mode), flags); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                            \
    int name(int folder, const char *path, int flags, ...) {                    \
        va_list list;                                                           \
        va_start(list, flags);                                                  \
        mode_t mode = mode_of(flags, &list);                                    \
        va_end(list);                                                           \
        if ((is_ours(folder) || in_root(path)) && fails(!!(flags & O_CREAT)) == 1) return -1; \
        return opened((int)syscall(SYS_openat, folder, path, flags, mode), flags); \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *bytes, size_t length) {
    if (!is_ours(fd)) return syscall(SYS_write, fd, bytes, length);
    int how = fails(1);
    if (how == 1) return -1;
    if (how == 2 && length > 1) length /= 2;
    off_t offset = (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
    ssize_t done = syscall(SYS_write, fd, bytes, length);
    if (done > 0) note_fd('W', fd, (uint64_t)offset, bytes, (size_t)done);
    return done;
}

#define PWRITE(name)                                                                \
    ssize_t name(int fd, const void *bytes, size_t length, off_t offset) {          \
        if (!is_ours(fd)) return syscall(SYS_pwrite64, fd, bytes, length, offset);  \
        int how = fails(1);                                                          \
        if (how == 1) return -1;                                                    \
        if (how == 2 && length > 1) length /= 2;                                    \
        ssize_t done = syscall(SYS_pwrite64, fd, bytes, length, offset);            \
        if (done > 0) note_fd('W', fd, (uint64_t)offset, bytes, (size_t)done);      \
        return done;                                                                \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t read(int fd, void *bytes, size_t length) {
    if (is_ours(fd)) {
        int how = fails(0);
        if (how == 1) return -1;
        if (how == 2 && length > 1) length /= 2;
    }
    return syscall(SYS_read, fd, bytes, length);
}

#define PREAD(name)                                                    \
    ssize_t name(int fd, void *bytes, size_t length, off_t offset) {   \
        if (is_ours(fd)) {                                             \
            int how = fails(0);                                         \
            if (how == 1) return -1;                                   \
            if (how == 2 && length > 1) length /= 2;                   \
        }                                                              \
        return syscall(SYS_pread64, fd, bytes, length, offset);        \
    }
PREAD(pread)
PREAD(pread64)

#define SYNC(name, number)                              \
    int name(int fd) {                                  \
        if (is_ours(fd) && fails(1) == 1) return -1;     \
        if (is_ours(fd) && sync_outage && atomic_load(&armed)) { \
            errno = EIO;                                \
            return -1;                                  \
        }                                               \
        if (is_ours(fd) && slow) usleep(1000 * slow);   \
        int done = (int)syscall(number, fd);            \
        if (is_ours(fd) && done == 0) note_fd('S', fd, 0, NULL, 0); \
        return done;                                    \
    }
SYNC(fsync, SYS_fsync)
SYNC(fdatasync, SYS_fdatasync)

#define TRUNCATE(name)                                                          \
    int name(int fd, off_t length) {                                            \
        if (is_ours(fd) && fails(1) == 1) return -1;                             \
        int done = (int)syscall(SYS_ftruncate, fd, length);                     \
        if (is_ours(fd) && done == 0) note_fd('T', fd, (uint64_t)length, NULL, 0); \
        return done;                                                            \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

int unlink(const char *path) {
    if (in_root(path) && fails(1) == 1) return -1;
    int done = (int)syscall(SYS_unlink, path);
    if (in_root(path) && done == 0) note('U', path + root_length + 1, 0, NULL, 0);
    return done;
}

int close(int fd) {
    if (fd >= 0 && fd < MOST_FILES) atomic_store(&ours[fd], 0);
    return (int)syscall(SYS_close, fd);
}
