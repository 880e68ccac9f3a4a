/* SPDX-License-Identifier: MIT OR Apache-2.0
 * check_rest.h: what a node holds when nobody wants anything of it any more is what it holds after a fresh boot from the
 * same disk. More means that something of a peer that is gone stayed: a call that never got its return, a lent buffer that never
 * came back, a table entry.
 *
 *      workloads done -> (quiet) -> asked -> power cut, boot -> (quiet) -> asked again -> compared
 *
 *  The diagnostics console answers: of `mem`, `rpc`, `net` and `store`, the lines "  NAME  N of M" count.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct run;
struct node;

enum rest_phase { REST_NOT_YET, REST_USED, REST_FRESH, REST_PHASES };

struct rest; /* what a node said */

/* Every node that is no workload says on its console what it holds. */
void rest_ask(struct run *run);
/* The workloads are done; the world's acts from here on are this checker's. */
void rest_begin(struct run *run);
/* An act of its: ACT_REST. */
void rest_act(struct run *run);
/* A line of a node's console, while it is asked. */
void rest_line(struct run *run, const struct node *node, const char *line);
/* Compares, and gives back what was kept. */
void rest_end(struct run *run);
