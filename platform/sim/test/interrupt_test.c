/* SPDX-License-Identifier: MIT OR Apache-2.0
 * interrupt_test.c: the simulated machine's interrupt controller: edges, shared levels, messages, masks, and when they come.
 */
#include "core/assert.h"
#include "test.h"
#include "../interrupt.c"

static struct {
    unsigned came[PLAT_VECTORS_MAX];
    unsigned timer, returns;
    uint64_t now_ns;
    uint32_t let_go; /* a handler that makes the device on this line let go; 0: none */
} saw;

void core_trap_irq(uint32_t vector)
{
    CHECK(!plat_irq_enabled());
    saw.came[vector]++;
    if (saw.let_go != 0) {
        sim_line_pull(saw.let_go, false);
    }
}

void core_trap_timer(void)
{
    saw.timer++;
}

void core_trap_return(void)
{
    saw.returns++;
}

uint64_t sim_clock_ns(void)
{
    return saw.now_ns;
}

void sim_cost(uint64_t ns)
{
    (void)ns;
}

bool lockstep_on(void)
{
    return true;
}

void lockstep_poll(uint64_t deadline_ns)
{
    saw.now_ns = deadline_ns != UINT64_MAX && deadline_ns > saw.now_ns ? deadline_ns : saw.now_ns;
}

void plat_exit(enum plat_exit code)
{
    panic("exit %d", (int)code);
}

void sim_die(const char *format, ...)
{
    panic("%s", format);
}

static uint32_t line_open(bool level, uint32_t *vector)
{
    uint32_t gsi = sim_line_new(level);

    CHECK_EQ(plat_irq_wired(gsi, level, level, vector), ST_OK);
    return gsi;
}

/* Between two points of a thread: the timer comes when it must, or when the thread is to be stopped. */
static void test_timer_early(void)
{
    saw.now_ns = 1000;
    sim_irq_set_on();
    plat_timer_arm(5000);
    sim_timer_early(2000);
    CHECK_EQ(saw.now_ns, 2000);
    CHECK_EQ(saw.timer, 1);
    CHECK_EQ(saw.returns, 1);
    CHECK(plat_irq_enabled());
    plat_timer_arm(5000);
    sim_timer_early(9000);
    CHECK_EQ(saw.now_ns, 9000);
    CHECK_EQ(saw.timer, 3); /* at 5000, and at the end */
    plat_timer_arm(UINT64_MAX);
    sim_timer_early(9000);
    CHECK_EQ(saw.timer, 4);
    plat_irq_disable();
    saw.timer = saw.returns = 0;
}

static void test_edge(void)
{
    uint32_t vector = 0;
    uint32_t gsi = sim_line_new(false);

    sim_line_raise(gsi); /* before anybody has opened it */
    CHECK_EQ(plat_irq_wired(gsi, true, true, &vector), ST_UNSUPPORTED);
    CHECK_EQ(plat_irq_wired(gsi, false, false, &vector), ST_OK);
    CHECK_EQ(plat_irq_wired(gsi, false, false, &vector), ST_UNSUPPORTED); /* an edge is not shared */
    CHECK_EQ(plat_irq_wired(gsi + 1, false, false, &vector), ST_UNSUPPORTED);
    plat_irq_enable();
    CHECK_EQ(saw.came[vector], 0); /* masked until it is asked for */
    plat_irq_disable();
    plat_irq_mask(vector, false);
    CHECK_EQ(saw.came[vector], 0);
    plat_irq_enable();
    CHECK_EQ(saw.came[vector], 1);
    plat_irq_enable();
    CHECK_EQ(saw.came[vector], 1);
    plat_irq_mask(vector, true);
    sim_line_raise(gsi);
    sim_line_raise(gsi);
    plat_irq_enable();
    plat_irq_mask(vector, false);
    plat_irq_enable();
    CHECK_EQ(saw.came[vector], 2); /* once, however often */
}

