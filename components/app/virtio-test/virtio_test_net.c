/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_test_net.c: asks by ARP for the gateway, again and again, in bursts that fill the transmit ring, in one to three
 * segments; counts answers, and that each frame that was lent came back once.
 *
 * At last the card is revoked with a burst out. All of it must come back before the link goes; a frame that was received before
 * stays as it is until it is released.
 */
#define LOG_TAG "virtio-test"
#include "core/log.h"
#include "core/mem.h"
#include "virtio_test.h"
#include <string.h>

#define BURST 192u      /* more than a ring of 256 takes at once with 2 descriptors a frame */
#define FRAME_BYTES 42u /* Ethernet 14, ARP 28: RFC 826 */
#define RETRY_NS (200 * NS_PER_MS)
#define QUIET_NS (100 * NS_PER_MS)

static struct net_test {
    struct netdev *port;
    struct netdev_client client;
    uint8_t *frame; /* one for all: nobody changes it */
    bool out[BURST];
    unsigned next;      /* of the burst, to send */
    unsigned sent_back; /* of the burst */
    unsigned round;
    unsigned answers;
    uint64_t full;
    struct timer retry;
    struct netbuf *kept; /* the first answer */
    uint8_t copy[FRAME_BYTES];
    struct work revoke;      /* a turn after the last burst began */
    struct timer afterwards; /* armed when the link went */
    bool bad, revoked;
} self;

static void put32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static void frame_make(uint8_t *f, const uint8_t mac[6])
{
    static const uint8_t arp[] = {0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1}; /* type; request: RFC 826 */

    memset(f, 0xff, 6);
    memcpy(f + 6, mac, 6);
    memcpy(f + 12, arp, sizeof arp);
    memcpy(f + 22, mac, 6);
    put32(f + 28, VIRTIO_TEST_ADDRESS);
    memset(f + 32, 0, 6);
    put32(f + 38, VIRTIO_TEST_GATEWAY);
}

static status_t frame_send(unsigned i) REQUIRES(LOOP)
{
    struct netdev_segment segment[3] = {{self.frame, FRAME_BYTES}, {NULL, 0}, {NULL, 0}};
    uint16_t count = (uint16_t)(1 + i % 3);

    for (uint16_t n = 1; n < count; n++) { /* splits 14 bytes off at a time */
        segment[n].data = (const uint8_t *)segment[n - 1].data + 14;
        segment[n].size = segment[n - 1].size - 14;
        segment[n - 1].size = 14;
    }
    struct netdev_frame frame = {.segment = segment, .segment_count = count, .token = &self.out[i]};
    return netdev_send(self.port, &frame);
}

static void burst_go_on(void) REQUIRES(LOOP)
{
    while (self.next < BURST) {
        status_t s = frame_send(self.next);
        if (s == ST_FULL) {
            self.full++;
            return; /* on_room */
        }
        if (s != ST_OK) {
            log_err("net: send: %s", status_name(s));
            self.bad = true;
            return;
        }
        self.out[self.next++] = true;
    }
}

static void end(void) REQUIRES(LOOP)
{
    log_info("net: %u bursts of %u frames, %u answers, ring full %llu times", self.round, BURST, self.answers,
             (unsigned long long)self.full);
    if (self.bad || self.answers == 0 || self.full == 0) {
        virtio_test_done("net", false);
        return;
    }
    self.next = self.sent_back = 0;
    burst_go_on();
    loop_post(&self.revoke); /* not now: the doorbell rings at the turn's end */
}

static void on_revoke(struct work *work)
{
    (void)work;
    room_assert_loop();
    self.revoked = true;
    netdev_revoke(self.port);
}

/* The link went: nothing is out. */
static void revoke_end(void) REQUIRES(LOOP)
{
    for (unsigned i = 0; i < BURST; i++) {
        self.bad = self.bad || self.out[i];
    }
    timer_set(&self.afterwards, clock_ns() + QUIET_NS);
}

