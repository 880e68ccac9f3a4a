/* SPDX-License-Identifier: MIT OR Apache-2.0
 * run.h: one run of a fleet from one seed: its clock, its order of events, its fingerprint, its end.
 *
 *   main.c      what is asked for                    fleet.c     which nodes there are
 *   run.c       the order of events                  node.c      one machine: powered, stepped, cut
 *   queue.c     what will happen                     image.c     processes that wait to become a machine
 *   wire.c      the switch between the nodes         disk.c      sectors, and what a cut leaves of them
 *   hostile.c   a peer that means ill                faults.c    what goes wrong, drawn from the seed
 *   record.c    what happened, for people            check_*.c   what must never happen
 *
 *  (1) The run's clock never goes back. A node is stepped at the earliest time at which anything concerns it; what it does
 *      then carries a time at or after that, and reaches others LOOKAHEAD_NS later at the earliest. So no node can be told of
 *      something that came before what it already did.
 *  (2) Nothing here depends on the host: not on its clock, its memory's addresses, its scheduling.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "check.h"
#include "faults.h"
#include "node.h"
#include "queue.h"
#include "random.h"
#include "util.h"
#include "wire.h"

#define NODES_MAX 16u
#define LOOKAHEAD_NS 20000u  /* no frame is faster */
#define TURN_BOUND_NS 20000u /* in the costs of platform/sim: 64 frames in, each with an answer; 50 exits to the host */
#define DRIFT_PPM_MAX 50000
#define NS_PER_S 1000000000ull
#define END_NS (120 * NS_PER_S) /* by then every workload has ended */
#define NS_PER_MS 1000000ull
#define NS_PER_US 1000ull

/* What the world does at a time of its own choosing. */
enum act {
    ACT_NODE,
    ACT_CUT,
    ACT_RESET,
    ACT_BOOT,
    ACT_REBOOT,
    ACT_LOOP,
    ACT_LINK,
    ACT_PARTITION,
    ACT_HEAL,
    ACT_WALL,
    ACT_DEVICE, /* b: act_device() */
    ACT_DISK_FULL,
    ACT_DRIFT, /* b: parts in a million, and DRIFT_PPM_MAX */
    ACT_CALM,
    ACT_REPAIR, /* b: which of its boots is meant */
    ACT_REST,
    ACT_END
};
static inline uint64_t act_device(enum sim_device device, enum sim_fault fault, uint64_t argument)
{
    return argument << 16 | (uint64_t)device << 8 | (uint64_t)fault;
}

struct run {
    uint64_t seed;
    uint64_t now_ns;
    uint64_t hash;
    bool hash_over;       /* what comes now is not the run's */
    uint64_t event_count; /* messages that reached a node, and acts of the world */
    struct faults faults;
    struct random loop; /* when nodes that are in a loop stop */
    struct wire wire;
    struct queue world;
    struct node node[NODES_MAX];
    unsigned node_count;
    struct check check;
    struct record *record; /* or NULL: nobody wants to read it */
    uint64_t calm_ns;      /* since when */
    bool calm;             /* faults are over: whoever was cut is back, and all must work again */
    bool over;
    enum checker by;     /* who said so: */
    char violation[512]; /* empty: every promise was kept */
};

/* Everything until the end. False: a promise was broken (run->violation). */
bool run_all(struct run *run);
/* Gives back what its nodes hold. */
void run_free(struct run *run);
/* A promise was broken: the run ends with this text. Only the first counts. */
void run_violation(struct run *run, enum checker by, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* It has been calm for so long that also what drivers have to notice and mend is mended. */
bool run_settled(const struct run *run);
/* For the fingerprint. */
void run_hash(struct run *run, uint64_t word);
void run_hash_bytes(struct run *run, const void *bytes, size_t size);
/* A node's workload will only look from now on: when all say so, faults end early. */
void run_node_audits(struct run *run, struct node *node);
/* A node's workload says that it has done what it had to do. */
void run_node_done(struct run *run, struct node *node);
/* A node says that it cannot go on as it is: whoever looks after it boots it anew. */
void run_node_ill(struct run *run, struct node *node);
/* The world will do this at that time. */
void world_act(struct run *run, uint64_t time_ns, enum act act, uint64_t a, uint64_t b);
