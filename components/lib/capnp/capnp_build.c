/* SPDX-License-Identifier: MIT OR Apache-2.0
 * capnp_build.c: making room in a message, and pointers to it.
 *
 *  (1) Words beyond a segment's `used` hold anything; what is taken is zeroed before anybody sees it, so that nothing of
 *      an earlier message travels in a later one.
 *  (2) Content goes into its pointer's segment when there is room, else into another behind a landing pad: a far pointer.
 *  (3) `failed` is set where room was refused and is never cleared here. A slot with at == NULL leads nowhere.
 */
#include "capnp_internal.h"

void capnp_message_build(struct message *message, struct message_segment *segment, uint64_t *words, uint32_t word_count,
                         struct object **caps, uint16_t cap_max)
{
    ASSERT(word_count >= 1 && word_count <= CAPNP_SEGMENT_WORDS_MAX);
    words[0] = 0;
    *segment = (struct message_segment){words, 1, word_count};
    *message = (struct message){.segment = segment,
                                .segment_count = 1,
                                .segment_max = 1,
                                .caps = caps,
                                .cap_max = cap_max,
                                .read_limit_words = CAPNP_READ_LIMIT(word_count)};
}

/* Takes words of one segment, not zeroed. */
static uint64_t *take(struct message *message, uint32_t segment, uint32_t words)
{
    struct message_segment *s = &message->segment[segment];
    if (words > s->size - s->used || s->size > CAPNP_SEGMENT_WORDS_MAX) {
        return NULL;
    }
    uint64_t *taken = s->words + s->used;
    s->used += words;
    return taken;
}

/* Takes words of any segment: the newest that is there, else one more. */
static uint64_t *take_anywhere(struct message *message, uint32_t words, uint32_t *segment)
{
    uint32_t newest = message->segment_count - 1u;
    uint64_t *taken = take(message, newest, words);
    if (taken == NULL && message->grow != NULL && message->grow(message, words)) {
        newest = message->segment_count - 1u;
        taken = take(message, newest, words);
    }
    *segment = newest;
    return taken;
}

/* Room for content, not zeroed, with a pointer to it in the slot: (2). `tag` is that pointer without its offset. */
static uint64_t *allocate(struct capnp_slot slot, uint32_t words, uint64_t tag, uint32_t *segment)
{
    if (slot.at == NULL || slot.message->failed) {
        return NULL;
    }
    uint64_t *content = take(slot.message, slot.segment, words);
    if (content != NULL) {
        *segment = slot.segment;
        *slot.at = wire_with_offset(tag, (int32_t)(content - slot.at) - 1);
        return content;
    }
    uint64_t *pad = take_anywhere(slot.message, words + 1, segment);
    if (pad == NULL) {
        slot.message->failed = true;
        return NULL;
    }
    uint64_t pad_word = (uint64_t)(pad - slot.message->segment[*segment].words);
    *pad = wire_with_offset(tag, 0);
    *slot.at = (uint64_t)*segment << 32 | pad_word << 3 | WIRE_FAR;
    return pad + 1;
}

static void zero(uint64_t *words, uint32_t count)
{
    memset(words, 0, (size_t)count * sizeof(*words));
}

struct capnp_builder capnp_init_struct(struct capnp_slot slot, uint16_t data_words, uint16_t pointer_count)
{
    struct capnp_builder nothing = {.message = slot.message};
    uint32_t words = (uint32_t)data_words + pointer_count;
    if (words == 0) { /* Empty, but not null: the encoding says offset -1, which takes no room. */
        if (slot.at != NULL) {
            *slot.at = wire_with_offset(wire_struct(0, 0), -1);
        }
        return nothing;
    }
    uint32_t segment;
    uint64_t *content = allocate(slot, words, wire_struct(data_words, pointer_count), &segment);
    if (content == NULL) {
        return nothing;
    }
    zero(content, words);
    return (struct capnp_builder){.message = slot.message,
                                  .data = (uint8_t *)content,
                                  .pointers = content + data_words,
                                  .segment = segment,
                                  .data_bytes = data_words * 8u,
                                  .pointer_count = pointer_count};
}

