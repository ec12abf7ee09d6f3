/* Linux-PAM as it is, loaded when it is first asked for: a process that never does, and those that are forked from it, have
 * neither it nor what it needs in memory. */
#ifndef CPAM_H
#define CPAM_H

#include <security/pam_appl.h>

struct cpam {
    __typeof__(pam_start) *_Nonnull start;
    __typeof__(pam_start_confdir) *_Nonnull start_confdir;
    __typeof__(pam_end) *_Nonnull end;
    __typeof__(pam_set_item) *_Nonnull set_item;
    __typeof__(pam_get_item) *_Nonnull get_item;
    __typeof__(pam_strerror) *_Nonnull strerror;
    __typeof__(pam_authenticate) *_Nonnull authenticate;
    __typeof__(pam_acct_mgmt) *_Nonnull acct_mgmt;
    __typeof__(pam_setcred) *_Nonnull setcred;
    __typeof__(pam_open_session) *_Nonnull open_session;
    __typeof__(pam_close_session) *_Nonnull close_session;
};

/* Its functions; 0, or -1 if it cannot be loaded. Nobody unloads it. */
int cpam_load(struct cpam *_Nonnull functions);

/* Nobody unloads what is loaded now, whatever pam_end(3) does: a process that is about to end need not tidy up. */
void cpam_keep_modules(void);

#endif
