/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_info.h: the contract net_info.v1: what a network interface tells of itself.
 */
#pragma once
#include "core/room.h"
#include <stdbool.h>
#include <stdint.h>

enum net_lease { NET_LEASE_STATIC, NET_LEASE_ASKING, NET_LEASE_BOUND, NET_LEASE_RENEWING, NET_LEASE_REBINDING };

struct net_report {
    const char *name; /* the device's */
    uint8_t mac[6];
    uint16_t mtu;
    bool link_up;
    uint32_t address, netmask, gateway; /* 0: none; the first byte in the highest place */
    enum net_lease lease;               /* where the address comes from */
    uint32_t lease_seconds;             /* that are left of it, in steps of a minute; 0: static or none */
    uint64_t frames_in, frames_dropped, frames_out;
    uint64_t tcp_accepted, tcp_connected, tcp_refused, tcp_reset, tcp_timed_out, tcp_shed;
    uint32_t tcp_open, tcp_most; /* connections, and how many there can be */
};

struct net_info {
    void (*report)(struct net_info *info, struct net_report *report); /* [I] */
};

static inline void net_info_report(struct net_info *info, struct net_report *report) REQUIRES(LOOP)
{
    info->report(info, report);
}
