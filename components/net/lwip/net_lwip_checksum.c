/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip_checksum.c: the Internet checksum (RFC 1071), for devices that do not compute it.
 *
 *  (1) The sum is over 16-bit words of the buffer as if it began at an even offset; an odd last byte is padded with
 *      zero.
 *  (2) One's-complement addition is associative over any word size that is a multiple of 16 bits, so the sum runs
 *      over 64-bit words with end-around carry and is folded at the end.
 */
#include "net_lwip_checksum.h"
#include <string.h>

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v); /* Any alignment; one load. */
    return v;
}

static uint64_t add_carry(uint64_t sum, uint64_t v)
{
    uint64_t result;

    return __builtin_add_overflow(sum, v, &result) ? result + 1 : result;
}

static uint16_t fold(uint64_t sum)
{
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    return (uint16_t)sum;
}

uint16_t net_lwip_checksum(const void *data, int len)
{
    const uint8_t *p = data;
    size_t left = len > 0 ? (size_t)len : 0;
    uint64_t even = 0;
    uint64_t odd = 0;
    uint8_t last[8] = {0};

    for (; left >= 16; left -= 16, p += 16) { /* Two chains, so that one add does not wait for the other's carry. */
        even = add_carry(even, load64(p));
        odd = add_carry(odd, load64(p + 8));
    }
    if (left >= 8) {
        even = add_carry(even, load64(p));
        left -= 8;
        p += 8;
    }
    memcpy(last, p, left);
    return fold(add_carry(add_carry(even, odd), load64(last)));
}
