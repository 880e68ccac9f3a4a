/* SPDX-License-Identifier: MIT OR Apache-2.0
 * bus_virtio_test.c: both transports against a register file that keeps the specification but for one lie at a time.
 */
#include "core/assert.h"
#include "core/room.h"
#include "test.h"
#include "../bus_virtio.c"
#undef LOG_TAG
#include "../virtio_mmio.c"
#undef LOG_TAG
#define ops pci_ops_table
#define ops_status_get pci_status_get
#define ops_status_set pci_status_set
#define ops_features_get pci_features_get
#define ops_features_set pci_features_set
#define ops_generation pci_generation
#define ops_config pci_config
#define ops_queue_size pci_queue_size
#define ops_queue_set pci_queue_set
#define ops_interrupts pci_interrupts
#define ops_rewire pci_rewire
#define ops_notify pci_notify
#include "../virtio_pci.c"
#undef ops
#include "fake_bus.h"

/* A device as it should be, and how it is not. */
static struct card {
    uint32_t status, select, queue, size_max, enabled, why, generation;
    uint32_t notified, notify_off;
    uint16_t config_vector, queue_vector;
    struct lies {
        uint32_t magic, version;  /* instead of what belongs there; 0: no lie */
        bool never_resets;        /* status stays */
        bool forgets_features_ok; /* does not take what it offered */
        bool enabled_after_reset; /* a queue is on already */
        bool generation_moves;    /* the configuration never stands still */
        bool no_vector;           /* refuses every MSI-X vector */
        bool legacy;              /* does not offer VERSION_1 */
    } lie;
} card;

static uint32_t feature_word(void)
{
    return card.select == 0 ? (uint32_t)VIRTIO_F_EVENT_IDX : card.select == 1 && !card.lie.legacy ? 1 : 0;
}

static void status_write(uint32_t value)
{
    if (value == 0 && card.lie.never_resets) {
        return;
    }
    if (card.lie.forgets_features_ok) {
        value &= ~(uint32_t)VIRTIO_STATUS_FEATURES_OK;
    }
    card.status = value;
}

static uint32_t read_mmio(size_t at)
{
    switch (at) {
    case REG_MAGIC:
        return card.lie.magic != 0 ? card.lie.magic : MAGIC;
    case REG_VERSION:
        return card.lie.version != 0 ? card.lie.version : VERSION_MODERN;
    case REG_DEVICE_ID:
        return VIRTIO_BLK;
    case REG_DEVICE_FEATURES:
        return feature_word();
    case REG_QUEUE_NUM_MAX:
        return card.size_max;
    case REG_QUEUE_READY:
        return card.enabled | card.lie.enabled_after_reset;
    case REG_INTERRUPT_STATUS:
        return card.why;
    case REG_STATUS:
        return card.status;
    case REG_GENERATION:
        card.generation += card.lie.generation_moves;
        return card.generation;
    default:
        return (uint32_t)at;
    }
}

static void write_mmio(size_t at, uint32_t value)
{
    if (at == REG_STATUS) {
        status_write(value);
    } else if (at == REG_DEVICE_FEATURES_SEL) {
        card.select = value;
    } else if (at == REG_QUEUE_NOTIFY) {
        card.notified++;
    } else if (at == REG_INTERRUPT_ACK) {
        card.why &= ~value;
    }
}

/* The common configuration stands at 0 of the BAR, notifications at 0x1000, ISR at 0x2000, the device's at 0x3000. */
static uint32_t read_bar(size_t at)
{
    switch (at) {
    case COMMON_DEVICE_FEATURE:
        return feature_word();
    case COMMON_STATUS:
        return card.status;
    case COMMON_GENERATION:
        card.generation += card.lie.generation_moves;
        return card.generation & 0xff;
    case COMMON_QUEUE_SIZE:
        return card.size_max & 0xffff;
    case COMMON_QUEUE_ENABLE:
        return card.enabled | card.lie.enabled_after_reset;
    case COMMON_QUEUE_NOTIFY_OFF:
        return card.notify_off;
    case COMMON_CONFIG_VECTOR:
        return card.lie.no_vector ? NO_VECTOR : card.config_vector;
    case COMMON_QUEUE_VECTOR:
        return card.lie.no_vector ? NO_VECTOR : card.queue_vector;
    case 0x2000:
        return card.why;
    default:
        return (uint32_t)at;
    }
}

static void write_bar(size_t at, uint32_t value)
{
    if (at == COMMON_STATUS) {
        status_write(value);
    } else if (at == COMMON_DEVICE_FEATURE_SELECT) {
        card.select = value;
    } else if (at == COMMON_CONFIG_VECTOR) {
        card.config_vector = (uint16_t)value;
    } else if (at == COMMON_QUEUE_VECTOR) {
        card.queue_vector = (uint16_t)value;
    } else if (at >= 0x1000 && at < 0x2000) {
        card.notified++;
    }
}

static uint32_t fake_read(uintptr_t where, unsigned size)
{
    (void)size;
    return where >> 16 == WINDOW_MMIO ? read_mmio(where & 0xffff) : read_bar(where & 0xffff);
}

