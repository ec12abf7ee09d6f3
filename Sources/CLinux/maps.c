#define _GNU_SOURCE
#include "own.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

_Alignas(512) struct clinux_own clinux_own;

static struct sigaction previous;
static long page_size;

static void bus_error(int signal, siginfo_t *info, void *context) {
    (void)context;
    uintptr_t address = (uintptr_t)info->si_addr;
    int count = atomic_load(&clinux_own.used);
    for (int i = 0; i < count && info->si_code == BUS_ADRERR; i++) {
        uintptr_t start = atomic_load(&clinux_own.maps[i].start);
        if (start < 2 || address < start || address >= atomic_load(&clinux_own.maps[i].end)) continue;
        int code = errno;
        void *page = (void *)(address & ~(uintptr_t)(page_size - 1));
        void *zeros = mmap(page, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        errno = code;
        if (zeros == MAP_FAILED) break;
        atomic_store(&clinux_own.maps[i].is_lost, 1);
        return;
    }
    /* Not ours: what would have happened without us happens when the instruction is tried again. */
    sigaction(signal, &previous, NULL);
}

static void install(void) {
    page_size = sysconf(_SC_PAGESIZE);
    struct sigaction action = {.sa_sigaction = bus_error, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &previous);
}

int clinux_guard_map(const void *start, size_t size) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    for (int i = 0; i < CLINUX_MAPS; i++) {
        uintptr_t none = 0;
        if (!atomic_compare_exchange_strong(&clinux_own.maps[i].start, &none, 1)) continue;
        atomic_store(&clinux_own.maps[i].end, (uintptr_t)start + size);
        atomic_store(&clinux_own.maps[i].is_lost, 0);
        int count = atomic_load(&clinux_own.used);
        while (count <= i && !atomic_compare_exchange_weak(&clinux_own.used, &count, i + 1)) {}
        atomic_store(&clinux_own.maps[i].start, (uintptr_t)start);
        return i;
    }
    return -1;
}

void clinux_unguard_map(int place) {
    if (place >= 0) atomic_store(&clinux_own.maps[place].start, 0);
}

int clinux_map_is_lost(int place) {
    return place >= 0 && atomic_load_explicit(&clinux_own.maps[place].is_lost, memory_order_relaxed);
}
