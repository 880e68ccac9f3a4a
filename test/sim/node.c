/* SPDX-License-Identifier: MIT OR Apache-2.0
 * node.c: what a machine is told and what it says.
 *
 *  (1) What a machine says is not trusted: it may be broken, that is what is looked for. A time before the present, a port
 *      that it lacks, a request that its disk cannot have are violations.
 *  (2) A machine that ran up to free_ns sees what came meanwhile at free_ns: its interrupts were off.
 */
#include "node.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hash.h"
#include "record.h"
#include "run.h"
#include "wire.h"

#define TELL_MAX 64u                  /* messages of a batch */
#define STOP_NS_MAX (300 * NS_PER_US) /* a write and its FLUSH take about as long */
#define OFF_NS_MAX (5 * NS_PER_MS)
#define ANSWERS_NS (1 * NS_PER_S) /* what a node said before it was cut may come as late as this */

uint64_t node_next(const struct node *node)
{
    if (!node->on) {
        return NEVER;
    }
    uint64_t next = node->busy ? node->free_ns : node->timer_ns;
    uint64_t first = queue_time(&node->queue);
    next = first < next ? first : next;
    return next < node->free_ns ? node->free_ns : next; /* (2) */
}

static void say(struct node *node, struct sim_message message, const void *body, uint64_t now_ns)
{
    message.time_ns = clock_own(&node->clock, now_ns);
    if (!sim_link_say(&node->link, &message, body)) {
        sim_fail("no memory for a batch");
    }
}

/* --- power ----------------------------------------------------------------------------------------------------------- */

static uint64_t mac_word(const uint8_t mac[6])
{
    uint64_t word = 0;

    memcpy(&word, mac, 6);
    return word;
}

/* Of threads; a stream of each boot's own. */
static struct sim_message preemption(const struct node *node)
{
    struct random stream = random_stream(node->run->seed, 'pree', node->number * 65536u + node->boots);

    return (struct sim_message){
        .kind = SIM_PREEMPT, .flags = faults_edge(node->run), .a = stream.state, .b = faults_preempt(node->run)};
}

/* Of memory; likewise. */
static struct sim_message scarcity(const struct node *node)
{
    struct random stream = random_stream(node->run->seed, 'scar', node->number * 65536u + node->boots);

    return (struct sim_message){.kind = SIM_SCARCE, .a = stream.state, .b = faults_memory(node->run)};
}

void node_boot(struct node *node, uint64_t now_ns)
{
    struct run *run = node->run;
    struct random stream = random_stream(run->seed, 'node', node->number * 65536u + node->boots);
    char what[32];

    node->link = (struct sim_link){.fd = image_fork(node->image)};
    node->on = node->busy = true;
    node->clock = (struct node_clock){.run_ns = now_ns, .drift_ppm = node->clock.drift_ppm};
    node->free_ns = now_ns;
    node->timer_ns = NEVER;
    node->lines = 0;
    node->stopping = node->audits = node->done = false;
    node->boots++;
    node->sick_until_ns = node->sick_until_ns == NEVER ? now_ns + ANSWERS_NS : node->sick_until_ns;
    uint64_t seed = random_next(&stream);
    node->slower = faults_slower(run, &stream);
    run->faults.fired[FAULT_SLOW_CPU] += node->slower != 0;
    bool dull = faults_no_entropy(run, &stream);
    run->faults.fired[FAULT_NO_ENTROPY] += dull;
    say(node,
        (struct sim_message){.kind = SIM_START,
                             .flags = (dull ? 0 : SIM_START_ENTROPY) | node->slower << SIM_START_SLOWER_SHIFT,
                             .a = seed,
                             .b = 1700000000ull * NS_PER_S + now_ns},
        NULL, now_ns);
    say(node, preemption(node), NULL, now_ns);
    say(node, scarcity(node), NULL, now_ns);
    say(node, (struct sim_message){.kind = SIM_STATE, .port = PORT_NET, .a = node->link_up, .b = mac_word(node->mac)},
        NULL, now_ns);
    if (node->disk != NULL) {
        say(node, (struct sim_message){.kind = SIM_STATE, .port = PORT_DISK, .a = disk_sectors(node->disk)}, NULL,
            now_ns);
    }
    node->disk_was_reset = false;
    check_boot(run, node);
    snprintf(what, sizeof what, "on, %s", node->image->transport);
    record_note(run, node, what);
}

