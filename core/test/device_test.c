/* SPDX-License-Identifier: MIT OR Apache-2.0
 * device_test.c: register windows hold what they say: every access is inside and aligned, or the machine stops.
 */
#include "../run/device.c"
#include "test.h"

static uint64_t written_at, written; /* of the last write: address, value */
static unsigned accesses;

static uint64_t seen(uintptr_t address)
{
    accesses++;
    return 0x1122334455667788ull >> (8 * (address & 7));
}
#define READ(bits)                                                                                                     \
    uint##bits##_t plat_mmio_read##bits(uintptr_t address)                                                             \
    {                                                                                                                  \
        return (uint##bits##_t)seen(address);                                                                          \
    }
#define WRITE(bits)                                                                                                    \
    void plat_mmio_write##bits(uintptr_t address, uint##bits##_t value)                                                \
    {                                                                                                                  \
        accesses++;                                                                                                    \
        written_at = address;                                                                                          \
        written = value;                                                                                               \
    }
READ(8)
READ(16)
READ(32)
WRITE(8)
WRITE(16)
WRITE(32)

status_t plat_mmio_map(uint64_t address, size_t size, uintptr_t *base)
{
    (void)size;
    if (address == 0) {
        return ST_RANGE;
    }
    *base = 0x1000;
    return ST_OK;
}

bool plat_mmio_device(unsigned i, uint64_t *address, size_t *size, uint32_t *gsi, bool *edge)
{
    *address = 0xfeb00000 + i;
    *size = 512;
    *gsi = 7;
    *edge = true;
    return i < 2;
}

static uint16_t asked_offset;
status_t plat_pci_read(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size, uint32_t *value)
{
    (void)bus, (void)device, (void)function, (void)size;
    asked_offset = offset;
    *value = 9;
    return ST_OK;
}

status_t plat_pci_write(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size, uint32_t value)
{
    (void)bus, (void)device, (void)function, (void)size, (void)value;
    asked_offset = offset;
    return ST_OK;
}

unsigned plat_pci_buses(void)
{
    return 1;
}

bool plat_pci_gsi(uint16_t bus, uint8_t device, uint8_t pin, uint32_t *gsi)
{
    (void)bus, (void)device, (void)pin, (void)gsi;
    return false;
}

status_t plat_entropy(void *bytes, size_t size)
{
    (void)bytes, (void)size;
    return ST_UNSUPPORTED;
}

static struct device_grant grant = {.where = "here", .generation = 1};
static struct mmio window;

static void test_inside(void)
{
    CHECK_EQ(raw_mmio_map(&grant, &window, 0xfe000000, 12), ST_OK);
    CHECK_EQ(mmio_read8(&window, 11), 0x55); /* address 0x100b */
    CHECK_EQ(mmio_read16(&window, 10), 0x5566);
    CHECK_EQ(mmio_read32(&window, 4), 0x11223344);
    CHECK_EQ(mmio_read32(&window, 8), 0x55667788);
    mmio_write16(&window, 10, 0xbeef);
    CHECK(written_at == 0x100a && written == 0xbeef);
    mmio_write64(&window, 0, 0x0102030405060708);
    CHECK(written_at == 0x1004 && written == 0x01020304); /* low first, high last */
    CHECK_EQ(mmio_read64(&window, 0), 0x1122334455667788);
}

static void test_outside(void)
{
    unsigned before = accesses;

    CHECK_PANICS(mmio_read8(&window, 12));
    CHECK_PANICS(mmio_read16(&window, 11));
    CHECK_PANICS(mmio_read32(&window, 10));
    CHECK_PANICS(mmio_read32(&window, 12));
    CHECK_PANICS(mmio_read32(&window, SIZE_MAX - 3)); /* the sum wraps */
    CHECK_PANICS(mmio_write8(&window, SIZE_MAX, 0));
    CHECK_PANICS(mmio_write32(&window, 2, 0)); /* not aligned: devices see two accesses, or none */
    CHECK_PANICS(mmio_write16(&window, 1, 0));
    CHECK_EQ(accesses, before);
}

static void test_slices(void)
{
    struct mmio slice = mmio_slice(&window, 4, 8);

    CHECK_EQ(mmio_read32(&slice, 4), 0x55667788);
    CHECK_PANICS(mmio_read32(&slice, 8));
    CHECK_PANICS(mmio_slice(&window, 4, 9));
    CHECK_PANICS(mmio_slice(&window, 13, 0));
    CHECK_PANICS(mmio_slice(&window, 4, SIZE_MAX));
    slice = mmio_slice(&window, 12, 0); /* empty is legal, and nothing is in it */
    CHECK_PANICS(mmio_read8(&slice, 0));
}

/* Of a device that was taken back, as of an empty slot; its numbers are still looked at. */
static void test_stale(void)
{
    struct mmio slice = mmio_slice(&window, 4, 8);
    unsigned before = accesses;

    grant.generation++;
    CHECK(mmio_read8(&window, 0) == UINT8_MAX && mmio_read16(&window, 0) == UINT16_MAX);
    CHECK(mmio_read32(&slice, 0) == UINT32_MAX && mmio_read64(&window, 0) == UINT64_MAX);
    mmio_write8(&window, 0, 1);
    mmio_write16(&window, 0, 1);
    mmio_write32(&slice, 0, 1);
    mmio_write64(&window, 0, 1);
    CHECK_EQ(accesses, before);
    CHECK_PANICS(mmio_read32(&window, 12));
    grant.generation--;
    CHECK(mmio_read32(&window, 4) == 0x11223344 && grant.windows == 1 && grant.window_bytes == 12);
}

static void test_refused_map(void)
{
    struct mmio kept = {.base = 1, .size = 2};

    CHECK_EQ(raw_mmio_map(&grant, &kept, 0, 4096), ST_RANGE);
    grant.state = DEVICE_GONE;
    CHECK_EQ(raw_mmio_map(&grant, &kept, 0xfe000000, 4096), ST_CLOSED);
    CHECK(kept.base == 1 && kept.size == 2);
}

static void test_pci(void)
{
    uint32_t value = 0;

    CHECK_EQ(raw_pci_read(0, 31, 7, 4092, 4, &value), ST_OK);
    CHECK_EQ(asked_offset, 4092);
    CHECK_PANICS((void)raw_pci_read(0, 32, 0, 0, 4, &value));
    CHECK_PANICS((void)raw_pci_read(0, 0, 8, 0, 4, &value));
    CHECK_PANICS((void)raw_pci_read(0, 0, 0, 2, 4, &value));
    CHECK_PANICS((void)raw_pci_read(0, 0, 0, 0, 3, &value));
    CHECK_PANICS((void)raw_pci_read(0, 0, 0, 4096, 1, &value));
    CHECK_PANICS((void)raw_pci_write(0, 0, 0, 1, 2, 0));
    CHECK_PANICS((void)raw_pci_gsi(0, 0, 0, &value));
    CHECK_PANICS((void)raw_pci_gsi(0, 0, 5, &value));
}

static void count_one(const struct device_note *note, void *context)
{
    (void)note;
    ++*(unsigned *)context;
}

static void test_notes_and_windows(void)
{
    static struct device_note note = {.driver = "x"};
    struct raw_window found;
    unsigned count = 0;

    device_note_each(count_one, &count);
    CHECK_EQ(count, 0);
    device_note_add(&note);
    device_note_each(count_one, &count);
    CHECK_EQ(count, 1);
    CHECK(raw_mmio_device(1, &found) && !raw_mmio_device(2, &found));
    CHECK_EQ(found.gsi, 7);
}

int main(void)
{
    RUN(test_inside);
    RUN(test_outside);
    RUN(test_slices);
    RUN(test_stale);
    RUN(test_refused_map);
    RUN(test_pci);
    RUN(test_notes_and_windows);
    return test_end();
}
