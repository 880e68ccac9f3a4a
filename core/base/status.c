/* SPDX-License-Identifier: MIT OR Apache-2.0
 * status.c: the names of statuses. Pure.
 */
#include "core/status.h"
#include <stddef.h>

static const char *const names[] = {
    "OK",    "AGAIN", "FULL", "NOMEM",   "STALE",  "DENIED",      "BADARG",
    "RANGE", "PROTO", "IO",   "TIMEOUT", "CLOSED", "UNSUPPORTED",
};
_Static_assert(sizeof names / sizeof names[0] == 1 - (int)ST_UNSUPPORTED, "one name for each status");

const char *status_name(status_t s)
{
    size_t i = (size_t)(-(long)s);

    return i < sizeof names / sizeof names[0] ? names[i] : "?";
}
