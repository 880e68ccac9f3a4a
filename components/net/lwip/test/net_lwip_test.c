/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip_test.c: the glue between lwIP, a device and stream clients, with every buffer and every lent byte accounted
 * for.
 */
#include "net_lwip_user.h"

/* --- address --------------------------------------------------------------------------------------------------------
 */

static void test_lease_is_renewed(void)
{
    unsigned before = dhcp_requests;

    setup();
    world_advance(dhcp_lease * NS_PER_S);
    CHECK(dhcp_requests > before);
    CHECK(net_lwip_self.address_known);
    CHECK_EQ(dhcp_discovers, 1);
    settled();
}

static void test_lost_lease_and_link(void)
{
    setup();
    device.netdev.link_up = false;
    device.netdev.client->link(device.netdev.client, false);
    world_turns();
    CHECK(!net_lwip_self.address_known);
    device.netdev.link_up = true;
    device.netdev.client->link(device.netdev.client, true);
    world_turns();
    device_answer();
    world_advance(NS_PER_S);
    CHECK(net_lwip_self.address_known);
    settled();
}

static void test_idle_arms_no_fast_timer(void)
{
    setup();
    world_advance(400 * NS_PER_S);
    world_turns();
    CHECK(!timer_armed(&net_lwip_self.tick) || net_lwip_self.tick.deadline_ns - test_clock_ns > NS_PER_S);
}

/* --- data -----------------------------------------------------------------------------------------------------------
 */

static void test_data_in(void)
{
    struct user *user = opened();

    char name[32];
    snprintf(name, sizeof name, "10.0.2.2:%u", peer.port);
    CHECK_STR(user->stream->peer, name);
    peer_send(&peer, ACK | PSH, "hello", 5);
    CHECK_EQ(user->got_len, 5);
    CHECK_BYTES(user->got, "hello", 5);
    CHECK_EQ(device.out, 0); /* The buffer is back. */
    close_both();
}

/* 1,000 bytes of data behind headers, in buffers of `piece` bytes. */
static void data_in_pieces(struct user *user, size_t piece)
{
    uint8_t frame[1600] = {0};

    for (unsigned i = 0; i < 1000; i++) {
        frame[54 + i] = (uint8_t)i;
    }
    put16(frame + 34, peer.port);
    put16(frame + 36, 7);
    put32(frame + 38, peer.seq);
    put32(frame + 42, peer.ack);
    frame[46] = 5 << 4;
    frame[47] = ACK | PSH;
    put16(frame + 48, 60000);
    ip_frame(frame, GATEWAY, OUR_IP, 6, 1020);
    put16(frame + 50, transport_sum(frame + 14, 1020));
    device_receive_pieces(frame, 1054, piece);
    peer.seq += 1000;
    world_turns();
    CHECK_EQ(user->got_len, 1000);
    CHECK_BYTES(user->got, frame + 54, 1000);
}

static void test_data_in_many_buffers(void)
{
    struct user *user = opened();

    data_in_pieces(user, 200);
    CHECK(user->calls >= 5);
    close_both();
}

/* The first buffer has the headers and nothing else: it once hung the loop for ever. */
static void test_data_behind_a_buffer_of_headers(void)
{
    data_in_pieces(opened(), 54);
    close_both();
}

/* A segment in two IP fragments, the first of which ends with the TCP header: fragments are not put together. */
static void test_fragments_are_dropped(void)
{
    uint8_t first[1600] = {0};
    struct user *user = opened();

    put16(first + 34, peer.port);
    put16(first + 36, 7);
    put32(first + 38, peer.seq);
    put32(first + 42, peer.ack);
    first[46] = 6 << 4;
    first[47] = ACK | PSH;
    memset(first + 54, 1, 4); /* four NOPs */
    ip_frame(first, GATEWAY, OUR_IP, 6, 24);
    put16(first + 20, 0x2000); /* more fragments */
    put16(first + 24, 0);
    put16(first + 24, folded(sum_of(first + 14, 20)));
    device_receive(first, 60);
    world_turns();
    CHECK_EQ(user->got_len, 0);
    CHECK_EQ(device.out, 0); /* nothing is kept of it */
    close_both();
}