static void off(struct node *node, const char *why)
{
    sim_link_end(&node->link);
    queue_clear(&node->queue);
    node->on = node->busy = false;
    node->line_size = 0;
    record_note(node->run, node, why);
}

void node_cut(struct node *node)
{
    if (!node->on) {
        return;
    }
    off(node, "power cut");
    if (node->disk != NULL) {
        node->run->faults.fired[FAULT_TEAR] += disk_cut(node->disk);
    }
}

void node_reset(struct node *node)
{
    if (!node->on) {
        return;
    }
    off(node, "reset");
    if (node->disk != NULL) {
        disk_reset(node->disk, node->run->now_ns);
    }
}

void node_plug(struct node *node, bool up, uint64_t now_ns)
{
    struct event *event = event_new(now_ns, ACT_NODE, 0);

    node->link_up = up;
    record_note(node->run, node, up ? "cable in" : "cable out");
    event->message.kind = SIM_STATE;
    event->message.port = PORT_NET;
    event->message.a = up;
    node_tell(node, event);
}

void node_wall(struct node *node, uint64_t wall_ns, uint64_t now_ns)
{
    struct event *event = event_new(now_ns, ACT_NODE, 0);

    event->message.kind = SIM_WALL;
    event->message.a = wall_ns;
    node_tell(node, event);
}

void node_preempt(struct node *node, uint64_t now_ns)
{
    struct event *event = event_new(now_ns, ACT_NODE, 0);

    event->message = preemption(node);
    node_tell(node, event);
}

void node_scarce(struct node *node, uint64_t now_ns)
{
    struct event *event = event_new(now_ns, ACT_NODE, 0);

    event->message = scarcity(node);
    node_tell(node, event);
}

/* Not before what it has lived already. */
void node_drift(struct node *node, int32_t drift_ppm, uint64_t now_ns)
{
    char what[48];

    clock_drift(&node->clock, now_ns > node->free_ns ? now_ns : node->free_ns, drift_ppm);
    if (node->timer_ns != NEVER) {
        node->timer_ns = clock_run(&node->clock, node->timer_own_ns);
    }
    snprintf(what, sizeof what, "its clock gains %d in a million", drift_ppm);
    record_note(node->run, node, what);
}

void node_strike(struct node *node, uint64_t what, uint64_t now_ns)
{
    struct event *event = event_new(now_ns, ACT_NODE, 0);

    event->message.kind = SIM_FAULT;
    event->message.port = (uint16_t)(what >> 8 & 0xff);
    event->message.flags = (uint32_t)(what & 0xff);
    event->message.a = what >> 16;
    node_tell(node, event);
}

void node_type(struct node *node, const char *text, uint64_t now_ns)
{
    struct event *event = event_new(now_ns, ACT_NODE, strlen(text));

    event->message.kind = SIM_INPUT;
    memcpy(event->body, text, strlen(text));
    node_tell(node, event);
}

void node_tell(struct node *node, struct event *event)
{
    if (node->on) {
        queue_add(&node->queue, event);
    } else {
        event_free(event);
    }
}

void node_free(struct node *node)
{
    sim_link_end(&node->link);
    queue_clear(&node->queue);
    free(node->queue.heap);
    if (node->disk != NULL) {
        disk_free(node->disk);
    }
}

/* --- what it says ---------------------------------------------------------------------------------------------------- */

/* The first line of a boot names the build, which is not the run's. */
static void line_ended(struct node *node, uint64_t time_ns)
{
    struct run *run = node->run;

    node->line[node->line_size] = '\0';
    if (node->lines++ > 0) {
        run_hash_bytes(run, node->line, node->line_size);
    }
    if (strstr(node->line, "@ ") != NULL) {
        node->said_ns += (node->line_size + 1) * SIM_TEXT_NS * (node->slower + 1);
    }
    node->line_size = 0;
    record_line(run, node, time_ns, node->line);
    check_line(run, node, time_ns, node->line);
}

