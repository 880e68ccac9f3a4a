/* SPDX-License-Identifier: MIT OR Apache-2.0
 * status.h: the one way an operating error travels.
 *
 * The set is closed. A code is chosen by what the caller does next; detail goes to the log.
 * Results come by out-parameter and are untouched on failure. `nodiscard` stands on the type.
 */
#pragma once

typedef enum [[nodiscard]] status{
    ST_OK = 0,
    ST_AGAIN = -1,        /* not now; asking again later may succeed */
    ST_FULL = -2,         /* a fixed bound of ours is reached: shed load or report */
    ST_NOMEM = -3,        /* a pool or arena of the asker is empty */
    ST_STALE = -4,        /* the name was right once, or never; it designates nothing now */
    ST_DENIED = -5,       /* the object is there; the right is not */
    ST_BADARG = -6,       /* what was asked makes no sense; asking again never helps */
    ST_RANGE = -7,        /* beyond the end of the thing */
    ST_PROTO = -8,        /* a device or a peer broke its protocol; end the conversation */
    ST_IO = -9,           /* the medium failed */
    ST_TIMEOUT = -10,     /* the deadline passed first */
    ST_CLOSED = -11,      /* the other end is gone */
    ST_UNSUPPORTED = -12, /* not offered here */
} status_t;

/* A short stable name for logs: "OK", "AGAIN", ... */
const char *status_name(status_t s);

/* Says that a status is deliberately not acted on, and why. The only way to drop one. */
static inline void status_ignore(status_t s, const char *why)
{
    (void)s;
    (void)why;
}
