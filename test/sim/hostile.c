/* SPDX-License-Identifier: MIT OR Apache-2.0
 * hostile.c: TCP segments that lie (RFC 9293, 791).
 */
#include "hostile.h"
#include <string.h>

enum { IP = 14, IP_BYTES = 20, TCP = IP + IP_BYTES, TCP_BYTES = 20 };

static unsigned get16(const char *at)
{
    return (unsigned)(uint8_t)at[0] << 8 | (uint8_t)at[1];
}

static void put16(char *at, unsigned value)
{
    at[0] = (char)(value >> 8);
    at[1] = (char)value;
}

static uint32_t sum(uint32_t start, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        start += i % 2 == 0 ? (uint32_t)(uint8_t)bytes[i] << 8 : (uint8_t)bytes[i];
    }
    return start;
}

static unsigned folded(uint32_t value)
{
    while (value >> 16 != 0) {
        value = (value & 0xffff) + (value >> 16);
    }
    return ~value & 0xffff;
}

static void sums_mend(char *frame)
{
    size_t tcp_bytes = get16(frame + IP + 2) - IP_BYTES;

    put16(frame + IP + 10, 0);
    put16(frame + IP + 10, folded(sum(0, frame + IP, IP_BYTES)));
    put16(frame + TCP + 16, 0);
    uint32_t pseudo = sum(6 + (uint32_t)tcp_bytes, frame + IP + 12, 8);
    put16(frame + TCP + 16, folded(sum(pseudo, frame + TCP, tcp_bytes)));
}

/* IPv4 without options, TCP, and as long as it says. */
static bool is_tcp(const char *frame, size_t size)
{
    return size >= TCP + TCP_BYTES && get16(frame + 12) == 0x0800 && frame[IP] == 0x45 && frame[IP + 9] == 6 &&
           get16(frame + IP + 2) >= IP_BYTES + TCP_BYTES && get16(frame + IP + 2) + IP <= size;
}

struct part {
    size_t from, until;
};

/* The data of a segment. False: it has none. */
static bool data_of(const char *frame, size_t size, struct part *data)
{
    if (!is_tcp(frame, size)) {
        return false;
    }
    data->from = TCP + (size_t)((uint8_t)frame[TCP + 12] >> 4) * 4;
    data->until = IP + get16(frame + IP + 2);
    return data->from < data->until;
}

void hostile_remember(struct hostile_said *said, const char *frame, size_t size)
{
    struct part data;

    if (data_of(frame, size, &data) && data.until - data.from <= sizeof said->bytes) {
        said->size = data.until - data.from;
        memcpy(said->bytes, frame + data.from, said->size);
    }
}

bool hostile_repeat(const struct hostile_said *said, char *frame, size_t size)
{
    struct part data;

    if (said->size == 0 || !data_of(frame, size, &data)) {
        return false;
    }
    size_t room = data.until - data.from;
    memcpy(frame + data.from, said->bytes, said->size < room ? said->size : room);
    sums_mend(frame);
    return true;
}

bool hostile_truncate(struct random *random, char *frame, size_t *size)
{
    struct part data;

    if (!data_of(frame, *size, &data)) {
        return false;
    }
    *size = data.from + random_below(random, data.until - data.from);
    put16(frame + IP + 2, (unsigned)(*size - IP));
    frame[TCP + 13] |= 1; /* FIN */
    sums_mend(frame);
    return true;
}

bool hostile_mutate(struct random *random, char *frame, size_t size)
{
    struct part data;

    if (!data_of(frame, size, &data)) {
        return false;
    }
    size_t from = data.from;
    size_t until = data.until;
    for (uint64_t n = 1 + random_below(random, 4); n > 0; n--) {
        char *at = frame + from + random_below(random, until - from);
        *at = random_below(random, 3) == 0 ? (char)random_next(random) : (char)(*at ^ 1 << random_below(random, 8));
    }
    sums_mend(frame);
    return true;
}

bool hostile_syn(struct random *random, char *frame, size_t *size)
{
    if (!is_tcp(frame, *size)) {
        return false;
    }
    uint64_t drawn = random_next(random);
    *size = TCP + TCP_BYTES;
    put16(frame + IP + 2, IP_BYTES + TCP_BYTES);
    put16(frame + TCP, (unsigned)(1024 + drawn % 60000));
    memcpy(frame + TCP + 4, &drawn, 4);
    memset(frame + TCP + 8, 0, 4);
    put16(frame + TCP + 12, 5u << 12 | 2); /* no options; SYN */
    sums_mend(frame);
    return true;
}
