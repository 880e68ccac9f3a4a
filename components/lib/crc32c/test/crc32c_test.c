/* SPDX-License-Identifier: MIT OR Apache-2.0
 * crc32c_test.c: the published vectors, and both fast paths against one bit at a time.
 */
#include "../crc32c.c"
#include "test.h"

static uint32_t slow(const uint8_t *p, size_t size)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1u) != 0 ? POLYNOMIAL : 0);
        }
    }
    return ~crc;
}

static void test_vectors_of_rfc3720(void)
{
    uint8_t bytes[32];
    memset(bytes, 0, sizeof(bytes));
    CHECK_EQ(crc32c_update(0, bytes, 32), 0x8a9136aau);
    memset(bytes, 0xff, sizeof(bytes));
    CHECK_EQ(crc32c_update(0, bytes, 32), 0x62a8ab43u);
    for (uint8_t i = 0; i < 32; i++) {
        bytes[i] = i;
    }
    CHECK_EQ(crc32c_update(0, bytes, 32), 0x46dd794eu);
    CHECK_EQ(crc32c_update(0, "123456789", 9), 0xe3069283u);
}

static void test_same_as_bit_by_bit_at_every_length_and_split(void)
{
    uint8_t bytes[100];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)test_random();
    }
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        size_t split = size == 0 ? 0 : (size_t)test_random() % size;
        uint32_t crc = crc32c_update(crc32c_update(0, bytes, split), bytes + split, size - split);
        CHECK_EQ(crc, slow(bytes, size));
    }
}

int main(void)
{
    crc32c_init();
    RUN(test_vectors_of_rfc3720);
    RUN(test_same_as_bit_by_bit_at_every_length_and_split);
    CHECK_EQ(by_instruction, __builtin_cpu_supports("sse4.2") != 0);
    by_instruction = false;
    RUN(test_vectors_of_rfc3720);
    RUN(test_same_as_bit_by_bit_at_every_length_and_split);
    return test_end();
}
