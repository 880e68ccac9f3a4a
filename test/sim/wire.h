/* SPDX-License-Identifier: MIT OR Apache-2.0
 * wire.h: the switch between the nodes, and what goes wrong on its cables.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "random.h"

struct run;
struct node;

#define FRAME_MAX 9216u
#define WIRE_COPIES_MAX 2u

/* Chances in a million, per frame and receiver. */
struct wire_faults {
    uint32_t loss, duplicate, corrupt, delay;
    uint64_t delay_ns_max; /* of one that is delayed: what overtakes it meanwhile is reordering */
};

struct wire {
    struct random random;
    struct wire_faults faults;
    uint32_t split; /* bit i: node i stands on the other side of a partition; 0: whole */
    uint64_t frames, lost;
};

/* What becomes of one frame on its way to one receiver: `count` copies, each after so long, with one bit turned or not. */
struct wire_fate {
    unsigned count;
    struct wire_copy {
        uint64_t delay_ns;
        int64_t turned_bit; /* -1: none */
    } copy[WIRE_COPIES_MAX];
};
struct wire_fate wire_fate(struct random *random, const struct wire_faults *faults, size_t size, uint64_t latency_ns);

/* A node sends a frame at this time. */
void wire_send(struct run *run, struct node *from, uint64_t time_ns, const char *frame, size_t size);
/* A frame of the switch itself, for one node. */
void wire_deliver(struct run *run, struct node *to, uint64_t time_ns, const char *frame, size_t size);
