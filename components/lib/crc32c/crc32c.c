/* SPDX-License-Identifier: MIT OR Apache-2.0
 * crc32c.c: eight bytes a step by eight tables ("slicing-by-8").
 *
 * (1) table[k][b] is the CRC of byte b followed by k zero bytes, so that the eight bytes of a word are looked up
 *     independently and their results added (xor).
 */
#include "lib/crc32c/crc32c.h"
#include "core/assert.h"
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* 0x1EDC6F41 with its bits reversed */

static uint32_t table[8][256]; /* [I] after crc32c_init */

void crc32c_init(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1u) != 0 ? POLYNOMIAL : 0);
        }
        table[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++) {
        for (int k = 1; k < 8; k++) {
            uint32_t before = table[k - 1][byte];
            table[k][byte] = (before >> 8) ^ table[0][before & 0xffu];
        }
    }
}

static uint32_t step_word(uint32_t crc, const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    word ^= crc;
    uint32_t result = 0;
    for (int i = 0; i < 8; i++) {
        result ^= table[7 - i][(word >> (8 * i)) & 0xffu];
    }
    return result;
}

uint32_t crc32c_update(uint32_t crc, const void *bytes, size_t size)
{
    ASSERT(table[0][1] != 0); /* crc32c_init was called */
    const uint8_t *p = bytes;
    crc = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        crc = step_word(crc, p);
    }
    for (; size > 0; size--, p++) {
        crc = (crc >> 8) ^ table[0][(crc ^ *p) & 0xffu];
    }
    return ~crc;
}
