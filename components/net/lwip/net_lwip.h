/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip.h: what the files of this component share. Nobody else includes it.
 *
 *      netdev.v1                                                    stream.v1
 *   frame in --> net_lwip_frame.c --> lwIP --> net_lwip_tcp.c  --> net_lwip_conn.c --> client
 *   frame out <--                  <--      <--------------------- (lends, closes)  <--
 *
 *  (1) lwIP calls us back in the middle of its own work, so those callbacks only note what happened and queue the
 *      connection. Clients are called from net_lwip_work() alone, where lwIP is at rest: so a client may call
 *      anything.
 *  (2) A received buffer belongs to exactly one holder: a pbuf of lwIP's or of a connection's `held`. Its custom free
 *      function gives it back to the device; nothing else does.
 *  (3) Lent memory is told `sent` only when lwIP dropped it and every frame that was with the device at that moment
 *      has come back: see `grace`.
 *  (4) lwIP's names, types and error codes end in this folder.
 */
#pragma once
#include "config.h"
#include "core/list.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/room.h"
#include "core/status.h"
#include "lib/entropy/random.h"
#include "lib/netdev/netdev.h"
#include "lwipopts.h" /* lwIP includes it itself, but as a system header: a change to it would be missed */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* lwIP has a tcp_listen and a tcp_connect too; ours are inline wrappers that this component does not call. */
#define tcp_listen tcp_listen_by_authority
#define tcp_connect tcp_connect_by_authority
#include "lib/tcp/tcp.h"
#undef tcp_listen
#undef tcp_connect
#include "lwip/dhcp.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/tcp.h"

struct net_lwip_conn;

/* An authority to listen on one port, and its one listener. Keys: [I] fixed after init  [L] the owning loop only */
struct net_lwip_listener {
    struct tcp_listen_authority authority; /* [I] */
    struct tcp_listener listener;          /* [I] */
    struct list node;                      /* [I] in net_lwip_self.listeners */
    struct tcp_pcb *pcb;                   /* [L] NULL: not listening */
    struct tcp_acceptor *acceptor;         /* [L] the holder's, kept while listening */
    struct tcp_limits limits;              /* [L] */
    uint32_t open;                         /* [L] connections that it accepted and that are not closed yet */
};

/* A connection's life; only net_lwip_conn_move() writes `state`.
 *
 *   FREE --accepted by lwIP--> OFFERED --the acceptor takes it--> OPEN --stream_close--> CLOSING
 *     |                           |                              ^  |                      |
 *     +------tcp_connect------> OPENING ------peer answers-------+  |                      |
 *     ^                           |                                 |                      |
 *     |                           +-----> reset, deadline, abort: DEAD <-- all acknowledged+
 *     +--------- nothing is lent any more: closed() ----------------+
 *
 *   OFFERED  lwIP shook hands; the client is not known. Data may be held already.
 *   OPENING  The client is known; the peer has not answered. Lends wait.
 *   OPEN     Both ways, as far as neither side ended its own.
 *   CLOSING  No received() and no ended() any more; lends are still sent.
 *   DEAD     lwIP knows it no more. Lent memory may still be with the device. Only closed() is left to be said.
 */
enum net_lwip_state { CONN_FREE, CONN_OFFERED, CONN_OPENING, CONN_OPEN, CONN_CLOSING, CONN_DEAD };

struct net_lwip_lend {
    const uint8_t *data;
    size_t len;
};

/* Keys: [I] fixed while not FREE  [L] the owning loop only */
struct net_lwip_conn {
    struct stream stream;               /* [I] first */
    struct stream_client *client;       /* [I] from OFFERED's end on; NULL: nobody to tell */
    struct tcp_pcb *pcb;                /* [L] NULL: lwIP is done with it, or goes on without us */
    struct net_lwip_listener *listener; /* [I] NULL: we connected */
    struct list node;                   /* [L] in net_lwip_self.conns */
    struct list ready;                  /* [L] queued for net_lwip_work() */
    struct list output;                 /* [L] queued for the end of the turn */
    enum net_lwip_state state;          /* [L] */
    status_t end_status;                /* [L] what closed() will say */
    struct pbuf *held;                  /* [L] received and not taken by the client */
    uint32_t lend_first, lend_count;    /* [L] ring of what lwIP does not have yet */
    size_t lend_offset;                 /* [L] bytes of the first lend that lwIP has */
    size_t unacked;                     /* [L] bytes that lwIP has */
    size_t back, back_later;            /* [L] bytes that lwIP dropped: waiting for `grace`, and come since (3) */
    uint32_t grace;                     /* [L] when `back` began to wait, or when the connection died */
    bool paused;                        /* [L] the client left bytes */
    bool full;                          /* [L] a send was refused */
    bool peer_ended, ended_told;        /* [L] FIN received; the client knows */
    bool end_wanted, fin_queued;        /* [L] stream_end(); lwIP has our FIN */
    bool close_wanted;                  /* [L] stream_close() while OPENING */
    bool opened_due;                    /* [L] the peer answered; the client is not told yet */
    uint64_t idle_ns, total_ns;         /* [I] as tcp_limits */
    uint64_t opened_ns, active_ns;      /* [L] */
    uint64_t taken_ns;                  /* [L] when its client last took of `held`, or when `held` began to fill */
    struct net_lwip_lend lend[NET_LWIP_LENDS]; /* [L] */
};

