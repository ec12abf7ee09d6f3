#include "ccrypt.h"
