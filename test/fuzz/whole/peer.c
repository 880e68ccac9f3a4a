/* SPDX-License-Identifier: MIT OR Apache-2.0
 * peer.c: the host on the other end of the cable (RFC 791, 826, 9293).
 *
 *  (1) The wire loses nothing: nothing is sent again. What the image's window has no room for waits.
 */
#include "peer.h"
#include <string.h>
#include "dhcp.h"
#include "world.h"

enum { ETHERNET = 14, IP_BYTES = 20, TCP_BYTES = 20, HEADERS = ETHERNET + IP_BYTES + TCP_BYTES };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17 };
#define SEGMENT_MAX 1460u
#define FRAME_MAX 1514u
#define OUT_MAX 65536u
#define IMAGE_IP DHCP_FIRST
#define PEER_IP (DHCP_FIRST + 10)
#define PORT 7000u
#define FIRST_SEQUENCE 1000u

static const uint8_t peer_mac[6] = {0x52, 0x54, 0, 0, 0, 2};
static const uint8_t image_mac[6] = {0x52, 0x54, 0, 0, 0, 1};

static struct {
    unsigned leases; /* DHCP's answers: an offer, an acknowledgement */
    bool knows;
    enum { CLOSED, OPENING, OPEN } state;
    uint16_t port; /* ours: another for each connection */
    uint32_t sent, acked, heard;
    uint32_t window;
    uint8_t out[OUT_MAX]; /* what the window had no room for (1) */
    size_t out_size;
} self;

static uint32_t get16(const uint8_t *from)
{
    return (uint32_t)from[0] << 8 | from[1];
}

static uint32_t get32(const uint8_t *from)
{
    return get16(from) << 16 | get16(from + 2);
}

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

/* --- checksums (RFC 1071) -------------------------------------------------------------------------------------------- */

