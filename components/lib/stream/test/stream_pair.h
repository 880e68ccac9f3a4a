/* SPDX-License-Identifier: MIT OR Apache-2.0
 * stream_pair.h: two streams joined in memory, for tests of what speaks over a stream.
 *
 * stream_pair_init() gives each end a client; nothing moves until the test calls stream_pair_step() or
 * stream_pair_run(), so a test decides when callbacks happen. It obeys stream.h to the letter, and can be made mean:
 * `chunk` hands received() no more than so many bytes at a time, `lends_max` makes stream_send() say ST_FULL early.
 *
 *  (1) Bytes are never copied: received() sees the sender's memory.
 *  (2) sent() comes only when the peer took the bytes.
 */
#pragma once
#include "core/list.h"
#include "lib/stream/stream.h"
#include <stdbool.h>
#include <string.h>

#define STREAM_PAIR_LENDS_MAX 256u

struct stream_pair_lend {
    const uint8_t *data;
    size_t len;
};

struct stream_pair_end {
    struct stream stream;
    struct stream_client *client;
    struct stream_pair_end *other;
    struct stream_pair_lend lend[STREAM_PAIR_LENDS_MAX]; /* oldest first; what the other end has not taken */
    unsigned lend_count;
    size_t lent;               /* bytes in lend[] */
    size_t taken_unreported;   /* taken by the other end, sent() still to be told */
    bool paused;               /* its client left bytes and has not resumed */
    bool full;                 /* stream_send() said ST_FULL since the last room() */
    bool end_wanted, end_done; /* stream_end(); the other end has been told */
    bool closing;              /* stream_close() */
    bool dead;                 /* closed() is due with `status` */
    bool closed;               /* closed() was called */
    status_t status;
    unsigned flushes; /* stream_flush() calls, for the test */
};

struct stream_pair {
    struct stream_pair_end a, b;
    size_t chunk;       /* most bytes a received(); SIZE_MAX at first */
    unsigned lends_max; /* STREAM_PAIR_LENDS_MAX at first */
};

static inline struct stream_pair_end *stream_pair_end_of(struct stream *stream)
{
    return CONTAINER_OF(stream, struct stream_pair_end, stream);
}

static inline struct stream_pair *stream_pair_of(struct stream_pair_end *end)
{
    return end->other > end ? CONTAINER_OF(end, struct stream_pair, a) : CONTAINER_OF(end, struct stream_pair, b);
}

static inline status_t stream_pair_send(struct stream *stream, const void *data, size_t len)
{
    struct stream_pair_end *end = stream_pair_end_of(stream);

    if (end->dead || end->closed || end->end_wanted) {
        return ST_CLOSED;
    }
    if (end->lend_count >= stream_pair_of(end)->lends_max) {
        end->full = true;
        return ST_FULL;
    }
    end->lend[end->lend_count++] = (struct stream_pair_lend){data, len};
    end->lent += len;
    return ST_OK;
}

static inline void stream_pair_flush(struct stream *stream)
{
    stream_pair_end_of(stream)->flushes++;
}

static inline void stream_pair_resume(struct stream *stream)
{
    stream_pair_end_of(stream)->paused = false;
}

static inline void stream_pair_half_close(struct stream *stream)
{
    stream_pair_end_of(stream)->end_wanted = true;
}

static inline void stream_pair_close(struct stream *stream)
{
    struct stream_pair_end *end = stream_pair_end_of(stream);

    end->end_wanted = true;
    end->closing = true;
    end->paused = false;
}

static inline void stream_pair_kill(struct stream_pair_end *end, status_t status)
{
    if (!end->dead && !end->closed) {
        end->dead = true;
        end->status = status;
    }
}

static inline void stream_pair_abort(struct stream *stream)
{
    struct stream_pair_end *end = stream_pair_end_of(stream);

    stream_pair_kill(end, ST_STALE);
    stream_pair_kill(end->other, ST_CLOSED);
}

