/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip_user.h: clients of the stack that a test reads like a book, and what must be left when all of them are gone.
 *
 * Each test leaves the stack as it found it: settled() checks that no buffer, no lent byte and no connection is left.
 */
#pragma once
#include "net_lwip_world.h"

#include "lwip/stats.h"

void net_lwip_wire_netif(struct netdev *device);
status_t net_lwip_start(void);
struct tcp_listen_authority *net_lwip_grant_listen(const char *scope);
struct tcp_connect_authority *net_lwip_grant_connect(const char *scope);

/* --- a client -------------------------------------------------------------------------------------------------------
 */

struct user {
    struct stream_client client;
    struct stream *stream;
    uint8_t got[65536];
    size_t got_len, take_max, sent;
    unsigned rooms, ends, closes, calls, opens;
    status_t status;
    bool echo, close_on_end, abort_on_data;
};

static size_t user_received(struct stream_client *client, const uint8_t *data, size_t len)
{
    struct user *user = CONTAINER_OF(client, struct user, client);
    size_t take = len < user->take_max ? len : user->take_max;

    CHECK_EQ(user->closes, 0);
    user->calls++;
    REQUIRE(user->got_len + take <= sizeof user->got);
    memcpy(user->got + user->got_len, data, take);
    user->got_len += take;
    if (user->abort_on_data) {
        stream_abort(user->stream);
        CHECK_EQ(user->closes, 0); /* Not from inside. */
    }
    return take;
}
static void user_sent(struct stream_client *client, size_t len)
{
    CONTAINER_OF(client, struct user, client)->sent += len;
}
static void user_room(struct stream_client *client)
{
    CONTAINER_OF(client, struct user, client)->rooms++;
}
static void user_ended(struct stream_client *client)
{
    struct user *user = CONTAINER_OF(client, struct user, client);

    user->ends++;
    if (user->close_on_end) {
        stream_close(user->stream);
    }
}
static void user_closed(struct stream_client *client, status_t status)
{
    struct user *user = CONTAINER_OF(client, struct user, client);

    user->closes++;
    user->status = status;
}
static void user_opened(struct stream_client *client)
{
    struct user *user = CONTAINER_OF(client, struct user, client);

    CHECK(user->got_len == 0 && user->sent == 0 && user->ends == 0 && user->closes == 0);
    user->opens++;
}
static const struct stream_client_ops user_ops = {user_received, user_sent,   user_room,
                                                  user_ended,    user_closed, user_opened};

static struct user users[32];
static unsigned user_count;
static bool refuse_all;

static struct stream_client *accept_user(struct tcp_acceptor *acceptor, struct stream *stream)
{
    (void)acceptor;
    if (refuse_all) {
        return NULL;
    }
    REQUIRE(user_count < 32);
    struct user *user = &users[user_count++];
    *user = (struct user){.client = {&user_ops}, .stream = stream, .take_max = SIZE_MAX, .close_on_end = true};
    return &user->client;
}

static struct tcp_acceptor acceptor = {accept_user};
static struct tcp_listen_authority *authority;
static struct tcp_listener *listener;
static struct tcp_limits limits;
static struct tcp_peer peer;
static uint16_t next_port = 40000;

static void listen_again(struct tcp_limits with)
{
    if (listener != NULL) {
        listener->ops->close(listener);
    }
    limits = with;
    status_t listening = authority->ops->listen(authority, &limits, &acceptor, &listener);
    CHECK_EQ(listening, ST_OK);
}

static void setup(void)
{
    test_room = ROOM_LOOP;
    user_count = 0;
    refuse_all = false;
    device.hold = device.full = false;
    peer_init(&peer, next_port++);
    listen_again((struct tcp_limits){0});
}

/* Nothing is left of anybody. */
static void settled(void)
{
    device_answer();
    world_advance(40 * NS_PER_S); /* orphans */
    world_advance(70 * NS_PER_S); /* TIME_WAIT */
    segment_count = 0;
    CHECK_EQ(net_lwip_self.conn_pool.in_use, 0);
    CHECK_EQ(net_lwip_self.rx_held, 0);
    CHECK_EQ(device.out, 0);
    CHECK_EQ(net_lwip_self.tx_out[0] + net_lwip_self.tx_out[1], 0);
    CHECK_EQ(lwip_stats.memp[MEMP_TCP_PCB]->used, 0);
    CHECK_EQ(lwip_stats.memp[MEMP_TCP_SEG]->used, 0);
    CHECK_EQ(lwip_stats.memp[MEMP_PBUF]->used, 0);
    CHECK_EQ(lwip_stats.mem.used, 0);
}

static void close_both(void)
{
    peer_send(&peer, FIN | ACK, NULL, 0);
    peer_settle(&peer);
    CHECK_EQ(users[0].closes, 1);
    CHECK_EQ(users[0].status, ST_OK);
    settled();
}

static struct user *opened(void)
{
    setup();
    peer_open(&peer);
    REQUIRE(user_count == 1);
    return &users[0];
}

static void test_boot_gets_an_address(void)
{
    world_init();
    net_lwip_wire_netif(&device.netdev);
    CHECK_EQ(net_lwip_start(), ST_OK);
    authority = net_lwip_grant_listen("tcp/7");
    CHECK_EQ(device.total_sent, 0);
    CHECK_EQ(ready_holds, 1);
    listen_again((struct tcp_limits){0}); /* at BOOT */
    test_room = ROOM_LOOP;
    world_turns();
    device_answer();
    CHECK_EQ(dhcp_discovers, 1);
    CHECK_EQ(dhcp_requests, 1);
    CHECK(net_lwip_self.address_known);
    CHECK_EQ(ready_holds, 0);
    settled();
}
