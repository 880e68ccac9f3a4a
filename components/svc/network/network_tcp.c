/* SPDX-License-Identifier: MIT OR Apache-2.0
 * network_tcp.c: who may listen and connect, and listeners.
 */
#include "core/assert.h"
#include "core/fmt.h"
#include "svc_network.h"

/* Keys: [I] fixed while it lives */
struct authority {
    struct object object;
    struct tcp_limits limits;   /* [I] */
    struct inet_endpoint scope; /* [I] of one to connect */
};

struct listener {
    struct object object;
    struct tcp_acceptor acceptor;
    struct tcp_listener *listener;                    /* [L] */
    struct network_socket *came[SVC_NETWORK_BACKLOG]; /* [L] a ring of those that nobody accepted yet */
    uint32_t first, count;                            /* [L] */
    struct list accepts;                              /* [L] network_wait.node */
};

static uint64_t smaller(uint64_t outer, uint64_t wanted)
{
    return wanted != 0 && (outer == 0 || wanted < outer) ? wanted : outer;
}

struct tcp_limits network_limits(const struct tcp_limits *outer, struct net_tcp_limits_reader wanted)
{
    return (struct tcp_limits){
        .connections_max = (uint32_t)smaller(outer->connections_max, net_tcp_limits_get_connections(wanted)),
        .idle_ns = smaller(outer->idle_ns, net_tcp_limits_get_idle_ms(wanted) * NS_PER_MS),
        .total_ns = smaller(outer->total_ns, net_tcp_limits_get_total_ms(wanted) * NS_PER_MS),
    };
}

static struct authority *authority_of(struct object *object)
{
    return CONTAINER_OF(object, struct authority, object);
}

static void authority_dead(struct object *object)
{
    room_assert_loop();
    pool_put(&network_self.authorities, authority_of(object));
}

static void too_many(struct call *call, const char *what, unsigned most) REQUIRES(LOOP)
{
    call_fail(call, EXCEPTION_OVERLOADED, "%u %s are held already", most, what);
}

static struct object *authority_new(const struct object_ops *ops, struct inet_endpoint scope,
                                    const struct tcp_limits *limits) REQUIRES(LOOP)
{
    struct authority *a = pool_get(&network_self.authorities);

    if (a == NULL) {
        return NULL;
    }
    object_init(&a->object, ops);
    a->limits = *limits;
    a->scope = scope;
    return &a->object;
}

/* --- listeners --------------------------------------------------------------------------------------------------------- */

/* Hands connections to accepts, both in order. */
static void accept_on(struct listener *l) REQUIRES(LOOP)
{
    while (l->count > 0 && !list_empty(&l->accepts)) {
        struct network_socket *s = l->came[l->first];
        struct call *call = network_wait_take(network_wait_first(&l->accepts));
        l->first = (l->first + 1) % SVC_NETWORK_BACKLOG;
        l->count--;
        net_tcp_listener_accept_results_set_socket(net_tcp_listener_accept_results(call, 4), network_socket_object(s));
        call_return(call);
        object_put(network_socket_object(s));
    }
}

static struct stream_client *accept_stream(struct tcp_acceptor *acceptor, struct stream *stream)
{
    struct listener *l = CONTAINER_OF(acceptor, struct listener, acceptor);

    room_assert_loop();
    struct network_socket *s = l->count < SVC_NETWORK_BACKLOG ? network_socket_new() : NULL;
    if (s == NULL) {
        return NULL;
    }
    network_socket_attach(s, stream);
    l->came[(l->first + l->count++) % SVC_NETWORK_BACKLOG] = s;
    (void)object_get(&l->object);
    accept_on(l);
    object_put(&l->object);
    return network_socket_client(s);
}

static void listener_accept(struct object *object, struct call *call,
                            struct net_tcp_listener_accept_params_reader params)
{
    struct listener *l = CONTAINER_OF(object, struct listener, object);

    room_assert_loop();
    (void)object_get(object);
    if (network_wait_add(&l->accepts, call, net_tcp_listener_accept_params_get_timeout_ms(params)) != NULL) {
        accept_on(l);
    }
    object_put(object);
}

static void listener_dispatch(struct object *object, struct call *call)
{
    static const struct net_tcp_listener_server_ops ops = {.accept = listener_accept};

    room_assert_loop();
    net_tcp_listener_dispatch(&ops, object, call);
}

static void listener_dead(struct object *object)
{
    struct listener *l = CONTAINER_OF(object, struct listener, object);

    room_assert_loop();
    tcp_listener_close(l->listener);
    for (; l->count > 0; l->count--) {
        object_put(network_socket_object(l->came[l->first]));
        l->first = (l->first + 1) % SVC_NETWORK_BACKLOG;
    }
    pool_put(&network_self.listeners, l);
}

static void listen(struct object *object, struct call *call,
                   struct net_tcp_listen_authority_listen_params_reader params)
{
    static const struct object_ops ops = {.call = listener_dispatch, .dead = listener_dead};
    struct tcp_limits limits =
        network_limits(&authority_of(object)->limits, net_tcp_listen_authority_listen_params_get_limits(params));

