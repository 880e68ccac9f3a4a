/* SPDX-License-Identifier: MIT OR Apache-2.0
 * acpi_fuzz.c: firmware's tables as a door. The input says which tables there are, how long they claim to be, and what is in
 * them; checksums are made right, so that nothing is refused for that alone. Each view is a heap copy of what was asked for,
 * so a byte read beyond it is an ASan report; reading must end.
 */
#include <stdlib.h>
#include <string.h>
#include "../acpi.c"

#define BASE 0xe0000u
#define SIZE 0x20000u
#define TABLE_BYTES 0x1000u
#define VIEWS_MAX 65536u

static uint8_t memory[SIZE];
static void *views[VIEWS_MAX];
static unsigned view_count;

static const uint8_t *view(uint64_t physical, uint64_t size)
{
    if (physical < BASE || size > SIZE || physical - BASE > SIZE - size) {
        return NULL;
    }
    if (view_count == VIEWS_MAX) {
        abort(); /* it does not end */
    }
    void *copy = malloc(size != 0 ? size : 1);
    memcpy(copy, memory + (physical - BASE), size);
    views[view_count++] = copy;
    return copy;
}

static const uint8_t *bytes;
static size_t left;

static uint64_t take(unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size && left > 0; i++, left--) {
        value |= (uint64_t)*bytes++ << 8 * i;
    }
    return value;
}

static void sum(uint32_t at, uint32_t size, uint32_t field)
{
    uint8_t total = 0;

    memory[at + field] = 0;
    for (uint32_t i = 0; i < size && at + i < SIZE; i++) {
        total = (uint8_t)(total + memory[at + i]);
    }
    memory[at + field] = (uint8_t)-total;
}

static void put32(uint32_t at, uint64_t value)
{
    uint32_t word = (uint32_t)value;

    memcpy(memory + at, &word, 4);
}

/* One table at `at`: its kind, length and content from the input. */
static void table_make(uint32_t at)
{
    static const char kinds[8][5] = {"APIC", "MCFG", "FACP", "DSDT", "XSDT", "RSDT", "SSDT", "HPET"};
    uint32_t length = 36 + (uint32_t)(take(1) & 0x80 ? take(4) : take(1));

    memcpy(memory + at, kinds[take(1) % 8], 4);
    put32(at + 4, length);
    for (uint32_t i = 36; i < TABLE_BYTES && left > 0 && i < length; i++) {
        memory[at + i] = (uint8_t)take(1);
    }
    sum(at, length, 9);
}

/* RSDP at 0, XSDT at 0x1000 or RSDT, tables from 0x2000 on. */
static void root_make(uint32_t how)
{
    unsigned entry = how & 1 ? 8 : 4;
    uint32_t count = 1 + (how >> 1) % 6;

    memcpy(memory + 0x1000, how & 1 ? "XSDT" : "RSDT", 4);
    put32(0x1004, 36 + count * entry);
    for (uint32_t i = 0; i < count; i++) {
        put32(0x1000 + 36 + i * entry, how & 0x80 ? take(4) : BASE + 0x2000 + i * TABLE_BYTES);
    }
    sum(0x1000, 36 + count * entry, 9);
    memcpy(memory, "RSD PTR ", 8);
    memory[15] = (uint8_t)(how & 1 ? 2 : 0);
    put32(16, how & 1 ? 0 : BASE + 0x1000);
    put32(20, 36);
    put32(24, how & 1 ? BASE + 0x1000 : 0);
    sum(0, 20, 8);
    sum(0, 36, 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acpi_facts facts;

    bytes = data;
    left = size;
    memset(memory, 0, sizeof memory);
    for (uint32_t i = 0; i < 6; i++) {
        table_make(0x2000 + i * TABLE_BYTES);
    }
    root_make((uint32_t)take(1));
    if ((take(1) & 1) != 0) { /* and anything anywhere */
        memory[take(4) % SIZE] = (uint8_t)take(1);
    }
    acpi_read(&facts, BASE, view);
    if (facts.cpus > 0 && facts.ioapics > ACPI_IOAPICS_MAX) {
        abort();
    }
    while (view_count > 0) {
        free(views[--view_count]);
    }
    return 0;
}
