/* SPDX-License-Identifier: MIT OR Apache-2.0
 * check_store.h: whether what sessions saw of a store could have happened one after another (linearizability, Herlihy and
 * Wing 1990), name by name. The lines that it reads are described in components/app/store-load/store_load.h.
 */
#pragma once
#include <stdint.h>

struct run;
struct node;

/* What follows "@ " in a line of a workload's console. */
void check_store_line(struct run *run, const struct node *node, uint64_t time_ns, const char *said);
/* Looks at the whole history. */
void check_store_end(struct run *run);
