/*
 * The practical bound of the probe's walk: the same records with as little CPU as Linux lets us spend on them.
 *
 *     walker sha256|stat THREADS DIRECTORY...
 *
 * It prints what driftscan/capture/probe/walk.py prints for the same directories without rules, record by record
 * (that file describes the format), in whatever order the threads finish. walks.py refuses to measure where the two
 * differ. What it leaves out is what its measured trees do not have: mounts of pseudo and remote file systems, and
 * holes of sparse files, which it reads as zeros.
 *
 * Each directory is read once: a thread takes one from the stack, pushes those below it, and records the rest.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    OPEN = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
    BUFFER = 1 << 18,
    BATCH = 1 << 16,         /* bytes of records that a thread keeps before it takes the lock of the output */
    XATTR_SPACE = 1 << 16,   /* the kernel's own limit, of the list of names and of one value (xattr(7)) */
    XATTR_LIMIT = 4096,      /* a longer value is recorded by its digest */
    MOST_THREADS = 64,
};

/* Bytes that grow. */
struct text {
    char *data;
    size_t length, room;
};

/* Directories that wait. `busy` threads may still push, so an empty stack is the end only when it is 0. */
struct stack {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char **paths;
    size_t count, room, busy;
};

struct worker {
    struct text out, path, extended, digest;
    EVP_MD_CTX *context;
    unsigned char buffer[BUFFER];
    char names[XATTR_SPACE], value[XATTR_SPACE];
};

static struct stack stack = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;
static EVP_MD *sha256; /* fetched once: looking it up by name costs more than hashing a small file */
static bool reading;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void check(int succeeded)
{
    if (!succeeded) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
}

static void *allocate(void *old, size_t size)
{
    void *new = realloc(old, size);
    if (!new)
        die("realloc");
    return new;
}

static void put(struct text *text, const void *data, size_t length)
{
    if (text->room - text->length < length) {
        text->room = 2 * (text->room + length);
        text->data = allocate(text->data, text->room);
    }
    if (length)
        memcpy(text->data + text->length, data, length);
    text->length += length;
}

static void put_string(struct text *text, const char *string)
{
    put(text, string, strlen(string));
}

/* printf(3) would cost as much as a system call for each record. */
static void put_number(struct text *text, unsigned long long value, unsigned base, int digits)
{
    char space[32], *end = space + sizeof space, *at = end;
    for (; value || digits > 0; value /= base, digits--)
        *--at = (char)('0' + value % base);
    put(text, at, (size_t)(end - at));
}

static void put_column(struct text *text, unsigned long long value)
{
    put(text, " ", 1);
    put_number(text, value, 10, 1);
}

/* Nanoseconds since the epoch; both parts of a time before it count from below. */
static void put_time(struct text *text, struct timespec time)
{
    long long value = time.tv_sec * 1000000000LL + time.tv_nsec;
    put(text, " -", value < 0 ? 2 : 1);
    put_number(text, value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value, 10, 1);
}

static void put_hexadecimal(struct text *text, const void *data, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    for (const unsigned char *byte = data; length--; byte++) {
        char pair[2] = {digits[*byte >> 4], digits[*byte & 15]};
        put(text, pair, 2);
    }
}

static void flush(struct worker *worker)
{
    pthread_mutex_lock(&output);
    for (size_t done = 0; done < worker->out.length;) {
        ssize_t written = write(STDOUT_FILENO, worker->out.data + done, worker->out.length - done);
        if (written < 0)
            die("write");
        done += (size_t)written;
    }
    pthread_mutex_unlock(&output);
    worker->out.length = 0;
}

/* --- what a record is made of --- */

static const char *reason_of(int error)
{
    if (error == EACCES || error == EPERM)
        return "forbidden";
    return error == ENOENT || error == ELOOP || error == ENOTDIR ? "raced" : "failed";
}

static char type_of(mode_t mode)
{
    return "?pc?d?b?f?l?s???"[IFTODT(mode)]; /* by the numbers DT_FIFO = 1 ... DT_SOCK = 12 */
}

