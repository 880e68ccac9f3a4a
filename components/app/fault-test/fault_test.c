/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fault_test.c: goes wrong in one chosen way.
 *
 *  (1) What the compiler could see through goes past an empty assembler statement: it must not know that this never works.
 *  (2) Where the machine lets it happen, a line says so, and the image ends as a failed test: the smoke test then fails.
 */
#include "core/assert.h"
#include "core/image.h"
#include "core/loop.h"
#include "core/thread.h"
#include <stddef.h>
#include <stdint.h>
#define LOG_TAG "fault-test"
#include "core/log.h"

status_t app_fault_test_start(void) REQUIRES(BOOT);

#define STACK_BYTES 8192u
#define TIMERS 300u
#define TIMER_NS (NS_PER_MS / 2)

static struct {
    struct work work;
    void (*fault)(void);
    struct timer timer;
    uint64_t deadline_ns; /* [L] of the timer */
    uint64_t worst_ns;    /* [L] */
    unsigned fired;       /* [L] */
} self;

static const char constant[] = "constant";
static char data[64];
static unsigned depth;

/* (1) Assembler statements without outputs are never left out. */
static void escape(const void *memory)
{
    __asm__("" : : "r"(memory) : "memory");
}

static uintptr_t opaque(uintptr_t value)
{
    __asm__("" : "+r"(value));
    return value;
}

static void write_to(uintptr_t address)
{
    __atomic_store_n((char *)opaque(address), (char)1, __ATOMIC_RELAXED);
}

static void fault_null(void)
{
    write_to(8);
}

static void fault_text(void)
{
    write_to((uintptr_t)&fault_null);
}

static void fault_rodata(void)
{
    write_to((uintptr_t)constant);
}

/* Constants that hold addresses are written once, by the relocation, and are read-only from then on. */
static void fault_relro(void)
{
    static const char *const pointer = constant;
    write_to((uintptr_t)&pointer);
}

static void fault_execute(void)
{
    union {
        char *bytes;
        void (*code)(void);
    } place = {.bytes = data};

    data[0] = (char)0xc3; /* ret */
    place.code();
}

static void fault_jump(void)
{
    ((void (*)(void))opaque(0x1234567))();
}

__attribute__((noinline)) static unsigned overflow(unsigned more)
{
    char frame[512];

    frame[0] = (char)more;
    escape(frame);
    if (__atomic_fetch_add(&depth, 1, __ATOMIC_RELAXED) == UINT32_MAX) { /* (1) */
        return 0;
    }
    return overflow(more + 1) + (unsigned char)frame[0];
}

static void fault_stack(void)
{
    depth = overflow(1);
}

static void overflow_thread(struct ring_shared *ring, void *context)
{
    room_assert_thread();
    (void)ring;
    (void)context;
    log_info("thread of %u bytes of stack at %p", STACK_BYTES, __builtin_frame_address(0));
    depth = overflow(1);
}

/* Over the canary, and not over what the callers have. */
__attribute__((noinline)) static void smash(uintptr_t size)
{
    char small[16];
    char *at = (char *)opaque((uintptr_t)small);

    for (uintptr_t i = 0; i < size; i++) {
        at[i] = 0x41;
    }
    escape(at);
}

static void fault_smash(void)
{
    smash(opaque(40));
}

/* With a number in each register, so that the test sees each in its place. */
static void fault_undefined(void)
{
    __asm__(
        "movl $0x11, %eax; movl $0x12, %ebx; movl $0x13, %ecx; movl $0x14, %edx; movl $0x15, %esi; movl $0x16, %edi\n\t"
        "movl $0x18, %r8d; movl $0x19, %r9d; movl $0x1a, %r10d; movl $0x1b, %r11d\n\t"
        "movl $0x1c, %r12d; movl $0x1d, %r13d; movl $0x1e, %r14d; movl $0x1f, %r15d; ud2");
}

/* Frame pointers that lead nowhere, as a program has that wrote over its stack: the backtrace must not follow. */
static void fault_frame(void)
{
    static const uintptr_t loop[2] = {(uintptr_t)loop, (uintptr_t)fault_undefined};

    __asm__("movq %0, %%rbp; ud2" : : "r"(loop));
}

