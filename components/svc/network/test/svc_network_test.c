/* SPDX-License-Identifier: MIT OR Apache-2.0
 * svc_network_test.c: what svc/network hands out, refuses, bounds and gives back, on streams and datagrams made of C.
 */
#include "../svc_network.c"
#include "asker.h"

/* --- a clock ----------------------------------------------------------------------------------------------------------- */

static struct timer *armed;
void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
    *timer = (struct timer){.fire = fire};
}
void timer_set(struct timer *timer, uint64_t deadline_ns)
{
    timer->deadline_ns = deadline_ns;
    armed = timer;
}
void timer_cancel(struct timer *timer)
{
    (void)timer;
    armed = NULL;
}
static void pass_ms(uint64_t ms)
{
    test_clock_ns += ms * NS_PER_MS;
    while (armed != NULL && armed->deadline_ns <= test_clock_ns) {
        struct timer *timer = armed;
        armed = NULL;
        timer->fire(timer);
    }
}

/* --- TCP --------------------------------------------------------------------------------------------------------------- */

#define LENT_MAX 100000u
#define WINDOW 1000u /* a stream takes no more once so many bytes are lent to it */

static struct wire { /* a stream and what its peer sees */
    struct stream stream;
    struct stream_client *client;
    const unsigned char *lent[LENT_MAX]; /* each byte where it lies: it is read when the peer takes it */
    size_t first, count;
    unsigned char taken[LENT_MAX];
    size_t taken_bytes;
    bool full, ended, closing, aborted;
    unsigned resumed;
} wires[4];

static struct wire *wire_of(struct stream *stream)
{
    return CONTAINER_OF(stream, struct wire, stream);
}
static status_t wire_send(struct stream *stream, const void *data, size_t len)
{
    struct wire *w = wire_of(stream);
    CHECK(!w->ended && !w->aborted);
    if (w->count >= WINDOW) {
        w->full = true;
        return ST_FULL;
    }
    for (size_t i = 0; i < len; i++) {
        w->lent[(w->first + w->count++) % LENT_MAX] = (const unsigned char *)data + i;
    }
    return ST_OK;
}
static void wire_resume(struct stream *stream)
{
    wire_of(stream)->resumed++;
}
static void wire_end(struct stream *stream)
{
    wire_of(stream)->ended = true;
}
static void wire_close(struct stream *stream)
{
    wire_of(stream)->closing = true;
}
static void wire_abort(struct stream *stream)
{
    wire_of(stream)->aborted = true;
}
static const struct stream_ops wire_ops = {
    .send = wire_send, .resume = wire_resume, .end = wire_end, .close = wire_close, .abort = wire_abort};

static struct wire *wire(unsigned i)
{
    memset(&wires[i], 0, sizeof wires[i]);
    wires[i].stream = (struct stream){.ops = &wire_ops, .peer = "192.0.2.9:5", .local = "192.0.2.1:7"};
    return &wires[i];
}
/* The peer takes `most` bytes of what was lent. */
static void wire_take(struct wire *w, size_t most)
{
    size_t n = most < w->count ? most : w->count;

    for (size_t i = 0; i < n; i++) {
        w->taken[w->taken_bytes++] = *w->lent[(w->first + i) % LENT_MAX];
    }
    w->first = (w->first + n) % LENT_MAX;
    w->count -= n;
    if (n > 0) {
        stream_client_sent(w->client, n);
    }
    if (w->full) {
        w->full = false;
        stream_client_room(w->client);
    }
}

static struct tcp_acceptor *acceptor;
static struct tcp_limits limits_seen;
static unsigned listeners_open;
static status_t fake_listen(struct tcp_listen_authority *authority, const struct tcp_limits *limits,
                            struct tcp_acceptor *a, struct tcp_listener **listener)
{
    static struct tcp_listener it;
    it.ops = authority->ops;
    *listener = &it;
    acceptor = a;
    limits_seen = *limits;
    listeners_open++;
    return ST_OK;
}
static void fake_listener_close(struct tcp_listener *listener)
{
    (void)listener;
    listeners_open--;
}
static const struct tcp_listen_ops listen_ops = {fake_listen, fake_listener_close};
static struct tcp_listen_authority listen_grant = {&listen_ops, 7};

static struct wire *next_wire; /* that a connect gets */
static char connect_seen[64];
static status_t fake_connect(struct tcp_connect_authority *authority, const char *address,
                             const struct tcp_limits *limits, struct stream_client *client, struct stream **stream)
{
    (void)authority;
    if (next_wire == NULL) {
        return ST_NOMEM;
    }
    snprintf(connect_seen, sizeof connect_seen, "%s", address);
    limits_seen = *limits;
    next_wire->client = client;
    *stream = &next_wire->stream;
    return ST_OK;
}
static const struct tcp_connect_ops connect_ops = {fake_connect};
static struct tcp_connect_authority connect_grant = {&connect_ops, {0xC0000200 + 9, 0}}; /* 192.0.2.9:* */

