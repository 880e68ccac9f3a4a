/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip_world.h: the world around the stack for its tests: a core of a few lines, a network device that keeps books,
 * a DHCP server and TCP peers written by hand. Included once by a test; the stack is linked as it is.
 *
 *  (1) Every receive buffer is its own allocation and is freed on release: a use after it, or a second release, is
 *      seen.
 *  (2) The device keeps what it was sent until `device.hold` is false; it reads the lent bytes again when it gives
 *      them back, so memory that came back too early is seen as well.
 *  (3) Time stands still but for world_advance().
 */
#pragma once
#include "../net_lwip.h"

#include "core/diag.h"
#include "core/image.h"
#include "test.h"
#include <arpa/inet.h>
#include <stdarg.h>

/* --- core -----------------------------------------------------------------------------------------------------------
 */

static struct list works, turn_end;
static struct timer *timers[8];
static unsigned ready_holds, allocated;
static bool refused_boot;
static void *boot_kept[64]; /* what boot_alloc() gave */
static unsigned boot_kept_count;
const struct image_info image_info = {.profile = "test"};

void *boot_alloc(size_t size, size_t align)
{
    void *p = aligned_alloc(align, (size + align - 1) / align * align);

    boot_kept[boot_kept_count++ % 64] = p;
    allocated += (unsigned)size;
    return memset(p, 0, size);
}
void pool_init(struct pool *pool, const char *name, size_t item_size, size_t count)
{
    *pool = (struct pool){.name = name, .item_size = (uint32_t)item_size, .count = (uint32_t)count};
    allocated += (unsigned)(item_size * count);
}
void *pool_get(struct pool *pool)
{
    if (pool->in_use == pool->count) {
        return NULL;
    }
    pool->in_use++;
    return calloc(1, pool->item_size);
}
void *pool_take(struct pool *pool)
{
    void *item = pool_get(pool);

    REQUIRE(item != NULL);
    return item;
}
void pool_put(struct pool *pool, void *item)
{
    pool->in_use--;
    free(item);
}
void work_init(struct work *work, void (*run)(struct work *))
{
    work->run = run;
    list_init(&work->node);
}
void loop_post(struct work *work)
{
    if (list_empty(&work->node)) {
        list_push_back(&works, &work->node);
    }
}
void loop_post_boot(struct work *work)
{
    loop_post(work);
}
void loop_at_turn_end(struct work *work)
{
    if (list_empty(&work->node)) {
        list_push_back(&turn_end, &work->node);
    }
}
void timer_init(struct timer *timer, void (*fire)(struct timer *))
{
    *timer = (struct timer){.fire = fire};
    for (unsigned i = 0; i < 8; i++) {
        if (timers[i] == NULL || timers[i] == timer) {
            timers[i] = timer;
            return;
        }
    }
    abort();
}
void timer_set(struct timer *timer, uint64_t deadline_ns)
{
    timer->deadline_ns = deadline_ns;
    timer->heap_index = 1;
}
void timer_cancel(struct timer *timer)
{
    timer->heap_index = 0;
}
bool timer_armed(const struct timer *timer)
{
    return timer->heap_index != 0;
}
void ready_hold(struct ready *ready)
{
    ready->held = true;
    ready_holds++;
}
void ready_release(struct ready *ready)
{
    ready_holds -= ready->held;
    ready->held = false;
}
bool ready_reached(void)
{
    return ready_holds == 0;
}
void diag_command_add(struct diag_command *command)
{
    (void)command;
}
void diag_print(const char *format, ...)
{
    va_list args;
    char line[512];

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
}
_Noreturn void boot_refuse(const char *component, status_t status)
{
    (void)component;
    (void)status;
    refused_boot = true;
    panic("boot refused");
}
status_t entropy_cpu(void *bytes, size_t size)
{
    memset(bytes, 0x5a, size);
    return ST_OK;
}
uint64_t clock_wall_ns(void)
{
    return 0;
}

static void run_list(struct list *list)
{
    struct list *node;

    for (unsigned i = 0; i < 10000 && (node = list_pop_front(list)) != NULL; i++) {
        struct work *work = CONTAINER_OF(node, struct work, node);
        work->run(work);
    }
}

