/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sha256_sha.c: blocks of SHA-256 by the CPU's own instructions (Intel SDM 2B: SHA256RNDS2, SHA256MSG1, SHA256MSG2).
 *
 * They keep the state as two vectors, named from the upper word down: A B E F and C D G H. Four rounds are two of SHA256RNDS2, each
 * of which takes its two words from the lower half of a third vector.
 */
#include <string.h>
#include "sha256_blocks.h"

#define SHA SHA256_TARGET("sha,sse4.1")

typedef int vector_t __attribute__((vector_size(16)));
typedef uint32_t words_t __attribute__((vector_size(16)));
typedef uint8_t bytes_t __attribute__((vector_size(16)));

/* Words of four rounds, big-endian in memory. */
SHA static inline words_t load(const uint8_t *bytes)
{
    bytes_t b;

    memcpy(&b, bytes, sizeof b);
    return (words_t)__builtin_shufflevector(b, b, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}

/* The next four words, from the last sixteen. */
SHA static inline words_t next(words_t w0, words_t w4, words_t w8, words_t w12)
{
    words_t w9 = __builtin_shufflevector(w8, w12, 1, 2, 3, 4);
    words_t w = (words_t)__builtin_ia32_sha256msg1((vector_t)w0, (vector_t)w4) + w9;

    return (words_t)__builtin_ia32_sha256msg2((vector_t)w, (vector_t)w12);
}

SHA static inline void four_rounds(words_t *abef, words_t *cdgh, words_t w, unsigned round)
{
    words_t k;

    memcpy(&k, &sha256_k[round], sizeof k);
    w += k;
    words_t after = (words_t)__builtin_ia32_sha256rnds2((vector_t)*cdgh, (vector_t)*abef, (vector_t)w);
    w = __builtin_shufflevector(w, w, 2, 3, 2, 3);
    *cdgh = *abef;
    *abef = after;
    after = (words_t)__builtin_ia32_sha256rnds2((vector_t)*cdgh, (vector_t)*abef, (vector_t)w);
    *cdgh = *abef;
    *abef = after;
}

SHA static void block(words_t *abef, words_t *cdgh, const uint8_t *bytes)
{
    words_t a = *abef, c = *cdgh;
    words_t w0 = load(bytes), w4 = load(bytes + 16), w8 = load(bytes + 32), w12 = load(bytes + 48);

    for (unsigned round = 0; round < 64; round += 16) {
        if (round > 0) {
            w0 = next(w0, w4, w8, w12);
            w4 = next(w4, w8, w12, w0);
            w8 = next(w8, w12, w0, w4);
            w12 = next(w12, w0, w4, w8);
        }
        four_rounds(&a, &c, w0, round);
        four_rounds(&a, &c, w4, round + 4);
        four_rounds(&a, &c, w8, round + 8);
        four_rounds(&a, &c, w12, round + 12);
    }
    *abef += a;
    *cdgh += c;
}

SHA void sha256_blocks_sha(uint32_t state[8], const uint8_t *bytes, size_t blocks)
{
    words_t abef = {state[5], state[4], state[1], state[0]};
    words_t cdgh = {state[7], state[6], state[3], state[2]};

    for (; blocks > 0; blocks--, bytes += SHA256_BLOCK) {
        block(&abef, &cdgh, bytes);
    }
    words_t abcd = __builtin_shufflevector(abef, cdgh, 3, 2, 7, 6);
    words_t efgh = __builtin_shufflevector(abef, cdgh, 1, 0, 5, 4);
    memcpy(state, &abcd, sizeof abcd);
    memcpy(state + 4, &efgh, sizeof efgh);
}