/* --- UDP --------------------------------------------------------------------------------------------------------------- */

static struct udp_client *udp_client;
static struct udp_datagram queue[4];
static unsigned queued, sockets_open;
static struct inet_endpoint sent_to;
static status_t no_socket; /* why none is opened */
static status_t fake_open(struct udp_authority *authority, struct udp_client *client, struct udp_socket **socket)
{
    static struct udp_socket it;
    if (no_socket != ST_OK) {
        return no_socket;
    }
    it.ops = authority->ops;
    *socket = &it;
    udp_client = client;
    sockets_open++;
    return ST_OK;
}
static status_t fake_send(struct udp_socket *socket, struct inet_endpoint to, const void *data, size_t len)
{
    (void)socket, (void)data;
    sent_to = to;
    return len > 1472 ? ST_RANGE : ST_OK;
}
static status_t fake_next(struct udp_socket *socket, struct udp_datagram *datagram)
{
    (void)socket;
    if (queued == 0) {
        return ST_AGAIN;
    }
    *datagram = queue[0];
    return ST_OK;
}
static void fake_drop(struct udp_socket *socket)
{
    (void)socket;
    memmove(&queue[0], &queue[1], --queued * sizeof queue[0]);
}
static void fake_counters(const struct udp_socket *socket, struct udp_counters *counters)
{
    (void)socket;
    *counters = (struct udp_counters){3, 2, 1};
}
static void fake_udp_close(struct udp_socket *socket)
{
    (void)socket;
    sockets_open--;
}
static const struct udp_ops udp_ops = {fake_open, fake_send, fake_next, fake_drop, fake_counters, fake_udp_close};
static struct udp_authority udp_grant = {&udp_ops, 9, {0, 53}}; /* port 53 of anybody */

static void fake_report(struct net_info *info, struct net_report *report)
{
    (void)info;
    *report = (struct net_report){.name = "virtio-net", .mtu = 1500, .address = 0x0A000002, .lease = NET_LEASE_BOUND};
}
static struct net_info info = {fake_report};

/* --- asking ------------------------------------------------------------------------------------------------------------ */

static struct asker ask, other, third;
static struct object *manager;

static const char *failure(struct asker *a)
{
    CHECK_EQ(a->returned, 0);
    CHECK_EQ(a->failed, 1);
    return a->reason;
}

/* The only capability of an answer, with a reference. NULL: there is none. */
static struct object *answered(struct asker *a)
{
    CHECK_EQ(a->returned, 1);
    CHECK_EQ(a->results.cap_count, 1);
    return a->returned == 1 && a->results.cap_count == 1 ? object_get(a->results.caps[0]) : NULL;
}

static void ask_listen_authority(uint16_t port)
{
    net_network_manager_listen_authority_params_set_port(
        net_network_manager_listen_authority_begin(&ask.call, manager, asker_params(&ask), &asker_source), port);
    object_call(manager, &ask.call);
}

static void ask_connect_authority(const char *scope)
{
    net_network_manager_connect_authority_params_set_scope(
        net_network_manager_connect_authority_begin(&ask.call, manager, asker_params(&ask), &asker_source),
        capnp_text(scope));
    object_call(manager, &ask.call);
}

static void ask_connect(struct asker *a, struct object *authority, const char *to, uint32_t timeout_ms)
{
    struct net_tcp_connect_authority_connect_params_builder p =
        net_tcp_connect_authority_connect_begin(&a->call, authority, asker_params(a), &asker_source);
    net_tcp_connect_authority_connect_params_set_to(p, capnp_text(to));
    net_tcp_connect_authority_connect_params_set_timeout_ms(p, timeout_ms);
    object_call(authority, &a->call);
}

static void ask_read(struct asker *a, struct object *socket, uint32_t limit, uint32_t timeout_ms)
{
    struct net_tcp_socket_read_params_builder p =
        net_tcp_socket_read_begin(&a->call, socket, asker_params(a), &asker_source);
    net_tcp_socket_read_params_set_limit(p, limit);
    net_tcp_socket_read_params_set_timeout_ms(p, timeout_ms);
    object_call(socket, &a->call);
}

static void ask_write(struct asker *a, struct object *socket, const void *bytes, uint32_t size, uint32_t timeout_ms)
{
    struct net_tcp_socket_write_params_builder p =
        net_tcp_socket_write_begin(&a->call, socket, asker_params(a), &asker_source);
    net_tcp_socket_write_params_set_data(p, capnp_data(bytes, size));
    net_tcp_socket_write_params_set_timeout_ms(p, timeout_ms);
    a->params.read_limit_words = CAPNP_READ_LIMIT(a->params_segment.used); /* what it has when it came by rpc/vat */
    object_call(socket, &a->call);
}

