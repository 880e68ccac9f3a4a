/* SPDX-License-Identifier: MIT OR Apache-2.0
 * nvme_start.c: an NVMe controller at boot: the function, its registers, memory, interrupts.
 */
#define LOG_TAG "nvme"
#include "core/assert.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/mem.h"
#include "nvme.h"

enum { PCI_CLASS_STORAGE = 1, PCI_SUBCLASS_NVM = 8, PCI_INTERFACE_NVME = 2, PCI_REG_INTERFACE = 0x09 }; /* 2.1.5 */
enum { CAP_NVM_COMMANDS = 37, CAP_STRIDE = 32, CAP_PAGE_MIN = 48 };                                     /* 3.1.1 */
#define REQUEST_BYTES_MAX (1u << 20)
#define DISCARD_SECTORS_MAX (1u << 22) /* these are ours, so that no request lasts for ever: one command */
#define ZEROES_SECTORS_MAX (1u << 16)  /* as many commands as for data */
#define LIST_BYTES (NVME_COMMAND_MAX / NVME_PAGE * sizeof(uint64_t))
#define QUEUE_ARENA_BYTES(size, list_bytes)                                                                            \
    (DMA_ARENA_BYTES((size) * sizeof(struct nvme_command)) +                                                           \
     DMA_ARENA_BYTES((size) * sizeof(struct nvme_completion)) + DMA_ARENA_BYTES((size) * (list_bytes)) +               \
     (size) * sizeof(struct nvme_slot))

_Static_assert(NVME_MEMORY_BYTES >= NVME_QUEUES * QUEUE_ARENA_BYTES(NVME_QUEUE_SIZE, LIST_BYTES) +
                                        QUEUE_ARENA_BYTES(NVME_ADMIN_SIZE, 0) + DMA_ARENA_BYTES(NVME_PAGE) +
                                        NVME_DEPTH * sizeof(struct nvme_job),
               "the `memory` line of component.conf says less than is taken");
#define QUEUE_DMA_BYTES(size, list_bytes)                                                                              \
    (DMA_BYTES((size) * sizeof(struct nvme_command)) + DMA_BYTES((size) * sizeof(struct nvme_completion)) +            \
     DMA_BYTES((size) * (list_bytes)))
_Static_assert(NVME_DMA_BYTES >= NVME_QUEUES * QUEUE_DMA_BYTES(NVME_QUEUE_SIZE, LIST_BYTES) +
                                     QUEUE_DMA_BYTES(NVME_ADMIN_SIZE, 0) + DMA_BYTES(NVME_PAGE),
               "the `dma` line says less than is asked for");
_Static_assert(LIST_BYTES >= 16, "a range to discard lies there, too");

static struct pci_function *function_find(const struct pci_bus *bus)
{
    for (unsigned i = 0; i < bus->count; i++) {
        struct pci_function *function = &bus->function[i];
        if (function->grant.state == DEVICE_FREE && function->class_code == PCI_CLASS_STORAGE &&
            function->subclass == PCI_SUBCLASS_NVM && pci_read(function, PCI_REG_INTERFACE, 1) == PCI_INTERFACE_NVME) {
            return function;
        }
    }
    return NULL;
}

static status_t registers_map(struct nvme *nvme) REQUIRES(BOOT)
{
    struct mmio doorbells;

    status_t s = pci_map(nvme->function, 0, 0, NVME_REG_DOORBELLS, &nvme->registers);
    if (s != ST_OK) {
        return s;
    }
    nvme->capabilities = mmio_read64(&nvme->registers, NVME_REG_CAP);
    if ((nvme->capabilities >> CAP_NVM_COMMANDS & 1) == 0 || (nvme->capabilities >> CAP_PAGE_MIN & 15) != 0 ||
        (nvme->capabilities & 0xffff) == 0) {
        return ST_UNSUPPORTED; /* the NVM command set, pages of 4 KiB, queues of two entries (3.1.1) */
    }
    size_t stride = (size_t)4 << (nvme->capabilities >> CAP_STRIDE & 15);
    s = pci_map(nvme->function, 0, NVME_REG_DOORBELLS, 2 * (1 + NVME_QUEUES) * stride, &doorbells);
    for (uint16_t i = 0; s == ST_OK && i <= NVME_QUEUES; i++) {
        nvme->queue[i].doorbells = doorbells;
        nvme->queue[i].sq_bell = 2 * i * stride; /* 3.1.24, 3.1.25 */
        nvme->queue[i].cq_bell = (2 * i + 1u) * stride;
    }
    return s;
}

