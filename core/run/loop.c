/* SPDX-License-Identifier: MIT OR Apache-2.0
 * loop.c: the turns of a CPU.
 *
 *      +-> interrupts let in -> marked ones -> posted work -> due timers -> rings -> end of turn -+
 *      |                                                                                          |
 *      +---- something is left, and the loop is within its share <---------------------------------+
 *      +---- a thread, until an interrupt or its slice's end     <---------------------------------+
 *      +---- sleep, until an interrupt                           <---------------------------------+
 *
 *  (1) The loop runs with interrupts off, but for one window a turn: it needs no guard against TRAP beyond the atomics of
 *      irq.c, and an interrupt that comes meanwhile waits in the controller.
 *  (2) Each stage is bounded by what there was when it began and by STAGE_MAX; what is left makes the next turn at once.
 *  (3) Of SHARE_NS the loop may take SHARE_LOOP_NS while a thread waits; then a thread runs for the difference, whatever
 *      comes. All time counts as the loop's that no thread had and the CPU did not sleep, so neither a flood of interrupts,
 *      with what their entries cost, nor work that posts itself starves the threads.
 */
#include "core/assert.h"
#include "core/image.h"
#include "run_private.h"

#define STAGE_MAX 256u
#define SHARE_NS (10u * NS_PER_MS)
#define SHARE_LOOP_NS (9u * NS_PER_MS)

static struct {
    bool stop;
    bool reboot;
    enum plat_exit code;
} self;

void work_init(struct work *work, void (*run)(struct work *work))
{
    work->run = run;
    list_init(&work->node);
}

static void post(struct cpu *cpu, struct work *work)
{
    ASSERT(work->run != NULL);
    if (list_empty(&work->node)) {
        list_push_back(&cpu->posted, &work->node);
        cpu->posted_count++;
    }
}

void loop_post(struct work *work)
{
    post(cpu_this(), work);
}

void loop_post_boot(struct work *work)
{
    post(cpu_this(), work);
}

void loop_at_turn_end(struct work *work)
{
    ASSERT(work->run != NULL);
    if (list_empty(&work->node)) {
        list_push_back(&cpu_this()->turn_end, &work->node);
    }
}

void loop_halt(int status)
{
    self.stop = true;
    self.code = status == 0 ? PLAT_EXIT_CLEAN : PLAT_EXIT_TEST_FAILED;
}

void loop_reboot(void)
{
    self.stop = true;
    self.reboot = true;
}

static void run_posted(struct cpu *cpu) REQUIRES(LOOP)
{
    uint32_t count = cpu->posted_count < STAGE_MAX ? cpu->posted_count : STAGE_MAX; /* (2) */

    while (count > 0) {
        struct list *node = list_pop_front(&cpu->posted);
        ASSERT(node != NULL);
        cpu->posted_count--;
        count--;
        struct work *work = CONTAINER_OF(node, struct work, node);
        work->run(work);
    }
}

static void run_turn_end(struct cpu *cpu) REQUIRES(LOOP)
{
    struct list now;

    if (list_empty(&cpu->turn_end)) {
        return;
    }
    /* Moved to a list of its own: what is armed from here belongs to the next turn. */
    list_init(&now);
    list_insert_before(cpu->turn_end.next, &now);
    list_remove(&cpu->turn_end);
    for (struct list *node = list_pop_front(&now); node != NULL; node = list_pop_front(&now)) {
        struct work *work = CONTAINER_OF(node, struct work, node);
        work->run(work);
    }
}

/* True when there is something to do that no interrupt will announce. */
static bool turn(struct cpu *cpu, uint64_t now_ns) REQUIRES(LOOP)
{
    plat_irq_enable(); /* (1) */
    plat_irq_disable();
    __atomic_store_n(&cpu->wanted, false, __ATOMIC_RELAXED);
    (void)irqs_run(cpu);
    run_posted(cpu);
    if (timers_next(&cpu->timers) <= now_ns) {
        timers_run(&cpu->timers, now_ns, STAGE_MAX);
    }
    bool more = threads_serve(cpu);
    run_turn_end(cpu);
    cpu->counts.turns++;
    return more || cpu->posted_count > 0 || !list_empty(&cpu->turn_end) || timers_next(&cpu->timers) <= now_ns;
}

bool cpu_timer_arm(struct cpu *cpu, uint64_t deadline_ns)
{
    if (__atomic_load_n(&cpu->timer_armed_ns, __ATOMIC_RELAXED) == deadline_ns) {
        return false;
    }
    __atomic_store_n(&cpu->timer_armed_ns, deadline_ns, __ATOMIC_RELAXED);
    plat_timer_arm(deadline_ns);
    return true;
}

static void account(struct cpu *cpu, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t took = to_ns - from_ns;

    cpu->counts.busy_ns += took;
    if (took > cpu->counts.turn_ns_max) {
        cpu->counts.turn_ns_max = took;
    }
}

/* (3) True when the loop has had its share. */
static bool share_is_over(struct cpu *cpu, uint64_t now_ns)
{
    uint64_t elapsed = now_ns - cpu->share_start_ns;

    if (elapsed > cpu->share_given_ns && elapsed - cpu->share_given_ns >= SHARE_LOOP_NS) {
        return true;
    }
    if (elapsed >= SHARE_NS) {
        cpu->share_start_ns = 0;
    }
    return false;
}

static _Noreturn void stop(void)
{
    if (self.reboot) {
        plat_reboot();
    }
    plat_exit(self.code);
}

/* One pass of the picture above, from `start`, which is now. What the clock says when it has passed: it is read once for
 * whatever ends there and begins anew. */
static uint64_t step(struct cpu *cpu, uint64_t start) REQUIRES(LOOP)
{
    if (cpu->share_start_ns == 0) {
        cpu->share_start_ns = start;
        cpu->share_given_ns = 0;
    }
    bool more = turn(cpu, start);
    uint64_t end = plat_clock_ns();

    if (self.stop) {
        stop();
    }
    account(cpu, start, end);
    bool over = share_is_over(cpu, end);
    if (more && !over) {
        return end;
    }
    struct thread *thread = thread_next(cpu);
    if (thread != NULL) {
        end = thread_run(cpu, thread, end, over ? end + SHARE_NS - SHARE_LOOP_NS : 0); /* (3) */
        cpu->share_start_ns = over ? 0 : cpu->share_start_ns;
    } else if (!more) {
        cpu->share_start_ns = 0;
        (void)cpu_timer_arm(cpu, timers_next(&cpu->timers));
        cpu->counts.sleeps++;
        plat_wait();
        end = plat_clock_ns();
    }
    return end;
}

/* BOOT ends here, for good: the analysis sees one room given up and the other taken. */
static void boot_to_loop(struct cpu *cpu) RELEASES(BOOT) ACQUIRES(LOOP) NO_ROOM_ANALYSIS
{
    cpu->room = ROOM_LOOP;
    cpu->share_start_ns = plat_clock_ns();
}

_Noreturn void loop_run(void)
{
    room_assert_boot();
    struct cpu *cpu = cpu_this();

    boot_to_loop(cpu);
    for (uint64_t now = cpu->share_start_ns;;) {
        now = step(cpu, now);
    }
}