struct net_lwip_counters {
    uint64_t accepted, refused, connected, reset, timed_out, shed, half_open_dropped;
    uint64_t rx_frames, rx_dropped, tx_frames, tx_full, tx_copied;
};

/* The whole state. Keys as above. */
struct net_lwip {
    struct netdev *device;              /* [I] */
    struct netdev_client device_client; /* [I] */
    struct random *random;              /* [I] NULL: not wired */
    struct netif netif;                 /* [L] lwIP's */
    struct dhcp dhcp;                   /* [L] lwIP's */
    struct ready ready_hold;            /* [L] until there is an address */
    uint16_t checksums;                 /* [I] NETIF_CHECKSUM_* that lwIP does for this device */
    uint64_t key[2];                    /* [I] of net_lwip_hash */
    uint64_t random_count;              /* [L] */
    struct work begin;                  /* [L] first turn */
    struct work work;                   /* [L] */
    struct work output;                 /* [L] at turn end */
    struct timer tick;                  /* [L] lwIP's own timers */
    struct timer deadline;              /* [L] the earliest of all connections' */
    struct timer address_late;          /* [L] */
    struct pool conn_pool;              /* [L] */
    struct list conns, ready, outputs;  /* [L] of net_lwip_conn by node, ready, output */
    struct list listeners;              /* [I] */
    uint32_t rx_held, rx_held_max;      /* [L] buffers of the device that are not with it */
    uint32_t tx_out[2];             /* [L] frames that are with the device, by the parity of `grace` when they went */
    uint32_t grace;                 /* [L] grows only when no frame of the parity that it takes is out */
    bool grace_awaited;             /* [L] some connection waits for it */
    bool starved;                   /* [L] lwIP or the device ran out of something since everyone last tried */
    bool freed;                     /* [L] something came back since those who wait were last woken */
    bool address_known;             /* [L] */
    uint64_t busy_ns;               /* [L] when the last frame came or went */
    struct net_lwip_counters count; /* [L] */
};
extern struct net_lwip net_lwip_self;

/* net_lwip.c */
void net_lwip_assert_core(void) ASSERTS_CAPABILITY(LOOP); /* lwIP may be called: LOOP, or BOOT before the first turn */
void net_lwip_post(void) REQUIRES(LOOP);                  /* net_lwip_work() soon */

/* net_lwip_frame.c */
void net_lwip_frame_init(void) REQUIRES(BOOT);
err_t net_lwip_frame_netif(struct netif *netif);
/* The device's buffer behind a received pbuf: bytes free after its content; 0 when it is none. */
size_t net_lwip_frame_tail_room(const struct pbuf *p);

/* net_lwip_conn.c */
void net_lwip_conn_init(void) REQUIRES(BOOT);
struct net_lwip_conn *net_lwip_conn_new(struct tcp_pcb *pcb, const struct tcp_limits *limits)
    REQUIRES(LOOP); /* NULL: none left */
void net_lwip_conn_move(struct net_lwip_conn *conn, enum net_lwip_state to);
void net_lwip_conn_ready(struct net_lwip_conn *conn) REQUIRES(LOOP);
void net_lwip_conn_kill(struct net_lwip_conn *conn, status_t status) REQUIRES(LOOP); /* resets it; DEAD */
void net_lwip_conn_free(struct net_lwip_conn *conn) REQUIRES(LOOP);
void net_lwip_conn_run_ready(void) REQUIRES(LOOP);
void net_lwip_conn_output_all(void) REQUIRES(LOOP); /* everyone who has something tries again */
void net_lwip_conn_shed(void) REQUIRES(LOOP); /* too many buffers are held: makes room, at the cost of who holds most */
void net_lwip_conn_deadlines(void) REQUIRES(LOOP); /* kills the late and sets the timer to the next */
void net_lwip_conn_note_deadline(const struct net_lwip_conn *conn)
    REQUIRES(LOOP); /* its deadline may have come nearer */

/* net_lwip_tcp.c */
void net_lwip_offer(struct net_lwip_conn *conn) REQUIRES(LOOP); /* OFFERED: asks the acceptor */

/* net_lwip_time.c */
void net_lwip_time_init(void) REQUIRES(BOOT);
void net_lwip_time_update(void) REQUIRES(LOOP); /* after anything that may have begun or ended a need for time */

/* net_lwip_hook.c */
void net_lwip_hook_init(void) REQUIRES(BOOT);
