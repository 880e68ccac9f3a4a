/* SPDX-License-Identifier: MIT OR Apache-2.0
 * loop_test.c: turns, sleep, shares and stops of a CPU, on a machine made of C whose time the test sets.
 */
#include "../run/loop.c"
#include "test.h"

enum { WORKS = 600 };

static struct cpu cpu;

/* --- the machine ----------------------------------------------------------------------------------------------------- */

static struct {
    uint64_t now_ns;
    bool irq_on;
    unsigned windows;         /* times that interrupts were let in */
    void (*in_window)(void);  /* what comes then, once */
    unsigned waits;           /* times that the CPU slept */
    uint64_t armed_ns;        /* what the timer hardware was last told */
    unsigned arms;            /* how often */
    bool threads_more;        /* threads_serve() says so */
    struct thread *ready;     /* thread_next() gives it */
    uint64_t sleeps_ns;       /* plat_wait() */
    unsigned ran, ran_held;   /* thread_run() */
    uint64_t ran_until_ns;    /* its deadline */
    uint64_t thread_takes_ns; /* how long the thread then runs */
    char said[32];            /* stages in their order */
    enum plat_exit exit_code;
    jmp_buf exited;
    bool rebooted;
} machine;

static void say(char c)
{
    size_t length = strlen(machine.said);

    if (length < sizeof machine.said - 1) { /* the first ones */
        machine.said[length] = c;
    }
}

struct cpu *cpu_this(void)
{
    return &cpu;
}

uint64_t plat_clock_ns(void)
{
    return machine.now_ns;
}

void plat_timer_arm(uint64_t deadline_ns)
{
    machine.armed_ns = deadline_ns;
    machine.arms++;
}

void plat_irq_mask(uint32_t vector, bool masked)
{
    (void)vector, (void)masked;
}

status_t plat_irq_msi(uint32_t *vector, uint64_t *address, uint32_t *data)
{
    (void)vector, (void)address, (void)data;
    return ST_UNSUPPORTED;
}

status_t plat_irq_wired(uint32_t gsi, bool level, bool active_low, uint32_t *vector)
{
    (void)gsi, (void)level, (void)active_low, (void)vector;
    return ST_UNSUPPORTED;
}

void plat_irq_enable(void)
{
    CHECK(!machine.irq_on);
    machine.irq_on = true;
    machine.windows++;
    if (machine.in_window != NULL) {
        void (*comes)(void) = machine.in_window;
        machine.in_window = NULL;
        comes();
    }
}

void plat_irq_disable(void)
{
    machine.irq_on = false;
}

void plat_wait(void)
{
    CHECK(!machine.irq_on); /* else what comes before the wait would be slept through */
    machine.waits++;
    machine.now_ns += machine.sleeps_ns;
}

bool threads_serve(struct cpu *of)
{
    CHECK(of == &cpu);
    say('R');
    return machine.threads_more;
}

struct thread *thread_next(struct cpu *of)
{
    (void)of;
    return machine.ready;
}

uint64_t thread_run(struct cpu *of, struct thread *thread, uint64_t now_ns, uint64_t held_until_ns)
{
    CHECK(thread == machine.ready);
    CHECK_EQ(now_ns, machine.now_ns);
    machine.ran++;
    machine.ran_held += held_until_ns != 0 ? 1 : 0;
    machine.ran_until_ns = held_until_ns;
    machine.now_ns += machine.thread_takes_ns;
    of->share_given_ns += machine.thread_takes_ns;
    return machine.now_ns;
}

_Noreturn void plat_exit(enum plat_exit code)
{
    machine.exit_code = code;
    longjmp(machine.exited, 1);
}

_Noreturn void plat_reboot(void)
{
    machine.rebooted = true;
    longjmp(machine.exited, 1);
}

static void fresh(void)
{
    memset(&machine, 0, sizeof machine);
    memset(&cpu, 0, sizeof cpu);
    memset(&self, 0, sizeof self);
    machine.now_ns = 1000 * NS_PER_S;
    machine.armed_ns = 1;
    cpu.room = ROOM_LOOP;
    cpu.timer_armed_ns = UINT64_MAX;
    list_init(&cpu.posted);
    list_init(&cpu.turn_end);
    timers_init(&cpu.timers);
    test_room = ROOM_LOOP;
}

