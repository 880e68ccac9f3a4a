/* SPDX-License-Identifier: MIT OR Apache-2.0
 * hash.h: the fingerprint of a run: everything that happened goes in, in order. For comparing runs, not against attackers.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t hash_word(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9fb21c651e98df25u;
    return hash ^ hash >> 32;
}
static inline uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const char *at = bytes;
    uint64_t word;

    for (; size >= 8; size -= 8, at += 8) {
        memcpy(&word, at, 8);
        hash = hash_word(hash, word);
    }
    word = size; /* so that zeros at the end count */
    memcpy(&word, at, size);
    return hash_word(hash, word + ((uint64_t)size << 56));
}
