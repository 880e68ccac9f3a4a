/* SPDX-License-Identifier: MIT OR Apache-2.0
 * stream.h: the contract stream.v1: a connected, ordered, reliable stream of bytes. Nothing is copied on either way.
 *
 *      client                                provider (net/lwip, a test's pair)
 *   stream_send(data, len) -----lends----->  sends it when the turn ends or at stream_flush()
 *   sent(n)           <----------------  the oldest n lent bytes are the client's again
 *   received(data, n) <----borrows-----  takes some or all; what it leaves stays with the provider,
 *   stream_resume()   ---------------->  whose window closes, until the client asks for it again
 *   stream_close() / stream_abort() -->
 *   closed(status)    <----------------  exactly once, the last word: everything lent is the client's again
 *
 *  (1) No callback is ever called from inside a stream_*() function: a client need not be re-entrant.
 *  (2) From inside any callback the client may call any stream_*() function, except in and after closed().
 *  (3) Lent memory comes back in the order in which it was lent, by sent(), or all of it by closed(). It returns only
 *      when neither the peer nor a device can still want it, so the client may write it at once.
 *  (4) Lent memory must be memory that a device can read: static, boot, pool or arena memory, never a stack.
 *
 * All of it is LOOP. A stream belongs to the loop on which its client was given it.
 */
#pragma once
#include "core/assert.h"
#include "core/room.h"
#include "core/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;
struct stream_client;

#define STREAM_PEER_MAX                                                                                                \
    56u /* bytes of a peer's address as text, NUL included: "192.0.2.7:4321", "[2001:db8::1]:4321" */
#define STREAM_LENDS_MIN 16u /* every provider keeps at least so many separate stream_send()s at a time */

/* The client's side. Each function begins with room_assert_loop(). */
struct stream_client_ops {
    /* `len` > 0 bytes, borrowed for the call. Returns how many were taken, 0 to len. After taking fewer than all the
     * client gets no more until it calls stream_resume(); then the rest comes again, first. */
    size_t (*received)(struct stream_client *client, const uint8_t *data, size_t len);
    /* The oldest `len` bytes still lent are the client's again. NULL: it does not need to know. */
    void (*sent)(struct stream_client *client, size_t len);
    /* After stream_send() said ST_FULL: it will not say so now. NULL: it does not need to know. */
    void (*room)(struct stream_client *client);
    /* The peer sends no more; all that it sent has been taken. It may still read. NULL: the provider then closes the
     * stream. */
    void (*ended)(struct stream_client *client);
    /* The last call. ST_OK: closed by stream_close() and everything arrived. ST_CLOSED: the peer reset it or could not
     * be reached. ST_TIMEOUT: a deadline passed, or the peer is silent. ST_NOMEM: shed under pressure. ST_STALE:
     * stream_abort(). */
    void (*closed)(struct stream_client *client, status_t status);
    /* Of a stream that this side asked for: the peer has answered. Comes before all others but closed(). NULL: it does
     * not need to know. */
    void (*opened)(struct stream_client *client);
};

/* Embedded in the client's own structure; CONTAINER_OF leads back. */
struct stream_client {
    const struct stream_client_ops *ops; /* [I] */
};

struct stream_ops {
    status_t (*send)(struct stream *stream, const void *data, size_t len);
    void (*flush)(struct stream *stream);
    void (*resume)(struct stream *stream);
    void (*end)(struct stream *stream);
    void (*close)(struct stream *stream);
    void (*abort)(struct stream *stream);
};

/* Keys: [I] fixed while the stream lives. The first member of a provider's own structure. */
struct stream {
    const struct stream_ops *ops; /* [I] */
    char peer[STREAM_PEER_MAX];   /* [I] for people: never decide by it */
    char local[STREAM_PEER_MAX];  /* [I] this side's address, likewise */
};

/* Lends `len` > 0 bytes of any size to be sent after all that was lent before. Goes out when the turn ends, together
 * with what else this turn sends. ST_FULL: too many pieces are lent; room() tells when not. ST_CLOSED: the peer is
 * gone, or stream_end(), stream_close() or stream_abort() was called: nothing was lent; closed() comes or came. */
static inline status_t stream_send(struct stream *stream, const void *data, size_t len) REQUIRES(LOOP)
{
    ASSERT(len > 0);
    return stream->ops->send(stream, data, len);
}

/* Sends now what was lent, not at the end of the turn. Rarely needed. */
static inline void stream_flush(struct stream *stream) REQUIRES(LOOP)
{
    stream->ops->flush(stream);
}

/* The client can take bytes again. Harmless when it never refused any. */
static inline void stream_resume(struct stream *stream) REQUIRES(LOOP)
{
    stream->ops->resume(stream);
}

/* Nothing more will be lent: the peer is told after the last byte. Receiving goes on. */
static inline void stream_end(struct stream *stream) REQUIRES(LOOP)
{
    stream->ops->end(stream);
}

/* As stream_end, and what the peer still sends is dropped: received() and ended() come no more. sent() does, and
 * closed(ST_OK) when the peer has everything. Harmless when called again. */
static inline void stream_close(struct stream *stream) REQUIRES(LOOP)
{
    stream->ops->close(stream);
}

/* Resets the connection. The only callback that still comes is closed(). Harmless when called again. */
static inline void stream_abort(struct stream *stream) REQUIRES(LOOP)
{
    stream->ops->abort(stream);
}

/* For providers: the client's callbacks, of which the optional ones may be absent. */
static inline size_t stream_client_received(struct stream_client *client, const uint8_t *data, size_t len)
    REQUIRES(LOOP)
{
    return client->ops->received(client, data, len);
}

static inline void stream_client_sent(struct stream_client *client, size_t len) REQUIRES(LOOP)
{
    if (client->ops->sent != NULL) {
        client->ops->sent(client, len);
    }
}

static inline void stream_client_room(struct stream_client *client) REQUIRES(LOOP)
{
    if (client->ops->room != NULL) {
        client->ops->room(client);
    }
}

static inline void stream_client_opened(struct stream_client *client) REQUIRES(LOOP)
{
    if (client->ops->opened != NULL) {
        client->ops->opened(client);
    }
}

/* False: the client does not mind; the provider closes the stream. */
static inline bool stream_client_ended(struct stream_client *client) REQUIRES(LOOP)
{
    if (client->ops->ended == NULL) {
        return false;
    }
    client->ops->ended(client);
    return true;
}

static inline void stream_client_closed(struct stream_client *client, status_t status) REQUIRES(LOOP)
{
    client->ops->closed(client, status);
}
