/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_bell.h: how a thread that has a disk is told that there is work: a call without content on its endpoint, which it answers
 * when the work is done. What there is to do lies where both sides know; the call says whose it is (ring.h).
 *
 *  (1) The bell shares the thread's ring with the disk client, which takes all completions: `disk_bell_completed` is its `other`.
 *  (2) One call is received at a time, so one number tells its end from that of the answer before.
 */
#pragma once
#include "lib/disk/disk_client.h"

#define DISK_BELL_AREA 256u /* of the message area, behind the client's */

/* Keys: [I] fixed before the first turn  the rest: the thread's */
struct disk_bell {
    struct ring_shared *ring;  /* [I] */
    cap_t disk, region, serve; /* [I] `serve`: the endpoint, with CAP_SERVE */
    struct region *memory;     /* [I] what `region` is */
    bool listening, rang;      /* a RECV is out; its call came */
    uint64_t number;           /* of the last RECV, in its user_data */
};

/* The thread of component `domain`, which holds `disk`, and what it serves. */
struct disk_bell_thread {
    const char *domain;
    const char *name;        /* the thread's */
    struct object *endpoint; /* rings the bell */
    size_t stack_bytes;
    void (*entry)(struct ring_shared *ring, void *context); /* begins with disk_bell_begin() */
};
/* Gives the thread its disk, memory to lend to it, and its endpoint, and makes it. */
status_t disk_bell_start(struct disk_bell *bell, const struct disk_bell_thread *thread) REQUIRES(BOOT);
/* The ring is the thread's. The result: for disk_client_open(), and for a client's config before its first turn. */
struct disk_client_config disk_bell_begin(struct disk_bell *bell, struct ring_shared *ring) REQUIRES(THREAD);
/* `context`: the bell. */
void disk_bell_completed(void *context, const struct ring_cqe *cqe) REQUIRES(THREAD);
/* Asks for the next call, if that is not done. */
void disk_bell_listen(struct disk_bell *bell) REQUIRES(THREAD);
/* Answers the call that came: the work is done. */
void disk_bell_answer(struct disk_bell *bell) REQUIRES(THREAD);