static void ask_accept(struct asker *a, struct object *listener, uint32_t timeout_ms)
{
    net_tcp_listener_accept_params_set_timeout_ms(
        net_tcp_listener_accept_begin(&a->call, listener, asker_params(a), &asker_source), timeout_ms);
    object_call(listener, &a->call);
}

static bool data_is(struct asker *a, const char *text)
{
    struct capnp_data data = net_tcp_socket_read_results_get_data(net_tcp_socket_read_answer(&a->call));
    return a->returned == 1 && data.size == strlen(text) && memcmp(data.bytes, text, data.size) == 0;
}

/* Everything came back: no test leaves anything. */
static void nothing_is_held(void)
{
    asker_forget(&ask);
    asker_forget(&other);
    asker_forget(&third);
    CHECK_EQ(network_self.sockets.in_use, 0);
    CHECK_EQ(network_self.authorities.in_use, 0);
    CHECK_EQ(network_self.listeners.in_use, 0);
    CHECK_EQ(network_self.datagrams.in_use, 0);
    CHECK_EQ(network_self.waits.in_use, 0);
    CHECK_EQ(listeners_open, 0);
    CHECK_EQ(sockets_open, 0);
}

static struct object *connect_authority(const char *scope)
{
    ask_connect_authority(scope);
    return answered(&ask);
}

/* An open connection on wires[0]. */
static struct object *open_socket(void)
{
    struct object *authority = connect_authority("192.0.2.9:*");
    next_wire = wire(0);
    ask_connect(&ask, authority, "192.0.2.9:80", 0);
    CHECK(ask.call.out);
    stream_client_opened(wires[0].client);
    struct object *socket = answered(&ask);
    asker_forget(&ask);
    object_put(authority);
    return socket;
}

/* The object goes, and with it the connection. */
static void drop_socket(struct object *socket)
{
    asker_forget(&ask);
    object_put(socket);
    wire_take(&wires[0], LENT_MAX);
    CHECK(wires[0].closing);
    stream_client_closed(wires[0].client, ST_OK);
}

/* --- tests: what is granted -------------------------------------------------------------------------------------------- */

static void test_only_what_the_profile_grants(void)
{
    ask_listen_authority(8);
    CHECK_STR(failure(&ask), "denied: the profile does not grant svc/network.listen tcp/8");
    ask_connect_authority("192.0.2.8:80");
    CHECK_STR(failure(&ask), "denied: the profile does not grant svc/network.connect tcp/192.0.2.8:80");
    ask_connect_authority("*:*");
    CHECK_STR(failure(&ask), "denied: the profile does not grant svc/network.connect tcp/*:*");
    ask_connect_authority("nonsense");
    CHECK_STR(failure(&ask), "'nonsense' is no scope; write ADDRESS:PORT, with * for either part");
    network_self.listen = NULL;
    ask_listen_authority(7);
    CHECK_STR(failure(&ask), "denied: the profile does not grant svc/network.listen tcp/7");
    network_self.listen = &listen_grant;
    nothing_is_held();
}

static void test_info_and_usage(void)
{
    net_network_manager_info_begin(&ask.call, manager, asker_params(&ask), &asker_source);
    object_call(manager, &ask.call);
    struct net_interface_info_reader i =
        net_network_manager_info_results_get_interface(net_network_manager_info_answer(&ask.call));
    CHECK(capnp_text_equal(net_interface_info_get_address(i), capnp_text("10.0.0.2")));
    CHECK_EQ(net_interface_info_get_lease(i), NET_LEASE_STATE_BOUND);
    struct object *authority = connect_authority("192.0.2.9:*");
    net_network_manager_usage_begin(&ask.call, manager, asker_params(&ask), &asker_source);
    object_call(manager, &ask.call);
    CHECK_EQ(net_network_manager_usage_results_get_authorities(net_network_manager_usage_answer(&ask.call)), 1);
    object_put(authority);
    nothing_is_held();
}

