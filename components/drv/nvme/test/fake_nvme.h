/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fake_nvme.h: an NVMe controller made of C, for the driver's tests: registers and admin commands answer by themselves, I/O
 * commands are the test's to take and to answer, with what it likes, true or not. A driver that does what is left undefined
 * fails the test at once. Include once, behind the driver's files.
 */
#pragma once
#include "fake_loop.h"

enum { FAKE_QUEUES = 1 + NVME_QUEUES, FAKE_BELLS = 0x10000 };

struct fake_rings {
    const struct nvme_command *sq;
    struct nvme_completion *cq;
    uint16_t size, sq_head, sq_tail, cq_tail, cq_head;
    unsigned rung;
    bool interrupts;
};

static struct fake {
    struct pci_bus bus;
    struct pci_function function;
    unsigned vectors; /* that the machine has */
    struct irq *irq[FAKE_QUEUES];
    unsigned irq_count;
    bool pin;
    uint64_t cap;
    uint32_t version, cc, csts, aqa;
    uint64_t asq, acq;
    unsigned looks; /* at CSTS until RDY is what CC asks for */
    bool never_ready, never_stops, gone, admin_silent, admin_lies;
    bool wild;                           /* a driver cannot be right with it */
    uint16_t fails_opcode, fails_status; /* an admin command that does */
    uint32_t queue_result;
    uint8_t controller[4096], names[4096], space[4096]; /* what identify gives */
    struct fake_rings rings[FAKE_QUEUES];
    unsigned starts;
    uint32_t names_above;      /* which list was asked for */
    struct nvme_command abort; /* the last */
    unsigned aborts;
} fake;

/* --- admin commands ----------------------------------------------------------------------------------------------------- */

static inline void fake_complete(unsigned index, uint16_t id, uint16_t status, uint32_t result)
{
    struct fake_rings *r = &fake.rings[index];
    uint32_t phase = (r->cq[r->cq_tail].status >> 16 & 1) ^ 1;

    r->cq[r->cq_tail] = (struct nvme_completion){.result = result, .heads = index << 16 | r->sq_head};
    r->cq[r->cq_tail].status = (uint32_t)status << 17 | phase << 16 | id;
    r->cq_tail = (uint16_t)((r->cq_tail + 1) % r->size);
    REQUIRE(r->cq_tail != r->cq_head || fake.wild); /* more answers than there can be */
}

static void fake_queue_make(const struct nvme_command *command, bool sq)
{
    unsigned number = command->word10 & 0xffff;
    struct fake_rings *r = &fake.rings[number];

    REQUIRE(number >= 1 && number < FAKE_QUEUES && (command->word11 & 1) == 1);
    if (sq) {
        REQUIRE(r->cq != NULL && command->word11 >> 16 == number && r->size == (command->word10 >> 16) + 1);
        r->sq = (const struct nvme_command *)(uintptr_t)command->prp1;
        return;
    }
    REQUIRE(r->cq == NULL);
    r->cq = (struct nvme_completion *)(uintptr_t)command->prp1;
    r->size = (uint16_t)((command->word10 >> 16) + 1);
    r->interrupts = (command->word11 & 2) != 0;
}

static uint32_t fake_admin_do(const struct nvme_command *command)
{
    static const uint8_t *const pages[] = {fake.space, fake.controller, fake.names};

    switch (command->opcode) {
    case 0x06:
        REQUIRE(command->word10 <= 2 && (command->prp1 & 4095) == 0);
        fake.names_above = command->word10 == 2 ? command->nsid : fake.names_above;
        memcpy((void *)(uintptr_t)command->prp1, pages[command->word10], 4096);
        return 0;
    case 0x09:
        REQUIRE(command->word10 == 7);
        return fake.queue_result;
    case 0x01:
    case 0x05:
        fake_queue_make(command, command->opcode == 0x01);
        return 0;
    case 0x08:
        fake.aborts++;
        fake.abort = *command;
        return 1; /* not aborted */
    default:
        REQUIRE(false); /* a command that this controller does not know */
        return 0;
    }
}

