/* crypt(3) as it is: Swift can call all of it. */
#ifndef CCRYPT_H
#define CCRYPT_H

#include <crypt.h>

#endif
