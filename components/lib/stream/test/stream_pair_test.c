/* SPDX-License-Identifier: MIT OR Apache-2.0
 * stream_pair_test.c: the test double keeps what stream.h promises.
 */
#include "lib/stream/test/stream_pair.h"
#include "test.h"

struct peer {
    struct stream_client client;
    uint8_t got[4096];
    size_t got_len, take_max, sent;
    unsigned rooms, ends, closes;
    status_t status;
};

static size_t peer_received(struct stream_client *client, const uint8_t *data, size_t len)
{
    struct peer *peer = CONTAINER_OF(client, struct peer, client);
    size_t take = len < peer->take_max ? len : peer->take_max;

    memcpy(peer->got + peer->got_len, data, take);
    peer->got_len += take;
    return take;
}

static void peer_sent(struct stream_client *client, size_t len)
{
    CONTAINER_OF(client, struct peer, client)->sent += len;
}

static void peer_room(struct stream_client *client)
{
    CONTAINER_OF(client, struct peer, client)->rooms++;
}

static void peer_ended(struct stream_client *client)
{
    CONTAINER_OF(client, struct peer, client)->ends++;
}

static void peer_closed(struct stream_client *client, status_t status)
{
    CONTAINER_OF(client, struct peer, client)->closes++;
    CONTAINER_OF(client, struct peer, client)->status = status;
}

static const struct stream_client_ops peer_ops = {peer_received, peer_sent, peer_room, peer_ended, peer_closed, NULL};
static struct stream_pair pair;
static struct peer a, b;

static void setup(void)
{
    test_room = ROOM_LOOP;
    a = b = (struct peer){.client = {&peer_ops}, .take_max = SIZE_MAX};
    stream_pair_init(&pair, &a.client, &b.client);
}

static void test_delivers_in_order(void)
{
    setup();
    pair.chunk = 3;
    status_t first = stream_send(&pair.a.stream, "hello ", 6);
    status_t second = stream_send(&pair.a.stream, "world", 5);
    CHECK_EQ(first, ST_OK);
    CHECK_EQ(second, ST_OK);
    CHECK_EQ(b.got_len, 0); /* (1): not from inside stream_send. */
    stream_pair_run(&pair, 100);
    CHECK_EQ(b.got_len, 11);
    CHECK_BYTES(b.got, "hello world", 11);
    CHECK_EQ(a.sent, 11);
}

static void test_back_pressure(void)
{
    setup();
    b.take_max = 2;
    CHECK_EQ(stream_send(&pair.a.stream, "abcdef", 6), ST_OK);
    stream_pair_run(&pair, 100);
    CHECK_EQ(b.got_len, 2);
    CHECK_EQ(a.sent, 2);
    stream_resume(&pair.b.stream);
    stream_pair_run(&pair, 100);
    CHECK_EQ(b.got_len, 4);
    CHECK_BYTES(b.got, "abcd", 4);
}

static void test_full_then_room(void)
{
    setup();
    pair.lends_max = 1;
    CHECK_EQ(stream_send(&pair.a.stream, "x", 1), ST_OK);
    CHECK_EQ(stream_send(&pair.a.stream, "y", 1), ST_FULL);
    stream_pair_run(&pair, 100);
    CHECK_EQ(a.rooms, 1);
    CHECK_EQ(stream_send(&pair.a.stream, "y", 1), ST_OK);
}

static void test_graceful_close_keeps_the_last_bytes(void)
{
    setup();
    CHECK_EQ(stream_send(&pair.a.stream, "bye", 3), ST_OK);
    stream_close(&pair.a.stream);
    CHECK_EQ(stream_send(&pair.a.stream, "no", 2), ST_CLOSED);
    stream_pair_run(&pair, 100);
    CHECK_EQ(b.got_len, 3);
    CHECK_EQ(b.ends, 1);
    CHECK_EQ(a.closes, 1);
    CHECK_EQ(a.status, ST_OK);
    CHECK_EQ(b.closes, 0);
    stream_close(&pair.b.stream);
    stream_pair_run(&pair, 100);
    CHECK_EQ(b.closes, 1);
    CHECK_EQ(b.status, ST_OK);
}

static void test_abort_reaches_both(void)
{
    setup();
    CHECK_EQ(stream_send(&pair.a.stream, "lost", 4), ST_OK);
    stream_abort(&pair.b.stream);
    CHECK_EQ(b.closes, 0); /* (1) */
    stream_pair_run(&pair, 100);
    CHECK_EQ(a.closes, 1);
    CHECK_EQ(a.status, ST_CLOSED);
    CHECK_EQ(b.closes, 1);
    CHECK_EQ(b.status, ST_STALE);
    CHECK_EQ(b.got_len, 0);
}

int main(void)
{
    RUN(test_delivers_in_order);
    RUN(test_back_pressure);
    RUN(test_full_then_room);
    RUN(test_graceful_close_keeps_the_last_bytes);
    RUN(test_abort_reaches_both);
    return test_end();
}
