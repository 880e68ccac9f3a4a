/* SPDX-License-Identifier: MIT OR Apache-2.0
 * mem.h: memory with an owner and a bound.
 *
 * At BOOT each component takes what its options size, from the boot arena, on its own ledger; then the arena is
 * sealed and taking more panics. From then on memory moves only through pools and through bounded arenas that were
 * handed to third-party code. A full pool is ST_NOMEM or NULL for the one who asked, never a crash.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/list.h"
#include "core/room.h"
#include "core/status.h"

/* Whose memory it is. One per component, generated; core and platform have their own. */
struct ledger {
    const char *name;      /* [I] "net/lwip" */
    size_t taken_bytes;    /* [L] of the boot arena, for good */
    struct list node;      /* [I] in the list that `mem` prints */
    size_t expected_bytes; /* [I] what component.conf's `memory` line says, generated; 0: it says nothing */
    size_t dma_bytes;      /* [I] what its `dma` line allows it of a device that it holds */
    uint32_t interrupts;   /* [I] and its `interrupts` line */
};

/* The ledger that boot_alloc() charges until it is called again: start.c sets it before each component's calls. */
void ledger_select(struct ledger *ledger) REQUIRES(BOOT);
/* Calls `each` for every ledger. */
void ledger_each(void (*each)(const struct ledger *ledger, void *context), void *context);

/* Zeroed memory for the life of the image. align is a power of two. Exhaustion stops the boot with a line that says
 * whose request failed, for how much, and the smallest `memory` that would do. */
void *boot_alloc(size_t size, size_t align) REQUIRES(BOOT);
/* The same, with the words that say what it is for when it fails: "pool tcp_pcbs". */
void *boot_alloc_named(const char *what, size_t size, size_t align) REQUIRES(BOOT);
/* After this boot_alloc panics. */
void boot_seal(void) REQUIRES(BOOT);

struct memory_usage {
    size_t total_bytes; /* of RAM that the machine reported usable */
    size_t image_bytes; /* text, data, bss, page tables, stacks */
    size_t taken_bytes; /* of the boot arena by all ledgers */
    size_t free_bytes;
};
void memory_usage(struct memory_usage *usage);

/* Fixed-size items. Owned by one loop: no lock. */
struct pool {
    const char *name;    /* [I] */
    uint32_t item_size;  /* [I] rounded up to 16 */
    uint32_t count;      /* [I] */
    uint32_t in_use;     /* [L] */
    uint32_t in_use_max; /* [L] high water */
    uint64_t refused;    /* [L] times that it was empty */
    void *free;          /* [L] singly linked through the items */
    char *items;         /* [I] */
    struct list node;    /* [I] in the list that `mem` prints */
};
void pool_init(struct pool *pool, const char *name, size_t item_size, size_t count) REQUIRES(BOOT);
/* A zeroed item or NULL. */
void *pool_get(struct pool *pool) REQUIRES(LOOP);
/* The same for one who has seen to it that there is an item (asserted): by counting, or because no more can be wanted. */
void *pool_take(struct pool *pool) REQUIRES(LOOP);
/* The item must be of this pool (asserted). */
void pool_put(struct pool *pool, void *item) REQUIRES(LOOP);

/* A bounded heap for third-party code that wants malloc. One loop's. Never grows. */
struct arena;
struct arena *arena_new(const char *name, size_t size) REQUIRES(BOOT);
void *arena_alloc(struct arena *arena, size_t size) REQUIRES(LOOP); /* 16-aligned, not zeroed; NULL when full */
void arena_free(struct arena *arena, void *p) REQUIRES(LOOP);       /* NULL is nothing */
size_t arena_used(const struct arena *arena);                       /* bytes, headers included */
