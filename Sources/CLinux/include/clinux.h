/* What Swift's Glibc module hides (no _GNU_SOURCE) or cannot import (variadic, macros with casts).
 * Each returns what the system call returns: 0 or a result, or -1 and errno. Nothing here allocates.
 *
 * _GNU_SOURCE is defined in the .c only: in this header it would change types that Swift has already imported. */
#ifndef CLINUX_H
#define CLINUX_H

/* accept4(2) without an address: close-on-exec and non-blocking. */
int clinux_accept(int listener);

#endif
