/* SPDX-License-Identifier: MIT OR Apache-2.0
 * thread_test.c: threads on stacks of their own (the simulator's contexts), with the loop, time and interrupts by hand.
 */
#include "../cap/ring_private.h"
#include "../run/thread.c"
/* The simulator's contexts, with FPU functions that count. */
#define plat_fpu_save sim_fpu_save
#define plat_fpu_restore sim_fpu_restore
#include "../../platform/sim/context.c"
#undef plat_fpu_save
#undef plat_fpu_restore
#include "core/poison.h"
#include "test.h"

enum { STACK = 64 * 1024, SQ = 128, CQ = 128, AREA = 4096 };

static struct cpu cpu;
static struct {
    uint64_t now_ns;
    uint64_t armed_ns, arming_takes_ns;
    bool irq_on;
    unsigned saves, restores;
    const void *guarded;
} machine;

struct cpu *cpu_this(void)
{
    return &cpu;
}

uint64_t plat_clock_ns(void)
{
    return machine.now_ns;
}

bool cpu_timer_arm(struct cpu *of, uint64_t deadline_ns)
{
    bool other = machine.armed_ns != deadline_ns;

    CHECK(of == &cpu);
    machine.armed_ns = deadline_ns;
    machine.now_ns += other ? machine.arming_takes_ns : 0;
    return other;
}

void plat_irq_disable(void)
{
    machine.irq_on = false;
}

void plat_irq_enable(void)
{
    machine.irq_on = true;
}

void sim_irq_set_on(void)
{
    machine.irq_on = true;
}

void lockstep_thread(bool thread)
{
    (void)thread;
}

_Noreturn void sim_die(const char *format, ...)
{
    (void)format;
    abort();
}

void plat_guard_page(void *page)
{
    machine.guarded = page;
}

void plat_fpu_save(void *area)
{
    CHECK(((uintptr_t)area & 63) == 0);
    machine.saves++;
}

void plat_fpu_restore(const void *area)
{
    CHECK(((uintptr_t)area & 63) == 0);
    machine.restores++;
}

/* A boot arena that begins anew with each test. */
static _Alignas(4096) char arena[1u << 20];
static size_t arena_used_bytes;
void *boot_alloc_named(const char *what, size_t size, size_t align)
{
    size_t from = (arena_used_bytes + align - 1) / align * align;

    (void)what;
    REQUIRE(size <= sizeof arena && from <= sizeof arena - size);
    arena_used_bytes = from + size;
    return memset(arena + from, 0, size);
}

/* --- the served object ------------------------------------------------------------------------------------------------ */

static struct {
    struct object object;
    struct call *kept;
    unsigned cancelled;
} server;

static void server_cancelled(struct call *call)
{
    server.cancelled++;
    server.kept = NULL;
    call_fail(call, EXCEPTION_FAILED, "cancelled");
}

static void server_called(struct object *object, struct call *call)
{
    (void)object;
    CHECK_EQ(cpu.room, ROOM_LOOP);
    server.kept = call;
    call->cancelled = server_cancelled;
}

static const struct object_ops server_ops = {.call = server_called};

/* --- threads ---------------------------------------------------------------------------------------------------------- */

static struct cap_table table;
static struct cap_slot slots[8];
static cap_t cap;

static void fresh(void)
{
    memset(&machine, 0, sizeof machine);
    memset(&cpu, 0, sizeof cpu);
    memset(&server, 0, sizeof server);
    list_init(&all);
    arena_used_bytes = 0;
    unpoison(arena, sizeof arena); /* of stacks that nobody left in order */
    machine.now_ns = NS_PER_S;
    list_init(&cpu.threads_ready);
    list_init(&cpu.threads_entered);
    timers_init(&cpu.timers);
    object_init(&server.object, &server_ops);
    cap_table_init(&table, "test", slots, 8);
    CHECK_EQ(cap_insert(&table, &server.object, CAP_ALL, NULL, &cap), ST_OK);
    test_room = -1; /* support.c's; here the rooms are cpu.room */
}