static void test_data_out_is_lent(void)
{
    static uint8_t data[4000];
    struct user *user = opened();

    for (unsigned i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 7);
    }
    CHECK_EQ(stream_send(user->stream, data, sizeof data), ST_OK);
    CHECK_EQ(peer.segments, 1); /* the SYN-ACK; data waits for the turn's end */
    world_turns();
    device.hold = true;
    device_answer();
    REQUIRE(segment_count > 0);
    bool lent = false;
    for (unsigned i = 0; i < segments[0].frame.segments; i++) {
        const uint8_t *p = segments[0].frame.segment[i].data;
        lent |= p >= data && p < data + sizeof data;
    }
    CHECK(lent);
    device.hold = false;
    peer_settle(&peer);
    CHECK_EQ(peer.got, sizeof data);
    CHECK_BYTES(peer.last, data, sizeof data);
    CHECK_EQ(user->sent, sizeof data);
    close_both();
}

static void test_lent_until_the_device_is_done(void)
{
    static char data[] = "still with the device";
    struct user *user = opened();

    device.hold = true;
    CHECK_EQ(stream_send(user->stream, data, sizeof data), ST_OK);
    world_turns();
    peer_settle(&peer); /* It acknowledges, although the device has not said sent(). */
    CHECK_EQ(peer.got, sizeof data);
    CHECK_EQ(user->sent, 0);
    device.hold = false;
    device_answer();
    CHECK_EQ(user->sent, sizeof data);
    close_both();
}

static void test_abort_gives_back_after_the_device(void)
{
    static char data[] = "aborted";
    struct user *user = opened();

    device.hold = true;
    CHECK_EQ(stream_send(user->stream, data, sizeof data), ST_OK);
    world_turns();
    stream_abort(user->stream);
    CHECK_EQ(user->closes, 0);
    world_turns();
    CHECK_EQ(user->closes, 0);
    CHECK_EQ(stream_send(user->stream, data, 1), ST_CLOSED);
    device.hold = false;
    device_answer();
    CHECK_EQ(user->closes, 1);
    CHECK_EQ(user->status, ST_STALE);
    peer_listen(&peer);
    CHECK_EQ(peer.resets, 1);
    settled();
}

static void test_small_lends_share_segments(void)
{
    static char data[NET_LWIP_LENDS][4];
    struct user *user = opened();
    unsigned before = peer.segments;
    uint64_t copied = net_lwip_self.count.tx_copied;

    for (unsigned i = 0; i < NET_LWIP_LENDS; i++) {
        memcpy(data[i], "abcd", 4);
        CHECK_EQ(stream_send(user->stream, data[i], 3), ST_OK); /* Not adjacent: each is a piece of its own. */
    }
    CHECK_EQ(stream_send(user->stream, "x", 1), ST_FULL);
    world_turns();
    CHECK_EQ(user->rooms, 1);
    peer_listen(&peer);
    CHECK_EQ(peer.segments - before, 1);
    CHECK(net_lwip_self.count.tx_copied > copied); /* More pieces than the device takes. */
    peer_send(&peer, ACK, NULL, 0);
    CHECK_EQ(peer.got, NET_LWIP_LENDS * 3);
    CHECK_EQ(user->sent, NET_LWIP_LENDS * 3);
    close_both();
}

static void test_send_more_than_the_window(void)
{
    static uint8_t data[60000];
    struct user *user = opened();

    peer.own_window = 5000;
    peer_send(&peer, ACK, NULL, 0);
    memset(data, 'w', sizeof data);
    CHECK_EQ(stream_send(user->stream, data, sizeof data), ST_OK);
    world_turns();
    peer_settle(&peer);
    CHECK_EQ(peer.got, sizeof data);
    CHECK_EQ(user->sent, sizeof data);
    close_both();
}