/* Turns until nothing is left to do. */
static void world_turns(void)
{
    for (unsigned i = 0; i < 1000 && !(list_empty(&works) && list_empty(&turn_end)); i++) {
        run_list(&works);
        run_list(&turn_end);
    }
    CHECK(list_empty(&works) && list_empty(&turn_end));
}

static struct timer *earliest(uint64_t until)
{
    struct timer *first = NULL;

    for (unsigned i = 0; i < 8; i++) {
        if (timers[i] != NULL && timer_armed(timers[i]) && timers[i]->deadline_ns <= until &&
            (first == NULL || timers[i]->deadline_ns < first->deadline_ns)) {
            first = timers[i];
        }
    }
    return first;
}

static void device_answer(void);

__attribute__((unused)) static void world_advance(uint64_t ns)
{
    uint64_t until = test_clock_ns + ns;
    struct timer *timer;

    while ((timer = earliest(until)) != NULL) {
        if (timer->deadline_ns > test_clock_ns) {
            test_clock_ns = timer->deadline_ns;
        }
        timer->heap_index = 0;
        timer->fire(timer);
        world_turns();
        device_answer();
    }
    test_clock_ns = until;
}

/* --- the device -----------------------------------------------------------------------------------------------------
 */

#define BUFFERS 64u
#define BUFFER_BYTES 1600u
#define SENT_MAX 4096u

struct frame { /* one that the stack sent */
    uint8_t bytes[1600];
    size_t size;
    void *token;
    struct netdev_segment segment[NETDEV_SEGMENTS_MAX];
    unsigned segments;
    bool checksum;
};

static struct {
    struct netdev netdev;
    unsigned out;       /* buffers that the client has */
    struct frame *sent; /* ring of what was sent and not looked at */
    unsigned sent_first, sent_count;
    struct frame *held; /* with the device: tokens not given back */
    unsigned held_count;
    bool hold, full, no_answer;
    unsigned total_sent, total_released;
} device;

static void device_release(struct netdev *netdev, struct netbuf *buffer)
{
    (void)netdev;
    REQUIRE(device.out > 0);
    device.out--;
    device.total_released++;
    free(buffer->data);
    free(buffer);
}

static void flatten(struct frame *frame, const struct netdev_frame *from)
{
    frame->size = 0;
    for (unsigned i = 0; i < from->segment_count; i++) {
        REQUIRE(from->segment[i].size > 0 && frame->size + from->segment[i].size <= sizeof frame->bytes);
        memcpy(frame->bytes + frame->size, from->segment[i].data, from->segment[i].size);
        frame->size += from->segment[i].size;
        frame->segment[i] = from->segment[i];
    }
    frame->segments = from->segment_count;
    frame->token = from->token;
    frame->checksum = from->checksum;
}

static status_t device_send(struct netdev *netdev, const struct netdev_frame *from)
{
    REQUIRE(from->segment_count <= netdev->segments_max);
    if (device.full) {
        return ST_FULL;
    }
    REQUIRE(device.sent_count < SENT_MAX && device.held_count < SENT_MAX);
    struct frame *frame = &device.sent[(device.sent_first + device.sent_count++) % SENT_MAX];
    flatten(frame, from);
    device.held[device.held_count++] = *frame;
    device.total_sent++;
    return ST_OK;
}

/* (2) */
static void device_give_back(void)
{
    struct frame again;

    while (!device.hold && device.held_count > 0) {
        struct frame frame = device.held[--device.held_count];
        struct netdev_frame reread = {
            .segment = frame.segment, .segment_count = (uint16_t)frame.segments, .token = frame.token};
        flatten(&again, &reread);
        CHECK_EQ(again.size, frame.size);
        CHECK_BYTES(again.bytes, frame.bytes, frame.size);
        device.netdev.client->sent(device.netdev.client, frame.token);
        world_turns();
    }
}

static void device_attached(struct netdev *netdev)
{
    (void)netdev;
}

