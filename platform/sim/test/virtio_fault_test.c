/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_fault_test.c: devices that do what none may: each lie as the driver reads it, what ends a fault, and who is told.
 */
#include "fake_machine.h"
#include "../models/virtio-mmio/virtio_mmio_model.c"
#include "../models/virtio/virtio_model.c"
#include "../models/virtio/virtio_queue.c"
#include "../models/virtio/virtio_fault.c"
#include "fake_driver.h"

const struct vm_transport vm_pci;

enum { QUEUE = 1, LENT = 16, STATUS = 0x070 };

static uint32_t get(size_t offset)
{
    return fake_read(fake.window[0]->address + offset, 4);
}

static void set(size_t offset, uint32_t value)
{
    fake_write(fake.window[0]->address + offset, 4, value);
}

/* The driver's part of a boot: queue 1 runs, and chains of one descriptor of LENT bytes are the device's. */
static void run_up(unsigned chains)
{
    set(STATUS, 0);
    memset(fake.memory, 0, sizeof fake.memory);
    set(STATUS, STATUS_ACK);
    set(STATUS, 3);
    set(0x024, 1);
    set(0x020, 1); /* VERSION_1 */
    set(STATUS, 11);
    set(0x030, QUEUE);
    set(0x038, QUEUE_SIZE);
    set(0x080, (uint32_t)queue_part(QUEUE, DESC_AT));
    set(0x084, (uint32_t)(queue_part(QUEUE, DESC_AT) >> 32));
    set(0x090, (uint32_t)queue_part(QUEUE, AVAIL_AT));
    set(0x094, (uint32_t)(queue_part(QUEUE, AVAIL_AT) >> 32));
    set(0x0a0, (uint32_t)queue_part(QUEUE, USED_AT));
    set(0x0a4, (uint32_t)(queue_part(QUEUE, USED_AT) >> 32));
    set(0x044, 1);
    set(STATUS, STATUS_ALL);
    for (unsigned i = 0; i < chains; i++) {
        desc_set(QUEUE, i, FAKE_MEMORY_BASE + DATA_AT + 64 * i, LENT, DESC_WRITE, 0);
        avail_add(QUEUE, (uint16_t)i);
    }
}

static uint16_t used_index(void)
{
    return (uint16_t)peek(queue_part(QUEUE, USED_AT) + 2, 2);
}

static uint32_t used_id(unsigned i)
{
    return peek(queue_part(QUEUE, USED_AT) + 4 + 8 * i, 4);
}

static uint32_t used_size(unsigned i)
{
    return peek(queue_part(QUEUE, USED_AT) + 8 + 8 * i, 4);
}

static bool serve(uint32_t written)
{
    if (!vm_pop(&tried, QUEUE, &device_saw.chain)) {
        return false;
    }
    vm_push(&tried, QUEUE, &device_saw.chain, written);
    return true;
}

static void hit(uint32_t fault, uint64_t argument)
{
    tried.fault.hazard.befalls(&tried.fault.hazard, fault, argument);
}

static void lie_told(enum lie kind)
{
    unsigned before = fake.struck[SIM_FAULT_LIE];
    unsigned raised = fake.raised[0];

    run_up(4);
    hit(SIM_FAULT_LIE, kind + 7 * 256ull);
    CHECK_EQ(fake.struck[SIM_FAULT_LIE], before); /* nothing is said yet */
    CHECK(serve(LENT));
    CHECK_EQ(fake.struck[SIM_FAULT_LIE], before + 1);
    CHECK_EQ(fake.raised[0], raised + 1);
    CHECK(!serve(LENT)); /* its last word */
    CHECK_EQ(get(STATUS), STATUS_ALL);
}

