/* SPDX-License-Identifier: MIT OR Apache-2.0
 * random.h: contract random.v1: the image's cryptographic random generator.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "core/status.h"

struct random;

struct random_ops {
    status_t (*fill)(struct random *random, void *bytes, size_t size);
};

struct random {
    const struct random_ops *ops; /* [I] called only by the wrapper below */
};

/* Unpredictable bytes, fit for keys. BOOT or LOOP; never waits. ST_UNSUPPORTED: there is no entropy to make them of, so
 * make no key. ST_AGAIN: a reseed is due and the sources are silent; ask again later. On failure `bytes` is zero. */
static inline status_t random_fill(struct random *random, void *bytes, size_t size)
{
    return random->ops->fill(random, bytes, size);
}
