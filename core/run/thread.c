/* SPDX-License-Identifier: MIT OR Apache-2.0
 * thread.c: threads, and how they give way.
 *
 *             thread_new            thread_next           cap_enter
 *                 |                     |                     |
 *                 v                     v                     v
 *               READY <-----------> RUNNING ------------> ENTERED ----> BLOCKED
 *                 ^    preempted        | entry returned      |  CQ has too few |
 *                 |                     v                     |                 |
 *                 |                    DONE     enough, or    |  completion,    |
 *                 +-------------------------------------------+  or time over --+
 *
 *   READY    in threads_ready; its context stands on its own stack.
 *   RUNNING  the CPU's `thread`; while the loop is in a turn it is none.
 *   ENTERED  in threads_entered: the loop has its ring to serve.
 *   BLOCKED  in no list; its timer may be armed.
 *   DONE     in no list, for good; its ring is closed.
 *
 *  (1) The loop and a thread switch directly, interrupts off on both sides.
 *  (2) A slice is used up by running, however often the thread is stopped, enters or blocks meanwhile. With something left
 *      of it a thread goes to the head of the line, so a call that the loop answers at once costs no wait; with nothing, to
 *      its end with a new slice. So each gets SLICE_NS a round, and whoever blocks wakes quickly.
 *  (3) FPU state is saved only when an interrupt stops a thread: in cap_enter the ABI says that nothing lives there.
 */
#include "core/thread.h"
#include "../cap/cap_private.h"
#include "core/assert.h"
#include "core/mem.h"
#include "core/point.h"
#include "run_private.h"

#define SLICE_NS (10u * NS_PER_MS)
#define SERVE_MAX 64u /* submissions a thread, a turn */
#define SLIVER_NS (NS_PER_MS / 10)
#define PAGE_BYTES 4096u

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_ENTERED, THREAD_BLOCKED, THREAD_DONE };

/* Keys: [I] fixed after thread_new  [L] its loop  [e] the thread before a switch, its loop after */
struct thread {
    struct plat_context context;                             /* [e] */
    const char *name;                                        /* [I] */
    void (*entry)(struct ring_shared *ring, void *argument); /* [I] */
    void *argument;                                          /* [I] */
    struct ring *ring;                                       /* [I] */
    struct ring_shared shared;                               /* the thread's */
    enum thread_state state;                                 /* [e] */
    uint32_t wanted;                                         /* [e] completions */
    uint64_t timeout_ns;                                     /* [e] */
    status_t entered;                                        /* [L] what cap_enter answers */
    struct timer timer;                                      /* [L] */
    struct list node;                                        /* [L] threads_ready or threads_entered */
    struct list all;                                         /* [I] */
    uint64_t slice_ns;                                       /* [L] what is left */
    uint64_t ran_ns;                                         /* [L] */
    size_t stack_bytes;                                      /* [I] */
    void *fpu;                                               /* [e] */
};

static struct list all = {&all, &all}; /* [I] after BOOT */

static void thread_end(void *argument) NO_ROOM_ANALYSIS
{
    struct thread *thread = argument;

    plat_irq_disable();
    thread->state = THREAD_DONE;
    plat_context_switch(&thread->context, &cpu_this()->loop_context);
    UNREACHABLE();
}

static void thread_begin(void *argument)
{
    struct thread *thread = argument;

    thread->entry(&thread->shared, thread->argument);
    thread_end(thread);
}

/* (2) */
static void line_up(struct cpu *cpu, struct thread *thread)
{
    thread->state = THREAD_READY;
    if (thread->slice_ns == 0) {
        thread->slice_ns = SLICE_NS;
        list_push_back(&cpu->threads_ready, &thread->node);
    } else {
        list_push_front(&cpu->threads_ready, &thread->node);
    }
}

static void make_ready(struct thread *thread, status_t entered) REQUIRES(LOOP)
{
    timer_cancel(&thread->timer);
    thread->entered = entered;
    line_up(cpu_this(), thread);
}

static void timed_out(struct timer *timer)
{
    room_assert_loop();
    struct thread *thread = CONTAINER_OF(timer, struct thread, timer);

    ASSERT(thread->state == THREAD_BLOCKED);
    make_ready(thread, ST_TIMEOUT);
}