/* Words of a list, or more than any segment has. */
static uint64_t list_words(enum capnp_element element, uint32_t count)
{
    uint64_t bits = element == CAPNP_POINTER ? 64 : element_data_bits(element);
    return count > CAPNP_COUNT_MAX ? UINT32_MAX : (count * bits + 63) / 64;
}

static bool list_refused(struct capnp_slot slot, uint64_t words)
{
    if (words <= CAPNP_SEGMENT_WORDS_MAX) {
        return false;
    }
    if (slot.message != NULL) {
        slot.message->failed = true;
    }
    return true;
}

struct capnp_list_builder capnp_init_list(struct capnp_slot slot, enum capnp_element element, uint32_t count)
{
    ASSERT(element != CAPNP_STRUCT); /* capnp_init_struct_list */
    struct capnp_list_builder nothing = {.message = slot.message};
    uint64_t words = list_words(element, count);
    uint32_t segment;
    uint64_t *content = NULL;
    if (!list_refused(slot, words)) {
        content = allocate(slot, (uint32_t)words, wire_list(element, count), &segment);
    }
    if (content == NULL) {
        return nothing;
    }
    zero(content, (uint32_t)words);
    uint32_t bits = element_data_bits(element);
    return (struct capnp_list_builder){.message = slot.message,
                                       .start = (uint8_t *)content,
                                       .segment = segment,
                                       .count = count,
                                       .step_bits = element == CAPNP_POINTER ? 64 : bits,
                                       .data_bytes = bits / 8,
                                       .pointer_count = element == CAPNP_POINTER};
}

struct capnp_list_builder capnp_init_struct_list(struct capnp_slot slot, uint32_t count, uint16_t data_words,
                                                 uint16_t pointer_count)
{
    struct capnp_list_builder nothing = {.message = slot.message};
    uint32_t step_words = (uint32_t)data_words + pointer_count;
    uint64_t words = count > CAPNP_COUNT_MAX ? UINT32_MAX : (uint64_t)count * step_words;
    uint32_t segment;
    uint64_t *content = NULL;
    if (!list_refused(slot, words)) {
        content = allocate(slot, (uint32_t)words + 1, wire_list(CAPNP_STRUCT, (uint32_t)words), &segment);
    }
    if (content == NULL) {
        return nothing;
    }
    *content = wire_with_offset(wire_struct(data_words, pointer_count), (int32_t)count);
    zero(content + 1, (uint32_t)words);
    return (struct capnp_list_builder){.message = slot.message,
                                       .start = (uint8_t *)(content + 1),
                                       .segment = segment,
                                       .count = count,
                                       .step_bits = step_words * 64,
                                       .data_bytes = data_words * 8u,
                                       .pointer_count = pointer_count};
}

/* A list of bytes; only its last word is zeroed, the rest is for the caller to fill. */
static uint8_t *take_bytes(struct capnp_slot slot, uint32_t size)
{
    uint64_t words = list_words(CAPNP_BYTE, size);
    uint32_t segment;
    if (list_refused(slot, words)) {
        return NULL;
    }
    uint64_t *content = allocate(slot, (uint32_t)words, wire_list(CAPNP_BYTE, size), &segment);
    if (content != NULL && words > 0) {
        content[words - 1] = 0;
    }
    return (uint8_t *)content;
}

struct capnp_bytes capnp_init_data(struct capnp_slot slot, uint32_t size)
{
    uint8_t *bytes = take_bytes(slot, size);
    if (bytes == NULL) {
        return (struct capnp_bytes){NULL, 0};
    }
    memset(bytes, 0, size); /* (1) */
    return (struct capnp_bytes){bytes, size};
}

