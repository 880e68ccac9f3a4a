/* SPDX-License-Identifier: MIT OR Apache-2.0
 * acpi.h: the few facts that are wanted of ACPI's tables. Pure: memory is seen through a function that the caller gives.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_IOAPICS_MAX 8u
#define ACPI_OVERRIDES_MAX 24u
#define ACPI_CPUS_MAX 64u

/* `size` bytes at a physical address, readable until acpi_read() returns. NULL: that is no memory to read. */
typedef const uint8_t *acpi_view(uint64_t physical, uint64_t size);

enum acpi_space { ACPI_MEMORY = 0, ACPI_PORT = 1, ACPI_NONE = 0xff };
struct acpi_register {
    uint8_t space; /* enum acpi_space */
    uint64_t address;
};
struct acpi_override {
    uint8_t irq; /* ISA */
    uint32_t gsi;
    bool level;
    bool active_low;
};

struct acpi_facts {
    bool found;  /* a root table with a right checksum */
    char oem[7]; /* "BOCHS " */
    unsigned tables;
    unsigned refused; /* tables with a wrong length or checksum */

    /* MADT */
    bool madt;
    uint64_t lapic;
    unsigned cpus; /* enabled ones, all of them */
    uint32_t apic_id[ACPI_CPUS_MAX];
    unsigned ioapics;
    struct {
        uint64_t address;
        uint32_t gsi;
    } ioapic[ACPI_IOAPICS_MAX];
    unsigned overrides;
    struct acpi_override override[ACPI_OVERRIDES_MAX];

    /* MCFG, segment 0 */
    bool mcfg;
    uint64_t ecam;
    uint8_t bus_first, bus_last;

    /* FADT */
    bool fadt;
    bool reduced;             /* hardware-reduced: no PM block */
    uint32_t sci_enable_port; /* SMI_CMD, 0: ACPI mode is on or cannot be set */
    uint8_t sci_enable_value;
    struct acpi_register pm1a, pm1b; /* control */
    struct acpi_register pm_timer;
    bool pm_timer_32; /* else 24 bits */
    struct acpi_register reset;
    uint8_t reset_value;
    struct acpi_register sleep_control;
    bool s5; /* \_S5 was found */
    uint8_t s5_a, s5_b;
};

/* Starts from the root pointer's physical address; 0: looks for it in the BIOS areas. */
void acpi_read(struct acpi_facts *facts, uint64_t rsdp, acpi_view *view);