static void test_full_ring(void)
{
    static uint8_t data[3000];
    struct user *user = opened();

    device.full = true;
    CHECK_EQ(stream_send(user->stream, data, sizeof data), ST_OK);
    world_turns();
    peer_listen(&peer);
    CHECK_EQ(peer.got, 0);
    device.full = false;
    device.netdev.client->room(device.netdev.client);
    world_turns();
    peer_settle(&peer);
    CHECK_EQ(peer.got, sizeof data);
    close_both();
}

static void test_retransmission(void)
{
    static char data[] = "again";
    struct user *user = opened();

    CHECK_EQ(stream_send(user->stream, data, sizeof data), ST_OK);
    world_turns();
    device_answer();
    segment_count = 0; /* lost */
    world_advance(5 * NS_PER_S);
    peer_settle(&peer);
    CHECK_EQ(peer.got, sizeof data);
    CHECK_EQ(user->sent, sizeof data);
    close_both();
}

/* --- back-pressure ---------------------------------------------------------------------------------------------------
 */

static void test_client_that_stalls_closes_the_window(void)
{
    static uint8_t data[1460];
    struct user *user = opened();
    unsigned sent = 0;

    user->take_max = 0;
    while (sent + sizeof data <= NET_LWIP_WINDOW) {
        peer_send(&peer, ACK | PSH, data, sizeof data);
        sent += sizeof data;
        peer_listen(&peer);
    }
    world_advance(NS_PER_S);
    peer_listen(&peer);
    CHECK(peer.window < sizeof data);
    CHECK(device.out > 0 && device.out <= NET_LWIP_WINDOW / 1460 + 2);
    CHECK_EQ(user->got_len, 0);
    user->take_max = SIZE_MAX;
    stream_resume(user->stream);
    world_turns();
    CHECK_EQ(user->got_len, sent);
    CHECK_EQ(device.out, 0);
    peer_listen(&peer);
    CHECK_EQ(peer.window, NET_LWIP_WINDOW); /* told without being asked */
    close_both();
}

static void test_partial_taking(void)
{
    struct user *user = opened();

    user->take_max = 3;
    peer_send(&peer, ACK | PSH, "abcdefgh", 8);
    CHECK_EQ(user->got_len, 3);
    stream_resume(user->stream);
    world_turns();
    CHECK_EQ(user->got_len, 6);
    user->take_max = 100;
    stream_resume(user->stream);
    world_turns();
    CHECK_EQ(user->got_len, 8);
    CHECK_BYTES(user->got, "abcdefgh", 8);
    close_both();
}

static void test_small_segments_are_moved_together(void)
{
    struct user *user = opened();
    char byte;

    user->take_max = 0;
    for (unsigned i = 0; i < 3000; i++) {
        byte = (char)i;
        peer_send(&peer, ACK | PSH, &byte, 1);
        device_answer();
        segment_count = 0;
    }
    CHECK(device.out <= 3);
    user->take_max = SIZE_MAX;
    stream_resume(user->stream);
    world_turns();
    CHECK_EQ(user->got_len, 3000);
    for (unsigned i = 0; i < 3000; i++) {
        if (user->got[i] != (uint8_t)i) {
            CHECK_EQ(user->got[i], (uint8_t)i);
            break;
        }
    }
    close_both();
}

