/* SPDX-License-Identifier: MIT OR Apache-2.0
 * climb.c: a bad sample.
 */
#include "../../net/lwip/net_lwip.h"
/* expect: 4: an include may not climb */
