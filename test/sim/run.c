/* SPDX-License-Identifier: MIT OR Apache-2.0
 * run.c: the order of events.
 *
 *      boot all -> faults happen -> calm: all is mended, nodes with disks boot anew -> workloads must end -> rest -> checkers
 */
#include "run.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hash.h"
#include "record.h"

#define FAULTS_FROM_NS (300 * NS_PER_MS)
#define CALM_NS (5 * NS_PER_S)      /* when faults end */
#define BACK_NS_MAX (40 * NS_PER_S) /* from then until a device that is away is back */
#define NOTICED_NS_MAX                                                                                                 \
    (40 * NS_PER_S) /* and its driver has it again: two looks, ten seconds apart, and the longest wait */

void run_violation(struct run *run, enum checker by, const char *format, ...)
{
    va_list args;

    run->over = true;
    if (run->violation[0] != '\0') {
        return;
    }
    run->by = by;
    va_start(args, format);
    vsnprintf(run->violation, sizeof run->violation, format, args);
    va_end(args);
}

void run_hash(struct run *run, uint64_t word)
{
    run->hash = run->hash_over ? run->hash : hash_word(run->hash, word);
}

void run_hash_bytes(struct run *run, const void *bytes, size_t size)
{
    run->hash = run->hash_over ? run->hash : hash_bytes(run->hash, bytes, size);
}

/* --- the world ------------------------------------------------------------------------------------------------------- */

void world_act(struct run *run, uint64_t time_ns, enum act act, uint64_t a, uint64_t b)
{
    struct event *event = event_new(time_ns, act, 0);

    event->message.a = a;
    event->message.b = b;
    queue_add(&run->world, event);
}

/* What makes a disk fail. A driver that resets what it drives and goes on says so of the next FLUSH (drv/nvme, drv/virtio-scsi). */
static uint32_t disk_failures(const struct run *run)
{
    uint32_t faults = FAULTS_DISHONEST | 1u << FAULT_IO_ERROR | 1u << FAULT_DISK_FULL;

    for (unsigned i = 0; i < run->node_count; i++) {
        const char *disk = run->node[i].image->disk;
        faults |= disk != NULL && strcmp(disk, IMAGE_VIRTIO_BLK) != 0 ? FAULTS_DEVICE | 1u << FAULT_STALL : 0;
    }
    return faults;
}

/* Nodes with disks start anew: what is seen from here on is what lasted. Always when a disk failed, else in every other run: what
 * a node did not give back is seen only where it goes on. */
static bool disks_anew(const struct run *run)
{
    struct random random = random_stream(run->seed, 'anew', 0);

    return faults_fired(run, disk_failures(run)) || random_below(&random, 2) == 0;
}

/* What is not there comes back later: so long that its driver has noticed. */
static void devices_over(struct run *run, struct node *node)
{
    struct random random = random_stream(run->seed, 'back', node->number);

    for (unsigned device = 0; device < SIM_DEVICES; device++) {
        uint64_t back_ns = run->now_ns + random_below(&random, BACK_NS_MAX);
        node_strike(node, act_device((enum sim_device)device, SIM_FAULT_OVER, 0), run->now_ns);
        node_strike(node, act_device((enum sim_device)device, SIM_FAULT_OVER, 1), back_ns);
    }
}

bool run_settled(const struct run *run)
{
    return run->calm &&
           (!faults_fired(run, FAULTS_DEVICE) || run->now_ns >= run->calm_ns + BACK_NS_MAX + NOTICED_NS_MAX);
}

/* What it was told at its boot is over. */
static void node_spare(struct run *run, struct node *node)
{
    if ((run->faults.on & (1u << FAULT_PREEMPT | 1u << FAULT_EDGE)) != 0) {
        node_preempt(node, run->now_ns);
    }
    if ((run->faults.on & 1u << FAULT_MEMORY) != 0) {
        node_scarce(node, run->now_ns);
    }
}

static void calm(struct run *run)
{
    if (run->calm) {
        return;
    }
    run->calm = true;
    run->calm_ns = run->now_ns;
    bool anew = disks_anew(run);
    faults_end(run);
    for (unsigned i = 0; i < run->node_count; i++) {
        if (run->node[i].disk != NULL && anew) {
            node_cut(&run->node[i]);
        }
        if (run->node[i].clock.drift_ppm != 0) {
            node_drift(&run->node[i], 0, run->now_ns);
        }
        if (!run->node[i].on) {
            node_boot(&run->node[i], run->now_ns);
        } else {
            node_spare(run, &run->node[i]);
        }
        if ((run->faults.on & FAULTS_DEVICE) != 0) {
            devices_over(run, &run->node[i]);
        }
        if (!run->node[i].link_up) {
            node_plug(&run->node[i], true, run->now_ns);
        }
    }
    record_note(run, NULL, "calm: no more faults");
}

static void fault_fired(struct run *run, enum fault fault)
{
    run->faults.fired[fault]++;
}

