/* SPDX-License-Identifier: MIT OR Apache-2.0
 * capnp.h: Cap'n Proto messages, read and built in place over a `struct message` (core/message.h).
 *
 * Generated code (build-scripts/host/capnpc-c, one NAME.capnp.h a schema) wraps what is here in types; the README beside
 * this file shows a sample. Rules for all of it:
 *
 *  (1) What stands in a message is an allegation. A reader checks each pointer when it follows it: bounds, depth, and a
 *      budget of words looked at (message->read_limit_words; elements without size cost too). What does not hold reads as
 *      the default and marks the message `malformed`, for good. capnp_check() does that for a whole tree at the door.
 *  (2) A pointer is read from memory once, then checked, then used, so a message that changes meanwhile (a thread's) is
 *      still read within bounds.
 *  (3) A builder that finds no room marks the message `failed`, for good; it and all builders after it do nothing. Look
 *      once, at the end (call_return does). New memory in a message is zeroed here, so owners need not.
 *  (4) No allocation, no state of its own, no recursion. Any room, except what names LOOP.
 *  (5) Readers and builders are small values. They borrow the message: they live as long as it does.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "core/message.h"
#include "core/object.h"
#include "core/status.h"

#define CAPNP_DEPTH_MAX 64u /* structs and lists inside each other */
/* A fair budget for a message of this many words: handlers may look at everything several times. */
#define CAPNP_READ_LIMIT(words) (16ull * (words) + 4096ull)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fields are read in place");

/* How list elements stand in memory (the encoding's numbers). */
enum capnp_element {
    CAPNP_VOID = 0,
    CAPNP_BIT = 1,
    CAPNP_BYTE = 2,
    CAPNP_TWO_BYTES = 3,
    CAPNP_FOUR_BYTES = 4,
    CAPNP_EIGHT_BYTES = 5,
    CAPNP_POINTER = 6,
    CAPNP_STRUCT = 7,
};

enum capnp_kind { CAPNP_KIND_NULL, CAPNP_KIND_STRUCT, CAPNP_KIND_LIST, CAPNP_KIND_CAP, CAPNP_KIND_BROKEN };

/* Where a pointer stands that is read. All zero: a null pointer. This is what an AnyPointer reads as. */
struct capnp_ref {
    struct message *message; /* NULL: constant data of this image */
    const uint64_t *at;      /* NULL: a null pointer */
    uint32_t segment;
    uint32_t depth; /* levels that may still follow */
};

/* A struct that is read. All zero: every field reads as its default. */
struct capnp_reader {
    struct message *message;
    const uint8_t *data;
    const uint64_t *pointers;
    uint32_t segment;
    uint32_t data_bytes;
    uint32_t depth;
    uint16_t pointer_count;
};

/* A list that is read. All zero: empty. */
struct capnp_list {
    struct message *message;
    const uint8_t *start;
    uint32_t segment;
    uint32_t count;
    uint32_t step_bits;  /* from one element to the next */
    uint32_t data_bytes; /* of an element's data; 0 for bits */
    uint32_t depth;
    uint16_t pointer_count; /* of an element */
};

struct capnp_text {
    const char *text; /* text[size] is NUL; never NULL when it comes from a reader */
    uint32_t size;    /* without the NUL */
};
struct capnp_data {
    const uint8_t *bytes; /* may be NULL when size is 0 */
    uint32_t size;
};
/* Room in a message to write into. size is 0 when there was none. */
struct capnp_bytes {
    uint8_t *bytes;
    uint32_t size;
};

/* Where a pointer stands that is built: an AnyPointer's builder. at NULL: nothing comes of it. */
struct capnp_slot {
    struct message *message;
    uint64_t *at;
    uint32_t segment;
};
struct capnp_builder {
    struct message *message;
    uint8_t *data;
    uint64_t *pointers;
    uint32_t segment;
    uint32_t data_bytes;
    uint16_t pointer_count;
};
struct capnp_list_builder {
    struct message *message;
    uint8_t *start;
    uint32_t segment;
    uint32_t count;
    uint32_t step_bits;
    uint32_t data_bytes;
    uint16_t pointer_count;
};

static inline struct capnp_text capnp_text(const char *text)
{
    return (struct capnp_text){text, (uint32_t)strlen(text)};
}
static inline struct capnp_text capnp_text_n(const char *text, size_t size)
{
    return (struct capnp_text){text, (uint32_t)size};
}
static inline struct capnp_data capnp_data(const void *bytes, size_t size)
{
    return (struct capnp_data){(const uint8_t *)bytes, (uint32_t)size};
}
bool capnp_text_equal(struct capnp_text a, struct capnp_text b);