/* --- work ------------------------------------------------------------------------------------------------------------- */

static struct item {
    struct work work;
    char name;
    unsigned ran;
    bool again, again_at_end;
    uint64_t takes_ns;
} item[WORKS];

static void run_item(struct work *work)
{
    room_assert_loop();
    struct item *i = CONTAINER_OF(work, struct item, work);

    CHECK(!machine.irq_on);
    i->ran++;
    machine.now_ns += i->takes_ns;
    if (i->name != 0) {
        say(i->name);
    }
    if (i->again) {
        loop_post(work);
    }
    if (i->again_at_end) {
        loop_at_turn_end(work);
    }
}

static struct item *item_new(unsigned n, char name)
{
    item[n] = (struct item){.name = name};
    work_init(&item[n].work, run_item);
    return &item[n];
}

static struct irq irq;
static void handle_irq(struct irq *of)
{
    room_assert_loop();
    CHECK(of == &irq);
    say('I');
}

static void irq_comes(void)
{
    core_trap_irq(3);
}

static void fire(struct timer *timer)
{
    room_assert_loop();
    (void)timer;
    say('T');
}

/* As loop_run() goes on. */
static void pass(void)
{
    uint64_t now = step(&cpu, machine.now_ns);

    CHECK_EQ(now, machine.now_ns);
}

static void test_order_of_stages(void)
{
    struct timer timer;

    fresh();
    test_room = ROOM_BOOT;
    irq_attach(&irq, "test", handle_irq, 3, false);
    loop_post_boot(&item_new(0, 'P')->work);
    test_room = ROOM_LOOP;
    loop_at_turn_end(&item_new(1, 'E')->work);
    timer_init(&timer, fire);
    timer_set(&timer, machine.now_ns);
    machine.in_window = irq_comes; /* is handled in this very turn */
    pass();
    CHECK_STR(machine.said, "IPTRE");
    CHECK_EQ(cpu.counts.turns, 1);
    CHECK_EQ(machine.windows, 1);
    CHECK_EQ(machine.waits, 1);
}

static void test_posted_once(void)
{
    struct work nothing = {0};

    fresh();
    struct item *i = item_new(0, 0);
    loop_post(&i->work);
    loop_post(&i->work);
    pass();
    CHECK_EQ(i->ran, 1);
    CHECK_EQ(cpu.posted_count, 0);
    pass();
    CHECK_EQ(i->ran, 1);
    CHECK_PANICS(loop_post(&nothing));
    CHECK_PANICS(loop_at_turn_end(&nothing));
}

/* (2) Neither work that posts itself nor a long queue makes a turn without end; the CPU does not sleep over what is left. */
static void test_turns_are_bounded(void)
{
    fresh();
    for (unsigned n = 0; n < WORKS; n++) {
        item_new(n, 0)->again = n == 0;
        loop_post(&item[n].work);
    }
    pass();
    CHECK_EQ(item[STAGE_MAX - 1].ran, 1);
    CHECK_EQ(item[STAGE_MAX].ran, 0);
    CHECK_EQ(machine.waits, 0);
    pass();
    pass();
    CHECK_EQ(item[WORKS - 1].ran, 1);
    CHECK_EQ(item[0].ran, 2); /* stood behind all others */
    item[0].again = false;
    pass();
    CHECK_EQ(cpu.posted_count, 0);
    CHECK_EQ(machine.waits, 1);
}

static void test_turn_end_in_turn_end(void)
{
    fresh();
    struct item *i = item_new(0, 0);
    i->again_at_end = true;
    loop_at_turn_end(&i->work);
    loop_at_turn_end(&i->work);
    pass();
    CHECK_EQ(i->ran, 1);
    CHECK_EQ(machine.waits, 0); /* it waits for the next turn's end, so there is a next turn at once */
    i->again_at_end = false;
    pass();
    CHECK_EQ(i->ran, 2);
    CHECK_EQ(machine.waits, 1);
}

