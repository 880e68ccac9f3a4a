/* SPDX-License-Identifier: MIT OR Apache-2.0
 * region.h: memory that is lent by capability: bulk data goes through it, never through a message.
 *
 * A region is an object without methods. Its maker knows the memory by address; who is handed the capability in a call names
 * a span of it by offset and gets at it here, where what the asker said is checked once.
 *
 *  (1) The memory lives as long as the image; `bytes` and `rights` are fixed.
 *  (2) A span that was opened holds a reference to the region until object_put(): what a device still writes to is in use.
 *  (3) Who lends a span to a call neither writes to it nor, when the call writes, looks at it until the call returned. Nothing
 *      enforces that: whoever reads a span must bear that it changes meanwhile.
 */
#pragma once
#include <stdint.h>
#include "core/object.h"
#include "core/room.h"
#include "core/status.h"

enum region_right {
    REGION_READ = 1u << 0,  /* the holder may read the memory */
    REGION_WRITE = 1u << 1, /* and write to it */
};

/* Keys: [I] fixed after init */
struct region {
    struct object object; /* static: it never dies */
    unsigned char *base;  /* [I] */
    uint64_t bytes;       /* [I] */
    uint32_t rights;      /* [I] enum region_right */
};

/* Over memory that the maker has: a part of another region, or the same with fewer rights. */
void region_init(struct region *region, void *base, uint64_t bytes, uint32_t rights) REQUIRES(BOOT);
/* Zeroed pages of the boot arena. `what` is said when there are none. */
struct region *region_new(const char *what, uint64_t bytes, uint32_t rights) REQUIRES(BOOT);

/* Checks what a caller said, and opens the span: (2). `object` may be anything, and NULL. `bytes` may not be 0.
 * ST_BADARG: no region. ST_DENIED: it lacks a right. ST_RANGE: not within it. */
status_t region_open(struct object *object, uint64_t offset, uint64_t bytes, uint32_t rights, void **span)
    REQUIRES(LOOP);
