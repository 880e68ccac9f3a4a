/* SPDX-License-Identifier: MIT OR Apache-2.0
 * bus_pci_test.c: enumeration, BARs, capabilities and MSI-X against configuration space that the test writes, honest or not.
 */
#include "test.h"
#include "../bus_pci.c"

#define PLACES 8u

static struct place { /* one function: 256 bytes of configuration space, and which bits of its BARs can be written */
    uint16_t bus;
    uint8_t device, function;
    uint8_t space[256];
    uint32_t bar_mask[6];
} places[PLACES];
static unsigned place_count, bus_count;
static uint8_t table[64 * 16];
static unsigned vectors_left, irqs_opened;
static uint64_t mapped_address;

static struct place *find(uint16_t bus, uint8_t device, uint8_t function)
{
    for (unsigned i = 0; i < place_count; i++) {
        if (places[i].bus == bus && places[i].device == device && places[i].function == function) {
            return &places[i];
        }
    }
    return NULL;
}

status_t raw_pci_read(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size, uint32_t *value)
{
    struct place *p = find(bus, device, function);

    REQUIRE(offset + size <= 256 && (offset & (size - 1)) == 0);
    *value = UINT32_MAX;
    if (p != NULL) {
        *value = 0;
        memcpy(value, p->space + offset, size);
    }
    return ST_OK;
}

status_t raw_pci_write(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size, uint32_t value)
{
    struct place *p = find(bus, device, function);

    REQUIRE(p != NULL && offset + size <= 256);
    if (offset >= 0x10 && offset < 0x28) {
        uint32_t old = 0;
        memcpy(&old, p->space + offset, 4);
        uint32_t mask = p->bar_mask[(offset - 0x10) / 4];
        uint32_t flags = old & ((old & 1) != 0 ? 3u : 0xfu);
        if (offset > 0x10 && p->bar_mask[(offset - 0x10) / 4] == UINT32_MAX) {
            flags = 0; /* the upper half of a 64-bit one */
        }
        value = (value & mask) | flags;
    }
    memcpy(p->space + offset, &value, size);
    return ST_OK;
}

unsigned raw_pci_buses(void)
{
    return bus_count;
}

bool raw_pci_gsi(uint16_t bus, uint8_t device, uint8_t pin, uint32_t *gsi)
{
    (void)bus;
    (void)pin;
    *gsi = 16;
    return device != 9;
}

void raw_grant_init(struct device_grant *grant, const char *where, void (*off)(struct device_grant *grant))
{
    *grant = (struct device_grant){.where = where, .off = off};
}

status_t raw_mmio_map(struct device_grant *grant, struct mmio *window, uint64_t address, size_t size)
{
    REQUIRE(grant->where != NULL);
    mapped_address = address;
    *window = (struct mmio){.base = (uintptr_t)table, .size = size};
    return ST_OK;
}

void mmio_write32(const struct mmio *window, size_t offset, uint32_t value)
{
    REQUIRE(offset + 4 <= window->size && window->size <= sizeof table);
    memcpy(table + offset, &value, 4);
}

status_t raw_irq_msi(struct device_grant *grant, struct irq *irq, void (*handle)(struct irq *irq), uint64_t *address,
                     uint32_t *data)
{
    (void)grant;
    (void)irq;
    (void)handle;
    if (vectors_left == 0) {
        return ST_FULL;
    }
    vectors_left--;
    *address = 0x1fee00000;
    *data = 0x40 + irqs_opened++;
    return ST_OK;
}

status_t raw_irq_wired(struct device_grant *grant, struct irq *irq, void (*handle)(struct irq *irq),
                       struct raw_wire wire)
{
    (void)grant;
    (void)irq;
    (void)handle;
    CHECK(wire.gsi == 16 && wire.level && wire.active_low);
    return ST_OK;
}

void *boot_alloc(size_t size, size_t align)
{
    static char memory[64 * 1024] __attribute__((aligned(64)));

    REQUIRE(size <= sizeof memory && align <= 64);
    memset(memory, 0, sizeof memory);
    return memory;
}

static struct place *add(uint16_t bus, uint8_t device, uint8_t function, uint16_t id)
{
    struct place *p = &places[place_count++];

    *p = (struct place){.bus = bus, .device = device, .function = function};
    memcpy(p->space, "\xf4\x1a", 2);
    memcpy(p->space + 2, &id, 2);
    return p;
}

static void put32(struct place *p, unsigned offset, uint32_t value)
{
    memcpy(p->space + offset, &value, 4);
}

static void begin(void)
{
    memset(&self, 0, sizeof self);
    memset(places, 0, sizeof places);
    memset(table, 0, sizeof table);
    place_count = 0;
    bus_count = 256;
    vectors_left = 100;
    irqs_opened = 0;
}

