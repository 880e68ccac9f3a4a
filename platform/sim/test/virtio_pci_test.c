/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_pci_test.c: a virtio device as a PCI function at its registers, against virtio 1.2, 4.1; what a driver must not do gets
 * what the specification says, or ends the process.
 */
#include "fake_machine.h"
#include "../models/virtio-pci/virtio_pci_model.c"
#include "../models/virtio/virtio_model.c"
#include "../models/virtio/virtio_queue.c"
#include "../models/virtio/virtio_fault.c"
#include "../pci.c"
#include "../pci_msix.c"
#include "fake_driver.h"

const struct vm_transport vm_mmio;

enum { SLOT = 2, VECTORS = 3 };

static uint64_t common, notify, isr, device_config, msix;
static unsigned access_at; /* the capability */
static uint32_t gsi;

static uint64_t bar_address(unsigned i)
{
    return (uint64_t)fake_config(SLOT, 0x14 + 4 * i, 4) << 32 | (fake_config(SLOT, 0x10 + 4 * i, 4) & ~0xfu);
}

/* The first of its kind that a driver may use; `skipped` counts those before that it must not. */
static unsigned usable(unsigned kind, unsigned *skipped)
{
    unsigned at = fake_capability(SLOT, 9, 0);

    for (; at != 0; at = fake_capability(SLOT, 9, at)) {
        if (fake_config(SLOT, at + 3, 1) == kind && fake_config(SLOT, at + 4, 1) <= 5) {
            return at;
        }
        *skipped += fake_config(SLOT, at + 3, 1) == kind || fake_config(SLOT, at + 3, 1) > 9;
    }
    return 0;
}

static uint64_t structure_at(unsigned kind, unsigned least)
{
    unsigned skipped = 0;
    unsigned at = usable(kind, &skipped);

    REQUIRE(at != 0);
    CHECK(fake_config(SLOT, at + 2, 1) >= 16);
    CHECK(fake_config(SLOT, at + 12, 4) >= least);
    return bar_address(fake_config(SLOT, at + 4, 1)) + fake_config(SLOT, at + 8, 4);
}

static uint32_t get(size_t field, unsigned size)
{
    return fake_read(common + field, size);
}

static void set(size_t field, unsigned size, uint32_t value)
{
    fake_write(common + field, size, value);
}

static void test_capabilities(void)
{
    unsigned skipped = 0;
    uint32_t where;

    sim_transport = (struct sim_transport){.pci = true, .vectors = UINT32_MAX};
    vm_device_add(&tried);
    CHECK_EQ(fake_config(SLOT, 0, 4), (0x1040u + 18) << 16 | 0x1af4); /* 4.1.2.1 */
    CHECK(fake_config(SLOT, 8, 1) >= 1);
    CHECK(fake_config(SLOT, 0x2e, 2) >= 0x40);
    common = structure_at(1, 0x38);
    notify = structure_at(2, 2);
    isr = structure_at(3, 1);
    device_config = structure_at(4, sizeof tried_config);
    access_at = usable(5, &skipped);
    REQUIRE(access_at != 0);
    skipped = 0;
    (void)usable(1, &skipped);
    CHECK_EQ(skipped, 2); /* a reserved kind and a reserved BAR before it: 4.1.4.1 */
    where = fake_config(SLOT, fake_capability(SLOT, 0x11, 0) + 4, 4);
    msix = (fake_config(SLOT, 0x10 + 4 * (where & 7), 4) & ~0xfu) + (where & ~7u);
    CHECK(plat_pci_gsi(0, SLOT, 1, &gsi));
}

static void test_at_reset(void)
{
    CHECK_EQ(get(AT(status), 1), 0);
    CHECK_EQ(get(AT(queues), 2), QUEUES);
    CHECK_EQ(get(AT(config_vector), 2), NO_VECTOR);
    for (unsigned i = 0; i < QUEUES; i++) {
        set(AT(queue_select), 2, i);
        CHECK_EQ(get(AT(queue_size), 2), QUEUE_SIZE);
        CHECK_EQ(get(AT(queue_vector), 2), NO_VECTOR);
        CHECK_EQ(get(AT(queue_enable), 2), 0);
    }
    set(AT(queue_select), 2, QUEUES); /* 4.1.4.3.1: there is none */
    CHECK_EQ(get(AT(queue_size), 2), 0);
    set(AT(queue_size), 2, 4);
    CHECK_EQ(get(AT(queue_size), 2), 0);
}