static struct thread *spawn(const char *name, void (*entry)(struct ring_shared *ring, void *context))
{
    struct thread *thread = thread_new(&(struct thread_config){.name = name,
                                                               .entry = entry,
                                                               .context = (void *)(uintptr_t)name,
                                                               .stack_bytes = STACK,
                                                               .sq_size = SQ,
                                                               .cq_size = CQ,
                                                               .area_bytes = AREA,
                                                               .caps = &table});
    cpu.room = ROOM_LOOP;
    return thread;
}

/* What the loop does of a turn for threads; the next one runs. False: there is none. */
static bool pass_held(bool held)
{
    cpu.wanted = false;
    timers_run(&cpu.timers, machine.now_ns, 16);
    (void)threads_serve(&cpu);
    struct thread *next = thread_next(&cpu);
    if (next != NULL) {
        uint64_t now = thread_run(&cpu, next, machine.now_ns, held ? machine.now_ns + NS_PER_MS : 0);
        CHECK_EQ(now, machine.now_ns);
        CHECK_EQ(cpu.room, ROOM_LOOP);
        CHECK(cpu.thread == NULL && !machine.irq_on);
    }
    return next != NULL;
}

static bool pass(void)
{
    return pass_held(false);
}

/* In a thread: something interrupts it. */
static void interrupted(bool wanted)
{
    CHECK(machine.irq_on);
    machine.irq_on = false;
    cpu.wanted = wanted;
    core_trap_return();
    machine.irq_on = true;
}

static char trace[64];
static void trace_add(const char *name)
{
    size_t length = strlen(trace);

    REQUIRE(length < sizeof trace - 1);
    trace[length] = name[0];
}

static void submit(struct ring_shared *ring, uint8_t op, uint64_t user_data)
{
    struct ring_sqe sqe = {.op = op,
                           .cap = op == RING_CALL ? cap : CAP_NONE,
                           .params_words = 1,
                           .results_offset = 1024,
                           .results_words_max = 8,
                           .user_data = user_data};

    CHECK(ring_submit(ring, &sqe));
}

static void quiet(struct ring_shared *ring, void *context);
static struct ring_cqe taken;
static status_t said[4];

/* --- cap_enter --------------------------------------------------------------------------------------------------------- */

static void enters(struct ring_shared *ring, void *context)
{
    (void)context;
    CHECK_EQ(cpu.room, ROOM_THREAD);
    CHECK(machine.irq_on);
    said[0] = cap_enter(0, UINT64_MAX); /* only hands in: nothing to wait for */
    submit(ring, RING_NOP, 42);
    said[1] = cap_enter(1, UINT64_MAX);
    CHECK(machine.irq_on);
    CHECK(ring_take(ring, &taken));
    said[2] = cap_enter(1, 0);
    said[3] = cap_enter(CQ + 1, UINT64_MAX);
    trace_add("!");
}

static void test_enter_and_go_on(void)
{
    fresh();
    memset(trace, 0, sizeof trace);
    struct thread *t = spawn("enters", enters);
    for (unsigned i = 0; i < 5; i++) {
        CHECK(pass());
    }
    CHECK_STR(trace, "!");
    CHECK_EQ(said[0], ST_OK);
    CHECK_EQ(said[1], ST_OK);
    CHECK_EQ(taken.user_data, 42);
    CHECK_EQ(taken.status, ST_OK);
    CHECK_EQ(said[2], ST_TIMEOUT);
    CHECK_EQ(said[3], ST_BADARG);
    CHECK_EQ(t->state, THREAD_DONE);
    CHECK(!pass());             /* for good */
    CHECK_EQ(machine.saves, 0); /* (3): nothing lives in vector registers where it entered by itself */
}

static uint64_t timeout_ns;
static void waits(struct ring_shared *ring, void *context)
{
    (void)context;
    submit(ring, RING_CALL, 7);
    said[0] = cap_enter(1, timeout_ns);
    (void)ring_take(ring, &taken);
    said[1] = cap_enter(0, 0);
}

static void test_timeout(void)
{
    fresh();
    timeout_ns = 5 * NS_PER_MS;
    said[0] = ST_OK;
    struct thread *t = spawn("waits", waits);
    CHECK(pass());
    CHECK(!pass());
    CHECK_EQ(t->state, THREAD_BLOCKED);
    CHECK(server.kept != NULL);
    machine.now_ns += 5 * NS_PER_MS - 1;
    CHECK(!pass());
    machine.now_ns += 1;
    CHECK(pass());
    CHECK_EQ(said[0], ST_TIMEOUT);
    CHECK_EQ(t->state, THREAD_ENTERED);
}

