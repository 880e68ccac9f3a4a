/* SPDX-License-Identifier: MIT OR Apache-2.0
 * nvme_rings.c: submission and completion queues of the NVMe model (4.1), doorbells (3.1.24), interrupts (7.5).
 *
 *  (1) A completion is written when its queue has room; one entry always stays empty. Until then it is held, in order.
 *  (2) A command is fetched when a work is free for it. What was not fetched stays in the queue.
 */
#include <string.h>
#include "models/nvme/nvme_device.h"

static void *entry(const char *what, uint64_t address, size_t size)
{
    void *at = sim_dma(address, size);

    if (at == NULL) {
        sim_die("nvme: %s at 0x%llx is not the guest's memory", what, (unsigned long long)address);
    }
    return at;
}

/* --- completions ------------------------------------------------------------------------------------------------------ */

static bool is_full(const struct nvme_cq *cq)
{
    return (cq->tail + 1) % cq->size == cq->head;
}

static void post(struct nvme_cq *cq, struct nvme_completion completion)
{
    struct nvme_completion *at = entry("completion queue", cq->address + cq->tail * sizeof *at, sizeof *at);

    completion.status = (uint16_t)(completion.status << 1 | cq->phase);
    memcpy(at, &completion, sizeof completion);
    cq->tail = (cq->tail + 1) % cq->size;
    cq->phase ^= cq->tail == 0;
    cq->told = true;
}

static bool passes(uint16_t status)
{
    return status == STATUS_OK || status == STATUS_QUEUE_DELETION || status >= STATUS_WRITE_FAULT;
}

void nvme_complete(struct nvme_device *nvme, uint16_t sq, uint16_t id, uint16_t status, uint32_t result)
{
    struct nvme_completion completion = {.result = result, .sq_head = (uint16_t)nvme->sq[sq].head, .sq = sq, .id = id};

    completion.status = passes(status) ? status : status | STATUS_DO_NOT_RETRY;
    if (nvme_fault_complete(nvme, &completion)) {
        nvme_post(nvme, nvme->sq[sq].cq, completion);
    }
}

void nvme_post(struct nvme_device *nvme, unsigned number, struct nvme_completion completion)
{
    struct nvme_cq *cq = &nvme->cq[number];

    if (cq->held_count == 0 && !is_full(cq)) {
        post(cq, completion);
    } else if (cq->held_count == NVME_WORKS) {
        nvme_fatal(nvme);
    } else {
        cq->held[cq->held_count++] = completion; /* (1) */
    }
}

static void held_post(struct nvme_cq *cq)
{
    unsigned posted = 0;

    while (posted < cq->held_count && !is_full(cq)) {
        post(cq, cq->held[posted++]);
    }
    cq->held_count -= posted;
    memmove(cq->held, cq->held + posted, cq->held_count * sizeof cq->held[0]);
}

void nvme_pin(struct nvme_device *nvme)
{
    bool pulls = false;

    for (unsigned i = 0; i <= NVME_IO_QUEUES; i++) {
        const struct nvme_cq *cq = &nvme->cq[i];
        pulls = pulls || (cq->size != 0 && cq->interrupts && cq->head != cq->tail && (nvme->masked & 1) == 0);
    }
    sim_pci_pin(&nvme->function, pulls && !nvme->fault.gone);
}

static void interrupts_send(struct nvme_device *nvme)
{
    for (unsigned i = 0; i <= NVME_IO_QUEUES; i++) {
        struct nvme_cq *cq = &nvme->cq[i];
        if (cq->told && cq->interrupts && sim_pci_msix_on(&nvme->function)) {
            sim_pci_message(&nvme->function, cq->vector);
        }
        cq->told = false;
    }
    nvme_pin(nvme);
}

/* --- submissions ------------------------------------------------------------------------------------------------------ */

static void fetch(struct nvme_device *nvme, uint16_t index)
{
    struct nvme_sq *sq = &nvme->sq[index];

    while (nvme_enabled(nvme) && sq->head != sq->tail && nvme->works_out < NVME_WORKS) {
        struct nvme_command command;
        memcpy(&command, entry("submission queue", sq->address + sq->head * sizeof command, sizeof command),
               sizeof command);
        sq->head = (sq->head + 1) % sq->size;
        if ((command.flags & 0xc3) != 0) {
            sim_die("nvme: a fused command, or one with an SGL (4.2)");
        }
        if (index == 0) {
            nvme_admin(nvme, &command);
        } else {
            nvme_io(nvme, index, &command);
        }
    }
}

void nvme_settle(struct nvme_device *nvme)
{
    if (nvme->batch != 0 || !nvme_enabled(nvme)) {
        return;
    }
    nvme->batch++;
    for (uint16_t i = 0; i <= NVME_IO_QUEUES; i++) {
        if (nvme->sq[i].size != 0) {
            fetch(nvme, i); /* (2) */
        }
    }
    nvme->batch--;
    interrupts_send(nvme);
}

static void cq_doorbell(struct nvme_device *nvme, struct nvme_cq *cq, uint32_t value)
{
    uint32_t there = (cq->tail + cq->size - cq->head) % cq->size;
    uint32_t taken = (value + cq->size - cq->head) % cq->size;

    if (value >= cq->size || taken > there) {
        sim_die("nvme: completion queue head %u of %u: there are %u entries (3.1.25)", value, cq->size, there);
    }
    cq->head = value;
    held_post(cq);
    (void)nvme;
}

static void sq_doorbell(struct nvme_sq *sq, uint32_t value)
{
    uint32_t room = (sq->head + sq->size - sq->tail - 1) % sq->size;
    uint32_t added = (value + sq->size - sq->tail) % sq->size;

    if (value >= sq->size || added > room) {
        sim_die("nvme: submission queue tail %u of %u: there is room for %u (3.1.24)", value, sq->size, room);
    }
    sq->tail = value;
}

void nvme_doorbell(struct nvme_device *nvme, size_t index, uint32_t value)
{
    size_t queue = index / 2;
    bool completions = index % 2 == 1;
    uint32_t size = queue > NVME_IO_QUEUES ? 0 : completions ? nvme->cq[queue].size : nvme->sq[queue].size;

    if ((nvme->csts & CSTS_CFS) != 0 || nvme->fault.forgot) {
        return; /* its driver cannot know yet */
    }
    if (!nvme_enabled(nvme) || size == 0) {
        sim_die("nvme: a doorbell of queue %zu, which is not there (3.1.24)", queue);
    }
    if (!sim_pci_master(&nvme->function)) {
        nvme_fatal(nvme); /* it cannot fetch */
        return;
    }
    if (completions) {
        cq_doorbell(nvme, &nvme->cq[queue], value);
    } else {
        sq_doorbell(&nvme->sq[queue], value);
    }
    nvme_settle(nvme);
}
