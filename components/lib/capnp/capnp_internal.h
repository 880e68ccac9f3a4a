/* SPDX-License-Identifier: MIT OR Apache-2.0
 * capnp_internal.h: the bits of a pointer word, and what the runtime's files share. Not for others.
 *
 * A pointer word, low bits first (https://capnproto.org/encoding.html):
 *   struct      kind 0 (2)  offset (30, signed, words from the pointer's end)  data words (16)  pointers (16)
 *   list        kind 1 (2)  offset (30, signed)  element (3)  count, or words of structs without their tag (29)
 *   far         kind 2 (2)  double (1)  landing pad's word (29)  segment (32)
 *   capability  kind 3 (2)  0 (30)  index (32)
 */
#pragma once
#include "capnp.h"

enum wire_kind { WIRE_STRUCT = 0, WIRE_LIST = 1, WIRE_FAR = 2, WIRE_OTHER = 3 };

#define CAPNP_COUNT_MAX ((1u << 29) - 1)   /* list elements, words of a list of structs */
#define CAPNP_SEGMENT_WORDS_MAX (1u << 28) /* so that any offset within a segment fits 30 bits */

static inline enum wire_kind wire_kind(uint64_t pointer)
{
    return (enum wire_kind)(pointer & 3);
}
static inline int32_t wire_offset(uint64_t pointer)
{
    return (int32_t)(uint32_t)pointer >> 2;
}
static inline uint16_t wire_data_words(uint64_t pointer)
{
    return (uint16_t)(pointer >> 32);
}
static inline uint16_t wire_pointer_count(uint64_t pointer)
{
    return (uint16_t)(pointer >> 48);
}
static inline enum capnp_element wire_element(uint64_t pointer)
{
    return (enum capnp_element)(pointer >> 32 & 7);
}
static inline uint32_t wire_count(uint64_t pointer)
{
    return (uint32_t)(pointer >> 35);
}
static inline bool wire_is_cap(uint64_t pointer, uint32_t cap_count)
{
    return (uint32_t)pointer == WIRE_OTHER && pointer >> 32 < cap_count;
}
static inline uint64_t wire_struct(uint16_t data_words, uint16_t pointer_count)
{
    return (uint64_t)data_words << 32 | (uint64_t)pointer_count << 48 | WIRE_STRUCT;
}
static inline uint64_t wire_list(enum capnp_element element, uint32_t count)
{
    return (uint64_t)element << 32 | (uint64_t)count << 35 | WIRE_LIST;
}
static inline uint64_t wire_with_offset(uint64_t pointer, int32_t offset)
{
    return (pointer & ~0xfffffffcull) | (uint32_t)((uint32_t)offset << 2);
}

/* Bits of one element as data, 0 for pointers, structs and void. */
static inline uint32_t element_data_bits(enum capnp_element element)
{
    static const uint8_t bits[] = {0, 1, 8, 16, 32, 64, 0, 0};
    return bits[element];
}

/* A list as it was found, before anybody said what it should be. */
struct capnp_found_list {
    struct capnp_list list;
    enum capnp_element element; /* CAPNP_STRUCT: with a tag word before list.start */
    uint32_t words;             /* of content, tag included */
};

/* Marks the message malformed; for use as `return capnp_broken(m)`. */
static inline bool capnp_broken(struct message *message)
{
    if (message != NULL) {
        message->malformed = true;
    }
    return false;
}
/* Opens whatever list stands there: bounds checked, paid for. False: no list (null, or malformed and marked). */
bool capnp_open_list(struct capnp_ref ref, struct capnp_found_list *found);
/* Opens the struct that stands there. False: none (null, or malformed and marked), and the reader reads defaults. */
bool capnp_open_struct(struct capnp_ref ref, struct capnp_reader *reader);
/* The struct that stands there, without paying and in bounds: for builders. */
bool capnp_locate_struct(struct capnp_ref ref, struct capnp_reader *reader);
/* Reads a capability pointer: false when it is none that the message has (marked). */
bool capnp_open_cap(struct capnp_ref ref, uint64_t pointer, struct object **object);
