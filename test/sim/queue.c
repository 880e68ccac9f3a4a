/* SPDX-License-Identifier: MIT OR Apache-2.0
 * queue.c: a binary heap.
 */
#include "queue.h"
#include <stdbool.h>
#include <stdlib.h>
#include "run.h"

struct event *event_new(uint64_t time_ns, uint32_t act, size_t size)
{
    struct event *event = sim_alloc(sizeof *event + size);

    event->time_ns = time_ns;
    event->act = act;
    event->message.size = (uint32_t)size;
    event->body = size > 0 ? (char *)(event + 1) : NULL;
    return event;
}

void event_free(struct event *event)
{
    free(event);
}

static bool before(const struct event *a, const struct event *b)
{
    return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->sequence < b->sequence;
}

static void sink(struct queue *queue, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= queue->count) {
            return;
        }
        child += child + 1 < queue->count && before(queue->heap[child + 1], queue->heap[child]);
        if (before(queue->heap[at], queue->heap[child])) {
            return;
        }
        struct event *event = queue->heap[at];
        queue->heap[at] = queue->heap[child];
        queue->heap[child] = event;
        at = child;
    }
}

void queue_add(struct queue *queue, struct event *event)
{
    if (queue->count == queue->size) {
        queue->size = queue->size * 2 + 16;
        queue->heap = realloc(queue->heap, queue->size * sizeof *queue->heap);
        if (queue->heap == NULL) {
            sim_fail("no memory for events");
        }
    }
    event->sequence = queue->next_sequence++;
    size_t at = queue->count++;
    while (at > 0 && before(event, queue->heap[(at - 1) / 2])) {
        queue->heap[at] = queue->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    queue->heap[at] = event;
}

uint64_t queue_time(const struct queue *queue)
{
    return queue->count > 0 ? queue->heap[0]->time_ns : NEVER;
}

struct event *queue_take(struct queue *queue)
{
    if (queue->count == 0) {
        return NULL;
    }
    struct event *first = queue->heap[0];
    queue->heap[0] = queue->heap[--queue->count];
    sink(queue, 0);
    return first;
}

void queue_clear(struct queue *queue)
{
    while (queue->count > 0) {
        event_free(queue->heap[--queue->count]);
    }
}
