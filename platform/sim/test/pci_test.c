/* SPDX-License-Identifier: MIT OR Apache-2.0
 * pci_test.c: the simulator's PCI bus at its registers, against the PCI Local Bus Specification 3.0.
 */
#include "fake_machine.h"
#include "../pci.c"
#include "../pci_msix.c"

enum { EMPTY_SLOT = 1, SLOT = 2, OTHER_SLOT = 3, THIRD_SLOT = 4 }; /* the host bridge is 0 */

static uint32_t echo; /* the last write to the function's registers */

static uint32_t echo_read(void *device, size_t offset, unsigned size)
{
    (void)device, (void)offset;
    return size == 4 ? echo : echo & ((1u << 8 * size) - 1);
}

static void echo_write(void *device, size_t offset, unsigned size, uint32_t value)
{
    (void)device, (void)offset, (void)size;
    echo = value;
}

static struct sim_pci_function tried = {
    .name = "tried",
    .vendor_id = 0x1234,
    .device_id = 0x5678,
    .subsystem_vendor = 0x9abc,
    .subsystem = 0xdef0,
    .class_code = 0x010802,
    .revision = 7,
    .wired = true,
    .vectors = 3,
    .msix_bar = 4,
    .bar = {[0] = {.window = {.size = 256, .read = echo_read, .write = echo_write}},
            [2] = {.window = {.size = 0x4000, .read = echo_read, .write = echo_write}, .wide = true}}};
static struct sim_pci_function other = {.name = "other", .vendor_id = 0x1111, .wired = true};
static struct sim_pci_function third = {.name = "third", .vendor_id = 0x1111, .wired = true};

static uint64_t bar(unsigned i)
{
    return fake_config(SLOT, 0x10 + 4 * i, 4) & ~0xfu;
}

static uint64_t entry(unsigned vector, unsigned offset)
{
    return bar(4) + (fake_config(SLOT, fake_capability(SLOT, 0x11, 0) + 4, 4) & ~7u) + 16 * vector + offset;
}

static void test_nothing_without_functions(void)
{
    uint32_t value;

    CHECK_EQ(plat_pci_buses(), 0);
    CHECK_EQ(plat_pci_read(0, 0, 0, 0, 4, &value), ST_UNSUPPORTED);
}

static void test_header(void)
{
    sim_pci_add(&tried);
    sim_pci_add(&other);
    sim_pci_add(&third);
    CHECK_EQ(plat_pci_buses(), 1);
    CHECK_EQ(fake_config(0, 0x0a, 2), 0x0600); /* a host bridge */
    CHECK_EQ(fake_config(SLOT, 0x00, 4), 0x56781234);
    CHECK_EQ(fake_config(SLOT, 0x08, 4), 0x01080207);
    CHECK_EQ(fake_config(SLOT, 0x0e, 1), 0); /* one function, a plain header */
    CHECK_EQ(fake_config(SLOT, 0x2c, 4), 0xdef09abc);
    CHECK_EQ(fake_config(SLOT, 0x3d, 1), 1);
    CHECK_EQ(fake_config(SLOT, 0x06, 2) & 0x10, 0x10); /* it has capabilities */
    CHECK_EQ(fake_config(OTHER_SLOT, 0x06, 2) & 0x10, 0);
    CHECK_EQ(fake_config(SLOT, 0x100, 4), 0);
    fake_config_set(SLOT, 0x00, 4, 0);
    fake_config_set(SLOT, 0x08, 4, 0);
    fake_config_set(SLOT, 0x3c, 4, 0xffffff05);
    CHECK_EQ(fake_config(SLOT, 0x00, 4), 0x56781234);
    CHECK_EQ(fake_config(SLOT, 0x08, 4), 0x01080207);
    CHECK_EQ(fake_config(SLOT, 0x3c, 4), 0x00000105); /* the line is the driver's to write, the pin is not */
}

static void test_nobody_there(void)
{
    uint32_t value = 0;

    CHECK_EQ(fake_config(9, 0, 2), 0xffff);
    CHECK_EQ(fake_config(EMPTY_SLOT, 0, 2), 0xffff);
    CHECK_EQ(plat_pci_read(0, SLOT, 1, 0, 4, &value), ST_OK);
    CHECK_EQ(value, UINT32_MAX);
    CHECK_EQ(plat_pci_read(1, 0, 0, 0, 4, &value), ST_RANGE);
    CHECK_EQ(plat_pci_read(0, SLOT, 0, 1, 4, &value), ST_BADARG);
    fake_config_set(9, 4, 2, 7); /* lost */
}