static status_t queue_make(struct nvme *nvme, uint16_t number, uint16_t size, size_t list_bytes) REQUIRES(BOOT)
{
    struct device_grant *grant = &nvme->function->grant;
    struct nvme_queue *q = &nvme->queue[number];
    struct nvme_queue bells = *q;
    struct nvme_memory memory = {.list_bytes = list_bytes};

    status_t s = dma_alloc(grant, &memory.sq, size * sizeof *q->sq);
    s = s == ST_OK ? dma_alloc(grant, &memory.cq, size * sizeof *q->cq) : s;
    s = s == ST_OK && list_bytes != 0 ? dma_alloc(grant, &memory.lists, size * list_bytes) : s;
    if (s != ST_OK) {
        return s;
    }
    memory.slot = boot_alloc(sizeof *memory.slot * size, _Alignof(struct nvme_slot));
    nvme_queue_init(q, number, size, &memory);
    q->doorbells = bells.doorbells;
    q->sq_bell = bells.sq_bell;
    q->cq_bell = bells.cq_bell;
    return ST_OK;
}

static status_t memory_take(struct nvme *nvme) REQUIRES(BOOT)
{
    uint32_t most = (uint32_t)(nvme->capabilities & 0xffff) + 1; /* CAP.MQES */
    struct dma_memory page = {0};

    status_t s = dma_alloc(&nvme->function->grant, &page, NVME_PAGE);
    nvme->page = page.cpu;
    nvme->page_dma = page.dev;
    if (s == ST_OK) {
        s = queue_make(nvme, 0, NVME_ADMIN_SIZE, 0);
    }
    for (uint16_t i = 1; i <= NVME_QUEUES && s == ST_OK; i++) {
        s = queue_make(nvme, i, (uint16_t)(most < NVME_QUEUE_SIZE ? most : NVME_QUEUE_SIZE), LIST_BYTES);
    }
    nvme_requests_init(nvme);
    nvme_control_init(nvme);
    return s;
}

/* A vector for each queue, or one for all, or the pin. */
static status_t interrupts_open(struct nvme *nvme) REQUIRES(BOOT)
{
    uint16_t wanted = nvme->function->msix_count > NVME_QUEUES ? 1 + NVME_QUEUES : 1;
    status_t s = nvme->function->msix_count != 0 ? ST_OK : ST_UNSUPPORTED;

    while (s == ST_OK && nvme->irq_count < wanted) {
        struct nvme_irq *irq = &nvme->irq[nvme->irq_count];
        irq->queues = 1u << nvme->irq_count;
        s = pci_msix_open(nvme->function, nvme->irq_count, &irq->irq, nvme_interrupt);
        if (s == ST_OK) {
            nvme->irq_count++;
        }
    }
    if (nvme->irq_count != 0 && nvme->irq_count < 1 + NVME_QUEUES) {
        nvme->irq_count = 1; /* the machine or the controller has no more: the first is for all */
        nvme->irq[0].queues = UINT32_MAX;
        s = ST_OK;
    }
    if (s == ST_OK && pci_msix_enable(nvme->function) == ST_OK) {
        return ST_OK;
    }
    nvme->irq_count = 0;
    nvme->irq[0].queues = UINT32_MAX;
    return pci_intx_open(nvme->function, &nvme->irq[0].irq, nvme_interrupt);
}

/* From whatever firmware left to queues that work. */
static status_t bring_up(struct nvme *nvme) REQUIRES(BOOT)
{
    status_t s = ST_AGAIN;

    for (nvme_stop_begin(nvme); s == ST_AGAIN;) {
        s = nvme_stop_step(nvme);
    }
    if (s != ST_OK) {
        return s;
    }
    s = ST_AGAIN;
    for (nvme_start_begin(nvme); s == ST_AGAIN;) {
        s = nvme_start_step(nvme);
    }
    return s;
}

