/* SPDX-License-Identifier: MIT OR Apache-2.0
 * svc_network.h: the parts of svc/network and who calls whom.
 *
 *   svc_network.c     the manager, what it was wired and granted     network_tcp.c     authorities and listeners
 *   network_wait.c    calls that wait for something to come          network_socket.c  one connection
 *                                                                    network_udp.c     the datagram socket
 *
 *  (1) An object is referenced by every call that waits in it, so it never dies with one.
 *  (2) A connection's slot is free when its object is dead and its stream has said closed(): lent memory is ours then.
 *  (3) call_return() and call_fail() may drop the last reference to anything: whoever calls them holds what it goes on with.
 *  (4) What is derived never allows more than what it was derived from: limits shrink, scopes lie inside.
 */
#pragma once
#include "config.h"
#include "core/list.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/object.h"
#include "lib/capnp/capnp.h"
#include "lib/inet/inet.h"
#include "lib/inet/net_info.h"
#include "lib/inet/udp.h"
#include "lib/stream/stream.h"
#include "lib/tcp/tcp.h"
#include "svc/network/network.capnp.h"

#define NETWORK_DATA_MAX (64u * 1024u) /* of one read, one write */

/* What the profile gave. Keys: [I] fixed after BOOT  [L] the loop */
struct network {
    struct object manager;                                         /* static */
    struct net_info *info;                                         /* [I] */
    struct tcp_listen_authority *listen;                           /* [I] NULL: not granted; so are these two */
    struct tcp_connect_authority *connect;                         /* [I] */
    struct udp_authority *udp;                                     /* [I] */
    struct pool sockets, authorities, waits, listeners, datagrams; /* [L] */
};
extern struct network network_self;

/* --- waiting calls ----------------------------------------------------------------------------------------------------- */

/* Keys: [L] */
struct network_wait {
    struct list node; /* in its object's list, in the order of calls */
    struct list all;  /* in the list of all that wait */
    struct call *call;
    uint64_t deadline_ns;   /* UINT64_MAX: none */
    uint32_t done;          /* bytes of a write that are taken */
    struct capnp_data data; /* of a write, in its params: read once, for every reading costs of their budget */
};
void network_waits_init(void) REQUIRES(BOOT);
/* The call waits at the end of `list`, at most `timeout_ms` (0: for ever). NULL: too many wait, and the call was failed. */
struct network_wait *network_wait_add(struct list *list, struct call *call, uint32_t timeout_ms) REQUIRES(LOOP);
/* The first of a list; NULL. */
struct network_wait *network_wait_first(struct list *list);
/* Takes it out: its call is to be returned or failed now. */
struct call *network_wait_take(struct network_wait *wait) REQUIRES(LOOP);
/* Fails all of a list. */
void network_waits_fail(struct list *list, enum exception type, const char *reason) REQUIRES(LOOP);

/* --- limits ------------------------------------------------------------------------------------------------------------ */

/* `outer` made narrower by what a caller asked for. */
struct tcp_limits network_limits(const struct tcp_limits *outer, struct net_tcp_limits_reader wanted);

void network_sockets_init(void) REQUIRES(BOOT);
void network_tcp_init(void) REQUIRES(BOOT);
void network_udp_init(void) REQUIRES(BOOT);

/* --- connections ------------------------------------------------------------------------------------------------------- */

struct network_socket;
/* One without a stream yet; a reference for the caller. NULL: too many. */
struct network_socket *network_socket_new(void) REQUIRES(LOOP);
struct object *network_socket_object(struct network_socket *s);
struct stream_client *network_socket_client(struct network_socket *s);
/* It has its stream, whose peer is there; or does not yet answer. */
void network_socket_attach(struct network_socket *s, struct stream *stream) REQUIRES(LOOP);
void network_socket_opening(struct network_socket *s, struct stream *stream) REQUIRES(LOOP);
/* The call is returned with the socket when the peer answers, at most `timeout_ms` from now. Takes the reference over. */
void network_socket_opens(struct network_socket *s, struct call *call, uint32_t timeout_ms) REQUIRES(LOOP);

/* --- objects of the manager -------------------------------------------------------------------------------------------- */

/* Each: a reference for the caller. NULL: too many. */
struct object *network_listen_authority_new(const struct tcp_limits *limits) REQUIRES(LOOP);
struct object *network_connect_authority_new(struct inet_endpoint scope, const struct tcp_limits *limits)
    REQUIRES(LOOP);
/* Opens the profile's port for datagrams with `peer` and answers the call. */
void network_udp_bind(struct call *call, struct inet_endpoint peer) REQUIRES(LOOP);
