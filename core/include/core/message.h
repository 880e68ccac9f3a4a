/* SPDX-License-Identifier: MIT OR Apache-2.0
 * message.h: a Cap'n Proto message as plain memory. Readers and builders over it are in lib/capnp; core only carries it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct object;

#define MESSAGE_SEGMENTS_MAX 64u        /* a message with more is refused at the door */
#define MESSAGE_WORDS_MAX (24u * 1024u) /* 192 KiB: a 64-KiB Data, its struct, and room to have been built badly */
#define MESSAGE_CAPS_MAX 64u

/* Keys: [I] fixed while the message lives  [L] the owning loop or thread only */
struct message_segment {
    uint64_t *words; /* [I] 8-aligned, little-endian */
    uint32_t used;   /* [L] words that have content */
    uint32_t size;   /* [I] words that there are */
};

struct message {
    struct message_segment *segment; /* [I] segment_max entries, lent by the owner */
    uint16_t segment_count;          /* [L] */
    uint16_t segment_max;            /* [I] */
    struct object **caps; /* [I] cap_max entries; each entry holds one reference, NULL is the null capability */
    uint16_t cap_count;   /* [L] */
    uint16_t cap_max;     /* [I] */
    /* Builders: appends a segment of at least `words` zeroed words; false when the owner has no more. May be NULL. */
    bool (*grow)(struct message *message, uint32_t words); /* [I] */
    /* Builders: a larger table for capabilities, with those that there are; false when the owner has none. May be NULL. */
    bool (*grow_caps)(struct message *message); /* [I] */
    uint64_t
        read_limit_words; /* [L] readers: traversal budget that is left; every word looked at costs, so do empty elements */
    bool failed;          /* [L] builders ran out of room: everything since was dropped */
    bool malformed;       /* [L] readers met something that is no Cap'n Proto; what they returned was a default */
};

/* Where a content pointer stands: word `word` of segment `segment`. */
struct payload {
    struct message *message;
    uint32_t segment;
    uint32_t word;
};

/* Releases every capability that the message holds and forgets them. LOOP. */
void message_release_caps(struct message *message);
