/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip_fuzz.c: frames from a stranger, in buffers of any size, against the whole stack with a listener and a client.
 *
 * Input: records of a kind byte, two length bytes and that many bytes. Kinds: a raw frame, a TCP segment of our peer with true
 * checksums, time that passes. The client answers, and sometimes leaves bytes. After each input nothing may be left.
 */
#include "net_lwip_world.h"

void net_lwip_wire_netif(struct netdev *device);
status_t net_lwip_start(void);
struct tcp_listen_authority *net_lwip_grant_listen(const char *scope);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct user {
    struct stream_client client;
    struct stream *stream;
    unsigned turn;
};
static unsigned alive;

static size_t received(struct stream_client *client, const uint8_t *data, size_t len)
{
    struct user *user = CONTAINER_OF(client, struct user, client);
    static uint8_t answer[64];

    (void)data;
    if (++user->turn % 3 == 0) {
        status_ignore(stream_send(user->stream, answer, sizeof answer), "full is fine");
    }
    return user->turn % 5 == 0 ? len / 2 : len;
}
static void closed(struct stream_client *client, status_t status)
{
    (void)status;
    alive--;
    free(CONTAINER_OF(client, struct user, client));
}
static const struct stream_client_ops ops = {.received = received, .closed = closed};

static struct stream_client *take(struct tcp_acceptor *acceptor, struct stream *stream)
{
    struct user *user = calloc(1, sizeof *user);

    (void)acceptor;
    alive++;
    user->client.ops = &ops;
    user->stream = stream;
    return &user->client;
}

static void begin(void)
{
    static struct tcp_acceptor acceptor = {take};
    static struct tcp_limits limits = {.idle_ns = 5 * NS_PER_S};
    static struct tcp_listener *listener;

    world_init();
    net_lwip_wire_netif(&device.netdev);
    struct tcp_listen_authority *authority = net_lwip_start() == ST_OK ? net_lwip_grant_listen("tcp/7") : NULL;
    status_ignore(authority->ops->listen(authority, &limits, &acceptor, &listener), "the first listener");
    test_room = ROOM_LOOP;
    world_turns();
    device_answer();
}

static void record(struct tcp_peer *peer, unsigned kind, const uint8_t *data, size_t len)
{
    if (kind % 4 == 0 && len > 0) {
        device_receive_pieces(data, len, 1 + kind * 6);
    } else if (kind % 4 == 1 && len > 5) {
        peer_send(peer, data[0] & 0x1f, data + 5, len - 5);
        peer->seq += (uint32_t)data[1];
    } else if (kind % 4 == 2) {
        world_advance(len * NS_PER_MS * 50);
    }
    world_turns();
    peer_listen(peer);
    segment_count = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;
    struct tcp_peer *peer = calloc(1, sizeof *peer);

    if (!begun) {
        begun = true;
        begin();
    }
    peer_init(peer, 40000);
    peer_open(peer);
    while (size > 3) {
        size_t len = ((size_t)data[1] << 8 | data[2]) % 1500;
        len = len < size - 3 ? len : size - 3;
        record(peer, data[0], data + 3, len);
        data += 3 + len;
        size -= 3 + len;
    }
    world_advance(120 * NS_PER_S); /* idle deadlines, TIME_WAIT, reassembly */
    device_answer();
    segment_count = 0;
    if (alive != 0 || device.out != 0 || net_lwip_self.conn_pool.in_use != 0) {
        abort();
    }
    free(peer);
    return 0;
}
