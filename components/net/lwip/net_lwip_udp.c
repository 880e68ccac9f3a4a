/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip_udp.c: who may use a UDP port (lib/inet/udp.h), and its socket.
 *
 *  (1) A datagram is one record of the component's `udp_buffers`: copied into it on arrival, so that a socket whose owner
 *      sleeps holds no buffer of the device; or copied into it to be sent, until the device gives it back.
 *  (2) A socket has at most `udp_queue` of them waiting.
 *  (3) An image whose profile grants no UDP has none of this: the records are made with the first grant.
 */
#define LOG_TAG "lwip"
#include "net_lwip.h"

#include "core/assert.h"
#include "core/image.h"
#include "core/log.h"
#include "lib/inet/udp.h"
#include "lwip/prot/udp.h"
#include "lwip/udp.h"
#include <string.h>

#define HEADROOM 64u /* for the headers of lower layers, PBUF_TRANSPORT's */
#define DATAGRAM_MAX (1500u - IP_HLEN - UDP_HLEN)
_Static_assert(HEADROOM >= PBUF_TRANSPORT && HEADROOM % MEM_ALIGNMENT == 0, "lwIP puts the headers there");

struct datagram {
    struct pbuf_custom pbuf; /* while it is sent */
    struct list node;        /* in a socket's queue */
    struct inet_endpoint from;
    uint16_t len;
    _Alignas(16) uint8_t bytes[HEADROOM + DATAGRAM_MAX];
};

/* An authority and its one socket. Keys: [I] fixed after init  [L] the owning loop only */
struct net_lwip_udp {
    struct udp_authority authority; /* [I] */
    struct udp_socket socket;       /* [I] */
    struct udp_pcb *pcb;            /* [L] NULL: not open */
    struct udp_client *client;      /* [L] while open */
    struct list queue;              /* [L] datagrams that wait */
    uint32_t queued;                /* [L] */
    struct udp_counters count;      /* [L] of this opening */
    struct work arrived;            /* [L] */
};

static struct pool datagrams; /* [L] */

static struct net_lwip_udp *udp_of(const struct udp_socket *socket)
{
    return CONTAINER_OF((uintptr_t)socket, struct net_lwip_udp, socket);
}

/* --- receiving ------------------------------------------------------------------------------------------------------
 */

static void tell(struct work *work)
{
    struct net_lwip_udp *u = CONTAINER_OF(work, struct net_lwip_udp, arrived);

    room_assert_loop();
    if (u->pcb != NULL && u->queued > 0) {
        u->client->arrived(u->client);
    }
}

/* False: there is no room for it. */
static bool enqueue(struct net_lwip_udp *u, struct inet_endpoint from, const struct pbuf *p) REQUIRES(LOOP)
{
    struct datagram *d = NULL;

    if (p->tot_len <= DATAGRAM_MAX && u->queued < NET_LWIP_UDP_QUEUE) {
        d = pool_get(&datagrams);
    }
    if (d == NULL) {
        return false;
    }
    d->from = from;
    d->len = p->tot_len;
    pbuf_copy_partial(p, d->bytes, p->tot_len, 0);
    list_push_back(&u->queue, &d->node);
    u->queued++;
    return true;
}

static void on_datagram(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *address, u16_t port)
{
    struct net_lwip_udp *u = arg;
    struct inet_endpoint from = {lwip_ntohl(ip_2_ip4(address)->addr), port};

    (void)pcb;
    room_assert_loop();
    if (!inet_covers(u->authority.peer, from)) {
        ;
    } else if (enqueue(u, from, p)) {
        u->count.received++;
        loop_post(&u->arrived);
    } else {
        u->count.dropped++;
    }
    pbuf_free(p);
}

static status_t op_next(struct udp_socket *socket, struct udp_datagram *datagram)
{
    const struct net_lwip_udp *u = udp_of(socket);

    room_assert_loop();
    if (list_empty(&u->queue)) {
        return ST_AGAIN;
    }
    const struct datagram *d = CONTAINER_OF(u->queue.next, struct datagram, node);
    *datagram = (struct udp_datagram){d->from, d->bytes, d->len};
    return ST_OK;
}

static void op_drop(struct udp_socket *socket)
{
    struct net_lwip_udp *u = udp_of(socket);
    struct list *node = list_pop_front(&u->queue);

    room_assert_loop();
    ASSERT(node != NULL);
    u->queued--;
    pool_put(&datagrams, CONTAINER_OF(node, struct datagram, node));
}

/* --- sending --------------------------------------------------------------------------------------------------------
 */

static void sent(struct pbuf *p)
{
    room_assert_loop();
    pool_put(&datagrams, CONTAINER_OF(p, struct datagram, pbuf.pbuf));
}

static status_t status_of(err_t error)
{
    switch (error) {
    case ERR_OK:
        return ST_OK;
    case ERR_MEM:
    case ERR_BUF:
        return ST_FULL;
    default:
        return ST_AGAIN; /* no route, no link */
    }
}

