/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip_time.c: lwIP's periodic work, done only while there is something to do it for.
 *
 * lwIP counts in ticks: 250 ms for TCP, 1 s for ARP, 0.5 s and 60 s for DHCP. One loop timer stands at
 * the earliest tick that somebody needs. An idle image with a static address arms none.
 */
#include "net_lwip.h"

#include "core/assert.h"
#include "lwip/etharp.h"
#include "lwip/ip4_frag.h"
#include "lwip/priv/tcp_priv.h"

struct tick {
    uint64_t interval_ns;
    void (*run)(void);
    bool (*needed)(void);
};

static bool tcp_needed(void)
{
    return tcp_active_pcbs != NULL || tcp_tw_pcbs != NULL;
}

/* After a frame the neighbour table may hold something for as long as its slowest entry
 * lives. */
static bool busy_lately(void)
{
    return net_lwip_self.busy_ns != 0 && clock_ns() - net_lwip_self.busy_ns < 310 * NS_PER_S; /* ARP_MAXAGE is 300 s. */
}

static bool dhcp_used(void)
{
    return netif_dhcp_data(&net_lwip_self.netif) != NULL;
}

static bool dhcp_waiting(void)
{
    return dhcp_used() && netif_dhcp_data(&net_lwip_self.netif)->request_timeout > 0;
}

static const struct tick ticks[] = {
    {TCP_TMR_INTERVAL * NS_PER_MS, tcp_tmr, tcp_needed},
    {ARP_TMR_INTERVAL * NS_PER_MS, etharp_tmr, busy_lately},
    {DHCP_COARSE_TIMER_MSECS * NS_PER_MS, dhcp_coarse_tmr, dhcp_used},
    {DHCP_FINE_TIMER_MSECS * NS_PER_MS, dhcp_fine_tmr, dhcp_waiting},
};
#define TICKS (sizeof ticks / sizeof ticks[0])

static uint64_t due_ns[TICKS]; /* [L] 0: not needed */

void net_lwip_time_update(void)
{
    uint64_t now = clock_ns();
    uint64_t next = UINT64_MAX;

    for (unsigned i = 0; i < TICKS; i++) {
        if (!ticks[i].needed()) {
            due_ns[i] = 0;
        } else if (due_ns[i] == 0) {
            due_ns[i] = now + ticks[i].interval_ns;
        }
        if (due_ns[i] != 0 && due_ns[i] < next) {
            next = due_ns[i];
        }
    }
    if (next == UINT64_MAX) {
        timer_cancel(&net_lwip_self.tick);
    } else if (!timer_armed(&net_lwip_self.tick) || net_lwip_self.tick.deadline_ns != next) {
        timer_set(&net_lwip_self.tick, next);
    }
}

static void fire(struct timer *timer)
{
    (void)timer;
    room_assert_loop();
    uint64_t now = clock_ns();
    for (unsigned i = 0; i < TICKS; i++) {
        if (due_ns[i] != 0 && due_ns[i] <= now) {
            /* Ticks that were missed are not made up for: late is better than a burst. */
            due_ns[i] = now + ticks[i].interval_ns;
            ticks[i].run();
        }
    }
    net_lwip_post(); /* Its end calls net_lwip_time_update(). */
}

void net_lwip_time_init(void)
{
    timer_init(&net_lwip_self.tick, fire);
}
