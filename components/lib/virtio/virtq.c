/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtq.c: one split virtqueue, used by one loop and one device.
 *
 * Invariants (1) to (3) hold on entry to and exit from every function here. virtq_check() asserts what it can in constant
 * time; (3) is asserted where a token changes hands.
 *
 *  (1) free_count + lent_count == size. A descriptor is on the free list or in a lent chain, never both.
 *  (2) avail_next - used_seen == in_flight, as 16-bit numbers. Both run freely and wrap at 65536; only ring positions are
 *      masked. Masking the counters themselves would make a full queue look empty.
 *  (3) slot[i].token != NULL exactly when i is the head of a lent chain.
 *  (4) Memory the device can write (the used ring; in truth all of it) is an allegation. It is read once into a local,
 *      checked against (2) and (3), and only then used. A lie is ST_PROTO, not an assertion: the device is a peer, and a
 *      peer may not stop us. Chains are followed through slot[], which no device can reach, never through desc[].
 */
#include "lib/virtio/virtq.h"
#include <string.h>
#include "core/assert.h"

enum {
    RING_FLAGS = 0,
    RING_INDEX = 1,
    RING_ENTRIES = 2
}; /* 16-bit words of avail and used: virtio 1.2, 2.7.6 and 2.7.8 */
enum { AVAIL_NO_INTERRUPT = 1, USED_NO_NOTIFY = 1 };

static inline void virtq_check(const struct virtq *q)
{
    ASSERT(q->size != 0 && q->size <= VIRTQ_SIZE_MAX && (q->size & (q->size - 1)) == 0);
    ASSERT(q->free_count + q->lent_count == q->size);
    ASSERT(q->in_flight <= q->lent_count);
    ASSERT((uint16_t)(q->avail_next - q->used_seen) == q->in_flight);
}

size_t virtq_avail_offset(uint16_t size)
{
    return sizeof(struct virtq_desc) * size;
}

size_t virtq_used_offset(uint16_t size)
{
    size_t end = virtq_avail_offset(size) + sizeof(uint16_t) * (RING_ENTRIES + size + 1u);

    return (end + 3) & ~(size_t)3; /* the used ring is 4-aligned: virtio 1.2, 2.7 */
}

size_t virtq_bytes(uint16_t size)
{
    return virtq_used_offset(size) + sizeof(uint16_t) * RING_ENTRIES + sizeof(struct virtq_used) * size +
           sizeof(uint16_t);
}

static uint16_t mask_of(const struct virtq *q)
{
    return (uint16_t)(q->size - 1);
}

static uint16_t *used_event_of(struct virtq *q)
{
    return &q->avail[RING_ENTRIES + q->size];
}

static const uint16_t *avail_event_of(const struct virtq *q)
{
    return &q->used[RING_ENTRIES + 4u * q->size]; /* an entry is four 16-bit words */
}

static uint16_t used_index(const struct virtq *q)
{
    /* Acquire: pairs with the device's release, so the entries below the index are whole. */
    return __atomic_load_n(&q->used[RING_INDEX], __ATOMIC_ACQUIRE);
}

void virtq_init(struct virtq *q, uint16_t size, bool event_idx, struct dma_memory memory, struct virtq_slot *slots)
{
    char *base = memory.cpu;

    ASSERT(size != 0 && size <= VIRTQ_SIZE_MAX && (size & (size - 1)) == 0);
    ASSERT(memory.size >= virtq_bytes(size) && ((uintptr_t)base & 15) == 0);
    *q = (struct virtq){
        .desc = (struct virtq_desc *)(void *)base,
        .avail = (uint16_t *)(void *)(base + virtq_avail_offset(size)),
        .used = (uint16_t *)(void *)(base + virtq_used_offset(size)),
        .slot = slots,
        .memory = memory,
        .size = size,
        .event_idx = event_idx,
        .free_count = size,
    };
    for (uint16_t i = 0; i < size; i++) {
        slots[i] = (struct virtq_slot){.next = (uint16_t)(i + 1)};
    }
    virtq_check(q);
}

void virtq_empty(struct virtq *q)
{
    ASSERT(q->in_flight == 0 && q->free_count == q->size);
    memset(q->memory.cpu, 0, virtq_bytes(q->size));
    bool counts_all = q->counts_all;
    virtq_init(q, q->size, q->event_idx, q->memory, q->slot);
    q->counts_all = counts_all;
}

