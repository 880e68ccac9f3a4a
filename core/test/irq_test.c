/* SPDX-License-Identifier: MIT OR Apache-2.0
 * irq_test.c: from a vector in TRAP to its handlers in LOOP, on a controller made of C.
 */
#include "../run/irq.c"
#include "test.h"

static struct cpu cpu;
static unsigned unmasked[PLAT_VECTORS_MAX]; /* times */
static uint64_t handled_when_unmasked;      /* of the last one */
static status_t wired_status;
static uint32_t wired_vector;

struct cpu *cpu_this(void)
{
    return &cpu;
}

void plat_irq_mask(uint32_t vector, bool masked)
{
    CHECK(!masked); /* the platform masks a level one itself, before core hears of it */
    unmasked[vector]++;
    handled_when_unmasked = cpu.counts.turns;
}

status_t plat_irq_msi(uint32_t *vector, uint64_t *address, uint32_t *data)
{
    if (wired_status == ST_OK) {
        *vector = wired_vector;
        *address = 0xfee00000;
        *data = wired_vector + 0x30;
    }
    return wired_status;
}

status_t plat_irq_wired(uint32_t gsi, bool level, bool active_low, uint32_t *vector)
{
    CHECK_EQ(gsi, 11);
    CHECK(active_low == level);
    if (wired_status == ST_OK) {
        *vector = wired_vector;
    }
    return wired_status;
}

static void handle_count(struct irq *irq)
{
    room_assert_loop();
    (void)irq;
    cpu.counts.turns++; /* stands for what a handler does */
}

/* As a device that has something new before its handler is through. */
static void handle_again(struct irq *irq)
{
    handle_count(irq);
    if (irq->count == 1) {
        core_trap_irq(irq->vector);
    }
}

static void test_message(void)
{
    static struct irq irq;
    uint64_t address = 0;
    uint32_t data = 0;

    wired_vector = 3;
    CHECK_EQ(irq_open_msi(&irq, "message", handle_count, &address, &data), ST_OK);
    CHECK_EQ(data, 0x33);
    core_trap_irq(3);
    core_trap_irq(3); /* twice before the loop looks: once for the handler */
    CHECK(cpu.wanted);
    CHECK_EQ(cpu.counts.interrupts, 2);
    test_room = ROOM_LOOP;
    CHECK(irqs_run(&cpu));
    CHECK_EQ(irq.count, 1);
    CHECK(!irqs_run(&cpu));
    core_trap_irq(3);
    CHECK(irqs_run(&cpu));
    CHECK_EQ(irq.count, 2);
    CHECK_EQ(unmasked[3], 1); /* when it was attached: nothing masks a message */
}

static void test_shared_wire(void)
{
    static struct irq first;
    static struct irq second;
    static struct irq third;

    wired_vector = 70; /* in the second word */
    CHECK_EQ(irq_open_wired(&first, "first", handle_count, 11, true, true), ST_OK);
    CHECK_EQ(irq_open_wired(&second, "second", handle_count, 11, true, true), ST_OK);
    CHECK_EQ(irq_open_wired(&third, "third", handle_count, 11, true, true), ST_OK);
    unmasked[70] = 0;
    uint64_t before = cpu.counts.turns;
    core_trap_irq(70);
    test_room = ROOM_LOOP;
    CHECK(irqs_run(&cpu));
    CHECK_EQ(first.count, 1);
    CHECK_EQ(second.count, 1);
    CHECK_EQ(third.count, 1);
    CHECK_EQ(unmasked[70], 1);
    CHECK_EQ(handled_when_unmasked, before + 3); /* only when all had been asked: it would storm before */
}

static void test_sharing_refused(void)
{
    static struct irq edge;
    static struct irq late;

    wired_vector = 5;
    CHECK_EQ(irq_open_wired(&edge, "edge", handle_count, 11, false, false), ST_OK);
    CHECK_PANICS(irq_attach(&late, "late", handle_count, 5, false)); /* an edge that one takes is lost to the other */
    CHECK_PANICS(irq_attach(&late, "late", handle_count, 5, true));
    CHECK_PANICS(irq_attach(&late, "late", handle_count, PLAT_VECTORS_MAX, false));
    CHECK_PANICS(irq_attach(&late, "late", NULL, 6, false));
    wired_status = ST_FULL;
    CHECK_EQ(irq_open_wired(&late, "late", handle_count, 11, true, true), ST_FULL);
    CHECK(late.handle == NULL);
    wired_status = ST_OK;
}

static void test_comes_while_handled(void)
{
    static struct irq irq;

    wired_vector = 6;
    CHECK_EQ(irq_open_wired(&irq, "again", handle_again, 11, false, false), ST_OK);
    core_trap_irq(6);
    test_room = ROOM_LOOP;
    cpu.wanted = false;
    CHECK(irqs_run(&cpu));
    CHECK_EQ(irq.count, 1);
    CHECK(cpu.wanted);
    CHECK(irqs_run(&cpu));
    CHECK_EQ(irq.count, 2);
    CHECK(!irqs_run(&cpu));
}

static void test_spurious(void)
{
    uint64_t before = cpu.counts.spurious;

    cpu.wanted = false;
    cpu.room = ROOM_THREAD;
    core_trap_irq(9);
    core_trap_irq(PLAT_VECTORS_MAX);
    CHECK_EQ(cpu.counts.spurious, before + 1);
    CHECK(!cpu.wanted);
    CHECK_EQ(cpu.room, ROOM_THREAD); /* as it was */
    test_room = ROOM_LOOP;
    CHECK(!irqs_run(&cpu));
}

static void test_timer(void)
{
    cpu.timer_armed_ns = 5;
    cpu.held = true;
    cpu.wanted = false;
    core_trap_timer();
    CHECK(cpu.timer_armed_ns == UINT64_MAX); /* it is one-shot: the next arm must reach the hardware */
    CHECK(cpu.wanted && !cpu.held);
}

static void count_one(const struct irq *irq, void *context)
{
    unsigned *count = context;

    CHECK(irq->name != NULL);
    (*count)++;
}

static void test_each(void)
{
    unsigned count = 0;

    irq_each(count_one, &count);
    CHECK_EQ(count, 6);
}

int main(void)
{
    RUN(test_message);
    RUN(test_shared_wire);
    RUN(test_sharing_refused);
    RUN(test_comes_while_handled);
    RUN(test_spurious);
    RUN(test_timer);
    RUN(test_each);
    return test_end();
}
