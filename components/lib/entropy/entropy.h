/* SPDX-License-Identifier: MIT OR Apache-2.0
 * entropy.h: contract entropy.v1: a device that gives raw entropy. Its one user is the random generator; everyone else
 * takes random.v1 (random.h).
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "core/room.h"
#include "core/status.h"

#define ENTROPY_FILL_MAX 64u /* bytes a call */

struct entropy;

struct entropy_ops {
    status_t (*fill)(struct entropy *source, void *bytes, size_t size);
    void (*revoke)(struct entropy *source);
};

struct entropy {
    const struct entropy_ops *ops; /* [I] called only by the wrapper below */
    const char *name;              /* [I] "virtio-rng" */
};

/* Fresh bytes that were given to nobody before. In BOOT it may wait for the device, bounded; in LOOP it never waits.
 * ST_AGAIN: more is on its way from the device. ST_UNSUPPORTED: no such device here. ST_CLOSED: it died. */
static inline status_t entropy_fill(struct entropy *source, void *bytes, size_t size)
{
    return source->ops->fill(source, bytes, size);
}

/* Takes the device away for good: ST_CLOSED from here on, and what it gave that nobody had yet is forgotten. Nothing where there is
 * none. */
static inline void entropy_revoke(struct entropy *source) REQUIRES(LOOP)
{
    source->ops->revoke(source);
}
