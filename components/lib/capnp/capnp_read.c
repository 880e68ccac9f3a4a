/* SPDX-License-Identifier: MIT OR Apache-2.0
 * capnp_read.c: from a pointer word that somebody wrote to memory that may be looked at.
 *
 *  (1) Each pointer word is loaded once; everything is decided on the local copy.
 *  (2) Positions are words within a segment, held in 64 bits, and compared with what the segment holds before they become
 *      an address: no address outside of a segment is ever computed.
 *  (3) A far pointer is followed at most once: its landing pad must not be far again, except as a double-far pad is made.
 *  (4) Everything costs: a struct or list its words, at least one, and elements without size one each.
 */
#include "capnp_internal.h"

/* Where content begins, before its size is known. */
struct target {
    uint64_t pointer; /* the struct or list pointer that describes it */
    int64_t word;     /* in the segment; for constants, from ref.at */
    uint32_t segment;
};

static uint64_t load(const uint64_t *at)
{
    return __atomic_load_n(at, __ATOMIC_RELAXED); /* (1): the compiler may not read it again. */
}

/* Pays for `words`. Constants are free. */
static inline bool pay(struct message *message, uint64_t words)
{
    if (message == NULL) {
        return true;
    }
    if (words > message->read_limit_words) {
        return capnp_broken(message);
    }
    message->read_limit_words -= words;
    return true;
}

/* `count` words at `word` of a segment, or NULL and the message is malformed. */
static const uint64_t *words_of(struct message *message, uint32_t segment, int64_t word, uint64_t count)
{
    if (segment >= message->segment_count) {
        (void)capnp_broken(message);
        return NULL;
    }
    const struct message_segment *s = &message->segment[segment];
    if (word < 0 || (uint64_t)word > s->used || count > s->used - (uint64_t)word) {
        (void)capnp_broken(message);
        return NULL;
    }
    return s->words + word;
}

static const uint64_t *target_words(struct capnp_ref ref, const struct target *target, uint64_t count)
{
    if (ref.message == NULL) {
        return ref.at + target->word;
    }
    return words_of(ref.message, target->segment, target->word, count);
}

/* The landing pad of a far pointer says where the content is: (3). */
static bool follow_far(struct capnp_ref ref, uint64_t pointer, struct target *target)
{
    bool is_double = (pointer >> 2 & 1) != 0;
    uint32_t segment = (uint32_t)(pointer >> 32);
    int64_t pad_word = (int64_t)((uint32_t)pointer >> 3);
    const uint64_t *pad = ref.message == NULL ? NULL : words_of(ref.message, segment, pad_word, is_double ? 2 : 1);
    if (pad == NULL) {
        return false;
    }
    uint64_t first = load(pad);
    if (!is_double) {
        *target = (struct target){first, pad_word + 1 + wire_offset(first), segment};
    } else {
        if (wire_kind(first) != WIRE_FAR || (first >> 2 & 1) != 0) {
            return capnp_broken(ref.message);
        }
        *target = (struct target){load(pad + 1), (int64_t)((uint32_t)first >> 3), (uint32_t)(first >> 32)};
    }
    return wire_kind(target->pointer) <= WIRE_LIST || capnp_broken(ref.message);
}

/* Where a struct or list pointer leads. */
static bool follow(struct capnp_ref ref, uint64_t pointer, struct target *target)
{
    if (wire_kind(pointer) == WIRE_FAR) {
        return follow_far(ref, pointer, target);
    }
    const uint64_t *base = ref.message == NULL ? ref.at : ref.message->segment[ref.segment].words;
    *target = (struct target){pointer, (ref.at - base) + 1 + wire_offset(pointer), ref.segment};
    return wire_kind(pointer) <= WIRE_LIST || capnp_broken(ref.message);
}

static inline uint32_t struct_words(uint64_t pointer)
{
    return (uint32_t)wire_data_words(pointer) + wire_pointer_count(pointer);
}