static void test_what_is_derived_never_allows_more(void)
{
    struct object *wide = connect_authority("192.0.2.9:*");
    struct net_tcp_connect_authority_narrow_params_builder p =
        net_tcp_connect_authority_narrow_begin(&ask.call, wide, asker_params(&ask), &asker_source);
    net_tcp_connect_authority_narrow_params_set_scope(p, capnp_text("192.0.2.9:80"));
    net_tcp_limits_set_idle_ms(net_tcp_connect_authority_narrow_params_init_limits(p), 5000);
    object_call(wide, &ask.call);
    struct object *narrow = answered(&ask);

    ask_connect(&ask, narrow, "192.0.2.9:81", 0);
    CHECK_STR(failure(&ask), "denied: '192.0.2.9:81' lies outside of this authority's scope");
    p = net_tcp_connect_authority_narrow_begin(&ask.call, narrow, asker_params(&ask), &asker_source);
    net_tcp_connect_authority_narrow_params_set_scope(p, capnp_text("192.0.2.9:*"));
    object_call(narrow, &ask.call);
    CHECK_STR(failure(&ask), "denied: '192.0.2.9:*' lies outside of this authority's scope");

    /* A longer idle limit is not taken, a shorter total is. */
    next_wire = wire(0);
    struct net_tcp_connect_authority_connect_params_builder c =
        net_tcp_connect_authority_connect_begin(&other.call, narrow, asker_params(&other), &asker_source);
    net_tcp_connect_authority_connect_params_set_to(c, capnp_text("192.0.2.9:80"));
    struct net_tcp_limits_builder limits = net_tcp_connect_authority_connect_params_init_limits(c);
    net_tcp_limits_set_idle_ms(limits, 900000);
    net_tcp_limits_set_total_ms(limits, 7000);
    object_call(narrow, &other.call);
    CHECK_EQ(limits_seen.idle_ns, 5000 * NS_PER_MS);
    CHECK_EQ(limits_seen.total_ns, 7000 * NS_PER_MS);
    CHECK_STR(connect_seen, "192.0.2.9:80");
    call_cancel(&other.call);
    CHECK_EQ(other.failed, 1);
    stream_client_closed(wires[0].client, ST_CLOSED);
    asker_forget(&ask);
    object_put(wide);
    object_put(narrow);
    nothing_is_held();
}

static void test_authorities_are_bounded(void)
{
    struct object *held[SVC_NETWORK_AUTHORITIES];

    for (unsigned i = 0; i < SVC_NETWORK_AUTHORITIES; i++) {
        held[i] = connect_authority("192.0.2.9:*");
    }
    ask_connect_authority("192.0.2.9:*");
    CHECK_EQ(ask.type, EXCEPTION_OVERLOADED);
    CHECK_STR(failure(&ask), "32 authorities are held already");
    net_tcp_connect_authority_narrow_begin(&ask.call, held[0], asker_params(&ask), &asker_source);
    object_call(held[0], &ask.call);
    CHECK_STR(failure(&ask), "32 authorities are held already");
    asker_forget(&ask);
    for (unsigned i = 0; i < SVC_NETWORK_AUTHORITIES; i++) {
        object_put(held[i]);
    }
    nothing_is_held();
}

/* --- tests: connecting ------------------------------------------------------------------------------------------------- */

static void test_connect_that_fails(void)
{
    struct object *authority = connect_authority("192.0.2.9:*");

    next_wire = NULL;
    ask_connect(&ask, authority, "192.0.2.9:80", 0);
    CHECK_EQ(ask.type, EXCEPTION_OVERLOADED);
    CHECK_STR(failure(&ask), "out of memory: 192.0.2.9:80");
    ask_connect(&ask, authority, "192.0.2.9", 0);
    CHECK_STR(failure(&ask), "'192.0.2.9' is no endpoint; write ADDRESS:PORT");
    next_wire = wire(0);
    ask_connect(&ask, authority, "192.0.2.9:80", 0);
    stream_client_closed(wires[0].client, ST_CLOSED);
    CHECK_EQ(ask.type, EXCEPTION_DISCONNECTED);
    CHECK_STR(failure(&ask), "the connection is gone");
    asker_forget(&ask);
    object_put(authority);
    nothing_is_held();
}

static void test_connections_are_bounded(void)
{
    struct object *socket = open_socket();
    struct object *authority = connect_authority("192.0.2.9:*");
    void *held[SVC_NETWORK_SOCKETS - 1];

    for (unsigned i = 0; i < SVC_NETWORK_SOCKETS - 1; i++) {
        held[i] = network_socket_new();
        CHECK(held[i] != NULL);
    }
    ask_connect(&ask, authority, "192.0.2.9:80", 0);
    CHECK_EQ(ask.type, EXCEPTION_OVERLOADED);
    CHECK_STR(failure(&ask), "16 connections are held already");
    for (unsigned i = 0; i < SVC_NETWORK_SOCKETS - 1; i++) {
        object_put(network_socket_object(held[i]));
    }
    object_put(authority);
    drop_socket(socket);
    nothing_is_held();
}

static void test_connect_whose_time_is_up(void)
{
    struct object *authority = connect_authority("192.0.2.9:*");

    next_wire = wire(0);
    ask_connect(&ask, authority, "192.0.2.9:80", 100);
    pass_ms(99);
    CHECK(ask.call.out);
    pass_ms(1);
    CHECK_STR(failure(&ask), "timed out");
    /* The peer answers after all: nobody wants it. */
    stream_client_opened(wires[0].client);
    CHECK(wires[0].closing);
    stream_client_closed(wires[0].client, ST_OK);
    asker_forget(&ask);
    object_put(authority);
    nothing_is_held();
}

/* --- tests: bytes ------------------------------------------------------------------------------------------------------ */

