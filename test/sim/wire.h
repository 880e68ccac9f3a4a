/* SPDX-License-Identifier: MIT OR Apache-2.0
 * wire.h: the switch between the nodes, and what goes wrong on its cables.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "hostile.h"
#include "wire_fate.h"

struct run;
struct node;

struct wire {
    struct random random;
    struct wire_faults faults;
    uint32_t split;    /* bit i: node i stands on the other side of a partition; 0: whole */
    struct random ill; /* what hostile nodes do */
    struct hostile_chances chances;
    struct hostile_said said;
    uint64_t frames, lost;
};

/* A node sends a frame at this time. */
void wire_send(struct run *run, struct node *from, uint64_t time_ns, const char *frame, size_t size);