static void disturb(struct run *run, const struct event *event)
{
    struct node *node = &run->node[event->message.a % run->node_count];

    switch (event->act) {
    case ACT_CUT:
        fault_fired(run, (enum fault)event->message.b);
        node_cut(node);
        return;
    case ACT_RESET:
        fault_fired(run, FAULT_LOOP);
        node_reset(node);
        return;
    case ACT_LOOP:
        node->stops = (unsigned)event->message.b;
        return;
    case ACT_REBOOT:
        fault_fired(run, FAULT_REBOOT);
        node_type(node, "reboot\n", run->now_ns);
        return;
    case ACT_LINK:
        fault_fired(run, FAULT_LINK);
        node_plug(node, event->message.b == 1, run->now_ns);
        return;
    case ACT_WALL:
        fault_fired(run, FAULT_WALL);
        node_wall(node, event->message.b, run->now_ns);
        return;
    case ACT_DRIFT:
        fault_fired(run, FAULT_DRIFT);
        node_drift(node, (int32_t)event->message.b - DRIFT_PPM_MAX, run->now_ns);
        return;
    case ACT_DEVICE:
        node_strike(node, event->message.b, run->now_ns);
        return;
    case ACT_DISK_FULL:
        disk_faults(node->disk)->full = event->message.b != 0;
        record_note(run, node, event->message.b != 0 ? "disk: full" : "disk: room again");
        return;
    case ACT_PARTITION:
        fault_fired(run, FAULT_PARTITION);
        run->wire.split = (uint32_t)event->message.a;
        record_note(run, NULL, "partition");
        return;
    default:
        run->wire.split = 0;
        record_note(run, NULL, "heal");
        return;
    }
}

/* What makes a node ill stays until it boots; a boot that came meanwhile has done it. */
static void repair(struct run *run, struct node *node, uint64_t boot)
{
    if (node->on && node->boots == boot) {
        node_cut(node);
        world_act(run, run->now_ns + 100 * NS_PER_MS, ACT_BOOT, node->number, 0);
    }
}

void run_node_ill(struct run *run, struct node *node)
{
    world_act(run, run->now_ns + 500 * NS_PER_MS, ACT_REPAIR, node->number, node->boots);
}

static void act(struct run *run, const struct event *event)
{
    struct node *node = &run->node[event->message.a % run->node_count];

    run_hash(run, event->act);
    run->event_count++;
    if (event->act == ACT_BOOT) {
        if (!node->on) {
            node_boot(node, run->now_ns);
        }
    } else if (event->act == ACT_CALM) {
        calm(run);
    } else if (event->act == ACT_REPAIR) {
        repair(run, node, event->message.b);
    } else if (event->act == ACT_REST) {
        rest_act(run);
    } else if (event->act == ACT_END && run->check.rest == NULL) {
        run->over = event->message.a != 0;
        rest_ask(run); /* for whoever reads why the workload did not end */
        world_act(run, run->now_ns + 100 * NS_PER_MS, ACT_END, 1, 0);
    } else if (!run->calm) {
        disturb(run, event);
    }
}

/* --- the order ------------------------------------------------------------------------------------------------------- */

void run_node_audits(struct run *run, struct node *node)
{
    node->audits = true;
    for (unsigned i = 0; i < run->node_count; i++) {
        if (run->node[i].load && !run->node[i].audits) {
            return;
        }
    }
    world_act(run, run->now_ns, ACT_CALM, 0, 0);
}

void run_node_done(struct run *run, struct node *node)
{
    node->done = true;
    for (unsigned i = 0; i < run->node_count; i++) {
        if (run->node[i].load && !run->node[i].done) {
            return;
        }
    }
    rest_begin(run);
}

static struct node *node_first(struct run *run)
{
    struct node *first = &run->node[0];

    for (unsigned i = 1; i < run->node_count; i++) {
        if (node_next(&run->node[i]) < node_next(first)) {
            first = &run->node[i];
        }
    }
    return first;
}

/* Whatever comes first; the world before a node of the same time. */
static void step(struct run *run)
{
    struct node *node = node_first(run);
    uint64_t time_ns = node_next(node);

    if (queue_time(&run->world) <= time_ns) {
        struct event *event = queue_take(&run->world);
        run->now_ns = event->time_ns > run->now_ns ? event->time_ns : run->now_ns;
        act(run, event);
        event_free(event);
        return;
    }
    run->now_ns = time_ns;
    uint64_t until_ns = time_ns + LOOKAHEAD_NS;
    uint64_t world_ns = queue_time(&run->world);
    node_step(node, time_ns, world_ns < until_ns ? world_ns : until_ns);
}

bool run_all(struct run *run)
{
    run->wire.random = random_stream(run->seed, 'wire', 0);
    run->loop = random_stream(run->seed, 'loop', 0);
    run->wire.ill = random_stream(run->seed, 'ill ', 0);
    world_act(run, CALM_NS, ACT_CALM, 0, 0);
    world_act(run, END_NS, ACT_END, 0, 0);
    faults_begin(run, FAULTS_FROM_NS, CALM_NS);
    for (unsigned i = 0; i < run->node_count; i++) {
        node_boot(&run->node[i], 0);
    }
    while (!run->over) {
        step(run);
    }
    check_end(run);
    return run->violation[0] == '\0';
}

void run_free(struct run *run)
{
    for (unsigned i = 0; i < run->node_count; i++) {
        node_free(&run->node[i]);
    }
    queue_clear(&run->world);
    free(run->world.heap);
}
