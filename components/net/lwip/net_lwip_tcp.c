/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip_tcp.c: who may listen and connect (lib/tcp/tcp.h), and how a connection begins.
 *
 *  (1) An authority is made from the text of a profile's grant line and from nothing else; what that text does not
 *      allow, no call can do.
 *  (2) A connection that finds no room is reset, never left waiting: in the handshake when its listener is full
 *      already, at its end when others were faster.
 */
#define LOG_TAG "lwip"
#include "net_lwip.h"

#include "core/assert.h"
#include "core/image.h"
#include "core/log.h"
#include <string.h>

#define LISTENERS_MAX MEMP_NUM_TCP_PCB_LISTEN

/* --- listening ------------------------------------------------------------------------------------------------------
 */

/* The handshake is done. The acceptor is asked later (net_lwip_offer). */
static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct net_lwip_listener *listener = arg;

    net_lwip_assert_core();
    if (pcb == NULL || err != ERR_OK) {
        return ERR_VAL; /* lwIP had no pcb for a SYN; the peer will ask again. */
    }
    struct net_lwip_conn *conn = NULL;
    if (listener != NULL && listener->open < listener->limits.connections_max) {
        conn = net_lwip_conn_new(pcb, &listener->limits);
    }
    if (conn == NULL) {
        net_lwip_self.count.refused++;
        tcp_abort(pcb); /* (2) */
        return ERR_ABRT;
    }
    conn->listener = listener;
    listener->open++;
    net_lwip_conn_move(conn, CONN_OFFERED);
    net_lwip_conn_ready(conn);
    return ERR_OK;
}

void net_lwip_offer(struct net_lwip_conn *conn)
{
    struct net_lwip_listener *listener = conn->listener;
    struct stream_client *client = NULL;

    if (listener->acceptor != NULL) {
        client = listener->acceptor->accept(listener->acceptor, &conn->stream);
    }
    if (client == NULL) {
        net_lwip_self.count.refused++;
        net_lwip_conn_kill(conn, ST_STALE);
        return;
    }
    net_lwip_self.count.accepted++;
    conn->client = client;
    if (conn->state == CONN_OFFERED) { /* Not aborted by the acceptor itself. */
        net_lwip_conn_move(conn, CONN_OPEN);
        net_lwip_conn_note_deadline(conn);
    }
}

static struct tcp_pcb *listening_pcb(struct net_lwip_listener *listener)
{
    struct tcp_pcb *pcb = tcp_new();

    if (pcb == NULL) {
        return NULL;
    }
    tcp_setprio(pcb, TCP_PRIO_NORMAL - 1); /* Inherited by half-open connections: they yield to accepted ones. */
    ip_set_option(pcb, SOF_REUSEADDR);     /* Connections of an earlier listener may still be there. */
    if (tcp_bind(pcb, IP4_ADDR_ANY, listener->authority.port) != ERR_OK) {
        tcp_abort(pcb);
        return NULL;
    }
    struct tcp_pcb *listening = tcp_listen_with_backlog(pcb, NET_LWIP_BACKLOG);
    if (listening == NULL) {
        tcp_abort(pcb);
        return NULL;
    }
    tcp_arg(listening, listener);
    tcp_accept(listening, on_accept);
    return listening;
}

static status_t op_listen(struct tcp_listen_authority *authority, const struct tcp_limits *limits,
                          struct tcp_acceptor *acceptor, struct tcp_listener **result)
{
    struct net_lwip_listener *listener = CONTAINER_OF(authority, struct net_lwip_listener, authority);

    net_lwip_assert_core();
    ASSERT(acceptor != NULL && acceptor->accept != NULL);
    if (listener->pcb != NULL) {
        return ST_BADARG;
    }
    listener->pcb = listening_pcb(listener);
    if (listener->pcb == NULL) {
        return ST_FULL;
    }
    listener->acceptor = acceptor;
    listener->limits = *limits;
    if (limits->connections_max == 0 || limits->connections_max > NET_LWIP_CONNECTIONS) {
        listener->limits.connections_max = NET_LWIP_CONNECTIONS;
    }
    *result = &listener->listener;
    return ST_OK;
}