struct capnp_bytes capnp_init_text(struct capnp_slot slot, uint32_t size)
{
    struct capnp_bytes bytes = capnp_init_data(slot, size == UINT32_MAX ? size : size + 1);
    bytes.size = bytes.size == 0 ? 0 : size;
    return bytes;
}

void capnp_set_data(struct capnp_slot slot, struct capnp_data data)
{
    uint8_t *bytes = take_bytes(slot, data.size);
    if (bytes != NULL && data.size > 0) {
        memcpy(bytes, data.bytes, data.size);
    }
}

void capnp_set_text(struct capnp_slot slot, struct capnp_text text)
{
    uint8_t *bytes = take_bytes(slot, text.size == UINT32_MAX ? text.size : text.size + 1);
    if (bytes != NULL && text.size > 0) {
        memcpy(bytes, text.text, text.size);
    }
    /* The NUL is there: the last word was zeroed first. */
}

void capnp_set_cap(struct capnp_slot slot, struct object *object)
{
    struct message *message = slot.message;
    if (slot.at == NULL || message->failed) {
        return;
    }
    if (object == NULL) {
        *slot.at = 0;
        return;
    }
    bool full = message->cap_count >= message->cap_max;
    if (full && (message->grow_caps == NULL || !message->grow_caps(message))) {
        message->failed = true;
        return;
    }
    *slot.at = (uint64_t)message->cap_count << 32 | WIRE_OTHER;
    message->caps[message->cap_count++] = object_get(object);
}

struct capnp_slot capnp_payload_slot(struct payload payload)
{
    struct message *message = payload.message;
    if (message == NULL) {
        return (struct capnp_slot){0};
    }
    if (message->failed || payload.segment >= message->segment_count ||
        payload.word >= message->segment[payload.segment].used) {
        message->failed = true;
        return (struct capnp_slot){message, NULL, 0};
    }
    return (struct capnp_slot){message, message->segment[payload.segment].words + payload.word, payload.segment};
}

struct capnp_ref capnp_slot_ref(struct capnp_slot slot)
{
    return (struct capnp_ref){slot.message, slot.at, slot.segment, CAPNP_DEPTH_MAX};
}

struct capnp_reader capnp_builder_reader(struct capnp_builder b)
{
    return (struct capnp_reader){.message = b.message,
                                 .data = b.data,
                                 .pointers = b.pointers,
                                 .segment = b.segment,
                                 .data_bytes = b.data_bytes,
                                 .depth = CAPNP_DEPTH_MAX,
                                 .pointer_count = b.pointer_count};
}

struct capnp_list capnp_list_builder_reader(struct capnp_list_builder l)
{
    return (struct capnp_list){.message = l.message,
                               .start = l.start,
                               .segment = l.segment,
                               .count = l.count,
                               .step_bits = l.step_bits,
                               .data_bytes = l.data_bytes,
                               .depth = CAPNP_DEPTH_MAX,
                               .pointer_count = l.pointer_count};
}

/* A builder for what a reader found: the words are the message's own, which is being built. */
static struct capnp_builder reopen(struct capnp_reader r)
{
    return (struct capnp_builder){.message = r.message,
                                  .data = (uint8_t *)(uintptr_t)r.data,
                                  .pointers = (uint64_t *)(uintptr_t)r.pointers,
                                  .segment = r.segment,
                                  .data_bytes = r.data_bytes,
                                  .pointer_count = r.pointer_count};
}

/* Makes a new struct of at least the old one's size and copies what it held. */
static struct capnp_builder enlarge(struct capnp_slot slot, struct capnp_reader old, uint16_t data_words,
                                    uint16_t pointer_count)
{
    uint16_t old_words = (uint16_t)(old.data_bytes / 8);
    struct capnp_builder b = capnp_init_struct(slot, data_words > old_words ? data_words : old_words,
                                               pointer_count > old.pointer_count ? pointer_count : old.pointer_count);
    if (b.data_bytes < old.data_bytes || b.pointer_count < old.pointer_count) {
        return b; /* Failed, and says so. */
    }
    memcpy(b.data, old.data, old.data_bytes);
    for (uint16_t i = 0; i < old.pointer_count; i++) {
        (void)capnp_copy(capnp_slot(b, i), capnp_get_ref(old, i)); /* Its failure is sticky. */
    }
    return b;
}

