/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_stream.c: bytes to messages and messages to bytes.
 *
 * In: the header of a frame is gathered in the connection, then a buffer of the right size is taken and the body copied
 * into it: the only copy. What cannot be taken now (no buffer, window full) stays with the stream, whose own window
 * then closes; vat_feed() comes back for it.
 *
 * Out: buffers are lent as they are. Control messages are built into a ring and lent from there, together where they
 * stand together.
 *
 *  (1) piece[] names what is lent, in order: sent() returns it in that order.
 *  (2) control_returned <= control_lent <= control_written <= control_returned + VAT_CONTROL_BYTES, running freely.
 *  (3) Control bytes that are written but not lent are lent before anything else is.
 */
#include "core/assert.h"
#include "vat_internal.h"

_Static_assert((VAT_CONTROL_BYTES & (VAT_CONTROL_BYTES - 1)) == 0, "positions in the ring are masked");
_Static_assert(VAT_CONTROL_BYTES >= (VAT_CONTROL_WORDS + 1) * 8, "the longest control message fits");

static struct vat_connection *connection_of(struct stream_client *client)
{
    return CONTAINER_OF(client, struct vat_connection, client);
}

/* ---- in ---- */

static uint32_t min_u32(size_t a, size_t b)
{
    return (uint32_t)(a < b ? a : b);
}

/* Takes header bytes until the header is whole. */
REQUIRES(LOOP)
static size_t take_head(struct vat_connection *c, const uint8_t *data, size_t len)
{
    uint32_t want = 8;
    size_t taken = 0;

    c->message_ns = c->head_size == 0 ? clock_ns() : c->message_ns;
    while (taken < len) {
        if (c->head_size >= 4) {
            uint32_t segments_less_one;
            __builtin_memcpy(&segments_less_one, c->head, sizeof(segments_less_one));
            if (segments_less_one >= MESSAGE_SEGMENTS_MAX) {
                vat_abort(c, EXCEPTION_FAILED, "message with too many segments");
                return taken;
            }
            want = (segments_less_one + 3) / 2 * 8; /* the count, a size each, padded to words */
        }
        uint32_t n = min_u32(len - taken, (c->head_size < 4 ? 4 : want) - c->head_size);
        memcpy(c->head + c->head_size, data + taken, n);
        c->head_size += n;
        taken += n;
        if (c->head_size >= 4 && c->head_size == want && want >= 8) {
            break;
        }
    }
    if (c->head_size < 8) {
        return taken;
    }
    status_t s = capnp_frame_parse(&c->frame, c->head, c->head_size, MESSAGE_WORDS_MAX);
    if (s == ST_OK) {
        c->framed = true;
        c->body_bytes = 0;
    } else if (s != ST_AGAIN) {
        vat_abort(c, EXCEPTION_FAILED, "message larger than %u words", MESSAGE_WORDS_MAX);
    }
    return taken;
}

/* Some buffers are not for what comes. Of the small ones an eighth: while calls of ours wait for the peer, what it sends may be
 * what frees the others. Of the medium ones the last: a call runs only when there is one for its results, and calls that had
 * taken all of them for themselves would wait for each other. Of the larger ones half, if the peer has one. */
static bool may_take(const struct vat_connection *c)
{
    const struct vat_buffers *small = &c->vat->buffers[VAT_SMALL];
    enum vat_size size = vat_frame_size(c->vat, &c->frame);

    return c->question_count > 0 ||
           (small->free_count > small->count / 8 && (size == VAT_SMALL || vat_buffer_due(c, size, size == VAT_MEDIUM)));
}

/* True when a buffer is there. */
REQUIRES(LOOP)
static bool take_buffer(struct vat_connection *c)
{
    if (c->incoming != NULL) {
        return true;
    }
    if (may_take(c)) {
        c->incoming = vat_message_for_frame(c->vat, &c->frame);
    }
    if (c->incoming == NULL && list_empty(&c->hungry)) {
        list_push_back(&c->vat->hungry, &c->hungry);
    }
    return c->incoming != NULL;
}

REQUIRES(LOOP)
static void message_ready(struct vat_connection *c)
{
    struct vat_message *m = c->incoming;

    c->incoming = NULL;
    c->framed = false;
    c->head_size = 0;
    vat_dispatch(c, m);
    vat_run_ready(c->vat);
}

/* The whole message is there: makes it readable, and hands it over if it may run now. False: later. */
REQUIRES(LOOP)
static bool take_message(struct vat_connection *c)
{
    struct vat_message *m = c->incoming;

    if (m->message.segment_count == 0) {
        if (capnp_frame_message(&c->frame, m->words, &m->message) != ST_OK) {
            UNREACHABLE(); /* vat_message_for_frame made room for its segments */
        }
    }
    if (!vat_admit(c, m)) {
        return false;
    }
    if (c->state == VAT_OPEN) {
        message_ready(c);
    }
    return true;
}

