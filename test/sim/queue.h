/* SPDX-License-Identifier: MIT OR Apache-2.0
 * queue.h: events in the order of their time; of one time, in the order in which they were made.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "sim_protocol.h"

#define NEVER UINT64_MAX

/* What will reach a node: a message of sim_protocol.h, or (world's queue) an act of the run. */
struct event {
    uint64_t time_ns;  /* the run's clock */
    uint64_t sequence; /* filled by queue_add */
    uint32_t act;      /* the owner's: what to do when its time has come */
    struct sim_message message;
    char *body; /* message.size bytes, the event's own; or NULL */
};

struct queue {
    struct event **heap;
    size_t count, size;
    uint64_t next_sequence;
};

/* With room for `size` bytes of body. Never NULL. */
struct event *event_new(uint64_t time_ns, uint32_t act, size_t size);
void event_free(struct event *event);
/* Takes the event over. */
void queue_add(struct queue *queue, struct event *event);
/* The time of the first; NEVER. */
uint64_t queue_time(const struct queue *queue);
/* The first, which is the caller's now; NULL. */
struct event *queue_take(struct queue *queue);
/* Frees all that wait. */
void queue_clear(struct queue *queue);
