/* crypt(3) as it is, loaded when it is first asked for: most processes never do. */
#ifndef CCRYPT_H
#define CCRYPT_H

#include <crypt.h>

struct ccrypt {
    __typeof__(crypt_ra) *_Nonnull hash;
    __typeof__(crypt_gensalt_ra) *_Nonnull salt;
    __typeof__(crypt_checksalt) *_Nonnull check;
};

/* Its functions; 0, or -1 if it cannot be loaded. Nobody unloads it. */
int ccrypt_load(struct ccrypt *_Nonnull functions);

#endif