static void test_woken_by_completion(void)
{
    fresh();
    timeout_ns = 5 * NS_PER_MS;
    said[0] = ST_IO;
    struct thread *t = spawn("waits", waits);
    CHECK(pass());
    CHECK(!pass());
    CHECK(timer_armed(&t->timer));
    call_return(server.kept);
    CHECK_EQ(t->state, THREAD_READY);
    CHECK(!timer_armed(&t->timer)); /* it would find a thread that no longer waits */
    machine.now_ns += NS_PER_S;
    CHECK(pass());
    CHECK_EQ(said[0], ST_OK);
    CHECK_EQ(taken.user_data, 7);
}

static void waits_for_two(struct ring_shared *ring, void *context)
{
    (void)context;
    submit(ring, RING_CALL, 1);
    submit(ring, RING_CALL, 2);
    said[0] = cap_enter(2, UINT64_MAX);
}

static void test_woken_by_the_last(void)
{
    fresh();
    struct thread *t = spawn("two", waits_for_two);
    CHECK(pass());
    (void)threads_serve(&cpu);
    struct call *second = server.kept;
    struct ring_slot *slot = CONTAINER_OF(second, struct ring_slot, call);
    call_return(second);
    CHECK_EQ(t->state, THREAD_BLOCKED); /* one of two */
    struct ring_slot *first = ring_slot_find(slot->ring, 1, SLOT_CALL);
    REQUIRE(first != NULL);
    call_return(&first->call);
    CHECK_EQ(t->state, THREAD_READY);
    CHECK(pass());
    CHECK_EQ(said[0], ST_OK);
}

static void calls_and_works(struct ring_shared *ring, void *context)
{
    (void)context;
    submit(ring, RING_CALL, 1);
    (void)cap_enter(0, 0);
    interrupted(true);
    trace_add("w");
}

/* A completion for a thread that does not wait is no reason to line it up again. */
static void test_completed_while_ready(void)
{
    fresh();
    memset(trace, 0, sizeof trace);
    struct thread *t = spawn("works", calls_and_works);
    CHECK(pass());
    CHECK(pass());
    CHECK_EQ(t->state, THREAD_READY);
    struct thread *other = spawn("other", quiet);
    call_return(server.kept);
    CHECK(cpu.threads_ready.next == &t->node && t->node.next == &other->node && other->node.next == &cpu.threads_ready);
    CHECK(pass());
    CHECK_EQ(t->state, THREAD_DONE);
    CHECK_STR(trace, "w");
}

static void test_for_ever(void)
{
    static const uint64_t times[] = {UINT64_MAX, UINT64_MAX - 1, UINT64_MAX - NS_PER_S};

    for (unsigned i = 0; i < 3; i++) {
        fresh();
        timeout_ns = times[i];
        struct thread *t = spawn("waits", waits);
        CHECK(pass());
        CHECK(!pass());
        CHECK_EQ(t->state, THREAD_BLOCKED);
        CHECK_EQ(timer_armed(&t->timer), i != 0);
        machine.now_ns += 1000000 * NS_PER_S; /* no sum has wrapped */
        CHECK(!pass());
    }
}

static void lies(struct ring_shared *ring, void *context)
{
    uint32_t *index = *(const char *)context == 's' ? &ring->sq_tail : &ring->cq_head;

    *index += 100000;
    said[0] = cap_enter(1, UINT64_MAX);
    *index -= 100000;
    said[1] = cap_enter(0, UINT64_MAX);
}

static void test_indices_that_lie(void)
{
    static const char *const names[] = {"sq_tail", "cq_head"};

    for (unsigned i = 0; i < 2; i++) {
        fresh();
        (void)spawn(names[i], lies);
        CHECK(pass());
        CHECK(pass());
        CHECK_EQ(said[0], ST_PROTO);
        CHECK(pass());
        CHECK_EQ(said[1], ST_OK); /* its own affair: nothing else came of it */
    }
}

static void floods(struct ring_shared *ring, void *context)
{
    (void)context;
    for (uint64_t i = 0; i < SQ; i++) {
        submit(ring, RING_NOP, i);
    }
    said[0] = cap_enter(1, UINT64_MAX);
    trace_add("f");
}

