/* SPDX-License-Identifier: MIT OR Apache-2.0
 * capnp_pack.c: the packed form: words without most of their zero bytes, for slow wires
 * (https://capnproto.org/encoding.html#packing).
 *
 *   tag byte, one bit a byte of the word: set, the byte follows; clear, it is zero.
 *   tag 00 is followed by how many more words are zero; tag ff, after its 8 bytes, by how many more words follow as they are.
 *
 *  (1) Two packed bytes may stand for 2 KiB of zeros: what comes out is bounded by the room that the caller gives, always.
 */
#include "capnp_internal.h"

#define RUN_MAX 255u
#define WORD_PACKED_MAX 10u /* tag, 8 bytes, run */

static uint32_t zero_bytes(const uint8_t *word)
{
    uint32_t zeros = 0;
    for (uint32_t i = 0; i < 8; i++) {
        zeros += word[i] == 0;
    }
    return zeros;
}

/* How many of the next words are all zero, or else worth no packing: with fewer than two zero bytes. */
static uint32_t run_of(const uint8_t *words, size_t count, bool zeros)
{
    uint32_t run = 0;
    while (run < RUN_MAX && run < count &&
           (zeros ? zero_bytes(words + run * 8u) == 8 : zero_bytes(words + run * 8u) < 2)) {
        run++;
    }
    return run;
}

/* One word as tag and bytes. Returns the end of what was written. */
static uint8_t *pack_word(const uint8_t *word, uint8_t *out)
{
    uint8_t *tag = out++;
    *tag = 0;
    for (uint32_t i = 0; i < 8; i++) {
        if (word[i] != 0) {
            *tag = (uint8_t)(*tag | 1u << i);
            *out++ = word[i];
        }
    }
    return out;
}

size_t capnp_pack(const uint64_t *words, size_t *word_count, void *bytes, size_t size)
{
    const uint8_t *in = (const uint8_t *)words;
    uint8_t *out = bytes;
    size_t left = *word_count;
    while (left > 0 && size - (size_t)(out - (uint8_t *)bytes) >= WORD_PACKED_MAX) {
        uint8_t tag_of_word = (uint8_t)(zero_bytes(in) == 0 ? 0xff : zero_bytes(in) == 8 ? 0 : 1);
        out = pack_word(in, out);
        in += 8;
        left--;
        if (tag_of_word == 1) {
            continue;
        }
        uint32_t run = run_of(in, left, tag_of_word == 0);
        size_t room = (size - (size_t)(out + 1 - (uint8_t *)bytes)) / 8;
        run = tag_of_word != 0 && run > room ? (uint32_t)room : run;
        *out++ = (uint8_t)run;
        if (tag_of_word != 0) {
            memcpy(out, in, run * 8u);
            out += run * 8u;
        }
        in += run * 8u;
        left -= run;
    }
    *word_count -= left;
    return (size_t)(out - (uint8_t *)bytes);
}

/* What an input byte is. */
enum { UNPACK_TAG, UNPACK_WORD, UNPACK_ZEROS, UNPACK_RAW_COUNT, UNPACK_ZERO_COUNT, UNPACK_RAW };

/* Takes the word that is under way as far as input and room go. */
static void unpack_word(struct capnp_unpack *u, const uint8_t **in, const uint8_t *in_end, uint8_t **out,
                        uint8_t *out_end)
{
    while (u->left > 0 && *out < out_end) {
        bool follows = (u->tag >> (8 - u->left) & 1) != 0;
        if (follows && *in == in_end) {
            return;
        }
        *(*out)++ = follows ? *(*in)++ : 0;
        u->left--;
    }
    if (u->left == 0) {
        u->state = u->tag == 0 ? UNPACK_ZERO_COUNT : u->tag == 0xff ? UNPACK_RAW_COUNT : UNPACK_TAG;
    }
}

/* Takes a run of zeros or of bytes as they are. */
static void unpack_run(struct capnp_unpack *u, const uint8_t **in, const uint8_t *in_end, uint8_t **out,
                       uint8_t *out_end)
{
    size_t count = (size_t)(out_end - *out) < u->left ? (size_t)(out_end - *out) : u->left;
    if (u->state == UNPACK_RAW) {
        count = (size_t)(in_end - *in) < count ? (size_t)(in_end - *in) : count;
        memcpy(*out, *in, count);
        *in += count;
    } else {
        memset(*out, 0, count);
    }
    *out += count;
    u->left -= (uint32_t)count;
    if (u->left == 0) {
        u->state = UNPACK_TAG;
    }
}

/* A byte that says what comes next. */
static void unpack_count(struct capnp_unpack *u, uint8_t byte)
{
    if (u->state == UNPACK_TAG) {
        u->tag = byte;
        u->left = 8;
        u->state = UNPACK_WORD;
        return;
    }
    u->left = byte * 8u;
    u->state = u->left == 0 ? UNPACK_TAG : u->state == UNPACK_ZERO_COUNT ? UNPACK_ZEROS : UNPACK_RAW;
}

size_t capnp_unpack(struct capnp_unpack *u, const void *bytes, size_t *size, void *room, size_t room_bytes)
{
    const uint8_t *in = bytes, *in_end = in + *size;
    uint8_t *out = room, *out_end = out + room_bytes;
    for (;;) {
        const uint8_t *in_before = in;
        const uint8_t *out_before = out;
        if (u->state == UNPACK_WORD) {
            unpack_word(u, &in, in_end, &out, out_end);
        } else if (u->state == UNPACK_ZEROS || u->state == UNPACK_RAW) {
            unpack_run(u, &in, in_end, &out, out_end);
        } else if (in < in_end) {
            unpack_count(u, *in++);
        }
        if (in == in_before && out == out_before) {
            break;
        }
    }
    *size = (size_t)(in - (const uint8_t *)bytes);
    return (size_t)(out - (uint8_t *)room);
}

bool capnp_unpack_whole(const struct capnp_unpack *u)
{
    return u->state == UNPACK_TAG;
}
