/* What each process writes for itself, however little it does: together, so that a forked child copies one page for it. */
#ifndef CLINUX_OWN_H
#define CLINUX_OWN_H

#include "clinux.h"

#include <stdatomic.h>

struct clinux_own {
    /* See memory_end.c. The descriptor is one more than it is: 0 is none. */
    volatile sig_atomic_t last_descriptor;
    int status_without_memory;
    const char *last_word;
    size_t last_size;
    /* See maps.c. No place from here on was ever taken. */
    atomic_int used;
    /* Places for maps. 0 in `start` is a free one; 1 is taken and not yet of use. */
    struct {
        _Atomic uintptr_t start, end;
        atomic_int is_lost;
    } maps[CLINUX_MAPS];
};

/* Aligned so that all but the maps of somebody who has many are in one page. */
extern _Alignas(512) struct clinux_own clinux_own;

#endif