static void test_reads(void)
{
    struct object *socket = open_socket();
    struct stream_client *client = wires[0].client;

    CHECK_EQ(stream_client_received(client, (const uint8_t *)"abcdef", 6), 6);
    ask_read(&ask, socket, 4, 0);
    CHECK(data_is(&ask, "abcd"));
    ask_read(&ask, socket, 0, 0);
    CHECK(data_is(&ask, "ef"));
    /* Two wait: the first that asked gets it. */
    ask_read(&ask, socket, 0, 0);
    ask_read(&other, socket, 0, 0);
    CHECK_EQ(stream_client_received(client, (const uint8_t *)"x", 1), 1);
    CHECK(data_is(&ask, "x"));
    CHECK(other.call.out);
    pass_ms(1000000);
    CHECK(other.call.out);
    ask_read(&ask, socket, 0, 50);
    pass_ms(50);
    CHECK_STR(failure(&ask), "timed out");
    CHECK_EQ(ask.type, EXCEPTION_OVERLOADED);
    CHECK_EQ(stream_client_received(client, (const uint8_t *)"yz", 2), 2);
    CHECK(data_is(&other, "yz") && !net_tcp_socket_read_results_get_end(net_tcp_socket_read_answer(&other.call)));
    CHECK_EQ(stream_client_received(client, (const uint8_t *)"end", 3), 3);
    CHECK(stream_client_ended(client));
    ask_read(&other, socket, 0, 0);
    CHECK(data_is(&other, "end") && !net_tcp_socket_read_results_get_end(net_tcp_socket_read_answer(&other.call)));
    ask_read(&other, socket, 0, 0);
    CHECK(data_is(&other, ""));
    CHECK(net_tcp_socket_read_results_get_end(net_tcp_socket_read_answer(&other.call)));
    asker_forget(&other);
    drop_socket(socket);
    nothing_is_held();
}

static void test_the_window_closes_when_nobody_reads(void)
{
    static uint8_t much[SVC_NETWORK_BUFFER + 100];
    struct object *socket = open_socket();

    for (unsigned i = 0; i < sizeof much; i++) {
        much[i] = (uint8_t)(i * 7);
    }
    CHECK_EQ(stream_client_received(wires[0].client, much, sizeof much), SVC_NETWORK_BUFFER);
    CHECK_EQ(wires[0].resumed, 0);
    ask_read(&ask, socket, 150, 0);
    CHECK_EQ(wires[0].resumed, 1);
    CHECK_EQ(stream_client_received(wires[0].client, much + SVC_NETWORK_BUFFER, 100), 100);
    ask_read(&ask, socket, 0, 0);
    struct capnp_data data = net_tcp_socket_read_results_get_data(net_tcp_socket_read_answer(&ask.call));
    CHECK_EQ(data.size, sizeof much - 150);
    CHECK(memcmp(data.bytes, much + 150, sizeof much - 150) == 0); /* over the ring's seam */
    drop_socket(socket);
    nothing_is_held();
}

/* In pieces of WINDOW / 2 at most, so that everything crosses the seam somewhere. */
static void test_writes(void)
{
    static uint8_t much[3 * SVC_NETWORK_BUFFER];
    struct object *socket = open_socket();
    struct wire *w = &wires[0];

    for (unsigned i = 0; i < sizeof much; i++) {
        much[i] = (uint8_t)(i % 251);
    }
    for (unsigned at = 0; at < sizeof much; at += 300) {
        unsigned n = at + 300 < sizeof much ? 300 : (unsigned)sizeof much - at;
        ask_write(&ask, socket, much + at, n, 0);
        CHECK_EQ(ask.returned, 1);
        ask_write(&ask, socket, much, 0, 0);
        CHECK_EQ(ask.returned, 1);
        wire_take(w, 301);
    }
    wire_take(w, LENT_MAX);
    CHECK_EQ(w->taken_bytes, sizeof much);
    CHECK(memcmp(w->taken, much, sizeof much) == 0);
    drop_socket(socket);
    nothing_is_held();
}

static void test_writes_wait_for_room_in_order(void)
{
    static uint8_t much[SVC_NETWORK_BUFFER + 1];
    struct object *socket = open_socket();
    struct wire *w = &wires[0];

    for (unsigned i = 0; i < sizeof much; i++) {
        much[i] = (uint8_t)(i % 251);
    }
    ask_write(&ask, socket, much, sizeof much, 0);
    ask_write(&other, socket, "yz", 2, 0);
    CHECK(ask.call.out && other.call.out); /* one byte does not fit, and what comes after it stays behind it */
    for (unsigned i = 0; w->count > 0 && i < 1000; i++) {
        wire_take(w, 7 + 100 * i);
    }
    CHECK_EQ(ask.returned, 1);
    CHECK_EQ(other.returned, 1);
    CHECK_EQ(w->taken_bytes, sizeof much + 2);
    CHECK(memcmp(w->taken, much, sizeof much) == 0 && memcmp(w->taken + sizeof much, "yz", 2) == 0);
    asker_forget(&other);
    drop_socket(socket);
    nothing_is_held();
}

