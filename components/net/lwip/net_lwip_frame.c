/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip_frame.c: frames between the device and lwIP, in both directions without a copy.
 *
 *  (1) A received buffer becomes a custom pbuf that lives in the buffer's own client area. Freed by whoever holds it
 *      last, it goes back to the device.
 *  (2) A frame to send holds one reference on its first pbuf until the device says sent(). lwIP sees that reference
 *      and does not touch a segment that is still out (tcp_output_segment_busy).
 *  (3) A token is the pbuf's address with the parity of `grace` in bit 0.
 *  (4) `grace` grows by one only when no frame with the other parity is out. So when it has grown by two since a
 *      moment, every frame that was out at that moment has come back.
 *  (5) When too many buffers are held, frames that would be held too are dropped and come again; acknowledgements
 *      always pass, because they are what lets the held ones go.
 */
#define LOG_TAG "lwip"
#include "net_lwip.h"

#include "core/assert.h"
#include "core/log.h"
#include "lwip/etharp.h"
#include "lwip/inet_chksum.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/tcp.h"
#include "lwip/prot/udp.h"
#include <string.h>

_Static_assert(sizeof(struct pbuf_custom) <= NETBUF_CLIENT_BYTES, "lives in netbuf.client");

static struct netbuf *netbuf_of(const struct pbuf *p)
{
    return CONTAINER_OF((uintptr_t)p, struct netbuf, client);
}

static void release(struct pbuf *p)
{
    net_lwip_assert_core();
    ASSERT(net_lwip_self.rx_held > 0);
    net_lwip_self.rx_held--;
    netdev_release(net_lwip_self.device, netbuf_of(p));
}

size_t net_lwip_frame_tail_room(const struct pbuf *p)
{
    const struct pbuf_custom *custom = (const struct pbuf_custom *)p;

    if ((p->flags & PBUF_FLAG_IS_CUSTOM) == 0 || custom->custom_free_function != release || p->ref != 1) {
        return 0;
    }
    struct netbuf *buffer = netbuf_of(p);
    size_t used = (size_t)((const uint8_t *)p->payload + p->len - buffer->data);
    return used <= net_lwip_self.device->rx_buffer_bytes ? net_lwip_self.device->rx_buffer_bytes - used : 0;
}

/* --- in -------------------------------------------------------------------------------------------------------------
 */

static struct pbuf *wrap(struct netbuf *buffer)
{
    struct pbuf_custom *custom = (struct pbuf_custom *)buffer->client;
    uint16_t size = (uint16_t)buffer->size;

    custom->custom_free_function = release;
    net_lwip_self.rx_held++;
    return pbuf_alloced_custom(PBUF_RAW, size, PBUF_REF, custom, buffer->data, size);
}

static void drop(struct netbuf *frame) REQUIRES(LOOP)
{
    net_lwip_self.count.rx_dropped++;
    while (frame != NULL) {
        struct netbuf *next = frame->next;
        netdev_release(net_lwip_self.device, frame);
        frame = next;
    }
}

/* The frame's buffers as one pbuf chain. */
static struct pbuf *wrap_frame(struct netbuf *frame)
{
    struct pbuf *first = NULL;

    while (frame != NULL) {
        struct netbuf *next = frame->next;
        struct pbuf *p = wrap(frame);
        if (first == NULL) {
            first = p;
        } else {
            pbuf_cat(first, p);
        }
        frame = next;
    }
    return first;
}

/* Whether a buffer of this frame may be held for long: it has data of a connection, or is a piece of a datagram. What
 * it says of itself is only a guess at that; lwIP checks it later. */