static void text_came(struct node *node, uint64_t time_ns, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n') {
            line_ended(node, time_ns);
        } else if (node->line_size < sizeof node->line - 1) {
            node->line[node->line_size++] = text[i];
        }
    }
}

/* It is gone, by its own doing. */
static void ended(struct node *node, const struct sim_message *message, const char *body)
{
    struct run *run = node->run;

    if (message->kind == SIM_BROKEN) {
        run_violation(run, BY_MACHINE, "%s: %.*s", node->name, (int)message->size, body);
    } else if (message->kind == SIM_EXIT && message->a != 0) {
        run_violation(run, BY_MACHINE, "%s: ended with code %lu", node->name, (unsigned long)message->a);
    }
    if (message->kind != SIM_REBOOT) {
        node_cut(node);
    } else {
        node_reset(node);
        world_act(run, run->now_ns + 100 * NS_PER_MS, ACT_BOOT, node->number, 0);
    }
}

/* In a loop: a cut or a reset soon after what changes the disk, seldom after what does not; and on again. */
static void stop_perhaps(struct node *node, uint64_t time_ns, uint32_t command)
{
    struct run *run = node->run;
    uint64_t seldom = command == SIM_DISK_READ ? 16 : 3;

    if (node->stops == 0 || node->stopping || random_below(&run->loop, seldom) != 0) {
        return;
    }
    uint64_t at = time_ns + LOOKAHEAD_NS + random_below(&run->loop, STOP_NS_MAX);
    enum act act = random_below(&run->loop, 3) == 0 ? ACT_RESET : ACT_CUT;
    node->stops--;
    node->stopping = true;
    world_act(run, at, act, node->number, FAULT_LOOP);
    world_act(run, at + random_below(&run->loop, OFF_NS_MAX), ACT_BOOT, node->number, 0);
}

static void disk_asked(struct node *node, uint64_t time_ns, const struct sim_message *message, const char *body)
{
    if (node->disk == NULL || message->port != PORT_DISK || !disk_command(node->disk, node, time_ns, message, body)) {
        run_violation(node->run, BY_MACHINE, "%s: a request that its disk cannot have: sector %lu, %u bytes",
                      node->name, (unsigned long)message->b, message->size);
    }
    stop_perhaps(node, time_ns, message->flags);
}

/* What a turn may take of its machine. Console output for checkers does not count. */
static void turn_took(struct node *node, uint64_t turn_ns)
{
    turn_ns -= turn_ns < node->said_ns ? turn_ns : node->said_ns;
    node->said_ns = 0;
    node->turn_max_ns = turn_ns > node->turn_max_ns ? turn_ns : node->turn_max_ns;
    if (turn_ns > TURN_BOUND_NS * (node->slower + 1) && node->run->check.rest_phase == REST_NOT_YET &&
        node->run->now_ns < END_NS) {
        run_violation(node->run, BY_TURN, "%s: a turn of its loop took %lu ns, more than %u", node->name,
                      (unsigned long)turn_ns, TURN_BOUND_NS);
    }
}

static void threads_stopped(struct run *run, uint32_t counts)
{
    run->faults.fired[FAULT_PREEMPT] += counts & 0xffff;
    run->faults.fired[FAULT_EDGE] += counts >> 16;
}

/* A device did what none may, or stopped. */
static void struck(struct node *node, const struct sim_message *message)
{
    static const enum fault kinds[] = {[SIM_FAULT_LIE] = FAULT_DEVICE_LIE,
                                       [SIM_FAULT_STALL] = FAULT_DEVICE_STALL,
                                       [SIM_FAULT_RESET] = FAULT_DEVICE_RESET,
                                       [SIM_FAULT_GONE] = FAULT_DEVICE_GONE};
    static const char *const devices[] = {"card", "disk", "random numbers"};
    char what[64];

    if (message->flags < SIM_FAULT_LIE || message->flags > SIM_FAULT_GONE || message->port >= SIM_DEVICES) {
        run_violation(node->run, BY_MACHINE, "%s: fault %u of device %u", node->name, message->flags, message->port);
        return;
    }
    enum fault fault = kinds[message->flags];
    node->run->faults.fired[fault]++;
    if (message->port == SIM_DEVICE_DISK) {
        node->sick_until_ns = NEVER;
    }
    snprintf(what, sizeof what, "%s: %s", devices[message->port], fault_names[fault]);
    record_note(node->run, node, what);
}