/* Each look at the params costs of their budget: a peer that takes little at a time must not make it run out. */
static void test_a_write_taken_in_small_steps(void)
{
    static uint8_t much[NETWORK_DATA_MAX];
    struct object *socket = open_socket();
    struct wire *w = &wires[0];

    for (unsigned i = 0; i < sizeof much; i++) {
        much[i] = (uint8_t)(i % 251);
    }
    ask_write(&ask, socket, much, sizeof much, 0);
    for (unsigned i = 0; ask.call.out && i < sizeof much; i++) {
        wire_take(w, 100);
    }
    CHECK_EQ(ask.returned, 1);
    while (w->count > 0) {
        wire_take(w, LENT_MAX);
    }
    CHECK_EQ(w->taken_bytes, sizeof much);
    CHECK(memcmp(w->taken, much, sizeof much) == 0);
    drop_socket(socket);
    nothing_is_held();
}

static void test_write_that_is_too_large(void)
{
    struct object *socket = open_socket();
    static uint8_t much[NETWORK_DATA_MAX + 1];

    ask_write(&ask, socket, much, sizeof much, 0);
    CHECK_STR(failure(&ask), "more than 65536 bytes in one write");
    CHECK_EQ(wires[0].count, 0);
    drop_socket(socket);
    nothing_is_held();
}

static void test_shutdown_and_close(void)
{
    struct object *socket = open_socket();
    static uint8_t much[2 * SVC_NETWORK_BUFFER];

    ask_write(&ask, socket, much, sizeof much, 0);
    net_tcp_socket_shutdown_begin(&other.call, socket, asker_params(&other), &asker_source);
    object_call(socket, &other.call);
    CHECK_EQ(other.returned, 1);
    CHECK(!wires[0].ended); /* a write is still under way */
    ask_write(&other, socket, "z", 1, 0);
    CHECK_STR(failure(&other), "the connection was shut down for writing");
    net_tcp_socket_close_begin(&other.call, socket, asker_params(&other), &asker_source);
    object_call(socket, &other.call);
    CHECK(other.call.out);
    for (unsigned i = 0; !wires[0].closing && i < 1000; i++) {
        wire_take(&wires[0], LENT_MAX);
    }
    CHECK_EQ(ask.returned, 1);
    CHECK(wires[0].ended && other.call.out);
    stream_client_closed(wires[0].client, ST_OK);
    CHECK_EQ(other.returned, 1);
    asker_forget(&other);
    ask_write(&ask, socket, "z", 1, 0);
    CHECK_STR(failure(&ask), "the connection was shut down for writing");
    asker_forget(&ask);
    object_put(socket);
    nothing_is_held();
}

static void test_a_connection_that_breaks(void)
{
    struct object *socket = open_socket();
    static uint8_t much[2 * SVC_NETWORK_BUFFER];

    ask_write(&other, socket, much, sizeof much, 0);
    ask_read(&third, socket, 0, 0);
    CHECK_EQ(stream_client_received(wires[0].client, (const uint8_t *)"last", 4), 4);
    CHECK(data_is(&third, "last"));
    ask_read(&third, socket, 0, 0);
    stream_client_closed(wires[0].client, ST_TIMEOUT);
    CHECK_STR(failure(&other), "the peer did not answer in time");
    CHECK_STR(failure(&third), "the peer did not answer in time");
    CHECK_EQ(third.type, EXCEPTION_DISCONNECTED);
    ask_read(&ask, socket, 0, 0);
    CHECK_STR(failure(&ask), "the connection is gone");
    net_tcp_socket_close_begin(&ask.call, socket, asker_params(&ask), &asker_source);
    object_call(socket, &ask.call);
    CHECK_STR(failure(&ask), "the connection is gone");
    asker_forget(&ask);
    asker_forget(&other);
    asker_forget(&third);
    object_put(socket);
    nothing_is_held();
}

static void test_a_dropped_socket_sends_what_was_written(void)
{
    struct object *socket = open_socket();

    ask_write(&ask, socket, "bye", 3, 0);
    CHECK_EQ(ask.returned, 1);
    asker_forget(&ask);
    object_put(socket);
    CHECK_EQ(network_self.sockets.in_use, 1); /* its memory is lent */
    CHECK(wires[0].ended && wires[0].closing);
    CHECK_EQ(stream_client_received(wires[0].client, (const uint8_t *)"x", 1), 1); /* dropped */
    wire_take(&wires[0], LENT_MAX);
    stream_client_closed(wires[0].client, ST_OK);
    nothing_is_held();
}

/* --- tests: listening -------------------------------------------------------------------------------------------------- */