REQUIRES(LOOP)
static size_t receive(struct vat_connection *c, const uint8_t *data, size_t len)
{
    size_t taken = 0;

    while (c->state == VAT_OPEN) {
        if (!c->framed) {
            if (taken == len) {
                return taken;
            }
            taken += take_head(c, data + taken, len - taken);
            continue;
        }
        if (!take_buffer(c)) {
            return taken;
        }
        uint32_t n = min_u32(len - taken, c->frame.words * 8 - c->body_bytes);
        memcpy((uint8_t *)c->incoming->words + c->body_bytes, data + taken, n);
        c->body_bytes += n;
        taken += n;
        if (c->body_bytes < c->frame.words * 8 || !take_message(c)) {
            return taken;
        }
    }
    return len; /* closing: nobody looks at the rest */
}

static size_t received(struct stream_client *client, const uint8_t *data, size_t len)
{
    room_assert_loop();
    struct vat_connection *c = connection_of(client);

    ASSERT(!c->entered);
    c->entered = true;
    size_t taken = receive(c, data, len);
    c->blocked = taken < len;
    c->entered = false;
    vat_push(c);
    vat_stall_watch(c->vat);
    return taken;
}

void vat_stream_feed(struct vat_connection *c)
{
    /* A whole message may wait without a byte left in the stream: look at it here. */
    if (c->state == VAT_OPEN && !c->entered && c->incoming != NULL && c->body_bytes == c->frame.words * 8) {
        c->entered = true;
        bool moved = take_message(c);
        c->entered = false;
        vat_push(c);
        if (!moved) {
            return;
        }
    }
    if (c->state == VAT_OPEN && c->stream != NULL && c->blocked) {
        stream_resume(c->stream);
    }
}

/* ---- out ---- */

REQUIRES(LOOP)
static bool lend(struct vat_connection *c, const void *bytes, size_t size, struct vat_message *m)
{
    if (c->full || c->piece_count == VAT_PIECES) {
        return false;
    }
    status_t s = stream_send(c->stream, bytes, size);
    if (s == ST_FULL) {
        c->full = true;
        return false;
    }
    if (s != ST_OK) {
        return false; /* closed() comes and empties everything */
    }
    if (c->piece_count == 0) {
        c->piece_ns = clock_ns();
        vat_stall_watch(c->vat);
    }
    c->piece[(c->piece_first + c->piece_count) % VAT_PIECES] =
        (struct vat_piece){.bytes = (uint32_t)size, .message = m, .control = m == NULL};
    c->piece_count++;
    return true;
}

/* (3) */
REQUIRES(LOOP)
static bool lend_control(struct vat_connection *c)
{
    while (c->control_lent != c->control_written) {
        uint32_t at = c->control_lent % VAT_CONTROL_BYTES;
        uint32_t size = min_u32(c->control_written - c->control_lent, VAT_CONTROL_BYTES - at);
        if (!lend(c, c->control + at, size, NULL)) {
            return false;
        }
        c->control_lent += size;
    }
    return true;
}

REQUIRES(LOOP)
static bool send_message(struct vat_connection *c, struct vat_message *m)
{
    if (!lend_control(c)) {
        return false;
    }
    while (m->segments_sent < m->message.segment_count) {
        const struct message_segment *segment = &m->message.segment[m->segments_sent];
        const uint8_t *bytes = (const uint8_t *)segment->words;
        size_t size = (size_t)segment->used * 8;

        if (m->segments_sent == 0) {
            /* The header ends where the first segment begins. */
            uint32_t header = (m->message.segment_count / 2 + 1u) * 8;
            ASSERT(header <= VAT_HEADER_BYTES);
            bytes -= header;
            size += capnp_frame_header(&m->message, (uint8_t *)segment->words - header, header);
        }
        if (size > 0 && !lend(c, bytes, size, m)) {
            return false;
        }
        if (size > 0) {
            vat_message_get(m);
        }
        m->segments_sent++;
    }
    list_remove(&m->out.node);
    vat_message_put(m);
    return true;
}

static void control_write(struct vat_connection *c, const void *bytes, uint32_t size)
{
    uint32_t at = c->control_written % VAT_CONTROL_BYTES;
    uint32_t first = min_u32(size, VAT_CONTROL_BYTES - at);

    memcpy(c->control + at, bytes, first);
    memcpy(c->control, (const uint8_t *)bytes + first, size - first);
    c->control_written += size;
}

static void control_message(struct vat_connection *c, struct message *message)
{
    uint64_t header;
    size_t size = capnp_frame_header(message, &header, sizeof(header));

    ASSERT(size == sizeof(header)); /* one segment */
    control_write(c, &header, sizeof(header));
    control_write(c, message->segment->words, message->segment->used * 8);
}