/* 6.2.5.1: the bits of a BAR that stay zero say its size, and it works from where it is put. */
static void test_bars(void)
{
    CHECK(bar(0) % 256 == 0 && bar(0) != 0);
    CHECK_EQ(fake_config(SLOT, 0x18, 4) & 0xf, 4); /* 64 bits, not prefetchable, memory */
    CHECK(fake_config(SLOT, 0x1c, 4) != 0);        /* above 4 GiB */
    CHECK_EQ(fake_config(SLOT, 0x14, 4), 0);       /* none */
    fake_config_set(SLOT, 0x04, 2, 0);
    uint32_t low = fake_config(SLOT, 0x18, 4);
    uint32_t high = fake_config(SLOT, 0x1c, 4);
    fake_config_set(SLOT, 0x14, 4, UINT32_MAX);
    fake_config_set(SLOT, 0x18, 4, UINT32_MAX);
    fake_config_set(SLOT, 0x1c, 4, UINT32_MAX);
    CHECK_EQ(fake_config(SLOT, 0x14, 4), 0);
    CHECK_EQ(fake_config(SLOT, 0x18, 4), 0xffffc004);
    CHECK_EQ(fake_config(SLOT, 0x1c, 4), 0xffffffff);
    fake_config_set(SLOT, 0x18, 4, low);
    fake_config_set(SLOT, 0x1c, 4, high + 1);
    fake_config_set(SLOT, 0x04, 2, 2);
    fake_write(((uint64_t)(high + 1) << 32 | (low & ~0xfu)) + 8, 4, 0x12345678);
    CHECK_EQ(echo, 0x12345678);
    fake_config_set(SLOT, 0x1c, 4, high);
}

/* 6.2.2: a function answers for its memory only when it is told to, and goes to memory only when it is told to. */
static void test_command(void)
{
    CHECK_EQ(fake_config(SLOT, 0x04, 2), 2); /* as firmware leaves it */
    CHECK(!sim_pci_master(&tried));
    echo = 5;
    fake_config_set(SLOT, 0x04, 2, 4);
    CHECK(sim_pci_master(&tried));
    CHECK_EQ(fake_read(bar(0), 2), 0xffff);
    fake_write(bar(0), 4, 9);
    CHECK_EQ(echo, 5);
    fake_config_set(SLOT, 0x04, 2, 0xffff);
    CHECK_EQ(fake_config(SLOT, 0x04, 2), 0x406); /* no I/O, nothing else either */
    fake_config_set(SLOT, 0x04, 2, 6);
    CHECK_EQ(fake_read(bar(0), 4), 5);
}

/* --- MSI-X: 6.8.2 ---------------------------------------------------------------------------------------------------- */

static void vector_set(unsigned vector, uint64_t address, uint32_t data)
{
    fake_write(entry(vector, 0), 4, (uint32_t)address);
    fake_write(entry(vector, 4), 4, (uint32_t)(address >> 32));
    fake_write(entry(vector, 8), 4, data);
}

static unsigned control_at(void)
{
    return fake_capability(SLOT, 0x11, 0) + 2;
}

static uint32_t pending(void)
{
    return fake_read(bar(4) + (fake_config(SLOT, control_at() + 6, 4) & ~7u), 4);
}

static void test_msix_at_reset(void)
{
    CHECK_EQ(fake_config(SLOT, control_at(), 2), 2); /* three, off */
    CHECK_EQ(fake_config(SLOT, control_at() + 2, 4) & 7, 4);
    CHECK_EQ(fake_config(SLOT, control_at() + 6, 4) & 7, 4);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ(fake_read(entry(i, 12), 4), 1); /* masked */
    }
    sim_pci_message(&tried, 0);
    CHECK_EQ(fake.messages, 0);
    CHECK_EQ(pending(), 0);
    fake_config_set(SLOT, control_at(), 2, 0xffff);
    CHECK_EQ(fake_config(SLOT, control_at(), 2), 0xc002); /* the size cannot be written, nor what is reserved */
}

static void test_msix_masks(void)
{
    vector_set(1, 0x8fee01000ull, 0x41);
    CHECK_EQ(fake_read(entry(1, 4), 4), 8);
    fake_write(entry(1, 12), 4, 0);
    sim_pci_message(&tried, 1); /* the function is masked */
    sim_pci_message(&tried, 2); /* and this one itself */
    CHECK_EQ(fake.messages, 0);
    CHECK_EQ(pending(), 6);
    fake_config_set(SLOT, control_at(), 2, 0x8000);
    CHECK_EQ(fake.messages, 1);
    CHECK_EQ(fake.message_address, 0x8fee01000ull);
    CHECK_EQ(fake.message_data, 0x41);
    CHECK_EQ(pending(), 4);
    vector_set(2, 0xfee02000, 0x42);
    fake_write(entry(2, 12), 4, 0);
    CHECK_EQ(fake.messages, 2);
    CHECK_EQ(fake.message_data, 0x42);
    CHECK_EQ(pending(), 0);
    sim_pci_message(&tried, 1);
    CHECK_EQ(fake.messages, 3);
}