/* ---- whole messages ---- */

/* A message to build in one lent piece of memory; the root pointer's word is taken. caps may be NULL with cap_max 0. */
void capnp_message_build(struct message *message, struct message_segment *segment, uint64_t *words, uint32_t word_count,
                         struct object **caps, uint16_t cap_max);
/* A message to read that stands in one piece, `word_count` words, without capabilities. */
void capnp_message_read(struct message *message, struct message_segment *segment, const uint64_t *words,
                        uint32_t word_count);
/* The root pointer of a message. */
static inline struct payload capnp_root(struct message *message)
{
    return (struct payload){message, 0, 0};
}
/* To read or to build at a payload. A payload outside of its message is a null pointer, marked malformed or failed. */
struct capnp_ref capnp_payload_ref(struct payload payload);
struct capnp_slot capnp_payload_slot(struct payload payload);

/* ---- what generated code describes a struct's pointers with, for capnp_check ---- */

struct capnp_when {                 /* a union must stand so for the member to exist */
    const struct capnp_when *outer; /* and this too; NULL: nothing more */
    uint32_t offset;                /* of the tag, in bytes */
    uint16_t tag;
};
struct capnp_shape;
enum capnp_type_kind {
    CAPNP_TYPE_ANY,
    CAPNP_TYPE_STRUCT,
    CAPNP_TYPE_LIST,
    CAPNP_TYPE_TEXT,
    CAPNP_TYPE_DATA,
    CAPNP_TYPE_CAP
};
struct capnp_type {
    uint8_t kind;                    /* enum capnp_type_kind */
    uint8_t element;                 /* of a list: enum capnp_element */
    const struct capnp_shape *shape; /* of a struct, or of the structs in a list; NULL: any */
    const struct capnp_type *inner;  /* of the elements in a list of pointers; NULL: any */
};
struct capnp_member {
    const struct capnp_when *when; /* NULL: always */
    struct capnp_type type;
    uint16_t pointer; /* index in the pointer section */
};
struct capnp_shape {
    const struct capnp_member *member;
    uint32_t member_count;
};

/* True when everything reachable from here is well formed, is what `shape` says it is (NULL: only well formed), holds no
 * capability that the message has not, and can be looked at once within the message's budget, which is left as it was.
 * Else the message is malformed. */
bool capnp_check(struct capnp_ref ref, const struct capnp_shape *shape);
/* The same of a struct, which is read at once (and paid for). Generated dispatch calls it before a handler. */
bool capnp_check_read(struct capnp_ref ref, const struct capnp_shape *shape, struct capnp_reader *reader);
/* Words and capabilities that a copy of what stands here takes, the pointer itself not counted. */
bool capnp_measure(struct capnp_ref ref, uint64_t *words, uint32_t *caps);
/* Copies what stands there, with its capabilities (references are taken). False: source malformed or target failed. */
bool capnp_copy(struct capnp_slot to, struct capnp_ref from);
/* Copies the root to `to`, which must be fresh (capnp_message_build), large enough in one segment, in canonical form.
 * False also when there are capabilities, which have no canonical form. */
bool capnp_canonical(struct message *to, struct capnp_ref from);

/* ---- reading pointers ---- */

enum capnp_kind capnp_kind(struct capnp_ref ref);
struct capnp_reader capnp_read_struct(struct capnp_ref ref);
/* `element` is what the schema says. Older and newer forms of the list are accepted as the encoding's rules allow. */
struct capnp_list capnp_read_list(struct capnp_ref ref, enum capnp_element element);
struct capnp_text capnp_read_text(struct capnp_ref ref);
struct capnp_data capnp_read_data(struct capnp_ref ref);
/* Borrowed from the message; NULL: the null capability. */
struct object *capnp_read_cap(struct capnp_ref ref);

