/* SPDX-License-Identifier: MIT OR Apache-2.0
 * network_socket.c: one TCP connection as a capability.
 *
 *            opened()             closed()
 *   OPENING ----------> OPEN ------------------> CLOSED
 *
 *  (1) in: bytes that came and nobody has read; when it is full the stream keeps the rest, and its window closes.
 *      out: bytes that were written; of them the last `waiting` are not lent yet. A write is answered when all of it is in there.
 *  (2) Reads, writes and closes wait in the order of their calls. Calls that wait hold the object, so a dead object has none.
 *  (3) A dead object's connection is closed behind what it wrote; its slot comes back with closed(), which the stream's
 *      idle deadline brings about at the latest.
 */
#include <string.h>
#include "core/assert.h"
#include "svc_network.h"

#define RING SVC_NETWORK_BUFFER

enum socket_state { SOCKET_OPENING, SOCKET_OPEN, SOCKET_CLOSED };

struct ring {
    uint32_t first, used;
    uint8_t bytes[RING];
};

/* Keys: [L] */
struct network_socket {
    struct object object;
    struct stream_client client;
    struct stream *stream;                    /* NULL: none yet, or closed() came */
    uint8_t state;                            /* enum socket_state */
    bool dead;                                /* the object is gone (3) */
    bool ended;                               /* the peer sends no more */
    bool shut;                                /* nothing more may be written */
    bool told;                                /* the stream knows that */
    bool refused;                             /* the stream keeps bytes that found no room */
    status_t status;                          /* of closed() */
    uint32_t waiting;                         /* (1) */
    struct list opens, reads, writes, closes; /* network_wait.node */
    struct ring in, out;
};

static struct network_socket *socket_of(struct stream_client *client)
{
    return CONTAINER_OF(client, struct network_socket, client);
}

struct object *network_socket_object(struct network_socket *s)
{
    return &s->object;
}

struct stream_client *network_socket_client(struct network_socket *s)
{
    return &s->client;
}

/* --- rings ------------------------------------------------------------------------------------------------------------- */

static uint32_t ring_put(struct ring *ring, const uint8_t *bytes, size_t size)
{
    uint32_t n = size < RING - ring->used ? (uint32_t)size : RING - ring->used;
    uint32_t at = (ring->first + ring->used) % RING;
    uint32_t before_seam = n < RING - at ? n : RING - at;

    memcpy(ring->bytes + at, bytes, before_seam);
    memcpy(ring->bytes, bytes + before_seam, n - before_seam);
    ring->used += n;
    return n;
}

static void ring_get(struct ring *ring, uint8_t *bytes, uint32_t size)
{
    uint32_t before_seam = size < RING - ring->first ? size : RING - ring->first;

    memcpy(bytes, ring->bytes + ring->first, before_seam);
    memcpy(bytes + before_seam, ring->bytes, size - before_seam);
    ring->first = (ring->first + size) % RING;
    ring->used -= size;
}

/* --- out --------------------------------------------------------------------------------------------------------------- */

/* Lends what waits: two pieces at most, for a ring has one seam. Behind the last byte the stream learns the end. */
static void lend(struct network_socket *s) REQUIRES(LOOP)
{
    while (s->waiting > 0) {
        uint32_t at = (s->out.first + s->out.used - s->waiting) % RING;
        uint32_t n = s->waiting < RING - at ? s->waiting : RING - at;
        if (stream_send(s->stream, s->out.bytes + at, n) != ST_OK) {
            return; /* room() comes, or closed() */
        }
        s->waiting -= n;
    }
    if (s->shut && !s->told && list_empty(&s->writes)) {
        s->told = true;
        stream_end(s->stream);
    }
    if (s->told && (s->dead || !list_empty(&s->closes))) {
        stream_close(s->stream);
    }
}

/* Takes bytes of the writes that wait, in order; a write that is all taken is answered. */
static void write_on(struct network_socket *s) REQUIRES(LOOP)
{
    while (s->stream != NULL && s->state == SOCKET_OPEN) {
        struct network_wait *wait = network_wait_first(&s->writes);
        if (wait == NULL) {
            break;
        }
        uint32_t n = ring_put(&s->out, wait->data.bytes + wait->done, wait->data.size - wait->done);
        wait->done += n;
        s->waiting += n;
        if (wait->done < wait->data.size) {
            break;
        }
        (void)net_tcp_socket_write_results(network_wait_first(&s->writes)->call, 1);
        call_return(network_wait_take(wait));
    }
    if (s->stream != NULL && s->state == SOCKET_OPEN) {
        lend(s);
    }
}

/* --- in ---------------------------------------------------------------------------------------------------------------- */