static void test_msix_needs_mastering(void)
{
    fake_config_set(SLOT, 0x04, 2, 2);
    sim_pci_message(&tried, 1);
    CHECK_EQ(fake.messages, 3);
    fake_config_set(SLOT, 0x04, 2, 6);
}

static void test_msix_refusals(void)
{
    CHECK_PANICS(fake_write(entry(1, 8), 4, 0)); /* it is not masked: 6.8.2.9 */
    CHECK_PANICS(fake_write(entry(1, 12), 1, 1));
    CHECK_PANICS(fake_read(entry(1, 0), 2));
    CHECK_PANICS(fake_write(bar(4) + (fake_config(SLOT, control_at() + 6, 4) & ~7u) + 4, 4, 0)); /* 6.8.2.10 */
    CHECK_PANICS(sim_pci_message(&tried, 3));
    fake_write(entry(3, 8), 4, 1); /* no such entry */
    CHECK_EQ(fake_read(entry(3, 8), 4), 0);
    fake_write(entry(1, 12), 4, 1);
    fake_write(entry(1, 8), 4, 0x43);
    CHECK_EQ(fake_read(entry(1, 8), 4), 0x43);
}

/* --- the pin: 2.2.6, 6.2.2, 6.2.3 ------------------------------------------------------------------------------------- */

static void test_pin(void)
{
    uint32_t gsi = 0;
    uint32_t next = 0;

    CHECK(plat_pci_gsi(0, SLOT, 1, &gsi) && plat_pci_gsi(0, OTHER_SLOT, 1, &next) && gsi == next);
    CHECK(plat_pci_gsi(0, OTHER_SLOT, 2, &next) && gsi != next);
    CHECK(plat_pci_gsi(0, THIRD_SLOT, 1, &next) && gsi != next);
    CHECK(plat_pci_gsi(0, THIRD_SLOT, 4, &next) && gsi == next);
    CHECK(!plat_pci_gsi(0, 9, 1, &next) && !plat_pci_gsi(0, EMPTY_SLOT, 1, &next));
    sim_pci_pin(&tried, true);
    CHECK_EQ(fake.pulls[gsi], 0); /* messages are on: 6.8.3.3 */
    fake_config_set(SLOT, control_at(), 2, 0);
    CHECK_EQ(fake.pulls[gsi], 1);
    CHECK_EQ(fake_config(SLOT, 0x06, 2) & 8, 8);
    sim_pci_pin(&tried, true);
    CHECK_EQ(fake.pulls[gsi], 1);
    sim_pci_pin(&other, true); /* on the same line */
    CHECK_EQ(fake.pulls[gsi], 2);
    sim_pci_pin(&other, false);
    fake_config_set(SLOT, 0x04, 2, 0x406);
    CHECK_EQ(fake.pulls[gsi], 0);
    CHECK_EQ(fake_config(SLOT, 0x06, 2) & 8, 8); /* it would */
    fake_config_set(SLOT, 0x04, 2, 6);
    CHECK_EQ(fake.pulls[gsi], 1);
    sim_pci_pin(&tried, false);
    CHECK_EQ(fake.pulls[gsi], 0);
    CHECK_EQ(fake_config(SLOT, 0x06, 2) & 8, 0);
}

static void test_capabilities(void)
{
    static const uint8_t bytes[6] = {0x09, 0xff, 6, 1, 2, 3};
    unsigned first = sim_pci_capability(&tried, bytes, sizeof bytes);
    unsigned second = sim_pci_capability(&tried, bytes, sizeof bytes);

    CHECK_EQ(fake_capability(SLOT, 0x09, 0), first);
    CHECK_EQ(fake_capability(SLOT, 0x09, first), second);
    CHECK_EQ(fake_capability(SLOT, 0x09, second), 0);
    CHECK_EQ(fake_config(SLOT, second + 4, 2), 0x0302);
    fake_config_set(SLOT, second + 4, 2, 0);
    CHECK_EQ(fake_config(SLOT, second + 4, 2), 0x0302);
    sim_pci_writable(&tried, second + 4, 1);
    fake_config_set(SLOT, second + 4, 2, 0);
    CHECK_EQ(fake_config(SLOT, second + 4, 2), 0x0300);
}

int main(void)
{
    RUN(test_nothing_without_functions);
    RUN(test_header);
    RUN(test_nobody_there);
    RUN(test_bars);
    RUN(test_command);
    RUN(test_msix_at_reset);
    RUN(test_msix_masks);
    RUN(test_msix_needs_mastering);
    RUN(test_msix_refusals);
    RUN(test_pin);
    RUN(test_capabilities);
    return test_end();
}