static bool may_be_held(const struct netbuf *frame)
{
    const struct ip_hdr *ip = (const struct ip_hdr *)(frame->data + SIZEOF_ETH_HDR);

    if (frame->size < SIZEOF_ETH_HDR + IP_HLEN) {
        return true;
    }
    if (((const struct eth_hdr *)frame->data)->type != PP_HTONS(ETHTYPE_IP)) {
        return false;
    }
    const struct tcp_hdr *tcp = (const struct tcp_hdr *)((const uint8_t *)ip + IPH_HL_BYTES(ip));
    if ((IPH_OFFSET(ip) & PP_HTONS(IP_OFFMASK | IP_MF)) != 0 ||
        frame->size < SIZEOF_ETH_HDR + (size_t)IPH_HL_BYTES(ip) + TCP_HLEN) {
        return true;
    }
    return IPH_PROTO(ip) == IP_PROTO_TCP && lwip_ntohs(IPH_LEN(ip)) > IPH_HL_BYTES(ip) + TCPH_HDRLEN_BYTES(tcp);
}

/* (5): true when there is a buffer for it. */
static bool room_for(const struct netbuf *frame) REQUIRES(LOOP)
{
    if (net_lwip_self.rx_held < net_lwip_self.rx_held_max) {
        return true;
    }
    net_lwip_conn_shed();
    return net_lwip_self.rx_held < net_lwip_self.rx_held_max || !may_be_held(frame);
}

static void receive(struct netdev_client *client, struct netbuf *frame)
{
    (void)client;
    room_assert_loop();
    net_lwip_self.count.rx_frames++;
    net_lwip_self.busy_ns = clock_ns();
    if (frame->frame_size > UINT16_MAX || !room_for(frame)) {
        drop(frame);
        return;
    }
    uint16_t trusted = frame->checksum_ok ? NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP : 0;
    NETIF_SET_CHECKSUM_CTRL(&net_lwip_self.netif, (uint16_t)(net_lwip_self.checksums & ~trusted));
    struct pbuf *p = wrap_frame(frame);
    if (net_lwip_self.netif.input(p, &net_lwip_self.netif) != ERR_OK) {
        pbuf_free(p);
    }
    net_lwip_post();
}

/* --- out ------------------------------------------------------------------------------------------------------------
 */

/* Fills frame->segment from the chain. False: too many pieces for this device. */
static bool segments_of(const struct pbuf *p, struct netdev_segment *segment, struct netdev_frame *frame)
{
    unsigned count = 0;

    for (; p != NULL; p = p->next) {
        if (p->len == 0) {
            continue;
        }
        if (count == net_lwip_self.device->segments_max) {
            return false;
        }
        segment[count++] = (struct netdev_segment){p->payload, p->len};
    }
    frame->segment = segment;
    frame->segment_count = (uint16_t)count;
    return count > 0;
}

/* A device that fills in the checksum wants the pseudo header's sum in its place. All headers of what we send lie in
 * the first pbuf. */
