/* SPDX-License-Identifier: MIT OR Apache-2.0
 * app_tcp_echo_test.c: the echo over a pair of streams in memory: order, back-pressure, the end.
 */
#include "../app_tcp_echo.c"
#include "lib/stream/test/stream_pair.h"
#include "test.h"

void pool_init(struct pool *pool, const char *name, size_t item_size, size_t count)
{
    *pool = (struct pool){.name = name, .item_size = (uint32_t)item_size, .count = (uint32_t)count};
}
void *pool_get(struct pool *pool)
{
    if (pool->in_use == pool->count) {
        return NULL;
    }
    pool->in_use++;
    return calloc(1, pool->item_size);
}
void pool_put(struct pool *pool, void *item)
{
    pool->in_use--;
    free(item);
}

static struct tcp_acceptor *offered;
static status_t listen_answer;

static status_t fake_listen(struct tcp_listen_authority *authority, const struct tcp_limits *limits,
                            struct tcp_acceptor *acceptor, struct tcp_listener **listener)
{
    (void)authority;
    (void)listener;
    CHECK_EQ(limits->connections_max, APP_TCP_ECHO_SESSIONS);
    offered = acceptor;
    return listen_answer;
}

struct peer {
    struct stream_client client;
    uint8_t got[200000];
    size_t got_len, take_max;
    unsigned closes;
    status_t status;
};

static size_t peer_received(struct stream_client *client, const uint8_t *data, size_t len)
{
    struct peer *peer = CONTAINER_OF(client, struct peer, client);
    size_t take = len < peer->take_max ? len : peer->take_max;

    REQUIRE(peer->got_len + take <= sizeof peer->got);
    memcpy(peer->got + peer->got_len, data, take);
    peer->got_len += take;
    return take;
}
static void peer_closed(struct stream_client *client, status_t status)
{
    CONTAINER_OF(client, struct peer, client)->closes++;
    CONTAINER_OF(client, struct peer, client)->status = status;
}
static const struct stream_client_ops peer_ops = {.received = peer_received, .closed = peer_closed};

static struct stream_pair pair;
static struct peer peer;
static uint8_t data[100000];

static void setup(void)
{
    static const struct tcp_listen_ops ops = {.listen = fake_listen};
    static struct tcp_listen_authority authority = {&ops, 7};

    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 31 + i / 256);
    }
    listen_answer = ST_OK;
    app_tcp_echo_hold_listen(&authority);
    CHECK_EQ(app_tcp_echo_start(), ST_OK);
    test_room = ROOM_LOOP;
    peer = (struct peer){.client = {&peer_ops}, .take_max = SIZE_MAX};
    stream_pair_init(&pair, &peer.client, NULL);
    pair.b.client = offered->accept(offered, &pair.b.stream);
    REQUIRE(pair.b.client != NULL);
}

static void test_echoes_in_order(void)
{
    setup();
    pair.chunk = 700;
    CHECK_EQ(stream_send(&pair.a.stream, data, sizeof data), ST_OK);
    stream_pair_run(&pair, 100000);
    CHECK_EQ(peer.got_len, sizeof data);
    CHECK_BYTES(peer.got, data, sizeof data);
    stream_close(&pair.a.stream);
    stream_pair_run(&pair, 1000);
    CHECK_EQ(peer.closes, 1);
    CHECK_EQ(self.sessions.in_use, 0);
}

static void test_reader_that_stalls(void)
{
    setup();
    peer.take_max = 0;
    CHECK_EQ(stream_send(&pair.a.stream, data, sizeof data), ST_OK);
    stream_pair_run(&pair, 100000);
    CHECK_EQ(pair.a.lent, sizeof data - BUFFER); /* It took what it can hold. */
    peer.take_max = SIZE_MAX;
    stream_resume(&pair.a.stream);
    stream_pair_run(&pair, 100000);
    CHECK_EQ(peer.got_len, sizeof data);
    CHECK_BYTES(peer.got, data, sizeof data);
    stream_abort(&pair.a.stream);
    stream_pair_run(&pair, 1000);
    CHECK_EQ(self.sessions.in_use, 0);
}

static void test_half_close_gets_the_rest(void)
{
    setup();
    pair.lends_max = 1;
    CHECK_EQ(stream_send(&pair.a.stream, data, sizeof data), ST_OK);
    stream_end(&pair.a.stream);
    stream_pair_run(&pair, 100000);
    CHECK_EQ(peer.got_len, sizeof data);
    CHECK_EQ(pair.b.status, ST_OK);
    CHECK_EQ(self.sessions.in_use, 0);
    stream_close(&pair.a.stream);
    stream_pair_run(&pair, 10);
}

static void test_refuses_when_full(void)
{
    setup();
    self.sessions.count = 1;
    struct stream other;
    CHECK(offered->accept(offered, &other) == NULL);
    stream_abort(&pair.b.stream);
    stream_pair_run(&pair, 10);
    CHECK_EQ(self.sessions.in_use, 0);
}

static void test_port_that_is_taken(void)
{
    setup();
    stream_abort(&pair.b.stream);
    stream_pair_run(&pair, 10);
    listen_answer = ST_FULL;
    CHECK_EQ(app_tcp_echo_start(), ST_FULL);
}

int main(void)
{
    RUN(test_echoes_in_order);
    RUN(test_reader_that_stalls);
    RUN(test_half_close_gets_the_rest);
    RUN(test_refuses_when_full);
    RUN(test_port_that_is_taken);
    return test_end();
}
