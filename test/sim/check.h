/* SPDX-License-Identifier: MIT OR Apache-2.0
 * check.h: what looks on from outside and says when a promise is broken. A checker sees the consoles of the nodes (what a
 * workload did, line by line) and what the world did; never the memory of what it checks.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "check_rest.h"

/* Who says that a promise is broken; a planted bug is seen only when the right one does (test/planted). */
enum checker {
    BY_NOBODY,
    BY_STORE,   /* check_store */
    BY_CAPS,    /* check_caps */
    BY_RPC,     /* check_rpc */
    BY_REST,    /* check_rest: what is held when all is over */
    BY_MEMORY,  /* check_rest: what was refused */
    BY_SAID,    /* the workload itself, in its lines */
    BY_END,     /* a workload did not end */
    BY_PANIC,   /* an image's own assertions */
    BY_PEER,    /* a connection that ended for what was said on it */
    BY_MOUNT,   /* a store that refuses its own disk */
    BY_DAMAGE,  /* a store that finds other bytes than it wrote, on a disk that is honest */
    BY_DEVICE,  /* a driver that resets a device which did nothing */
    BY_TURN,    /* a turn of a loop that was too long */
    BY_MACHINE, /* a machine that did what none can do, or is gone */
    CHECKERS
};
extern const char *const checker_names[CHECKERS];

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

/* A node was switched on. */
void check_boot(struct run *run, const struct node *node);
/* A line of a console. */
void check_line(struct run *run, struct node *node, uint64_t time_ns, const char *line);
/* The run is over, all is calm. */
void check_end(struct run *run);