/* The struct that `pointer` describes, at `words` of `segment`. */
static inline struct capnp_reader reader_at(struct capnp_ref ref, uint64_t pointer, uint32_t segment,
                                            const uint64_t *words)
{
    return (struct capnp_reader){.message = ref.message,
                                 .data = (const uint8_t *)words,
                                 .pointers = words + wire_data_words(pointer),
                                 .segment = segment,
                                 .data_bytes = wire_data_words(pointer) * 8u,
                                 .depth = ref.depth - 1,
                                 .pointer_count = wire_pointer_count(pointer)};
}

static bool locate_struct(struct capnp_ref ref, uint64_t pointer, struct capnp_reader *reader)
{
    struct target target;
    if (!follow(ref, pointer, &target)) {
        return false;
    }
    if (wire_kind(target.pointer) != WIRE_STRUCT || ref.depth == 0) {
        return capnp_broken(ref.message);
    }
    uint32_t count = struct_words(target.pointer);
    /* An empty struct takes no room; its offset says -1, or anything. */
    target.word = count == 0 ? 0 : target.word;
    const uint64_t *words = target_words(ref, &target, count);
    if (words == NULL) {
        return false;
    }
    *reader = reader_at(ref, target.pointer, target.segment, words);
    return true;
}

/* The usual: a struct of some words in the pointer's own segment. False: locate_struct() says what it is. */
static inline bool locate_near(struct capnp_ref ref, uint64_t pointer, struct capnp_reader *reader)
{
    if (ref.message == NULL || ref.segment >= ref.message->segment_count || wire_kind(pointer) != WIRE_STRUCT ||
        ref.depth == 0) {
        return false;
    }
    const struct message_segment *s = &ref.message->segment[ref.segment];
    uint64_t word =
        (uint64_t)((ref.at - s->words) + 1 + wire_offset(pointer)); /* one before the segment is very large */
    uint32_t count = struct_words(pointer);
    if (count == 0 || word > s->used || count > s->used - word) {
        return false;
    }
    *reader = reader_at(ref, pointer, ref.segment, s->words + word);
    return true;
}

bool capnp_locate_struct(struct capnp_ref ref, struct capnp_reader *reader)
{
    uint64_t pointer = ref.at == NULL ? 0 : load(ref.at);
    return pointer != 0 && locate_struct(ref, pointer, reader);
}

bool capnp_open_struct(struct capnp_ref ref, struct capnp_reader *reader)
{
    uint64_t pointer = ref.at == NULL ? 0 : load(ref.at);
    if (pointer != 0 && (locate_near(ref, pointer, reader) || locate_struct(ref, pointer, reader))) {
        uint64_t words = reader->data_bytes / 8 + reader->pointer_count;
        if (pay(ref.message, words == 0 ? 1 : words)) {
            return true;
        }
    }
    *reader = (struct capnp_reader){.message = ref.message};
    return false;
}

struct capnp_reader capnp_read_struct(struct capnp_ref ref)
{
    struct capnp_reader reader;
    (void)capnp_open_struct(ref, &reader);
    return reader;
}

/* A list of structs: its first word is a tag that says their number and size. */
static bool open_structs(struct capnp_ref ref, const struct target *target, struct capnp_found_list *found)
{
    uint32_t body_words = wire_count(target->pointer);
    const uint64_t *words = target_words(ref, target, (uint64_t)body_words + 1);
    if (words == NULL) {
        return false;
    }
    uint64_t tag = load(words);
    uint32_t count = (uint32_t)tag >> 2;
    uint32_t step_words = struct_words(tag);
    if (wire_kind(tag) != WIRE_STRUCT || (uint64_t)count * step_words > body_words) {
        return capnp_broken(ref.message);
    }
    found->words = body_words + 1;
    found->list.start = (const uint8_t *)(words + 1);
    found->list.count = count;
    found->list.step_bits = step_words * 64;
    found->list.data_bytes = (uint32_t)wire_data_words(tag) * 8;
    found->list.pointer_count = wire_pointer_count(tag);
    return pay(ref.message, (uint64_t)found->words + (step_words == 0 ? count : 0));
}