static void fake_admin(void)
{
    struct fake_rings *r = &fake.rings[0];

    while (r->sq_head != r->sq_tail && !fake.admin_silent) {
        const struct nvme_command *command = &r->sq[r->sq_head];
        r->sq_head = (uint16_t)((r->sq_head + 1) % r->size);
        bool fails = command->opcode == fake.fails_opcode;
        uint32_t result = fails ? 0 : fake_admin_do(command);
        fake_complete(0, (uint16_t)(command->id + fake.admin_lies), fails ? fake.fails_status : 0, result);
    }
}

/* --- registers ---------------------------------------------------------------------------------------------------------- */

static void fake_enable(void)
{
    memset(fake.rings, 0, sizeof fake.rings);
    REQUIRE((fake.aqa & 0xfff) == fake.aqa >> 16 && (fake.asq & 4095) == 0 && (fake.acq & 4095) == 0);
    REQUIRE(fake.cc == (1 | 6 << 16 | 4 << 20));
    fake.rings[0] = (struct fake_rings){.sq = (const struct nvme_command *)(uintptr_t)fake.asq,
                                        .cq = (struct nvme_completion *)(uintptr_t)fake.acq,
                                        .size = (uint16_t)((fake.aqa & 0xfff) + 1)};
    fake.starts++;
}

static void fake_cc(uint32_t value)
{
    bool was = (fake.cc & 1) != 0;

    fake.cc = value;
    if (was == ((value & 1) != 0)) {
        return;
    }
    /* Undefined (3.1.5), but for a controller that has failed or that is given up. */
    REQUIRE((fake.csts & 1) == was || (fake.csts & 2) != 0 || fake.never_ready || test_room == ROOM_BOOT || fake.wild);
    fake.looks = 3;
    if (!was) {
        fake_enable();
    }
}

static uint32_t fake_csts(void)
{
    bool on = (fake.cc & 1) != 0;

    if (fake.looks > 0 && --fake.looks == 0) {
        fake.csts = on ? (fake.csts & ~1u) | !fake.never_ready : fake.never_stops ? 1 : 0;
    }
    return fake.csts;
}

uint32_t mmio_read32(const struct mmio *window, size_t offset)
{
    REQUIRE(window->base == 0 && offset + 4 <= window->size);
    if (fake.gone) {
        return UINT32_MAX;
    }
    switch (offset) {
    case 0x08:
        return fake.version;
    case 0x14:
        return fake.cc;
    case 0x1c:
        return fake_csts();
    default:
        REQUIRE(false); /* it is not for reading */
        return 0;
    }
}

uint64_t mmio_read64(const struct mmio *window, size_t offset)
{
    REQUIRE(window->base == 0 && offset == 0);
    return fake.cap;
}

void mmio_write64(const struct mmio *window, size_t offset, uint64_t value)
{
    REQUIRE(window->base == 0 && (offset == 0x28 || offset == 0x30) && (fake.cc & 1) == 0);
    *(offset == 0x28 ? &fake.asq : &fake.acq) = value;
}

static void fake_ring(size_t offset, uint32_t value)
{
    size_t stride = (size_t)4 << (fake.cap >> 32 & 15);
    struct fake_rings *r = &fake.rings[offset / stride / 2];

    REQUIRE(offset % stride == 0 && offset / stride / 2 < FAKE_QUEUES && value < r->size);
    if (offset / stride % 2 == 1) {
        r->cq_head = (uint16_t)value;
        return;
    }
    r->rung++;
    r->sq_tail = (uint16_t)value;
    if (r == &fake.rings[0]) {
        fake_admin();
    }
}

void mmio_write32(const struct mmio *window, size_t offset, uint32_t value)
{
    REQUIRE(offset + 4 <= window->size);
    if (window->base == FAKE_BELLS) {
        fake_ring(offset, value);
    } else if (offset == 0x24) {
        REQUIRE((fake.cc & 1) == 0);
        fake.aqa = value;
    } else {
        REQUIRE(offset == 0x14);
        fake_cc(value);
    }
}

