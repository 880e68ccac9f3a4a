/* SPDX-License-Identifier: MIT OR Apache-2.0
 * lan.c: the layer-2 core of the fleet's switch.
 */
#include "lan.h"
#include <assert.h>
#include <string.h>
#include "dhcp.h"

#define MAC_BYTES 6u
#define GROUP 1 /* in an address's first byte: meant for many */

void lan_seed(struct lan *lan, uint64_t seed)
{
    lan->random = random_stream(seed, 'wire', 0);
}

void lan_init(struct lan *lan)
{
    memset(lan, 0, sizeof *lan);
    lan_seed(lan, 1);
    for (unsigned i = 0; i < LAN_FRAMES; i++) {
        lan->frame[i].next = lan->free;
        lan->free = &lan->frame[i];
    }
}

unsigned lan_port_add(struct lan *lan)
{
    assert(lan->port_count < LAN_PORTS);
    struct lan_port *port = &lan->port[lan->port_count];
    port->last = &port->first;
    return lan->port_count++;
}

/* --- on the way: a heap ---------------------------------------------------------------------------------------------- */

static bool sooner(const struct lan_frame *a, const struct lan_frame *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void heap_add(struct lan *lan, struct lan_frame *frame)
{
    unsigned at = lan->waiting++;

    for (; at > 0 && sooner(frame, lan->heap[(at - 1) / 2]); at = (at - 1) / 2) {
        lan->heap[at] = lan->heap[(at - 1) / 2];
    }
    lan->heap[at] = frame;
}

static struct lan_frame *heap_take(struct lan *lan)
{
    struct lan_frame *top = lan->heap[0];
    struct lan_frame *moved = lan->heap[--lan->waiting];
    unsigned at = 0;

    for (unsigned child = 1; child < lan->waiting; child = 2 * at + 1) {
        child += child + 1 < lan->waiting && sooner(lan->heap[child + 1], lan->heap[child]);
        if (!sooner(lan->heap[child], moved)) {
            break;
        }
        lan->heap[at] = lan->heap[child];
        at = child;
    }
    lan->heap[at] = moved;
    return top;
}

/* --- where stations are ---------------------------------------------------------------------------------------------- */

static uint64_t address_at(const char *bytes)
{
    uint64_t address = 0;

    memcpy(&address, bytes, MAC_BYTES);
    return address;
}

static uint64_t *station_find(struct lan_port *port, uint64_t address)
{
    for (unsigned i = 0; i < PORT_STATIONS && address != 0; i++) {
        if (port->station[i] == address) {
            return &port->station[i];
        }
    }
    return NULL;
}

/* (2) */
static void learn(struct lan *lan, unsigned number, uint64_t address)
{
    struct lan_port *port = &lan->port[number];

    if (station_find(port, address) != NULL) {
        return;
    }
    for (unsigned i = 0; i < lan->port_count; i++) {
        uint64_t *elsewhere = station_find(&lan->port[i], address);
        if (elsewhere != NULL) {
            *elsewhere = 0;
        }
    }
    port->station[port->station_next] = address;
    port->station_next = (port->station_next + 1) % PORT_STATIONS;
}

/* The port of a station; LAN_PORTS: nobody has heard of it. */
static unsigned port_of(struct lan *lan, uint64_t address)
{
    for (unsigned i = 0; i < lan->port_count; i++) {
        if (station_find(&lan->port[i], address) != NULL) {
            return i;
        }
    }
    return LAN_PORTS;
}

/* --- to one port ----------------------------------------------------------------------------------------------------- */

static struct lan_frame *frame_new(struct lan *lan, struct lan_port *port)
{
    struct lan_frame *frame = lan->free;

    if (frame == NULL || port->frames == PORT_FRAMES) {
        return NULL; /* (1) */
    }
    lan->free = frame->next;
    port->frames++;
    return frame;
}

static void copy_send(struct lan *lan, unsigned to, uint64_t now_ns, const char *bytes, size_t size,
                      const struct wire_copy *copy)
{
    struct lan_port *port = &lan->port[to];
    struct lan_frame *frame;

    port->count.delayed += copy->late;
    port->count.corrupted += copy->turned_bit >= 0;
    if (copy->lost) {
        port->count.lost++;
        return;
    }
    frame = frame_new(lan, port);
    if (frame == NULL) {
        port->count.full++;
        return;
    }
    frame->due_ns = now_ns + copy->travel_ns;
    frame->order = lan->order++;
    frame->port = to;
    frame->size = (uint32_t)size;
    wire_copy_bytes(copy, bytes, size, frame->bytes);
    heap_add(lan, frame);
}

static void send_to(struct lan *lan, unsigned to, uint64_t now_ns, const char *bytes, size_t size)
{
    struct lan_port *port = &lan->port[to];
    struct wire_fate fate = wire_fate(&lan->random, &lan->faults, bytes, size, 0);

    port->count.lost += fate.count == 0;
    port->count.duplicated += fate.count > 1;
    for (unsigned i = 0; i < fate.count; i++) {
        copy_send(lan, to, now_ns, bytes, size, &fate.copy[i]);
    }
}

/* --- from one port --------------------------------------------------------------------------------------------------- */

static bool is_frame(struct lan_counters *count, const char *frame, size_t size)
{
    count->in++;
    if (size < WIRE_FRAME_MIN) {
        count->too_short++;
        return false;
    }
    if (size > WIRE_FRAME_MAX) {
        count->too_long++;
        return false;
    }
    if ((frame[MAC_BYTES] & GROUP) != 0 || address_at(frame + MAC_BYTES) == 0) {
        count->bad_source++;
        return false;
    }
    return true;
}

static void answer_dhcp(struct lan *lan, unsigned port, uint64_t now_ns, const char *frame, size_t size)
{
    char reply[DHCP_REPLY_MAX];
    size_t reply_size = lan->leases ? dhcp_answer(frame, size, DHCP_FIRST + port, reply) : 0;

    if (reply_size > 0) {
        send_to(lan, port, now_ns, reply, reply_size);
    }
}

void lan_receive(struct lan *lan, unsigned port, uint64_t now_ns, const char *frame, size_t size)
{
    assert(port < lan->port_count);
    if (!is_frame(&lan->port[port].count, frame, size)) {
        return;
    }
    learn(lan, port, address_at(frame + MAC_BYTES));
    bool to_all = (frame[0] & GROUP) != 0;
    unsigned only = to_all ? LAN_PORTS : port_of(lan, address_at(frame));
    if (to_all) {
        answer_dhcp(lan, port, now_ns, frame, size);
    }
    for (unsigned to = 0; to < lan->port_count; to++) {
        if (to == port || (only != LAN_PORTS && to != only)) {
            continue;
        }
        if (wire_splits(lan->split, port, to)) {
            lan->port[to].count.split++;
            continue;
        }
        send_to(lan, to, now_ns, frame, size);
    }
}

/* --- at the ports ---------------------------------------------------------------------------------------------------- */

uint64_t lan_due(const struct lan *lan)
{
    return lan->waiting > 0 ? lan->heap[0]->due_ns : LAN_NEVER;
}

void lan_tick(struct lan *lan, uint64_t now_ns)
{
    while (lan_due(lan) <= now_ns) {
        struct lan_frame *frame = heap_take(lan);
        struct lan_port *port = &lan->port[frame->port];
        frame->next = NULL;
        *port->last = frame;
        port->last = &frame->next;
    }
}

const struct lan_frame *lan_next(const struct lan *lan, unsigned port)
{
    return lan->port[port].first;
}

void lan_sent(struct lan *lan, unsigned number, bool taken)
{
    struct lan_port *port = &lan->port[number];
    struct lan_frame *frame = port->first;

    assert(frame != NULL && port->frames > 0);
    port->first = frame->next;
    if (port->first == NULL) {
        port->last = &port->first;
    }
    port->frames--;
    port->count.out += taken;
    port->count.refused += !taken;
    frame->next = lan->free;
    lan->free = frame;
}
