/* SPDX-License-Identifier: MIT OR Apache-2.0
 * hostile.h: a peer that means ill, made of one that means well: what it sends is spoiled on its way out, with sums that
 * are right, so that TCP takes it.
 *
 *  A node with the word `hostile` in the fleet's file; with `rude` nothing is spoiled: its image is bad enough (app/storm).
 *  Nobody waits for it and nothing that it says is judged, but it must not bring anybody down, itself included, nor be noticed
 *  by those who mean well.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "random.h"

#define HOSTILE_MUTATES 30000u /* of a million segments with data: some of their bytes are others */
#define HOSTILE_FLOODS 20000u  /* of a million frames: a burst of SYNs from ports that nobody has */
#define HOSTILE_BURST 40u

/* Changes bytes of a TCP segment's data, and mends its checksum. False: it has none. */
bool hostile_mutate(struct random *random, char *frame, size_t size);
/* Makes a SYN for the same server out of a frame. False: it is no TCP. */
bool hostile_syn(struct random *random, char *frame, size_t *size);