static void put_flags(struct text *text, int handle)
{
    static const int bits[] = {FS_IMMUTABLE_FL, FS_APPEND_FL, FS_SYNC_FL,  FS_DIRSYNC_FL,        FS_NODUMP_FL,
                               FS_NOATIME_FL,   FS_COMPR_FL,  FS_NOCOW_FL, 0x100000 /* verity */};
    size_t before = text->length;
    int value = 0;
    if (handle >= 0 && !ioctl(handle, FS_IOC_GETFLAGS, &value))
        for (size_t index = 0; index < sizeof bits / sizeof *bits; index++)
            if (value & bits[index])
                put(text, &"iaSDdAcCV"[index], 1);
    if (text->length == before)
        put(text, "-", 1);
}

static int by_bytes(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* A name, with what separates pairs written as chattr-like octal escapes. */
static void put_name(struct text *text, const char *name)
{
    for (; *name; name++)
        if (*name == '\\' || *name == ',' || *name == '=') {
            put(text, "\\", 1);
            put_number(text, (unsigned char)*name, 8, 3);
        } else {
            put(text, name, 1);
        }
}

static void put_value(struct text *text, const void *value, size_t length)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size;
    struct text named = {0};
    if (length <= XATTR_LIMIT) {
        put_hexadecimal(text, value, length);
        return;
    }
    check(EVP_Digest(value, length, digest, &size, sha256, NULL));
    put_string(&named, "sha256:");
    put_hexadecimal(&named, digest, size);
    put_hexadecimal(text, named.data, named.length);
    free(named.data);
}

/* All pairs or none: a list that was cut short by an error would look like a file that has fewer. */
static bool put_pairs(struct worker *worker, int handle, const char *path, ssize_t listed)
{
    const char *sorted[XATTR_SPACE / 2];
    size_t count = 0;
    for (const char *name = worker->names; name < worker->names + listed; name += strlen(name) + 1)
        sorted[count++] = name;
    qsort(sorted, count, sizeof *sorted, by_bytes);
    for (size_t index = 0; index < count; index++) {
        ssize_t length = handle >= 0 ? fgetxattr(handle, sorted[index], worker->value, XATTR_SPACE)
                                     : lgetxattr(path, sorted[index], worker->value, XATTR_SPACE);
        if (length < 0)
            return false;
        if (index)
            put(&worker->extended, ",", 1);
        put_name(&worker->extended, sorted[index]);
        put(&worker->extended, "=", 1);
        put_value(&worker->extended, worker->value, (size_t)length);
    }
    return true;
}

/* Extended attributes of an open file, or, where there is no handle, of a path whose link is not followed. */
static void read_extended(struct worker *worker, int handle, const char *path)
{
    ssize_t listed = handle >= 0 ? flistxattr(handle, worker->names, XATTR_SPACE)
                                 : llistxattr(path, worker->names, XATTR_SPACE);
    worker->extended.length = 0;
    if (listed > 0 && !put_pairs(worker, handle, path, listed))
        worker->extended.length = 0;
}

/* One entry; `handle` is below 0 where it was not opened. Extended attributes were read before. */
static void put_record(struct worker *worker, const char *path, const struct stat *status, int handle,
                       const char *digest, const char *target)
{
    struct text *out = &worker->out;
    char type = type_of(status->st_mode);
    put(out, &type, 1);
    put(out, " ", 1);
    put_number(out, status->st_mode & 07777, 8, 4);
    put_column(out, status->st_uid);
    put_column(out, status->st_gid);
    if (type == 'b' || type == 'c') {
        put_column(out, major(status->st_rdev));
        put(out, ":", 1);
        put_number(out, minor(status->st_rdev), 10, 1);
    } else {
        put_column(out, (unsigned long long)status->st_size);
    }
    put_column(out, status->st_nlink);
    put_time(out, status->st_mtim);
    put_time(out, status->st_ctim);
    put_column(out, status->st_ino);
    put_column(out, status->st_dev);
    put(out, " ", 1);
    put_string(out, digest);
    put_string(out, " - ");
    put_flags(out, handle);
    put(out, "", 1);
    put(out, path, strlen(path) + 1);
    put(out, target, strlen(target) + 1);
    put(out, worker->extended.data, worker->extended.length);
    put(out, "", 1);
    if (out->length > BATCH)
        flush(worker);
}