static void test_widths(void)
{
    CHECK_PANICS(get(AT(status), 4)); /* 4.1.3.1 */
    CHECK_PANICS(get(AT(queue_size), 1));
    CHECK_PANICS(set(AT(queue_desc), 2, 0));
    CHECK_PANICS(set(AT(device_feature_select), 1, 0));
    CHECK_EQ(fake_read(device_config, 1), 1);
    CHECK_EQ(fake_read(device_config + 2, 2), 0x0403);
    CHECK_EQ(fake_read(device_config + 8, 1), 0); /* beyond it */
    fake_write(device_config, 1, 9);
    CHECK_EQ(fake_read(device_config, 1), 1);
}

static void features_set(uint64_t features)
{
    set(AT(driver_feature_select), 4, 0);
    set(AT(driver_feature), 4, (uint32_t)features);
    set(AT(driver_feature_select), 4, 1);
    set(AT(driver_feature), 4, (uint32_t)(features >> 32));
}

static void test_features(void)
{
    set(AT(device_feature_select), 4, 0);
    CHECK_EQ(get(AT(device_feature), 4), OFFER | 3u << 28);
    set(AT(device_feature_select), 4, 1);
    CHECK_EQ(get(AT(device_feature), 4), 1);
    set(AT(device_feature_select), 4, 2);
    CHECK_EQ(get(AT(device_feature), 4), 0);
    CHECK_PANICS(features_set(OFFER)); /* before DRIVER: 3.1.1 */
    set(AT(status), 1, 3);
    features_set(OFFER | F_VERSION_1 | 1ull << 7);
    CHECK_EQ(get(AT(driver_feature), 4), 1);
    set(AT(status), 1, 11);
    CHECK_EQ(get(AT(status), 1), 3); /* 2.2.2: it has not what was taken */
    features_set(OFFER);
    set(AT(status), 1, 11);
    CHECK_EQ(get(AT(status), 1), 3); /* 6.1: VERSION_1 must be taken */
    features_set(OFFER | F_VERSION_1 | VM_F_EVENT_IDX);
    CHECK_PANICS(set(AT(status), 1, 7)); /* DRIVER_OK before FEATURES_OK */
    set(AT(status), 1, 11);
    CHECK_EQ(get(AT(status), 1), 11);
    CHECK_PANICS(features_set(0));
    CHECK_PANICS(set(AT(status), 1, 3)); /* 2.1.1 */
}

/* --- interrupts: 4.1.5 ------------------------------------------------------------------------------------------------ */

static void msix_set(uint32_t control)
{
    fake_config_set(SLOT, fake_capability(SLOT, 0x11, 0) + 2, 2, control);
}

static void test_vectors(void)
{
    set(AT(config_vector), 2, VECTORS);
    CHECK_EQ(get(AT(config_vector), 2), NO_VECTOR); /* 4.1.5.1.2.1 */
    set(AT(config_vector), 2, 0);
    CHECK_EQ(get(AT(config_vector), 2), 0);
    for (unsigned i = 0; i < QUEUES; i++) {
        set(AT(queue_select), 2, i);
        set(AT(queue_vector), 2, 1 + i);
        CHECK_EQ(get(AT(queue_vector), 2), 1 + i);
    }
    set(AT(queue_vector), 2, 1000);
    CHECK_EQ(get(AT(queue_vector), 2), NO_VECTOR);
    set(AT(queue_vector), 2, 2);
    msix_set(0x8000);
    for (unsigned i = 0; i < VECTORS; i++) {
        fake_write(msix + 16 * i, 4, 0xfee00000);
        fake_write(msix + 16 * i + 8, 4, 0x50 + i);
        fake_write(msix + 16 * i + 12, 4, 0);
    }
}