struct capnp_builder capnp_edit_struct(struct capnp_slot slot, uint16_t data_words, uint16_t pointer_count,
                                       const uint64_t *words)
{
    struct capnp_builder nothing = {.message = slot.message};
    if (slot.at == NULL || slot.message->failed) {
        return nothing;
    }
    if (*slot.at == 0 && words != NULL) {
        (void)capnp_copy(slot, capnp_constant(words)); /* Its failure is sticky. */
    }
    if (*slot.at == 0) {
        return capnp_init_struct(slot, data_words, pointer_count);
    }
    struct capnp_reader old;
    if (!capnp_locate_struct(capnp_slot_ref(slot), &old)) {
        slot.message->failed = true;
        return nothing;
    }
    if (old.data_bytes >= data_words * 8u && old.pointer_count >= pointer_count) {
        return reopen(old);
    }
    return enlarge(slot, old, data_words, pointer_count);
}

struct capnp_list_builder capnp_edit_list(struct capnp_slot slot, enum capnp_element element, const uint64_t *words)
{
    struct capnp_list_builder nothing = {.message = slot.message};
    if (slot.at == NULL || slot.message->failed) {
        return nothing;
    }
    if (*slot.at == 0 && words != NULL) {
        (void)capnp_copy(slot, capnp_constant(words)); /* Its failure is sticky. */
    }
    if (*slot.at == 0) {
        return nothing;
    }
    struct capnp_list old = capnp_read_list(capnp_slot_ref(slot), element);
    if (old.start == NULL) {
        slot.message->failed = true;
        return nothing;
    }
    return (struct capnp_list_builder){.message = old.message,
                                       .start = (uint8_t *)(uintptr_t)old.start,
                                       .segment = old.segment,
                                       .count = old.count,
                                       .step_bits = old.step_bits,
                                       .data_bytes = old.data_bytes,
                                       .pointer_count = old.pointer_count};
}

struct capnp_list_builder capnp_edit_struct_list(struct capnp_slot slot, uint16_t data_words, uint16_t pointer_count,
                                                 const uint64_t *words)
{
    struct capnp_list_builder l = capnp_edit_list(slot, CAPNP_STRUCT, words);
    if (l.count > 0 && (l.data_bytes < data_words * 8u || l.pointer_count < pointer_count)) {
        slot.message->failed = true;
        return (struct capnp_list_builder){.message = slot.message};
    }
    return l;
}

struct capnp_builder capnp_list_builder_struct(struct capnp_list_builder l, uint32_t i)
{
    struct capnp_builder nothing = {.message = l.message};
    if (i >= l.count) {
        return nothing;
    }
    uint8_t *element = l.start + (uint64_t)i * l.step_bits / 8;
    return (struct capnp_builder){.message = l.message,
                                  .data = element,
                                  .pointers = l.pointer_count == 0 ? NULL : (uint64_t *)(element + l.data_bytes),
                                  .segment = l.segment,
                                  .data_bytes = l.data_bytes,
                                  .pointer_count = l.pointer_count};
}

struct capnp_slot capnp_list_slot(struct capnp_list_builder l, uint32_t i)
{
    if (i >= l.count || l.pointer_count == 0) {
        return (struct capnp_slot){l.message, NULL, 0};
    }
    uint8_t *element = l.start + (uint64_t)i * l.step_bits / 8;
    return (struct capnp_slot){l.message, (uint64_t *)(element + l.data_bytes), l.segment};
}
