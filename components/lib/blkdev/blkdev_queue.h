/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blkdev_queue.h: a disk's client that has more requests than the disk takes at once: the others wait, in the order in which they
 * came. Header only.
 *
 *  (1) Whoever owns the queue is the disk's only client, or shares `depth` with others by its own queue: so the disk is never full.
 *  (2) A request's done() calls blkdev_queue_ended(), when the request's memory is not needed any more.
 *  (3) What the disk refuses ends at once, by done(). Ends may push: the outermost call hands on.
 */
#pragma once
#include "core/assert.h"
#include "core/list.h"
#include "lib/blkdev/blkdev.h"

struct blkdev_queue {
    struct blkdev *disk; /* [I] */
    struct list waiting; /* [L] requests */
    uint32_t out;        /* [L] with the disk */
    bool draining;       /* [L] a call of drain is on the stack */
};

static inline void blkdev_queue_init(struct blkdev_queue *queue, struct blkdev *disk)
{
    *queue = (struct blkdev_queue){.disk = disk};
    list_init(&queue->waiting);
}

static inline void blkdev_queue_drain(struct blkdev_queue *queue) REQUIRES(LOOP)
{
    if (queue->draining) {
        return;
    }
    queue->draining = true;
    while (queue->out < queue->disk->depth && !list_empty(&queue->waiting)) {
        struct blk_request *request = CONTAINER_OF(list_pop_front(&queue->waiting), struct blk_request, node);
        queue->out++;
        status_t s = blkdev_submit(queue->disk, request);
        ASSERT(s != ST_FULL); /* (1) */
        if (s != ST_OK) {
            request->done(request, s);
        }
    }
    queue->draining = false;
}

static inline void blkdev_queue_push(struct blkdev_queue *queue, struct blk_request *request) REQUIRES(LOOP)
{
    list_push_back(&queue->waiting, &request->node);
    blkdev_queue_drain(queue);
}

static inline void blkdev_queue_ended(struct blkdev_queue *queue) REQUIRES(LOOP)
{
    ASSERT(queue->out > 0);
    queue->out--;
    blkdev_queue_drain(queue);
}