static void test_hoarders_are_shed(void)
{
    static uint8_t data[1460];
    static struct tcp_peer hoarder[8];
    uint64_t shed = net_lwip_self.count.shed;

    setup();
    for (unsigned i = 0; i < 8; i++) {
        peer_init(&hoarder[i], next_port++);
        peer_open(&hoarder[i]);
        users[i].take_max = 0;
        for (unsigned n = 0; n < 7; n++) {
            peer_send(&hoarder[i], ACK | PSH, data, sizeof data);
            peer_listen(&hoarder[i]);
        }
    }
    CHECK_EQ(net_lwip_self.count.shed, shed); /* They may still begin to take. */
    CHECK_EQ(device.out, net_lwip_self.rx_held_max);
    world_advance(3 * NS_PER_S);
    peer_open(&peer); /* Others are served. */
    REQUIRE(user_count == 9);
    peer_send(&peer, ACK | PSH, "ok", 2);
    CHECK_EQ(users[8].got_len, 2);
    CHECK_EQ(net_lwip_self.count.shed, shed + 1);
    unsigned closed = 0;
    for (unsigned i = 0; i < 8; i++) {
        closed += users[i].closes;
        CHECK(users[i].closes == 0 || users[i].status == ST_NOMEM);
        if (users[i].closes == 0) {
            stream_abort(users[i].stream);
        }
    }
    CHECK_EQ(closed, net_lwip_self.count.shed - shed);
    stream_abort(users[8].stream);
    world_turns();
    settled();
}

/* --- ends ------------------------------------------------------------------------------------------------------------
 */

static void test_we_close(void)
{
    static char data[] = "last words";
    struct user *user = opened();

    CHECK_EQ(stream_send(user->stream, data, sizeof data), ST_OK);
    stream_close(user->stream);
    stream_close(user->stream);
    CHECK_EQ(stream_send(user->stream, data, 1), ST_CLOSED);
    world_turns();
    CHECK_EQ(user->closes, 0);
    peer_settle(&peer);
    CHECK_EQ(peer.got, sizeof data);
    CHECK_EQ(peer.fins, 1);
    CHECK_EQ(user->closes, 1);
    CHECK_EQ(user->status, ST_OK);
    CHECK_EQ(user->sent, sizeof data);
    peer_send(&peer, FIN | ACK, NULL, 0);
    peer_listen(&peer);
    CHECK_EQ(peer.resets, 0);
    settled();
}

static void test_half_close(void)
{
    static char data[] = "after your end";
    struct user *user = opened();

    user->close_on_end = false;
    peer_send(&peer, ACK | PSH, "q", 1);
    peer_send(&peer, FIN | ACK, NULL, 0);
    CHECK_EQ(user->ends, 1);
    CHECK_EQ(user->closes, 0);
    CHECK_EQ(stream_send(user->stream, data, sizeof data), ST_OK);
    stream_end(user->stream);
    world_turns();
    peer_settle(&peer);
    CHECK_EQ(peer.got, sizeof data);
    CHECK_EQ(peer.fins, 1);
    CHECK_EQ(user->sent, sizeof data);
    CHECK_EQ(user->closes, 1); /* Both sides ended. */
    CHECK_EQ(user->status, ST_OK);
    settled();
}

static void test_end_of_a_stalled_client(void)
{
    struct user *user = opened();

    user->take_max = 0;
    peer_send(&peer, ACK | PSH, "unread", 6);
    peer_send(&peer, FIN | ACK, NULL, 0);
    CHECK_EQ(user->ends, 0); /* Not before it took everything. */
    user->take_max = SIZE_MAX;
    stream_resume(user->stream);
    world_turns();
    CHECK_EQ(user->got_len, 6);
    CHECK_EQ(user->ends, 1);
    peer_settle(&peer);
    CHECK_EQ(user->closes, 1);
    settled();
}

static void test_peer_resets(void)
{
    static char data[] = "never acknowledged";
    struct user *user = opened();

    CHECK_EQ(stream_send(user->stream, data, sizeof data), ST_OK);
    peer_send(&peer, RST | ACK, NULL, 0);
    CHECK_EQ(user->closes, 1);
    CHECK_EQ(user->status, ST_CLOSED);
    settled();
}

