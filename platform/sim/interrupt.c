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
#include "core/point.h"
#include "lockstep.h"
#include "sim_private.h"

#define INPUTS (PLAT_VECTORS_MAX + 32u) /* 32 lines that nobody may have opened */
#define GSI_FIRST 5u                    /* an arbitrary number, so that nobody takes 0 for granted */
#define MSI_ADDRESS 0xfee01000u         /* as on a machine with local APIC 1 */
#define MSI_DATA_FIRST 0x31u
#define FDS_MAX 64u
#define COST_IRQ_NS 20u /* what a machine of today needs for it */
#define COST_TIMER_NS 100u
#define STORM_MOST 1000u /* of a level that nobody lets go: no driver acknowledges its device */
#define CHANCE_NS 50000u /* how often a running thread's looks at the clock ask the host what has come */

enum kind { KIND_EDGE, KIND_LEVEL, KIND_MESSAGE };

/* A line, or one message. */
struct input {
    enum kind kind;
    uint32_t vector; /* + 1; 0: nobody has opened it */
    bool pending;    /* it came: of an edge or a message */
    bool masked;     /* lines only: a message is masked at its device */
    unsigned pulls;  /* devices that hold it: of a level */
    unsigned storm;  /* how often it came since a device let go: of a level */
};

static struct {
    struct input input[INPUTS];
    uint32_t input_count;
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

/* --- lines and messages ---------------------------------------------------------------------------------------------- */

static struct input *input_new(enum kind kind)
{
    if (self.input_count == INPUTS) {
        sim_die("no interrupt line is left");
    }
    struct input *input = &self.input[self.input_count++];
    *input = (struct input){.kind = kind, .masked = kind != KIND_MESSAGE};
    return input;
}

static struct input *line_of(uint32_t gsi)
{
    struct input *input = gsi >= GSI_FIRST && gsi - GSI_FIRST < self.input_count ? &self.input[gsi - GSI_FIRST] : NULL;

    return input != NULL && input->kind != KIND_MESSAGE ? input : NULL;
}

static uint32_t vector_new(struct input *input)
{
    input->vector = ++self.vector_count;
    return input->vector - 1;
}

uint32_t sim_line_new(bool level)
{
    return GSI_FIRST + (uint32_t)(input_new(level ? KIND_LEVEL : KIND_EDGE) - self.input);
}

void sim_line_raise(uint32_t gsi)
{
    line_of(gsi)->pending = true;
}

void sim_line_pull(uint32_t gsi, bool pulls)
{
    struct input *input = line_of(gsi);

    input->pulls += pulls ? 1u : -1u;
    input->storm = pulls ? input->storm : 0;
}

void sim_message(uint64_t address, uint32_t data)
{
    for (uint32_t i = 0; address == MSI_ADDRESS && i < self.input_count; i++) {
        struct input *input = &self.input[i];
        if (input->kind == KIND_MESSAGE && input->vector - 1 == data - MSI_DATA_FIRST) {
            input->pending = true;
            return;
        }
    }
    sim_die("a device sends 0x%x to 0x%llx, which is no interrupt that was given out", data,
            (unsigned long long)address);
}

status_t plat_irq_wired(uint32_t gsi, bool level, bool active_low, uint32_t *vector)
{
    struct input *input = line_of(gsi);

    if (input == NULL || level != (input->kind == KIND_LEVEL) || active_low != level) {
        return ST_UNSUPPORTED; /* the lines of this machine are edges, high, or levels, low */
    }
    if (input->vector == 0 && self.vector_count == PLAT_VECTORS_MAX) {
        return ST_FULL;
    }
    if (input->vector != 0 && !level) {
        return ST_UNSUPPORTED;
    }
    *vector = input->vector != 0 ? input->vector - 1 : vector_new(input);
    return ST_OK;
}

status_t plat_irq_msi(uint32_t *vector, uint64_t *address, uint32_t *data)
{
    if (self.vector_count == PLAT_VECTORS_MAX) {
        return ST_FULL;
    }
    *vector = vector_new(input_new(KIND_MESSAGE));
    *address = MSI_ADDRESS;
    *data = MSI_DATA_FIRST + *vector;
    return ST_OK;
}

void plat_irq_mask(uint32_t vector, bool masked)
{
    for (uint32_t i = 0; i < self.input_count; i++) {
        if (self.input[i].vector == vector + 1 && self.input[i].kind != KIND_MESSAGE) {
            self.input[i].masked = masked;
        }
    }
}

/* --- delivery -------------------------------------------------------------------------------------------------------- */

static bool wants(const struct input *input)
{
    return input->vector != 0 && !input->masked && (input->kind == KIND_LEVEL ? input->pulls > 0 : input->pending);
}

/* A level stays masked until core has asked the devices. */
static void level_taken(struct input *input)
{
    input->masked = true;
    if (++input->storm == STORM_MOST) {
        sim_die("interrupt line %u came %u times, and no device on it was made to let go",
                GSI_FIRST + (unsigned)(input - self.input), STORM_MOST);
    }
}

static bool deliver_inputs(void)
{
    bool any = false;

    for (uint32_t i = 0; i < self.input_count; i++) {
        struct input *input = &self.input[i];
        if (wants(input)) {
            input->pending = false;
            if (input->kind == KIND_LEVEL) {
                level_taken(input);
            }
            core_trap_irq(input->vector - 1);
            any = true;
        }
    }
    return any;
}

/* The flag is on before and after (2). */
static void deliver(void)
{
    self.on = false;
    bool any = deliver_inputs();
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
    POINT();
}

void plat_irq_disable(void)
{
    POINT();
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
    for (uint32_t i = 0; i < self.input_count; i++) {
        if (wants(&self.input[i])) {
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

void sim_timer_early(uint64_t deadline_ns)
{
    do {
        sim_poll(deadline_ns < self.timer_ns ? deadline_ns : self.timer_ns);
        if (sim_clock_ns() >= deadline_ns && self.timer_ns > deadline_ns) {
            self.timer_ns = deadline_ns;
        }
        deliver(); /* others may run meanwhile */
    } while (sim_clock_ns() < deadline_ns);
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
