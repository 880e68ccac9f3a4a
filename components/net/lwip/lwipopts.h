/* SPDX-License-Identifier: MIT OR Apache-2.0
 * lwipopts.h: how lwIP is built here: raw API on one loop, IPv4, nothing allocated that is not counted.
 *
 * Every pool is an array that the linker sees; together with the heap it is what this component costs beside its share
 * of the boot arena. The sums are chosen so that no set of connections can take what another needs:
 *
 *  (1) A segment record for each segment that all connections may have unacknowledged, and one for each FIN.
 *  (2) A reference for each piece of lent memory in those segments.
 *  (3) A heap that holds the headers of all those segments, packets without data that wait for a neighbour, and answers to
 *      ARP, ICMP and DHCP beside.
 */
#pragma once
#include "config.h"
#include <stdint.h>

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_TIMERS 0 /* net_lwip_time.c runs them, and only while they have something to do. */
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_RAW 0
#define LWIP_IPV4 1
#define LWIP_IPV6 0

/* Where it runs: LWIP_ASSERT_CORE_LOCKED() stands at the door of every function of its API. */
void net_lwip_assert_core(void);
#define LWIP_ASSERT_CORE_LOCKED() net_lwip_assert_core()

/* TCP */
#define TCP_MSS 1460
#define TCP_WND NET_LWIP_WINDOW
#define TCP_SND_BUF NET_LWIP_SEND_BUFFER
#define TCP_SND_QUEUELEN (3 * (TCP_SND_BUF / TCP_MSS) + 16)
#define TCP_OVERSIZE 0 /* Nothing is copied, so nothing is ever appended to a copy. */
#define TCP_LISTEN_BACKLOG 1
#define TCP_DEFAULT_LISTEN_BACKLOG NET_LWIP_BACKLOG
#define TCP_QUEUE_OOSEQ 1
#define TCP_OOSEQ_MAX_PBUFS 8
#define SO_REUSE 1 /* A port is listened on again while its old connections end. */
#define TCP_MSL 30000ul
#define TCP_MAXRTX 8
#define TCP_SYNMAXRTX 4
#define LWIP_TCP_RTO_TIME 1000 /* RFC 6298 section 2.1 */
#define LWIP_TCP_TIMESTAMPS 0
#define LWIP_WND_SCALE 0

/* What else is spoken */
#define LWIP_UDP 1
#define LWIP_DHCP 1
#define LWIP_DHCP_DOES_ACD_CHECK 0 /* It would hold the address back for seconds at every boot. */
#define LWIP_ACD 0
#define LWIP_AUTOIP 0
#define LWIP_IGMP 0
#define LWIP_DNS 0
#define LWIP_ICMP 1
#define IP_FORWARD 0
#define IP_FRAG 0       /* A datagram that does not fit is refused. */
#define IP_REASSEMBLY 0 /* nothing here needs fragments: TCP has its MSS, DHCP fits */
#define ARP_TABLE_SIZE NET_LWIP_ARP_ENTRIES
/* So many of the newest packets to a neighbour wait until it has said where it is: several connections may begin at once. */
#define ARP_QUEUEING 1
#define ARP_QUEUE_LEN 4
#define MEMP_NUM_ARP_QUEUE (ARP_TABLE_SIZE * ARP_QUEUE_LEN)
/* They are copied: lent memory must not be referred to from where nobody counts it. */
#define PBUF_NEEDS_COPY(p) ((void)(p), 1)

/* Memory */
#define MEM_ALIGNMENT 8
#define NET_LWIP_SEGMENTS (NET_LWIP_CONNECTIONS * (TCP_SND_BUF / TCP_MSS + 3))
#define MEMP_NUM_TCP_PCB (NET_LWIP_CONNECTIONS + 2 * NET_LWIP_BACKLOG + 8)
#define MEMP_NUM_TCP_PCB_LISTEN 16
#define MEMP_NUM_TCP_SEG (NET_LWIP_SEGMENTS + NET_LWIP_CONNECTIONS)
#define MEMP_NUM_PBUF (2 * NET_LWIP_SEGMENTS)
#define MEM_SIZE (NET_LWIP_SEGMENTS * 128 + MEMP_NUM_ARP_QUEUE * 128 + 16384)
#define MEMP_NUM_UDP_PCB 12
#define PBUF_POOL_SIZE 1 /* Frames arrive in the device's own buffers. */
#define PBUF_POOL_BUFSIZE 256
#define LWIP_SUPPORT_CUSTOM_PBUF 1
/* The checks of init.c assume received data in PBUF_POOL; net_lwip.c asserts what matters here. */
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1

/* Network interface */
#define LWIP_SINGLE_NETIF 1
#define LWIP_NETIF_HOSTNAME 1
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_NETIF_LINK_CALLBACK 1
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define ETH_PAD_SIZE 0

/* Counters for the console */
#define LWIP_STATS 1
#define LWIP_STATS_DISPLAY 0
#define LWIP_STATS_LARGE 1
#define LINK_STATS 0
#define ETHARP_STATS 0
#define UDP_STATS 0
#define ICMP_STATS 0
#define SYS_STATS 0

/* Hooks */
struct tcp_pcb;
struct tcp_hdr;
struct pbuf;
struct ip4_addr;
uint32_t net_lwip_isn(const struct ip4_addr *local, uint16_t local_port, const struct ip4_addr *remote,
                      uint16_t remote_port);
signed char net_lwip_segment_in(struct tcp_pcb *pcb, struct tcp_hdr *header, struct pbuf *p);
#define LWIP_HOOK_TCP_ISN net_lwip_isn
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, optlen, opt1len, opt2, p) net_lwip_segment_in(pcb, header, p)