static void queue_place(unsigned i, uint64_t desc)
{
    set(AT(queue_select), 2, i);
    set(AT(queue_desc), 4, (uint32_t)desc);
    set(AT(queue_desc) + 4, 4, (uint32_t)(desc >> 32));
    set(AT(queue_driver), 4, (uint32_t)queue_part(i, AVAIL_AT));
    set(AT(queue_driver) + 4, 4, (uint32_t)(queue_part(i, AVAIL_AT) >> 32));
    set(AT(queue_device), 4, (uint32_t)queue_part(i, USED_AT));
    set(AT(queue_device) + 4, 4, (uint32_t)(queue_part(i, USED_AT) >> 32));
}

static void test_queue_rules(void)
{
    queue_place(0, queue_part(0, DESC_AT) + 8);
    CHECK_PANICS(set(AT(queue_enable), 2, 1)); /* 2.7: aligned to 16 */
    queue_place(0, queue_part(0, DESC_AT));
    CHECK_EQ(get(AT(queue_desc) + 4, 4), FAKE_MEMORY_BASE >> 32);
    set(AT(queue_size), 2, 6);
    CHECK_PANICS(set(AT(queue_enable), 2, 1)); /* no power of two */
    set(AT(queue_size), 2, 2 * QUEUE_SIZE);
    CHECK_PANICS(set(AT(queue_enable), 2, 1));
    set(AT(queue_size), 2, QUEUE_SIZE);
    CHECK_PANICS(set(AT(queue_enable), 2, 0)); /* 4.1.4.3.2 */
    set(AT(queue_enable), 2, 1);
    CHECK_EQ(get(AT(queue_enable), 2), 1);
    CHECK_PANICS(set(AT(queue_size), 2, 4));
    CHECK_PANICS(set(AT(queue_desc), 4, 0));
    set(AT(queues), 2, 9); /* read only */
    set(AT(queue_notify_off), 2, 9);
    CHECK_EQ(get(AT(queues), 2), QUEUES);
}

static uint64_t ring_at(unsigned i)
{
    unsigned skipped = 0;
    unsigned at = usable(2, &skipped);

    set(AT(queue_select), 2, i);
    return notify + (uint64_t)get(AT(queue_notify_off), 2) * fake_config(SLOT, at + 16, 4);
}

static void test_notify(void)
{
    uint64_t first = ring_at(0);

    CHECK(ring_at(1) != first);
    CHECK_PANICS(fake_write(first, 2, 0)); /* before DRIVER_OK */
    set(AT(status), 1, STATUS_ALL);
    queue_place(1, queue_part(1, DESC_AT));
    CHECK_PANICS(set(AT(queue_enable), 2, 1)); /* after DRIVER_OK */
    fake_write(first, 2, 0);
    CHECK_EQ(device_saw.notified[0], 1);
    CHECK_PANICS(fake_write(first, 2, 1)); /* another queue's number */
    CHECK_PANICS(fake_write(first, 4, 0));
    fake_write(ring_at(1), 2, 1); /* it is not enabled */
    CHECK_EQ(device_saw.notified[1], 0);
    CHECK_EQ(fake_read(first, 2), 0);
}

/* --- queues: 2.7 ------------------------------------------------------------------------------------------------------ */

static bool pop(void)
{
    return vm_pop(&tried, 0, &device_saw.chain);
}

static void test_reaches_memory_as_master_only(void)
{
    desc_set(0, 0, FAKE_MEMORY_BASE + DATA_AT, 16, DESC_NEXT, 3);
    desc_set(0, 3, FAKE_MEMORY_BASE + DATA_AT + 16, 8, DESC_WRITE, 0);
    avail_add(0, 0);
    CHECK(!pop());
    fake_config_set(SLOT, 4, 2, 6);
    CHECK(pop());
    CHECK_EQ(device_saw.chain.out, 1);
    CHECK_EQ(device_saw.chain.in, 1);
    CHECK_EQ(device_saw.chain.out_bytes, 16);
    CHECK(!pop());
}

static void finish(void)
{
    vm_push(&tried, 0, &device_saw.chain, 8);
    vm_signal(&tried, 0);
}