static void ring_left(void)
{
    machine.threads_more = false;
}

static void test_rings_left_are_work(void)
{
    fresh();
    machine.threads_more = true;
    pass();
    CHECK_EQ(machine.waits, 0);
    machine.in_window = ring_left;
    pass();
    CHECK_EQ(machine.waits, 1);
}

static void timer_comes(void)
{
    core_trap_timer();
}

/* The hardware knows the earliest deadline whenever the CPU sleeps, and is told only when that changes. */
static void test_timer_is_armed(void)
{
    struct timer first;
    struct timer second;

    fresh();
    timer_init(&first, fire);
    timer_init(&second, fire);
    uint64_t at = machine.now_ns + 5 * NS_PER_MS;
    timer_set(&first, at);
    timer_set(&second, at + NS_PER_MS);
    pass();
    CHECK_EQ(machine.armed_ns, at);
    CHECK_EQ(machine.arms, 1);
    pass(); /* woken by something else */
    CHECK_EQ(machine.arms, 1);
    machine.in_window = timer_comes; /* a little early, or late by a clock that has been set right: armed again */
    pass();
    CHECK_EQ(machine.arms, 2);
    CHECK_EQ(machine.armed_ns, at);
    machine.now_ns = at;
    machine.in_window = timer_comes;
    pass();
    CHECK_STR(machine.said, "RRRTR");
    CHECK_EQ(machine.armed_ns, at + NS_PER_MS);
    timer_cancel(&second);
    pass();
    CHECK(machine.armed_ns == UINT64_MAX);
}

/* A timer that comes due within the turn is neither lost nor slept over. */
static void test_due_within_the_turn(void)
{
    struct timer timer;

    fresh();
    timer_init(&timer, fire);
    uint64_t at = machine.now_ns + NS_PER_MS;
    timer_set(&timer, at);
    item_new(0, 0)->takes_ns = 3 * NS_PER_MS;
    loop_post(&item[0].work);
    pass();
    CHECK_EQ(machine.armed_ns, at); /* the past: hardware fires at once */
    CHECK_EQ(machine.waits, 1);
    pass();
    CHECK_STR(machine.said, "RTR");
}

/* A sleep is nobody's time, and whoever wakes from it knows how late it is. */
static void test_sleep(void)
{
    struct timer timer;

    fresh();
    timer_init(&timer, fire);
    timer_set(&timer, machine.now_ns + 20 * NS_PER_MS);
    machine.sleeps_ns = 20 * NS_PER_MS;
    pass();
    pass();
    CHECK_STR(machine.said, "RTR");
    CHECK_EQ(cpu.counts.busy_ns, 0);
    CHECK_EQ(cpu.counts.turn_ns_max, 0);
    CHECK_EQ(cpu.counts.sleeps, 2);
}

static struct thread *some_thread(void)
{
    static char place[8];

    return (struct thread *)(void *)place;
}

static void test_threads_run_when_idle(void)
{
    fresh();
    machine.ready = some_thread();
    machine.thread_takes_ns = 2 * NS_PER_MS;
    pass();
    CHECK_EQ(machine.ran, 1);
    CHECK_EQ(machine.ran_held, 0);
    CHECK_EQ(machine.waits, 0);
    loop_post(&item_new(0, 0)->work);
    item[0].again = true;
    pass();
    CHECK_EQ(machine.ran, 1); /* the loop has something to do */
}

/* (3) Work without end leaves threads a tenth. */
static void test_share(void)
{
    uint64_t in_thread = 0;

    fresh();
    machine.ready = some_thread();
    machine.thread_takes_ns = NS_PER_MS;
    item_new(0, 0)->again = true;
    item[0].takes_ns = NS_PER_MS / 10;
    loop_post(&item[0].work);
    uint64_t start = machine.now_ns;
    while (machine.now_ns - start < NS_PER_S) {
        unsigned before = machine.ran;
        pass();
        if (machine.ran != before) {
            in_thread += machine.thread_takes_ns;
            CHECK_EQ(machine.ran_until_ns - (machine.now_ns - machine.thread_takes_ns), NS_PER_MS);
        }
    }
    CHECK_EQ(machine.ran, machine.ran_held);
    CHECK(in_thread >= 95 * NS_PER_MS && in_thread <= 105 * NS_PER_MS);
    CHECK_EQ(machine.waits, 0);
}