static bool control_room(const struct vat_connection *c)
{
    return VAT_CONTROL_BYTES - (c->control_written - c->control_returned) >= (VAT_CONTROL_WORDS + 1) * 8;
}

REQUIRES(LOOP)
static bool send_control(struct vat_connection *c, struct vat_out *out)
{
    uint64_t words[VAT_CONTROL_WORDS];
    struct message_segment segment;
    struct message message;

    if (!control_room(c)) {
        return false;
    }
    list_remove(&out->node);
    capnp_message_build(&message, &segment, words, VAT_CONTROL_WORDS, NULL, 0);
    vat_out_build(c, out, &message);
    control_message(c, &message);
    vat_out_sent(out); /* may queue more: they come behind */
    return true;
}

void vat_push(struct vat_connection *c)
{
    if (c->entered || c->pushing || c->stream == NULL || c->state != VAT_OPEN) {
        return;
    }
    c->pushing = true;
    while (!list_empty(&c->out)) {
        struct vat_out *out = CONTAINER_OF(c->out.next, struct vat_out, node);
        bool moved = out->kind == VAT_OUT_MESSAGE ? send_message(c, CONTAINER_OF(out, struct vat_message, out))
                                                  : send_control(c, out);
        if (!moved) {
            break; /* room() or sent() comes */
        }
    }
    (void)lend_control(c); /* the same */
    c->pushing = false;
}

void vat_stream_abort(struct vat_connection *c, enum exception type, const char *reason)
{
    uint64_t words[VAT_CONTROL_WORDS];
    struct message_segment segment;
    struct message message;

    if (c->stream == NULL) {
        return;
    }
    bool between = list_empty(&c->out) || CONTAINER_OF(c->out.next, struct vat_out, node)->kind != VAT_OUT_MESSAGE ||
                   CONTAINER_OF(c->out.next, struct vat_message, out.node)->segments_sent == 0;
    if (between && reason != NULL && control_room(c)) {
        capnp_message_build(&message, &segment, words, VAT_CONTROL_WORDS, NULL, 0);
        vat_build_abort(&message, type, reason);
        control_message(c, &message);
    }
    if (between && lend_control(c)) {
        stream_close(c->stream);
    } else {
        stream_abort(c->stream); /* in the middle of a message there is nothing left to say */
    }
}

/* More of the message is lent, or will be. */
static bool goes_on(const struct vat_connection *c, struct vat_message *m)
{
    return !list_empty(&m->out.node) || (c->piece_count > 0 && c->piece[c->piece_first].message == m);
}

static void message_taken(struct vat_connection *c, const struct vat_message *m)
{
    uint32_t small = vat_message_small(m);

    ASSERT(small <= c->untaken);
    c->untaken -= small;
}

REQUIRES(LOOP)
static void piece_done(struct vat_connection *c)
{
    struct vat_piece piece = c->piece[c->piece_first];

    c->piece_first = (c->piece_first + 1) % VAT_PIECES;
    c->piece_count--;
    c->piece_returned = 0;
    c->piece_ns = clock_ns();
    if (piece.control) {
        c->control_returned += piece.bytes;
    } else if (!goes_on(c, piece.message)) {
        message_taken(c, piece.message);
    }
    vat_message_put(piece.message);
}

void vat_stream_returned(struct vat_connection *c, size_t bytes)
{
    while (bytes > 0) {
        ASSERT(c->piece_count > 0); /* (1): the stream returns no more than it was lent */
        uint32_t left = c->piece[c->piece_first].bytes - c->piece_returned;
        if (bytes < left) {
            c->piece_returned += (uint32_t)bytes;
            return;
        }
        bytes -= left;
        piece_done(c);
    }
}

static void came_back(struct stream_client *client, size_t len)
{
    room_assert_loop();
    struct vat_connection *c = connection_of(client);

    vat_stream_returned(c, len);
    vat_push(c);
    if (c->incoming != NULL || c->blocked) {
        vat_stream_feed(c); /* the window has moved */
    }
}

static void room(struct stream_client *client)
{
    room_assert_loop();
    struct vat_connection *c = connection_of(client);

    c->full = false;
    vat_push(c);
}

static void closed(struct stream_client *client, status_t status)
{
    room_assert_loop();
    struct vat_connection *c = connection_of(client);

    status_ignore(status, "all ends are the same to those who wait: disconnected");
    c->stream = NULL;
    while (c->piece_count > 0) {
        piece_done(c);
    }
    vat_closed(c);
}

static void ended(struct stream_client *client)
{
    room_assert_loop();

    vat_end(connection_of(client)); /* nobody is left to answer, or to be answered by */
}

const struct stream_client_ops vat_stream_ops = {
    .received = received,
    .sent = came_back,
    .room = room,
    .ended = ended,
    .closed = closed,
};
