/* SPDX-License-Identifier: MIT OR Apache-2.0
 * irq_test.c: who gets which vector, and when a wire is masked, over an I/O APIC and a core made of C.
 */
#include "../irq.c"
#include "test.h"

static char said[64]; /* M mask, E end of interrupt, C core, R core's return: in their order */
static uint32_t core_vector;
static bool timer_is_due;

static void say(char c)
{
    size_t length = strlen(said);

    REQUIRE(length < sizeof said - 1);
    said[length] = c;
}

bool ioapic_route(uint32_t gsi, uint8_t vector, bool level, bool active_low)
{
    (void)active_low;
    CHECK(vector >= TRAP_FIRST_DEVICE && vector < TRAP_TIMER);
    say(level ? 'L' : 'e');
    return gsi < 24;
}

void ioapic_mask(uint32_t gsi, bool masked)
{
    CHECK(gsi < 24);
    say(masked ? 'M' : 'U');
}

uint32_t apic_id(void)
{
    return 3;
}

void apic_eoi(void)
{
    say('E');
}

bool x86_clock_timer_fired(void)
{
    return timer_is_due;
}

bool x86_serial_present(void)
{
    return true;
}

void x86_serial_listen(void)
{
}

void core_trap_irq(uint32_t vector)
{
    core_vector = vector;
    say('C');
}

void core_trap_timer(void)
{
    say('T');
}

void core_trap_return(void)
{
    say('R');
}

static void fresh(void)
{
    memset(&self, 0, sizeof self);
    memset(said, 0, sizeof said);
}

static void test_wires_are_shared(void)
{
    uint32_t first = 99;
    uint32_t second = 99;
    uint32_t other = 99;

    fresh();
    CHECK_EQ(plat_irq_wired(11, true, true, &first), ST_OK);
    CHECK_EQ(plat_irq_wired(10, true, true, &other), ST_OK);
    CHECK_EQ(plat_irq_wired(11, true, true, &second), ST_OK);
    CHECK_EQ(first, second); /* another vector would take the pin from whoever has it */
    CHECK(other != first);
    CHECK_STR(said, "LL"); /* the second asking routes nothing */
    second = 99;
    CHECK_EQ(plat_irq_wired(11, true, false, &second), ST_UNSUPPORTED);
    CHECK_EQ(plat_irq_wired(11, false, true, &second), ST_UNSUPPORTED);
    CHECK_EQ(plat_irq_wired(24, true, true, &second), ST_UNSUPPORTED);
    CHECK_EQ(second, 99);
    CHECK_EQ(x86_irq_vectors_used(), 2);
}

static void test_edges_are_not(void)
{
    uint32_t vector = 99;
    uint32_t again = 99;
    uint64_t address;
    uint32_t data;

    fresh();
    CHECK_EQ(plat_irq_msi(&vector, &address, &data), ST_OK); /* no pin: its gsi of 0 is nobody's */
    CHECK_EQ(data, TRAP_FIRST_DEVICE + vector);
    CHECK_EQ(address, 0xfee03000);
    CHECK_EQ(plat_irq_wired(0, false, false, &vector), ST_OK);
    CHECK_EQ(vector, 1);
    CHECK_EQ(plat_irq_wired(0, false, false, &again), ST_UNSUPPORTED);
    CHECK_EQ(plat_irq_wired(0, true, false, &again), ST_UNSUPPORTED);
}

static void test_full(void)
{
    uint32_t vector;
    uint64_t address;
    uint32_t data;

    fresh();
    CHECK_EQ(plat_irq_wired(5, true, false, &vector), ST_OK);
    for (unsigned i = 1; i < PLAT_VECTORS_MAX; i++) {
        CHECK_EQ(plat_irq_msi(&vector, &address, &data), ST_OK);
    }
    CHECK_EQ(plat_irq_msi(&vector, &address, &data), ST_FULL);
    CHECK_EQ(plat_irq_wired(6, true, false, &vector), ST_FULL);
    CHECK_EQ(plat_irq_wired(5, true, false, &vector), ST_OK); /* needs none */
    CHECK_EQ(vector, 0);
}

static void trap(uint32_t vector)
{
    memset(said, 0, sizeof said);
    trap_interrupt(vector);
}

static void test_order_in_trap(void)
{
    uint32_t level;
    uint32_t edge;
    uint32_t message;
    uint64_t address;
    uint32_t data;

    fresh();
    CHECK_EQ(plat_irq_wired(11, true, true, &level), ST_OK);
    CHECK_EQ(plat_irq_wired(4, false, false, &edge), ST_OK);
    CHECK_EQ(plat_irq_msi(&message, &address, &data), ST_OK);
    trap(TRAP_FIRST_DEVICE + level);
    CHECK_STR(said, "MECR"); /* masked before its end is told */
    CHECK_EQ(core_vector, level);
    trap(TRAP_FIRST_DEVICE + edge);
    CHECK_STR(said, "ECR");
    CHECK_EQ(core_vector, edge);
    trap(TRAP_FIRST_DEVICE + message);
    CHECK_STR(said, "ECR");
    trap(TRAP_FIRST_DEVICE + 7); /* nobody's */
    CHECK_STR(said, "ER");
    trap(TRAP_FIRST_DEVICE - 1);
    CHECK_STR(said, "ER");
    trap(TRAP_SPURIOUS); /* has no end to tell: SDM volume 3, 11.9 */
    CHECK_STR(said, "R");
    trap(TRAP_TIMER);
    CHECK_STR(said, "ER");
    timer_is_due = true;
    trap(TRAP_TIMER);
    CHECK_STR(said, "ETR");
}

static void test_console_follows_firmware(void)
{
    struct acpi_facts facts = {.overrides = 2, .override = {{9, 9, true, false}, {SERIAL_ISA_IRQ, 20, true, true}}};
    uint32_t vector;
    uint32_t gsi = 0;

    fresh();
    x86_irq_init(&facts);
    CHECK_EQ(plat_console_irq(&vector), ST_OK);
    CHECK_STR(x86_irq_kind(vector, &gsi), "level");
    CHECK_EQ(gsi, 20);
    CHECK(x86_irq_kind(vector + 1, &gsi) == NULL);
}

int main(void)
{
    RUN(test_wires_are_shared);
    RUN(test_edges_are_not);
    RUN(test_full);
    RUN(test_order_in_trap);
    RUN(test_console_follows_firmware);
    return test_end();
}
