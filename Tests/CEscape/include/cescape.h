/* System calls by their numbers, for attempts to make some that no library has. */
#ifndef CESCAPE_H
#define CESCAPE_H

#include <sys/syscall.h>

long cescape_call(long number, long a, long b, long c, long d, long e, long f);

/* "EPERM" and the like; static. */
const char *_Nullable cescape_error_name(int error);

#endif
