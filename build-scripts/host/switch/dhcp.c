/* SPDX-License-Identifier: MIT OR Apache-2.0
 * dhcp.c: a server that offers and acknowledges the one address that it is told.
 */
#include "dhcp.h"
#include <string.h>

enum { DISCOVER = 1, OFFER = 2, REQUEST = 3, ACK = 5 };
enum { ETHERNET = 14, IP = 20, UDP = 8, FIXED = 240 }; /* bytes of headers; DHCP's with its cookie */
#define LEASE_S 3600u
#define SERVER 0x0a090001u

static void put16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static void put32(uint8_t *to, uint32_t value)
{
    put16(to, value >> 16);
    put16(to + 2, value);
}

static uint32_t get16(const uint8_t *from)
{
    return (uint32_t)from[0] << 8 | from[1];
}

/* The message type (option 53) of a DHCP request in the frame; 0: it is none. */
static unsigned request_type(const uint8_t *frame, size_t size)
{
    const uint8_t *udp = frame + ETHERNET + IP;

    if (size < ETHERNET + IP + UDP + FIXED || get16(frame + 12) != 0x0800 || frame[ETHERNET] != 0x45 ||
        frame[ETHERNET + 9] != 17 || get16(udp + 2) != 67 || udp[UDP] != 1) {
        return 0;
    }
    for (size_t at = ETHERNET + IP + UDP + FIXED; at + 2 < size && frame[at] != 255;) {
        if (frame[at] == 53) {
            return frame[at + 2];
        }
        at += frame[at] == 0 ? 1 : 2u + frame[at + 1];
    }
    return 0;
}

/* RFC 1071, over an even number of bytes, on top of what was summed before. */
static uint32_t checksum(uint32_t sum, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i += 2) {
        sum += get16(bytes + i);
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return ~sum & 0xffff;
}

static uint8_t *option(uint8_t *at, uint8_t number, uint32_t value)
{
    at[0] = number;
    at[1] = 4;
    put32(at + 2, value);
    return at + 6;
}

/* The payload, from the request's (`ask`): gives its size. */
static size_t payload_make(uint8_t *to, const uint8_t *ask, unsigned type, uint32_t address)
{
    memcpy(to, ask, FIXED); /* transaction, flags, hardware address, cookie */
    to[0] = 2;
    put32(to + 16, address);
    put32(to + 20, SERVER);
    uint8_t *at = to + FIXED;
    *at++ = 53;
    *at++ = 1;
    *at++ = type == DISCOVER ? OFFER : ACK;
    at = option(at, 54, SERVER);
    at = option(at, 51, LEASE_S);
    at = option(at, 1, 0xffffff00u);
    *at++ = 255;
    return (size_t)(at - to);
}

/* The headers before `payload` bytes of DHCP. */
static void headers_make(uint8_t *reply, size_t payload)
{
    uint8_t *ip = reply + ETHERNET;

    memset(reply, 0xff, 6);
    memcpy(reply + 6, "\x52\x54\x00\x00\x00\x01", 6);
    put16(reply + 12, 0x0800);
    ip[0] = 0x45;
    put16(ip + 2, (uint32_t)(IP + UDP + payload));
    ip[8] = 64;
    ip[9] = 17;
    put32(ip + 12, SERVER);
    put32(ip + 16, 0xffffffffu);
    put16(ip + 10, checksum(0, ip, IP));
    put16(ip + IP, 67);
    put16(ip + IP + 2, 68);
    put16(ip + IP + 4, (uint32_t)(UDP + payload));
    /* With its pseudo header (RFC 768). It may be left out, but then a bit that turns on the way gives another address. */
    put16(ip + IP + 6, checksum(17 + (uint32_t)(UDP + payload), ip + 12, 8 + UDP + (payload + 1) / 2 * 2));
}

size_t dhcp_answer(const char *frame, size_t size, uint32_t address, char *reply)
{
    const uint8_t *ask = (const uint8_t *)frame;
    uint8_t *to = (uint8_t *)reply;
    unsigned type = request_type(ask, size);

    _Static_assert(DHCP_REPLY_MAX == ETHERNET + IP + UDP + FIXED + 64, "headers and the options of payload_make");
    if (type != DISCOVER && type != REQUEST) {
        return 0;
    }
    memset(to, 0, DHCP_REPLY_MAX);
    size_t payload = payload_make(to + ETHERNET + IP + UDP, ask + ETHERNET + IP + UDP, type, address);
    headers_make(to, payload);
    return ETHERNET + IP + UDP + payload;
}