static bool open_values(struct capnp_ref ref, const struct target *target, struct capnp_found_list *found)
{
    uint32_t count = wire_count(target->pointer);
    uint32_t data_bits = element_data_bits(found->element);
    uint32_t step_bits = found->element == CAPNP_POINTER ? 64 : data_bits;
    uint64_t word_count = ((uint64_t)count * step_bits + 63) / 64;
    const uint64_t *words = target_words(ref, target, word_count);
    if (words == NULL) {
        return false;
    }
    found->words = (uint32_t)word_count;
    found->list.start = (const uint8_t *)words;
    found->list.count = count;
    found->list.step_bits = step_bits;
    found->list.data_bytes = data_bits / 8;
    found->list.pointer_count = found->element == CAPNP_POINTER;
    uint64_t cost = step_bits == 0 ? count : word_count; /* (4) */
    return pay(ref.message, cost == 0 ? 1 : cost);
}

static bool open_list(struct capnp_ref ref, uint64_t pointer, struct capnp_found_list *found)
{
    struct target target;
    if (!follow(ref, pointer, &target)) {
        return false;
    }
    if (wire_kind(target.pointer) != WIRE_LIST || ref.depth == 0) {
        return capnp_broken(ref.message);
    }
    *found = (struct capnp_found_list){.element = wire_element(target.pointer)};
    found->list.message = ref.message;
    found->list.segment = target.segment;
    found->list.depth = ref.depth - 1;
    return found->element == CAPNP_STRUCT ? open_structs(ref, &target, found) : open_values(ref, &target, found);
}

bool capnp_open_list(struct capnp_ref ref, struct capnp_found_list *found)
{
    uint64_t pointer = ref.at == NULL ? 0 : load(ref.at);
    return pointer != 0 && open_list(ref, pointer, found);
}

/* What the encoding allows a list to have become between two versions of a schema: a list of values or pointers may be
 * read as structs of which it is the first field, and the other way round. Bits never mix with anything. */
static bool list_fits(const struct capnp_found_list *found, enum capnp_element wanted)
{
    if (wanted == CAPNP_VOID) {
        return true;
    }
    if (wanted == CAPNP_BIT || found->element == CAPNP_BIT) {
        return wanted == found->element;
    }
    if (wanted == CAPNP_STRUCT) {
        return true;
    }
    if (wanted == CAPNP_POINTER) {
        return found->list.pointer_count > 0;
    }
    return found->list.data_bytes >= element_data_bits(wanted) / 8;
}

struct capnp_list capnp_read_list(struct capnp_ref ref, enum capnp_element element)
{
    struct capnp_list nothing = {.message = ref.message};
    struct capnp_found_list found;
    if (!capnp_open_list(ref, &found)) {
        return nothing;
    }
    if (!list_fits(&found, element)) {
        (void)capnp_broken(ref.message);
        return nothing;
    }
    return found.list;
}

/* A list of bytes, as text and data are: never a list of structs. */
static bool open_bytes(struct capnp_ref ref, struct capnp_data *data)
{
    struct capnp_found_list found;
    if (!capnp_open_list(ref, &found)) {
        return false;
    }
    if (found.element != CAPNP_BYTE) {
        return capnp_broken(ref.message);
    }
    *data = (struct capnp_data){found.list.start, found.list.count};
    return true;
}

struct capnp_data capnp_read_data(struct capnp_ref ref)
{
    struct capnp_data data = {NULL, 0};
    return open_bytes(ref, &data) ? data : (struct capnp_data){NULL, 0};
}

