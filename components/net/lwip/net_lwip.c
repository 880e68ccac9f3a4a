/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip.c: the stack as a component: start, address, readiness, the turn's work, the console's `net`.
 *
 *  (1) The image is ready only when it has an address on a link that is up.
 *  (2) No frame leaves before the first turn: at BOOT lwIP is only set up.
 */
#define LOG_TAG "lwip"
#include "net_lwip.h"

#include "core/assert.h"
#include "core/diag.h"
#include "core/image.h"
#include "core/log.h"
#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/stats.h"
#include "netif/ethernet.h"
#include <string.h>

_Static_assert(TCP_WND >= 2 * TCP_MSS && TCP_SND_BUF >= 2 * TCP_MSS, "two segments, or delayed acknowledgements stall");
_Static_assert(TCP_SND_QUEUELEN >= 2 * (TCP_SND_BUF / TCP_MSS), "a header and a reference for each segment");
_Static_assert(MEMP_NUM_TCP_SEG >= TCP_SND_QUEUELEN, "one connection can always send");

struct net_lwip net_lwip_self;

void net_lwip_assert_core(void)
{
    enum room_id room = room_current();

    ASSERT(room == ROOM_LOOP || room == ROOM_BOOT);
}

void net_lwip_post(void)
{
    if (room_current() == ROOM_LOOP) { /* At BOOT the first turn does it all anyway. */
        loop_post(&net_lwip_self.work);
    }
}

/* Who waits for the device to give frames back, or for memory, may have waited long enough. */
static void wake_waiting(void) REQUIRES(LOOP)
{
    if (!net_lwip_self.freed) {
        return; /* Without this, whoever waits would be asked again and again. */
    }
    net_lwip_self.freed = false;
    if (net_lwip_self.grace_awaited) {
        net_lwip_self.grace_awaited = false;
        for (struct list *node = net_lwip_self.conns.next; node != &net_lwip_self.conns; node = node->next) {
            struct net_lwip_conn *conn = CONTAINER_OF(node, struct net_lwip_conn, node);
            if (conn->back + conn->back_later > 0 || conn->state == CONN_DEAD) {
                net_lwip_conn_ready(conn);
            }
        }
    }
    if (net_lwip_self.starved) {
        net_lwip_self.starved = false;
        net_lwip_conn_output_all();
    }
}

static void work(struct work *unused)
{
    (void)unused;
    room_assert_loop();
    wake_waiting();
    net_lwip_conn_run_ready();
    net_lwip_time_update();
}

static void deadline(struct timer *timer)
{
    (void)timer;
    room_assert_loop();
    net_lwip_conn_deadlines();
}

/* --- address --------------------------------------------------------------------------------------------------------
 */

#define IP4_TEXT "%u.%u.%u.%u"
#define IP4_PARTS(a) ip4_addr1(a), ip4_addr2(a), ip4_addr3(a), ip4_addr4(a)

static unsigned prefix_bits(const ip4_addr_t *mask)
{
    return (unsigned)__builtin_popcount(mask->addr);
}

static void address_gained(struct netif *netif) REQUIRES(LOOP)
{
    const ip4_addr_t *address = netif_ip4_addr(netif);
    const ip4_addr_t *gateway = netif_ip4_gw(netif);

    log_info("%s: " IP4_TEXT "/%u, gateway " IP4_TEXT ", %s", net_lwip_self.device->name, IP4_PARTS(address),
             prefix_bits(netif_ip4_netmask(netif)), IP4_PARTS(gateway), NET_LWIP_DHCP ? "by DHCP" : "static");
    timer_cancel(&net_lwip_self.address_late);
    if (!ip4_addr_isany(gateway)) {
        /* The answer fills our table, and the question fills the gateway's: it need not ask before it sends to us. */
        status_t asked = etharp_request(netif, gateway) == ERR_OK ? ST_OK : ST_AGAIN;
        status_ignore(asked, "the first packet out asks again");
    }
    ready_release(&net_lwip_self.ready_hold);
}

/* lwIP: the interface, its link or its address changed. */
static void status_changed(struct netif *netif)
{
    room_assert_loop();
    bool known = netif_is_up(netif) && netif_is_link_up(netif) && !ip4_addr_isany(netif_ip4_addr(netif));
    if (known == net_lwip_self.address_known) {
        return;
    }
    net_lwip_self.address_known = known;
    if (known) {
        address_gained(netif);
    } else {
        log_warn("%s: no address any more", net_lwip_self.device->name);
    }
}

static void address_late(struct timer *timer)
{
    (void)timer;
    room_assert_loop();
    if (!net_lwip_self.device->link_up) {
        log_warn("%s: no link; still waiting", net_lwip_self.device->name);
    } else {
        log_warn("%s: no DHCP server answers; still asking. A static address: net/lwip dhcp=no address=...",
                 net_lwip_self.device->name);
    }
}

static void use_static_address(struct netif *netif)
{
    ip4_addr_t address = {lwip_htonl(NET_LWIP_ADDRESS)};
    ip4_addr_t netmask = {lwip_htonl(NET_LWIP_NETMASK)};
    ip4_addr_t gateway = {lwip_htonl(NET_LWIP_GATEWAY)};

    netif_set_addr(netif, &address, &netmask, &gateway);
}