/* What threads had counts for them: a loop that is busy half of the time is never made to wait. */
static void test_share_counts_threads(void)
{
    fresh();
    machine.ready = some_thread();
    machine.thread_takes_ns = NS_PER_MS;
    item_new(0, 0)->takes_ns = NS_PER_MS;
    for (unsigned i = 0; i < 100; i++) {
        loop_post(&item[0].work);
        pass();
    }
    CHECK_EQ(machine.ran, 100);
    CHECK_EQ(machine.ran_held, 0);
}

/* Without a thread a busy loop just goes on, and does not sleep. */
static void test_share_without_threads(void)
{
    fresh();
    item_new(0, 0)->again = true;
    item[0].takes_ns = NS_PER_MS;
    loop_post(&item[0].work);
    for (unsigned i = 0; i < 100; i++) {
        pass();
    }
    CHECK_EQ(item[0].ran, 100);
    CHECK_EQ(machine.waits, 0);
    CHECK_EQ(cpu.counts.turn_ns_max, NS_PER_MS);
    CHECK_EQ(cpu.counts.busy_ns, 100 * NS_PER_MS);
}

static void stop_clean(struct work *work)
{
    room_assert_loop();
    (void)work;
    loop_halt(0);
}

static void stop_failed(struct work *work)
{
    room_assert_loop();
    (void)work;
    loop_halt(1);
}

static void stop_reboot(struct work *work)
{
    room_assert_loop();
    (void)work;
    loop_reboot();
}

/* True when the machine ended in that step, after the turn. */
static bool ends(void (*run)(struct work *work))
{
    struct work work;

    fresh();
    machine.exit_code = PLAT_EXIT_PANIC;
    work_init(&work, run);
    loop_post(&work);
    loop_at_turn_end(&item_new(0, 'E')->work); /* doorbells and flushes of the last turn are rung */
    if (setjmp(machine.exited) == 0) {
        pass();
        return false;
    }
    CHECK_STR(machine.said, "RE");
    return true;
}

static void test_stops(void)
{
    CHECK(ends(stop_clean));
    CHECK_EQ(machine.exit_code, PLAT_EXIT_CLEAN);
    CHECK(ends(stop_failed));
    CHECK_EQ(machine.exit_code, PLAT_EXIT_TEST_FAILED);
    CHECK(ends(stop_reboot));
    CHECK(machine.rebooted);
    CHECK_EQ(machine.exit_code, PLAT_EXIT_PANIC); /* nobody's */
}

static void test_boot_becomes_loop(void)
{
    struct work work;

    fresh();
    test_room = ROOM_BOOT;
    cpu.room = ROOM_BOOT;
    work_init(&work, stop_clean);
    loop_post_boot(&work);
    test_room = -1; /* support.c's room does not follow cpu.room */
    if (setjmp(machine.exited) == 0) {
        loop_run();
    }
    CHECK_EQ(cpu.room, ROOM_LOOP);
    test_room = ROOM_LOOP;
    CHECK_PANICS(loop_run()); /* BOOT is given up once */
}

int main(void)
{
    RUN(test_order_of_stages);
    RUN(test_posted_once);
    RUN(test_turns_are_bounded);
    RUN(test_turn_end_in_turn_end);
    RUN(test_rings_left_are_work);
    RUN(test_timer_is_armed);
    RUN(test_due_within_the_turn);
    RUN(test_sleep);
    RUN(test_threads_run_when_idle);
    RUN(test_share);
    RUN(test_share_counts_threads);
    RUN(test_share_without_threads);
    RUN(test_stops);
    RUN(test_boot_becomes_loop);
    return test_end();
}