static struct object *open_listener(void)
{
    ask_listen_authority(7);
    struct object *authority = answered(&ask);
    net_tcp_listen_authority_listen_begin(&ask.call, authority, asker_params(&ask), &asker_source);
    object_call(authority, &ask.call);
    struct object *listener = answered(&ask);
    CHECK_EQ(limits_seen.idle_ns, SVC_NETWORK_IDLE_SECONDS * NS_PER_S);
    net_tcp_listen_authority_listen_begin(&ask.call, authority, asker_params(&ask), &asker_source);
    object_call(authority, &ask.call);
    CHECK_STR(failure(&ask), "port 7 is listened on already");
    object_put(authority);
    return listener;
}

static void come(unsigned i)
{
    struct wire *w = wire(i);
    w->client = acceptor->accept(acceptor, &w->stream);
}

static void test_accepts_in_order(void)
{
    struct object *listener = open_listener();

    ask_accept(&ask, listener, 0);
    ask_accept(&other, listener, 10);
    come(0);
    CHECK_EQ(ask.returned, 1);
    pass_ms(10);
    CHECK_STR(failure(&other), "timed out");
    come(1);
    ask_accept(&other, listener, 10);
    CHECK_EQ(other.returned, 1);
    CHECK(ask.results.caps[0] != other.results.caps[0]);
    asker_forget(&ask);
    asker_forget(&other);
    CHECK(wires[0].closing && wires[1].closing);
    stream_client_closed(wires[0].client, ST_OK);
    stream_client_closed(wires[1].client, ST_OK);
    object_put(listener);
    nothing_is_held();
}

static void test_the_backlog_is_bounded_and_dropped(void)
{
    struct object *listener = open_listener();

    for (unsigned i = 0; i < SVC_NETWORK_BACKLOG; i++) {
        come(i);
        CHECK(wires[i].client != NULL);
    }
    static struct wire more;
    CHECK(acceptor->accept(acceptor, &more.stream) == NULL);
    asker_forget(&ask);
    object_put(listener);
    CHECK_EQ(listeners_open, 0);
    for (unsigned i = 0; i < SVC_NETWORK_BACKLOG; i++) {
        CHECK(wires[i].closing);
        stream_client_closed(wires[i].client, ST_OK);
    }
    nothing_is_held();
}

/* --- tests: waiting ---------------------------------------------------------------------------------------------------- */

static void test_waiting_calls_are_bounded(void)
{
    static struct asker many[SVC_NETWORK_WAITING];
    struct object *socket = open_socket();

    for (unsigned i = 0; i < SVC_NETWORK_WAITING; i++) {
        ask_read(&many[i], socket, 0, 0);
        CHECK(many[i].call.out);
    }
    ask_read(&ask, socket, 0, 0);
    CHECK_EQ(ask.type, EXCEPTION_OVERLOADED);
    CHECK_STR(failure(&ask), "64 calls wait already; svc/network.waiting bounds them");
    for (unsigned i = 0; i < SVC_NETWORK_WAITING; i++) {
        call_cancel(&many[i].call);
        CHECK_EQ(many[i].failed, 1);
        asker_forget(&many[i]);
    }
    CHECK_EQ(network_self.waits.in_use, 0);
    drop_socket(socket);
    nothing_is_held();
}

static void test_each_deadline_is_kept(void)
{
    struct object *socket = open_socket();

    ask_read(&ask, socket, 0, 30);
    ask_read(&other, socket, 0, 10);
    ask_read(&third, socket, 0, 20);
    call_cancel(&other.call); /* the earliest: those after it are not forgotten */
    pass_ms(10);
    CHECK(ask.call.out && third.call.out);
    pass_ms(10);
    CHECK(ask.call.out && !third.call.out);
    pass_ms(10);
    CHECK(!ask.call.out);
    asker_forget(&other);
    asker_forget(&third);
    drop_socket(socket);
    nothing_is_held();
}

/* --- tests: datagrams -------------------------------------------------------------------------------------------------- */

static void ask_bind(uint16_t port, const char *peer)
{
    struct net_network_manager_bind_udp_params_builder p =
        net_network_manager_bind_udp_begin(&ask.call, manager, asker_params(&ask), &asker_source);
    net_network_manager_bind_udp_params_set_port(p, port);
    net_network_manager_bind_udp_params_set_peer(p, capnp_text(peer));
    object_call(manager, &ask.call);
}

