/* SPDX-License-Identifier: MIT OR Apache-2.0
 * splitmix.h: the machine's repeatable chance: a stream is a word that the coordinator gave (splitmix64; Steele, Lea, Flood 2014).
 */
#pragma once
#include <stdint.h>

static inline uint64_t splitmix_next(uint64_t *stream)
{
    uint64_t z = *stream += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
