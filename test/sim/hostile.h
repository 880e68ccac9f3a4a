/* SPDX-License-Identifier: MIT OR Apache-2.0
 * hostile.h: a peer that means ill, made of one that means well: what it sends is spoiled on its way out, with sums that
 * are right, so that TCP takes it.
 *
 *  A node with the word `hostile` in the fleet's file, where the fault `ill` is on; with `rude` nothing is spoiled: its image
 *  is bad enough (app/storm). Nobody waits for it and nothing that it says is judged, but it must not bring anybody down,
 *  itself included, nor be noticed by those who mean well.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "random.h"

#define HOSTILE_BURST 40u

/* How ill, in a million. */
struct hostile_chances {
    uint32_t mutates;   /* of segments with data: some of their bytes are others */
    uint32_t repeats;   /* of those: says again what was said before, in the place of what it would say */
    uint32_t truncates; /* of those: ends in the midst, and closes */
    uint32_t dies;      /* of frames: from here on nothing comes, for up to dies_ns_max */
    uint64_t dies_ns_max;
    uint32_t floods; /* of frames: a burst of SYNs from ports that nobody has */
};

/* Data of a segment, to be said again. */
struct hostile_said {
    size_t size;
    char bytes[2048];
};

/* Changes bytes of a TCP segment's data, and mends its checksum. False: it has none. */
bool hostile_mutate(struct random *random, char *frame, size_t size);
/* Keeps the data of a segment, if it has some. */
void hostile_remember(struct hostile_said *said, const char *frame, size_t size);
/* Puts what was kept, or its beginning, in the place of a segment's data. False: it has none, or nothing was kept. */
bool hostile_repeat(const struct hostile_said *said, char *frame, size_t size);
/* Cuts a segment's data off somewhere and adds a FIN. False: it has none. */
bool hostile_truncate(struct random *random, char *frame, size_t *size);
/* Makes a SYN for the same server out of a frame. False: it is no TCP. */
bool hostile_syn(struct random *random, char *frame, size_t *size);