/* The descriptor of a segment, and `next` behind it. Adds to `lent` what the device may say that it wrote. */
static struct virtq_desc desc_of(const struct virtq *q, const struct virtq_segment *segment, bool write, bool last,
                                 uint16_t next, uint32_t *lent)
{
    ASSERT(segment->size != 0 && segment->size <= UINT32_MAX - *lent);
    *lent += write || q->counts_all ? segment->size : 0;
    return (struct virtq_desc){
        .address = segment->address.value,
        .size = segment->size,
        .flags = (uint16_t)((last ? 0 : VIRTQ_DESC_NEXT) | (write ? VIRTQ_DESC_WRITE : 0)),
        .next = last ? 0 : next,
    };
}

/* Writes the chain into descriptors off the free list. */
static void chain_write(struct virtq *q, const struct virtq_segment *segment, uint16_t readable, uint16_t count)
{
    uint16_t at = q->free_head;
    struct virtq_slot *head = &q->slot[at];
    uint32_t lent = 0;

    for (uint16_t i = 0; i < count; i++) {
        ASSERT(at < q->size && q->slot[at].token == NULL);
        uint16_t next = q->slot[at].next;
        q->desc[at] = desc_of(q, &segment[i], i >= readable, i + 1 == count, next, &lent);
        head->last = at;
        at = next;
    }
    q->free_head = at;
    head->lent = lent;
    head->count = count;
}

/* The chain into a table, which one descriptor off the free list names. */
static void table_write(struct virtq *q, const struct virtq_table *table, const struct virtq_segment *segment,
                        uint16_t readable, uint16_t count)
{
    uint16_t at = q->free_head;
    struct virtq_slot *head = &q->slot[at];
    uint32_t lent = 0;

    ASSERT(at < q->size && head->token == NULL);
    for (uint16_t i = 0; i < count; i++) {
        table->desc[i] = desc_of(q, &segment[i], i >= readable, i + 1 == count, (uint16_t)(i + 1), &lent);
    }
    q->desc[at] = (struct virtq_desc){.address = table->address.value,
                                      .size = count * (uint32_t)sizeof(struct virtq_desc),
                                      .flags = VIRTQ_DESC_INDIRECT};
    q->free_head = head->next;
    head->lent = lent;
    head->last = at;
    head->count = 1;
}

/* The device has the chain that begins at `head` from here on. */
static void chain_lend(struct virtq *q, uint16_t head, void *token)
{
    q->slot[head].token = token;
    q->free_count = (uint16_t)(q->free_count - q->slot[head].count);
    q->lent_count = (uint16_t)(q->lent_count + q->slot[head].count);
    q->in_flight++;
    q->avail[RING_ENTRIES + (q->avail_next & mask_of(q))] = head;
    q->avail_next++;
    /* Release: the device must not see the new index before the head and the descriptors that it points at. */
    __atomic_store_n(&q->avail[RING_INDEX], q->avail_next, __ATOMIC_RELEASE);
    virtq_check(q);
}

static status_t room_check(const struct virtq *q, uint32_t descriptors)
{
    return q->broken ? ST_CLOSED : descriptors > q->free_count ? ST_FULL : ST_OK;
}

status_t virtq_submit(struct virtq *q, const struct virtq_segment *segment, uint16_t readable, uint16_t writable,
                      void *token)
{
    uint32_t count = (uint32_t)readable + writable;
    uint16_t head = q->free_head;

    virtq_check(q);
    ASSERT(token != NULL && count != 0 && count <= VIRTQ_CHAIN_MAX);
    status_t s = room_check(q, count);
    if (s == ST_OK) {
        chain_write(q, segment, readable, (uint16_t)count);
        chain_lend(q, head, token);
    }
    return s;
}

status_t virtq_submit_indirect(struct virtq *q, const struct virtq_table *table, const struct virtq_segment *segment,
                               uint16_t readable, uint16_t writable, void *token)
{
    uint32_t count = (uint32_t)readable + writable;
    uint16_t head = q->free_head;

    virtq_check(q);
    ASSERT(token != NULL && count != 0 && count <= VIRTQ_CHAIN_MAX);
    ASSERT(count <= q->size); /* 2.7.5.3.1: no longer than the queue */
    status_t s = room_check(q, 1);
    if (s == ST_OK) {
        table_write(q, table, segment, readable, (uint16_t)count);
        chain_lend(q, head, token);
    }
    return s;
}