/* --- the PCI function --------------------------------------------------------------------------------------------------- */

static uint32_t fake_pci_read(const struct pci_function *function, uint16_t offset, unsigned size)
{
    (void)function;
    REQUIRE(offset == 9 && size == 1);
    return 2;
}

static status_t fake_pci_map(struct pci_function *function, unsigned bar, uint64_t offset, uint64_t size,
                             struct mmio *window)
{
    (void)function;
    REQUIRE(bar == 0 && (offset == 0 || offset == 0x1000));
    *window = (struct mmio){.base = offset == 0 ? 0 : FAKE_BELLS, .size = size};
    return ST_OK;
}

static void fake_pci_enable(const struct pci_function *function)
{
    (void)function;
}

static status_t fake_irq(struct irq *irq, void (*handle)(struct irq *irq))
{
    irq->handle = handle;
    REQUIRE(fake.irq_count < FAKE_QUEUES);
    fake.irq[fake.irq_count++] = irq;
    return ST_OK;
}

static status_t fake_pci_msix_open(struct pci_function *function, uint16_t entry, struct irq *irq,
                                   void (*handle)(struct irq *irq))
{
    (void)function;
    REQUIRE(entry == fake.irq_count);
    return fake.irq_count == fake.vectors ? ST_FULL : fake_irq(irq, handle);
}

static status_t fake_pci_msix_enable(struct pci_function *function)
{
    (void)function;
    return ST_OK;
}

static status_t fake_pci_intx_open(struct pci_function *function, struct irq *irq, void (*handle)(struct irq *irq))
{
    (void)function;
    fake.pin = true;
    return fake_irq(irq, handle);
}

static const struct pci_ops fake_pci_ops = {.read = fake_pci_read,
                                            .map = fake_pci_map,
                                            .enable = fake_pci_enable,
                                            .msix_open = fake_pci_msix_open,
                                            .msix_enable = fake_pci_msix_enable,
                                            .intx_open = fake_pci_intx_open};

/* --- for the test ------------------------------------------------------------------------------------------------------- */

/* While boot waits, time passes with each look at the clock. */
uint64_t clock_ns(void)
{
    return test_clock_ns += test_room == ROOM_BOOT ? NS_PER_MS : 0;
}

/* A disk of 1,000 blocks of 512 with a cache, which firmware has just used. */
static inline void fake_begin(void)
{
    memset(&fake, 0, sizeof fake);
    fake_loop_begin();
    fake.bus = (struct pci_bus){.ops = &fake_pci_ops, .function = &fake.function, .count = 1};
    fake.function = (struct pci_function){.owner = &fake.bus, .class_code = 1, .subclass = 8, .msix_count = 9};
    fake_grant_begin(&fake.function.grant);
    strcpy(fake.function.where, "fake");
    fake.vectors = 8;
    fake.cap = 1ull << 37 | 4ull << 24 | 0x7ff; /* two seconds to start or stop */
    fake.version = 0x10400;
    fake.cc = 1;
    fake.csts = 1;
    fake.queue_result = 0x00070007;
    memcpy(fake.controller + 4, "serial 7            ", 20);
    fake.controller[512] = 0x66;
    fake.controller[513] = 0x44;
    fake.controller[520] = 0xc;
    fake.controller[525] = 1;
    fake.names[0] = 1;
    fake.space[0] = 1000 & 0xff;
    fake.space[1] = 1000 >> 8;
    fake.space[130] = 9;
}

/* The next I/O command. False: there is none that was rung for. */
static inline bool fake_pop(unsigned index, struct nvme_command *command)
{
    struct fake_rings *r = &fake.rings[index];

    if (r->sq == NULL || r->sq_head == r->sq_tail || (fake.cc & 1) == 0) {
        return false;
    }
    *command = r->sq[r->sq_head];
    r->sq_head = (uint16_t)((r->sq_head + 1) % r->size);
    return true;
}

static inline void fake_interrupt(unsigned vector)
{
    test_room = ROOM_LOOP;
    fake.irq[vector]->handle(fake.irq[vector]);
}
