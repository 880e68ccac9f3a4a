/* SPDX-License-Identifier: MIT OR Apache-2.0
 * wire_fate.c: drawing what becomes of a frame.
 */
#include "wire_fate.h"
#include <string.h>

#define NS_PER_BYTE 1u /* about 8 Gbit/s */

/* Every frame draws once; each question asks of that draw in its own way, so that one fault's chance does not move another's
 * luck. */
static struct random question(uint64_t draw, unsigned number)
{
    return (struct random){random_mix(draw + number)};
}

/* A turned bit that a card would see by the frame's own checksum loses the frame: only what IP and what is above it check for
 * themselves comes through turned. */
static bool comes_through(const char *frame, int64_t turned_bit)
{
    static const char ipv4[2] = {0x08, 0x00};

    return turned_bit < 0 || (turned_bit >= 14 * 8 && memcmp(frame + 12, ipv4, sizeof ipv4) == 0);
}

static bool bit_at(const char *frame, int64_t bit)
{
    return (frame[bit / 8] >> bit % 8 & 1) != 0;
}

/* Another bit of the same column of 16-bit words, counted from the end of the Ethernet header, that is what the first is not: what
 * the sum loses by one it gets back by the other. It is the first behind it; -1: there is none. */
static int64_t bit_against(const char *frame, size_t size, int64_t bit)
{
    for (int64_t other = bit + 16; other < (int64_t)size * 8; other += 16) {
        if (bit_at(frame, other) != bit_at(frame, bit)) {
            return other;
        }
    }
    return -1;
}

static struct wire_copy copy_fate(uint64_t draw, unsigned number, const struct wire_faults *faults, const char *frame,
                                  size_t size)
{
    struct random delay = question(draw, 4 * number + 8);
    struct random corrupt = question(draw, 4 * number + 9);
    struct random blind = question(draw, 4 * number + 10);
    struct wire_copy copy = {.turned_bit = -1, .other_bit = -1};

    if (random_chance(&delay, faults->delay)) {
        copy.travel_ns = random_below(&delay, faults->delay_ns_max);
        copy.late = copy.travel_ns != 0;
    }
    if (random_chance(&corrupt, faults->corrupt)) {
        copy.turned_bit = (int64_t)random_below(&corrupt, size * 8);
        copy.lost = !comes_through(frame, copy.turned_bit);
        copy.other_bit = random_chance(&blind, faults->blind) ? bit_against(frame, size, copy.turned_bit) : -1;
    }
    return copy;
}

struct wire_fate wire_fate(struct random *random, const struct wire_faults *faults, const char *frame, size_t size,
                           uint64_t latency_ns)
{
    uint64_t draw = random_next(random);
    struct random loss = question(draw, 0);
    struct random duplicate = question(draw, 1);
    struct wire_fate fate = {.count = random_chance(&loss, faults->loss) ? 0 : 1};

    if (fate.count == 1 && random_chance(&duplicate, faults->duplicate)) {
        fate.count = WIRE_COPIES_MAX;
    }
    for (unsigned i = 0; i < fate.count; i++) {
        fate.copy[i] = copy_fate(draw, i, faults, frame, size);
        fate.copy[i].travel_ns += latency_ns + size * NS_PER_BYTE;
    }
    return fate;
}

void wire_copy_bytes(const struct wire_copy *copy, const char *frame, size_t size, char *bytes)
{
    memcpy(bytes, frame, size);
    for (int i = 0; i < 2; i++) {
        int64_t bit = i == 0 ? copy->turned_bit : copy->other_bit;
        if (bit >= 0) {
            bytes[bit / 8] ^= (char)(1 << bit % 8);
        }
    }
}
