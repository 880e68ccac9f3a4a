/* SPDX-License-Identifier: MIT OR Apache-2.0
 * pci_msix.c: MSI-X of a PCI function (PCI 3.0, 6.8.2): its capability, its table, its pending bits.
 *
 *  (1) A vector that is masked, by itself or with its function, waits as a pending bit, and goes when it is unmasked (6.8.3.4).
 */
#include <string.h>
#include "pci.h"
#include "sim_private.h"

enum { MSIX_ID = 0x11, MSIX_BYTES = 12, MSIX_CONTROL = 2, MSIX_TABLE = 4, MSIX_PENDING = 8 };
enum { CONTROL_MASK = 0x4000, CONTROL_ENABLE = 0x8000 };
enum { ENTRY_BYTES = 16, ENTRY_MASKED = 1 };
enum { PENDING_AT = 0, TABLE_AT = 0x800, MSIX_BAR_BYTES = 0x1000 }; /* no driver may take the table to be at 0 */
_Static_assert(TABLE_AT + SIM_PCI_VECTORS_MAX * ENTRY_BYTES <= MSIX_BAR_BYTES && SIM_PCI_VECTORS_MAX <= 64,
               "the table's room");
_Static_assert(sizeof(struct sim_msix_entry) == ENTRY_BYTES, "6.8.2");

static uint32_t control_of(const struct sim_pci_function *function)
{
    return function->msix != 0 ? sim_pci_get(function, function->msix + MSIX_CONTROL, 2) : 0;
}

bool sim_pci_msix_on(const struct sim_pci_function *function)
{
    return (control_of(function) & CONTROL_ENABLE) != 0;
}

static bool masked(const struct sim_pci_function *function, unsigned vector)
{
    return (control_of(function) & CONTROL_MASK) != 0 || (function->entry[vector].control & ENTRY_MASKED) != 0;
}

/* --- messages --------------------------------------------------------------------------------------------------------- */

static void send(const struct sim_pci_function *function, const struct sim_msix_entry *entry)
{
    if (sim_pci_master(function)) { /* it is a write to memory like any other: 6.2.2 */
        sim_message((uint64_t)entry->address_high << 32 | entry->address, entry->data);
    }
}

void sim_pci_message(struct sim_pci_function *function, unsigned vector)
{
    if (vector >= function->vectors) {
        sim_die("%s: the model sends message %u of %u", function->name, vector, function->vectors);
    }
    if (!sim_pci_msix_on(function)) {
        return;
    }
    if (masked(function, vector)) {
        function->pending |= 1ull << vector; /* (1) */
    } else {
        send(function, &function->entry[vector]);
    }
}

void msix_changed(struct sim_pci_function *function)
{
    for (unsigned i = 0; sim_pci_msix_on(function) && i < function->vectors; i++) {
        if ((function->pending >> i & 1) != 0 && !masked(function, i)) {
            function->pending &= ~(1ull << i);
            send(function, &function->entry[i]);
        }
    }
}

/* --- table and pending bits ------------------------------------------------------------------------------------------- */

/* NULL: there is no such entry. */
static uint32_t *word_of(struct sim_pci_function *function, size_t offset)
{
    size_t vector = (offset - TABLE_AT) / ENTRY_BYTES;

    if (offset < TABLE_AT || vector >= function->vectors) {
        return NULL;
    }
    struct sim_msix_entry *entry = &function->entry[vector];
    uint32_t *const word[] = {&entry->address, &entry->address_high, &entry->data, &entry->control};
    return word[offset % ENTRY_BYTES / 4];
}

static void table_width_check(const struct sim_pci_function *function, size_t offset, unsigned size)
{
    if (size != 4) {
        sim_die("%s: %u bytes of the MSI-X table at 0x%zx (6.8.2: four or eight)", function->name, size, offset);
    }
}

static uint32_t table_read(void *device, size_t offset, unsigned size)
{
    struct sim_pci_function *function = device;

    table_width_check(function, offset, size);
    if (offset < PENDING_AT + sizeof function->pending) {
        return (uint32_t)(function->pending >> 8 * (offset - PENDING_AT));
    }
    const uint32_t *word = word_of(function, offset);
    return word != NULL ? *word : 0;
}

static void table_write(void *device, size_t offset, unsigned size, uint32_t value)
{
    struct sim_pci_function *function = device;
    uint32_t *word = word_of(function, offset);
    unsigned vector = (unsigned)((offset - TABLE_AT) / ENTRY_BYTES);

    table_width_check(function, offset, size);
    if (offset < PENDING_AT + sizeof function->pending) {
        sim_die("%s: pending bits of MSI-X written (6.8.2.10)", function->name);
    }
    if (word == NULL) {
        return;
    }
    bool control = word == &function->entry[vector].control;
    if (!control && sim_pci_msix_on(function) && !masked(function, vector)) {
        sim_die("%s: MSI-X entry %u changed while it is not masked (6.8.2.9)", function->name, vector);
    }
    *word = control ? value & ENTRY_MASKED : word == &function->entry[vector].address ? value & ~3u : value;
    msix_changed(function);
}

/* --- making it -------------------------------------------------------------------------------------------------------- */

void msix_bar_add(struct sim_pci_function *function)
{
    if (function->vectors > SIM_PCI_VECTORS_MAX) {
        sim_die("%s: more than %u messages", function->name, SIM_PCI_VECTORS_MAX);
    }
    if (function->vectors != 0) {
        function->bar[function->msix_bar].window =
            (struct sim_window){.size = MSIX_BAR_BYTES, .read = table_read, .write = table_write, .device = function};
    }
}

void msix_capability_add(struct sim_pci_function *function)
{
    static const uint8_t empty[MSIX_BYTES] = {MSIX_ID};

    if (function->vectors == 0) {
        return;
    }
    for (unsigned i = 0; i < function->vectors; i++) {
        function->entry[i].control = ENTRY_MASKED; /* after reset: 6.8.2.9 */
    }
    unsigned at = sim_pci_capability(function, empty, sizeof empty);
    sim_pci_set(function, at + MSIX_CONTROL, 2, function->vectors - 1);
    sim_pci_set(function, at + MSIX_TABLE, 4, TABLE_AT | function->msix_bar);
    sim_pci_set(function, at + MSIX_PENDING, 4, PENDING_AT | function->msix_bar);
    function->writable[at + MSIX_CONTROL + 1] = (CONTROL_MASK | CONTROL_ENABLE) >> 8;
    function->msix = at;
}