static void put_skipped(struct worker *worker, const char *path, int error)
{
    put_string(&worker->out, "X ");
    put_string(&worker->out, reason_of(error));
    put(&worker->out, "", 1);
    put(&worker->out, path, strlen(path) + 1);
    put(&worker->out, "\0", 2);
}

/* --- the walk --- */

/* Without touching the access time, where the kernel lets us. */
static int open_quietly(int parent, const char *name, int flags)
{
    int handle = openat(parent, name, flags | O_NOATIME);
    return handle < 0 && errno == EPERM ? openat(parent, name, flags) : handle;
}

static bool same(const struct stat *before, const struct stat *after)
{
    return before->st_size == after->st_size &&
           !memcmp(&before->st_mtim, &after->st_mtim, sizeof before->st_mtim) &&
           !memcmp(&before->st_ctim, &after->st_ctim, sizeof before->st_ctim);
}

/* The digest of the content as text, or `!` and a reason. Whether the file grew meanwhile is seen by the fstat(2) that
 * follows, so the read(2) that would only say that it ends here is saved. */
static void digest_of(struct worker *worker, int handle, off_t expected, struct text *digest)
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned size;
    ssize_t length;
    digest->length = 0;
    check(EVP_DigestInit_ex2(worker->context, sha256, NULL));
    for (off_t done = 0; done < expected; done += length) {
        length = pread(handle, worker->buffer, BUFFER, done);
        if (length < 0) {
            put_string(digest, "!");
            put(digest, reason_of(errno), strlen(reason_of(errno)) + 1);
            return;
        }
        if (!length)
            break;
        check(EVP_DigestUpdate(worker->context, worker->buffer, (size_t)length));
    }
    check(EVP_DigestFinal_ex(worker->context, raw, &size));
    put_hexadecimal(digest, raw, size);
    put(digest, "", 1);
}

/* A regular file with its digest; it is read again once if it changed meanwhile. */
static void opened(struct worker *worker, int handle, const char *path)
{
    struct stat before, after;
    bool settled = false;
    worker->extended.length = 0;
    if (fstat(handle, &before))
        die("fstat");
    if (!S_ISREG(before.st_mode)) { /* swapped for something else since it was listed */
        put_record(worker, path, &before, -1, "!raced", "");
        return;
    }
    for (int attempt = 0; attempt < 2 && !settled; attempt++) {
        digest_of(worker, handle, before.st_size, &worker->digest);
        if (fstat(handle, &after))
            die("fstat");
        settled = same(&before, &after);
        before = after;
    }
    read_extended(worker, handle, NULL);
    put_record(worker, path, &before, handle, settled ? worker->digest.data : "!raced", "");
}

/* An entry that is not a directory. */
static void entry(struct worker *worker, int parent, const char *name, const char *path, unsigned char type)
{
    struct stat status;
    char target[4096] = "", digest[16] = "-";
    if (type == DT_REG && reading) {
        int handle = open_quietly(parent, name, OPEN);
        if (handle >= 0) {
            opened(worker, handle, path);
            close(handle);
            return;
        }
        snprintf(digest, sizeof digest, "!%s", reason_of(errno));
    }
    if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) ||
        (S_ISLNK(status.st_mode) && readlinkat(parent, name, target, sizeof target - 1) < 0)) {
        put_skipped(worker, path, errno);
        return;
    }
    worker->extended.length = 0;
    if (!S_ISLNK(status.st_mode)) /* the walk tells none of links */
        read_extended(worker, -1, path);
    put_record(worker, path, &status, -1, digest, target);
}

