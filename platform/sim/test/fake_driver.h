/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fake_driver.h: a virtio device that only counts, and the driver's side of its queues in the fake machine's memory, for tests of
 * registers. Included once, behind fake_machine.h and the models.
 */
#pragma once

enum { QUEUES = 2, QUEUE_SIZE = 8, STATUS_ACK = 1, STATUS_ALL = 15 };
enum { DESC_AT = 0, AVAIL_AT = 0x200, USED_AT = 0x300, QUEUE_BYTES = 0x1000, DATA_AT = 0x4000 };
#define OFFER (1ull << 5)

static struct {
    unsigned notified[QUEUES];
    unsigned resets;
    struct vm_chain chain;
} device_saw;

static void tried_notify(struct vm_device *device, unsigned queue)
{
    (void)device;
    device_saw.notified[queue]++;
}

static void tried_reset(struct vm_device *device)
{
    (void)device;
    device_saw.resets++;
}

static const uint8_t tried_config[6] = {1, 2, 3, 4, 5, 6};
static struct vm_device tried = {.name = "tried",
                                 .type = 18,
                                 .features = OFFER,
                                 .queue_count = QUEUES,
                                 .queue_size = QUEUE_SIZE,
                                 .config = tried_config,
                                 .config_size = sizeof tried_config,
                                 .notify = tried_notify,
                                 .reset = tried_reset};

/* --- the driver's memory ---------------------------------------------------------------------------------------------- */

static uint64_t queue_part(unsigned queue, unsigned part)
{
    return FAKE_MEMORY_BASE + queue * QUEUE_BYTES + part;
}

static void poke(uint64_t address, unsigned size, uint64_t value)
{
    memcpy(fake.memory + (address - FAKE_MEMORY_BASE), &value, size);
}

static uint32_t peek(uint64_t address, unsigned size)
{
    uint32_t value = 0;

    memcpy(&value, fake.memory + (address - FAKE_MEMORY_BASE), size);
    return value;
}

static void desc_set(unsigned queue, unsigned i, uint64_t address, uint32_t size, uint16_t flags, uint16_t next)
{
    uint64_t at = queue_part(queue, DESC_AT) + 16 * i;

    poke(at, 8, address);
    poke(at + 8, 4, size);
    poke(at + 12, 2, flags);
    poke(at + 14, 2, next);
}

/* The chain that begins at descriptor `head` is the device's. */
static void avail_add(unsigned queue, uint16_t head)
{
    uint16_t index = (uint16_t)peek(queue_part(queue, AVAIL_AT) + 2, 2);

    poke(queue_part(queue, AVAIL_AT) + 4 + 2 * (index % QUEUE_SIZE), 2, head);
    poke(queue_part(queue, AVAIL_AT) + 2, 2, (uint16_t)(index + 1));
}

/* Interrupt when the used index passes this one (event index), or not at all (flags, without it). */
static inline void used_event_set(unsigned queue, uint16_t index)
{
    poke(queue_part(queue, AVAIL_AT) + 4 + 2 * QUEUE_SIZE, 2, index);
}