static inline void stream_pair_init(struct stream_pair *pair, struct stream_client *a, struct stream_client *b)
{
    static const struct stream_ops ops = {stream_pair_send,       stream_pair_flush, stream_pair_resume,
                                          stream_pair_half_close, stream_pair_close, stream_pair_abort};

    memset(pair, 0, sizeof *pair);
    pair->a.stream = (struct stream){&ops, "192.0.2.1:1", "192.0.2.2:2"};
    pair->b.stream = (struct stream){&ops, "192.0.2.2:2", "192.0.2.1:1"};
    pair->a.other = &pair->b;
    pair->b.other = &pair->a;
    pair->a.client = a;
    pair->b.client = b;
    pair->chunk = SIZE_MAX;
    pair->lends_max = STREAM_PAIR_LENDS_MAX;
}

static inline void stream_pair_consume(struct stream_pair_end *from, size_t taken)
{
    from->lent -= taken;
    from->taken_unreported += taken;
    from->lend[0].data += taken;
    from->lend[0].len -= taken;
    if (from->lend[0].len == 0) {
        from->lend_count--;
        memmove(&from->lend[0], &from->lend[1], from->lend_count * sizeof from->lend[0]);
    }
}

/* Hands one piece from `from` to its peer. */
static inline bool stream_pair_deliver(struct stream_pair *pair, struct stream_pair_end *from)
{
    struct stream_pair_end *to = from->other;

    if (from->lend_count == 0 || to->paused || from->dead || to->dead) {
        return false;
    }
    size_t len = from->lend[0].len < pair->chunk ? from->lend[0].len : pair->chunk;
    size_t taken = len;
    if (!to->closing && !to->closed) {
        to->paused = true; /* stream_resume() from inside the callback must count. */
        taken = to->client->ops->received(to->client, from->lend[0].data, len);
        ASSERT(taken <= len);
        to->paused = to->paused && taken < len;
    }
    stream_pair_consume(from, taken);
    return true;
}

/* Tells `end` what came of its own sending. */
static inline bool stream_pair_report(struct stream_pair *pair, struct stream_pair_end *end)
{
    if (end->closed || end->dead) {
        return false;
    }
    if (end->taken_unreported > 0) {
        size_t len = end->taken_unreported;

        end->taken_unreported = 0;
        if (end->client->ops->sent != NULL) {
            end->client->ops->sent(end->client, len);
        }
        return true;
    }
    if (end->full && end->lend_count < pair->lends_max) {
        end->full = false;
        if (end->client->ops->room != NULL) {
            end->client->ops->room(end->client);
        }
        return true;
    }
    return false;
}

static inline bool stream_pair_pass_end(struct stream_pair_end *end)
{
    struct stream_pair_end *to = end->other;

    if (!end->end_wanted || end->end_done || end->dead || end->lend_count > 0 || to->dead) {
        return false;
    }
    end->end_done = true;
    if (to->closing || to->closed) {
        return true;
    }
    if (to->client->ops->ended != NULL) {
        to->client->ops->ended(to->client);
    } else {
        stream_pair_close(&to->stream);
    }
    return true;
}

static inline bool stream_pair_finish(struct stream_pair_end *end)
{
    if (end->closed) {
        return false;
    }
    if (!end->dead && end->closing && end->end_done && end->taken_unreported == 0) {
        stream_pair_kill(end, ST_OK);
    }
    if (!end->dead) {
        return false;
    }
    end->dead = false;
    end->closed = true;
    end->lend_count = 0;
    end->client->ops->closed(end->client, end->status);
    return true;
}

/* One round of callbacks; false: nothing was left to do. */
static inline bool stream_pair_step(struct stream_pair *pair)
{
    bool moved = stream_pair_deliver(pair, &pair->a);

    moved |= stream_pair_deliver(pair, &pair->b);
    moved |= stream_pair_report(pair, &pair->a);
    moved |= stream_pair_report(pair, &pair->b);
    moved |= stream_pair_pass_end(&pair->a);
    moved |= stream_pair_pass_end(&pair->b);
    moved |= stream_pair_finish(&pair->a);
    moved |= stream_pair_finish(&pair->b);
    return moved;
}

/* Until nothing moves, or `most` rounds. */
static inline void stream_pair_run(struct stream_pair *pair, unsigned most)
{
    while (most-- > 0 && stream_pair_step(pair)) {
        ;
    }
}
