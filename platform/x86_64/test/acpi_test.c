/* SPDX-License-Identifier: MIT OR Apache-2.0
 * acpi_test.c: ACPI tables as firmware makes them, and as a liar would. Each view is a heap copy of exactly what was asked
 * for, so that one byte read beyond a table's end is an ASan report.
 */
#include "../acpi.c"
#include "test.h"

#define BASE 0xe0000u
#define SIZE 0x20000u
#define VIEWS 4096

static uint8_t memory[SIZE];
static void *views[VIEWS];
static unsigned view_count;

static const uint8_t *view(uint64_t physical, uint64_t size)
{
    if (physical < BASE || size > SIZE || physical - BASE > SIZE - size || view_count == VIEWS) {
        return NULL;
    }
    void *copy = malloc(size);
    memcpy(copy, memory + (physical - BASE), size);
    views[view_count++] = copy;
    return copy;
}

static void forget(void)
{
    while (view_count > 0) {
        free(views[--view_count]);
    }
}

static void put(uint32_t at, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        memory[at - BASE + i] = (uint8_t)(value >> 8 * i);
    }
}

static void sum(uint32_t at, uint32_t size, uint32_t field)
{
    uint8_t total = 0;

    put(at + field, 0, 1);
    for (uint32_t i = 0; i < size; i++) {
        total = (uint8_t)(total + memory[at - BASE + i]);
    }
    put(at + field, (uint8_t)-total, 1);
}

static void table(uint32_t at, const char *signature, uint32_t size)
{
    memcpy(memory + (at - BASE), signature, 4);
    put(at + 4, size, 4);
}

#define RSDP (BASE + 0x40)
#define XSDT (BASE + 0x1000)
#define RSDT (BASE + 0x1100)
#define MADT (BASE + 0x2000)
#define MADT_BYTES (44u + 8 + 12 + 10 + 8 + 16 + 12)
#define MCFG (BASE + 0x3000)
#define FADT (BASE + 0x4000)
#define DSDT (BASE + 0x5000)
#define DSDT_BYTES 96u

static void make_madt(void)
{
    uint32_t at = MADT + 44;

    table(MADT, "APIC", MADT_BYTES);
    put(MADT + 36, 0xfee00000, 4);
    put(at, 8 << 8, 2); /* local APIC, enabled, id 3 */
    put(at + 3, 3, 1);
    put(at + 4, 1, 4);
    at += 8;
    put(at, 1 | 12 << 8, 2); /* I/O APIC at gsi 24 */
    put(at + 4, 0xfec10000, 4);
    put(at + 8, 24, 4);
    at += 12;
    put(at, 2 | 10 << 8, 2); /* ISA 4 is gsi 20, level, active low */
    put(at + 3, 4, 1);
    put(at + 4, 20, 4);
    put(at + 8, 15, 2);
    at += 10;
    put(at, 0 | 8 << 8, 2); /* a CPU that is not enabled */
    at += 8;
    put(at, 9 | 16 << 8, 2); /* x2APIC 300 */
    put(at + 4, 300, 4);
    put(at + 8, 1, 4);
    at += 16;
    put(at, 5 | 12 << 8, 2); /* 64-bit address */
    put(at + 4, 0x1fee00000, 8);
    sum(MADT, MADT_BYTES, 9);
}

static void make_fadt(void)
{
    static const uint8_t s5[] = {0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 0x05, 0x01, 0x00, 0x00};

    table(DSDT, "DSDT", DSDT_BYTES);
    memcpy(memory + (DSDT - BASE) + 50, s5, sizeof s5);
    sum(DSDT, DSDT_BYTES, 9);
    table(FADT, "FACP", 268);
    put(FADT + 40, DSDT, 4);
    put(FADT + 64, 0x604, 4);
    put(FADT + 76, 0x608, 4);
    put(FADT + 112, 1u << 8 | 1u << 10, 4);
    put(FADT + 116, 1, 1); /* reset: port 0xcf9 */
    put(FADT + 120, 0xcf9, 8);
    put(FADT + 128, 0x0f, 1);
    sum(FADT, 268, 9);
}

static void make_rest(void)
{
    table(MCFG, "MCFG", 60);
    put(MCFG + 44, 0xb0000000, 8);
    put(MCFG + 54, 0, 1);
    put(MCFG + 55, 255, 1);
    sum(MCFG, 60, 9);
    table(XSDT, "XSDT", 36 + 24);
    put(XSDT + 36, MADT, 8);
    put(XSDT + 44, MCFG, 8);
    put(XSDT + 52, FADT, 8);
    sum(XSDT, 36 + 24, 9);
    table(RSDT, "RSDT", 36 + 8);
    put(RSDT + 36, MADT, 4);
    put(RSDT + 40, FADT, 4);
    sum(RSDT, 36 + 8, 9);
    memcpy(memory + (RSDP - BASE), "RSD PTR ", 8);
    memcpy(memory + (RSDP - BASE) + 9, "TEST\1 ", 6);
    put(RSDP + 15, 2, 1);
    put(RSDP + 16, RSDT, 4);
    put(RSDP + 20, 36, 4);
    put(RSDP + 24, XSDT, 8);
    sum(RSDP, 20, 8);
    sum(RSDP, 36, 32);
}

static void make_all(void)
{
    memset(memory, 0, sizeof memory);
    make_madt();
    make_fadt();
    make_rest();
}

static struct acpi_facts facts;

static void read_from(uint64_t rsdp)
{
    acpi_read(&facts, rsdp, view);
    forget();
}

