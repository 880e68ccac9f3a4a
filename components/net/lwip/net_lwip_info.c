/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip_info.c: what the interface tells of itself (lib/inet/net_info.h).
 */
#include "net_lwip.h"

#include "lib/inet/net_info.h"
#include "lwip/prot/dhcp.h"
#include <string.h>

/* lwIP counts a lease in ticks of DHCP_COARSE_TIMER_SECS. */
static void report_lease(const struct dhcp *dhcp, struct net_report *r)
{
    if (!NET_LWIP_DHCP) {
        return;
    }
    switch (dhcp == NULL ? DHCP_STATE_OFF : dhcp->state) {
    case DHCP_STATE_BOUND:
        r->lease = NET_LEASE_BOUND;
        break;
    case DHCP_STATE_RENEWING:
        r->lease = NET_LEASE_RENEWING;
        break;
    case DHCP_STATE_REBINDING:
        r->lease = NET_LEASE_REBINDING;
        break;
    default:
        r->lease = NET_LEASE_ASKING;
        return;
    }
    r->lease_seconds = (uint32_t)(dhcp->t0_timeout - dhcp->lease_used) * DHCP_COARSE_TIMER_SECS;
}

static void report_tcp(struct net_report *r)
{
    const struct net_lwip_counters *n = &net_lwip_self.count;

    r->tcp_accepted = n->accepted;
    r->tcp_connected = n->connected;
    r->tcp_refused = n->refused;
    r->tcp_reset = n->reset;
    r->tcp_timed_out = n->timed_out;
    r->tcp_shed = n->shed;
    r->tcp_open = net_lwip_self.conn_pool.in_use;
    r->tcp_most = net_lwip_self.conn_pool.count;
}

static void report(struct net_info *info, struct net_report *r)
{
    struct netif *netif = &net_lwip_self.netif;

    (void)info;
    room_assert_loop();
    *r = (struct net_report){
        .lease = NET_LEASE_STATIC,
        .name = net_lwip_self.device->name,
        .mtu = netif->mtu,
        .link_up = net_lwip_self.device->link_up,
        .address = lwip_ntohl(netif_ip4_addr(netif)->addr),
        .netmask = lwip_ntohl(netif_ip4_netmask(netif)->addr),
        .gateway = lwip_ntohl(netif_ip4_gw(netif)->addr),
        .frames_in = net_lwip_self.count.rx_frames,
        .frames_dropped = net_lwip_self.count.rx_dropped,
        .frames_out = net_lwip_self.count.tx_frames,
    };
    memcpy(r->mac, netif->hwaddr, sizeof r->mac);
    report_lease(netif_dhcp_data(netif), r);
    report_tcp(r);
}

struct net_info *net_lwip_provide_info(void) REQUIRES(BOOT);
struct net_info *net_lwip_provide_info(void)
{
    static struct net_info info = {report};

    return &info;
}