static void read_answer(struct network_socket *s, struct call *call) REQUIRES(LOOP)
{
    uint32_t limit = net_tcp_socket_read_params_get_limit(net_tcp_socket_read_params_read(call->params));
    uint32_t most = limit != 0 && limit < NETWORK_DATA_MAX ? limit : NETWORK_DATA_MAX;
    uint32_t n = s->in.used < most ? s->in.used : most;
    struct net_tcp_socket_read_results_builder r = net_tcp_socket_read_results(call, n / 8 + 8);
    struct capnp_bytes to = net_tcp_socket_read_results_init_data(r, n);

    if (to.size == n) { /* else the results failed, and the bytes stay for another try */
        ring_get(&s->in, to.bytes, n);
    }
    net_tcp_socket_read_results_set_end(r, s->ended && !s->refused && s->in.used == 0 && n == 0);
    call_return(call);
}

static bool readable(const struct network_socket *s)
{
    return s->in.used > 0 || s->ended;
}

static void read_on(struct network_socket *s) REQUIRES(LOOP)
{
    while (readable(s) && !list_empty(&s->reads)) {
        read_answer(s, network_wait_take(network_wait_first(&s->reads)));
    }
    if (s->refused && s->in.used < RING && s->stream != NULL) {
        s->refused = false;
        stream_resume(s->stream);
    }
}

/* --- the stream's calls ------------------------------------------------------------------------------------------------ */

/* (3) of svc_network.h. False: it is dead, and stays as it is until closed(). */
static bool hold(struct network_socket *s)
{
    if (!s->dead) {
        (void)object_get(&s->object);
    }
    return !s->dead;
}

static size_t received(struct stream_client *client, const uint8_t *data, size_t len)
{
    struct network_socket *s = socket_of(client);

    room_assert_loop();
    if (!hold(s)) {
        return len; /* nobody reads it any more */
    }
    uint32_t taken = ring_put(&s->in, data, len);
    s->refused = taken < len;
    read_on(s);
    object_put(&s->object);
    return taken;
}

static void sent(struct stream_client *client, size_t len)
{
    struct network_socket *s = socket_of(client);

    room_assert_loop();
    ASSERT(len <= s->out.used - s->waiting);
    s->out.first = (s->out.first + (uint32_t)len) % RING;
    s->out.used -= (uint32_t)len;
    bool held = hold(s);
    write_on(s);
    if (held) {
        object_put(&s->object);
    }
}

static void room(struct stream_client *client)
{
    room_assert_loop();
    lend(socket_of(client));
}

static void ended(struct stream_client *client)
{
    struct network_socket *s = socket_of(client);

    room_assert_loop();
    s->ended = true;
    if (hold(s)) {
        read_on(s);
        object_put(&s->object);
    }
}

static void answer_open(struct network_socket *s) REQUIRES(LOOP)
{
    struct network_wait *wait = network_wait_first(&s->opens);

    if (wait != NULL) {
        struct call *call = network_wait_take(wait);
        net_tcp_connect_authority_connect_results_set_socket(net_tcp_connect_authority_connect_results(call, 4),
                                                             &s->object);
        call_return(call);
    }
}

static void opened(struct stream_client *client)
{
    struct network_socket *s = socket_of(client);

    room_assert_loop();
    s->state = SOCKET_OPEN;
    if (hold(s)) {
        answer_open(s);
        object_put(&s->object); /* network_socket_opens' */
        write_on(s);
        object_put(&s->object);
    }
}

static void fail_all(struct network_socket *s) REQUIRES(LOOP)
{
    const char *why = s->status == ST_TIMEOUT ? "the peer did not answer in time" : "the connection is gone";

    network_waits_fail(&s->opens, EXCEPTION_DISCONNECTED, why);
    network_waits_fail(&s->writes, EXCEPTION_DISCONNECTED, why);
    while (!list_empty(&s->closes)) {
        struct call *call = network_wait_take(network_wait_first(&s->closes));
        if (s->status == ST_OK) {
            call_return(call);
        } else {
            call_fail(call, EXCEPTION_DISCONNECTED, "%s", why);
        }
    }
    if (s->in.used == 0) {
        network_waits_fail(&s->reads, EXCEPTION_DISCONNECTED, why);
    }
}

static void closed(struct stream_client *client, status_t status)
{
    struct network_socket *s = socket_of(client);
    bool opening = s->state == SOCKET_OPENING;

    room_assert_loop();
    s->stream = NULL;
    s->status = status;
    s->state = SOCKET_CLOSED;
    s->out.used = s->waiting = 0;
    if (s->dead) {
        pool_put(&network_self.sockets, s);
        return;
    }
    (void)object_get(&s->object);
    fail_all(s);
    if (opening) {
        object_put(&s->object); /* network_socket_opens' */
    }
    object_put(&s->object);
}

static const struct stream_client_ops client_ops = {
    .received = received,
    .sent = sent,
    .room = room,
    .ended = ended,
    .opened = opened,
    .closed = closed,
};

/* --- methods ----------------------------------------------------------------------------------------------------------- */

static struct network_socket *self_of(struct object *object)
{
    return CONTAINER_OF(object, struct network_socket, object);
}

