#define _GNU_SOURCE
#include "cpam.h"

#include <dlfcn.h>
#include <link.h>
#include <stddef.h>

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

void cpam_keep_modules(void) {
    void *program = dlopen(NULL, RTLD_LAZY);
    struct link_map *map;
    if (!program || dlinfo(program, RTLD_DI_LINKMAP, &map) != 0) return;
    for (; map; map = map->l_next)
        if (map->l_name && *map->l_name) dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    dlclose(program);
}
