/* A list of what was done to files and is not on the disk yet, each with what it takes to undo it.
 *
 * The model: the bytes of a file are on the disk once that file was synced. A new name is there once its directory, or the
 * file itself, was synced; a rename or removal once a directory that it changed was. What was not synced may be there or not,
 * but in order: if a change of names is, all that were before it in the list are. Every journalling file system keeps at
 * least this. */
#define _GNU_SOURCE
#include "memory.h"
#include "faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum type { MADE, RENAMED, REMOVED, REMOVED_DIRECTORY, WRITTEN };

struct change {
    enum type type;
    int is_dropped;
    /* Synced with any of these, the change is on the disk. */
    ino_t inodes[2];
    /* Where it was done: descriptors of our own. */
    int from, to;
    char old[256], new[256];
    /* The name in `spare` of the file that was removed or replaced; 0: none. */
    long spare;
    /* WRITTEN: as the file was. */
    off_t size, offset;
    size_t length;
    char *bytes;
};

static struct change *changes;
static size_t used, room;
static int spare = -1;
static dev_t device;
static uint64_t chance;
static long spares;
int memory_is_busy;

int memory_is_on(void) { return spare >= 0 && !memory_is_busy; }

void faults_remember(const char *directory, const char *spare_directory, uint64_t seed) {
    struct stat status;
    memory_is_busy++;
    spare = open(spare_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    device = stat(directory, &status) == 0 ? status.st_dev : 0;
    chance = seed;
    used = 0;
    memory_is_busy--;
}

/* Does something between saving and restoring errno, unless it is our own call. */
#define QUIETLY(body) do { \
    if (!memory_is_on()) return; \
    int code = errno; \
    memory_is_busy++; \
    body \
    memory_is_busy--; \
    errno = code; \
} while (0)

static struct change *add(enum type type) {
    if (used == room) {
        room = room ? 2 * room : 256;
        changes = realloc(changes, room * sizeof *changes);
        if (!changes) abort();
    }
    struct change *change = &changes[used++];
    memset(change, 0, sizeof *change);
    change->type = type;
    change->from = change->to = -1;
    return change;
}

static ino_t inode_of(int fd, const char *path) {
    struct stat status;
    int result = path ? fstatat(fd, path, &status, AT_SYMLINK_NOFOLLOW) : fstat(fd, &status);
    return result == 0 && status.st_dev == device ? status.st_ino : 0;
}

static int copy_of(int directory) {
    return directory == AT_FDCWD ? open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : fcntl(directory, F_DUPFD_CLOEXEC, 500);
}

void memory_made(int directory, const char *path) {
    QUIETLY({
        struct change *change = add(MADE);
        change->from = copy_of(directory);
        change->inodes[0] = inode_of(change->from, NULL);
        change->inodes[1] = inode_of(directory, path);
        snprintf(change->old, sizeof change->old, "%s", path);
    });
}

static void keep_spare(struct change *change, int directory, const char *path) {
    char name[32];
    snprintf(name, sizeof name, "%ld", spares + 1);
    if (linkat(directory, path, spare, name, 0) == 0) change->spare = ++spares;
}

void memory_renames(int from, const char *old, int to, const char *new) {
    QUIETLY({
        struct change *change = add(RENAMED);
        change->from = copy_of(from);
        change->to = copy_of(to);
        change->inodes[0] = inode_of(change->from, NULL);
        change->inodes[1] = inode_of(change->to, NULL);
        snprintf(change->old, sizeof change->old, "%s", old);
        snprintf(change->new, sizeof change->new, "%s", new);
        keep_spare(change, to, new);
    });
}

void memory_removes(int directory, const char *path, int flags) {
    QUIETLY({
        struct change *change = add(flags & AT_REMOVEDIR ? REMOVED_DIRECTORY : REMOVED);
        change->from = copy_of(directory);
        change->inodes[0] = inode_of(change->from, NULL);
        snprintf(change->old, sizeof change->old, "%s", path);
        if (!(flags & AT_REMOVEDIR)) keep_spare(change, directory, path);
    });
}

