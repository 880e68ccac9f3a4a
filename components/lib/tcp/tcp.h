/* SPDX-License-Identifier: MIT OR Apache-2.0
 * tcp.h: the contracts tcp_listen_authority.v1 and tcp_connect_authority.v1: who may accept and make TCP connections.
 *
 * Holding an authority is the permission. A profile grants it with a scope, which its provider checks:
 *
 *     grant app/x.listen  -> net/lwip.listen  tcp/7000             accept on port 7000, nothing else
 *     grant app/x.connect -> net/lwip.connect tcp/192.0.2.7:80     connect there, nowhere else
 *     grant app/x.connect -> net/lwip.connect tcp/any              connect anywhere
 *
 * Every connection has bounds from its first moment: how many a listener has at a time, how long one may be silent, how
 * long it may live at all. A connection is a `struct stream` (lib/stream) that belongs to this loop.
 */
#pragma once
#include "core/room.h"
#include "core/status.h"
#include "lib/inet/inet.h"
#include "lib/stream/stream.h"
#include <stdint.h>

struct tcp_listen_authority;
struct tcp_connect_authority;
struct tcp_listener;

struct tcp_limits {
    uint32_t connections_max; /* that a listener has open at a time; one more is refused with a reset. 0: the provider's
                                 own bound */
    uint64_t idle_ns;         /* without a byte in either direction: closed(ST_TIMEOUT). 0: never */
    uint64_t total_ns;        /* since it was accepted or asked for: closed(ST_TIMEOUT). 0: never */
};

/* Embedded in the listener's owner. */
struct tcp_acceptor {
    /* A connection is there. Returns the client to which `stream` belongs from now on, or NULL to refuse it: the peer
     * sees a reset and `stream` is gone (the callee has lent it nothing). One that accepts may use the stream at once.
     * LOOP; begins with room_assert_loop(). */
    struct stream_client *(*accept)(struct tcp_acceptor *acceptor, struct stream *stream);
};

struct tcp_listen_ops {
    status_t (*listen)(struct tcp_listen_authority *authority, const struct tcp_limits *limits,
                       struct tcp_acceptor *acceptor, struct tcp_listener **listener);
    void (*close)(struct tcp_listener *listener);
};
struct tcp_listen_authority {
    const struct tcp_listen_ops *ops; /* [I] */
    uint16_t port;                    /* [I] the only one that it opens */
};
struct tcp_listener {
    const struct tcp_listen_ops *ops; /* [I] */
};

/* Begins to accept on the authority's port. `acceptor` is kept until tcp_listener_close(). BOOT or LOOP: at BOOT the
 * port is open as soon as the network is. ST_FULL: no listener left. ST_BADARG: this authority already listens. */
static inline status_t tcp_listen(struct tcp_listen_authority *authority, const struct tcp_limits *limits,
                                  struct tcp_acceptor *acceptor, struct tcp_listener **listener)
{
    return authority->ops->listen(authority, limits, acceptor, listener);
}

/* Accepts no more; connections that exist go on. The pointer is dead. */
static inline void tcp_listener_close(struct tcp_listener *listener) REQUIRES(LOOP)
{
    listener->ops->close(listener);
}

struct tcp_connect_ops {
    status_t (*connect)(struct tcp_connect_authority *authority, const char *address, const struct tcp_limits *limits,
                        struct stream_client *client, struct stream **stream);
};
struct tcp_connect_authority {
    const struct tcp_connect_ops *ops; /* [I] */
    struct inet_endpoint scope;        /* [I] where to */
};

/* Connects to "ADDRESS:PORT" (numbers; no names). The stream may be used at once: what is lent goes out when the peer
 * has answered, which opened() tells. closed(ST_CLOSED) or closed(ST_TIMEOUT) when it does not. ST_DENIED: outside the
 * authority's scope. ST_BADARG: no address. ST_FULL: no connection left. ST_AGAIN: the network is not up. */
static inline status_t tcp_connect(struct tcp_connect_authority *authority, const char *address,
                                   const struct tcp_limits *limits, struct stream_client *client,
                                   struct stream **stream) REQUIRES(LOOP)
{
    return authority->ops->connect(authority, address, limits, client, stream);
}