static void op_listener_close(struct tcp_listener *handle)
{
    struct net_lwip_listener *listener = CONTAINER_OF(handle, struct net_lwip_listener, listener);
    struct tcp_pcb *pcb = listener->pcb;

    net_lwip_assert_core();
    ASSERT(pcb != NULL);
    listener->pcb = NULL;
    listener->acceptor = NULL; /* Connections that were not offered yet are refused. */
    status_t closed = tcp_close(pcb) == ERR_OK ? ST_OK : ST_IO;
    status_ignore(closed, "closing a listening pcb only frees it");
}

static const struct tcp_listen_ops listen_ops = {op_listen, op_listener_close};

struct tcp_listen_authority *net_lwip_grant_listen(const char *scope) REQUIRES(BOOT);
struct tcp_listen_authority *net_lwip_grant_listen(const char *scope)
{
    uint16_t port;

    if (strncmp(scope, "tcp/", 4) != 0 || !inet_port_parse(scope + 4, &port)) {
        log_err("'%s' is no scope to listen with; write tcp/PORT, as in tcp/7000", scope);
        boot_refuse("net/lwip", ST_BADARG);
    }
    struct net_lwip_listener *listener = boot_alloc(sizeof *listener, _Alignof(struct net_lwip_listener));
    listener->authority = (struct tcp_listen_authority){&listen_ops, port};
    listener->listener.ops = &listen_ops;
    list_push_back(&net_lwip_self.listeners, &listener->node);
    return &listener->authority;
}

/* --- connecting -----------------------------------------------------------------------------------------------------
 */

static status_t begin_connect(struct inet_endpoint to, const struct tcp_limits *limits, struct stream_client *client,
                              struct stream **stream) REQUIRES(LOOP)
{
    struct tcp_pcb *pcb = tcp_new();
    ip_addr_t ip = IPADDR4_INIT(lwip_htonl(to.address));

    if (pcb == NULL) {
        return ST_FULL;
    }
    if (tcp_connect(pcb, &ip, to.port, NULL) != ERR_OK) {
        tcp_abort(pcb);
        return ST_FULL;
    }
    struct net_lwip_conn *conn = net_lwip_conn_new(pcb, limits);
    if (conn == NULL) {
        tcp_abort(pcb);
        return ST_FULL;
    }
    conn->client = client;
    net_lwip_conn_move(conn, CONN_OPENING);
    net_lwip_conn_note_deadline(conn);
    net_lwip_post();
    *stream = &conn->stream;
    return ST_OK;
}

static status_t op_connect(struct tcp_connect_authority *authority, const char *address,
                           const struct tcp_limits *limits, struct stream_client *client, struct stream **stream)
{
    struct inet_endpoint to;

    room_assert_loop();
    if (!inet_endpoint_parse(address, &to)) {
        return ST_BADARG;
    }
    if (!inet_covers(authority->scope, to)) {
        return ST_DENIED;
    }
    if (!net_lwip_self.address_known) {
        return ST_AGAIN;
    }
    return begin_connect(to, limits, client, stream);
}

struct tcp_connect_authority *net_lwip_grant_connect(const char *scope) REQUIRES(BOOT);
struct tcp_connect_authority *net_lwip_grant_connect(const char *scope)
{
    static const struct tcp_connect_ops connect_ops = {op_connect};
    struct inet_endpoint to = {0, 0};

    if (strcmp(scope, "tcp/any") != 0 && (strncmp(scope, "tcp/", 4) != 0 || !inet_endpoint_parse(scope + 4, &to))) {
        log_err("'%s' is no scope to connect with; write tcp/ADDRESS:PORT or tcp/any", scope);
        boot_refuse("net/lwip", ST_BADARG);
    }
    struct tcp_connect_authority *connector = boot_alloc(sizeof *connector, _Alignof(struct tcp_connect_authority));
    *connector = (struct tcp_connect_authority){&connect_ops, to};
    return connector;
}
