/* SPDX-License-Identifier: MIT OR Apache-2.0
 * wire_fate.h: what goes wrong on a cable, drawn from a seed: the same for the simulator's wire and for the switch between images
 * in QEMU.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "random.h"

#define WIRE_FRAME_MIN 14u
#define WIRE_FRAME_MAX 9216u
#define WIRE_COPIES_MAX 2u

/* Chances in a million, per frame and receiver. */
struct wire_faults {
    uint32_t loss, duplicate, corrupt, delay;
    uint32_t blind;        /* of those that are corrupt: the change is one that a sum of 16-bit words does not see */
    uint64_t delay_ns_max; /* of one that is delayed: what overtakes it meanwhile is reordering */
};

/* What becomes of one frame on its way to one receiver: `count` copies. */
struct wire_fate {
    unsigned count;
    struct wire_copy {
        uint64_t travel_ns; /* sent to received */
        int64_t turned_bit; /* -1: none */
        int64_t other_bit;  /* likewise: with it the frame's sums are what they were */
        bool late;          /* it was delayed */
        bool lost;          /* the receiving card would see that a bit turned */
    } copy[WIRE_COPIES_MAX];
};
struct wire_fate wire_fate(struct random *random, const struct wire_faults *faults, const char *frame, size_t size,
                           uint64_t latency_ns);
/* The bytes of a copy, `size` of them, to `bytes`. */
void wire_copy_bytes(const struct wire_copy *copy, const char *frame, size_t size, char *bytes);

/* Whether two ends stand on different sides of a partition; bit i of `split`: the side of end i. */
static inline bool wire_splits(uint32_t split, unsigned a, unsigned b)
{
    return ((split >> a ^ split >> b) & 1) != 0;
}