/* The i-th pointer of a struct; null beyond its end. */
static inline struct capnp_ref capnp_get_ref(struct capnp_reader s, uint16_t i)
{
    if (i >= s.pointer_count) {
        return (struct capnp_ref){s.message, NULL, 0, 0};
    }
    return (struct capnp_ref){s.message, s.pointers + i, s.segment, s.depth};
}
static inline bool capnp_has(struct capnp_reader s, uint16_t i)
{
    return i < s.pointer_count && s.pointers[i] != 0;
}
/* A pointer in words that are compiled in: a default value or a constant. */
static inline struct capnp_ref capnp_constant(const uint64_t *words)
{
    return (struct capnp_ref){NULL, words, 0, CAPNP_DEPTH_MAX};
}
static inline struct capnp_ref capnp_get_ref_or(struct capnp_reader s, uint16_t i, const uint64_t *words)
{
    return capnp_has(s, i) ? capnp_get_ref(s, i) : capnp_constant(words);
}

/* ---- reading fields: `at` in bytes (bits for bool) of the data section; beyond its end they are 0 ---- */

static inline bool capnp_get_bool(struct capnp_reader s, uint32_t at)
{
    return at / 8 < s.data_bytes && (s.data[at / 8] >> (at % 8) & 1) != 0;
}
#define CAPNP_GETTER(name, type)                                                                                       \
    static inline type capnp_get_##name(struct capnp_reader s, uint32_t at)                                            \
    {                                                                                                                  \
        type value = 0;                                                                                                \
        if (at + sizeof(value) <= s.data_bytes) {                                                                      \
            __builtin_memcpy(&value, s.data + at, sizeof(value));                                                      \
        }                                                                                                              \
        return value;                                                                                                  \
    }
CAPNP_GETTER(u8, uint8_t)
CAPNP_GETTER(u16, uint16_t)
CAPNP_GETTER(u32, uint32_t)
CAPNP_GETTER(u64, uint64_t)
#undef CAPNP_GETTER

/* What members of a union are read from: the struct while `tag` is chosen (at byte `at`), else nothing. */
static inline struct capnp_reader capnp_member(struct capnp_reader s, uint32_t at, uint16_t tag)
{
    return capnp_get_u16(s, at) == tag ? s : (struct capnp_reader){.message = s.message};
}

/* ---- reading lists: beyond the end elements are 0, null or empty ---- */

static inline bool capnp_list_bool(struct capnp_list l, uint32_t i)
{
    return i < l.count && l.step_bits == 1 && (l.start[i / 8] >> (i % 8) & 1) != 0;
}
#define CAPNP_LIST_GETTER(name, type)                                                                                  \
    static inline type capnp_list_##name(struct capnp_list l, uint32_t i)                                              \
    {                                                                                                                  \
        type value = 0;                                                                                                \
        if (i < l.count && l.data_bytes >= sizeof(value)) {                                                            \
            __builtin_memcpy(&value, l.start + (uint64_t)i * l.step_bits / 8, sizeof(value));                          \
        }                                                                                                              \
        return value;                                                                                                  \
    }
CAPNP_LIST_GETTER(u8, uint8_t)
CAPNP_LIST_GETTER(u16, uint16_t)
CAPNP_LIST_GETTER(u32, uint32_t)
CAPNP_LIST_GETTER(u64, uint64_t)
#undef CAPNP_LIST_GETTER
struct capnp_reader capnp_list_struct(struct capnp_list l, uint32_t i);
/* The pointer of an element, for lists of pointers: pass it to capnp_read_text, capnp_read_list... */
struct capnp_ref capnp_list_ref(struct capnp_list l, uint32_t i);

/* ---- building pointers: each overwrites what stood in the slot (its old content is left as dead words) ---- */

struct capnp_builder capnp_init_struct(struct capnp_slot slot, uint16_t data_words, uint16_t pointer_count);
struct capnp_list_builder capnp_init_list(struct capnp_slot slot, enum capnp_element element, uint32_t count);
struct capnp_list_builder capnp_init_struct_list(struct capnp_slot slot, uint32_t count, uint16_t data_words,
                                                 uint16_t pointer_count);
struct capnp_bytes capnp_init_data(struct capnp_slot slot, uint32_t size);
struct capnp_bytes capnp_init_text(struct capnp_slot slot, uint32_t size); /* size without the NUL */
void capnp_set_data(struct capnp_slot slot, struct capnp_data data);
void capnp_set_text(struct capnp_slot slot, struct capnp_text text);
/* Takes a reference. NULL: the null capability. */
void capnp_set_cap(struct capnp_slot slot, struct object *object);
/* A capability that goes in a table of its own, not in the message's: a thread's ring entry (core/ring.h). */
static inline void capnp_set_cap_index(struct capnp_slot slot, uint32_t index)
{
    if (slot.at != NULL) {
        *slot.at = (uint64_t)index << 32 | 3; /* "other" pointer, kind 0 */
    }
}
/* Copies; a reader that failed to copy marks the message failed. */
void capnp_set_struct(struct capnp_slot slot, struct capnp_reader from);
static inline void capnp_set_null(struct capnp_slot slot)
{
    if (slot.at != NULL) {
        *slot.at = 0;
    }
}
/* What stands there already, to go on with it; made when null, out of `words` when it has a default (else NULL), and
 * made larger when it is of an older form. */