static void push(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        die("strdup");
    pthread_mutex_lock(&stack.lock);
    if (stack.count == stack.room) {
        stack.room = 2 * stack.room + 64;
        stack.paths = allocate(stack.paths, stack.room * sizeof *stack.paths);
    }
    stack.paths[stack.count++] = copy;
    pthread_cond_signal(&stack.changed);
    pthread_mutex_unlock(&stack.lock);
}

/* The next directory, or NULL when there is none and no other thread can find one. */
static char *take(bool first)
{
    char *path = NULL;
    pthread_mutex_lock(&stack.lock);
    if (!first)
        stack.busy--;
    while (!stack.count && stack.busy)
        pthread_cond_wait(&stack.changed, &stack.lock);
    if (stack.count) {
        path = stack.paths[--stack.count];
        stack.busy++;
    } else {
        pthread_cond_broadcast(&stack.changed);
    }
    pthread_mutex_unlock(&stack.lock);
    return path;
}

static unsigned char type_in(int parent, const struct dirent *found)
{
    struct stat status;
    if (found->d_type != DT_UNKNOWN)
        return found->d_type;
    return fstatat(parent, found->d_name, &status, AT_SYMLINK_NOFOLLOW) ? DT_UNKNOWN : IFTODT(status.st_mode);
}

static void entries(struct worker *worker, DIR *directory, const char *path)
{
    const struct dirent *found;
    int handle = dirfd(directory);
    size_t length = strlen(path);
    while ((errno = 0, found = readdir(directory))) {
        const char *name = found->d_name;
        if (!strcmp(name, ".") || !strcmp(name, ".."))
            continue;
        worker->path.length = 0;
        put(&worker->path, path, length);
        put(&worker->path, "/", 1);
        put(&worker->path, name, strlen(name) + 1);
        unsigned char type = type_in(handle, found);
        if (type == DT_DIR)
            push(worker->path.data);
        else
            entry(worker, handle, name, worker->path.data, type);
    }
    if (errno)
        put_skipped(worker, path, errno);
}

/* A directory's own record, and those of what lies in it. */
static void walk(struct worker *worker, const char *path)
{
    struct stat status;
    int handle = open_quietly(AT_FDCWD, path, OPEN | O_DIRECTORY), error = errno;
    if (handle < 0) {
        if (!lstat(path, &status)) {
            read_extended(worker, -1, path);
            put_record(worker, path, &status, -1, "-", "");
        }
        put_skipped(worker, path, error);
        return;
    }
    if (fstat(handle, &status))
        die("fstat");
    read_extended(worker, handle, NULL);
    put_record(worker, path, &status, handle, "-", "");
    DIR *directory = fdopendir(handle);
    if (!directory)
        die("fdopendir");
    entries(worker, directory, path);
    closedir(directory);
}

static void *work(void *unused)
{
    struct worker *worker = allocate(NULL, sizeof *worker);
    (void)unused;
    memset(worker, 0, offsetof(struct worker, buffer));
    worker->context = EVP_MD_CTX_new();
    check(worker->context != NULL);
    for (char *path = take(true); path; path = take(false)) {
        walk(worker, path);
        free(path);
    }
    flush(worker);
    return NULL; /* the process ends soon, and with it what the worker holds */
}

int main(int count, char **words)
{
    pthread_t threads[MOST_THREADS];
    int wanted = count > 2 ? atoi(words[2]) : 0;
    if (count < 4 || wanted < 1 || wanted > MOST_THREADS) {
        fprintf(stderr, "usage: %s sha256|stat THREADS DIRECTORY...\n", words[0]);
        return 2;
    }
    reading = !strcmp(words[1], "sha256");
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    check(sha256 != NULL);
    for (int index = 3; index < count; index++)
        push(words[index]);
    for (int index = 0; index < wanted; index++)
        if ((errno = pthread_create(&threads[index], NULL, work, NULL)))
            die("pthread_create");
    for (int index = 0; index < wanted; index++)
        if ((errno = pthread_join(threads[index], NULL)))
            die("pthread_join");
    return 0;
}