bool virtq_kick_wanted(struct virtq *q)
{
    uint16_t old = q->avail_rung;
    uint16_t now = q->avail_next;

    if (old == now) {
        return false;
    }
    q->avail_rung = now;
    /* Full barrier: the index must be visible before the device's wish is read. Else it may go to sleep between our
     * reading "awake" and its reading the index, and the kick is lost (virtio 1.2, 2.7.13.4.1). */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!q->event_idx) {
        return (__atomic_load_n(&q->used[RING_FLAGS], __ATOMIC_RELAXED) & USED_NO_NOTIFY) == 0;
    }
    uint16_t event = __atomic_load_n(avail_event_of(q), __ATOMIC_RELAXED);
    /* Did the index pass `event` in this batch? virtio 1.2, 2.7.10.1 */
    return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

/* Back to the free list, tail first, so that a chain's order survives and caches stay warm. */
static void chain_free(struct virtq *q, uint16_t head)
{
    struct virtq_slot *slot = &q->slot[head];

    ASSERT(slot->token != NULL && slot->count <= q->lent_count);
    slot->token = NULL;
    q->slot[slot->last].next = q->free_head;
    q->free_head = head;
    q->free_count = (uint16_t)(q->free_count + slot->count);
    q->lent_count = (uint16_t)(q->lent_count - slot->count);
    q->in_flight--;
}

static status_t lie(struct virtq *q)
{
    q->broken = true;
    return ST_PROTO;
}

status_t virtq_reap(struct virtq *q, void **token, uint32_t *written)
{
    virtq_check(q);
    if (q->broken) {
        return ST_PROTO;
    }
    uint16_t pending = (uint16_t)(used_index(q) - q->used_seen);
    if (pending == 0) {
        return ST_AGAIN;
    }
    if (pending > q->in_flight) {
        return lie(q); /* (4): it claims to have finished more than it was given. */
    }
    /* Atomic loads, so that what is checked is what is used: from a plain struct copy the compiler may read the ring again
     * after the check, and the device may have changed it. */
    const struct virtq_used *entries = (const struct virtq_used *)(const void *)&q->used[RING_ENTRIES];
    const struct virtq_used *entry = &entries[q->used_seen & mask_of(q)];
    uint32_t id = __atomic_load_n(&entry->id, __ATOMIC_RELAXED);
    uint32_t size = __atomic_load_n(&entry->size, __ATOMIC_RELAXED);
    if (id >= q->size || q->slot[id].token == NULL) {
        return lie(q); /* (4): not a chain that it holds. */
    }
    uint32_t lent = q->slot[id].lent;
    if (lent != 0 && size > lent) {
        return lie(q); /* (4): it wrote, it says, past what it was lent. */
    }
    *token = q->slot[id].token;
    *written = lent == 0 ? 0 : size;
    chain_free(q, (uint16_t)id);
    q->used_seen++;
    virtq_check(q);
    return ST_OK;
}

void virtq_interrupts_off(struct virtq *q)
{
    if (q->event_idx) {
        /* The farthest index: none is due before the ring went round. */
        __atomic_store_n(used_event_of(q), (uint16_t)(q->used_seen - 1), __ATOMIC_RELAXED);
        return;
    }
    __atomic_store_n(&q->avail[RING_FLAGS], AVAIL_NO_INTERRUPT, __ATOMIC_RELAXED);
}

bool virtq_interrupts_on(struct virtq *q)
{
    if (q->event_idx) {
        __atomic_store_n(used_event_of(q), q->used_seen, __ATOMIC_RELAXED);
    } else {
        __atomic_store_n(&q->avail[RING_FLAGS], 0, __ATOMIC_RELAXED);
    }
    /* Full barrier: our wish must be visible before the index is read again. Else a chain that finished in between was
     * seen by neither side (virtio 1.2, 2.7.14). */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return used_index(q) == q->used_seen;
}

void *virtq_reclaim(struct virtq *q)
{
    q->broken = true; /* From here on nothing that the device says counts. */
    for (uint16_t i = 0; i < q->size && q->in_flight > 0; i++) {
        void *token = q->slot[i].token;
        if (token != NULL) {
            chain_free(q, i);
            q->used_seen++;
            virtq_check(q);
            return token;
        }
    }
    ASSERT(q->in_flight == 0 && q->free_count == q->size);
    return NULL;
}