static void on_afterwards(struct timer *timer)
{
    (void)timer;
    room_assert_loop();
    bool kept = memcmp(self.kept->data, self.copy, FRAME_BYTES) == 0;
    bool closed = frame_send(0) == ST_CLOSED && self.port->dead;
    if (self.bad || !kept || !closed) {
        log_err("net: revoked: %s, %s, %s", self.bad ? "frames are out" : "all came back",
                kept ? "what was received stayed" : "what was received was touched", closed ? "closed" : "not closed");
    }
    netdev_release(self.port, self.kept);
    virtio_test_done("net", !self.bad && kept && closed);
}

static bool refusals(void) REQUIRES(LOOP)
{
    struct netdev_segment segment[NETDEV_SEGMENTS_MAX + 1];
    struct netdev_frame frame = {.segment = segment, .segment_count = 1, .token = &self};

    for (unsigned i = 0; i <= NETDEV_SEGMENTS_MAX; i++) {
        segment[i] = (struct netdev_segment){self.frame, FRAME_BYTES};
    }
    segment[0].size = (uint32_t)self.port->mtu + NETDEV_HEADER_BYTES + 1;
    bool good = netdev_send(self.port, &frame) == ST_BADARG;
    segment[0].size = NETDEV_HEADER_BYTES - 1;
    good = good && netdev_send(self.port, &frame) == ST_BADARG;
    segment[0].size = FRAME_BYTES;
    frame.segment_count = (uint16_t)(self.port->segments_max + 1);
    good = good && netdev_send(self.port, &frame) == ST_BADARG;
    frame.segment_count = 1;
    frame.checksum = true;
    frame.checksum_start = FRAME_BYTES - 1;
    return good && netdev_send(self.port, &frame) == ST_BADARG;
}

static void on_sent(struct netdev_client *client, void *token)
{
    bool *out = token;

    (void)client;
    room_assert_loop();
    if (out < self.out || out >= self.out + BURST || !*out) {
        log_err("net: a token came back that was not out");
        self.bad = true;
        return;
    }
    *out = false;
    self.sent_back++;
}

static void on_room(struct netdev_client *client)
{
    (void)client;
    room_assert_loop();
    if (!self.revoked) {
        burst_go_on();
    }
}

/* Every interval: a burst that is through makes way for the next. */
static void on_retry(struct timer *timer)
{
    (void)timer;
    room_assert_loop();
    if (self.sent_back == BURST) {
        self.round++;
        self.next = 0;
        self.sent_back = 0;
    }
    if (self.bad || (self.round >= VIRTIO_TEST_ROUNDS && self.answers > 0)) {
        end();
        return;
    }
    burst_go_on();
    timer_set(&self.retry, clock_ns() + RETRY_NS / 20);
}

static void on_receive(struct netdev_client *client, struct netbuf *frame)
{
    uint8_t gateway[4];

    (void)client;
    room_assert_loop();
    put32(gateway, VIRTIO_TEST_GATEWAY);
    /* An ARP answer (operation 2) of the gateway. */
    if (frame->next == NULL && frame->size >= FRAME_BYTES && frame->data[12] == 8 && frame->data[13] == 6 &&
        frame->data[21] == 2 && memcmp(frame->data + 28, gateway, 4) == 0) {
        if (self.answers++ == 0) {
            memcpy(self.copy, frame->data, FRAME_BYTES);
            self.kept = frame;
            return;
        }
    }
    while (frame != NULL) {
        struct netbuf *next = frame->next;
        netdev_release(self.port, frame);
        frame = next;
    }
}

static void on_link(struct netdev_client *client, bool up)
{
    (void)client;
    room_assert_loop();
    log_info("net: link %s", up ? "up" : "down");
    if (self.revoked && !up) {
        revoke_end();
    }
}

void virtio_test_net_init(struct netdev *port)
{
    self.port = port;
    self.client = (struct netdev_client){.receive = on_receive, .sent = on_sent, .room = on_room, .link = on_link};
    self.frame = boot_alloc(2048, 64);
    frame_make(self.frame, port->mac);
    timer_init(&self.retry, on_retry);
    timer_init(&self.afterwards, on_afterwards);
    work_init(&self.revoke, on_revoke);
    netdev_attach(port, &self.client);
}

void virtio_test_net_begin(void)
{
    self.bad = !refusals();
    burst_go_on();
    timer_set(&self.retry, clock_ns() + RETRY_NS);
}