static void test_datagrams(void)
{
    ask_bind(8, "");
    CHECK_STR(failure(&ask), "denied: the profile does not grant svc/network.udp udp/8");
    ask_bind(9, "192.0.2.9:54");
    CHECK_STR(failure(&ask), "denied: '192.0.2.9:54' lies outside of what the profile grants");
    ask_bind(9, "192.0.2.9:53");
    struct object *socket = answered(&ask);
    ask_bind(9, "");
    CHECK_STR(failure(&ask), "port 9 has its socket already");

    net_udp_socket_receive_begin(&other.call, socket, asker_params(&other), &asker_source);
    object_call(socket, &other.call);
    CHECK(other.call.out);
    queue[0] = (struct udp_datagram){{0xC0000208, 53}, (const uint8_t *)"no", 2}; /* of another peer */
    queue[1] = (struct udp_datagram){{0xC0000209, 53}, (const uint8_t *)"yes", 3};
    queued = 2;
    udp_client->arrived(udp_client);
    CHECK_EQ(other.returned, 1);
    CHECK_EQ(queued, 0);
    struct net_udp_socket_receive_results_reader r = net_udp_socket_receive_answer(&other.call);
    CHECK(capnp_text_equal(net_udp_socket_receive_results_get_from(r), capnp_text("192.0.2.9:53")));
    CHECK_EQ(net_udp_socket_receive_results_get_data(r).size, 3);
    asker_forget(&ask);
    asker_forget(&other);
    object_put(socket);
    nothing_is_held();
}

static void ask_send(struct object *socket, const char *to, uint32_t size)
{
    static const uint8_t bytes[2000];
    struct net_udp_socket_send_params_builder p =
        net_udp_socket_send_begin(&ask.call, socket, asker_params(&ask), &asker_source);
    net_udp_socket_send_params_set_to(p, capnp_text(to));
    net_udp_socket_send_params_set_data(p, capnp_data(bytes, size));
    object_call(socket, &ask.call);
}

static void test_sending_datagrams(void)
{
    ask_bind(9, "192.0.2.9:53");
    struct object *socket = answered(&ask);

    ask_send(socket, "192.0.2.8:53", 1);
    CHECK_STR(failure(&ask), "denied: '192.0.2.8:53' lies outside of this socket's scope");
    ask_send(socket, "x", 1);
    CHECK_STR(failure(&ask), "'x' is no endpoint; write ADDRESS:PORT");
    CHECK_EQ(sent_to.address, 0);
    ask_send(socket, "192.0.2.9:53", 1);
    CHECK_EQ(ask.returned, 1);
    CHECK_EQ(sent_to.address, 0xC0000209);
    ask_send(socket, "192.0.2.9:53", 2000);
    CHECK_STR(failure(&ask), "out of range: sending a datagram");
    asker_forget(&ask);
    object_put(socket);
    nothing_is_held();
}

static void test_a_socket_tells_of_itself(void)
{
    no_socket = ST_FULL;
    ask_bind(9, "");
    CHECK_STR(failure(&ask), "full: binding the port");
    no_socket = ST_OK;
    ask_bind(9, ""); /* what failed holds no place */
    struct object *socket = answered(&ask);

    net_udp_socket_info_begin(&ask.call, socket, asker_params(&ask), &asker_source);
    object_call(socket, &ask.call);
    CHECK_EQ(ask.returned, 1);
    struct net_udp_socket_info_results_reader r = net_udp_socket_info_answer(&ask.call);
    CHECK_EQ(net_udp_socket_info_results_get_port(r), 9);
    CHECK_EQ(net_udp_socket_info_results_get_received(r), 3);
    CHECK_EQ(net_udp_socket_info_results_get_sent(r), 2);
    CHECK_EQ(net_udp_socket_info_results_get_dropped(r), 1);
    asker_forget(&ask);
    object_put(socket);
    nothing_is_held();
}

int main(void)
{
    manager = svc_network_provide_network();
    svc_network_wire_info(&info);
    svc_network_hold_listen(&listen_grant);
    svc_network_hold_connect(&connect_grant);
    svc_network_hold_udp(&udp_grant);
    CHECK_EQ(svc_network_start(), ST_OK);
    RUN(test_only_what_the_profile_grants);
    RUN(test_info_and_usage);
    RUN(test_what_is_derived_never_allows_more);
    RUN(test_authorities_are_bounded);
    RUN(test_connect_that_fails);
    RUN(test_connections_are_bounded);
    RUN(test_connect_whose_time_is_up);
    RUN(test_reads);
    RUN(test_the_window_closes_when_nobody_reads);
    RUN(test_writes);
    RUN(test_writes_wait_for_room_in_order);
    RUN(test_a_write_taken_in_small_steps);
    RUN(test_write_that_is_too_large);
    RUN(test_shutdown_and_close);
    RUN(test_a_connection_that_breaks);
    RUN(test_a_dropped_socket_sends_what_was_written);
    RUN(test_accepts_in_order);
    RUN(test_the_backlog_is_bounded_and_dropped);
    RUN(test_waiting_calls_are_bounded);
    RUN(test_each_deadline_is_kept);
    RUN(test_datagrams);
    RUN(test_a_socket_tells_of_itself);
    RUN(test_sending_datagrams);
    return test_end();
}
