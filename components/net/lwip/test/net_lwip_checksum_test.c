/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip_checksum_test.c: the fast sum against the slow one, at every alignment and length.
 */
#include "../net_lwip_checksum.h"
#include "test.h"

static uint16_t slow(const uint8_t *p, size_t len)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum += (uint64_t)p[i] << (i % 2 ? 8 : 0); /* little-endian words */
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static void test_against_the_definition(void)
{
    uint8_t bytes[300];

    for (unsigned round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            bytes[i] = round == 0 ? 0xff : (uint8_t)test_random();
        }
        for (size_t at = 0; at < 9; at++) {
            for (size_t len = 0; len < sizeof bytes - 9; len++) {
                CHECK_EQ(net_lwip_checksum(bytes + at, (int)len), slow(bytes + at, len));
            }
        }
    }
}

static void test_long(void)
{
    static uint8_t bytes[65535];

    memset(bytes, 0xff, sizeof bytes);
    CHECK_EQ(net_lwip_checksum(bytes, sizeof bytes), slow(bytes, sizeof bytes));
}

int main(void)
{
    RUN(test_against_the_definition);
    RUN(test_long);
    return test_end();
}