static void disk_fill(struct nvme *nvme)
{
    const struct nvme_identity *identity = &nvme->identity;
    struct blkdev *blkdev = &nvme->blkdev;

    blkdev->name = "disk0";
    blkdev->sectors = identity->blocks << (identity->block_shift - 9);
    blkdev->logical_bytes = 1u << identity->block_shift;
    blkdev->physical_bytes = identity->physical_bytes;
    blkdev->bytes_max = REQUEST_BYTES_MAX;
    blkdev->segments_max = BLKDEV_SEGMENTS_MAX;
    blkdev->depth = NVME_DEPTH;
    blkdev->read_only = identity->read_only;
    blkdev->has_flush = identity->cache;
    blkdev->has_durable = true; /* FUA is part of every write (6.15); without a cache it changes nothing */
    blkdev->discard_sectors_max = identity->discard ? DISCARD_SECTORS_MAX : 0;
    blkdev->discard_sectors = identity->physical_bytes / BLKDEV_SECTOR_BYTES;
    blkdev->zeroes_sectors_max = identity->zeroes ? ZEROES_SECTORS_MAX : 0;
    fmt_text(blkdev->id, sizeof blkdev->id, "%s", identity->serial);
    blkdev->ops = &nvme_ops;
}

static void describe(struct nvme *nvme)
{
    const struct blkdev *blkdev = &nvme->blkdev;

    fmt_text(nvme->note.text, sizeof nvme->note.text, "%s at %s: %llu KiB, id '%s'", blkdev->name, nvme->where,
             (unsigned long long)(blkdev->sectors / 2), blkdev->id);
    log_info("%s, namespace %u, block %u/%u, %u queues of %u, %u vectors, %u KiB a command%s%s%s%s", nvme->note.text,
             nvme->identity.nsid, blkdev->logical_bytes, blkdev->physical_bytes, nvme->queue_count, nvme->queue[1].size,
             nvme->irq_count, nvme->identity.command_bytes / 1024, blkdev->has_flush ? ", flush" : ", write-through",
             blkdev->discard_sectors_max != 0 ? ", discard" : "", blkdev->zeroes_sectors_max != 0 ? ", zeroes" : "",
             blkdev->read_only ? ", read-only" : "");
}

static status_t device_setup(struct nvme *nvme) REQUIRES(BOOT)
{
    pci_enable(nvme->function);
    status_t s = registers_map(nvme);
    if (s != ST_OK) {
        return s;
    }
    s = memory_take(nvme);
    if (s == ST_OK) {
        s = interrupts_open(nvme);
    }
    if (s == ST_OK) {
        s = bring_up(nvme);
    }
    if (s != ST_OK) {
        mmio_write32(&nvme->registers, NVME_REG_CC, 0); /* nothing of ours is looked at again */
        device_silence(&nvme->function->grant);
        return s;
    }
    nvme->identity = nvme->found;
    nvme->state = NVME_RUNNING;
    return ST_OK;
}

void nvme_wire_bus(struct pci_bus *bus) REQUIRES(BOOT);
void nvme_wire_bus(struct pci_bus *bus)
{
    nvme_self.bus = bus;
}

struct blkdev *nvme_provide_disk(void) REQUIRES(BOOT);
struct blkdev *nvme_provide_disk(void)
{
    ASSERT(nvme_self.blkdev.ops != NULL);
    return &nvme_self.blkdev;
}

status_t nvme_start(void) REQUIRES(BOOT);
status_t nvme_start(void)
{
    struct nvme *nvme = &nvme_self;

    nvme->function = function_find(nvme->bus);
    if (nvme->function == NULL) {
        log_err("no NVMe disk: add '-drive if=none,id=disk,file=...,format=raw -device nvme,drive=disk,serial=...' to "
                "QEMU, "
                "or remove drv/nvme from the profile");
        return ST_UNSUPPORTED;
    }
    nvme->where = nvme->function->where;
    device_hold(&nvme->function->grant, nvme_quiesce, nvme);
    nvme->note.driver = "drv/nvme";
    list_init(&nvme->note.node);
    device_note_add(&nvme->note);
    status_t s = device_setup(nvme);
    if (s != ST_OK) {
        log_err("%s: %s", nvme->where, status_name(s));
        fmt_text(nvme->note.text, sizeof nvme->note.text, "given up at %s", nvme->where);
        return s;
    }
    disk_fill(nvme);
    describe(nvme);
    return ST_OK;
}
