/* SPDX-License-Identifier: MIT OR Apache-2.0
 * udp.h: the contract udp_authority.v1: who may use a UDP port, and its one socket. All of it is LOOP.
 *
 * Holding an authority is the permission. A profile grants it with a scope, which its provider checks:
 *
 *     grant app/x.udp -> net/lwip.udp udp/5353                     that port, with anybody
 *     grant app/x.udp -> net/lwip.udp udp/5353/192.0.2.7:53        that port, with that peer and nobody else
 *
 *  (1) What arrives waits in a queue that is bounded; one datagram too many is dropped and counted. So is one that is
 *      larger than a frame of this network, or from outside the scope (which is not counted).
 *  (2) The oldest waiting datagram is lent by udp_socket_next() until udp_socket_drop(); nothing is copied for it.
 *  (3) No callback is ever called from inside a udp_socket_*() function.
 */
#pragma once
#include "core/room.h"
#include "core/status.h"
#include "lib/inet/inet.h"
#include <stddef.h>
#include <stdint.h>

struct udp_authority;
struct udp_socket;

/* Embedded in the socket's owner. */
struct udp_client {
    /* Something waits. Begins with room_assert_loop(). */
    void (*arrived)(struct udp_client *client);
};

struct udp_datagram {
    struct inet_endpoint from;
    const uint8_t *bytes; /* lent until udp_socket_drop() */
    size_t len;           /* may be 0 */
};

struct udp_counters {
    uint64_t received, sent; /* datagrams that were queued; that were handed to the network */
    uint64_t dropped;        /* (1) */
};

struct udp_ops {
    status_t (*open)(struct udp_authority *authority, struct udp_client *client, struct udp_socket **socket);
    status_t (*send)(struct udp_socket *socket, struct inet_endpoint to, const void *data, size_t len);
    status_t (*next)(struct udp_socket *socket, struct udp_datagram *datagram);
    void (*drop)(struct udp_socket *socket);
    void (*counters)(const struct udp_socket *socket, struct udp_counters *counters);
    void (*close)(struct udp_socket *socket);
};
struct udp_authority {
    const struct udp_ops *ops; /* [I] */
    uint16_t port;             /* [I] the only one that it opens */
    struct inet_endpoint peer; /* [I] a scope: with whom */
};
struct udp_socket {
    const struct udp_ops *ops; /* [I] */
};

/* Binds the authority's port. `client` is kept until udp_socket_close(). ST_BADARG: this authority's socket is open.
 * ST_FULL: no socket left, or somebody else has the port. */
static inline status_t udp_socket_open(struct udp_authority *authority, struct udp_client *client,
                                       struct udp_socket **socket) REQUIRES(LOOP)
{
    return authority->ops->open(authority, client, socket);
}

/* Sends one datagram; `data` is borrowed for the call. ST_OK: the network has it, which promises nothing. ST_DENIED:
 * outside the scope. ST_RANGE: longer than a frame of this network holds. ST_FULL: no buffer now. ST_AGAIN: the network
 * is not up, or no way leads there. */
static inline status_t udp_socket_send(struct udp_socket *socket, struct inet_endpoint to, const void *data, size_t len)
    REQUIRES(LOOP)
{
    return socket->ops->send(socket, to, data, len);
}

/* (2). ST_AGAIN: nothing waits; arrived() tells. */
static inline status_t udp_socket_next(struct udp_socket *socket, struct udp_datagram *datagram) REQUIRES(LOOP)
{
    return socket->ops->next(socket, datagram);
}

/* The datagram that udp_socket_next() shows is done with; there must be one. */
static inline void udp_socket_drop(struct udp_socket *socket) REQUIRES(LOOP)
{
    socket->ops->drop(socket);
}

static inline void udp_socket_counters(const struct udp_socket *socket, struct udp_counters *counters) REQUIRES(LOOP)
{
    socket->ops->counters(socket, counters);
}

/* The port is free again, and what waited is gone. The pointer is dead. */
static inline void udp_socket_close(struct udp_socket *socket) REQUIRES(LOOP)
{
    socket->ops->close(socket);
}
