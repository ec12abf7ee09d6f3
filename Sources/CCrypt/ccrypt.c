#include "ccrypt.h"

#include <dlfcn.h>

#define FIND(name, function) \
    if (!(*(void **)&functions->name = dlsym(library, #function))) return -1

int ccrypt_load(struct ccrypt *functions) {
    void *library = dlopen("libcrypt.so.1", RTLD_NOW);
    if (!library) return -1;
    FIND(hash, crypt_ra);
    FIND(salt, crypt_gensalt_ra);
    FIND(check, crypt_checksalt);
    return 0;
}