static void test_abort_from_inside_received(void)
{
    struct user *user = opened();

    user->abort_on_data = true;
    peer_send(&peer, ACK | PSH, "poison", 6);
    CHECK_EQ(user->closes, 1);
    CHECK_EQ(user->status, ST_STALE);
    peer_listen(&peer);
    CHECK_EQ(peer.resets, 1);
    settled();
}

static void test_silent_peer_times_out(void)
{
    static char data[] = "hello?";
    struct user *user = opened();

    CHECK_EQ(stream_send(user->stream, data, sizeof data), ST_OK);
    world_advance(600 * NS_PER_S);
    segment_count = 0;
    CHECK_EQ(user->closes, 1);
    CHECK_EQ(user->status, ST_TIMEOUT);
    settled();
}

static void test_closing_does_not_wait_for_ever(void)
{
    static uint8_t data[5000];
    struct user *user = opened();

    peer.own_window = 0;
    peer_send(&peer, ACK, NULL, 0);
    CHECK_EQ(stream_send(user->stream, data, sizeof data), ST_OK);
    stream_close(user->stream);
    for (unsigned i = 0; i < 8; i++) { /* It answers each probe: alive, but takes nothing. */
        world_advance(5 * NS_PER_S);
        peer_listen(&peer);
        peer_send(&peer, ACK, NULL, 0);
    }
    CHECK_EQ(user->closes, 1);
    CHECK_EQ(user->status, ST_TIMEOUT);
    settled();
}

static void test_deadlines(void)
{
    setup();
    listen_again((struct tcp_limits){.idle_ns = 10 * NS_PER_S, .total_ns = 30 * NS_PER_S});
    peer_open(&peer);
    for (unsigned i = 0; i < 3; i++) {
        world_advance(9 * NS_PER_S);
        peer_send(&peer, ACK | PSH, ".", 1);
    }
    CHECK_EQ(users[0].closes, 0);
    world_advance(4 * NS_PER_S); /* 31 s in all */
    CHECK_EQ(users[0].closes, 1);
    CHECK_EQ(users[0].status, ST_TIMEOUT);
    peer_init(&peer, next_port++);
    peer_open(&peer);
    world_advance(9 * NS_PER_S);
    CHECK_EQ(users[1].closes, 0);
    world_advance(2 * NS_PER_S);
    CHECK_EQ(users[1].closes, 1);
    settled();
}

/* --- bounds ----------------------------------------------------------------------------------------------------------
 */

static void test_refused_by_the_acceptor(void)
{
    setup();
    refuse_all = true;
    peer_open(&peer);
    peer_listen(&peer);
    CHECK_EQ(peer.resets, 1);
    settled();
}

static void test_connections_max(void)
{
    setup();
    listen_again((struct tcp_limits){.connections_max = 1});
    peer_open(&peer);
    CHECK_EQ(user_count, 1);
    struct tcp_peer second;
    peer_init(&second, next_port++);
    peer_send(&second, SYN, NULL, 0);
    peer_listen(&second);
    CHECK_EQ(second.resets, 1); /* at once */
    CHECK_EQ(user_count, 1);
    close_both();
}

static void test_all_connections(void)
{
    static struct tcp_peer many[NET_LWIP_CONNECTIONS];

    setup();
    refuse_all = false;
    for (unsigned i = 0; i < 32; i++) {
        peer_init(&many[i], next_port++);
        peer_open(&many[i]);
    }
    CHECK_EQ(user_count, 32);
    for (unsigned i = 0; i < 32; i++) {
        CHECK_EQ(many[i].resets, 0);
        stream_abort(users[i].stream);
    }
    world_turns();
    settled();
}

