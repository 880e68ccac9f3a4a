/* SPDX-License-Identifier: MIT OR Apache-2.0
 * irq_test.c: from a vector in TRAP to its handlers in LOOP, on a controller made of C.
 */
#include "../run/irq.c"
#include "test.h"

static struct cpu cpu;
static unsigned unmasked[PLAT_VECTORS_MAX]; /* times */
static unsigned masks[PLAT_VECTORS_MAX];
static uint64_t handled_when_unmasked; /* of the last one */
static status_t wired_status;
static const struct ledger ledger = {.name = "drv/fake", .interrupts = 9};
static struct device_grant grant = {.where = "here", .state = DEVICE_HELD, .holder = &ledger};
static uint32_t wired_vector;

struct cpu *cpu_this(void)
{
    return &cpu;
}

void plat_irq_mask(uint32_t vector, bool masked)
{
    if (masked) { /* as irqs_close() does; the platform masks a level one itself, before core hears of it */
        masks[vector]++;
        return;
    }
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
    CHECK_EQ(raw_irq_msi(&grant, &irq, handle_count, &address, &data), ST_OK);
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
    CHECK_EQ(raw_irq_wired(&grant, &first, handle_count, (struct raw_wire){11, true, true}), ST_OK);
    CHECK_EQ(raw_irq_wired(&grant, &second, handle_count, (struct raw_wire){11, true, true}), ST_OK);
    CHECK_EQ(raw_irq_wired(&grant, &third, handle_count, (struct raw_wire){11, true, true}), ST_OK);
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
    CHECK_EQ(raw_irq_wired(&grant, &edge, handle_count, (struct raw_wire){11, false, false}), ST_OK);
    CHECK_PANICS(irq_attach(&late, "late", handle_count, 5, false)); /* an edge that one takes is lost to the other */
    CHECK_PANICS(irq_attach(&late, "late", handle_count, 5, true));
    CHECK_PANICS(irq_attach(&late, "late", handle_count, PLAT_VECTORS_MAX, false));
    CHECK_PANICS(irq_attach(&late, "late", NULL, 6, false));
    wired_status = ST_FULL;
    CHECK_EQ(raw_irq_wired(&grant, &late, handle_count, (struct raw_wire){11, true, true}), ST_FULL);
    CHECK(late.handle == NULL);
    wired_status = ST_OK;
}

static void test_comes_while_handled(void)
{
    static struct irq irq;

    wired_vector = 6;
    CHECK_EQ(raw_irq_wired(&grant, &irq, handle_again, (struct raw_wire){11, false, false}), ST_OK);
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

static struct device_grant other = {.where = "there", .state = DEVICE_HELD, .holder = &ledger};
static struct irq closer;

static void handle_close(struct irq *irq)
{
    handle_count(irq);
    irqs_close(irq->grant);
}

/* Those of one device are closed, on a wire that it shares too; the last one that leaves a wire leaves it masked. */
static void test_closed(void)
{
    static struct irq ours;
    static struct irq message;
    uint64_t address;
    uint32_t data;

    test_room = ROOM_BOOT;
    grant.interrupts = 0;
    wired_status = ST_OK;
    wired_vector = 100;
    CHECK_EQ(raw_irq_wired(&other, &closer, handle_close, (struct raw_wire){11, true, true}), ST_OK);
    CHECK_EQ(raw_irq_wired(&grant, &ours, handle_count, (struct raw_wire){11, true, true}), ST_OK);
    wired_vector = 101;
    CHECK_EQ(raw_irq_msi(&grant, &message, handle_count, &address, &data), ST_OK);
    CHECK(grant.interrupts == 2 && other.interrupts == 1);
    core_trap_irq(100);
    test_room = ROOM_LOOP;
    CHECK(irqs_run(&cpu));
    CHECK(closer.count == 1 && ours.count == 1 && other.interrupts == 0 && masks[100] == 0); /* one is left */
    core_trap_irq(100);
    core_trap_irq(101);
    irqs_close(&grant); /* what was marked before is nobody's */
    CHECK(grant.interrupts == 0 && masks[100] == 1 && masks[101] == 1);
    unsigned before = unmasked[100];
    CHECK(irqs_run(&cpu));
    CHECK(closer.count == 1 && ours.count == 1 && message.count == 0 && unmasked[100] == before);
    uint64_t spurious = cpu.counts.spurious;
    core_trap_irq(101);
    CHECK_EQ(cpu.counts.spurious, spurious + 1);
}

static void test_budget(void)
{
    static const struct ledger small = {.name = "drv/fake", .interrupts = 1};
    static struct irq first, second;
    struct device_grant device = {.where = "here", .state = DEVICE_FREE, .holder = &small};
    uint64_t address = 5;
    uint32_t data = 6;

    test_room = ROOM_BOOT;
    wired_vector = 110;
    CHECK_EQ(raw_irq_msi(&device, &first, handle_count, &address, &data), ST_CLOSED); /* nobody has it */
    device.state = DEVICE_HELD;
    CHECK_EQ(raw_irq_msi(&device, &first, handle_count, &address, &data), ST_OK);
    address = 5;
    CHECK_EQ(raw_irq_msi(&device, &second, handle_count, &address, &data), ST_FULL);
    CHECK_EQ(raw_irq_wired(&device, &second, handle_count, (struct raw_wire){11, true, true}), ST_FULL);
    CHECK(address == 5 && device.interrupts == 1 && second.handle == NULL);
    test_room = ROOM_LOOP;
    irqs_close(&device); /* it is on this stack */
    device.state = DEVICE_GONE;
    test_room = ROOM_BOOT;
    CHECK_EQ(raw_irq_msi(&device, &second, handle_count, &address, &data), ST_CLOSED);
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
    RUN(test_closed);
    RUN(test_budget);
    return test_end();
}