static void drop(struct change *change) {
    if (change->is_dropped) return;
    change->is_dropped = 1;
    if (change->from >= 0) close(change->from);
    if (change->to >= 0) close(change->to);
    free(change->bytes);
    if (change->spare) {
        char name[32];
        snprintf(name, sizeof name, "%ld", change->spare);
        unlinkat(spare, name, 0);
    }
}

void memory_forget_last(void) {
    QUIETLY({ if (used > 0) { drop(&changes[used - 1]); used--; } });
}

static void writes(int fd, off_t offset, size_t n, off_t new_size) {
    struct stat status;
    if (fstat(fd, &status) != 0 || status.st_dev != device || !S_ISREG(status.st_mode)) return;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct change *change = add(WRITTEN);
    int copy = open(path, O_RDWR | O_CLOEXEC);
    change->from = copy < 0 ? -1 : fcntl(copy, F_DUPFD_CLOEXEC, 500);
    if (copy >= 0) close(copy);
    change->inodes[0] = status.st_ino;
    change->size = status.st_size;
    change->offset = offset;
    if (new_size >= 0 && new_size < status.st_size) {
        change->offset = new_size;
        n = status.st_size - new_size;
    }
    if (change->offset < status.st_size) {
        change->bytes = malloc(n);
        ssize_t got = change->bytes ? pread(change->from, change->bytes, n, change->offset) : 0;
        change->length = got > 0 ? (size_t)got : 0;
    }
}

void memory_writes(int fd, off_t offset, size_t n) { QUIETLY({ writes(fd, offset, n, -1); }); }
void memory_truncates(int fd, off_t size) { QUIETLY({ writes(fd, size, 0, size); }); }

void memory_synced(int fd) {
    QUIETLY({
        ino_t inode = inode_of(fd, NULL);
        for (size_t i = 0; i < used; i++) {
            struct change *change = &changes[i];
            if (inode && (change->inodes[0] == inode || change->inodes[1] == inode)) drop(change);
        }
        while (used > 0 && changes[used - 1].is_dropped) used--;
    });
}

void memory_synced_all(void) {
    QUIETLY({
        while (used > 0) drop(&changes[--used]);
    });
}

static void undo(struct change *change) {
    char name[32];
    snprintf(name, sizeof name, "%ld", change->spare);
    switch (change->type) {
    case MADE:
        if (unlinkat(change->from, change->old, 0) != 0) unlinkat(change->from, change->old, AT_REMOVEDIR);
        break;
    case RENAMED:
        renameat(change->to, change->new, change->from, change->old);
        if (change->spare) linkat(spare, name, change->to, change->new, 0);
        break;
    case REMOVED:
        if (change->spare) linkat(spare, name, change->from, change->old, 0);
        break;
    case REMOVED_DIRECTORY:
        mkdirat(change->from, change->old, 0700);
        break;
    case WRITTEN:
        if (ftruncate(change->from, change->size) != 0) break;
        if (change->length) (void)!pwrite(change->from, change->bytes, change->length, change->offset);
        break;
    }
}

static uint64_t next_chance(void) {
    chance ^= chance << 13;
    chance ^= chance >> 7;
    return chance ^= chance << 17;
}

void memory_cut(void) {
    memory_is_busy++;
    /* Names survive up to here, by chance. */
    size_t first = chance && used ? next_chance() % (used + 1) : 0;
    for (size_t i = used; i-- > 0;) {
        struct change *change = &changes[i];
        if (change->is_dropped) continue;
        int survives = change->type == WRITTEN ? chance && next_chance() % 2 : i < first;
        if (!survives) undo(change);
    }
    /* A spare is a second name, which the file would not have. */
    for (long i = 1; i <= spares; i++) {
        char name[32];
        snprintf(name, sizeof name, "%ld", i);
        unlinkat(spare, name, 0);
    }
}
