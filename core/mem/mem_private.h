/* SPDX-License-Identifier: MIT OR Apache-2.0
 * mem_private.h: what the rest of core knows of core/mem beyond core/mem.h.
 */
#pragma once
#include "core/mem.h"

/* Takes the machine's RAM. Once, first. */
void mem_init(void) REQUIRES(BOOT);

/* Whose component starts now. */
const struct ledger *ledger_selected(void);

/* For the console: pools and arenas in the order they were made. */
void pool_each(void (*each)(const struct pool *pool, void *context), void *context);

struct arena_usage {
    const char *name;
    size_t size_bytes;
    size_t used_bytes;
    size_t used_bytes_max;
    uint64_t refused;
};
void arena_each(void (*each)(const struct arena_usage *usage, void *context), void *context);
