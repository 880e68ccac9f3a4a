/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_mmio_test.c: a virtio device behind an MMIO window at its registers, against virtio 1.2, 4.2. What it shares with one on
 * PCI is tried in virtio_pci_test.c.
 */
#include "fake_machine.h"
#include "../models/virtio-mmio/virtio_mmio_model.c"
#include "../models/virtio/virtio_model.c"
#include "../models/virtio/virtio_queue.c"
#include "../models/virtio/virtio_fault.c"
#include "fake_driver.h"

const struct vm_transport vm_pci;

enum { GSI = 0 };

static uint32_t get(size_t offset)
{
    return fake_read(fake.window[0]->address + offset, 4);
}

static void set(size_t offset, uint32_t value)
{
    fake_write(fake.window[0]->address + offset, 4, value);
}

static void test_identity(void)
{
    vm_device_add(&tried);
    CHECK_EQ(get(0x000), 0x74726976);
    CHECK_EQ(get(0x004), 2);
    CHECK_EQ(get(0x008), 18);
    CHECK_EQ(get(0x070), 0);
    CHECK_EQ(get(0x0b0), UINT32_MAX); /* no shared memory: 4.2.2.1 */
    CHECK_EQ(get(0x0b4), UINT32_MAX);
    CHECK_EQ(get(0x014), 0); /* write only */
    CHECK_EQ(fake_read(fake.window[0]->address + 0x102, 2), 0x0403);
    CHECK_EQ(fake_read(fake.window[0]->address + 0x106, 1), 0);
    fake_write(fake.window[0]->address + 0x100, 1, 9);
    CHECK_EQ(fake_read(fake.window[0]->address + 0x100, 1), 1);
}

static void test_widths(void)
{
    CHECK_PANICS(fake_read(fake.window[0]->address + 0x070, 1)); /* 4.2.2.2 */
    CHECK_PANICS(fake_write(fake.window[0]->address + 0x050, 2, 0));
}

static void features_take(uint64_t features)
{
    set(0x024, 0);
    set(0x020, (uint32_t)features);
    set(0x024, 1);
    set(0x020, (uint32_t)(features >> 32));
    set(0x024, 2);
    set(0x020, 0);
}

static void test_set_up(void)
{
    set(0x014, 1);
    CHECK_EQ(get(0x010), 1); /* VERSION_1 */
    set(0x014, 7);
    CHECK_EQ(get(0x010), 0);
    CHECK_PANICS(features_take(OFFER));
    set(0x070, 3);
    set(0x024, 2);
    CHECK_PANICS(set(0x020, 1)); /* bits beyond 63 */
}

static void queue_set_up(unsigned i)
{
    set(0x030, i);
    CHECK_EQ(get(0x034), QUEUE_SIZE);
    CHECK_EQ(get(0x044), 0);
    set(0x080, (uint32_t)queue_part(i, DESC_AT));
    set(0x084, (uint32_t)(queue_part(i, DESC_AT) >> 32));
    set(0x090, (uint32_t)queue_part(i, AVAIL_AT));
    set(0x094, (uint32_t)(queue_part(i, AVAIL_AT) >> 32));
    set(0x0a0, (uint32_t)queue_part(i, USED_AT));
    set(0x0a4, (uint32_t)(queue_part(i, USED_AT) >> 32));
}

static void test_queues(void)
{
    features_take(OFFER | F_VERSION_1);
    set(0x070, 11);
    CHECK_EQ(get(0x070), 11);
    set(0x030, QUEUES);
    CHECK_EQ(get(0x034), 0);
    set(0x044, 1); /* there is none */
    CHECK_EQ(get(0x044), 0);
    queue_set_up(0);
    CHECK_PANICS(set(0x044, 1)); /* its size was never said */
    set(0x038, QUEUE_SIZE);
    set(0x044, 1);
    CHECK_EQ(get(0x044), 1);
    CHECK_PANICS(set(0x038, 4)); /* 4.2.2.2 */
    CHECK_PANICS(set(0x0a0, 0));
    set(0x044, 0);
    set(0x038, 4);
    set(0x044, 1);
    queue_set_up(1);
    set(0x038, QUEUE_SIZE);
    set(0x044, 1);
    CHECK_PANICS(set(0x050, 0)); /* before DRIVER_OK */
    set(0x070, STATUS_ALL);
    set(0x050, 1);
    set(0x050, QUEUES);
    CHECK_EQ(device_saw.notified[1], 1);
    CHECK_EQ(device_saw.notified[0], 0);
}