struct capnp_builder capnp_edit_struct(struct capnp_slot slot, uint16_t data_words, uint16_t pointer_count,
                                       const uint64_t *words);
/* The same for a list, but a list of an older, smaller form marks the message failed. */
struct capnp_list_builder capnp_edit_list(struct capnp_slot slot, enum capnp_element element, const uint64_t *words);

/* The same for a list of structs of at least this size. */
struct capnp_list_builder capnp_edit_struct_list(struct capnp_slot slot, uint16_t data_words, uint16_t pointer_count,
                                                 const uint64_t *words);
/* Copies a list that is read as `element`s. */
void capnp_set_list(struct capnp_slot slot, struct capnp_list from, enum capnp_element element);
/* Copies whatever stands there. */
static inline void capnp_set_any(struct capnp_slot slot, struct capnp_ref from)
{
    (void)capnp_copy(slot, from); /* Its failure is sticky. */
}

static inline struct capnp_slot capnp_slot(struct capnp_builder b, uint16_t i)
{
    if (i >= b.pointer_count) {
        return (struct capnp_slot){b.message, NULL, 0};
    }
    return (struct capnp_slot){b.message, b.pointers + i, b.segment};
}
struct capnp_ref capnp_slot_ref(struct capnp_slot slot);
struct capnp_reader capnp_builder_reader(struct capnp_builder b);
struct capnp_list capnp_list_builder_reader(struct capnp_list_builder l);

/* ---- building fields: `at` as above ---- */

static inline void capnp_put_bool(struct capnp_builder b, uint32_t at, bool value)
{
    if (at / 8 < b.data_bytes) {
        uint8_t mask = (uint8_t)(1u << (at % 8));
        b.data[at / 8] = (uint8_t)(value ? (b.data[at / 8] | mask) : (b.data[at / 8] & ~mask));
    }
}
#define CAPNP_SETTER(name, type)                                                                                       \
    static inline void capnp_put_##name(struct capnp_builder b, uint32_t at, type value)                               \
    {                                                                                                                  \
        if (at + sizeof(value) <= b.data_bytes) {                                                                      \
            __builtin_memcpy(b.data + at, &value, sizeof(value));                                                      \
        }                                                                                                              \
    }
CAPNP_SETTER(u8, uint8_t)
CAPNP_SETTER(u16, uint16_t)
CAPNP_SETTER(u32, uint32_t)
CAPNP_SETTER(u64, uint64_t)
#undef CAPNP_SETTER

/* The pointer of a union's member, to go on with it: null when another member was chosen before. */
static inline struct capnp_slot capnp_member_slot(struct capnp_builder b, uint16_t i, uint32_t at, uint16_t tag)
{
    struct capnp_slot slot = capnp_slot(b, i);
    uint16_t chosen = 0;
    if (at + sizeof(chosen) <= b.data_bytes) {
        __builtin_memcpy(&chosen, b.data + at, sizeof(chosen));
    }
    if (chosen != tag) {
        capnp_put_u16(b, at, tag);
        capnp_set_null(slot);
    }
    return slot;
}

/* ---- building lists; beyond the end nothing happens ---- */

static inline void capnp_list_put_bool(struct capnp_list_builder l, uint32_t i, bool value)
{
    if (i < l.count && l.step_bits == 1) {
        uint8_t mask = (uint8_t)(1u << (i % 8));
        l.start[i / 8] = (uint8_t)(value ? (l.start[i / 8] | mask) : (l.start[i / 8] & ~mask));
    }
}
#define CAPNP_LIST_SETTER(name, type)                                                                                  \
    static inline void capnp_list_put_##name(struct capnp_list_builder l, uint32_t i, type value)                      \
    {                                                                                                                  \
        if (i < l.count && l.data_bytes >= sizeof(value)) {                                                            \
            __builtin_memcpy(l.start + (uint64_t)i * l.step_bits / 8, &value, sizeof(value));                          \
        }                                                                                                              \
    }