static void test_message_when_used(void)
{
    finish();
    CHECK_EQ(peek(queue_part(0, USED_AT) + 2, 2), 1);
    CHECK_EQ(peek(queue_part(0, USED_AT) + 4, 4), 0);
    CHECK_EQ(peek(queue_part(0, USED_AT) + 8, 4), 8);
    CHECK_EQ(fake.messages, 1);
    CHECK_EQ(fake.message_data, 0x51);
    CHECK_EQ(fake_read(isr, 1), 0);
    used_event_set(0, 5); /* 2.7.7: not before the sixth */
    avail_add(0, 0);
    CHECK(pop());
    finish();
    CHECK_EQ(fake.messages, 1);
    used_event_set(0, 2);
    set(AT(queue_select), 2, 0);
    set(AT(queue_vector), 2, NO_VECTOR);
    avail_add(0, 0);
    CHECK(pop());
    finish();
    CHECK_EQ(fake.messages, 1); /* it wants one, and has no vector */
    vm_config_changed(&tried);
    CHECK_EQ(fake.messages, 2);
    CHECK_EQ(fake.message_data, 0x50);
}

static void test_pin_when_no_messages(void)
{
    msix_set(0);
    used_event_set(0, 3);
    avail_add(0, 0);
    CHECK(pop());
    finish();
    CHECK_EQ(fake.messages, 2);
    CHECK_EQ(fake.pulls[gsi], 1);
    vm_config_changed(&tried);
    CHECK_EQ(fake_read(isr, 1), 3);
    CHECK_EQ(fake.pulls[gsi], 0); /* reading lets go: 4.1.4.5 */
    CHECK_EQ(fake_read(isr, 1), 0);
}

static void test_rings_wrap(void)
{
    for (unsigned i = 4; i < 4 * QUEUE_SIZE; i++) {
        avail_add(0, 0);
        CHECK(pop());
        finish();
        CHECK_EQ(peek(queue_part(0, USED_AT) + 2, 2), i + 1);
        CHECK_EQ(peek(queue_part(0, USED_AT) + 4 + 8 * QUEUE_SIZE + 2, 4), 0); /* what stands behind the ring */
        used_event_set(0, (uint16_t)(i + 1));
    }
    (void)fake_read(isr, 1);
}

static void desc_bad(uint64_t address, uint32_t size, uint16_t flags, uint16_t next)
{
    desc_set(0, 0, address, size, flags, next);
    CHECK_PANICS(pop());
}

static void test_chains_that_are_none(void)
{
    avail_add(0, 0);
    desc_bad(FAKE_MEMORY_BASE - 1, 16, 0, 0); /* not its memory */
    desc_bad(FAKE_MEMORY_BASE + FAKE_MEMORY_BYTES - 8, 16, 0, 0);
    desc_bad(FAKE_MEMORY_BASE, 16, DESC_NEXT, 0); /* a loop */
    desc_set(0, QUEUE_SIZE, FAKE_MEMORY_BASE, 16, 0, 0);
    desc_bad(FAKE_MEMORY_BASE, 16, DESC_NEXT, QUEUE_SIZE); /* out of the table */
    desc_bad(FAKE_MEMORY_BASE, 16, DESC_INDIRECT, 0);      /* was not agreed on */
    desc_bad(FAKE_MEMORY_BASE, 0, 0, 0);
    desc_set(0, 3, FAKE_MEMORY_BASE, 16, 0, 0);
    desc_bad(FAKE_MEMORY_BASE, 16, DESC_NEXT | DESC_WRITE, 3); /* readable behind writable: 2.7.4.2 */
    desc_set(0, 0, FAKE_MEMORY_BASE + DATA_AT, 16, 0, 0);
    poke(queue_part(0, AVAIL_AT) + 2, 2, peek(queue_part(0, AVAIL_AT) + 2, 2) + QUEUE_SIZE + 1);
    CHECK_PANICS(pop()); /* more than there are */
    poke(queue_part(0, AVAIL_AT) + 2, 2, peek(queue_part(0, AVAIL_AT) + 2, 2) - QUEUE_SIZE - 1);
    CHECK(pop());
}

/* --- through configuration space: 4.1.4.9 ----------------------------------------------------------------------------- */

