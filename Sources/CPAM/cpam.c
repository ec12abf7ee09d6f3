#include "cpam.h"

#include <dlfcn.h>

#define FIND(name) \
    if (!(*(void **)&functions->name = dlsym(library, "pam_" #name))) return -1

int cpam_load(struct cpam *functions) {
    void *library = dlopen("libpam.so.0", RTLD_NOW | RTLD_GLOBAL);
    if (!library) return -1;
    FIND(start);
    FIND(start_confdir);
    FIND(end);
    FIND(set_item);
    FIND(get_item);
    FIND(strerror);
    FIND(authenticate);
    FIND(acct_mgmt);
    FIND(setcred);
    FIND(open_session);
    FIND(close_session);
    return 0;
}