static void test_syn_flood(void)
{
    struct tcp_peer flood;

    setup();
    for (unsigned i = 0; i < 500; i++) {
        peer_init(&flood, (uint16_t)(1000 + i));
        flood.ip = GATEWAY + 50;
        peer_send(&flood, SYN, NULL, 0);
        device_answer();
        segment_count = 0;
    }
    CHECK(lwip_stats.memp[MEMP_TCP_PCB]->used <= NET_LWIP_BACKLOG + 1);
    peer_open(&peer);
    CHECK_EQ(user_count, 1);
    peer_send(&peer, ACK | PSH, "in", 2);
    CHECK_EQ(users[0].got_len, 2);
    world_advance(60 * NS_PER_S);
    segment_count = 0;
    close_both();
}

/* TIME_WAIT must not hold the pool: whoever closes first. */
static void test_many_one_after_another(void)
{
    setup();
    for (unsigned i = 0; i < 3000; i++) {
        user_count = 0;
        peer_init(&peer, (uint16_t)(2000 + i));
        peer_open(&peer);
        REQUIRE(user_count == 1);
        if (i % 2) {
            stream_close(users[0].stream);
            world_turns();
            peer_settle(&peer);
        }
        peer_send(&peer, FIN | ACK, NULL, 0);
        peer_settle(&peer);
        CHECK_EQ(users[0].closes, 1);
        CHECK_EQ(peer.fins, 1);
        CHECK_EQ(peer.resets, 0);
    }
    settled();
}

static void test_port_used_again_in_time_wait(void)
{
    struct user *user = opened();

    stream_close(user->stream);
    world_turns();
    peer_settle(&peer);
    peer_send(&peer, FIN | ACK, NULL, 0);
    peer_settle(&peer);
    CHECK_EQ(lwip_stats.memp[MEMP_TCP_PCB]->used, 1); /* TIME_WAIT */
    uint32_t seq = peer.seq + 1000;
    uint16_t port = peer.port;
    peer_init(&peer, port);
    peer.seq = seq;
    peer_open(&peer);
    CHECK_EQ(user_count, 2);
    CHECK_EQ(peer.resets, 0);
    peer_send(&peer, ACK | PSH, "new", 3);
    CHECK_EQ(users[1].got_len, 3);
    peer_send(&peer, FIN | ACK, NULL, 0);
    peer_settle(&peer);
    CHECK_EQ(users[1].closes, 1);
    settled();
}

static void test_out_of_order(void)
{
    struct user *user = opened();

    peer_raw(&peer, peer.seq + 3, ACK | PSH, "def", 3);
    world_turns();
    CHECK_EQ(user->got_len, 0);
    CHECK_EQ(device.out, 1);
    peer_raw(&peer, peer.seq, ACK | PSH, "abc", 3);
    world_turns();
    peer.seq += 6;
    CHECK_EQ(user->got_len, 6);
    CHECK_BYTES(user->got, "abcdef", 6);
    close_both();
}

/* --- connecting ------------------------------------------------------------------------------------------------------
 */

static void test_connect(void)
{
    static char data[] = "asked before it was answered";
    static struct tcp_connect_authority *to, *any;
    struct user *user = &users[0];

    setup();
    test_room = ROOM_BOOT;
    to = net_lwip_grant_connect("tcp/10.0.2.2:80");
    any = net_lwip_grant_connect("tcp/any");
    test_room = ROOM_LOOP;
    *user = (struct user){.client = {&user_ops}, .take_max = SIZE_MAX, .close_on_end = true};
    CHECK_EQ(to->ops->connect(to, "10.0.2.2:81", &limits, &user->client, &user->stream), ST_DENIED);
    CHECK_EQ(to->ops->connect(to, "10.0.2.3:80", &limits, &user->client, &user->stream), ST_DENIED);
    CHECK_EQ(any->ops->connect(any, "10.0.2.256:80", &limits, &user->client, &user->stream), ST_BADARG);
    CHECK_EQ(any->ops->connect(any, "host:80", &limits, &user->client, &user->stream), ST_BADARG);
    CHECK_EQ(to->ops->connect(to, "10.0.2.2:80", &limits, &user->client, &user->stream), ST_OK);
    CHECK_EQ(stream_send(user->stream, data, sizeof data), ST_OK);
    world_turns();
    device_answer();
    REQUIRE(segment_count == 1 && segments[0].flags == SYN);
    peer.port = 80;
    peer.to = (uint16_t)segments[0].port;
    peer_listen(&peer);
    peer_send(&peer, SYN | ACK, NULL, 0);
    peer_settle(&peer);
    CHECK_EQ(peer.got, sizeof data);
    CHECK_EQ(user->sent, sizeof data);
    CHECK_EQ(user->opens, 1);
    CHECK(strncmp(user->stream->local, "10.0.2.15:", 10) == 0);
    close_both();
}