static void offload_checksum(struct pbuf *p, struct netdev_frame *frame)
{
    const struct eth_hdr *eth = p->payload;
    const struct ip_hdr *ip = (const struct ip_hdr *)((const uint8_t *)p->payload + SIZEOF_ETH_HDR);

    if (p->len < SIZEOF_ETH_HDR + IP_HLEN || eth->type != PP_HTONS(ETHTYPE_IP)) {
        return;
    }
    uint16_t header = IPH_HL_BYTES(ip);
    uint16_t offset =
        IPH_PROTO(ip) == IP_PROTO_TCP ? offsetof(struct tcp_hdr, chksum) : offsetof(struct udp_hdr, chksum);
    size_t start = SIZEOF_ETH_HDR + (size_t)header;
    if ((IPH_PROTO(ip) != IP_PROTO_TCP && IPH_PROTO(ip) != IP_PROTO_UDP) || p->len < start + offset + 2) {
        return;
    }
    uint32_t sum = (uint32_t)lwip_htons((uint16_t)(lwip_ntohs(IPH_LEN(ip)) - header)) + lwip_htons(IPH_PROTO(ip));
    sum += (ip->src.addr & 0xffff) + (ip->src.addr >> 16) + (ip->dest.addr & 0xffff) + (ip->dest.addr >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    uint16_t folded = (uint16_t)sum;
    memcpy((uint8_t *)p->payload + start + offset, &folded, sizeof folded);
    frame->checksum = true;
    frame->checksum_start = (uint16_t)start;
    frame->checksum_offset = offset;
}

/* Given: one reference on `p`. */
static err_t send_pbuf(struct pbuf *p, struct netdev_frame *frame) REQUIRES(LOOP)
{
    unsigned parity = net_lwip_self.grace & 1;

    if (net_lwip_self.device->tx_checksum) {
        offload_checksum(p, frame);
    }
    frame->token = (void *)((uintptr_t)p | parity); /* (3) */
    status_t status = netdev_send(net_lwip_self.device, frame);
    if (status == ST_OK) {
        net_lwip_self.tx_out[parity]++;
        net_lwip_self.count.tx_frames++;
        return ERR_OK;
    }
    pbuf_free(p);
    if (status == ST_FULL) {
        net_lwip_self.count.tx_full++;
        net_lwip_self.starved = true;
        return ERR_MEM;
    }
    return ERR_IF;
}

static err_t output(struct netif *netif, struct pbuf *p)
{
    struct netdev_segment segment[NETDEV_SEGMENTS_MAX];
    struct netdev_frame frame = {0};

    (void)netif;
    room_assert_loop();
    net_lwip_self.busy_ns = clock_ns();
    if (segments_of(p, segment, &frame)) {
        pbuf_ref(p);
        return send_pbuf(p, &frame);
    }
    struct pbuf *copy = pbuf_clone(PBUF_RAW, PBUF_RAM, p); /* Many small lends in one segment. */
    if (copy == NULL) {
        net_lwip_self.starved = true;
        return ERR_MEM;
    }
    net_lwip_self.count.tx_copied++;
    bool fits = segments_of(copy, segment, &frame);
    ASSERT(fits);
    return send_pbuf(copy, &frame);
}

/* (4) */
static void advance_grace(void) REQUIRES(LOOP)
{
    if (net_lwip_self.tx_out[(net_lwip_self.grace & 1) ^ 1] == 0) {
        net_lwip_self.grace++;
    }
    net_lwip_self.freed = true;
    if (net_lwip_self.grace_awaited || net_lwip_self.starved) {
        net_lwip_post();
    }
}

static void sent(struct netdev_client *client, void *token)
{
    uintptr_t bits = (uintptr_t)token;
    unsigned parity = bits & 1;

    (void)client;
    room_assert_loop();
    ASSERT(net_lwip_self.tx_out[parity] > 0);
    net_lwip_self.tx_out[parity]--;
    pbuf_free((struct pbuf *)(bits & ~(uintptr_t)1));
    advance_grace();
}

static void room(struct netdev_client *client)
{
    (void)client;
    room_assert_loop();
    net_lwip_self.freed = true;
    net_lwip_post();
}

static void link_changed(struct netdev_client *client, bool up)
{
    (void)client;
    room_assert_loop();
    if (up) {
        log_info("%s: link up", net_lwip_self.device->name);
        netif_set_link_up(&net_lwip_self.netif);
    } else {
        log_warn("%s: link down", net_lwip_self.device->name);
        netif_set_link_down(&net_lwip_self.netif);
    }
    net_lwip_post();
}

/* --- joining --------------------------------------------------------------------------------------------------------
 */

err_t net_lwip_frame_netif(struct netif *netif)
{
    struct netdev *device = net_lwip_self.device;

    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->output = etharp_output;
    netif->linkoutput = output;
    netif->mtu = device->mtu;
    netif->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(netif->hwaddr, device->mac, ETH_HWADDR_LEN);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    uint16_t device_does = device->tx_checksum ? NETIF_CHECKSUM_GEN_TCP | NETIF_CHECKSUM_GEN_UDP : 0;
    net_lwip_self.checksums = (uint16_t)(NETIF_CHECKSUM_ENABLE_ALL & ~device_does);
    NETIF_SET_CHECKSUM_CTRL(netif, net_lwip_self.checksums);
    return ERR_OK;
}

void net_lwip_frame_init(void)
{
    struct netdev *device = net_lwip_self.device;

    /* The device keeps at least a quarter of its buffers to receive with. */
    net_lwip_self.rx_held_max = device->rx_buffers - device->rx_buffers / 4;
    net_lwip_self.device_client = (struct netdev_client){receive, sent, room, link_changed};
    netdev_attach(device, &net_lwip_self.device_client);
}
