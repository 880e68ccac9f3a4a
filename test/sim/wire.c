/* SPDX-License-Identifier: MIT OR Apache-2.0
 * wire.c: frames from node to node.
 */
#include "wire.h"
#include <string.h>
#include "dhcp.h"
#include "record.h"
#include "run.h"

#define BLIND 250000u /* of what is corrupt on its way from or to a node that is not believed: no checksum sees it */

static void arrive(struct node *to, uint64_t time_ns, const char *frame, size_t size, const struct wire_copy *copy)
{
    struct event *event = event_new(time_ns + copy->travel_ns, ACT_NODE, size);

    wire_copy_bytes(copy, frame, size, event->body);
    event->message.kind = SIM_FRAME;
    event->message.port = PORT_NET;
    node_tell(to, event);
}

/* What it says may be anything: then what it hears may be, too. */
static bool not_believed(const struct node *node)
{
    return node != NULL && node->hostile;
}

/* From a node, or from the switch itself (NULL). */
static void deliver(struct run *run, const struct node *from, struct node *to, uint64_t time_ns, const char *frame,
                    size_t size)
{
    struct flight flight = {.from = from, .to = to, .time_ns = time_ns, .travel_ns = LOOKAHEAD_NS, .lost = true};
    struct wire *wire = &run->wire;
    struct wire_faults faults = wire->faults;
    faults.blind = not_believed(from) || not_believed(to) ? BLIND : 0;
    struct wire_fate fate = wire_fate(&wire->random, &faults, frame, size, LOOKAHEAD_NS);

    wire->frames++;
    wire->lost += fate.count == 0;
    run->faults.fired[FAULT_LOSS] += fate.count == 0;
    run->faults.fired[FAULT_DUPLICATE] += fate.count > 1;
    if (fate.count == 0) {
        record_flight(run, &flight, frame, size);
    }
    for (unsigned i = 0; i < fate.count; i++) {
        const struct wire_copy *copy = &fate.copy[i];
        run->faults.fired[FAULT_CORRUPT] += copy->turned_bit >= 0;
        run->faults.fired[FAULT_DELAY] += copy->late;
        wire->lost += copy->lost;
        flight.travel_ns = copy->travel_ns;
        flight.lost = copy->lost;
        record_flight(run, &flight, frame, size);
        if (!copy->lost) {
            arrive(to, time_ns, frame, size, copy);
        }
    }
}

static bool reaches(const struct run *run, const struct node *from, const struct node *to)
{
    bool split = wire_splits(run->wire.split, from->number, to->number);

    return from->link_up && to->link_up && to->on && !split;
}

/* Node N is 10.9.0.(10 + N). */
static void answer_dhcp(struct run *run, struct node *from, uint64_t time_ns, const char *frame, size_t size)
{
    char reply[DHCP_REPLY_MAX];
    size_t reply_size = dhcp_answer(frame, size, DHCP_FIRST + from->number, reply);

    if (reply_size > 0) {
        deliver(run, NULL, from, time_ns, reply, reply_size);
    }
}

static void forward(struct run *run, struct node *from, uint64_t time_ns, const char *frame, size_t size)
{
    bool to_all = (frame[0] & 1) != 0;

    record_frame(run, from, time_ns, frame, size);
    if (to_all && from->link_up) {
        answer_dhcp(run, from, time_ns, frame, size);
    }
    for (unsigned i = 0; i < run->node_count; i++) {
        struct node *to = &run->node[i];
        if (from == to || !(to_all || memcmp(frame, to->mac, 6) == 0)) {
            continue;
        }
        if (reaches(run, from, to)) {
            deliver(run, from, to, time_ns, frame, size);
        } else {
            struct flight flight = {.from = from, .to = to, .time_ns = time_ns, .lost = true};
            record_flight(run, &flight, frame, size);
        }
    }
}

/* What becomes of a frame of a hostile node; `size` may shrink. */
static bool spoil(struct run *run, char *frame, size_t *size)
{
    struct wire *wire = &run->wire;
    struct random *random = &wire->ill;

    if (random_chance(random, wire->chances.mutates)) {
        return hostile_mutate(random, frame, *size);
    }
    if (random_chance(random, wire->chances.repeats)) {
        return hostile_repeat(&wire->said, frame, *size);
    }
    if (random_chance(random, wire->chances.truncates)) {
        return hostile_truncate(random, frame, size);
    }
    if (random_below(random, 8) == 0) {
        hostile_remember(&wire->said, frame, *size);
    }
    return false;
}

static void forward_spoiled(struct run *run, struct node *from, uint64_t time_ns, const char *frame, size_t size)
{
    struct wire *wire = &run->wire;
    uint32_t *fired = &run->faults.fired[FAULT_ILL];
    char bad[WIRE_FRAME_MAX];

    if (random_chance(&wire->ill, wire->chances.dies)) {
        from->mute_until_ns = time_ns + random_below(&wire->ill, wire->chances.dies_ns_max);
        (*fired)++;
    }
    if (time_ns < from->mute_until_ns) {
        return;
    }
    memcpy(bad, frame, size);
    *fired += spoil(run, bad, &size);
    forward(run, from, time_ns, bad, size);
    bool floods = random_chance(&wire->ill, wire->chances.floods);
    for (unsigned i = 0; floods && i < HOSTILE_BURST && hostile_syn(&wire->ill, bad, &size); i++) {
        (*fired)++;
        forward(run, from, time_ns, bad, size);
    }
}

void wire_send(struct run *run, struct node *from, uint64_t time_ns, const char *frame, size_t size)
{
    if (size < WIRE_FRAME_MIN || size > WIRE_FRAME_MAX) {
        run_violation(run, BY_MACHINE, "%s: sends a frame of %zu bytes", from->name, size);
    } else if (from->spoils) {
        forward_spoiled(run, from, time_ns, frame, size);
    } else {
        forward(run, from, time_ns, frame, size);
    }
}
