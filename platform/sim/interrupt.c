/* SPDX-License-Identifier: MIT OR Apache-2.0
 * interrupt.c: the machine's interrupt controller, which is a poll loop, its timer, and the one CPU's interrupt flag.
 *
 *  (1) An interrupt is delivered only while the flag is on, and only at a call of the image into its platform: when it turns
 *      interrupts on, waits, or looks at the clock. Nothing is asynchronous, so nothing here is a signal handler's.
 *  (2) During core_trap_* the flag is off. core_trap_return may switch to another context and come back much later.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include "lockstep.h"
#include "sim_private.h"

#define LINES 64u
#define GSI_FIRST 5u /* an arbitrary number, so that nobody takes 0 for granted */
#define FDS_MAX 64u
#define COST_IRQ_NS 20u /* what a machine of today needs for it */
#define COST_TIMER_NS 100u
#define CHANCE_NS 50000u /* how often a running thread's looks at the clock ask the host what has come */

struct line {
    uint32_t vector; /* + 1; 0: nobody has opened it */
    bool pending;
    bool masked;
};

static struct {
    struct line line[LINES];
    uint32_t line_count;
    uint32_t vector_count;
    uint64_t timer_ns;
    uint64_t chance_ns; /* of the last look */
    bool on;
    struct sim_fd *fds;
    unsigned fd_count;
} self = {.timer_ns = UINT64_MAX};

static volatile sig_atomic_t stop_wanted;

void sim_stop_wanted(void)
{
    stop_wanted = 1;
}

/* --- lines ----------------------------------------------------------------------------------------------------------- */

uint32_t sim_line_new(void)
{
    if (self.line_count == LINES) {
        sim_die("no interrupt line is left");
    }
    self.line[self.line_count].masked = true;
    return GSI_FIRST + self.line_count++;
}

void sim_line_raise(uint32_t gsi)
{
    self.line[gsi - GSI_FIRST].pending = true;
}

void sim_irq_raise(const struct sim_mmio *window)
{
    sim_line_raise(window->gsi);
}

status_t plat_irq_wired(uint32_t gsi, bool level, bool active_low, uint32_t *vector)
{
    (void)level; /* every line here is an edge, high */
    (void)active_low;
    if (gsi < GSI_FIRST || gsi - GSI_FIRST >= self.line_count || self.line[gsi - GSI_FIRST].vector != 0) {
        return ST_UNSUPPORTED;
    }
    *vector = self.vector_count++;
    self.line[gsi - GSI_FIRST].vector = *vector + 1;
    return ST_OK;
}

status_t plat_irq_msi(uint32_t *vector, uint64_t *address, uint32_t *data)
{
    (void)vector;
    (void)address;
    (void)data;
    return ST_UNSUPPORTED; /* no PCI models yet */
}

void plat_irq_mask(uint32_t vector, bool masked)
{
    for (uint32_t i = 0; i < self.line_count; i++) {
        if (self.line[i].vector == vector + 1) {
            self.line[i].masked = masked;
        }
    }
}

/* --- delivery -------------------------------------------------------------------------------------------------------- */

static bool deliver_lines(void)
{
    bool any = false;

    for (uint32_t i = 0; i < self.line_count; i++) {
        struct line *line = &self.line[i];
        if (line->pending && line->vector != 0 && !line->masked) {
            line->pending = false;
            core_trap_irq(line->vector - 1);
            any = true;
        }
    }
    return any;
}

/* The flag is on before and after (2). */
static void deliver(void)
{
    self.on = false;
    bool any = deliver_lines();
    if (sim_clock_ns() >= self.timer_ns) {
        self.timer_ns = UINT64_MAX;
        core_trap_timer();
        any = true;
    }
    if (any) {
        core_trap_return();
    }
    self.on = true;
}

void plat_timer_arm(uint64_t deadline_ns)
{
    sim_cost(COST_TIMER_NS);
    self.timer_ns = deadline_ns;
}

void plat_irq_enable(void)
{
    sim_cost(COST_IRQ_NS);
    sim_poll(0);
    deliver();
}

void plat_irq_disable(void)
{
    self.on = false;
}

bool plat_irq_enabled(void)
{
    return self.on;
}

void sim_irq_set_on(void)
{
    self.on = true;
}

static bool something_pending(void)
{
    for (uint32_t i = 0; i < self.line_count; i++) {
        if (self.line[i].pending && self.line[i].vector != 0 && !self.line[i].masked) {
            return true;
        }
    }
    return false;
}

void plat_wait(void)
{
    sim_poll(something_pending() ? 0 : self.timer_ns);
    deliver();
    self.on = false;
}

void sim_chance(void)
{
    if (!self.on) {
        return;
    }
    uint64_t now = sim_clock_ns();
    if (now - self.chance_ns >= CHANCE_NS || now >= self.timer_ns) {
        self.chance_ns = now;
        sim_poll(0);
        deliver();
    }
}

/* --- descriptors ----------------------------------------------------------------------------------------------------- */

void sim_fd_add(struct sim_fd *fd)
{
    if (self.fd_count == FDS_MAX) {
        sim_die("too many descriptors to watch");
    }
    self.fd_count++;
    fd->next = self.fds;
    self.fds = fd;
}

static unsigned gather(struct pollfd *polled, struct sim_fd **owner)
{
    unsigned count = 0;

    for (struct sim_fd *fd = self.fds; fd != NULL; fd = fd->next) {
        if (fd->fd >= 0 && fd->events != 0) {
            polled[count] = (struct pollfd){.fd = fd->fd, .events = fd->events};
            owner[count++] = fd;
        }
    }
    return count;
}

static struct timespec until(uint64_t deadline_ns)
{
    uint64_t now = sim_clock_ns();
    uint64_t left = deadline_ns > now ? deadline_ns - now : 0;

    return (struct timespec){.tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000)};
}

/* Waits on the host's descriptors. */
static void host_poll(uint64_t deadline_ns)
{
    struct pollfd polled[FDS_MAX];
    struct sim_fd *owner[FDS_MAX];
    unsigned count = gather(polled, owner);
    struct timespec timeout = until(deadline_ns);
    sigset_t all_open;

    sigemptyset(&all_open); /* SIGINT and SIGTERM are open only in here: none is lost between the check and the sleep */
    if (stop_wanted != 0) {
        plat_exit(PLAT_EXIT_CLEAN);
    }
    int ready = ppoll(polled, count, deadline_ns == UINT64_MAX ? NULL : &timeout, &all_open);
    if (ready < 0 && errno != EINTR) {
        sim_die("ppoll: %s", strerror(errno));
    }
    if (stop_wanted != 0) {
        plat_exit(PLAT_EXIT_CLEAN);
    }
    for (unsigned i = 0; i < count && ready > 0; i++) {
        if (polled[i].revents != 0) {
            owner[i]->ready(owner[i], polled[i].revents);
        }
    }
}

void sim_poll(uint64_t deadline_ns)
{
    if (lockstep_on()) {
        lockstep_poll(deadline_ns);
        return;
    }
    host_poll(deadline_ns);
}
