/* SPDX-License-Identifier: MIT OR Apache-2.0
 * wire.c: frames from node to node.
 */
#include "wire.h"
#include <string.h>
#include "dhcp.h"
#include "record.h"
#include "run.h"

#define NS_PER_BYTE 1u /* about 8 Gbit/s */

/* Every frame draws once; each question asks of that draw in its own way, so that one fault's chance does not move another's
 * luck. */
static struct random question(uint64_t draw, unsigned number)
{
    return (struct random){random_mix(draw + number)};
}

static struct wire_copy copy_fate(uint64_t draw, unsigned number, const struct wire_faults *faults, size_t size)
{
    struct random delay = question(draw, 4 * number + 8);
    struct random corrupt = question(draw, 4 * number + 9);
    struct wire_copy copy = {.turned_bit = -1};

    if (random_chance(&delay, faults->delay)) {
        copy.delay_ns = random_below(&delay, faults->delay_ns_max);
    }
    if (random_chance(&corrupt, faults->corrupt)) {
        copy.turned_bit = (int64_t)random_below(&corrupt, size * 8);
    }
    return copy;
}

struct wire_fate wire_fate(struct random *random, const struct wire_faults *faults, size_t size, uint64_t latency_ns)
{
    uint64_t draw = random_next(random);
    struct random loss = question(draw, 0);
    struct random duplicate = question(draw, 1);
    struct wire_fate fate = {.count = random_chance(&loss, faults->loss) ? 0 : 1};

    if (fate.count == 1 && random_chance(&duplicate, faults->duplicate)) {
        fate.count = WIRE_COPIES_MAX;
    }
    for (unsigned i = 0; i < fate.count; i++) {
        fate.copy[i] = copy_fate(draw, i, faults, size);
        fate.copy[i].delay_ns += latency_ns + size * NS_PER_BYTE;
    }
    return fate;
}

/* A turned bit that a card would see by the frame's own checksum loses the frame: only what IP and what is above it check for
 * themselves comes through turned. */
static bool comes_through(const char *frame, int64_t turned_bit)
{
    static const char ipv4[2] = {0x08, 0x00};

    return turned_bit < 0 || (turned_bit >= 14 * 8 && memcmp(frame + 12, ipv4, sizeof ipv4) == 0);
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
    run->faults.fired[FAULT_LOSS] += fate.count == 0;
    run->faults.fired[FAULT_DUPLICATE] += fate.count > 1;
    for (unsigned i = 0; i < fate.count; i++) {
        run->faults.fired[FAULT_CORRUPT] += fate.copy[i].turned_bit >= 0;
        run->faults.fired[FAULT_DELAY] += fate.copy[i].delay_ns > LOOKAHEAD_NS + size * NS_PER_BYTE;
        if (!comes_through(frame, fate.copy[i].turned_bit)) {
            wire->lost++;
            continue;
        }
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