static void access_set(uint8_t bar, uint32_t offset, uint32_t size)
{
    fake_config_set(SLOT, access_at + 4, 1, bar);
    fake_config_set(SLOT, access_at + 8, 4, offset);
    fake_config_set(SLOT, access_at + 12, 4, size);
}

static void test_access_through_configuration_space(void)
{
    uint32_t base = (uint32_t)(common - bar_address(BAR_REGISTERS));

    access_set(BAR_REGISTERS, base + AT(status), 1);
    CHECK_EQ(fake_config(SLOT, access_at + 16, 1), STATUS_ALL);
    access_set(BAR_REGISTERS, base + AT(queue_select), 2);
    fake_config_set(SLOT, access_at + 16, 2, 1);
    CHECK_EQ(get(AT(queue_select), 2), 1);
    fake_config_set(SLOT, 4, 2, 0); /* needs no decoding of memory */
    CHECK_EQ(fake_config(SLOT, access_at + 16, 2), 1);
    fake_config_set(SLOT, 4, 2, 6);
    access_set(7, 0, 4);
    CHECK_PANICS(fake_config(SLOT, access_at + 16, 4));
    access_set(BAR_REGISTERS, 2, 4);
    CHECK_PANICS(fake_config(SLOT, access_at + 16, 4));
    access_set(BAR_REGISTERS, BAR_BYTES, 4);
    CHECK_PANICS(fake_config_set(SLOT, access_at + 16, 4, 0));
    access_set(BAR_REGISTERS, BAR_BYTES + 4, 4);
    CHECK_PANICS(fake_config(SLOT, access_at + 16, 4));
    access_set(BAR_REGISTERS, 0, 3);
    CHECK_PANICS(fake_config(SLOT, access_at + 16, 4));
}

static void test_reset(void)
{
    unsigned resets = device_saw.resets;

    vm_config_changed(&tried); /* the pin is held */
    CHECK_EQ(fake.pulls[gsi], 1);
    set(AT(status), 1, 0);
    CHECK_EQ(device_saw.resets, resets + 1);
    CHECK_EQ(fake.pulls[gsi], 0);
    test_at_reset();
    CHECK(!vm_chain_alive(&tried, &device_saw.chain));
    CHECK(!pop());
    vm_config_changed(&tried);
    CHECK_EQ(fake.pulls[gsi], 0); /* nobody listens */
}

/* Set up anew, the device does not give back what it was lent before. */
static void test_chain_across_reset(void)
{
    set(AT(status), 1, 3);
    features_set(OFFER | F_VERSION_1);
    set(AT(status), 1, 11);
    memset(fake.memory, 0, sizeof fake.memory);
    queue_place(0, queue_part(0, DESC_AT));
    set(AT(queue_enable), 2, 1);
    set(AT(status), 1, STATUS_ALL);
    vm_push(&tried, 0, &device_saw.chain, 8);
    CHECK_EQ(peek(queue_part(0, USED_AT) + 2, 2), 0);
    desc_set(0, 0, FAKE_MEMORY_BASE + DATA_AT, 16, DESC_WRITE, 0);
    avail_add(0, 0);
    CHECK(pop());
    poke(queue_part(0, AVAIL_AT), 2, 1); /* 2.7.10: without the event index, a flag says that nobody wants to know */
    finish();
    CHECK_EQ(peek(queue_part(0, USED_AT) + 2, 2), 1);
    CHECK_EQ(fake_read(isr, 1), 0);
    poke(queue_part(0, AVAIL_AT), 2, 0);
    avail_add(0, 0);
    CHECK(pop());
    vm_unpop(&tried, 0);
    CHECK(pop());
    finish();
    CHECK_EQ(fake_read(isr, 1), 1);
}

int main(void)
{
    RUN(test_capabilities);
    RUN(test_at_reset);
    RUN(test_widths);
    RUN(test_features);
    RUN(test_vectors);
    RUN(test_queue_rules);
    RUN(test_notify);
    RUN(test_reaches_memory_as_master_only);
    RUN(test_message_when_used);
    RUN(test_pin_when_no_messages);
    RUN(test_rings_wrap);
    RUN(test_chains_that_are_none);
    RUN(test_access_through_configuration_space);
    RUN(test_reset);
    RUN(test_chain_across_reset);
    return test_end();
}
