/* SPDX-License-Identifier: MIT OR Apache-2.0
 * lan.h: the layer-2 core of the fleet's switch: frames in by one port, out by others, with what goes wrong on cables.
 * It knows no sockets and no clock: whoever runs it gives the time and takes what is due.
 *
 *      lan_receive(port) -> fate of each copy -> on the way, by time -> lan_tick(now) -> at its port -> lan_next, lan_sent
 *
 *  (1) A frame slot is free, on the way, or at one port. Never are more than LAN_FRAMES in use, nor PORT_FRAMES for one port:
 *      a receiver that takes nothing costs nobody else a frame.
 *  (2) A station is where it was last heard. A port knows its newest PORT_STATIONS; frames for others go to all ports.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "wire_fate.h"

#define LAN_PORTS 32u /* a partition is a word of bits */
#define LAN_FRAMES 1024u
#define PORT_FRAMES 256u
#define PORT_STATIONS 16u
#define LAN_NEVER UINT64_MAX

struct lan_frame {
    uint64_t due_ns, order; /* of the same time the first to come goes first */
    struct lan_frame *next;
    unsigned port;
    uint32_t size;
    char bytes[WIRE_FRAME_MAX];
};

struct lan_counters {
    uint64_t in, out;
    uint64_t too_short, too_long, bad_source; /* came in and were no frames */
    uint64_t lost, split, full;               /* on the way to this port */
    uint64_t duplicated, corrupted, delayed;  /* on the way to this port */
    uint64_t refused;                         /* there was nobody at this port */
};

struct lan_port {
    struct lan_counters count;
    struct lan_frame *first, **last; /* at the port */
    unsigned frames;                 /* at the port, and on the way there */
    uint64_t station[PORT_STATIONS]; /* addresses, 0: none; the newest in front of `station_next` */
    unsigned station_next;
};

struct lan {
    struct random random;
    struct wire_faults faults;
    uint32_t split;
    bool leases; /* DHCP: port N is DHCP_FIRST + N */
    unsigned port_count;
    struct lan_port port[LAN_PORTS];
    struct lan_frame *heap[LAN_FRAMES]; /* the first `waiting` are on the way, the soonest on top */
    unsigned waiting;
    struct lan_frame *free;
    uint64_t order;
    struct lan_frame frame[LAN_FRAMES];
};

void lan_init(struct lan *lan);
/* What chance does from now on. */
void lan_seed(struct lan *lan, uint64_t seed);
/* One more port; its number. At most LAN_PORTS. */
unsigned lan_port_add(struct lan *lan);
/* A frame from the one at `port`. */
void lan_receive(struct lan *lan, unsigned port, uint64_t now_ns, const char *frame, size_t size);
/* When the next frame reaches its port; LAN_NEVER: none is on the way. */
uint64_t lan_due(const struct lan *lan);
/* Time passes: what is due is at its port. */
void lan_tick(struct lan *lan, uint64_t now_ns);
/* The frame at a port that is to be given to the one there, NULL: none. It stays until lan_sent. */
const struct lan_frame *lan_next(const struct lan *lan, unsigned port);
/* That frame is taken, or nobody is there to take it. */
void lan_sent(struct lan *lan, unsigned port, bool taken);
