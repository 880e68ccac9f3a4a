/* SPDX-License-Identifier: MIT OR Apache-2.0
 * svc_network.c: the NetworkManager: what the profile granted, as capabilities (network.capnp).
 */
#include "svc_network.h"
#include "core/assert.h"

struct network network_self;

static const struct tcp_limits granted = {.idle_ns = SVC_NETWORK_IDLE_SECONDS * NS_PER_S};

static void manager_usage(struct object *object, struct call *call,
                          struct net_network_manager_usage_params_reader params)
{
    (void)object, (void)params;
    room_assert_loop();
    struct net_network_manager_usage_results_builder r = net_network_manager_usage_results(call, 8);
    net_network_manager_usage_results_set_sockets(r, network_self.sockets.in_use);
    net_network_manager_usage_results_set_listeners(r, network_self.listeners.in_use);
    net_network_manager_usage_results_set_udp_sockets(r, network_self.datagrams.in_use);
    net_network_manager_usage_results_set_authorities(r, network_self.authorities.in_use);
    net_network_manager_usage_results_set_waiting(r, network_self.waits.in_use);
    call_return(call);
}

static void set_address(struct net_interface_info_builder info, const struct net_report *report)
{
    char text[INET_TEXT_MAX];

    inet_address_text(report->address, text);
    net_interface_info_set_address(info, capnp_text(text));
    inet_address_text(report->netmask, text);
    net_interface_info_set_netmask(info, capnp_text(text));
    inet_address_text(report->gateway, text);
    net_interface_info_set_gateway(info, capnp_text(text));
}

static void manager_info(struct object *object, struct call *call, struct net_network_manager_info_params_reader params)
{
    struct net_report report;

    (void)object, (void)params;
    room_assert_loop();
    net_info_report(network_self.info, &report);
    struct net_interface_info_builder i =
        net_network_manager_info_results_init_interface(net_network_manager_info_results(call, 64));
    net_interface_info_set_name(i, capnp_text(report.name));
    net_interface_info_set_mac(i, capnp_data(report.mac, sizeof report.mac));
    net_interface_info_set_mtu(i, report.mtu);
    net_interface_info_set_link_up(i, report.link_up);
    set_address(i, &report);
    net_interface_info_set_lease(i, (enum net_lease_state)report.lease);
    net_interface_info_set_lease_seconds(i, report.lease_seconds);
    net_interface_info_set_frames_in(i, report.frames_in);
    net_interface_info_set_frames_dropped(i, report.frames_dropped);
    net_interface_info_set_frames_out(i, report.frames_out);
    net_interface_info_set_tcp_open(i, report.tcp_open);
    net_interface_info_set_tcp_most(i, report.tcp_most);
    net_interface_info_set_tcp_accepted(i, report.tcp_accepted);
    net_interface_info_set_tcp_connected(i, report.tcp_connected);
    net_interface_info_set_tcp_refused(i, report.tcp_refused);
    net_interface_info_set_tcp_reset(i, report.tcp_reset);
    net_interface_info_set_tcp_timed_out(i, report.tcp_timed_out);
    net_interface_info_set_tcp_shed(i, report.tcp_shed);
    call_return(call);
}

static void give_authority(struct call *call, struct object *authority) REQUIRES(LOOP)
{
    if (authority == NULL) {
        call_fail(call, EXCEPTION_OVERLOADED, "%u authorities are held already", SVC_NETWORK_AUTHORITIES);
        return;
    }
    /* Both methods' results are one pointer, the authority. */
    net_network_manager_listen_authority_results_set_authority(net_network_manager_listen_authority_results(call, 4),
                                                               authority);
    call_return(call);
    object_put(authority);
}

static void manager_listen(struct object *object, struct call *call,
                           struct net_network_manager_listen_authority_params_reader params)
{
    uint16_t port = net_network_manager_listen_authority_params_get_port(params);

    (void)object;
    room_assert_loop();
    if (network_self.listen == NULL || network_self.listen->port != port) {
        call_fail(call, EXCEPTION_FAILED, "denied: the profile does not grant svc/network.listen tcp/%u", port);
        return;
    }
    give_authority(call, network_listen_authority_new(&granted));
}

static void manager_connect(struct object *object, struct call *call,
                            struct net_network_manager_connect_authority_params_reader params)
{
    struct capnp_text text = net_network_manager_connect_authority_params_get_scope(params);
    struct inet_endpoint scope;

    (void)object;
    room_assert_loop();
    if (!inet_scope_parse(text.text, &scope)) {
        call_fail(call, EXCEPTION_FAILED, "'%.32s' is no scope; write ADDRESS:PORT, with * for either part", text.text);
        return;
    }
    if (network_self.connect == NULL || !inet_covers(network_self.connect->scope, scope)) {
        call_fail(call, EXCEPTION_FAILED, "denied: the profile does not grant svc/network.connect tcp/%.32s",
                  text.text);
        return;
    }
    give_authority(call, network_connect_authority_new(scope, &granted));
}

static void manager_bind_udp(struct object *object, struct call *call,
                             struct net_network_manager_bind_udp_params_reader params)
{
    uint16_t port = net_network_manager_bind_udp_params_get_port(params);
    struct capnp_text text = net_network_manager_bind_udp_params_get_peer(params);
    struct inet_endpoint peer;

    (void)object;
    room_assert_loop();
    if (network_self.udp == NULL || network_self.udp->port != port) {
        call_fail(call, EXCEPTION_FAILED, "denied: the profile does not grant svc/network.udp udp/%u", port);
        return;
    }
    peer = network_self.udp->peer;
    if (text.size != 0 && (!inet_scope_parse(text.text, &peer) || !inet_covers(network_self.udp->peer, peer))) {
        call_fail(call, EXCEPTION_FAILED, "denied: '%.32s' lies outside of what the profile grants", text.text);
        return;
    }
    network_udp_bind(call, peer);
}

static void dispatch(struct object *object, struct call *call)
{
    static const struct net_network_manager_server_ops ops = {
        .info = manager_info,
        .usage = manager_usage,
        .listen_authority = manager_listen,
        .connect_authority = manager_connect,
        .bind_udp = manager_bind_udp,
    };

    room_assert_loop();
    net_network_manager_dispatch(&ops, object, call);
}

/* --- begin ------------------------------------------------------------------------------------------------------------- */

void svc_network_wire_info(struct net_info *info) REQUIRES(BOOT);
void svc_network_wire_info(struct net_info *info)
{
    network_self.info = info;
}

void svc_network_hold_listen(struct tcp_listen_authority *authority) REQUIRES(BOOT);
void svc_network_hold_listen(struct tcp_listen_authority *authority)
{
    network_self.listen = authority;
}

void svc_network_hold_connect(struct tcp_connect_authority *authority) REQUIRES(BOOT);
void svc_network_hold_connect(struct tcp_connect_authority *authority)
{
    network_self.connect = authority;
}

void svc_network_hold_udp(struct udp_authority *authority) REQUIRES(BOOT);
void svc_network_hold_udp(struct udp_authority *authority)
{
    network_self.udp = authority;
}

struct object *svc_network_provide_network(void) REQUIRES(BOOT);
struct object *svc_network_provide_network(void)
{
    static const struct object_ops ops = {.call = dispatch};

    if (network_self.manager.ops == NULL) {
        object_init(&network_self.manager, &ops);
    }
    return &network_self.manager;
}

status_t svc_network_start(void) REQUIRES(BOOT);
status_t svc_network_start(void)
{
    network_waits_init();
    network_sockets_init();
    network_tcp_init();
    network_udp_init();
    return ST_OK;
}
