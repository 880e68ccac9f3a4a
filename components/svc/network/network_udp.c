/* SPDX-License-Identifier: MIT OR Apache-2.0
 * network_udp.c: the one datagram socket that the profile's grant allows.
 */
#include <string.h>
#include "core/assert.h"
#include "svc_network.h"

/* Keys: [L] */
struct datagrams {
    struct object object;
    struct udp_client client;
    struct udp_socket *socket;
    struct inet_endpoint peer; /* [I] a scope: with whom */
    struct list receives;      /* network_wait.node */
};

static struct datagrams *datagrams_of(struct object *object)
{
    return CONTAINER_OF(object, struct datagrams, object);
}

/* The oldest datagram from somebody within the scope; others are dropped. */
static bool next(struct datagrams *d, struct udp_datagram *datagram) REQUIRES(LOOP)
{
    while (udp_socket_next(d->socket, datagram) == ST_OK) {
        if (inet_covers(d->peer, datagram->from)) {
            return true;
        }
        udp_socket_drop(d->socket);
    }
    return false;
}

static void receive_on(struct datagrams *d) REQUIRES(LOOP)
{
    struct udp_datagram datagram;

    while (!list_empty(&d->receives) && next(d, &datagram)) {
        struct call *call = network_wait_take(network_wait_first(&d->receives));
        struct net_udp_socket_receive_results_builder r =
            net_udp_socket_receive_results(call, (uint32_t)(datagram.len / 8 + 16));
        char from[INET_TEXT_MAX];
        inet_text(datagram.from, from);
        net_udp_socket_receive_results_set_from(r, capnp_text(from));
        net_udp_socket_receive_results_set_data(r, capnp_data(datagram.bytes, datagram.len));
        udp_socket_drop(d->socket);
        call_return(call);
    }
}

static void arrived(struct udp_client *client)
{
    struct datagrams *d = CONTAINER_OF(client, struct datagrams, client);

    room_assert_loop();
    (void)object_get(&d->object);
    receive_on(d);
    object_put(&d->object);
}

static void method_receive(struct object *object, struct call *call, struct net_udp_socket_receive_params_reader params)
{
    struct datagrams *d = datagrams_of(object);

    room_assert_loop();
    (void)object_get(object);
    if (network_wait_add(&d->receives, call, net_udp_socket_receive_params_get_timeout_ms(params)) != NULL) {
        receive_on(d);
    }
    object_put(object);
}

static void method_send(struct object *object, struct call *call, struct net_udp_socket_send_params_reader params)
{
    struct datagrams *d = datagrams_of(object);
    struct capnp_text to = net_udp_socket_send_params_get_to(params);
    struct capnp_data data = net_udp_socket_send_params_get_data(params);
    struct inet_endpoint endpoint;

    room_assert_loop();
    if (!inet_endpoint_parse(to.text, &endpoint)) {
        call_fail(call, EXCEPTION_FAILED, "'%.32s' is no endpoint; write ADDRESS:PORT", to.text);
        return;
    }
    if (!inet_covers(d->peer, endpoint)) {
        call_fail(call, EXCEPTION_FAILED, "denied: '%.32s' lies outside of this socket's scope", to.text);
        return;
    }
    status_t status = udp_socket_send(d->socket, endpoint, data.bytes, data.size);
    if (status != ST_OK) {
        call_fail_status(call, status, "sending a datagram");
    } else {
        call_return(call);
    }
}

static void method_info(struct object *object, struct call *call, struct net_udp_socket_info_params_reader params)
{
    struct udp_counters counters;

    (void)params;
    room_assert_loop();
    udp_socket_counters(datagrams_of(object)->socket, &counters);
    struct net_udp_socket_info_results_builder r = net_udp_socket_info_results(call, 8);
    net_udp_socket_info_results_set_port(r, network_self.udp->port);
    net_udp_socket_info_results_set_received(r, counters.received);
    net_udp_socket_info_results_set_sent(r, counters.sent);
    net_udp_socket_info_results_set_dropped(r, counters.dropped);
    call_return(call);
}

static void dispatch(struct object *object, struct call *call)
{
    static const struct net_udp_socket_server_ops ops = {
        .send = method_send, .receive = method_receive, .info = method_info};

    room_assert_loop();
    net_udp_socket_dispatch(&ops, object, call);
}

static void dead(struct object *object)
{
    struct datagrams *d = datagrams_of(object);

    room_assert_loop();
    udp_socket_close(d->socket);
    pool_put(&network_self.datagrams, d);
}

void network_udp_bind(struct call *call, struct inet_endpoint peer)
{
    static const struct object_ops ops = {.call = dispatch, .dead = dead};
    struct datagrams *d = pool_get(&network_self.datagrams);

    if (d == NULL) {
        call_fail(call, EXCEPTION_FAILED, "port %u has its socket already", network_self.udp->port);
        return;
    }
    d->client.arrived = arrived;
    d->peer = peer;
    list_init(&d->receives);
    status_t status = udp_socket_open(network_self.udp, &d->client, &d->socket);
    if (status != ST_OK) {
        pool_put(&network_self.datagrams, d);
        call_fail_status(call, status, "binding the port");
        return;
    }
    object_init(&d->object, &ops);
    net_network_manager_bind_udp_results_set_socket(net_network_manager_bind_udp_results(call, 4), &d->object);
    call_return(call);
    object_put(&d->object);
}

void network_udp_init(void)
{
    pool_init(&network_self.datagrams, "network datagrams", sizeof(struct datagrams),
              1); /* of the one port that is granted */
}