static void test_served_in_portions(void)
{
    fresh();
    memset(trace, 0, sizeof trace);
    struct thread *t = spawn("floods", floods);
    CHECK(pass());
    CHECK(threads_serve(&cpu)); /* true: the loop must come back without an interrupt */
    CHECK_EQ(ring_completions(t->ring), SERVE_MAX);
    CHECK_EQ(t->state, THREAD_ENTERED);
    CHECK(!threads_serve(&cpu));
    CHECK_EQ(ring_completions(t->ring), SQ);
    CHECK(pass());
    CHECK_STR(trace, "f");
}

static void calls_and_ends(struct ring_shared *ring, void *context)
{
    (void)context;
    submit(ring, RING_CALL, 1);
    (void)cap_enter(0, 0);
}

static void test_end_cancels(void)
{
    fresh();
    struct thread *t = spawn("ends", calls_and_ends);
    CHECK(pass());
    CHECK(pass());
    CHECK_EQ(t->state, THREAD_DONE);
    CHECK_EQ(server.cancelled, 1);
    CHECK_EQ(server.object.references, 2); /* ours and the table's: the call's is gone */
}

/* --- who runs when ------------------------------------------------------------------------------------------------------ */

static uint64_t step_ns;
static unsigned steps;
static void busy(struct ring_shared *ring, void *context)
{
    (void)ring;
    for (unsigned i = 0; i < steps; i++) {
        trace_add(context);
        machine.now_ns += step_ns;
        interrupted(true);
    }
}

/* (2) An interrupted thread goes on first while its slice lasts, and behind the others when it is used up. */
static void test_slices(void)
{
    fresh();
    memset(trace, 0, sizeof trace);
    step_ns = SLICE_NS / 2;
    steps = 4;
    struct thread *a = spawn("a", busy);
    (void)spawn("b", busy);
    CHECK(pass());
    CHECK_EQ(a->slice_ns, SLICE_NS / 2);
    CHECK_EQ(machine.armed_ns, NS_PER_S + SLICE_NS); /* there is somebody to have the next slice */
    CHECK(pass());
    CHECK_EQ(machine.armed_ns, NS_PER_S + SLICE_NS); /* what was left of it */
    while (pass()) {
    }
    CHECK_STR(trace, "aabbaabb");
    CHECK_EQ(cpu.counts.preempted, 8);
    CHECK_EQ(cpu.counts.thread_ns, 8 * step_ns);
}

static void test_alone_without_end(void)
{
    struct timer timer;

    fresh();
    memset(trace, 0, sizeof trace);
    step_ns = NS_PER_MS;
    steps = 2;
    (void)spawn("a", busy);
    CHECK(pass());
    CHECK(machine.armed_ns == UINT64_MAX); /* nobody waits for the CPU: no tick */
    timer_init(&timer, timed_out);
    timer_set(&timer, machine.now_ns + NS_PER_S);
    CHECK(pass());
    CHECK_EQ(machine.armed_ns, timer.deadline_ns);
    timer_cancel(&timer);
}

/* What it takes to program the timer is not the thread's. */
static void test_arming_is_the_loops(void)
{
    fresh();
    memset(trace, 0, sizeof trace);
    machine.arming_takes_ns = 3 * NS_PER_MS;
    step_ns = NS_PER_MS;
    steps = 2;
    struct thread *a = spawn("a", busy);
    (void)spawn("b", busy);
    CHECK(pass());
    CHECK_EQ(a->ran_ns, NS_PER_MS);
    CHECK_EQ(a->slice_ns, SLICE_NS - NS_PER_MS);
    while (pass()) {
    }
}

static void polite(struct ring_shared *ring, void *context)
{
    (void)ring;
    for (unsigned i = 0; i < 3; i++) {
        trace_add(context);
        machine.now_ns += NS_PER_MS;
        (void)cap_enter(0, 0);
    }
}

/* Who asks the loop for something is not put behind all others for it. */
static void test_enter_keeps_the_turn(void)
{
    fresh();
    memset(trace, 0, sizeof trace);
    (void)spawn("a", polite);
    (void)spawn("b", polite);
    while (pass()) {
    }
    CHECK_STR(trace, "aaabbb");
}