static status_t op_send(struct udp_socket *socket, struct inet_endpoint to, const void *data, size_t len)
{
    struct net_lwip_udp *u = udp_of(socket);
    ip_addr_t ip = IPADDR4_INIT(lwip_htonl(to.address));

    room_assert_loop();
    if (!inet_covers(u->authority.peer, to) || to.address == 0 || to.port == 0) {
        return ST_DENIED;
    }
    if (len + IP_HLEN + UDP_HLEN > net_lwip_self.netif.mtu || len > DATAGRAM_MAX) {
        return ST_RANGE;
    }
    if (!net_lwip_self.address_known) {
        return ST_AGAIN;
    }
    struct datagram *d = pool_get(&datagrams);
    if (d == NULL) {
        return ST_FULL;
    }
    d->pbuf.custom_free_function = sent;
    struct pbuf *p =
        pbuf_alloced_custom(PBUF_TRANSPORT, (u16_t)len, PBUF_RAM, &d->pbuf, d->bytes, (u16_t)sizeof d->bytes);
    ASSERT(p != NULL);
    if (len > 0) {
        memcpy(p->payload, data, len);
    }
    status_t status = status_of(udp_sendto(u->pcb, p, &ip, to.port));
    pbuf_free(p); /* The device has a reference of its own. */
    u->count.sent += status == ST_OK;
    net_lwip_post();
    return status;
}

/* --- opening --------------------------------------------------------------------------------------------------------
 */

static status_t op_open(struct udp_authority *authority, struct udp_client *client, struct udp_socket **socket)
{
    struct net_lwip_udp *u = CONTAINER_OF(authority, struct net_lwip_udp, authority);

    room_assert_loop();
    ASSERT(client != NULL && client->arrived != NULL);
    if (u->pcb != NULL) {
        return ST_BADARG;
    }
    struct udp_pcb *pcb = udp_new();
    if (pcb == NULL) {
        return ST_FULL;
    }
    if (udp_bind(pcb, IP4_ADDR_ANY, authority->port) != ERR_OK) {
        udp_remove(pcb);
        return ST_FULL;
    }
    udp_recv(pcb, on_datagram, u);
    u->pcb = pcb;
    u->client = client;
    u->count = (struct udp_counters){0};
    *socket = &u->socket;
    return ST_OK;
}

static void op_close(struct udp_socket *socket)
{
    struct net_lwip_udp *u = udp_of(socket);

    room_assert_loop();
    ASSERT(u->pcb != NULL);
    udp_remove(u->pcb);
    u->pcb = NULL;
    u->client = NULL;
    while (!list_empty(&u->queue)) {
        op_drop(socket);
    }
}

static void op_counters(const struct udp_socket *socket, struct udp_counters *counters)
{
    *counters = udp_of(socket)->count;
}

/* "udp/PORT" or "udp/PORT/ADDRESS:PORT" */
static bool parse_scope(const char *scope, struct udp_authority *authority)
{
    const char *slash = strncmp(scope, "udp/", 4) == 0 ? strchr(scope + 4, '/') : NULL;
    char port[6] = {0};

    if (strncmp(scope, "udp/", 4) != 0) {
        return false;
    }
    size_t len = slash != NULL ? (size_t)(slash - scope) - 4 : strlen(scope + 4);
    if (len >= sizeof port) {
        return false;
    }
    memcpy(port, scope + 4, len);
    return inet_port_parse(port, &authority->port) &&
           (slash == NULL || inet_endpoint_parse(slash + 1, &authority->peer));
}

struct udp_authority *net_lwip_grant_udp(const char *scope) REQUIRES(BOOT);
struct udp_authority *net_lwip_grant_udp(const char *scope)
{
    static const struct udp_ops ops = {op_open, op_send, op_next, op_drop, op_counters, op_close};
    struct udp_authority authority = {&ops, 0, {0, 0}};

    if (!parse_scope(scope, &authority)) {
        log_err("'%s' is no scope for UDP; write udp/PORT or udp/PORT/ADDRESS:PORT, as in udp/5353", scope);
        boot_refuse("net/lwip", ST_BADARG);
    }
    if (NET_LWIP_UDP_BUFFERS == 0) {
        log_err("UDP is granted, but there are no buffers; add udp_buffers=32 to the component line of net/lwip");
        boot_refuse("net/lwip", ST_FULL);
    }
    if (datagrams.count == 0) { /* (3) */
        pool_init(&datagrams, "net/lwip datagrams", sizeof(struct datagram), NET_LWIP_UDP_BUFFERS);
    }
    struct net_lwip_udp *u = boot_alloc(sizeof *u, _Alignof(struct net_lwip_udp));
    u->authority = authority;
    u->socket.ops = &ops;
    list_init(&u->queue);
    work_init(&u->arrived, tell);
    return &u->authority;
}
