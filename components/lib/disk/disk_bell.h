/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_bell.h: how a thread that has a disk is told that there is work: a call without content on its endpoint, which it answers
 * when the work is done. What there is to do lies where both sides know; the call says whose it is (ring.h).
 *
 *  (1) The bell shares the thread's ring with the disk client, which takes all completions: `disk_bell_completed` is its `other`.
 *  (2) One call is received at a time, so one number tells its end from that of the answer before.
 */
#pragma once
#include "lib/disk/disk_client.h"

#define DISK_BELL_AREA 256u /* what it takes of the message area */

/* Keys: [I] fixed before the first turn  the rest: the thread's */
struct disk_bell {
    struct ring_shared *ring; /* [I] */
    cap_t serve;              /* [I] the endpoint, with CAP_SERVE */
    uint32_t area_offset;     /* [I] DISK_BELL_AREA bytes of the message area are the bell's */
    bool listening, rang;     /* a RECV is out; its call came */
    uint64_t number;          /* of the last RECV, in its user_data */
};

/* `context`: the bell. */
void disk_bell_completed(void *context, const struct ring_cqe *cqe) REQUIRES(THREAD);
/* Asks for the next call, if that is not done. */
void disk_bell_listen(struct disk_bell *bell) REQUIRES(THREAD);
/* Answers the call that came: the work is done. */
void disk_bell_answer(struct disk_bell *bell) REQUIRES(THREAD);