static void test_switch_only_when_wanted(void)
{
    fresh();
    cpu.room = ROOM_LOOP;
    cpu.wanted = true;
    core_trap_return(); /* the loop was interrupted: it looks by itself */
    CHECK_EQ(machine.saves, 0);
}

static void quiet(struct ring_shared *ring, void *context)
{
    (void)ring, (void)context;
    interrupted(false); /* nobody's interrupt */
    trace_add("1");
    interrupted(true);
    trace_add("2");
    cpu.held = false; /* as core_trap_timer() does */
    interrupted(true);
    trace_add("3");
}

static void test_held(void)
{
    fresh();
    memset(trace, 0, sizeof trace);
    (void)spawn("quiet", quiet);
    CHECK(pass_held(true));
    CHECK_STR(trace, "12"); /* the loop had to wait until the time was over */
    CHECK_EQ(machine.armed_ns, NS_PER_S + NS_PER_MS);
    CHECK_EQ(cpu.counts.held, 1);
    CHECK(pass());
    CHECK_STR(trace, "123");
}

static void test_not_held(void)
{
    fresh();
    memset(trace, 0, sizeof trace);
    (void)spawn("quiet", quiet);
    CHECK(pass());
    CHECK_STR(trace, "1");
    CHECK_EQ(machine.saves, 1); /* its registers: it did not ask to be stopped */
    CHECK_EQ(machine.restores, 0);
    CHECK(pass());
    CHECK_EQ(machine.saves, 2);
    CHECK_EQ(machine.restores, 1);
}

/* What an interrupted thread had for a moment only is the loop's cost, not the threads' part. */
static void test_slivers_are_the_loops(void)
{
    fresh();
    memset(trace, 0, sizeof trace);
    steps = 2;
    step_ns = SLIVER_NS - 1;
    (void)spawn("a", busy);
    CHECK(pass());
    CHECK_EQ(cpu.share_given_ns, 0);
    step_ns = SLIVER_NS;
    CHECK(pass());
    CHECK_EQ(cpu.share_given_ns, SLIVER_NS);
}

/* --- making them --------------------------------------------------------------------------------------------------------- */

static void count_states(const struct thread_usage *usage, void *context)
{
    (void)context;
    trace_add(usage->state);
    CHECK_EQ(usage->stack_bytes, STACK);
}

static void test_new(void)
{
    struct thread_config config = {.entry = busy, .caps = &table, .stack_bytes = 5000, .sq_size = 4, .cq_size = 4};

    fresh();
    memset(trace, 0, sizeof trace);
    (void)spawn("a", enters);
    (void)spawn("b", enters);
    CHECK(pass());
    thread_each(count_states, NULL);
    CHECK_STR(trace, "er");
    struct thread *odd = thread_new(&config);
    CHECK_EQ(odd->stack_bytes, 8192);
    CHECK_EQ((uintptr_t)machine.guarded % 4096, 0);
    CHECK_EQ(odd->context.word[BOTTOM], (uintptr_t)machine.guarded + 4096); /* right below, no gap */
    config.cq_size = 2;
    CHECK_PANICS(thread_new(&config)); /* smaller than the SQ */
    config.cq_size = 6;
    CHECK_PANICS(thread_new(&config));
    config.sq_size = 0;
    CHECK_PANICS(thread_new(&config));
}

static void test_enter_is_for_threads(void)
{
    fresh();
    test_room = ROOM_LOOP;
    CHECK_PANICS((void)cap_enter(0, 0));
}

int main(void)
{
    RUN(test_enter_and_go_on);
    RUN(test_timeout);
    RUN(test_woken_by_completion);
    RUN(test_woken_by_the_last);
    RUN(test_completed_while_ready);
    RUN(test_for_ever);
    RUN(test_indices_that_lie);
    RUN(test_served_in_portions);
    RUN(test_end_cancels);
    RUN(test_slices);
    RUN(test_arming_is_the_loops);
    RUN(test_alone_without_end);
    RUN(test_enter_keeps_the_turn);
    RUN(test_switch_only_when_wanted);
    RUN(test_held);
    RUN(test_not_held);
    RUN(test_slivers_are_the_loops);
    RUN(test_new);
    RUN(test_enter_is_for_threads);
    return test_end();
}
