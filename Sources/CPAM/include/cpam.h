/* Linux-PAM as it is: Swift can call all of it. */
#ifndef CPAM_H
#define CPAM_H

#include <security/pam_appl.h>

#endif