static void test_connect_refused(void)
{
    static struct tcp_connect_authority *any;
    struct user *user = &users[0];

    setup();
    test_room = ROOM_BOOT;
    any = net_lwip_grant_connect("tcp/any");
    test_room = ROOM_LOOP;
    *user = (struct user){.client = {&user_ops}, .take_max = SIZE_MAX};
    CHECK_EQ(any->ops->connect(any, "10.0.2.2:81", &limits, &user->client, &user->stream), ST_OK);
    world_turns();
    device_answer();
    REQUIRE(segment_count == 1);
    peer.port = 81;
    peer.to = (uint16_t)segments[0].port;
    peer_listen(&peer);
    peer_send(&peer, RST | ACK, NULL, 0);
    CHECK_EQ(user->closes, 1);
    CHECK_EQ(user->status, ST_CLOSED);
    CHECK_EQ(user->opens, 0);
    settled();
}

static void test_scopes(void)
{
    static const char *const bad[] = {"tcp/0", "tcp/65536", "tcp/", "tcp/7x", "udp/7", "", "tcp/07777777777777777"};

    for (volatile unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refused_boot = false;
        CHECK_PANICS(net_lwip_grant_listen(bad[i]));
        CHECK(refused_boot);
    }
    CHECK_PANICS(net_lwip_grant_connect("tcp/1.2.3:4"));
    CHECK_PANICS(net_lwip_grant_connect("tcp/1.2.3.4"));
    CHECK_PANICS(net_lwip_grant_connect("tcp/0.0.0.0:4"));
}

int main(void)
{
    RUN(test_boot_gets_an_address);
    RUN(test_lease_is_renewed);
    RUN(test_lost_lease_and_link);
    RUN(test_data_in);
    RUN(test_idle_arms_no_fast_timer);
    RUN(test_data_in_many_buffers);
    RUN(test_data_behind_a_buffer_of_headers);
    RUN(test_fragments_are_dropped);
    RUN(test_data_out_is_lent);
    RUN(test_lent_until_the_device_is_done);
    RUN(test_abort_gives_back_after_the_device);
    RUN(test_small_lends_share_segments);
    RUN(test_send_more_than_the_window);
    RUN(test_full_ring);
    RUN(test_retransmission);
    RUN(test_client_that_stalls_closes_the_window);
    RUN(test_partial_taking);
    RUN(test_small_segments_are_moved_together);
    RUN(test_hoarders_are_shed);
    RUN(test_we_close);
    RUN(test_half_close);
    RUN(test_end_of_a_stalled_client);
    RUN(test_peer_resets);
    RUN(test_abort_from_inside_received);
    RUN(test_silent_peer_times_out);
    RUN(test_closing_does_not_wait_for_ever);
    RUN(test_deadlines);
    RUN(test_refused_by_the_acceptor);
    RUN(test_connections_max);
    RUN(test_all_connections);
    RUN(test_syn_flood);
    RUN(test_many_one_after_another);
    RUN(test_port_used_again_in_time_wait);
    RUN(test_out_of_order);
    RUN(test_connect);
    RUN(test_connect_refused);
    RUN(test_scopes);
    return test_end();
}