/* It says addresses, which are the compiler's, and the time that it takes to say them. */
static bool panics(const struct sim_message *message, const char *body)
{
    return message->kind == SIM_TEXT && memmem(body, message->size, "*** panic: ", 11) != NULL;
}

/* One message. True when the batch is over. */
static bool take(struct node *node, const struct sim_message *message, const char *body)
{
    struct run *run = node->run;
    uint64_t told_ns = clock_own(&node->clock, run->now_ns);

    if (message->time_ns < told_ns) { /* (1) */
        run_violation(run, BY_MACHINE, "%s: its clock went back by %lu ns", node->name,
                      (unsigned long)(told_ns - message->time_ns));
        return true;
    }
    uint64_t time_ns = clock_run(&node->clock, message->time_ns);
    time_ns = time_ns > run->now_ns ? time_ns : run->now_ns; /* what rounding took */
    run->hash_over |= panics(message, body);
    run_hash(run, time_ns);
    run_hash(run, message->kind | (uint64_t)message->flags << 16);
    node->free_ns = time_ns;
    switch (message->kind) {
    case SIM_FRAME:
        run_hash_bytes(run, body, message->size);
        wire_send(run, node, time_ns, body, message->size);
        return false;
    case SIM_DISK:
        run_hash(run, message->b);
        run_hash_bytes(run, body, message->size);
        record_disk(run, node, time_ns, message);
        disk_asked(node, time_ns, message, body);
        return false;
    case SIM_TEXT:
        text_came(node, time_ns, body, message->size);
        return false;
    case SIM_SCARCE:
        run->faults.fired[FAULT_MEMORY]++;
        return false;
    case SIM_FAULT:
        struck(node, message);
        return false;
    case SIM_IDLE:
        threads_stopped(run, message->flags);
        turn_took(node, message->b);
        node->busy = false;
        node->timer_own_ns = message->a;
        node->timer_ns = message->a == UINT64_MAX ? NEVER : clock_run(&node->clock, message->a);
        return true;
    case SIM_BUSY:
        threads_stopped(run, message->flags);
        turn_took(node, message->b);
        node->busy = true;
        return true;
    default:
        ended(node, message, body);
        return true;
    }
}

/* --- what it is told ------------------------------------------------------------------------------------------------- */

static void tell_due(struct node *node, uint64_t now_ns)
{
    struct run *run = node->run;

    for (unsigned i = 0; i < TELL_MAX && queue_time(&node->queue) <= now_ns; i++) {
        struct event *event = queue_take(&node->queue);
        run_hash(run, event->message.kind | (uint64_t)event->message.flags << 16);
        run_hash_bytes(run, event->body, event->message.size);
        if (event->message.kind == SIM_DISK) {
            disk_answered(node->disk, &event->message);
        }
        say(node, event->message, event->body, now_ns);
        event_free(event);
        run->event_count++;
    }
}

void node_step(struct node *node, uint64_t now_ns, uint64_t until_ns)
{
    struct run *run = node->run;
    struct sim_message message;
    const char *body;
    int passed = -1;

    run_hash(run, now_ns);
    run_hash(run, node->number);
    run->event_count += node->timer_ns <= now_ns && !node->busy;
    tell_due(node, now_ns);
    uint64_t next = queue_time(&node->queue);
    next = next < until_ns ? next : until_ns;
    say(node, (struct sim_message){.kind = SIM_GO, .a = clock_own(&node->clock, next)}, NULL, now_ns);
    if (!sim_link_send(&node->link, -1)) {
        run_violation(run, BY_MACHINE, "%s: its process is gone", node->name);
        node_cut(node);
        return;
    }
    do {
        if (!sim_link_next(&node->link, &message, &body, &passed)) {
            run_violation(run, BY_MACHINE, "%s: its process is gone: it crashed, or turned in circles", node->name);
            node_cut(node);
            return;
        }
    } while (!take(node, &message, body));
}
