/* SPDX-License-Identifier: MIT OR Apache-2.0
 * random.h: repeatable chance. Every part of a run draws from a stream of its own (random_stream), so that one part's draws
 * do not move another's.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

#define CHANCE_ALWAYS 1000000u /* chances are parts of a million */

/* splitmix64 (Steele, Lea, Flood 2014) */
static inline uint64_t random_mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
static inline uint64_t random_next(struct random *random)
{
    return random_mix(random->state += 0x9e3779b97f4a7c15u);
}
/* 0 to bound - 1; 0 when bound is 0. */
static inline uint64_t random_below(struct random *random, uint64_t bound)
{
    return bound == 0 ? 0 : random_next(random) % bound;
}
static inline bool random_chance(struct random *random, uint32_t chance)
{
    return chance != 0 && random_below(random, CHANCE_ALWAYS) < chance;
}
/* The stream of this name (one word, e.g. 'wire' as characters, and a number) of a seed. */
static inline struct random random_stream(uint64_t seed, uint32_t name, uint32_t number)
{
    return (struct random){random_mix(seed ^ random_mix((uint64_t)name << 32 | number))};
}