static void test_interrupt(void)
{
    desc_set(1, 2, FAKE_MEMORY_BASE + DATA_AT, 16, DESC_WRITE, 0);
    avail_add(1, 2);
    CHECK(vm_pop(&tried, 1, &device_saw.chain));
    vm_push(&tried, 1, &device_saw.chain, 4);
    CHECK_EQ(fake.raised[GSI], 0);
    vm_signal(&tried, 1);
    CHECK_EQ(fake.raised[GSI], 1);
    CHECK_EQ(get(0x060), 1);
    uint32_t generation = get(0x0fc);
    vm_config_changed(&tried);
    CHECK_EQ(fake.raised[GSI], 2);
    CHECK_EQ(get(0x060), 3);
    CHECK_EQ(get(0x060), 3); /* reading is not acknowledging */
    CHECK(get(0x0fc) != generation);
    set(0x064, 1);
    CHECK_EQ(get(0x060), 2);
    vm_signal(&tried, 1); /* nothing new */
    CHECK_EQ(fake.raised[GSI], 2);
}

static void test_bytes(void)
{
    static const uint8_t text[12] = "hello, queue";
    uint8_t back[12] = {0};

    desc_set(1, 0, FAKE_MEMORY_BASE + DATA_AT, 5, DESC_NEXT, 1);
    desc_set(1, 1, FAKE_MEMORY_BASE + DATA_AT + 0x100, 7, DESC_NEXT, 2);
    desc_set(1, 2, FAKE_MEMORY_BASE + DATA_AT + 0x200, 3, DESC_NEXT | DESC_WRITE, 3);
    desc_set(1, 3, FAKE_MEMORY_BASE + DATA_AT + 0x300, 20, DESC_WRITE, 0);
    memcpy(fake.memory + DATA_AT, text, 5);
    memcpy(fake.memory + DATA_AT + 0x100, text + 5, 7);
    avail_add(1, 0);
    CHECK(vm_pop(&tried, 1, &device_saw.chain));
    CHECK_EQ(vm_chain_read(&device_saw.chain, 0, back, sizeof back), 12);
    CHECK_BYTES(back, text, 12);
    CHECK_EQ(vm_chain_read(&device_saw.chain, 6, back, sizeof back), 6);
    CHECK_BYTES(back, text + 6, 6);
    CHECK_EQ(vm_chain_read(&device_saw.chain, 12, back, 1), 0);
    CHECK_EQ(vm_chain_write(&device_saw.chain, 1, text, 12), 12);
    CHECK_BYTES(fake.memory + DATA_AT + 0x201, text, 2);
    CHECK_BYTES(fake.memory + DATA_AT + 0x300, text + 2, 10);
    CHECK_EQ(vm_chain_write(&device_saw.chain, 20, text, 12), 3);
}

static void test_reset(void)
{
    set(0x070, 0);
    CHECK_EQ(get(0x070), 0);
    CHECK_EQ(get(0x060), 0);
    set(0x030, 1);
    CHECK_EQ(get(0x044), 0);
    CHECK_EQ(device_saw.resets, 2); /* one before the driver came */
}

int main(void)
{
    RUN(test_identity);
    RUN(test_widths);
    RUN(test_set_up);
    RUN(test_queues);
    RUN(test_interrupt);
    RUN(test_bytes);
    RUN(test_reset);
    return test_end();
}