static void test_whole(void)
{
    make_all();
    read_from(RSDP);
    CHECK(facts.found && facts.madt && facts.mcfg && facts.fadt && facts.s5);
    CHECK_STR(facts.oem, "TEST? ");
    CHECK_EQ(facts.tables, 3);
    CHECK_EQ(facts.refused, 0);
    CHECK_EQ(facts.cpus, 2);
    CHECK_EQ(facts.apic_id[0], 3);
    CHECK_EQ(facts.apic_id[1], 300);
    CHECK_EQ(facts.lapic, 0x1fee00000);
    CHECK_EQ(facts.ioapics, 1);
    CHECK_EQ(facts.ioapic[0].gsi, 24);
    CHECK_EQ(facts.overrides, 1);
    CHECK(facts.override[0].level && facts.override[0].active_low && facts.override[0].gsi == 20);
    CHECK_EQ(facts.ecam, 0xb0000000);
    CHECK_EQ(facts.bus_last, 255);
    CHECK(facts.pm1a.space == ACPI_PORT && facts.pm1a.address == 0x604);
    CHECK(facts.pm1b.space == ACPI_NONE);
    CHECK(facts.pm_timer.space == ACPI_PORT && facts.pm_timer_32);
    CHECK(facts.reset.space == ACPI_PORT && facts.reset_value == 0x0f);
    CHECK_EQ(facts.s5_a, 5);
    CHECK_EQ(facts.s5_b, 1);
}

static void test_found_by_scan(void)
{
    make_all();
    read_from(0);
    CHECK(facts.found && facts.fadt);
}

static void test_bad_checksums(void)
{
    make_all();
    put(XSDT + 5, 1, 1); /* root unreadable: the RSDT serves */
    read_from(RSDP);
    CHECK(facts.found && facts.madt && !facts.mcfg);
    make_all();
    put(MADT + 40, 1, 1);
    read_from(RSDP);
    CHECK(!facts.madt && facts.fadt);
    CHECK_EQ(facts.refused, 1);
    make_all();
    put(RSDP + 10, 'x', 1);
    read_from(RSDP);
    CHECK(!facts.found);
    make_all();
    put(DSDT + 90, 1, 1);
    read_from(RSDP);
    CHECK(facts.fadt && !facts.s5);
}

static void test_lengths(void)
{
    static const uint32_t length[] = {0, 1, 35, 36, 43, SIZE, UINT32_MAX};

    for (unsigned i = 0; i < sizeof length / sizeof length[0]; i++) {
        make_all();
        put(MADT + 4, length[i], 4);
        sum(MADT, length[i] > 36 && length[i] < 4096 ? length[i] : 36, 9);
        read_from(RSDP);
        CHECK_EQ(facts.cpus, 0);
    }
    make_all(); /* an entry that does not move on, one that ends beyond the table */
    put(MADT + 45, 0, 1);
    sum(MADT, MADT_BYTES, 9);
    read_from(RSDP);
    CHECK_EQ(facts.cpus, 0);
    CHECK_EQ(facts.refused, 1);
    make_all();
    put(MADT + 45, 255, 1);
    sum(MADT, MADT_BYTES, 9);
    read_from(RSDP);
    CHECK_EQ(facts.refused, 1);
}

static void test_reduced(void)
{
    make_all();
    put(FADT + 112, 1u << 20 | 1u << 10, 4);
    put(FADT + 244, 0, 1); /* sleep control in memory */
    put(FADT + 248, 0xfea00200, 8);
    sum(FADT, 268, 9);
    read_from(RSDP);
    CHECK(facts.reduced && facts.pm1a.space == ACPI_NONE && facts.pm_timer.space == ACPI_NONE);
    CHECK(facts.sleep_control.space == ACPI_MEMORY && facts.sleep_control.address == 0xfea00200);
}

static void test_s5_forms(void)
{
    make_all();
    put(DSDT + 50 + 8, 0x0a, 1);
    put(DSDT + 50 + 9, 9, 1); /* a type beyond three bits */
    sum(DSDT, DSDT_BYTES, 9);
    read_from(RSDP);
    CHECK(!facts.s5);
    make_all();
    put(DSDT + 50, 0x10, 1); /* not a name */
    sum(DSDT, DSDT_BYTES, 9);
    read_from(RSDP);
    CHECK(!facts.s5);
}

static uint32_t random_table(uint32_t *size)
{
    static const uint32_t at[] = {RSDP, XSDT, RSDT, MADT, MCFG, FADT, DSDT};
    static const uint32_t bytes[] = {36, 60, 44, MADT_BYTES, 60, 268, DSDT_BYTES};
    unsigned i = (unsigned)(test_random() % 7);

    *size = bytes[i];
    return at[i];
}

/* Bytes changed under checksums that are right: what is left is bounded by the parser alone. */
static void test_liars(void)
{
    for (unsigned round = 0; round < 20000; round++) {
        make_all();
        for (unsigned n = 1 + (unsigned)(test_random() % 6); n > 0; n--) {
            uint32_t size;
            uint32_t at = random_table(&size);
            put(at + (uint32_t)(test_random() % size), test_random(), 1 + (unsigned)(test_random() % 4));
            sum(at, size, at == RSDP ? 8 : 9);
        }
        read_from((test_random() & 1) != 0 ? RSDP : 0);
        CHECK(facts.ioapics <= ACPI_IOAPICS_MAX && facts.overrides <= ACPI_OVERRIDES_MAX);
        CHECK(!facts.s5 || (facts.s5_a <= 7 && facts.s5_b <= 7));
        CHECK(!facts.mcfg || facts.bus_first <= facts.bus_last);
        CHECK(facts.reset.space != ACPI_PORT || facts.reset.address <= 0xffff);
    }
}

int main(void)
{
    RUN(test_whole);
    RUN(test_found_by_scan);
    RUN(test_bad_checksums);
    RUN(test_lengths);
    RUN(test_reduced);
    RUN(test_s5_forms);
    RUN(test_liars);
    return test_end();
}