/* The first turn: (2). */
static void begin(struct work *unused)
{
    struct netif *netif = &net_lwip_self.netif;

    (void)unused;
    room_assert_loop();
    netif_set_status_callback(netif, status_changed);
    netif_set_link_callback(netif, status_changed);
    netif_set_up(netif);
    if (net_lwip_self.device->link_up) {
        netif_set_link_up(netif);
    }
    timer_set(&net_lwip_self.address_late, clock_ns() + 10 * NS_PER_S);
    if (NET_LWIP_DHCP) {
        dhcp_set_struct(netif, &net_lwip_self.dhcp);
        status_t begun = dhcp_start(netif) == ERR_OK ? ST_OK : ST_NOMEM;
        ASSERT(begun == ST_OK); /* Its UDP record is counted in MEMP_NUM_UDP_PCB. */
    } else {
        use_static_address(netif);
    }
    net_lwip_post();
}

/* --- console --------------------------------------------------------------------------------------------------------
 */

static void show_connections(void)
{
    static const char *const names[] = {"free", "offered", "opening", "open", "closing", "dead"};

    for (struct list *node = net_lwip_self.conns.next; node != &net_lwip_self.conns; node = node->next) {
        const struct net_lwip_conn *conn = CONTAINER_OF(node, struct net_lwip_conn, node);
        diag_print("  %-22s %-8s held %u, lent %zu\n", conn->stream.peer, names[conn->state],
                   conn->held == NULL ? 0u : conn->held->tot_len, conn->unacked + conn->back + conn->back_later);
    }
}

static void show_table(const char *name, uint64_t in_use, uint64_t count, uint64_t most)
{
    diag_print("  %-24s %6llu of %6llu, at most %llu\n", name, (unsigned long long)in_use, (unsigned long long)count,
               (unsigned long long)most);
}

static void show_tables(void)
{
    const struct stats_mem *segments = lwip_stats.memp[MEMP_TCP_SEG];

    show_table("connections", net_lwip_self.conn_pool.in_use, net_lwip_self.conn_pool.count,
               net_lwip_self.conn_pool.in_use_max);
    diag_print("  %-24s %6u of %6u\n", "receive buffers held", net_lwip_self.rx_held, net_lwip_self.rx_held_max);
    show_table("segments", segments->used, MEMP_NUM_TCP_SEG, segments->max);
    show_table("heap bytes", lwip_stats.mem.used, MEM_SIZE, lwip_stats.mem.max);
}

static void show(int argc, char **argv)
{
    const struct net_lwip_counters *n = &net_lwip_self.count;
    const ip4_addr_t *address = netif_ip4_addr(&net_lwip_self.netif);

    (void)argc;
    (void)argv;
    diag_print("%s " IP4_TEXT "/%u link %s mtu %u\n", net_lwip_self.device->name, IP4_PARTS(address),
               prefix_bits(netif_ip4_netmask(&net_lwip_self.netif)), net_lwip_self.device->link_up ? "up" : "down",
               net_lwip_self.netif.mtu);
    diag_print("frames in %llu (dropped %llu), out %llu (ring full %llu, copied %llu)\n",
               (unsigned long long)n->rx_frames, (unsigned long long)n->rx_dropped, (unsigned long long)n->tx_frames,
               (unsigned long long)n->tx_full, (unsigned long long)n->tx_copied);
    diag_print(
        "tcp accepted %llu connected %llu refused %llu reset %llu timed out %llu shed %llu half-open dropped %llu\n",
        (unsigned long long)n->accepted, (unsigned long long)n->connected, (unsigned long long)n->refused,
        (unsigned long long)n->reset, (unsigned long long)n->timed_out, (unsigned long long)n->shed,
        (unsigned long long)n->half_open_dropped);
    show_tables();
    show_connections();
}

static void add_command(void) REQUIRES(BOOT)
{
    static struct diag_command command = {.name = "net", .help = "address, connections, counters", .run = show};

    diag_command_add(&command);
}

/* --- the component --------------------------------------------------------------------------------------------------
 */

void net_lwip_wire_netif(struct netdev *device) REQUIRES(BOOT);
void net_lwip_wire_netif(struct netdev *device)
{
    net_lwip_self.device = device;
}

void net_lwip_wire_random(struct random *random) REQUIRES(BOOT);
void net_lwip_wire_random(struct random *random)
{
    net_lwip_self.random = random;
}

status_t net_lwip_start(void) REQUIRES(BOOT);
status_t net_lwip_start(void)
{
    if (!NET_LWIP_DHCP && NET_LWIP_ADDRESS == 0) {
        log_err("dhcp=no, but no address; add address=A.B.C.D to the component line of net/lwip");
        return ST_BADARG;
    }
    list_init(&net_lwip_self.listeners);
    net_lwip_hook_init();
    net_lwip_conn_init();
    net_lwip_time_init();
    timer_init(&net_lwip_self.deadline, deadline);
    timer_init(&net_lwip_self.address_late, address_late);
    work_init(&net_lwip_self.work, work);
    work_init(&net_lwip_self.begin, begin);
    lwip_init();
    if (netif_add_noaddr(&net_lwip_self.netif, NULL, net_lwip_frame_netif, ethernet_input) == NULL) {
        return ST_NOMEM;
    }
    netif_set_hostname(&net_lwip_self.netif, image_info.profile);
    netif_set_default(&net_lwip_self.netif);
    net_lwip_frame_init();
    add_command();
    ready_hold(&net_lwip_self.ready_hold);
    loop_post_boot(&net_lwip_self.begin);
    return ST_OK;
}