CAPNP_LIST_SETTER(u8, uint8_t)
CAPNP_LIST_SETTER(u16, uint16_t)
CAPNP_LIST_SETTER(u32, uint32_t)
CAPNP_LIST_SETTER(u64, uint64_t)
#undef CAPNP_LIST_SETTER
struct capnp_builder capnp_list_builder_struct(struct capnp_list_builder l, uint32_t i);
struct capnp_slot capnp_list_slot(struct capnp_list_builder l, uint32_t i);

/* ---- floats: bit patterns everywhere; as numbers only where the compiler may use their registers ---- */

#if defined(__SSE2__) || !defined(__x86_64__)
#define CAPNP_FLOATS 1
static inline float capnp_float(uint32_t bits)
{
    float value;
    __builtin_memcpy(&value, &bits, sizeof(value));
    return value;
}
static inline uint32_t capnp_float_bits(float value)
{
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof(bits));
    return bits;
}
static inline double capnp_double(uint64_t bits)
{
    double value;
    __builtin_memcpy(&value, &bits, sizeof(value));
    return value;
}
static inline uint64_t capnp_double_bits(double value)
{
    uint64_t bits;
    __builtin_memcpy(&bits, &value, sizeof(bits));
    return bits;
}
#else
#define CAPNP_FLOATS 0
#endif

/* Params or results of which nothing is known or nothing is there. */
struct capnp_empty_reader {
    struct capnp_reader s;
};
struct capnp_empty_builder {
    struct capnp_builder s;
};

/* ---- calls: what generated stubs are made of ---- */

/* Fills in a call. The target is borrowed until object_call. */
static inline void capnp_call_init(struct call *call, struct object *target, uint64_t interface_id, uint16_t method_id,
                                   struct payload params, const struct call_source *source)
{
    *call = (struct call){
        .target = target, .interface_id = interface_id, .method_id = method_id, .params = params, .source = source};
    list_init(&call->node);
}
/* Answers a call whose params are not what the method takes. Their message is marked malformed: a vat that sees that
 * ends the connection. */
void capnp_call_malformed(struct call *call) REQUIRES(LOOP);
void capnp_call_unimplemented(struct call *call) REQUIRES(LOOP);

/* ---- messages in a byte stream ---- */

struct capnp_frame {
    uint32_t segment_count;
    uint32_t header_bytes;
    uint32_t words; /* of all segments: what follows the header */
    uint32_t segment_words[MESSAGE_SEGMENTS_MAX];
};
/* Parses a header from the first bytes of a stream. ST_AGAIN: more bytes are needed. ST_PROTO: more than
 * MESSAGE_SEGMENTS_MAX segments or `words_max` words; end the conversation. */
status_t capnp_frame_parse(struct capnp_frame *frame, const void *bytes, size_t size, uint32_t words_max);
/* Makes a message to read out of `frame->words` words that came after the header. The message has segment_max entries
 * (ST_RANGE: fewer than the frame has segments), and its caps are set by the caller. Sets the read limit. */
status_t capnp_frame_message(const struct capnp_frame *frame, uint64_t *words, struct message *message);
/* The header of a message that was built; `size` >= 4 * (segment_count + 2). Returns its bytes; the segments follow. */
uint32_t capnp_frame_header(const struct message *message, void *bytes, size_t size);
/* Words of all segments. */
uint64_t capnp_message_words(const struct message *message);

/* ---- the packed form ---- */

/* Packs as many of `*word_count` words as surely fit into `size` bytes; *word_count becomes how many it took. Call again for
 * the rest. 10 bytes always take a word. Returns the bytes written. */
size_t capnp_pack(const uint64_t *words, size_t *word_count, void *bytes, size_t size);

/* What an unpacking remembers between pieces of a stream; all zero at its start. */
struct capnp_unpack {
    uint32_t left; /* bytes of the word or run that is under way */
    uint8_t state;
    uint8_t tag;
};
/* Unpacks from `*size` bytes into at most `room_bytes` of room; *size becomes how many bytes it took. It stops when either is
 * used up, anywhere; call again with more. Returns the bytes that came out. Any input is a packed form of something. */
size_t capnp_unpack(struct capnp_unpack *unpack, const void *bytes, size_t *size, void *room, size_t room_bytes);
/* Between words and runs: a stream may end here. */
bool capnp_unpack_whole(const struct capnp_unpack *unpack);
