/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip_dhcp_test.c: the life of a lease, to its end: renewed with its server, rebound with any, refused, lost.
 *
 * lwIP counts leases in minutes, so a lease of some minutes is the shortest that shows all of it.
 */
#include "net_lwip_world.h"

#include "lib/inet/net_info.h"

#define MINUTE (60 * NS_PER_S)

void net_lwip_wire_netif(struct netdev *device);
status_t net_lwip_start(void);
struct net_info *net_lwip_provide_info(void);

static struct net_report report(void)
{
    struct net_info *info = net_lwip_provide_info();
    struct net_report r;

    info->report(info, &r);
    return r;
}

static void reset_counts(void)
{
    dhcp_discovers = dhcp_requests = dhcp_unicasts = dhcp_broadcasts = 0;
}

static void test_bound(void)
{
    dhcp_lease = 16 * 60;
    world_init();
    net_lwip_wire_netif(&device.netdev);
    CHECK_EQ(net_lwip_start(), ST_OK);
    test_room = ROOM_LOOP;
    CHECK_EQ(report().lease, NET_LEASE_ASKING);
    world_turns();
    device_answer();
    struct net_report r = report();
    CHECK_EQ(r.lease, NET_LEASE_BOUND);
    CHECK_EQ(r.lease_seconds, 16 * 60);
    CHECK_EQ(r.address, OUR_IP);
    CHECK_EQ(r.gateway, GATEWAY);
    CHECK_EQ(r.netmask, 0xffffff00u);
    CHECK_EQ(r.mtu, 1500);
    CHECK(r.link_up);
    CHECK_BYTES(r.mac, our_mac, 6);
    CHECK_STR(r.name, "net0");
}

/* At half of it the server that gave it is asked, alone; the address never goes. */
static void test_renewed(void)
{
    test_room = ROOM_LOOP;
    reset_counts();
    world_advance(7 * MINUTE);
    CHECK_EQ(dhcp_unicasts + dhcp_broadcasts, 0);
    world_advance(2 * MINUTE);
    CHECK_EQ(dhcp_unicasts, 1);
    CHECK_EQ(dhcp_broadcasts, 0);
    CHECK_EQ(report().lease, NET_LEASE_BOUND);
    CHECK(report().lease_seconds > 14 * 60);
    for (unsigned i = 0; i < 200; i++) {
        world_advance(MINUTE);
        CHECK(net_lwip_self.address_known);
    }
    CHECK(dhcp_unicasts > 20);
    CHECK_EQ(dhcp_discovers + dhcp_broadcasts, 0);
}

/* Its server is deaf: it is asked again and again, then, at 7/8, everybody is. */
static void test_rebound(void)
{
    test_room = ROOM_LOOP;
    dhcp_hears = DHCP_HEARS_BROADCAST;
    reset_counts();
    bool renewing = false;
    for (unsigned i = 0; i < 24 && dhcp_broadcasts == 0; i++) {
        world_advance(MINUTE);
        renewing |= report().lease == NET_LEASE_RENEWING;
        CHECK(net_lwip_self.address_known);
    }
    CHECK(renewing);
    CHECK(dhcp_unicasts > 1);
    CHECK_EQ(dhcp_broadcasts, 1);
    CHECK_EQ(dhcp_discovers, 0);
    CHECK_EQ(report().lease, NET_LEASE_BOUND);
    CHECK(report().lease_seconds > 14 * 60);
}

/* Nobody answers: the address goes when the lease is over, not before, and a server that comes back gives a new one. */
static void test_lost(void)
{
    test_room = ROOM_LOOP;
    uint32_t left = report().lease_seconds;
    uint64_t since = test_clock_ns;

    dhcp_hears = DHCP_HEARS_NOTHING;
    reset_counts();
    while (net_lwip_self.address_known && test_clock_ns - since < 60 * MINUTE) {
        world_advance(NS_PER_S);
    }
    uint64_t took_s = (test_clock_ns - since) / NS_PER_S;
    CHECK(!net_lwip_self.address_known);
    CHECK(took_s + 60 >= left && took_s <= left + 120);
    CHECK(dhcp_unicasts > 0 && dhcp_broadcasts > 0);
    CHECK_EQ(report().lease, NET_LEASE_ASKING);
    CHECK_EQ(report().lease_seconds, 0);
    CHECK_EQ(report().address, 0);
    world_advance(10 * MINUTE);
    CHECK(dhcp_discovers > 1);
    dhcp_hears = DHCP_HEARS_ALL;
    world_advance(2 * MINUTE);
    CHECK(net_lwip_self.address_known);
    CHECK_EQ(report().lease, NET_LEASE_BOUND);
}

/* A server that takes the address back: it is asked for another at once. */
static void test_refused(void)
{
    test_room = ROOM_LOOP;
    reset_counts();
    dhcp_verdict = 6;
    world_advance(9 * MINUTE);
    CHECK_EQ(dhcp_verdict, 5);
    CHECK_EQ(dhcp_unicasts, 1);
    CHECK_EQ(dhcp_discovers, 1); /* begun anew, */
    CHECK_EQ(dhcp_broadcasts, 1);
    CHECK(net_lwip_self.address_known); /* with success */
    CHECK_EQ(report().lease, NET_LEASE_BOUND);
}

int main(void)
{
    RUN(test_bound);
    RUN(test_renewed);
    RUN(test_rebound);
    RUN(test_lost);
    RUN(test_refused);
    return test_end();
}