static struct pci_bus *go(void)
{
    test_room = ROOM_BOOT;
    REQUIRE(bus_pci_start() == ST_OK);
    return bus_pci_provide_functions();
}

static void test_enumerates(void)
{
    begin();
    add(0, 3, 0, 1)->space[0x0e] = 0x80; /* several functions */
    add(0, 3, 5, 2);
    add(0, 4, 0, 3);
    add(0, 4, 1, 4); /* not looked at: 4.0 has one function */
    struct place *bridge = add(0, 7, 0, 5);
    bridge->space[0x0e] = 1;
    bridge->space[0x19] = 2;
    add(2, 0, 0, 6);
    add(3, 0, 0, 7); /* no bridge leads there */
    struct pci_bus *bus = go();
    CHECK_EQ(bus->count, 4);
    CHECK(bus->function[0].device_id == 1 && bus->function[1].device_id == 2 && bus->function[2].device_id == 3);
    CHECK(bus->function[3].device_id == 6 && bus->function[3].bus == 2);
    begin();
    bus_count = 0;
    CHECK_EQ(go()->count, 0);
}

/* Bridges that lead to themselves, upwards, or beyond what can be reached are no loop. */
static void test_lying_bridges(void)
{
    static const uint8_t behind[] = {0, 1, 255};

    for (unsigned i = 0; i < 3; i++) {
        begin();
        bus_count = 4;
        struct place *bridge = add(0, 1, 0, 1);
        bridge->space[0x0e] = 1;
        bridge->space[0x19] = 1;
        struct place *liar = add(1, 1, 0, 1);
        liar->space[0x0e] = 1;
        liar->space[0x19] = behind[i];
        add(1, 2, 0, 9);
        CHECK_EQ(go()->count, 1);
    }
}

static void test_bars(void)
{
    begin();
    struct place *p = add(0, 1, 0, 1);
    p->space[4] = 3;        /* decoding was on */
    put32(p, 0x10, 0xc001); /* I/O */
    p->bar_mask[0] = 0xffffffe0;
    put32(p, 0x14, 0xfebd0000); /* memory, 4 KiB */
    p->bar_mask[1] = 0xfffff000;
    put32(p, 0x18, 0xfe00000c); /* 64 bits, prefetchable, 16 KiB above 4 GiB */
    put32(p, 0x1c, 0x00000008);
    p->bar_mask[2] = 0xffffc000;
    p->bar_mask[3] = UINT32_MAX;
    struct pci_function *f = &go()->function[0];
    CHECK(f->bar[0].io && f->bar[0].size == 32 && f->bar[0].address == 0xc000);
    CHECK(!f->bar[1].io && f->bar[1].size == 4096 && f->bar[1].address == 0xfebd0000);
    CHECK_EQ(f->bar[2].address, 0x8fe000000);
    CHECK_EQ(f->bar[2].size, 0x4000);
    CHECK(f->bar[3].size == 0 && f->bar[4].size == 0 && f->bar[5].size == 0);
    CHECK_EQ(p->space[4], 3); /* as it was */

    struct mmio window;
    CHECK(pci_map(f, 2, 0x3000, 0x1000, &window) == ST_OK && mapped_address == 0x8fe003000);
    CHECK(pci_map(f, 2, 0x3000, 0x1001, &window) == ST_PROTO);
    CHECK(pci_map(f, 2, UINT64_MAX, 2, &window) == ST_PROTO);
    CHECK(pci_map(f, 6, 0, 1, &window) == ST_PROTO);
    CHECK(pci_map(f, 1, 0, 0, &window) == ST_PROTO);
    CHECK(pci_map(f, 0, 0, 1, &window) == ST_UNSUPPORTED);
    CHECK(pci_map(f, 4, 0, 1, &window) == ST_UNSUPPORTED);
    f->bar[1].address = 0;
    CHECK(pci_map(f, 1, 0, 1, &window) == ST_UNSUPPORTED);
}

static struct place *with_capabilities(void)
{
    begin();
    struct place *p = add(0, 1, 0, 1);
    p->space[6] = 0x10;
    p->space[0x34] = 0x40;
    memcpy(p->space + 0x40, "\x09\x50", 2);
    memcpy(p->space + 0x50, "\x11\x61\x03\x00\x01\x08\x00\x00", 8); /* MSI-X, 4 entries at BAR 1 + 0x800; 0x61 & ~3 */
    memcpy(p->space + 0x60, "\x09\x00", 2);
    put32(p, 0x14, 0xfebd0000);
    p->bar_mask[1] = 0xfffff000;
    p->space[0x3d] = 1;
    return p;
}

