/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_message.c: message buffers: three sizes, from the boot arena, shared by all connections of a vat.
 *
 * A buffer's head is a struct vat_message, then room for a frame's header, then words. Buffers are lent to streams, so
 * devices may read them; nobody else's memory is in them.
 *
 *  (1) A buffer is free, or has at least one reference, or is a piece of one that has.
 *  (2) A message that was read has all its words in one buffer. One that is built grows by pieces.
 */
#include "core/assert.h"
#include "vat_internal.h"

#define HEAD_BYTES ((sizeof(struct vat_message) + VAT_HEADER_BYTES + 7u) & ~7u)

_Static_assert(HEAD_BYTES + 64 * 8 <= VAT_SMALL_BYTES, "64 words fit a small buffer, so every exception does");
_Static_assert(MESSAGE_CAPS_MAX *(sizeof(struct object *) + sizeof(uint32_t)) <= VAT_SMALL_BYTES - HEAD_BYTES,
               "a small buffer holds a capability table");
_Static_assert(MESSAGE_WORDS_MAX * 8 + MESSAGE_SEGMENTS_MAX * sizeof(struct message_segment) + HEAD_BYTES <=
                   VAT_LARGE_BYTES,
               "the largest message that is read fits");
_Static_assert(VAT_HEADER_BYTES >= 4 * (VAT_SEGMENTS + 1), "the frame of VAT_SEGMENTS segments");

static bool grow(struct message *message, uint32_t words);
static bool grow_caps(struct message *message);

static uint32_t words_in(const struct vat *vat, unsigned size)
{
    return (uint32_t)((vat->buffers[size].bytes - HEAD_BYTES) / 8);
}

static uint64_t *words_of(struct vat_message *m)
{
    return (uint64_t *)(void *)((char *)m + HEAD_BYTES);
}

void vat_buffers_init(struct vat *vat)
{
    const uint32_t bytes[VAT_SIZES] = {VAT_SMALL_BYTES, VAT_MEDIUM_BYTES, VAT_LARGE_BYTES};
    const uint32_t count[VAT_SIZES] = {vat->options.small, vat->options.medium, vat->options.large};

    for (unsigned size = 0; size < VAT_SIZES; size++) {
        struct vat_buffers *b = &vat->buffers[size];

        *b = (struct vat_buffers){.bytes = bytes[size], .count = count[size], .free_count = count[size]};
        list_init(&b->free);
        for (uint32_t i = 0; i < count[size]; i++) {
            struct vat_message *m = boot_alloc(bytes[size], 64);

            m->vat = vat;
            m->size = (uint8_t)size;
            list_push_back(&b->free, &m->out.node);
        }
    }
}

/* Only the head is cleared: capnp zeroes what it hands out. */
static struct vat_message *take(struct vat *vat, unsigned size)
{
    struct vat_buffers *b = &vat->buffers[size];
    struct list *node = list_pop_front(&b->free);

    if (node == NULL) {
        b->refused++;
        return NULL;
    }
    b->free_count--;
    struct vat_message *m = CONTAINER_OF(node, struct vat_message, out.node);
    ASSERT(m->references == 0);
    list_init(&m->out.node);
    list_init(&m->pieces);
    m->out.kind = VAT_OUT_MESSAGE;
    m->charged = NULL;
    m->words = words_of(m);
    m->word_count = words_in(vat, size);
    m->references = 1;
    m->segments_sent = 0;
    m->reply = false;
    return m;
}

static void give(struct vat_message *m)
{
    struct vat_buffers *b = &m->vat->buffers[m->size];

    m->references = 0;
    b->free_count++;
    ASSERT(b->free_count <= b->count);
    list_push_front(&b->free, &m->out.node); /* the last one used is the one in the cache */
}

/* Capabilities stand in the head of a small buffer, at the end of a larger one. */
static void caps_place(struct vat_message *m)
{
    m->message.caps = m->cap;
    m->export_id = m->cap_export;
    m->message.cap_max = VAT_CAPS;
    if (m->size != VAT_SMALL) {
        m->word_count -= MESSAGE_CAPS_MAX + MESSAGE_CAPS_MAX / 2;
        m->message.caps = (struct object **)(void *)(m->words + m->word_count);
        m->export_id = (uint32_t *)(void *)(m->message.caps + MESSAGE_CAPS_MAX);
        m->message.cap_max = MESSAGE_CAPS_MAX;
    }
}

static void build_begin(struct vat_message *m)
{
    struct object **caps = m->message.caps;
    uint16_t cap_max = m->message.cap_max;

    capnp_message_build(&m->message, m->segment, m->words, m->word_count, caps, cap_max);
    m->message.segment_max = VAT_SEGMENTS;
    m->message.grow = grow;
    m->message.grow_caps = grow_caps;
    m->message.read_limit_words = CAPNP_READ_LIMIT(MESSAGE_WORDS_MAX);
}

static unsigned size_for(const struct vat *vat, uint64_t words)
{
    for (unsigned size = VAT_SMALL; size < VAT_LARGE; size++) {
        uint32_t room = words_in(vat, size) - (size == VAT_SMALL ? 0 : MESSAGE_CAPS_MAX + MESSAGE_CAPS_MAX / 2);
        if (words <= room) {
            return size;
        }
    }
    return VAT_LARGE;
}

struct vat_message *vat_message_new(struct vat *vat, uint64_t words)
{
    struct vat_message *m = take(vat, size_for(vat, words));

