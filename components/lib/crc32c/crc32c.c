/* SPDX-License-Identifier: MIT OR Apache-2.0
 * crc32c.c: eight bytes a step, by the CPU's own instruction (SSE 4.2) or by eight tables ("slicing-by-8").
 *
 * (1) table[k][b] is the CRC of byte b followed by k zero bytes, so that the eight bytes of a word are looked up
 *     independently and their results added (xor).
 */
#include "lib/crc32c/crc32c.h"
#include "core/assert.h"
#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* 0x1EDC6F41 with its bits reversed */

static uint32_t table[8][256]; /* [I] after crc32c_init */
static bool by_instruction;    /* [I] after crc32c_init */

static bool cpu_has_instruction(void)
{
    uint32_t a = 1;
    uint32_t b;
    uint32_t c = 0;
    uint32_t d;

    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (c & (1u << 20)) != 0; /* Intel SDM 2A, CPUID: leaf 1, ECX.SSE4_2 */
}

void crc32c_init(void)
{
    by_instruction = cpu_has_instruction();
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

static uint64_t load(const uint8_t *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
    return word;
}

static uint32_t step_word(uint32_t crc, const uint8_t *p)
{
    uint64_t word = load(p) ^ crc;
    uint32_t result = 0;
    for (int i = 0; i < 8; i++) {
        result ^= table[7 - i][(word >> (8 * i)) & 0xffu];
    }
    return result;
}

static uint32_t update_by_table(uint32_t crc, const uint8_t *p, size_t size)
{
    for (; size >= 8; size -= 8, p += 8) {
        crc = step_word(crc, p);
    }
    for (; size > 0; size--, p++) {
        crc = (crc >> 8) ^ table[0][(crc ^ *p) & 0xffu];
    }
    return crc;
}

static uint32_t update_by_instruction(uint32_t crc, const uint8_t *p, size_t size)
{
    uint64_t wide = crc;

    for (; size >= 64; size -= 64, p += 64) { /* most of what comes is blocks */
        __asm__("crc32q (%1), %0\n\tcrc32q 8(%1), %0\n\tcrc32q 16(%1), %0\n\tcrc32q 24(%1), %0\n\t"
                "crc32q 32(%1), %0\n\tcrc32q 40(%1), %0\n\tcrc32q 48(%1), %0\n\tcrc32q 56(%1), %0"
                : "+r"(wide)
                : "r"(p)
                : "memory"); /* reads 64 bytes */
    }
    for (; size >= 8; size -= 8, p += 8) {
        __asm__("crc32q %1, %0" : "+r"(wide) : "r"(load(p)));
    }
    crc = (uint32_t)wide;
    for (; size > 0; size--, p++) {
        __asm__("crc32b %1, %0" : "+r"(crc) : "r"(*p));
    }
    return crc;
}

uint32_t crc32c_update(uint32_t crc, const void *bytes, size_t size)
{
    ASSERT(table[0][1] != 0); /* crc32c_init was called */
    return ~(by_instruction ? update_by_instruction : update_by_table)(~crc, bytes, size);
}