static void fake_write(uintptr_t where, unsigned size, uint32_t value)
{
    (void)size;
    if (where >> 16 == WINDOW_MMIO) {
        write_mmio(where & 0xffff, value);
    } else {
        write_bar(where & 0xffff, value);
    }
}

/* --- machines ---------------------------------------------------------------------------------------------------------- */

static unsigned interrupts, configs;

static void on_interrupt(struct virtio_device *device, uint32_t queues)
{
    (void)device;
    interrupts += queues != 0;
}

static void on_config(struct virtio_device *device)
{
    (void)device;
    configs++;
}

static const struct virtio_driver driver = {.name = "test", .interrupt = on_interrupt, .config = on_config};

static void capability(uint8_t at, uint8_t next, uint8_t kind, uint32_t offset, uint32_t size)
{
    const uint8_t head[6] = {PCI_CAP_VENDOR, next, 20, kind, 0, 0};

    memcpy(machine.space + at, head, sizeof head);
    memcpy(machine.space + at + CAP_OFFSET, &offset, 4);
    memcpy(machine.space + at + CAP_SIZE, &size, 4);
}

static void begin(bool pci)
{
    machine_begin();
    card = (struct card){.size_max = 256};
    interrupts = configs = 0;
    machine.mmio_there = !pci;
    machine.mmio_size = 0x200;
    machine.bus.count = pci;
    machine.function.vendor_id = VENDOR_VIRTIO;
    machine.function.device_id = DEVICE_MODERN + VIRTIO_BLK;
    machine.function.msix_count = 3;
    machine.space[0x34] = 0x40;
    capability(0x40, 0x60, KIND_COMMON, 0, COMMON_BYTES);
    capability(0x60, 0x80, KIND_NOTIFY, 0x1000, 0x1000);
    machine.space[0x60 + CAP_NOTIFY_MULTIPLIER] = 4;
    capability(0x80, 0xa0, KIND_ISR, 0x2000, 1);
    capability(0xa0, 0, KIND_DEVICE, 0x3000, 0x100);
}

static struct virtio_device *found(void)
{
    return virtio_bus_take(machine_probe(), VIRTIO_BLK);
}

/* Opens it as far as it goes: the status of the first step that it does not take. */
static status_t opened(struct virtio_device *device, struct virtq *q)
{
    status_t s = virtio_open(device, &driver, 0, 0);

    s = s == ST_OK ? virtio_interrupts(device, 2) : s;
    s = s == ST_OK ? virtio_queue_open(device, 0, 64, q) : s;
    if (s == ST_OK) {
        virtio_go(device);
    }
    return s;
}

static void test_honest_devices_run(void)
{
    for (unsigned pci = 0; pci < 2; pci++) {
        struct virtq q;
        begin(pci == 1);
        struct virtio_device *device = found();
        REQUIRE(device != NULL);
        CHECK_EQ(opened(device, &q), ST_OK);
        CHECK_EQ(machine.irq_count, pci == 1 ? 3 : 1);
        test_room = ROOM_LOOP;
        struct virtq_segment segment = {dma_lend(device->grant, memory), 512};
        CHECK_EQ(virtq_submit(&q, &segment, 0, 1, memory), ST_OK);
        virtio_notify(device, 0, &q);
        CHECK_EQ(card.notified, 1);
        card.why = 3;
        for (unsigned i = 0; i < machine.irq_count; i++) {
            machine.irq[i]->handle(machine.irq[i]);
        }
        CHECK_EQ(interrupts, pci == 1 ? 2 : 1);
        CHECK_EQ(configs, 1);
    }
}

static void test_what_is_no_modern_device_is_not_there(void)
{
    begin(false);
    card.lie.magic = 0x12345678;
    CHECK(found() == NULL);
    begin(false);
    card.lie.version = VERSION_LEGACY;
    CHECK(found() == NULL);
    begin(false);
    card.lie.version = 77;
    CHECK(found() == NULL);
    begin(false);
    machine.mmio_size = 0x80;
    CHECK(found() == NULL);
    begin(true);
    machine.function.vendor_id = 0x8086;
    CHECK(found() == NULL);
}

static void test_capabilities_that_lie(void)
{
    begin(true); /* beyond its BAR */
    capability(0x40, 0x60, KIND_COMMON, 0x3fff, COMMON_BYTES);
    CHECK(found() == NULL);
    begin(true); /* its end wraps around */
    capability(0x40, 0x60, KIND_COMMON, 0xfffffff0, 0x40);
    CHECK(found() == NULL);
    begin(true); /* too small */
    capability(0x40, 0x60, KIND_COMMON, 0, COMMON_BYTES - 1);
    CHECK(found() == NULL);
    begin(true); /* no place to notify */
    capability(0x60, 0x80, KIND_NOTIFY, 0x1000, 1);
    CHECK(found() == NULL);
    begin(true); /* a BAR that is not there */
    machine.space[0x40 + CAP_BAR] = 5;
    CHECK(found() == NULL);
    begin(true); /* a list that goes round */
    machine.space[0xa1] = 0x40;
    CHECK(found() != NULL);
    begin(true); /* a capability that leaves configuration space */
    capability(0x60, 0xfc, KIND_NOTIFY, 0x1000, 0x1000);
    machine.space[0xfc] = PCI_CAP_VENDOR;
    CHECK(found() != NULL);
    begin(true); /* the first that cannot be used gives way to the next */
    capability(0xa0, 0xc0, KIND_COMMON, 0, COMMON_BYTES);
    capability(0x40, 0x60, KIND_COMMON, 0x5000, COMMON_BYTES);
    CHECK(found() != NULL);
}

