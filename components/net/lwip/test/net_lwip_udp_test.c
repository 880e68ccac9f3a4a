/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip_udp_test.c: UDP sockets: what comes and goes, what is dropped, what is refused; nothing is left behind.
 */
#include "net_lwip_world.h"
#undef NET_LWIP_UDP_BUFFERS /* by default an image has none */
#define NET_LWIP_UDP_BUFFERS 24
#include "../net_lwip_udp.c"

#define PORT 5353

void net_lwip_wire_netif(struct netdev *device);
status_t net_lwip_start(void);

static struct udp_authority *authority, *narrow;
static struct udp_socket *sock;
static unsigned arrivals;

static void client_arrived(struct udp_client *client)
{
    (void)client;
    arrivals++;
}
static struct udp_client client = {client_arrived};

static void arrive(uint32_t from, uint16_t from_port, uint16_t to, const void *data, size_t len)
{
    uint8_t frame[1600] = {0};
    uint8_t *udp = frame + 34;

    put16(udp, from_port);
    put16(udp + 2, to);
    put16(udp + 4, (unsigned)len + 8);
    if (len > 0) {
        memcpy(udp + 8, data, len);
    }
    size_t size = ip_frame(frame, from, OUR_IP, 17, len + 8);
    put16(udp + 6, transport_sum(frame + 14, len + 8));
    device_receive(frame, size);
    world_turns();
}

static void settled(void)
{
    device.hold = false;
    device_answer();
    CHECK_EQ(datagrams.in_use, 0);
    CHECK_EQ(net_lwip_self.rx_held, 0);
    CHECK_EQ(device.out, 0);
}

static void test_boot(void)
{
    world_init();
    net_lwip_wire_netif(&device.netdev);
    CHECK_EQ(net_lwip_start(), ST_OK);
    authority = net_lwip_grant_udp("udp/5353");
    narrow = net_lwip_grant_udp("udp/5354/10.0.2.2:53");
    CHECK_EQ(authority->port, PORT);
    CHECK_EQ(narrow->peer.port, 53);
    test_room = ROOM_LOOP;
    CHECK_EQ(udp_socket_open(authority, &client, &sock), ST_OK);
    CHECK_EQ(udp_socket_send(sock, (struct inet_endpoint){GATEWAY, 9}, "x", 1), ST_AGAIN); /* no address yet */
    world_turns();
    device_answer();
    CHECK(net_lwip_self.address_known);
    settled();
}

static void test_grants(void)
{
    static const char *const bad[] = {"udp/0",   "udp/65536",       "udp/",        "udp/x",      "tcp/53",
                                      "udp/53/", "udp/53/10.0.2.2", "udp/53/*:53", "udp/000053", "udp/53 "};

    test_room = ROOM_BOOT;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_PANICS(net_lwip_grant_udp(bad[i]));
    }
    test_room = ROOM_LOOP;
}

static void test_receive(void)
{
    test_room = ROOM_LOOP;
    struct udp_datagram d;

    CHECK_EQ(udp_socket_next(sock, &d), ST_AGAIN);
    arrivals = 0;
    arrive(GATEWAY, 777, PORT, "hello", 5);
    arrive(GATEWAY, 778, PORT, NULL, 0);
    CHECK_EQ(arrivals, 2);
    CHECK_EQ(udp_socket_next(sock, &d), ST_OK);
    CHECK_EQ(d.from.address, GATEWAY);
    CHECK_EQ(d.from.port, 777);
    CHECK_EQ(d.len, 5);
    CHECK_BYTES(d.bytes, "hello", 5);
    udp_socket_drop(sock);
    CHECK_EQ(udp_socket_next(sock, &d), ST_OK);
    CHECK_EQ(d.len, 0);
    udp_socket_drop(sock);
    CHECK_EQ(udp_socket_next(sock, &d), ST_AGAIN);
    CHECK_PANICS(udp_socket_drop(sock));
    settled();
}

/* The queue is bounded, the rest is dropped and counted, and the order is kept. */
static void test_queue_is_bounded(void)
{
    test_room = ROOM_LOOP;
    struct udp_counters before, after;
    struct udp_datagram d;

    udp_socket_counters(sock, &before);
    for (unsigned i = 0; i < NET_LWIP_UDP_QUEUE + 5; i++) {
        uint8_t byte = (uint8_t)i;
        arrive(GATEWAY, 777, PORT, &byte, 1);
    }
    CHECK_EQ(device.out, 0); /* No buffer of the device is held. */
    udp_socket_counters(sock, &after);
    CHECK_EQ(after.received - before.received, NET_LWIP_UDP_QUEUE);
    CHECK_EQ(after.dropped - before.dropped, 5);
    for (unsigned i = 0; i < NET_LWIP_UDP_QUEUE; i++) {
        CHECK_EQ(udp_socket_next(sock, &d), ST_OK);
        CHECK_EQ(d.bytes[0], i);
        udp_socket_drop(sock);
    }
    settled();
}

