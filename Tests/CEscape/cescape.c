#define _GNU_SOURCE
#include "cescape.h"

#include <string.h>
#include <unistd.h>

long cescape_call(long number, long a, long b, long c, long d, long e, long f) {
    return syscall(number, a, b, c, d, e, f);
}

const char *cescape_error_name(int error) { return strerrorname_np(error); }
