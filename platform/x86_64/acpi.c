/* SPDX-License-Identifier: MIT OR Apache-2.0
 * acpi.c: reads RSDP, RSDT or XSDT, MADT, MCFG, FADT, and looks for \_S5 in the DSDT.
 *
 * Tables are firmware's word. (ACPI 6.5, sections 5.2 and 20.2; MCFG: PCI Firmware 3.3, section 4.1.2.)
 *  (1) A table is looked at only when its length is within bounds and its bytes add up to zero.
 *  (2) Every field is read by get*(), which knows the table's end; beyond it there are zeros.
 *  (3) The number of tables, entries and bytes looked at is bounded.
 *  (4) There is no AML interpreter: \_S5 is found as bytes, or not at all.
 */
#include "acpi.h"

#define HEADER_BYTES 36u
#define TABLES_MAX 64u
#define TABLE_BYTES_MAX (1u << 20)
#define RSDP_BYTES_V1 20u
#define RSDP_BYTES_V2 36u
#define BIOS_AREA 0xe0000u
#define BIOS_AREA_BYTES 0x20000u
#define EBDA_BYTES 1024u

struct table {
    const uint8_t *bytes;
    uint32_t size;
};

static uint64_t get(const struct table *t, uint32_t at, unsigned size)
{
    uint64_t value = 0;

    if (at > t->size || size > t->size - at) {
        return 0; /* (2) */
    }
    for (unsigned i = size; i > 0; i--) {
        value = value << 8 | t->bytes[at + i - 1];
    }
    return value;
}

static uint8_t get8(const struct table *t, uint32_t at)
{
    return (uint8_t)get(t, at, 1);
}

static uint16_t get16(const struct table *t, uint32_t at)
{
    return (uint16_t)get(t, at, 2);
}

static uint32_t get32(const struct table *t, uint32_t at)
{
    return (uint32_t)get(t, at, 4);
}

