/* SPDX-License-Identifier: MIT OR Apache-2.0
 * lockstep.c: the machine in the hands of a coordinator (sim_protocol.h): its time, its randomness, and the far side of its
 * devices come over one socket, and nothing else of the host reaches the image.
 *
 *  (1) Time passes by what the image asks of its machine, a fixed cost each (sim_cost), never by what the host needs for it.
 *  (2) What the image does leaves in one batch when it sleeps or its horizon has passed; then it waits for the answer.
 */
#include "lockstep.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include "preempt.h"
#include "scarce.h"
#include "sim_private.h"
#include "sim_link.h"
#include "splitmix.h"

#define CPU_SECONDS_MAX 30 /* of a whole run, or between copies; a second is much */

static struct {
    struct sim_link link; /* fd -1: this machine is not in lock-step */
    uint64_t now_ns;
    uint64_t horizon_ns;
    uint64_t random;
    uint64_t slower;  /* how many times: of every cost */
    uint64_t wall_ns; /* at now_ns 0 */
    bool entropy;
    bool started;
    bool stopped;         /* the batch that is being read has ended */
    bool thread;          /* a THREAD has the CPU */
    uint64_t polled_ns;   /* when the image last looked up */
    uint64_t turn_max_ns; /* the longest that it did not, since it last said so */
    struct sim_port *port[SIM_DEVICES_MAX];
    unsigned port_count;
    struct sim_hazard *hazards;
} self = {.link = {.fd = -1}, .slower = 1};

bool lockstep_on(void)
{
    return self.link.fd >= 0;
}

/* --- time, randomness ------------------------------------------------------------------------------------------------ */

uint64_t lockstep_clock_ns(void)
{
    return self.now_ns;
}

uint64_t lockstep_wall_ns(void)
{
    return self.wall_ns + self.now_ns;
}

void sim_cost(uint64_t ns)
{
    self.now_ns += ns * self.slower;
}

bool lockstep_entropy(void)
{
    return self.entropy;
}

void lockstep_random(void *bytes, size_t size)
{
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = splitmix_next(&self.random);
        memcpy((char *)bytes + at, &word, size - at < 8 ? size - at : 8);
    }
}

/* --- batches --------------------------------------------------------------------------------------------------------- */

/* Nothing can be said to the coordinator: the power is cut. */
static _Noreturn void end_silently(void)
{
    _exit(PLAT_EXIT_PANIC);
}

static void say(struct sim_message message, const void *body)
{
    message.time_ns = self.now_ns;
    if (!sim_link_say(&self.link, &message, body)) {
        end_silently();
    }
}

static void batch_send(void)
{
    if (!sim_link_send(&self.link, -1)) {
        end_silently();
    }
}

/* One that turns in circles and never looks up again ends by this. From now on: one that is asked for copies has looked up, and the
 * crash explorer has a hundred thousand made of one. */
static void cpu_limit(void)
{
    struct rusage used;
    struct rlimit limit;

    if (getrusage(RUSAGE_SELF, &used) == 0 && getrlimit(RLIMIT_CPU, &limit) == 0) {
        limit.rlim_cur = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 1 + CPU_SECONDS_MAX;
        (void)setrlimit(RLIMIT_CPU, &limit);
    }
}

/* (5) of sim_protocol.h. The parent stays to be forked again. */
static void fork_asked(int passed)
{
    pid_t child = passed >= 0 ? fork() : -1;

    if (child < 0) {
        end_silently();
    }
    cpu_limit();
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (dup2(passed, self.link.fd) < 0) {
            end_silently();
        }
    }
    close(passed);
    if (child != 0) {
        say((struct sim_message){.kind = SIM_FORKED, .a = (uint64_t)child}, NULL);
        batch_send();
    }
}

static void start_asked(const struct sim_message *message)
{
    self.random = message->a;
    self.wall_ns = message->b;
    self.entropy = (message->flags & SIM_START_ENTROPY) != 0;
    self.slower = 1 + (message->flags >> SIM_START_SLOWER_SHIFT);
    self.started = true;
}

static void fault_asked(const struct sim_message *message)
{
    for (struct sim_hazard *at = self.hazards; at != NULL; at = at->next) {
        if (at->device == message->port) {
            at->befalls(at, message->flags, message->a);
        }
    }
}