    room_assert_loop();
    struct listener *l = pool_get(&network_self.listeners);
    if (l == NULL) {
        call_fail(call, EXCEPTION_FAILED, "port %u is listened on already", network_self.listen->port);
        return;
    }
    l->acceptor.accept = accept_stream;
    list_init(&l->accepts);
    status_t status = tcp_listen(network_self.listen, &limits, &l->acceptor, &l->listener);
    if (status != ST_OK) {
        pool_put(&network_self.listeners, l);
        call_fail_status(call, status, "listening");
        return;
    }
    object_init(&l->object, &ops);
    net_tcp_listen_authority_listen_results_set_listener(net_tcp_listen_authority_listen_results(call, 4), &l->object);
    call_return(call);
    object_put(&l->object);
}

/* --- authorities to listen --------------------------------------------------------------------------------------------- */

static void listen_narrow(struct object *object, struct call *call,
                          struct net_tcp_listen_authority_narrow_params_reader params)
{
    struct tcp_limits limits =
        network_limits(&authority_of(object)->limits, net_tcp_listen_authority_narrow_params_get_limits(params));

    room_assert_loop();
    struct object *narrower = network_listen_authority_new(&limits);
    if (narrower == NULL) {
        too_many(call, "authorities", SVC_NETWORK_AUTHORITIES);
        return;
    }
    net_tcp_listen_authority_narrow_results_set_authority(net_tcp_listen_authority_narrow_results(call, 4), narrower);
    call_return(call);
    object_put(narrower);
}

static void listen_authority_dispatch(struct object *object, struct call *call)
{
    static const struct net_tcp_listen_authority_server_ops ops = {.narrow = listen_narrow, .listen = listen};

    room_assert_loop();
    net_tcp_listen_authority_dispatch(&ops, object, call);
}

struct object *network_listen_authority_new(const struct tcp_limits *limits)
{
    static const struct object_ops ops = {.call = listen_authority_dispatch, .dead = authority_dead};

    return authority_new(&ops, (struct inet_endpoint){0}, limits);
}

/* --- authorities to connect -------------------------------------------------------------------------------------------- */

static void connect_narrow(struct object *object, struct call *call,
                           struct net_tcp_connect_authority_narrow_params_reader params)
{
    const struct authority *a = authority_of(object);
    struct capnp_text text = net_tcp_connect_authority_narrow_params_get_scope(params);
    struct inet_endpoint scope = a->scope;

    room_assert_loop();
    if (text.size != 0 && (!inet_scope_parse(text.text, &scope) || !inet_covers(a->scope, scope))) {
        call_fail(call, EXCEPTION_FAILED, "denied: '%.32s' lies outside of this authority's scope", text.text);
        return;
    }
    struct tcp_limits limits = network_limits(&a->limits, net_tcp_connect_authority_narrow_params_get_limits(params));
    struct object *narrower = network_connect_authority_new(scope, &limits);
    if (narrower == NULL) {
        too_many(call, "authorities", SVC_NETWORK_AUTHORITIES);
        return;
    }
    net_tcp_connect_authority_narrow_results_set_authority(net_tcp_connect_authority_narrow_results(call, 4), narrower);
    call_return(call);
    object_put(narrower);
}

/* The socket, its stream under way; a reference for the caller. NULL: the call was failed. */
static struct network_socket *begin_connect(struct call *call, const char *to, const struct tcp_limits *limits)
    REQUIRES(LOOP)
{
    struct network_socket *s = network_socket_new();
    struct stream *stream;

    if (s == NULL) {
        too_many(call, "connections", SVC_NETWORK_SOCKETS);
        return NULL;
    }
    status_t status = tcp_connect(network_self.connect, to, limits, network_socket_client(s), &stream);
    if (status != ST_OK) {
        object_put(network_socket_object(s));
        call_fail_status(call, status, to);
        return NULL;
    }
    network_socket_opening(s, stream);
    return s;
}

static void connect_to(struct object *object, struct call *call,
                       struct net_tcp_connect_authority_connect_params_reader params)
{
    const struct authority *a = authority_of(object);
    struct capnp_text to = net_tcp_connect_authority_connect_params_get_to(params);
    struct inet_endpoint endpoint;

    room_assert_loop();
    if (!inet_endpoint_parse(to.text, &endpoint)) {
        call_fail(call, EXCEPTION_FAILED, "'%.32s' is no endpoint; write ADDRESS:PORT", to.text);
        return;
    }
    if (!inet_covers(a->scope, endpoint)) {
        call_fail(call, EXCEPTION_FAILED, "denied: '%.32s' lies outside of this authority's scope", to.text);
        return;
    }
    struct tcp_limits limits = network_limits(&a->limits, net_tcp_connect_authority_connect_params_get_limits(params));
    struct network_socket *s = begin_connect(call, to.text, &limits);
    if (s != NULL) {
        network_socket_opens(s, call, net_tcp_connect_authority_connect_params_get_timeout_ms(params));
    }
}

static void connect_authority_dispatch(struct object *object, struct call *call)
{
    static const struct net_tcp_connect_authority_server_ops ops = {.narrow = connect_narrow, .connect = connect_to};

    room_assert_loop();
    net_tcp_connect_authority_dispatch(&ops, object, call);
}

struct object *network_connect_authority_new(struct inet_endpoint scope, const struct tcp_limits *limits)
{
    static const struct object_ops ops = {.call = connect_authority_dispatch, .dead = authority_dead};

    return authority_new(&ops, scope, limits);
}

void network_tcp_init(void)
{
    pool_init(&network_self.authorities, "network authorities", sizeof(struct authority), SVC_NETWORK_AUTHORITIES);
    pool_init(&network_self.listeners, "network listeners", sizeof(struct listener),
              1); /* of the one port that is granted */
}