static uint32_t checksum(uint32_t sum, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static void mend_at(uint8_t *field, uint32_t pseudo, const uint8_t *bytes, size_t size)
{
    put16(field, 0);
    put16(field, ~checksum(pseudo, bytes, size) & 0xffff);
}

/* Of an IPv4 packet and what is in it, as far as they can be found. */
static void sums_mend(uint8_t *frame, size_t size)
{
    static const uint8_t field_of[256] = {[PROTO_ICMP] = 2, [PROTO_TCP] = 16, [PROTO_UDP] = 6};
    uint8_t *ip = frame + ETHERNET;
    size_t header = size >= ETHERNET + IP_BYTES ? (ip[0] & 15u) * 4 : 0;

    if (header < IP_BYTES || size < ETHERNET + header || get16(frame + 12) != 0x0800) {
        return;
    }
    mend_at(ip + 10, 0, ip, header);
    size_t bytes = get16(ip + 2) < header ? 0 : get16(ip + 2) - header;
    bytes = bytes < size - ETHERNET - header ? bytes : size - ETHERNET - header;
    size_t field = field_of[ip[9]];
    if (field != 0 && bytes >= field + 2) {
        uint32_t pseudo = ip[9] == PROTO_ICMP ? 0 : ip[9] + (uint32_t)bytes;
        mend_at(ip + header + field, ip[9] == PROTO_ICMP ? 0 : checksum(pseudo, ip + 12, 8), ip + header, bytes);
    }
}

/* --- sending --------------------------------------------------------------------------------------------------------- */

struct segment {
    uint32_t sequence, acknowledged;
    uint8_t flags;
    uint16_t window;
    const uint8_t *options; /* a multiple of 4 */
    size_t option_bytes;
    const uint8_t *data;
    size_t size;
};

static void segment_send(const struct segment *s)
{
    uint8_t frame[FRAME_MAX] = {0};
    uint8_t *ip = frame + ETHERNET, *tcp = ip + IP_BYTES;
    size_t tcp_bytes = TCP_BYTES + s->option_bytes + s->size;

    memcpy(frame, image_mac, 6);
    memcpy(frame + 6, peer_mac, 6);
    put16(frame + 12, 0x0800);
    ip[0] = 0x45;
    put16(ip + 2, (uint32_t)(IP_BYTES + tcp_bytes));
    ip[8] = 64;
    ip[9] = PROTO_TCP;
    put32(ip + 12, PEER_IP);
    put32(ip + 16, IMAGE_IP);
    put16(tcp, self.port);
    put16(tcp + 2, PORT);
    put32(tcp + 4, s->sequence);
    put32(tcp + 8, s->acknowledged);
    tcp[12] = (uint8_t)((TCP_BYTES + s->option_bytes) / 4 << 4);
    tcp[13] = s->flags;
    put16(tcp + 14, s->window);
    memcpy(tcp + TCP_BYTES, s->options, s->option_bytes);
    memcpy(tcp + TCP_BYTES + s->option_bytes, s->data, s->size);
    sums_mend(frame, ETHERNET + IP_BYTES + tcp_bytes);
    world_frame(frame, ETHERNET + IP_BYTES + tcp_bytes);
}

static struct segment segment_now(uint8_t flags)
{
    static const uint8_t none[4];

    return (struct segment){.sequence = self.sent,
                            .acknowledged = self.heard,
                            .flags = flags,
                            .window = UINT16_MAX,
                            .options = none,
                            .data = none};
}

static void open(void)
{
    struct segment s = segment_now(SYN);

    self.state = OPENING;
    self.port = (uint16_t)(self.port < 50000 ? 50000 : self.port + 1);
    s.sequence = FIRST_SEQUENCE;
    s.acknowledged = 0;
    s.options = (const uint8_t *)"\x02\x04\x05\xb4"; /* the largest segment: 1,460 */
    s.option_bytes = 4;
    self.sent = self.acked = FIRST_SEQUENCE + 1;
    segment_send(&s);
}

/* As much of what waits as there is room for. */
static void pump(void)
{
    while (self.state == OPEN && self.out_size > 0 && self.sent - self.acked < self.window) {
        struct segment s = segment_now(PSH | ACK);
        size_t room = self.window - (self.sent - self.acked);
        s.data = self.out;
        s.size = self.out_size < SEGMENT_MAX ? self.out_size : SEGMENT_MAX;
        s.size = s.size < room ? s.size : room;
        segment_send(&s);
        self.sent += (uint32_t)s.size;
        self.out_size -= s.size;
        memmove(self.out, self.out + s.size, self.out_size);
    }
}

void peer_say(const uint8_t *bytes, size_t size)
{
    size = size < OUT_MAX - self.out_size ? size : OUT_MAX - self.out_size;
    memcpy(self.out + self.out_size, bytes, size);
    self.out_size += size;
    if (self.state == CLOSED) {
        open();
    }
    pump();
}

void peer_segment(void)
{
    struct segment s = segment_now(take8());
    uint8_t sizes = take8();

    s.sequence += (uint32_t)(int8_t)take8();
    s.acknowledged += (uint32_t)(int8_t)take8();
    s.window = take16();
    s.option_bytes = (sizes & 3u) * 4;
    s.options = take_bytes(&s.option_bytes);
    s.option_bytes &= ~(size_t)3;
    s.size = sizes >> 2;
    s.data = take_bytes(&s.size);
    segment_send(&s);
}

void peer_any_frame(void)
{
    uint8_t frame[FRAME_MAX] = {0};
    size_t size = take16() % (FRAME_MAX - ETHERNET);
    const uint8_t *bytes = take_bytes(&size);

    memcpy(frame, image_mac, 6);
    memcpy(frame + 6, peer_mac, 6);
    memcpy(frame + 12, bytes, size);
    size += 12;
    size = size < 60 ? 60 : size;
    sums_mend(frame, size);
    world_frame(frame, size);
}

void peer_close(bool reset)
{
    struct segment s = segment_now(reset ? RST | ACK : FIN | ACK);

    if (self.state != CLOSED) {
        segment_send(&s);
        self.state = CLOSED;
        self.out_size = 0;
    }
}

/* --- ARP ------------------------------------------------------------------------------------------------------------- */

enum { ARP_BYTES = 28, ARP_ASK = 1, ARP_REPLY = 2 };

static void arp_send(unsigned what, uint32_t mine)
{
    uint8_t frame[60] = {0};
    uint8_t *arp = frame + ETHERNET;

    memcpy(frame, image_mac, 6);
    memcpy(frame + 6, peer_mac, 6);
    put16(frame + 12, 0x0806);
    memcpy(arp, "\0\1\x08\0\6\4\0", 7); /* IPv4 over Ethernet */
    arp[7] = (uint8_t)what;
    memcpy(arp + 8, peer_mac, 6);
    put32(arp + 14, mine);
    put32(arp + 24, IMAGE_IP);
    world_frame(frame, sizeof frame);
}

/* Whoever is asked for, but the image itself, which makes sure that it is alone, is this peer. */
static void arp_heard(const uint8_t *arp, size_t size)
{
    if (size < ARP_BYTES) {
        return;
    }
    if (arp[7] == ARP_REPLY) {
        self.knows |= get32(arp + 14) == IMAGE_IP;
    } else if (get32(arp + 24) != IMAGE_IP) {
        arp_send(ARP_REPLY, get32(arp + 24));
    }
}

void peer_ask(void)
{
    self.knows = false;
    arp_send(ARP_ASK, PEER_IP);
}

bool peer_knows(void)
{
    return self.knows;
}

bool peer_leased(void)
{
    return self.leases >= 2;
}

/* --- hearing --------------------------------------------------------------------------------------------------------- */

static void opened(const uint8_t *tcp)
{
    struct segment s;

    if (self.state == OPENING && (tcp[13] & (SYN | ACK)) == (SYN | ACK)) {
        self.state = OPEN;
        self.heard = get32(tcp + 4) + 1;
        s = segment_now(ACK);
        segment_send(&s);
    }
}

static void data_heard(const uint8_t *tcp, size_t size)
{
    uint32_t count = (uint32_t)size + ((tcp[13] & FIN) != 0);
    struct segment s;

    if (count == 0 || self.state != OPEN) {
        return;
    }
    if (get32(tcp + 4) == self.heard) {
        self.heard += count;
    }
    s = segment_now(ACK);
    segment_send(&s);
    if ((tcp[13] & FIN) != 0) {
        peer_close(false);
    }
}

static void tcp_heard(const uint8_t *tcp, size_t size)
{
    size_t header = size >= TCP_BYTES ? (tcp[12] >> 4) * 4u : 0;

    if (header < TCP_BYTES || header > size || get16(tcp + 2) != self.port || get16(tcp) != PORT) {
        return;
    }
    if ((tcp[13] & RST) != 0) {
        self.state = CLOSED;
        self.out_size = 0;
        return;
    }
    if ((tcp[13] & ACK) != 0 && get32(tcp + 8) - self.acked <= self.sent - self.acked) {
        self.acked = get32(tcp + 8);
    }
    self.window = get16(tcp + 14);
    opened(tcp);
    data_heard(tcp, size - header);
    pump();
}

void peer_heard(const uint8_t *frame, size_t size)
{
    char reply[DHCP_REPLY_MAX];
    const uint8_t *ip = frame + ETHERNET;

    if (size < ETHERNET + IP_BYTES) {
        return;
    }
    size_t reply_size = dhcp_answer((const char *)frame, size, IMAGE_IP, reply);
    if (reply_size > 0) {
        self.leases++;
        world_frame((const uint8_t *)reply, reply_size);
    } else if (get16(frame + 12) == 0x0806) {
        arp_heard(ip, size - ETHERNET);
    } else if (get16(frame + 12) == 0x0800 && ip[9] == PROTO_TCP && get16(ip + 2) + ETHERNET <= size) {
        tcp_heard(ip + IP_BYTES, get16(ip + 2) - IP_BYTES);
    }
}