static void message_take(const struct sim_message *message, const char *body, int passed)
{
    if (message->kind != SIM_FORK && message->time_ns > self.now_ns) {
        self.now_ns = message->time_ns;
    }
    switch (message->kind) {
    case SIM_START:
        start_asked(message);
        return;
    case SIM_GO:
        self.horizon_ns = message->a;
        self.stopped = true;
        return;
    case SIM_FORK:
        fork_asked(passed);
        return;
    case SIM_INPUT:
        sim_console_input(body, message->size);
        return;
    case SIM_WALL:
        self.wall_ns = message->a - self.now_ns;
        return;
    case SIM_FAULT:
        fault_asked(message);
        return;
    case SIM_SCARCE:
        scarce_begin(message->a, message->b);
        return;
    case SIM_PREEMPT:
        preempt_begin(message->a, message->b, message->flags);
        return;
    default:
        if (message->port >= self.port_count) {
            sim_die("lock-step: kind %u for port %u", message->kind, message->port);
        }
        self.port[message->port]->arrived(self.port[message->port], message, body);
    }
}

/* Takes what the coordinator says until it says GO. */
static void batch_receive(void)
{
    for (self.stopped = false; !self.stopped;) {
        struct sim_message message;
        const char *body = NULL;
        int passed = -1;
        if (!sim_link_next(&self.link, &message, &body, &passed)) {
            end_silently();
        }
        message_take(&message, body, passed);
    }
}

/* The first of all is the boot, which is no turn. */
static void turn_ends(void)
{
    uint64_t turn_ns = self.polled_ns != 0 && !self.thread ? self.now_ns - self.polled_ns : 0;

    self.turn_max_ns = turn_ns > self.turn_max_ns ? turn_ns : self.turn_max_ns;
    self.polled_ns = self.now_ns;
}

void lockstep_thread(bool thread)
{
    turn_ends();
    self.thread = thread;
}

void lockstep_poll(uint64_t deadline_ns)
{
    turn_ends();
    if (deadline_ns <= self.now_ns && self.now_ns < self.horizon_ns) {
        return;
    }
    struct sim_message message = {.kind = SIM_BUSY, .flags = preempt_counts(), .b = self.turn_max_ns};
    if (deadline_ns > self.now_ns) {
        message.kind = SIM_IDLE;
        message.a = deadline_ns;
    }
    say(message, NULL);
    self.turn_max_ns = 0;
    batch_send();
    batch_receive();
    self.polled_ns = self.now_ns;
}

/* --- ports ----------------------------------------------------------------------------------------------------------- */

bool sim_port_add(struct sim_port *port)
{
    if (!lockstep_on() || self.port_count == SIM_DEVICES_MAX) {
        return false;
    }
    port->number = (uint16_t)self.port_count;
    self.port[self.port_count++] = port;
    return true;
}

void sim_port_send(const struct sim_port *port, struct sim_message message, const void *body)
{
    message.port = port->number;
    say(message, body);
}

void lockstep_refused(void)
{
    say((struct sim_message){.kind = SIM_SCARCE}, NULL);
}

void sim_hazard_add(struct sim_hazard *hazard)
{
    hazard->next = self.hazards;
    self.hazards = hazard;
}

void sim_hazard_struck(const struct sim_hazard *hazard, uint32_t fault)
{
    say((struct sim_message){.kind = SIM_FAULT, .port = hazard->device, .flags = fault}, NULL);
}

void lockstep_text(const char *text, size_t size)
{
    sim_cost(SIM_TEXT_NS * size);
    say((struct sim_message){.kind = SIM_TEXT, .size = (uint32_t)size}, text);
}

/* --- begin and end --------------------------------------------------------------------------------------------------- */

void lockstep_open(int fd)
{
    self.link.fd = fd;
}

void lockstep_begin(void)
{
    batch_receive();
    if (!self.started) {
        sim_die("lock-step: GO before START");
    }
}

void lockstep_end(uint16_t kind, uint64_t code, const char *text)
{
    say((struct sim_message){.kind = kind, .a = code, .size = (uint32_t)strlen(text)}, text);
    batch_send();
    exit((int)code);
}