static void test_lies(void)
{
    lie_told(LIE_ID_BEYOND);
    CHECK(used_index() == 1 && used_id(0) > QUEUE_SIZE);
    lie_told(LIE_ID_TWICE);
    CHECK(used_index() == 2 && used_id(0) == 0 && used_id(1) == 0 && used_size(1) == LENT);
    lie_told(LIE_LENGTH);
    CHECK(used_index() == 1 && used_id(0) == 0 && used_size(0) > LENT);
    lie_told(LIE_JUMP);
    CHECK(used_index() > QUEUE_SIZE && used_index() < 0x8000);
    lie_told(LIE_BACK);
    CHECK(used_index() > 0x8000);
    lie_told(LIE_EARLY);
    CHECK(used_index() == 1 && used_id(0) == 0 && used_size(0) == LENT);
    hit(SIM_FAULT_OVER, 0);
    CHECK_EQ(get(STATUS), STATUS_ALL | STATUS_NEEDS_RESET); /* if nobody found it out */
    run_up(1);
    CHECK(serve(3) && used_size(0) == 3 && get(STATUS) == STATUS_ALL);
}

static void test_stall(void)
{
    run_up(4);
    hit(SIM_FAULT_STALL, 1u << (QUEUE + 1));
    CHECK(serve(1) && serve(2) && used_index() == 0);
    hit(SIM_FAULT_OVER, 0);
    CHECK(used_index() == 2 && used_id(1) == 1 && used_size(1) == 2);
    CHECK(serve(3) && used_index() == 3);
    hit(SIM_FAULT_STALL, 1 | 1u << (QUEUE + 1));
    CHECK(serve(4));
    hit(SIM_FAULT_OVER, 0);
    CHECK_EQ(used_index(), 3); /* for ever: until it is reset, and then it is forgotten */
    run_up(1);
    CHECK(serve(5) && used_index() == 1 && used_size(0) == 5);
    hit(SIM_FAULT_STALL, 1u << QUEUE); /* another queue's */
    run_up(1);
    CHECK(serve(5) && used_index() == 1);
    CHECK_EQ(fake.struck[SIM_FAULT_STALL], 3);
}

static void test_reset(void)
{
    run_up(4);
    unsigned raised = fake.raised[0];
    hit(SIM_FAULT_RESET, 0);
    CHECK(get(STATUS) == (STATUS_ALL | STATUS_NEEDS_RESET) && fake.raised[0] == raised + 1 && !serve(1));
    run_up(4);
    hit(SIM_FAULT_RESET, 1);
    CHECK(get(STATUS) == 0 && fake.raised[0] == raised + 1 && !serve(1));
    set(0x050, QUEUE);     /* it cannot know */
    hit(SIM_FAULT_LIE, 1); /* one that does not run is not struck */
    run_up(1);
    CHECK(serve(1) && used_id(0) == 0 && used_index() == 1);
}

static void test_gone(void)
{
    run_up(4);
    CHECK(vm_pop(&tried, QUEUE, &device_saw.chain));
    hit(SIM_FAULT_GONE, 0);
    CHECK(get(STATUS) == UINT32_MAX && get(0x000) == UINT32_MAX);
    vm_push(&tried, QUEUE, &device_saw.chain, 1);
    CHECK(!vm_chain_alive(&tried, &device_saw.chain) && !serve(1) && used_index() == 0);
    set(STATUS, 0);
    CHECK_EQ(get(STATUS), UINT32_MAX);
    hit(SIM_FAULT_OVER, 0);
    CHECK_EQ(get(STATUS), UINT32_MAX);
    hit(SIM_FAULT_OVER, 1);
    CHECK_EQ(get(STATUS), 0);
    set(0x050, QUEUE);
    run_up(1);
    CHECK(serve(1) && used_index() == 1);
}

/* Else a disk is struck as something else, and nobody knows that it may fail. */
static void test_known_as(void)
{
    CHECK(known_as(1) == SIM_DEVICE_NET && known_as(2) == SIM_DEVICE_DISK && known_as(4) == SIM_DEVICE_RANDOM);
    CHECK(known_as(8) == SIM_DEVICE_DISK);
}

int main(void)
{
    vm_device_add(&tried);
    CHECK(fake.hazard == &tried.fault.hazard && fake.hazard->device == SIM_DEVICE_RANDOM);
    RUN(test_known_as);
    RUN(test_lies);
    RUN(test_stall);
    RUN(test_reset);
    RUN(test_gone);
    return test_end();
}