static void test_send(void)
{
    test_room = ROOM_LOOP;
    static uint8_t big[DATAGRAM_MAX + 1];
    const struct inet_endpoint to = {GATEWAY, 9};

    for (unsigned i = 0; i < sizeof big; i++) {
        big[i] = (uint8_t)(i * 7);
    }
    datagram_count = 0;
    CHECK_EQ(udp_socket_send(sock, to, big, DATAGRAM_MAX), ST_OK);
    device_answer();
    CHECK_EQ(datagram_count, 1);
    CHECK_EQ(get16(last_datagram.bytes + 34), PORT);
    CHECK_EQ(get16(last_datagram.bytes + 36), 9);
    CHECK_EQ(get32(last_datagram.bytes + 30), GATEWAY);
    CHECK_EQ(get16(last_datagram.bytes + 38), DATAGRAM_MAX + 8);
    CHECK_BYTES(last_datagram.bytes + 42, big, DATAGRAM_MAX);
    CHECK_EQ(udp_socket_send(sock, to, big, sizeof big), ST_RANGE);
    CHECK_EQ(udp_socket_send(sock, to, NULL, 0), ST_OK);
    CHECK_EQ(udp_socket_send(sock, (struct inet_endpoint){0, 9}, big, 1), ST_DENIED);
    CHECK_EQ(udp_socket_send(sock, (struct inet_endpoint){GATEWAY, 0}, big, 1), ST_DENIED);
    settled();
}

/* Every record is with the device: typed, and over when it gives one back. */
static void test_send_without_buffers(void)
{
    test_room = ROOM_LOOP;
    const struct inet_endpoint to = {GATEWAY, 9};

    device.hold = true;
    for (unsigned i = 0; i < NET_LWIP_UDP_BUFFERS; i++) {
        CHECK_EQ(udp_socket_send(sock, to, "x", 1), ST_OK);
    }
    CHECK_EQ(udp_socket_send(sock, to, "x", 1), ST_FULL);
    device.hold = false;
    device_answer();
    CHECK_EQ(udp_socket_send(sock, to, "x", 1), ST_OK);
    settled();
    device.full = true;
    CHECK_EQ(udp_socket_send(sock, to, "x", 1), ST_FULL);
    device.full = false;
    settled();
}

static void test_scope(void)
{
    test_room = ROOM_LOOP;
    struct udp_socket *s;
    struct udp_datagram d;

    CHECK_EQ(udp_socket_open(narrow, &client, &s), ST_OK);
    CHECK_EQ(udp_socket_send(s, (struct inet_endpoint){GATEWAY, 54}, "x", 1), ST_DENIED);
    CHECK_EQ(udp_socket_send(s, (struct inet_endpoint){GATEWAY + 1, 53}, "x", 1), ST_DENIED);
    CHECK_EQ(udp_socket_send(s, (struct inet_endpoint){GATEWAY, 53}, "x", 1), ST_OK);
    arrive(GATEWAY, 54, 5354, "no", 2);
    CHECK_EQ(udp_socket_next(s, &d), ST_AGAIN);
    arrive(GATEWAY, 53, 5354, "yes", 3);
    CHECK_EQ(udp_socket_next(s, &d), ST_OK);
    CHECK_EQ(d.len, 3);
    udp_socket_close(s); /* What waits goes with it. */
    settled();
}

static void test_open_once(void)
{
    test_room = ROOM_LOOP;
    struct udp_socket *again;

    CHECK_EQ(udp_socket_open(authority, &client, &again), ST_BADARG);
    arrive(GATEWAY, 1, PORT, "x", 1);
    udp_socket_close(sock);
    settled();
    arrivals = 0;
    arrive(GATEWAY, 1, PORT, "x", 1);
    CHECK_EQ(arrivals, 0);
    CHECK_EQ(udp_socket_open(authority, &client, &sock), ST_OK);
    settled();
}

int main(void)
{
    RUN(test_boot);
    RUN(test_grants);
    RUN(test_receive);
    RUN(test_queue_is_bounded);
    RUN(test_send);
    RUN(test_send_without_buffers);
    RUN(test_scope);
    RUN(test_open_once);
    return test_end();
}
