/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip_wire_test.c: what others see on the wire when it matters to them, and which records of lwIP's stay after it: no
 * delay, closing with bytes unread, the ends of FIN_WAIT_2 and TIME_WAIT, the first packets to a new neighbour.
 */
#include "net_lwip_user.h"

/* Data leaves at the turn's end, whether the peer has acknowledged what went before or not: no Nagle. */
static void test_small_data_does_not_wait_for_an_acknowledgement(void)
{
    struct user *user = opened();

    for (unsigned i = 0; i < 3; i++) {
        unsigned before = peer.segments;
        CHECK_EQ(stream_send(user->stream, "small", 5), ST_OK);
        world_turns();
        peer_listen(&peer); /* it hears, and says nothing */
        CHECK_EQ(peer.segments, before + 1);
    }
    CHECK_EQ(peer.got, 15);
    peer_send(&peer, ACK, NULL, 0);
    close_both();
}

static void test_close_with_bytes_unread(void)
{
    static uint8_t unread[4 * 1460];
    struct user *user = opened();

    user->take_max = 0;
    for (unsigned i = 0; i < 4; i++) {
        peer_send(&peer, ACK | PSH, unread + i * 1460, 1460);
    }
    peer_listen(&peer);
    CHECK_EQ(peer.window, NET_LWIP_WINDOW - sizeof unread);
    stream_close(user->stream);
    CHECK_EQ(device.out, 0);
    world_turns();
    peer_settle(&peer);
    CHECK_EQ(peer.window, NET_LWIP_WINDOW);
    CHECK_EQ(peer.fins, 1);
    CHECK_EQ(user->closes, 1);
    peer_send(&peer, FIN | ACK, NULL, 0);
    peer_listen(&peer);
    settled();
}

/* We closed, it acknowledged, and never ends its own side: the record goes after TCP_FIN_WAIT_TIMEOUT all the same. */
static void test_peer_that_never_ends(void)
{
    struct user *user = opened();

    stream_close(user->stream);
    world_turns();
    peer_settle(&peer);
    CHECK_EQ(user->closes, 1);
    CHECK_EQ(lwip_stats.memp[MEMP_TCP_PCB]->used, 1); /* FIN_WAIT_2 */
    settled();
}

/* We closed, and what we sent last is not taken: that the peer goes on talking keeps nothing alive. */
static void test_close_to_a_peer_that_only_talks(void)
{
    struct user *user = opened();

    peer.own_window = 0;
    for (unsigned i = 0; i < 2; i++) {
        peer_send(&peer, ACK | PSH, "x", 1); /* the second one's window counts */
    }
    CHECK_EQ(stream_send(user->stream, "never taken", 11), ST_OK);
    stream_close(user->stream);
    world_turns();
    for (unsigned i = 0; i < 3 && user->closes == 0; i++) {
        world_advance(15 * NS_PER_S);
        peer_send(&peer, ACK | PSH, "x", 1);
    }
    CHECK_EQ(user->closes, 1);
    CHECK_EQ(user->status, ST_TIMEOUT);
    settled();
}

/* An old SYN that was long under way is no new connection: TIME_WAIT is there for it (RFC 1122 section 4.2.2.13). */
static void test_old_syn_in_time_wait(void)
{
    struct user *user = opened();
    struct tcp_peer old = peer;

    stream_close(user->stream);
    world_turns();
    peer_settle(&peer);
    peer_send(&peer, FIN | ACK, NULL, 0);
    peer_settle(&peer);
    CHECK_EQ(lwip_stats.memp[MEMP_TCP_PCB]->used, 1);
    old.segments = 0;
    for (uint32_t back = 0; back < 3; back++) {
        peer_raw(&old, peer.seq - 1 - back * 500, SYN, NULL, 0);
        world_turns();
    }
    for (device_answer(); segment_count > 0; segment_count--) {
        CHECK((segments[segment_count - 1].flags & SYN) == 0);
    }
    CHECK_EQ(lwip_stats.memp[MEMP_TCP_PCB]->used, 1);
    CHECK_EQ(user_count, 1);
    settled();
}

/* The first packets to a neighbour wait together until it has said where it is; none waits for a retransmission. */
static void test_first_packets_to_a_new_neighbour(void)
{
    static struct tcp_connect_authority *any;
    unsigned syns = 0;

    setup();
    test_room = ROOM_BOOT;
    any = net_lwip_grant_connect("tcp/any");
    test_room = ROOM_LOOP;
    for (unsigned i = 0; i < ARP_QUEUE_LEN; i++) {
        users[i] = (struct user){.client = {&user_ops}, .take_max = SIZE_MAX};
        CHECK_EQ(any->ops->connect(any, "10.0.2.77:80", &limits, &users[i].client, &users[i].stream), ST_OK);
    }
    world_turns();
    device_answer();
    for (unsigned i = 0; i < segment_count; i++) {
        syns += segments[i].flags == SYN;
    }
    CHECK_EQ(syns, ARP_QUEUE_LEN);
    for (unsigned i = 0; i < ARP_QUEUE_LEN; i++) {
        stream_abort(users[i].stream);
    }
    world_turns();
    settled();
}

/* Neighbours that never answer cost so many copies each; the rest is dropped. */
static void test_packets_to_a_neighbour_that_is_not_there(void)
{
    static struct tcp_connect_authority *any;

    setup();
    test_room = ROOM_BOOT;
    any = net_lwip_grant_connect("tcp/any");
    test_room = ROOM_LOOP;
    device.no_answer = true;
    for (unsigned i = 0; i < 32; i++) {
        const char *to = i % 2 ? "10.0.2.91:80" : "10.0.2.90:80";
        users[i] = (struct user){.client = {&user_ops}, .take_max = SIZE_MAX};
        CHECK_EQ(any->ops->connect(any, to, &limits, &users[i].client, &users[i].stream), ST_OK);
    }
    world_turns();
    device_answer();
    CHECK_EQ(segment_count, 0);
    CHECK_EQ(lwip_stats.memp[MEMP_ARP_QUEUE]->used, 2 * ARP_QUEUE_LEN);
    world_advance(60 * NS_PER_S);
    for (unsigned i = 0; i < 32; i++) {
        CHECK_EQ(users[i].status, ST_TIMEOUT);
    }
    device.no_answer = false;
    CHECK_EQ(lwip_stats.memp[MEMP_ARP_QUEUE]->used, 0);
    settled();
}

int main(void)
{
    RUN(test_boot_gets_an_address);
    RUN(test_small_data_does_not_wait_for_an_acknowledgement);
    RUN(test_close_with_bytes_unread);
    RUN(test_peer_that_never_ends);
    RUN(test_close_to_a_peer_that_only_talks);
    RUN(test_old_syn_in_time_wait);
    RUN(test_first_packets_to_a_new_neighbour);
    RUN(test_packets_to_a_neighbour_that_is_not_there);
    return test_end();
}
