/* SPDX-License-Identifier: MIT OR Apache-2.0
 * nvme_queue.c: one submission queue and its completion queue (NVMe 1.4, 4.1), used by one loop and one controller.
 *
 *  (1) A slot is free, or has an owner and a command that is out. At most size - 1 are out, so the tail never meets the head.
 *  (2) A command's id is its slot's place and a generation that changes with each use: an answer that is repeated, or meant
 *      for a command of before, designates nothing.
 *  (3) What the controller writes is an allegation: each dword of a completion is read once, and checked before it is used.
 *      A lie is ST_PROTO and no assertion. The phase is read first, with acquire: what it vouches for is then whole.
 */
#include "core/assert.h"
#include "nvme.h"

#define PLACE_BITS 10u
#define PLACE_MASK ((1u << PLACE_BITS) - 1)
_Static_assert(NVME_QUEUE_SIZE - 1 <= PLACE_MASK && NVME_ADMIN_SIZE - 1 <= PLACE_MASK, "(2)");

static void queue_check(const struct nvme_queue *q)
{
    ASSERT(q->in_flight < q->size && q->sq_tail < q->size && q->cq_head < q->size);
    ASSERT((q->slot_free == q->size - 1) == (q->in_flight == q->size - 1));
}

/* How far `to` is ahead of `from` in a ring. */
static uint16_t ahead(const struct nvme_queue *q, uint16_t from, uint16_t to)
{
    return (uint16_t)(to >= from ? to - from : q->size - from + to);
}

static uint16_t next_of(const struct nvme_queue *q, uint16_t at)
{
    return (uint16_t)(at + 1 == q->size ? 0 : at + 1);
}

static void slots_chain(struct nvme_queue *q)
{
    for (uint16_t i = 0; i + 1 < q->size; i++) {
        q->slot[i].next = (uint16_t)(i + 1);
    }
    q->slot_free = 0;
}

void nvme_queue_init(struct nvme_queue *q, uint16_t number, uint16_t size, const struct nvme_memory *memory)
{
    ASSERT(size >= 2 && size - 1u <= PLACE_MASK);
    *q = (struct nvme_queue){
        .number = number, .size = size, .sq = memory->sq.cpu, .cq = memory->cq.cpu, .slot = memory->slot};
    q->sq_dma = memory->sq.dev;
    q->cq_dma = memory->cq.dev;
    for (uint16_t i = 0; memory->lists.cpu != NULL && i + 1 < size; i++) {
        q->slot[i].list = (uint64_t *)memory->lists.cpu + i * (memory->list_bytes / sizeof(uint64_t));
        q->slot[i].list_dma.value = memory->lists.dev.value + i * memory->list_bytes;
    }
    nvme_queue_restart(q);
}

void nvme_queue_restart(struct nvme_queue *q)
{
    ASSERT(q->in_flight == 0);
    for (uint16_t i = 0; i < q->size; i++) {
        q->cq[i] = (struct nvme_completion){0}; /* phase 0: nothing was written yet (4.6) */
    }
    slots_chain(q);
    q->sq_tail = q->sq_rung = q->sq_head = q->cq_head = q->cq_rung = 0;
    q->phase = 1;
}

struct nvme_command *nvme_queue_add(struct nvme_queue *q, void *owner, struct nvme_slot **slot)
{
    queue_check(q);
    if (q->slot_free == q->size - 1) {
        return NULL; /* (1) */
    }
    struct nvme_slot *taken = &q->slot[q->slot_free];
    ASSERT(taken->owner == NULL && owner != NULL);
    taken->id = (uint16_t)(((taken->id & ~PLACE_MASK) + (1u << PLACE_BITS)) | q->slot_free); /* (2) */
    taken->owner = owner;
    taken->bytes = 0;
    taken->aborting = false;
    q->slot_free = taken->next;
    q->in_flight++;
    struct nvme_command *command = &q->sq[q->sq_tail];
    *command = (struct nvme_command){.id = taken->id};
    q->sq_tail = next_of(q, q->sq_tail);
    *slot = taken;
    return command;
}

void nvme_queue_ring(struct nvme_queue *q)
{
    if (q->sq_rung == q->sq_tail) {
        return;
    }
    q->sq_rung = q->sq_tail;
    __atomic_thread_fence(__ATOMIC_RELEASE); /* the commands are whole before the controller hears of them */
    mmio_write32(&q->doorbells, q->sq_bell, q->sq_tail);
}

/* The slot that a completion is for; NULL: there is none. (2) */
static struct nvme_slot *slot_of(const struct nvme_queue *q, uint16_t id)
{
    uint16_t place = (uint16_t)(id & PLACE_MASK);

    if (place >= q->size - 1) {
        return NULL;
    }
    struct nvme_slot *slot = &q->slot[place];
    return slot->owner != NULL && slot->id == id ? slot : NULL;
}

/* It can only have fetched what it was told of, and does not go back. */
static bool head_take(struct nvme_queue *q, uint16_t head)
{
    if (head >= q->size || ahead(q, q->sq_head, head) > ahead(q, q->sq_head, q->sq_rung)) {
        return false;
    }
    q->sq_head = head;
    return true;
}

status_t nvme_queue_reap(struct nvme_queue *q, struct nvme_answer *answer)
{
    const struct nvme_completion *entry = &q->cq[q->cq_head];

    queue_check(q);
    uint32_t status = __atomic_load_n(&entry->status, __ATOMIC_ACQUIRE); /* (3) */
    if ((status >> 16 & 1) != q->phase) {
        return ST_AGAIN;
    }
    uint32_t heads = __atomic_load_n(&entry->heads, __ATOMIC_RELAXED);
    struct nvme_slot *slot = slot_of(q, (uint16_t)status);
    if (slot == NULL || heads >> 16 != q->number || !head_take(q, (uint16_t)heads)) {
        return ST_PROTO;
    }
    answer->slot = slot;
    answer->result = __atomic_load_n(&entry->result, __ATOMIC_RELAXED);
    answer->status = (uint16_t)(status >> 17 & 0x7ff); /* type and code, 4.6.1 */
    q->cq_head = next_of(q, q->cq_head);
    q->phase ^= q->cq_head == 0;
    return ST_OK;
}

void nvme_queue_reaped(struct nvme_queue *q)
{
    if (q->cq_rung != q->cq_head) {
        q->cq_rung = q->cq_head;
        mmio_write32(&q->doorbells, q->cq_bell, q->cq_head);
    }
}

void nvme_slot_put(struct nvme_queue *q, struct nvme_slot *slot)
{
    ASSERT(slot->owner != NULL && q->in_flight > 0);
    slot->owner = NULL;
    slot->next = q->slot_free;
    q->slot_free = (uint16_t)(slot - q->slot);
    q->in_flight--;
    queue_check(q);
}