static bool adds_up(const uint8_t *bytes, uint32_t size)
{
    uint8_t sum = 0;

    for (uint32_t i = 0; i < size; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return sum == 0;
}

static bool is_signature(const uint8_t *bytes, const char *text)
{
    for (unsigned i = 0; text[i] != '\0'; i++) {
        if (bytes[i] != (uint8_t)text[i]) {
            return false;
        }
    }
    return true;
}

/* (1). False: no such memory, or not a table. */
static bool open_table(struct table *t, uint64_t physical, acpi_view *view)
{
    const uint8_t *header = physical != 0 ? view(physical, HEADER_BYTES) : NULL;

    if (header == NULL) {
        return false;
    }
    *t = (struct table){header, HEADER_BYTES};
    uint32_t size = get32(t, 4);
    if (size < HEADER_BYTES || size > TABLE_BYTES_MAX) {
        return false;
    }
    t->bytes = view(physical, size);
    t->size = size;
    return t->bytes != NULL && adds_up(t->bytes, size);
}

/* --- MADT (5.2.12) --------------------------------------------------------------------------------------------------- */

static void add_cpu(struct acpi_facts *facts, uint32_t id, uint32_t flags)
{
    if ((flags & 1) == 0) { /* not enabled: a place for one */
        return;
    }
    if (facts->cpus < ACPI_CPUS_MAX) {
        facts->apic_id[facts->cpus] = id;
    }
    facts->cpus++;
}

static void add_ioapic(struct acpi_facts *facts, const struct table *entry)
{
    if (facts->ioapics < ACPI_IOAPICS_MAX) {
        facts->ioapic[facts->ioapics].address = get32(entry, 4);
        facts->ioapic[facts->ioapics].gsi = get32(entry, 8);
        facts->ioapics++;
    }
}

static void add_override(struct acpi_facts *facts, const struct table *entry)
{
    uint16_t flags = get16(entry, 8);

    if (facts->overrides < ACPI_OVERRIDES_MAX && get8(entry, 2) == 0) {
        facts->override[facts->overrides++] = (struct acpi_override){
            .irq = get8(entry, 3),
            .gsi = get32(entry, 4),
            .active_low = (flags & 3) == 3,
            .level = (flags >> 2 & 3) == 3,
        };
    }
}

static void read_madt(struct acpi_facts *facts, const struct table *t)
{
    facts->madt = true;
    facts->lapic = get32(t, 36);
    for (uint32_t at = 44; at + 2 <= t->size;) {
        uint8_t length = get8(t, at + 1);
        if (length < 2 || length > t->size - at) {
            facts->refused++;
            return;
        }
        struct table entry = {t->bytes + at, length};
        switch (get8(t, at)) {
        case 0:
            add_cpu(facts, get8(&entry, 3), get32(&entry, 4));
            break;
        case 1:
            add_ioapic(facts, &entry);
            break;
        case 2:
            add_override(facts, &entry);
            break;
        case 5:
            facts->lapic = get(&entry, 4, 8);
            break;
        case 9:
            add_cpu(facts, get32(&entry, 4), get32(&entry, 8));
            break;
        default: /* NMI sources and what came later: nothing here wants them */
            break;
        }
        at += length;
    }
}

/* --- MCFG ------------------------------------------------------------------------------------------------------------ */

static void read_mcfg(struct acpi_facts *facts, const struct table *t)
{
    for (uint32_t at = 44; at + 16 <= t->size; at += 16) {
        uint8_t first = get8(t, at + 10);
        uint8_t last = get8(t, at + 11);
        if (get16(t, at + 8) != 0 || first > last) {
            continue;
        }
        facts->mcfg = true;
        facts->ecam = get(t, at, 8);
        facts->bus_first = first;
        facts->bus_last = last;
        return;
    }
}

/* --- FADT (5.2.9) and \_S5 (7.4.2) ------------------------------------------------------------------------------------ */

static struct acpi_register generic_address(const struct table *t, uint32_t at)
{
    struct acpi_register r = {ACPI_NONE, get(t, at + 4, 8)};
    uint8_t space = get8(t, at);

    if (r.address != 0 && space <= ACPI_PORT && (space == ACPI_MEMORY || r.address <= 0xffff)) {
        r.space = space;
    }
    return r;
}

/* The extended field where it says something, else the 32-bit port of ACPI 1.0. */
static struct acpi_register either(const struct table *t, uint32_t extended, uint32_t old)
{
    struct acpi_register r = generic_address(t, extended);
    uint32_t port = get32(t, old);

    if (r.space == ACPI_NONE && port != 0 && port <= 0xffff) {
        r = (struct acpi_register){ACPI_PORT, port};
    }
    return r;
}

/* An AML integer of one package element: ZeroOp, OneOp, BytePrefix, or a longer prefix of which the low byte counts. */
static bool aml_integer(const struct table *t, uint32_t *at, uint8_t *value)
{
    static const uint8_t bytes_after[] = {[0x0a] = 1, [0x0b] = 2, [0x0c] = 4, [0x0e] = 8};
    uint8_t op = get8(t, *at);

    if (op <= 1) {
        *value = op;
        *at += 1;
        return true;
    }
    if (op >= sizeof bytes_after || bytes_after[op] == 0) {
        return false;
    }
    *value = get8(t, *at + 1);
    *at += 1u + bytes_after[op];
    return true;
}

/* NameOp "_S5_" PackageOp PkgLength NumElements a b ... */
static bool read_s5_at(struct acpi_facts *facts, const struct table *t, uint32_t at)
{
    bool named = get8(t, at - 1) == 0x08 || (get8(t, at - 1) == '\\' && at >= 2 && get8(t, at - 2) == 0x08);
    uint8_t a;
    uint8_t b = 0;

    if (!named || get8(t, at + 4) != 0x12) {
        return false;
    }
    at += 5;
    at += 1u + (get8(t, at) >> 6); /* PkgLength: the two high bits say how many bytes follow */
    uint8_t elements = get8(t, at++);
    if (elements == 0 || !aml_integer(t, &at, &a) || a > 7) {
        return false;
    }
    if (elements > 1 && (!aml_integer(t, &at, &b) || b > 7)) {
        return false;
    }
    facts->s5 = true;
    facts->s5_a = a;
    facts->s5_b = b;
    return true;
}

static void find_s5(struct acpi_facts *facts, const struct table *dsdt)
{
    for (uint32_t at = HEADER_BYTES + 1; at + 8 <= dsdt->size; at++) {
        if (is_signature(dsdt->bytes + at, "_S5_") && read_s5_at(facts, dsdt, at)) {
            return;
        }
    }
}

static void read_fadt(struct acpi_facts *facts, const struct table *t, acpi_view *view)
{
    uint32_t flags = get32(t, 112);
    uint64_t dsdt_address = get(t, 140, 8);
    struct table dsdt;

    facts->fadt = true;
    facts->reduced = (flags & (1u << 20)) != 0;
    facts->sci_enable_port = get32(t, 48);
    facts->sci_enable_value = get8(t, 52);
    facts->pm1a = either(t, 172, 64);
    facts->pm1b = either(t, 184, 68);
    facts->pm_timer = either(t, 208, 76);
    facts->pm_timer_32 = (flags & (1u << 8)) != 0;
    facts->reset = (flags & (1u << 10)) != 0 ? generic_address(t, 116) : (struct acpi_register){ACPI_NONE, 0};
    facts->reset_value = get8(t, 128);
    facts->sleep_control = generic_address(t, 244);
    if (facts->reduced) {
        facts->pm1a.space = ACPI_NONE;
        facts->pm1b.space = ACPI_NONE;
        facts->pm_timer.space = ACPI_NONE;
    }
    if (open_table(&dsdt, dsdt_address != 0 ? dsdt_address : get32(t, 40), view)) {
        find_s5(facts, &dsdt);
    } else {
        facts->refused++;
    }
}

/* --- roots (5.2.5 to 5.2.8) ------------------------------------------------------------------------------------------- */

static void read_table(struct acpi_facts *facts, uint64_t physical, acpi_view *view)
{
    struct table t;

    if (!open_table(&t, physical, view)) {
        facts->refused++;
        return;
    }
    facts->tables++;
    if (is_signature(t.bytes, "APIC") && !facts->madt) {
        read_madt(facts, &t);
    } else if (is_signature(t.bytes, "MCFG") && !facts->mcfg) {
        read_mcfg(facts, &t);
    } else if (is_signature(t.bytes, "FACP") && !facts->fadt) {
        read_fadt(facts, &t, view);
    }
}

static bool read_root(struct acpi_facts *facts, uint64_t physical, unsigned entry_size, acpi_view *view)
{
    struct table root;

    if (!open_table(&root, physical, view) || !is_signature(root.bytes, entry_size == 8 ? "XSDT" : "RSDT")) {
        return false;
    }
    facts->found = true;
    for (unsigned i = 0; i < TABLES_MAX && HEADER_BYTES + (i + 1) * entry_size <= root.size; i++) {
        read_table(facts, get(&root, HEADER_BYTES + i * entry_size, entry_size), view);
    }
    return true;
}

static bool is_rsdp(const uint8_t *bytes)
{
    return is_signature(bytes, "RSD PTR ") && adds_up(bytes, RSDP_BYTES_V1);
}

static uint64_t scan(uint64_t base, uint32_t size, acpi_view *view)
{
    const uint8_t *area = base != 0 ? view(base, size) : NULL;

    for (uint32_t at = 0; area != NULL && at + RSDP_BYTES_V2 <= size; at += 16) {
        if (is_rsdp(area + at)) {
            return base + at;
        }
    }
    return 0;
}

static uint64_t find_rsdp(acpi_view *view)
{
    const uint8_t *word = view(0x40e, 2); /* the EBDA's segment, by the BIOS data area; 0 under qboot */
    uint64_t ebda = word != NULL ? (uint64_t)(word[0] | word[1] << 8) << 4 : 0;
    uint64_t found = ebda >= 0x80000 && ebda < 0xa0000 ? scan(ebda, EBDA_BYTES, view) : 0;

    return found != 0 ? found : scan(BIOS_AREA, BIOS_AREA_BYTES, view);
}

void acpi_read(struct acpi_facts *facts, uint64_t rsdp, acpi_view *view)
{
    *facts = (struct acpi_facts){.pm1a.space = ACPI_NONE,
                                 .pm1b.space = ACPI_NONE,
                                 .pm_timer.space = ACPI_NONE,
                                 .reset.space = ACPI_NONE,
                                 .sleep_control.space = ACPI_NONE};
    if (rsdp == 0) {
        rsdp = find_rsdp(view);
    }
    const uint8_t *bytes = rsdp != 0 ? view(rsdp, RSDP_BYTES_V2) : NULL;
    if (bytes == NULL || !is_rsdp(bytes)) {
        return;
    }
    for (unsigned i = 0; i < 6; i++) {
        char c = (char)bytes[9 + i];
        facts->oem[i] = c >= ' ' && c <= '~' ? c : '?';
    }
    struct table t = {bytes, RSDP_BYTES_V2};
    if (get8(&t, 15) >= 2 && adds_up(bytes, RSDP_BYTES_V2) && read_root(facts, get(&t, 24, 8), 8, view)) {
        return;
    }
    read_root(facts, get32(&t, 16), 4, view);
}
