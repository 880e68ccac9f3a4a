/* SPDX-License-Identifier: MIT OR Apache-2.0
 * check.h: what looks on from outside and says when a promise is broken. A checker sees the consoles of the nodes (what a
 * workload did, line by line) and what the world did; never the memory of what it checks.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "check_rest.h"

struct caps;
struct history;
struct rpc;
struct run;
struct node;

struct check {
    struct history *store; /* what workloads said of a store */
    struct rpc *rpc;       /* what was said of calls */
    struct caps *caps;     /* what threads said of capabilities */
    bool undecided;        /* it was too wide to search whole */
    struct rest *rest;     /* by node; NULL: not asked */
    enum rest_phase rest_phase;
    unsigned rest_acts; /* that have happened */
};

/* A line of a console. */
void check_line(struct run *run, struct node *node, uint64_t time_ns, const char *line);
/* The run is over, all is calm. */
void check_end(struct run *run);
