/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sha256_avx2.c: blocks of SHA-256 for CPUs with AVX2 and BMI2.
 *
 * Rounds depend on each other, so they are done by the integer unit, which has what they need (RORX, ANDN); the message schedule
 * does not, so it is made for two blocks at once, four words of each: the lower half of a vector is the first block's.
 */
#include <string.h>
#include "sha256_blocks.h"

#define AVX2 SHA256_TARGET("avx2,bmi,bmi2")
#define LANES 2u /* blocks in a vector */
#define WORDS 64u

typedef uint32_t words_t __attribute__((vector_size(32)));
typedef uint32_t half_t __attribute__((vector_size(16)));
typedef uint8_t bytes_t __attribute__((vector_size(32)));

#define ROR(x, n) ((x) >> (n) | (x) << (32 - (n)))

/* h and d move; the other six become their neighbours by being renamed. Maj(a, b, c) is b ^ ((a ^ b) & (b ^ c)), and the next
 * round's b ^ c is this one's a ^ b. */
#define ROUND(a, b, c, d, e, f, g, h, word)                                                                            \
    do {                                                                                                               \
        uint32_t ab = (a) ^ (b);                                                                                       \
        (h) += (word) + ((e) & (f)) + (~(e) & (g)) + (ROR(e, 6) ^ ROR(e, 11) ^ ROR(e, 25));                            \
        (d) += (h);                                                                                                    \
        (h) += (ROR(a, 2) ^ ROR(a, 13) ^ ROR(a, 22)) + ((ab & bc) ^ (b));                                              \
        bc = ab;                                                                                                       \
    } while (0)

/* `wk`: four words of this block, four of the other, and so on. */
AVX2 static void rounds(uint32_t state[8], const uint32_t *wk)
{
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    uint32_t bc = b ^ c;

    for (const uint32_t *w = wk; w < wk + LANES * WORDS; w += 16) {
        ROUND(a, b, c, d, e, f, g, h, w[0]);
        ROUND(h, a, b, c, d, e, f, g, w[1]);
        ROUND(g, h, a, b, c, d, e, f, w[2]);
        ROUND(f, g, h, a, b, c, d, e, w[3]);
        ROUND(e, f, g, h, a, b, c, d, w[8]);
        ROUND(d, e, f, g, h, a, b, c, w[9]);
        ROUND(c, d, e, f, g, h, a, b, w[10]);
        ROUND(b, c, d, e, f, g, h, a, w[11]);
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

/* The next four words of each block, from the last sixteen. Two of the four depend on the other two. */
AVX2 static inline words_t next(words_t w0, words_t w4, words_t w8, words_t w12)
{
    const words_t zero = {0};
    words_t w1 = __builtin_shufflevector(w0, w4, 1, 2, 3, 8, 5, 6, 7, 12);
    words_t w9 = __builtin_shufflevector(w8, w12, 1, 2, 3, 8, 5, 6, 7, 12);
    words_t w16 = w0 + w9 + (ROR(w1, 7) ^ ROR(w1, 18) ^ w1 >> 3);
    words_t w14 = __builtin_shufflevector(w12, zero, 2, 3, 8, 8, 6, 7, 8, 8);
    w16 += ROR(w14, 17) ^ ROR(w14, 19) ^ w14 >> 10;
    w14 = __builtin_shufflevector(w16, zero, 8, 8, 0, 1, 8, 8, 4, 5);
    return w16 + (ROR(w14, 17) ^ ROR(w14, 19) ^ w14 >> 10);
}

/* Four big-endian words of each block. */
AVX2 static inline words_t load(const uint8_t *first, const uint8_t *second)
{
    half_t low, high;

    memcpy(&low, first, sizeof low);
    memcpy(&high, second, sizeof high);
    bytes_t both = (bytes_t)__builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
    return (words_t)__builtin_shufflevector(both, both, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 19, 18,
                                            17, 16, 23, 22, 21, 20, 27, 26, 25, 24, 31, 30, 29, 28);
}

/* Words and constants of four rounds, added. */
AVX2 static inline void keep(uint32_t *wk, unsigned round, words_t w)
{
    half_t k;

    memcpy(&k, &sha256_k[round], sizeof k);
    w += __builtin_shufflevector(k, k, 0, 1, 2, 3, 0, 1, 2, 3);
    memcpy(wk + LANES * round, &w, sizeof w);
}

AVX2 static void schedule(uint32_t *wk, const uint8_t *first, const uint8_t *second)
{
    words_t w0 = load(first, second);
    words_t w4 = load(first + 16, second + 16);
    words_t w8 = load(first + 32, second + 32);
    words_t w12 = load(first + 48, second + 48);

    for (unsigned round = 0; round < WORDS; round += 16) {
        if (round > 0) {
            w0 = next(w0, w4, w8, w12);
            w4 = next(w4, w8, w12, w0);
            w8 = next(w8, w12, w0, w4);
            w12 = next(w12, w0, w4, w8);
        }
        keep(wk, round, w0);
        keep(wk, round + 4, w4);
        keep(wk, round + 8, w8);
        keep(wk, round + 12, w12);
    }
}

AVX2 void sha256_blocks_avx2(uint32_t state[8], const uint8_t *bytes, size_t blocks)
{
    uint32_t wk[LANES * WORDS + 4] __attribute__((aligned(32))); /* the second block's rounds begin at 4 */

    for (; blocks >= LANES; blocks -= LANES, bytes += LANES * SHA256_BLOCK) {
        schedule(wk, bytes, bytes + SHA256_BLOCK);
        rounds(state, wk);
        rounds(state, wk + 4);
    }
    if (blocks > 0) { /* the other half is for nothing */
        schedule(wk, bytes, bytes);
        rounds(state, wk);
    }
    memset(wk, 0, sizeof wk);
    __asm__("" : : "r"(wk) : "memory"); /* so that the wiping is not left out */
}
