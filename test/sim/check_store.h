/* SPDX-License-Identifier: MIT OR Apache-2.0
 * check_store.h: whether what sessions saw of a store could have happened one after another (linearizability, Herlihy and
 * Wing 1990), name by name. The lines that it reads are described in components/app/store-load/store_load.h.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct history;

enum verdict {
    VERDICT_KEPT,
    VERDICT_BROKEN,
    VERDICT_UNDECIDED, /* too much was under way at a time to try all orders */
};

struct history *history_new(void);
void history_free(struct history *history);
/* What follows "@ " in a line of a workload's console. What is under way in one boot of its node never ends in another, where
 * operations are counted anew. False: it makes no sense. */
bool history_line(struct history *history, unsigned node, unsigned boot, uint64_t time_ns, const char *said);
/* The store begins anew. */
void history_boot(struct history *history, uint64_t time_ns);
/* Its disk was dishonest at some time: at each of its boots what was there may be gone, or older. */
void history_forgets(struct history *history);
/* BROKEN: `why` says what no order explains. */
enum verdict history_check(const struct history *history, char *why, size_t why_size);
