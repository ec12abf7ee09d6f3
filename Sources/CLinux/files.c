#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <unistd.h>

ssize_t clinux_getdents(int directory, void *buffer, size_t n) {
    return syscall(SYS_getdents64, directory, buffer, n);
}

static int lock_byte(int fd, int command, short type, off_t byte, struct flock *lock) {
    *lock = (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    int result;
    do result = fcntl(fd, command, lock);
    while (result < 0 && errno == EINTR);
    return result;
}

int clinux_lock(int fd, off_t byte, int exclusive, int wait) {
    struct flock lock;
    return lock_byte(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, exclusive ? F_WRLCK : F_RDLCK, byte, &lock);
}

int clinux_unlock(int fd, off_t byte) {
    struct flock lock;
    return lock_byte(fd, F_OFD_SETLK, F_UNLCK, byte, &lock);
}

int clinux_rename_noreplace(int from_directory, const char *from, int to_directory, const char *to) {
    return renameat2(from_directory, from, to_directory, to, RENAME_NOREPLACE);
}

int clinux_begin_writeout(int fd) {
    return sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int clinux_await_writeout(int fd) {
    return sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
}

int clinux_sync_file_system(int fd) {
    struct statfs status;
    if (fstatfs(fd, &status) != 0) return -1;
    switch ((unsigned long)status.f_type) {
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case TMPFS_MAGIC:
        clinux_work()->syncs++;
        return syncfs(fd);
    default:
        errno = EOPNOTSUPP;
        return -1;
    }
}

int clinux_ticker(int seconds) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct itimerspec every = {.it_value.tv_sec = seconds, .it_interval.tv_sec = seconds};
    if (fd >= 0) timerfd_settime(fd, 0, &every, NULL);
    return fd;
}

int clinux_is_on_network(int fd) {
    struct statfs status;
    if (fstatfs(fd, &status) != 0) return 0;
    switch ((uint32_t)status.f_type) {
    case NFS_SUPER_MAGIC:
    case CEPH_SUPER_MAGIC:
    case CIFS_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case SMB2_SUPER_MAGIC:
    case FUSE_SUPER_MAGIC: /* GlusterFS, MooseFS and others */
    case V9FS_MAGIC:
    case AFS_SUPER_MAGIC:
    case AFS_FS_MAGIC:
    case CODA_SUPER_MAGIC:
    case OCFS2_SUPER_MAGIC:
    case 0x01161970: /* GFS2 */
    case 0x0bd00bd0: /* Lustre */
    case 0x19830326: /* BeeGFS */
    case 0x47504653: /* GPFS */
        return 1;
    default:
        return 0;
    }
}

void clinux_ask_server(int fd) {
    struct statx status;
    statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &status);
}

int clinux_o_noatime(void) {
    return O_NOATIME;
}