static void test_level(void)
{
    uint32_t vector = 0;
    uint32_t again = 0;
    uint32_t gsi = line_open(true, &vector);

    CHECK_EQ(plat_irq_wired(gsi, true, true, &again), ST_OK); /* shared */
    CHECK_EQ(again, vector);
    CHECK_EQ(plat_irq_wired(gsi, false, false, &again), ST_UNSUPPORTED);
    plat_irq_mask(vector, false);
    sim_line_pull(gsi, true);
    sim_line_pull(gsi, true);
    plat_irq_enable();
    plat_irq_enable();
    CHECK_EQ(saw.came[vector], 1); /* masked until core says so */
    plat_irq_mask(vector, false);
    saw.let_go = gsi;
    plat_irq_enable(); /* one lets go, the other does not */
    CHECK_EQ(saw.came[vector], 2);
    plat_irq_mask(vector, false);
    plat_irq_enable();
    plat_irq_mask(vector, false);
    saw.let_go = 0;
    plat_irq_enable();
    CHECK_EQ(saw.came[vector], 3);
}

/* Nobody acknowledges: 1000 times are enough to know. */
static void test_storm(void)
{
    uint32_t vector = 0;
    uint32_t gsi = line_open(true, &vector);
    volatile unsigned i = 0;

    for (unsigned round = 0; round < 2 * STORM_MOST; round++) { /* with a driver that does, it may go on for ever */
        sim_line_pull(gsi, true);
        plat_irq_mask(vector, false);
        saw.let_go = gsi;
        plat_irq_enable();
    }
    saw.let_go = 0;
    sim_line_pull(gsi, true);
    CHECK_PANICS(for (i = 0; i < 2 * STORM_MOST; i++) {
        plat_irq_mask(vector, false);
        plat_irq_enable();
    });
    CHECK(i > 100 && i < 2 * STORM_MOST);
    sim_line_pull(gsi, false);
    self.on = true;
}

static void test_message(void)
{
    uint32_t vector = 0;
    uint32_t data = 0;
    uint64_t address = 0;

    CHECK_EQ(plat_irq_msi(&vector, &address, &data), ST_OK);
    plat_irq_mask(vector, true); /* a message is masked at its device */
    sim_message(address, data);
    plat_irq_enable();
    CHECK_EQ(saw.came[vector], 1);
    plat_irq_enable();
    CHECK_EQ(saw.came[vector], 1);
    CHECK_PANICS(sim_message(address, data + 1));
    CHECK_PANICS(sim_message(address + 4, data));
    CHECK_PANICS(sim_message(address, MSI_DATA_FIRST)); /* a line's vector */
}

static void test_wait(void)
{
    uint32_t vector = 0;
    uint64_t address = 0;
    uint32_t data = 0;

    CHECK_EQ(plat_irq_msi(&vector, &address, &data), ST_OK);
    plat_irq_disable();
    plat_timer_arm(saw.now_ns + 5000);
    sim_message(address, data);
    uint64_t before = saw.now_ns;
    plat_wait();
    CHECK_EQ(saw.now_ns, before); /* it does not sleep over what is there */
    CHECK_EQ(saw.came[vector], 1);
    CHECK_EQ(saw.timer, 0);
    CHECK(!plat_irq_enabled());
    plat_wait();
    CHECK_EQ(saw.now_ns, before + 5000);
    CHECK_EQ(saw.timer, 1);
    plat_wait();
    CHECK_EQ(saw.timer, 1); /* one shot */
}

static void test_runs_out(void)
{
    uint32_t vector = 0;
    uint64_t address = 0;
    uint32_t data = 0;
    uint32_t gsi = sim_line_new(true);
    status_t s = ST_OK;

    for (unsigned i = 0; i < PLAT_VECTORS_MAX && s == ST_OK; i++) {
        s = plat_irq_msi(&vector, &address, &data);
    }
    CHECK_EQ(s, ST_FULL);
    CHECK_EQ(vector, PLAT_VECTORS_MAX - 1);
    CHECK_EQ(plat_irq_wired(gsi, true, true, &vector), ST_FULL);
}

int main(void)
{
    RUN(test_timer_early);
    RUN(test_edge);
    RUN(test_level);
    RUN(test_storm);
    RUN(test_message);
    RUN(test_wait);
    RUN(test_runs_out);
    return test_end();
}