    if (m == NULL) {
        return NULL;
    }
    caps_place(m);
    build_begin(m);
    return m;
}

/* A builder's message->grow: another buffer becomes the next segment. */
static bool grow(struct message *message, uint32_t words)
{
    struct vat_message *m = CONTAINER_OF(message, struct vat_message, message);

    room_assert_loop();
    if (message->segment_count >= message->segment_max || capnp_message_words(message) + words > MESSAGE_WORDS_MAX) {
        return false;
    }
    struct vat_message *piece = take(m->vat, size_for(m->vat, words));
    if (piece == NULL) {
        return false;
    }
    if (piece->word_count < words) {
        give(piece);
        return false;
    }
    list_push_back(&m->pieces, &piece->out.node);
    message->segment[message->segment_count++] =
        (struct message_segment){.words = piece->words, .used = 0, .size = piece->word_count};
    return true;
}

/* Words of a table of segments that does not fit the head. */
static uint64_t table_words(const struct capnp_frame *frame)
{
    return frame->segment_count <= VAT_SEGMENTS ? 0 : 2ull * frame->segment_count;
}

enum vat_size vat_frame_size(const struct vat *vat, const struct capnp_frame *frame)
{
    return (enum vat_size)size_for(vat, frame->words + table_words(frame));
}

struct vat_message *vat_message_for_frame(struct vat *vat, const struct capnp_frame *frame)
{
    uint64_t table = table_words(frame);
    struct vat_message *m = take(vat, vat_frame_size(vat, frame));

    if (m == NULL) {
        return NULL;
    }
    ASSERT(frame->words + table <= m->word_count);
    m->message =
        (struct message){.segment = m->segment, .segment_max = VAT_SEGMENTS, .caps = m->cap, .cap_max = VAT_CAPS};
    m->export_id = m->cap_export;
    if (table > 0) {
        m->message.segment = (struct message_segment *)(void *)(m->words + frame->words);
        m->message.segment_max = (uint16_t)frame->segment_count;
    }
    return m;
}

static void pieces_give(struct vat_message *m)
{
    for (struct list *node = list_pop_front(&m->pieces); node != NULL; node = list_pop_front(&m->pieces)) {
        give(CONTAINER_OF(node, struct vat_message, out.node));
    }
}

void vat_message_reuse(struct vat_message *m)
{
    ASSERT(m->segments_sent == 0 && list_empty(&m->out.node));
    message_release_caps(&m->message);
    pieces_give(m);
    m->word_count = words_in(m->vat, m->size);
    caps_place(m);
    build_begin(m);
}

bool vat_message_caps(struct vat_message *m, uint32_t count)
{
    if (count <= m->message.cap_max) {
        return true;
    }
    if (count > MESSAGE_CAPS_MAX) {
        return false;
    }
    struct vat_message *table = take(m->vat, VAT_SMALL);
    if (table == NULL) {
        return false;
    }
    list_push_back(&m->pieces, &table->out.node);
    struct object **caps = (struct object **)(void *)table->words;
    memcpy(caps, m->message.caps, m->message.cap_count * sizeof *caps);
    m->message.caps = caps;
    m->export_id = (uint32_t *)(void *)(m->message.caps + MESSAGE_CAPS_MAX); /* written when the message is sent */
    m->message.cap_max = MESSAGE_CAPS_MAX;
    return true;
}

/* A builder's message->grow_caps. */
static bool grow_caps(struct message *message)
{
    room_assert_loop();
    return message->cap_max < MESSAGE_CAPS_MAX &&
           vat_message_caps(CONTAINER_OF(message, struct vat_message, message), MESSAGE_CAPS_MAX);
}

void vat_message_charge(struct vat_message *m, struct vat_connection *c)
{
    uint32_t bytes = m->vat->buffers[m->size].bytes;

    if (m->charged == c) {
        return;
    }
    if (m->charged != NULL) {
        m->charged->held_bytes -= bytes;
        m->charged->held[m->size]--;
    }
    m->charged = c;
    if (c != NULL) {
        c->held_bytes += bytes;
        c->held[m->size]++;
    }
}

uint32_t vat_message_small(const struct vat_message *m)
{
    uint32_t count = m->size == VAT_SMALL;

    for (struct list *node = m->pieces.next; node != &m->pieces; node = node->next) {
        count += CONTAINER_OF(node, struct vat_message, out.node)->size == VAT_SMALL;
    }
    return count;
}

bool vat_buffers_scarce(const struct vat *vat, enum vat_size size)
{
    const struct vat_buffers *b = &vat->buffers[size];

    return size != VAT_SMALL && b->free_count <= b->count / 2;
}

bool vat_buffer_in_share(const struct vat_connection *c, enum vat_size size)
{
    return c->held[size] == 0 || !vat_buffers_scarce(c->vat, size);
}

bool vat_buffer_due(const struct vat_connection *c, enum vat_size size, uint32_t left)
{
    return c->vat->buffers[size].free_count > left && vat_buffer_in_share(c, size);
}

void vat_message_put(struct vat_message *m)
{
    if (m == NULL) {
        return;
    }
    ASSERT(m->references > 0);
    if (--m->references > 0) {
        return;
    }
    struct vat *vat = m->vat;
    m->references = 1; /* releasing capabilities may call far; nobody may take this buffer meanwhile */
    message_release_caps(&m->message);
    pieces_give(m);
    if (m->reply) {
        m->charged->replies--;
    }
    vat_message_charge(m, NULL);
    m->references = 0;
    give(m);
    vat_feed(vat);
}