static bool gone(struct network_socket *s, struct call *call) REQUIRES(LOOP)
{
    if (s->stream != NULL) {
        return false;
    }
    call_fail(call, EXCEPTION_DISCONNECTED, "the connection is gone");
    return true;
}

static void method_read(struct object *object, struct call *call, struct net_tcp_socket_read_params_reader params)
{
    struct network_socket *s = self_of(object);

    room_assert_loop();
    if (readable(s) && list_empty(&s->reads)) {
        (void)object_get(object);
        read_answer(s, call);
        read_on(s);
        object_put(object);
    } else if (!gone(s, call)) {
        (void)network_wait_add(&s->reads, call, net_tcp_socket_read_params_get_timeout_ms(params));
    }
}

static void method_write(struct object *object, struct call *call, struct net_tcp_socket_write_params_reader params)
{
    struct network_socket *s = self_of(object);
    struct capnp_data data = net_tcp_socket_write_params_get_data(params);

    room_assert_loop();
    if (s->shut) {
        call_fail(call, EXCEPTION_FAILED, "the connection was shut down for writing");
    } else if (data.size > NETWORK_DATA_MAX) {
        call_fail(call, EXCEPTION_FAILED, "more than %u bytes in one write", NETWORK_DATA_MAX);
    } else if (!gone(s, call)) {
        (void)object_get(object);
        struct network_wait *wait =
            network_wait_add(&s->writes, call, net_tcp_socket_write_params_get_timeout_ms(params));
        if (wait != NULL) {
            wait->data = data;
            write_on(s);
        }
        object_put(object);
    }
}

static void method_shutdown(struct object *object, struct call *call,
                            struct net_tcp_socket_shutdown_params_reader params)
{
    struct network_socket *s = self_of(object);

    (void)params;
    room_assert_loop();
    s->shut = true;
    if (s->stream != NULL) {
        lend(s);
    }
    call_return(call);
}

static void method_close(struct object *object, struct call *call, struct net_tcp_socket_close_params_reader params)
{
    struct network_socket *s = self_of(object);

    (void)params;
    room_assert_loop();
    if (s->stream == NULL && s->status == ST_OK) {
        call_return(call);
    } else if (!gone(s, call)) {
        s->shut = true;
        if (network_wait_add(&s->closes, call, 0) != NULL) {
            lend(s);
        }
    }
}

static void method_info(struct object *object, struct call *call, struct net_tcp_socket_info_params_reader params)
{
    struct network_socket *s = self_of(object);

    (void)params;
    room_assert_loop();
    if (gone(s, call)) {
        return;
    }
    struct net_tcp_socket_info_results_builder r = net_tcp_socket_info_results(call, 24);
    net_tcp_socket_info_results_set_local(r, capnp_text(s->stream->local));
    net_tcp_socket_info_results_set_peer(r, capnp_text(s->stream->peer));
    call_return(call);
}

static void dispatch(struct object *object, struct call *call)
{
    static const struct net_tcp_socket_server_ops ops = {.read = method_read,
                                                         .write = method_write,
                                                         .shutdown = method_shutdown,
                                                         .close = method_close,
                                                         .info = method_info};

    room_assert_loop();
    net_tcp_socket_dispatch(&ops, object, call);
}

static void dead(struct object *object)
{
    struct network_socket *s = self_of(object);

    room_assert_loop();
    s->dead = true;
    s->shut = true;
    if (s->stream == NULL) {
        pool_put(&network_self.sockets, s);
    } else if (s->state == SOCKET_OPENING) {
        stream_abort(s->stream);
    } else {
        s->in.used = 0;
        lend(s);
        stream_resume(s->stream);
    }
}

static const struct object_ops socket_ops = {.call = dispatch, .dead = dead};

void network_sockets_init(void)
{
    pool_init(&network_self.sockets, "network sockets", sizeof(struct network_socket), SVC_NETWORK_SOCKETS);
}

/* --- making one -------------------------------------------------------------------------------------------------------- */

struct network_socket *network_socket_new(void)
{
    struct network_socket *s = pool_get(&network_self.sockets);

    if (s == NULL) {
        return NULL;
    }
    object_init(&s->object, &socket_ops);
    s->client.ops = &client_ops;
    s->state = SOCKET_OPENING;
    list_init(&s->opens);
    list_init(&s->reads);
    list_init(&s->writes);
    list_init(&s->closes);
    return s;
}

void network_socket_attach(struct network_socket *s, struct stream *stream)
{
    s->stream = stream;
    s->state = SOCKET_OPEN;
}

void network_socket_opening(struct network_socket *s, struct stream *stream)
{
    s->stream = stream;
}

/* A connect that nobody waits for any more, by its deadline or because it was cancelled, leaves the reference with the stream:
 * opened() or closed() gives it back, and with that the connection ends. */
void network_socket_opens(struct network_socket *s, struct call *call, uint32_t timeout_ms)
{
    if (network_wait_add(&s->opens, call, timeout_ms) == NULL) {
        stream_abort(s->stream);
    }
}