struct capnp_text capnp_read_text(struct capnp_ref ref)
{
    struct capnp_text nothing = {"", 0};
    struct capnp_data data;
    if (!open_bytes(ref, &data)) {
        return nothing;
    }
    if (data.size == 0 || data.bytes[data.size - 1] != 0) {
        (void)capnp_broken(ref.message);
        return nothing;
    }
    return (struct capnp_text){(const char *)data.bytes, data.size - 1};
}

bool capnp_open_cap(struct capnp_ref ref, uint64_t pointer, struct object **object)
{
    if (ref.message == NULL || !wire_is_cap(pointer, ref.message->cap_count)) {
        return capnp_broken(ref.message);
    }
    *object = ref.message->caps[pointer >> 32];
    return true;
}

struct object *capnp_read_cap(struct capnp_ref ref)
{
    struct object *object = NULL;
    uint64_t pointer = ref.at == NULL ? 0 : load(ref.at);
    return pointer != 0 && capnp_open_cap(ref, pointer, &object) ? object : NULL;
}

enum capnp_kind capnp_kind(struct capnp_ref ref)
{
    uint64_t pointer = ref.at == NULL ? 0 : load(ref.at);
    struct target target;
    if (pointer == 0) {
        return CAPNP_KIND_NULL;
    }
    if (wire_kind(pointer) == WIRE_OTHER) {
        return (uint32_t)pointer == WIRE_OTHER ? CAPNP_KIND_CAP : CAPNP_KIND_BROKEN;
    }
    if (!follow(ref, pointer, &target)) {
        return CAPNP_KIND_BROKEN;
    }
    return wire_kind(target.pointer) == WIRE_STRUCT ? CAPNP_KIND_STRUCT : CAPNP_KIND_LIST;
}

struct capnp_reader capnp_list_struct(struct capnp_list l, uint32_t i)
{
    struct capnp_reader nothing = {.message = l.message};
    if (i >= l.count) {
        return nothing;
    }
    if (l.depth == 0) {
        (void)capnp_broken(l.message);
        return nothing;
    }
    const uint8_t *element = l.start + (uint64_t)i * l.step_bits / 8;
    return (struct capnp_reader){.message = l.message,
                                 .data = element,
                                 /* Values have no pointers and may stand at any byte: no pointer is made of them. */
                                 .pointers = l.pointer_count == 0 ? NULL : (const uint64_t *)(element + l.data_bytes),
                                 .segment = l.segment,
                                 .data_bytes = l.data_bytes,
                                 .depth = l.depth - 1,
                                 .pointer_count = l.pointer_count};
}

struct capnp_ref capnp_list_ref(struct capnp_list l, uint32_t i)
{
    if (i >= l.count || l.pointer_count == 0) {
        return (struct capnp_ref){l.message, NULL, 0, 0};
    }
    const uint8_t *element = l.start + (uint64_t)i * l.step_bits / 8;
    return (struct capnp_ref){l.message, (const uint64_t *)(element + l.data_bytes), l.segment, l.depth};
}

struct capnp_ref capnp_payload_ref(struct payload payload)
{
    if (payload.message == NULL) {
        return (struct capnp_ref){0};
    }
    const uint64_t *at = words_of(payload.message, payload.segment, payload.word, 1);
    return (struct capnp_ref){payload.message, at, payload.segment, CAPNP_DEPTH_MAX};
}

void capnp_message_read(struct message *message, struct message_segment *segment, const uint64_t *words,
                        uint32_t word_count)
{
    /* Readers never write: the words stay as const as they came. */
    *segment = (struct message_segment){(uint64_t *)(uintptr_t)words, word_count, word_count};
    *message = (struct message){
        .segment = segment, .segment_count = 1, .segment_max = 1, .read_limit_words = CAPNP_READ_LIMIT(word_count)};
}

bool capnp_text_equal(struct capnp_text a, struct capnp_text b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.text, b.text, a.size) == 0);
}