static void completed(void *owner)
{
    room_assert_loop();
    struct thread *thread = owner;

    if (thread->state == THREAD_BLOCKED && ring_completions(thread->ring) >= thread->wanted) {
        make_ready(thread, ST_OK);
    }
}

/* A stack whose lowest page faults. */
static void *stack_new(size_t *size) REQUIRES(BOOT)
{
    *size = (*size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    char *stack = boot_alloc_named("thread stack", *size + PAGE_BYTES, PAGE_BYTES);

    plat_guard_page(stack);
    return stack + PAGE_BYTES;
}

static bool power_of_two(uint32_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static struct ring *thread_ring_new(struct thread *thread, const struct thread_config *config) REQUIRES(BOOT)
{
    ASSERT(power_of_two(config->sq_size) && power_of_two(config->cq_size) && config->cq_size >= config->sq_size);
    thread->shared = (struct ring_shared){
        .sq_size = config->sq_size,
        .cq_size = config->cq_size,
        .sq = boot_alloc_named("thread ring", config->sq_size * sizeof(struct ring_sqe), 64),
        .cq = boot_alloc_named("thread ring", config->cq_size * sizeof(struct ring_cqe), 64),
        .area = boot_alloc_named("thread message area", config->area_bytes, 64),
        .area_bytes = config->area_bytes & ~7u,
    };
    return ring_new(&(struct ring_config){&thread->shared, config->caps, completed, thread});
}

struct thread *thread_new(const struct thread_config *config)
{
    struct thread *thread = boot_alloc_named("thread", sizeof *thread, 64);

    ASSERT(config->entry != NULL && config->caps != NULL && config->stack_bytes > 0);
    thread->name = config->name;
    thread->entry = config->entry;
    thread->argument = config->context;
    thread->fpu = boot_alloc_named("thread registers", PLAT_FPU_BYTES, 64);
    thread->ring = thread_ring_new(thread, config);
    thread->slice_ns = SLICE_NS;
    thread->stack_bytes = config->stack_bytes;
    void *stack = stack_new(&thread->stack_bytes);
    plat_context_init(&thread->context, stack, thread->stack_bytes, thread_begin, thread);
    timer_init(&thread->timer, timed_out);
    thread->state = THREAD_READY;
    list_push_back(&cpu_this()->threads_ready, &thread->node);
    list_push_back(&all, &thread->all);
    return thread;
}

status_t cap_enter(uint32_t completions, uint64_t timeout_ns)
{
    room_assert_thread();
    plat_irq_disable(); /* from here to the switch nobody else may look at this CPU's thread */
    struct cpu *cpu = cpu_this();
    struct thread *thread = cpu->thread;

    thread->state = THREAD_ENTERED;
    POINT();
    thread->wanted = completions;
    thread->timeout_ns = timeout_ns;
    plat_context_switch(&thread->context, &cpu->loop_context); /* (1), (3) */
    plat_irq_enable();
    return thread->entered;
}

/* --- the loop's side ------------------------------------------------------------------------------------------------- */

struct thread *thread_next(struct cpu *cpu)
{
    struct list *node = list_pop_front(&cpu->threads_ready);

    return node == NULL ? NULL : CONTAINER_OF(node, struct thread, node);
}

/* When the hardware timer has to stop the thread: a slice ends only when there is somebody to have the next. */
static uint64_t stop_at(const struct cpu *cpu, const struct thread *thread, uint64_t now_ns)
{
    uint64_t timer = timers_next(&cpu->timers);
    uint64_t slice = list_empty(&cpu->threads_ready) ? UINT64_MAX : now_ns + thread->slice_ns;

    return timer < slice ? timer : slice;
}

/* A thread that was stopped so soon has had little but the cost of switching: that counts as the loop's, or a flood of
 * interrupts would starve threads and still seem to leave them their part. */
static void charge(struct cpu *cpu, struct thread *thread, uint64_t took_ns)
{
    if (thread->state != THREAD_RUNNING || took_ns >= SLIVER_NS) {
        cpu->share_given_ns += took_ns;
    }
    thread->ran_ns += took_ns;
    cpu->counts.thread_ns += took_ns;
    thread->slice_ns = thread->slice_ns > took_ns ? thread->slice_ns - took_ns : 0;
}

static void thread_stopped(struct cpu *cpu, struct thread *thread) REQUIRES(LOOP)
{
    switch (thread->state) {
    case THREAD_RUNNING:
        cpu->counts.preempted++;
        line_up(cpu, thread);
        return;
    case THREAD_ENTERED:
        list_push_back(&cpu->threads_entered, &thread->node);
        return;
    case THREAD_DONE:
        ring_close(thread->ring);
        return;
    case THREAD_READY:
    case THREAD_BLOCKED:
        break;
    }
    UNREACHABLE();
}

/* LOOP is given up to the thread and is back when this returns; the analysis need not know. */
uint64_t thread_run(struct cpu *cpu, struct thread *thread, uint64_t now_ns, uint64_t held_until_ns)
{
    ASSERT(thread->state == THREAD_READY);
    bool held = held_until_ns != 0;
    bool armed = cpu_timer_arm(cpu, held ? held_until_ns : stop_at(cpu, thread, now_ns));
    uint64_t start =
        armed ? plat_clock_ns() : now_ns; /* to program a timer may take longer than what the thread gets */
    cpu->counts.held += held ? 1 : 0;
    __atomic_store_n(&cpu->held, held, __ATOMIC_RELAXED);
    thread->state = THREAD_RUNNING;
    cpu->thread = thread;
    cpu->room = ROOM_THREAD;
    plat_context_switch(&cpu->loop_context, &thread->context); /* (1) */
    cpu->room = ROOM_LOOP;
    cpu->thread = NULL;
    uint64_t end = plat_clock_ns();
    charge(cpu, thread, end - start);
    thread_stopped(cpu, thread);
    return end;
}

void core_trap_return(void)
{
    struct cpu *cpu = cpu_this();

    if (cpu == NULL || cpu->room != ROOM_THREAD || __atomic_load_n(&cpu->held, __ATOMIC_RELAXED) ||
        !__atomic_load_n(&cpu->wanted, __ATOMIC_RELAXED)) {
        return;
    }
    struct thread *thread = cpu->thread;
    plat_fpu_save(thread->fpu); /* (3) */
    plat_context_switch(&thread->context, &cpu->loop_context);
    plat_fpu_restore(thread->fpu);
}

static void block(struct thread *thread) REQUIRES(LOOP)
{
    thread->state = THREAD_BLOCKED;
    if (thread->timeout_ns != UINT64_MAX) {
        uint64_t now = plat_clock_ns();
        uint64_t room = UINT64_MAX - 1 - now;
        timer_set(&thread->timer, now + (thread->timeout_ns < room ? thread->timeout_ns : room));
    }
}

/* False: its submissions are not all served; again in the next turn. */
static bool serve(struct thread *thread) REQUIRES(LOOP)
{
    status_t s = ring_serve(thread->ring, SERVE_MAX);
    uint32_t have = ring_completions(thread->ring);

    if (s == ST_PROTO) {
        make_ready(thread, ST_PROTO);
    } else if (thread->wanted > thread->shared.cq_size) {
        make_ready(thread, ST_BADARG); /* would never be */
    } else if (s == ST_AGAIN) {
        return false;
    } else if (have >= thread->wanted) {
        make_ready(thread, ST_OK);
    } else if (thread->timeout_ns == 0) {
        make_ready(thread, ST_TIMEOUT);
    } else {
        block(thread);
    }
    return true;
}

bool threads_serve(struct cpu *cpu)
{
    struct list again;

    if (list_empty(&cpu->threads_entered)) {
        return false;
    }
    list_init(&again);
    for (struct list *node = list_pop_front(&cpu->threads_entered); node != NULL;
         node = list_pop_front(&cpu->threads_entered)) {
        struct thread *thread = CONTAINER_OF(node, struct thread, node);
        if (!serve(thread)) {
            list_push_back(&again, node);
        }
    }
    while (!list_empty(&again)) {
        list_push_back(&cpu->threads_entered, list_pop_front(&again));
    }
    return !list_empty(&cpu->threads_entered);
}

static const char *state_name(enum thread_state state)
{
    static const char *const names[] = {"ready", "running", "entered", "blocked", "done"};

    return names[state];
}

void thread_each(void (*each)(const struct thread_usage *usage, void *context), void *context)
{
    for (struct list *at = all.next; at != &all; at = at->next) {
        const struct thread *thread = CONTAINER_OF(at, struct thread, all);
        struct thread_usage usage = {thread->name, state_name(thread->state), thread->ran_ns, thread->stack_bytes};
        each(&usage, context);
    }
}