static void fault_lost_frame(void)
{
    __asm__("movq $0x123450, %rbp; ud2");
}

/* What a panic has to print faults itself. */
static void fault_reason(void)
{
    panic("the reason is at %s", (const char *)opaque(0x1234567));
}

static void fault_divide(void)
{
    depth = (unsigned)(opaque(7) / opaque(0));
}

static void fault_triple(void)
{
    static const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } none;

    __asm__("lidt %0; int3" : : "m"(none));
}

static void fault_assert(void)
{
    ASSERT(depth == 1);
}

static void fault_panic(void)
{
    panic("asked for by fault=%s", "panic");
}

static void do_failed(void)
{
    room_assert_loop();
    loop_halt(1);
}

static void do_off(void)
{
    room_assert_loop();
    loop_halt(0);
}

static void do_reboot(void)
{
    room_assert_loop();
    loop_reboot();
}

static void timer_fired(struct timer *timer)
{
    room_assert_loop();
    uint64_t now = clock_ns();

    ASSERT(now >= self.deadline_ns); /* never early */
    self.worst_ns = now - self.deadline_ns > self.worst_ns ? now - self.deadline_ns : self.worst_ns;
    if (++self.fired == TIMERS) {
        log_info("%u timers, the latest %lu us late", TIMERS, self.worst_ns / 1000);
        loop_halt(0);
        return;
    }
    self.deadline_ns = now + TIMER_NS;
    timer_set(timer, self.deadline_ns);
}

/* Sleep and wake many times: an interrupt lost on the way to sleep hangs here. */
static void do_timers(void)
{
    room_assert_loop();
    timer_init(&self.timer, timer_fired);
    self.deadline_ns = clock_ns() + TIMER_NS;
    timer_set(&self.timer, self.deadline_ns);
}

static const struct {
    const char *word;
    void (*run)(void);
    bool ends; /* its own way, not by a fault */
} faults[] = {
    {"null", fault_null, false},           {"text", fault_text, false},
    {"rodata", fault_rodata, false},       {"relro", fault_relro, false},
    {"execute", fault_execute, false},     {"jump", fault_jump, false},
    {"stack", fault_stack, false},         {"smash", fault_smash, false},
    {"undefined", fault_undefined, false}, {"triple", fault_triple, false},
    {"assert", fault_assert, false},       {"panic", fault_panic, false},
    {"frame", fault_frame, false},         {"lost-frame", fault_lost_frame, false},
    {"reason", fault_reason, false},       {"divide", fault_divide, false},
    {"failed", do_failed, true},           {"off", do_off, true},
    {"reboot", do_reboot, true},           {"timers", do_timers, true},
};

static void first_turn(struct work *work)
{
    room_assert_loop();
    (void)work;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (faults[i].run == self.fault) {
            faults[i].run();
            if (!faults[i].ends) {
                log_err("fault=%s went unnoticed", faults[i].word); /* (2) */
                loop_halt(1);
            }
        }
    }
}

/* The command line is `fault=WORD`, and perhaps more words before or after. */
static bool asked(const char *word)
{
    static const char key[] = "fault=";
    const char *at = image_cmdline();

    for (; *at != '\0'; at++) {
        size_t i = 0;
        size_t j = 0;
        while (i < sizeof key - 1 && at[i] == key[i]) {
            i++;
        }
        if (i < sizeof key - 1) {
            continue;
        }
        while (word[j] != '\0' && at[i + j] == word[j]) {
            j++;
        }
        if (word[j] == '\0' && (at[i + j] == '\0' || at[i + j] == ' ')) {
            return true;
        }
    }
    return false;
}

status_t app_fault_test_start(void)
{
    static const struct thread_config overflowing = {
        .name = "overflow",
        .entry = overflow_thread,
        .stack_bytes = STACK_BYTES,
        .sq_size = 4,
        .cq_size = 4,
        .area_bytes = 256,
    };

    if (asked("thread-stack")) {
        struct thread_config config = overflowing;
        config.caps = domain_table("app/fault-test");
        (void)thread_new(&config);
    }
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (asked(faults[i].word)) {
            self.fault = faults[i].run;
            work_init(&self.work, first_turn);
            loop_post_boot(&self.work);
        }
    }
    return ST_OK;
}