static void test_negotiation_that_lies(void)
{
    struct virtq q;

    for (unsigned pci = 0; pci < 2; pci++) {
        begin(pci == 1);
        card.lie.legacy = true;
        CHECK_EQ(opened(found(), &q), ST_UNSUPPORTED);
        begin(pci == 1);
        card.lie.forgets_features_ok = true;
        CHECK_EQ(opened(found(), &q), ST_UNSUPPORTED);
        begin(pci == 1);
        card.status = 7; /* of firmware */
        card.lie.never_resets = true;
        uint64_t from = test_clock_ns;
        CHECK_EQ(opened(found(), &q), ST_TIMEOUT);
        CHECK(test_clock_ns - from < 2 * NS_PER_S);
    }
}

static void test_queues_that_lie(void)
{
    static const struct {
        uint32_t size_max;
        status_t status;
        uint16_t size;
    } sizes[] = {{0, ST_UNSUPPORTED, 0}, {1, ST_OK, 1}, {100, ST_OK, 64}, {0xffff, ST_OK, 64}};
    struct virtq q;

    for (unsigned pci = 0; pci < 2; pci++) {
        for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            begin(pci == 1);
            card.size_max = sizes[i].size_max;
            CHECK_EQ(opened(found(), &q), sizes[i].status);
            CHECK(sizes[i].size == 0 || q.size == sizes[i].size);
        }
        begin(pci == 1);
        card.lie.enabled_after_reset = true;
        CHECK_EQ(opened(found(), &q), ST_PROTO);
    }
    begin(false);
    card.size_max = 0x10000; /* more than 16 bits: as many as there can be */
    CHECK_EQ(opened(found(), &q), ST_OK);
}

static void test_notify_places_that_lie(void)
{
    static const uint32_t bad[] = {0x400, 0xffff};
    struct virtq q;

    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        begin(true);
        card.notify_off = bad[i]; /* times 4: beyond the window */
        CHECK_EQ(opened(found(), &q), ST_PROTO);
    }
    begin(true);
    machine.space[0x60 + CAP_NOTIFY_MULTIPLIER] = 1;
    card.notify_off = 3; /* odd: no place for 16 bits */
    CHECK_EQ(opened(found(), &q), ST_PROTO);
    begin(true);
    card.notify_off = 0x3ff;
    CHECK_EQ(opened(found(), &q), ST_OK);
}

static void test_vectors(void)
{
    struct virtq q;

    begin(true);
    card.lie.no_vector = true;
    CHECK_EQ(opened(found(), &q), ST_PROTO);
    begin(true); /* fewer than it needs: shared */
    machine.function.msix_count = 1;
    CHECK_EQ(opened(found(), &q), ST_OK);
    CHECK_EQ(machine.irq_count, 1);
    begin(true); /* the CPU runs out of them: the wired interrupt */
    machine.vectors = 0;
    CHECK_EQ(opened(found(), &q), ST_OK);
    test_room = ROOM_LOOP;
    card.why = ISR_QUEUE;
    machine.irq[0]->handle(machine.irq[0]);
    CHECK_EQ(interrupts, 1);
    begin(true); /* and no ISR register either */
    machine.vectors = 0;
    capability(0x80, 0xa0, 9, 0x2000, 1);
    CHECK_EQ(opened(found(), &q), ST_UNSUPPORTED);
}

static void test_configuration_that_never_stands_still(void)
{
    uint64_t value = 5;

    for (unsigned pci = 0; pci < 2; pci++) {
        struct virtq q;
        begin(pci == 1);
        struct virtio_device *device = found();
        CHECK_EQ(opened(device, &q), ST_OK);
        card.lie.generation_moves = true;
        CHECK_EQ(virtio_config_read(device, 0, 4, &value), ST_PROTO);
        CHECK_EQ(value, 5);
        card.lie.generation_moves = false;
        CHECK_EQ(virtio_config_read(device, 0x100, 4, &value), ST_PROTO); /* beyond its end */
    }
}

int main(void)
{
    RUN(test_honest_devices_run);
    RUN(test_what_is_no_modern_device_is_not_there);
    RUN(test_capabilities_that_lie);
    RUN(test_negotiation_that_lies);
    RUN(test_queues_that_lie);
    RUN(test_notify_places_that_lie);
    RUN(test_vectors);
    RUN(test_configuration_that_never_stands_still);
    return test_end();
}
