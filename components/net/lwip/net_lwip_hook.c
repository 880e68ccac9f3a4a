/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip_hook.c: what lwIP leaves to its host: unpredictable numbers, and a say about each TCP segment that came in.
 *
 *  (1) Initial sequence numbers are RFC 6528's: a clock of 4 microseconds plus a keyed hash of the connection's four
 *      names, so nobody off the path can guess them and successive connections between the same ends do not overlap.
 *  (2) A listener that is full says so at once with a reset; handshakes that flood it push out the oldest half-open
 *      one, never a connection.
 *  (3) A new SYN for a pair of ports that is in TIME_WAIT here replaces it, if its sequence number is beyond the old
 *      ones (RFC 1122 section 4.2.2.13).
 */
#define LOG_TAG "lwip"
#include "net_lwip.h"

#include "core/assert.h"
#include "core/entropy.h"
#include "core/log.h"
#include "lwip/ip.h"
#include "lwip/ip4.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/tcp.h"
#include <string.h>

/* --- SipHash-2-4 (Aumasson, Bernstein 2012) -------------------------------------------------------------------------
 */

static uint64_t rotate(uint64_t v, unsigned n)
{
    return v << n | v >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t m)
{
    v[3] ^= m;
    sip_round(v);
    sip_round(v);
    v[0] ^= m;
}

/* Of two words: 16 bytes of input. */
static uint64_t hash(uint64_t a, uint64_t b)
{
    uint64_t v[4] = {net_lwip_self.key[0] ^ 0x736f6d6570736575u, net_lwip_self.key[1] ^ 0x646f72616e646f6du,
                     net_lwip_self.key[0] ^ 0x6c7967656e657261u, net_lwip_self.key[1] ^ 0x7465646279746573u};

    sip_word(v, a);
    sip_word(v, b);
    sip_word(v, 16ull << 56); /* the length */
    v[2] ^= 0xff;
    for (unsigned i = 0; i < 4; i++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint32_t net_lwip_random(void)
{
    return (uint32_t)hash(++net_lwip_self.random_count, 1);
}

uint32_t net_lwip_isn(const struct ip4_addr *local, uint16_t local_port, const struct ip4_addr *remote,
                      uint16_t remote_port)
{
    uint64_t addresses = (uint64_t)local->addr << 32 | remote->addr;
    uint64_t ports = (uint64_t)2 << 32 | (uint32_t)local_port << 16 | remote_port;

    return (uint32_t)(hash(addresses, ports) + clock_ns() / 4096); /* (1): 4.096 us a step. */
}

static status_t draw_key(void)
{
    if (net_lwip_self.random != NULL) {
        status_t status = random_fill(net_lwip_self.random, net_lwip_self.key, sizeof net_lwip_self.key);
        if (status == ST_OK) {
            return ST_OK;
        }
    }
    return entropy_cpu(net_lwip_self.key, sizeof net_lwip_self.key);
}

void net_lwip_hook_init(void)
{
    if (draw_key() == ST_OK) {
        return;
    }
    log_warn(
        "no entropy: TCP sequence numbers can be guessed. Give the machine a virtio-rng device or a CPU with RDRAND");
    net_lwip_self.key[0] = clock_ns() * 0x9e3779b97f4a7c15u;
    net_lwip_self.key[1] = clock_wall_ns() ^ (uintptr_t)&net_lwip_self;
}

/* --- segments in ----------------------------------------------------------------------------------------------------
 */

static void refuse_syn(const struct tcp_hdr *header)
{
    net_lwip_self.count.refused++;
    tcp_rst_netif(ip_current_input_netif(), 0, header->seqno + 1, ip_current_dest_addr(), ip_current_src_addr(),
                  header->dest, header->src);
}

static void drop_oldest_half_open(struct net_lwip_listener *listener)
{
    struct tcp_pcb *oldest = NULL;

    for (struct tcp_pcb *p = tcp_active_pcbs; p != NULL; p = p->next) {
        if (p->state == SYN_RCVD && p->callback_arg == listener &&
            (oldest == NULL || tcp_ticks - p->tmr >= tcp_ticks - oldest->tmr)) {
            oldest = p;
        }
    }
    if (oldest != NULL) {
        net_lwip_self.count.half_open_dropped++;
        tcp_abandon(oldest, 0);
    }
}

/* (2) */
static err_t admit(struct tcp_pcb_listen *pcb, const struct tcp_hdr *header)
{
    struct net_lwip_listener *listener = pcb->callback_arg;

    if (listener->open >= listener->limits.connections_max ||
        net_lwip_self.conn_pool.in_use == net_lwip_self.conn_pool.count) {
        refuse_syn(header);
        return ERR_ABRT;
    }
    if (pcb->accepts_pending >= pcb->backlog) {
        drop_oldest_half_open(listener);
    }
    return ERR_OK;
}

/* Undoes what lwIP did to the segment so far, and begins again from IP, now that the old connection is gone. */
static void input_again(struct tcp_hdr *header, struct pbuf *p)
{
    uint16_t header_bytes = TCPH_HDRLEN_BYTES(header);

    header->src = lwip_htons(header->src);
    header->dest = lwip_htons(header->dest);
    header->seqno = lwip_htonl(header->seqno);
    header->ackno = lwip_htonl(header->ackno);
    header->wnd = lwip_htons(header->wnd);
    if (pbuf_add_header_force(p, (size_t)header_bytes + ip_current_header_tot_len()) != 0) {
        return;
    }
    pbuf_ref(p); /* ip4_input() frees one; who called us frees the other. */
    ip4_input(p, ip_current_input_netif());
}

/* (3) */
static err_t renew(struct tcp_pcb *pcb, struct tcp_hdr *header, struct pbuf *p)
{
    bool whole = (const uint8_t *)header + TCPH_HDRLEN_BYTES(header) == (const uint8_t *)p->payload;

    if (!whole || !TCP_SEQ_GT(header->seqno, pcb->rcv_nxt)) {
        return ERR_OK;
    }
    tcp_abort(pcb); /* In TIME_WAIT this only forgets it. */
    input_again(header, p);
    return ERR_ABRT;
}

/* ERR_ABRT: the segment is done with. */
signed char net_lwip_segment_in(struct tcp_pcb *pcb, struct tcp_hdr *header, struct pbuf *p)
{
    net_lwip_assert_core();
    if ((TCPH_FLAGS(header) & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_SYN) {
        return ERR_OK;
    }
    switch (pcb->state) {
    case LISTEN:
        return admit((struct tcp_pcb_listen *)pcb, header);
    case TIME_WAIT:
        return renew(pcb, header, p);
    default:
        return ERR_OK;
    }
}