/* A frame arrives, in buffers of at most `piece` bytes. */
static void device_receive_pieces(const uint8_t *bytes, size_t size, size_t piece)
{
    struct netbuf *first = NULL;
    struct netbuf **link = &first;

    REQUIRE(device.out < BUFFERS);
    for (size_t at = 0; at < size; at += piece) {
        size_t len = size - at < piece ? size - at : piece;
        struct netbuf *buffer = calloc(1, sizeof *buffer);
        buffer->data = malloc(BUFFER_BYTES);
        memcpy(buffer->data, bytes + at, len);
        buffer->size = (uint32_t)len;
        buffer->frame_size = (uint32_t)size;
        *link = buffer;
        link = &buffer->next;
        device.out++;
    }
    device.netdev.client->receive(device.netdev.client, first);
}

static void device_receive(const uint8_t *bytes, size_t size)
{
    device_receive_pieces(bytes, size, BUFFER_BYTES);
}

/* --- the other side of the wire
 * --------------------------------------------------------------------------------------- */

#define OUR_IP 0x0a00020fu /* 10.0.2.15 */
#define GATEWAY 0x0a000202u
static const uint8_t our_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
static const uint8_t their_mac[6] = {0x52, 0x55, 10, 0, 2, 2};

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}
static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}
static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}
static uint32_t sum_of(const uint8_t *p, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < len; i += 2) {
        sum += get16(p + i);
    }
    return len % 2 ? sum + ((uint32_t)p[len - 1] << 8) : sum;
}
static uint16_t folded(uint32_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

/* Ethernet and IPv4 around `len` bytes that stand at frame + 34 already. Returns the frame's size. */
static size_t ip_frame(uint8_t *frame, uint32_t source, uint32_t target, uint8_t protocol, size_t len)
{
    uint8_t *ip = frame + 14;

    memcpy(frame, our_mac, 6);
    memcpy(frame + 6, their_mac, 6);
    put16(frame + 12, 0x0800);
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put16(ip + 2, (unsigned)len + 20);
    ip[8] = 64;
    ip[9] = protocol;
    put32(ip + 12, source);
    put32(ip + 16, target);
    put16(ip + 10, folded(sum_of(ip, 20)));
    size_t size = 34 + len;
    return size < 60 ? 60 : size; /* Ethernet pads; the rest of the buffer is whatever it was. */
}

static uint16_t transport_sum(const uint8_t *ip, size_t len)
{
    return folded(sum_of(ip + 20, len) + sum_of(ip + 12, 8) + ip[9] + (uint32_t)len);
}

static void answer_arp(const uint8_t *request)
{
    uint8_t reply[60] = {0};

    if (get16(request + 20) != 1 || get32(request + 38) == OUR_IP) {
        return; /* An answer, or a gratuitous question. */
    }
    memcpy(reply, our_mac, 6);
    memcpy(reply + 6, their_mac, 6);
    memcpy(reply + 12, request + 12, 8);
    put16(reply + 20, 2);
    memcpy(reply + 22, their_mac, 6);
    memcpy(reply + 28, request + 38, 4);
    memcpy(reply + 32, request + 22, 10);
    device_receive(reply, sizeof reply);
}

static unsigned dhcp_discovers, dhcp_requests;
static uint32_t dhcp_lease = 3600;
/* What the server hears, and how it answers the next request: 5 ACK, 6 NAK. */
static enum { DHCP_HEARS_ALL, DHCP_HEARS_BROADCAST, DHCP_HEARS_NOTHING } dhcp_hears;
static uint8_t dhcp_verdict = 5;
static unsigned dhcp_unicasts, dhcp_broadcasts; /* requests that were sent, heard or not */

static void answer_dhcp(const uint8_t *request, size_t size)
{
    uint8_t frame[600] = {0};
    uint8_t *udp = frame + 34;
    uint8_t *bootp = udp + 8;
    static const uint8_t options[] = {99,  130, 83, 99, 53, 1,  0, 54, 4, 10, 0, 2, 2, 1, 4, 255,
                                      255, 255, 0,  3,  4,  10, 0, 2,  2, 51, 4, 0, 0, 0, 0, 255};

    REQUIRE(size > 42 + 240 + 3);
    bool discover = request[42 + 242] == 1;
    bool broadcast = get32(request + 30) == UINT32_MAX;
    dhcp_discovers += discover;
    dhcp_unicasts += !discover && !broadcast;
    dhcp_broadcasts += !discover && broadcast;
    if (dhcp_hears == DHCP_HEARS_NOTHING || (dhcp_hears == DHCP_HEARS_BROADCAST && !broadcast)) {
        return;
    }
    dhcp_requests += !discover;
    memcpy(bootp, request + 42, 236);
    bootp[0] = 2;
    put32(bootp + 16, OUR_IP);
    memcpy(bootp + 236, options, sizeof options);
    bootp[242] = discover ? 2 : dhcp_verdict;
    dhcp_verdict = discover ? dhcp_verdict : 5;
    put32(bootp + 236 + 27, dhcp_lease);
    put16(udp, 67);
    put16(udp + 2, 68);
    put16(udp + 4, 8 + 300);
    ip_frame(frame, GATEWAY, OUR_IP, 17, 308);
    put16(udp + 6, transport_sum(frame + 14, 308));
    device_receive(frame, 34 + 308);
}

struct segment { /* of TCP, from the stack */
    unsigned port, peer_port, flags, window;
    uint32_t peer, seq, ack;
    const uint8_t *data;
    size_t len;
    struct frame frame;
};
#define FIN 1u
#define SYN 2u
#define RST 4u
#define PSH 8u
#define ACK 16u

static struct segment *segments; /* what came and was not taken by tcp_next() */
static unsigned segment_count;

static void note_segment(const struct frame *frame)
{
    REQUIRE(segment_count < SENT_MAX);
    struct segment *s = &segments[segment_count++];
    s->frame = *frame;
    const uint8_t *ip = s->frame.bytes + 14;
    const uint8_t *tcp = ip + 20;
    size_t ip_len = get16(ip + 2);
    size_t header = (size_t)(tcp[12] >> 4) * 4;

    CHECK_EQ(folded(sum_of(ip, 20)), 0);
    if (!frame->checksum) {
        CHECK_EQ(transport_sum(ip, ip_len - 20), 0);
    }
    s->peer = get32(ip + 16);
    s->port = get16(tcp);
    s->peer_port = get16(tcp + 2);
    s->seq = get32(tcp + 4);
    s->ack = get32(tcp + 8);
    s->flags = tcp[13] & 0x1f;
    s->window = get16(tcp + 14);
    s->data = tcp + header;
    s->len = ip_len - 20 - header;
}

static struct frame last_datagram; /* not DHCP's */
static unsigned datagram_count;

static void note_datagram(const struct frame *frame)
{
    datagram_count++;
    last_datagram = *frame;
    CHECK_EQ(folded(sum_of(frame->bytes + 14, 20)), 0);
    if (!frame->checksum) {
        CHECK_EQ(transport_sum(frame->bytes + 14, get16(frame->bytes + 16) - 20), 0);
    }
}

/* Looks at what the stack sent: ARP and DHCP are answered, TCP segments noted. */
static void device_answer(void)
{
    device_give_back();
    while (device.sent_count > 0) {
        struct frame frame = device.sent[device.sent_first];
        device.sent_first = (device.sent_first + 1) % SENT_MAX;
        device.sent_count--;
        if (get16(frame.bytes + 12) == 0x0806 && !device.no_answer) {
            answer_arp(frame.bytes);
        } else if (get16(frame.bytes + 12) == 0x0800 && frame.bytes[23] == 17 && get16(frame.bytes + 36) != 67) {
            note_datagram(&frame);
        } else if (get16(frame.bytes + 12) == 0x0800 && frame.bytes[23] == 17 && !device.no_answer) {
            answer_dhcp(frame.bytes, frame.size);
        } else if (get16(frame.bytes + 12) == 0x0800 && frame.bytes[23] == 6) {
            note_segment(&frame);
        }
        world_turns();
        device_give_back();
    }
}

/* --- a TCP peer ------------------------------------------------------------------------------------------------------
 */

struct tcp_peer {
    uint32_t ip;
    uint16_t port, to;
    uint32_t seq, ack; /* next to send, next expected */
    unsigned window;   /* that it last was told */
    uint16_t own_window;
    unsigned fins, resets, segments;
    size_t got; /* bytes */
    uint8_t last[65536];
};

static void peer_raw(const struct tcp_peer *p, uint32_t seq, unsigned flags, const void *data, size_t len)
{
    uint8_t frame[1600] = {0};
    uint8_t *tcp = frame + 34;

    put16(tcp, p->port);
    put16(tcp + 2, p->to);
    put32(tcp + 4, seq);
    put32(tcp + 8, flags & ACK ? p->ack : 0);
    tcp[12] = 5 << 4;
    tcp[13] = (uint8_t)flags;
    put16(tcp + 14, p->own_window);
    if (len > 0) {
        memcpy(tcp + 20, data, len);
    }
    size_t size = ip_frame(frame, p->ip, OUR_IP, 6, 20 + len);
    put16(tcp + 16, transport_sum(frame + 14, 20 + len));
    device_receive(frame, size);
}

static void peer_send(struct tcp_peer *p, unsigned flags, const void *data, size_t len)
{
    peer_raw(p, p->seq, flags, data, len);
    p->seq += (uint32_t)len + (flags & (SYN | FIN) ? 1 : 0);
    world_turns();
}

/* Takes in all segments for this peer. Does not answer. */
static void peer_listen(struct tcp_peer *p)
{
    unsigned kept = 0;

    device_answer();
    for (unsigned i = 0; i < segment_count; i++) {
        struct segment *s = &segments[i];
        if (s->peer != p->ip || s->peer_port != p->port) {
            segments[kept++] = *s;
            continue;
        }
        p->segments++;
        p->resets += (s->flags & RST) != 0;
        p->window = s->window;
        if (s->flags & SYN) {
            p->ack = s->seq + 1;
        }
        if (s->seq == p->ack && s->len > 0) {
            REQUIRE(p->got + s->len <= sizeof p->last);
            memcpy(p->last + p->got, s->data, s->len);
            p->got += s->len;
            p->ack += (uint32_t)s->len;
        }
        if ((s->flags & FIN) && s->seq + s->len == p->ack) {
            p->fins++;
            p->ack++;
        }
    }
    segment_count = kept;
}

/* Hears and acknowledges until it is quiet. */
__attribute__((unused)) static void peer_settle(struct tcp_peer *p)
{
    uint32_t acked = p->ack;

    for (unsigned i = 0; i < 100; i++) {
        peer_listen(p);
        if (p->ack == acked) {
            return;
        }
        acked = p->ack;
        peer_send(p, ACK, NULL, 0);
    }
}

__attribute__((unused)) static void peer_init(struct tcp_peer *p, uint16_t port)
{
    *p = (struct tcp_peer){.ip = GATEWAY, .port = port, .to = 7, .seq = 1000, .own_window = 60000};
}

__attribute__((unused)) static void peer_open(struct tcp_peer *p)
{
    peer_send(p, SYN, NULL, 0);
    peer_listen(p);
    peer_send(p, ACK, NULL, 0);
    peer_listen(p);
}

/* --- beginning -------------------------------------------------------------------------------------------------------
 */

static void world_init(void)
{
    static const struct netdev_ops ops = {device_send, device_release, device_attached};

    list_init(&works);
    list_init(&turn_end);
    segments = calloc(SENT_MAX, sizeof *segments);
    device.sent = calloc(SENT_MAX, sizeof *device.sent);
    device.held = calloc(SENT_MAX, sizeof *device.held);
    device.netdev = (struct netdev){.ops = &ops,
                                    .name = "net0",
                                    .mtu = 1500,
                                    .segments_max = 6,
                                    .rx_buffers = BUFFERS,
                                    .rx_buffer_bytes = BUFFER_BYTES,
                                    .link_up = true};
    memcpy(device.netdev.mac, our_mac, 6);
    test_clock_ns = NS_PER_S;
}
