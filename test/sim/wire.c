/* SPDX-License-Identifier: MIT OR Apache-2.0
 * wire.c: frames from node to node.
 */
#include "wire.h"
#include <string.h>
#include "dhcp.h"
#include "record.h"
#include "run.h"

#define NS_PER_BYTE 1u /* about 8 Gbit/s */

struct wire_fate wire_fate(struct random *random, const struct wire_faults *faults, size_t size, uint64_t latency_ns)
{
    struct wire_fate fate = {.count = 1};

    if (random_chance(random, faults->loss)) {
        fate.count = 0;
        return fate;
    }
    if (random_chance(random, faults->duplicate)) {
        fate.count = WIRE_COPIES_MAX;
    }
    for (unsigned i = 0; i < fate.count; i++) {
        fate.copy[i].delay_ns = latency_ns + size * NS_PER_BYTE;
        fate.copy[i].turned_bit = -1;
        if (random_chance(random, faults->delay)) {
            fate.copy[i].delay_ns += random_below(random, faults->delay_ns_max);
        }
        if (random_chance(random, faults->corrupt)) {
            fate.copy[i].turned_bit = (int64_t)random_below(random, size * 8);
        }
    }
    return fate;
}

static void arrive(struct node *to, uint64_t time_ns, const char *frame, size_t size, int64_t turned_bit)
{
    struct event *event = event_new(time_ns, ACT_NODE, size);

    memcpy(event->body, frame, size);
    if (turned_bit >= 0) {
        event->body[turned_bit / 8] ^= (char)(1 << (turned_bit % 8));
    }
    event->message.kind = SIM_FRAME;
    event->message.port = PORT_NET;
    node_tell(to, event);
}

void wire_deliver(struct run *run, struct node *to, uint64_t time_ns, const char *frame, size_t size)
{
    struct wire *wire = &run->wire;
    struct wire_fate fate = wire_fate(&wire->random, &wire->faults, size, LOOKAHEAD_NS);

    wire->frames++;
    wire->lost += fate.count == 0;
    for (unsigned i = 0; i < fate.count; i++) {
        arrive(to, time_ns + fate.copy[i].delay_ns, frame, size, fate.copy[i].turned_bit);
    }
}

static bool reaches(const struct run *run, const struct node *from, const struct node *to)
{
    bool split = ((run->wire.split >> from->number ^ run->wire.split >> to->number) & 1) != 0;

    return from != to && from->link_up && to->link_up && to->on && !split;
}

void wire_send(struct run *run, struct node *from, uint64_t time_ns, const char *frame, size_t size)
{
    bool to_all = (frame[0] & 1) != 0;

    if (size < 14 || size > FRAME_MAX) {
        run_violation(run, "%s: sends a frame of %zu bytes", from->name, size);
        return;
    }
    record_frame(run, from, time_ns, frame, size);
    if (to_all && from->link_up) {
        dhcp_frame(run, from, time_ns, frame, size);
    }
    for (unsigned i = 0; i < run->node_count; i++) {
        struct node *to = &run->node[i];
        if (reaches(run, from, to) && (to_all || memcmp(frame, to->mac, 6) == 0)) {
            wire_deliver(run, to, time_ns, frame, size);
        }
    }
}