static void test_capabilities(void)
{
    struct place *p = with_capabilities();
    struct pci_function *f = &go()->function[0];

    CHECK_EQ(pci_capability(f, PCI_CAP_VENDOR, 0), 0x40);
    CHECK_EQ(pci_capability(f, PCI_CAP_VENDOR, 0x40), 0x60);
    CHECK_EQ(pci_capability(f, PCI_CAP_VENDOR, 0x60), 0);
    CHECK(f->msix_offset == 0x50 && f->msix_count == 4);
    p->space[0x61] = 0x40; /* a ring */
    CHECK_EQ(pci_capability(f, 0x55, 0), 0);
    p->space[0x61] = 0x10; /* into the header */
    CHECK_EQ(pci_capability(f, 0x55, 0), 0);
    p->space[6] = 0; /* none */
    CHECK_EQ(pci_capability(f, PCI_CAP_VENDOR, 0), 0);
}

static uint32_t table_word(unsigned entry, unsigned offset)
{
    uint32_t value;

    memcpy(&value, table + entry * 16 + offset, 4);
    return value;
}

static void test_msix(void)
{
    struct place *p = with_capabilities();
    struct pci_function *f = &go()->function[0];
    struct irq irq;

    CHECK(pci_msix_enable(f) == ST_UNSUPPORTED);
    CHECK(pci_msix_open(f, 4, &irq, NULL) == ST_RANGE);
    CHECK(pci_msix_open(f, 2, &irq, NULL) == ST_OK);
    CHECK_EQ(mapped_address, 0xfebd0800);
    CHECK_EQ(p->space[0x53], 0xc0); /* on, and all masked meanwhile */
    CHECK(table_word(2, 0) == 0xfee00000 && table_word(2, 4) == 1 && table_word(2, 8) == 0x40 &&
          table_word(2, 12) == 0);
    CHECK(table_word(0, 12) == 1 && table_word(1, 12) == 1 && table_word(3, 12) == 1);
    CHECK(pci_msix_enable(f) == ST_OK);
    CHECK_EQ(p->space[0x53], 0x80);
    vectors_left = 0;
    CHECK(pci_msix_open(f, 3, &irq, NULL) == ST_FULL);
    CHECK(pci_intx_open(f, &irq, NULL) == ST_OK);
    CHECK_EQ(p->space[0x53], 0); /* the wired one excludes it */

    p = with_capabilities();
    memcpy(p->space + 0x54, "\xd1\x0f", 2); /* the table's end lies beyond the BAR */
    f = &go()->function[0];
    CHECK(pci_msix_open(f, 0, &irq, NULL) == ST_PROTO);
}

static void test_enable_and_wired(void)
{
    struct place *p = with_capabilities();
    struct pci_function *f = &go()->function[0];
    struct irq irq;

    pci_enable(f);
    CHECK(p->space[4] == 6 && p->space[5] == 4); /* memory, master, no INTx */
    CHECK(pci_intx_open(f, &irq, NULL) == ST_OK);
    CHECK(p->space[4] == 6 && p->space[5] == 0);
    f->pin = 0;
    CHECK(pci_intx_open(f, &irq, NULL) == ST_UNSUPPORTED);
    f->pin = 1;
    f->device = 9; /* nobody knows where its pin leads */
    CHECK(pci_intx_open(f, &irq, NULL) == ST_UNSUPPORTED);
}

/* A function whose grant is silenced masters the bus no more, and sends neither message nor wire; its registers can be read. */
static void test_silenced(void)
{
    struct place *p = with_capabilities();
    struct pci_function *f = &go()->function[0];
    struct irq irq;

    CHECK_STR(f->grant.where, "pci 00:01.0");
    pci_enable(f);
    CHECK(pci_msix_open(f, 2, &irq, NULL) == ST_OK && pci_msix_enable(f) == ST_OK);
    test_room = ROOM_LOOP;
    f->grant.off(&f->grant);
    CHECK(p->space[4] == 2 && p->space[5] == 4 && p->space[0x53] == 0x40);
    p->space[0x34] = 0; /* one without MSI-X, its wire on */
    memset(&self, 0, sizeof self);
    f = &go()->function[0];
    pci_enable(f);
    CHECK(pci_intx_open(f, &irq, NULL) == ST_OK && p->space[5] == 0);
    f->grant.off(&f->grant);
    CHECK(p->space[4] == 2 && p->space[5] == 4 && p->space[0x53] == 0x40);
}

int main(void)
{
    RUN(test_enumerates);
    RUN(test_lying_bridges);
    RUN(test_bars);
    RUN(test_capabilities);
    RUN(test_msix);
    RUN(test_enable_and_wired);
    RUN(test_silenced);
    return test_end();
}
