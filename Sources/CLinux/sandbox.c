#define _GNU_SOURCE
#include "clinux.h"

#include <dlfcn.h>
#include <iconv.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The three calls have the same numbers on every architecture; older headers do not know them. */
#ifndef __NR_landlock_create_ruleset
#define __NR_landlock_create_ruleset 444
#define __NR_landlock_add_rule 445
#define __NR_landlock_restrict_self 446
#endif

/* As far as we use it; the kernel takes a shorter or longer one, if what it does not know is 0. */
struct ruleset {
    uint64_t file_system, network, scoped;
};

int clinux_landlock_version(void) {
    return (int)syscall(__NR_landlock_create_ruleset, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);
}

int clinux_landlock_ruleset(uint64_t file_system, uint64_t network, uint64_t scoped) {
    struct ruleset rules = {file_system, network, scoped};
    return (int)syscall(__NR_landlock_create_ruleset, &rules, sizeof rules, 0);
}

int clinux_landlock_allow(int ruleset, int directory, uint64_t file_system) {
    struct landlock_path_beneath_attr rule = {.allowed_access = file_system, .parent_fd = directory};
    return (int)syscall(__NR_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

int clinux_landlock_enforce(int ruleset) { return (int)syscall(__NR_landlock_restrict_self, ruleset, 0); }

int clinux_seccomp_can_kill_process(void) {
    uint32_t action = SECCOMP_RET_KILL_PROCESS;
    return (int)syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action);
}

int clinux_seccomp_install(const struct sock_filter *program, unsigned short count) {
    struct sock_fprog filter = {.len = count, .filter = (struct sock_filter *)program};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
}

const char *clinux_c_library(void) {
    Dl_info info;
    return dladdr((void *)iconv_open, &info) ? info.dli_fname : NULL;
}
