/* SPDX-License-Identifier: MIT OR Apache-2.0
 * ring.c: the loop's side of a thread's ring: entries in, calls out, completions back (ring.h has the rules).
 *
 *  (1) Every entry taken from the SQ owes one completion (`owed`) until it is posted; CANCEL alone owes none.
 *      owed + completions not taken by the thread <= cq_size, so posting never finds the CQ full.
 *  (2) The loop's own copies of indices, sizes and addresses are the truth. Of what the thread writes, sq_tail and cq_head
 *      are read and checked, and each entry is copied once before it is looked at.
 *  (3) A slot is out of the free list as long as a call is out, a RECV waits or a received call is not returned.
 *  (4) After ring_close nothing is posted; slots come back as their calls return.
 */
#include <string.h>
#include "core/mem.h"
#include "ring_private.h"

#define READ_LIMIT_WORDS (4u * MESSAGE_WORDS_MAX)

struct ring *ring_new(const struct ring_config *config)
{
    struct ring *ring = boot_alloc_named("ring", sizeof *ring, 64);
    const struct ring_shared *shared = config->shared;

    *ring = (struct ring){.config = *config,
                          .shared = config->shared,
                          .sq = shared->sq,
                          .cq = shared->cq,
                          .area = shared->area,
                          .sq_size = shared->sq_size,
                          .cq_size = shared->cq_size,
                          .area_bytes = shared->area_bytes};
    ring->slot = boot_alloc_named("ring", ring->cq_size * sizeof *ring->slot, 64);
    list_init(&ring->free);
    for (uint32_t i = 0; i < ring->cq_size; i++) {
        ring->slot[i].ring = ring;
        list_push_back(&ring->free, &ring->slot[i].node);
    }
    return ring;
}

/* --- completions ----------------------------------------------------------------------------------------------------- */

uint32_t ring_completions(const struct ring *ring)
{
    /* Acquire: the thread has read the entries that it gives back. */
    uint32_t used = ring->cq_tail - __atomic_load_n(&ring->shared->cq_head, __ATOMIC_ACQUIRE);

    return used <= ring->cq_size ? used : UINT32_MAX; /* (2) */
}

void ring_complete(struct ring *ring, const struct ring_cqe *cqe)
{
    ASSERT(ring->owed > 0);
    ring->owed--;
    if (ring->closed) {
        return; /* (4) */
    }
    /* A thread that moved its cq_head backwards meanwhile loses its own completions, nothing else. */
    ring->cq[ring->cq_tail & (ring->cq_size - 1)] = *cqe;
    ring->cq_tail++;
    /* Release: who sees the index sees the entry, the results and all. */
    __atomic_store_n(&ring->shared->cq_tail, ring->cq_tail, __ATOMIC_RELEASE);
    if (!ring->serving) {
        ring->config.completed(ring->config.owner);
    }
}

void ring_complete_status(struct ring *ring, uint64_t user_data, status_t status)
{
    ring_complete(ring, &(struct ring_cqe){.user_data = user_data, .status = status});
}

/* --- slots, area, capabilities --------------------------------------------------------------------------------------- */

struct ring_slot *ring_slot_get(struct ring *ring, const struct ring_sqe *sqe, enum slot_state state)
{
    struct list *node = list_pop_front(&ring->free);

    if (node == NULL) {
        return NULL;
    }
    struct ring_slot *slot = CONTAINER_OF(node, struct ring_slot, node);
    ASSERT(slot->state == SLOT_FREE);
    slot->state = state;
    slot->user_data = sqe->user_data;
    slot->results_offset = sqe->results_offset;
    slot->results_words_max = sqe->results_words_max;
    return slot;
}

void ring_slot_put(struct ring_slot *slot)
{
    ASSERT(slot->state != SLOT_FREE && list_empty(&slot->node));
    slot->state = SLOT_FREE;
    list_push_back(&slot->ring->free, &slot->node);
}

struct ring_slot *ring_slot_find(struct ring *ring, uint64_t user_data, enum slot_state state)
{
    for (uint32_t i = 0; i < ring->cq_size; i++) {
        if (ring->slot[i].state == state && ring->slot[i].user_data == user_data) {
            return &ring->slot[i];
        }
    }
    return NULL;
}

bool ring_area_ok(const struct ring *ring, uint32_t offset, uint64_t bytes)
{
    return offset % 8 == 0 && offset <= ring->area_bytes && bytes <= ring->area_bytes - offset;
}

static void caps_put(struct object **caps, uint32_t count) REQUIRES(LOOP)
{
    for (uint32_t i = 0; i < count; i++) {
        object_put(caps[i]);
        caps[i] = NULL;
    }
}

status_t ring_caps_load(struct ring *ring, const struct ring_sqe *sqe, struct object **caps)
{
    for (uint32_t i = 0; i < sqe->caps_count; i++) {
        cap_t cap;

        memcpy(&cap, ring->area + sqe->caps_offset + i * sizeof cap, sizeof cap);
        caps[i] = NULL;
        if (cap == CAP_NONE) {
            continue;
        }
        status_t s = cap_pass(ring->config.caps, cap, &caps[i]);
        if (s != ST_OK) {
            caps_put(caps, i);
            return s;
        }
        (void)object_get(caps[i]);
    }
    return ST_OK;
}

status_t ring_caps_store(struct ring *ring, uint32_t offset, struct object *const *caps, uint16_t count)
{
    cap_t given[RING_CAPS_MAX];

    ASSERT(count <= RING_CAPS_MAX);
    for (uint16_t i = 0; i < count; i++) {
        given[i] = CAP_NONE;
        status_t s = caps[i] == NULL ? ST_OK : cap_insert(ring->config.caps, caps[i], CAP_ALL, NULL, &given[i]);
        if (s != ST_OK) {
            while (i-- > 0) {
                status_ignore(given[i] == CAP_NONE ? ST_OK : cap_drop(ring->config.caps, given[i]),
                              "inserted a moment ago");
            }
            return s;
        }
    }
    memcpy(ring->area + offset, given, count * sizeof given[0]);
    return ST_OK;
}

/* --- CALL ------------------------------------------------------------------------------------------------------------ */

static struct payload call_results_place(struct call *call, uint32_t words)
{
    struct ring_slot *slot = CONTAINER_OF(call, struct ring_slot, call);
    uint64_t *target = (uint64_t *)(void *)(slot->ring->area + slot->results_offset);

    (void)words;
    target[0] = 0; /* the content pointer; builders zero what they take after it (capnp.h) */
    slot->results_segment = (struct message_segment){.words = target, .used = 1, .size = slot->results_words_max};
    slot->results = (struct message){.segment = &slot->results_segment,
                                     .segment_count = 1,
                                     .segment_max = 1,
                                     .caps = slot->results_caps,
                                     .cap_max = RING_CAPS_MAX};
    return (struct payload){&slot->results, 0, 0};
}

/* Gives back all that the call held and posts its completion. */
static void call_done(struct ring_slot *slot, const struct ring_cqe *cqe) REQUIRES(LOOP)
{
    struct ring *ring = slot->ring;

    caps_put(slot->params_caps, slot->params.cap_count);
    caps_put(slot->results_caps, slot->results.cap_count);
    ring_slot_put(slot);
    ring_complete(ring, cqe);
}

static void call_returned(struct call *call)
{
    room_assert_loop();
    struct ring_slot *slot = CONTAINER_OF(call, struct ring_slot, call);
    uint32_t words = slot->results_segment.used;
    uint16_t caps = slot->results.cap_count;
    struct ring_cqe cqe = {.user_data = slot->user_data, .caps_count = caps, .results_words = words};

    ASSERT(words >= 1 && words <= slot->results_words_max);
    status_t s = slot->results_words_max - words >= caps ? ST_OK : ST_RANGE;
    if (s == ST_OK && caps > 0 && !slot->ring->closed) {
        s = ring_caps_store(slot->ring, slot->results_offset + words * 8, slot->results_caps, caps);
    }
    if (s != ST_OK) {
        cqe = (struct ring_cqe){.user_data = slot->user_data, .status = s};
    }
    call_done(slot, &cqe);
}

static status_t status_of(enum exception type)
{
    static const status_t statuses[] = {ST_IO, ST_AGAIN, ST_CLOSED, ST_UNSUPPORTED};

    return type <= EXCEPTION_UNIMPLEMENTED ? statuses[type] : ST_IO;
}

static void call_failed(struct call *call, enum exception type, const char *reason)
{
    room_assert_loop();
    struct ring_slot *slot = CONTAINER_OF(call, struct ring_slot, call);
    size_t length = strnlen(reason, CALL_REASON_MAX);
    size_t room = (size_t)slot->results_words_max * 8;
    struct ring_cqe cqe = {.user_data = slot->user_data, .status = status_of(type), .exception = (uint16_t)type};

    length = length < room ? length : room;
    memcpy(slot->ring->area + slot->results_offset, reason, length);
    cqe.more = (uint32_t)length;
    call_done(slot, &cqe);
}

static const struct call_source call_source = {call_results_place, call_returned, call_failed};

static bool ranges_meet(uint32_t a, uint64_t a_bytes, uint32_t b, uint64_t b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

/* What all entries with a message have to say right. */
static bool message_ok(const struct ring *ring, const struct ring_sqe *sqe)
{
    return sqe->params_words >= 1 && sqe->params_words <= MESSAGE_WORDS_MAX &&
           ring_area_ok(ring, sqe->params_offset, (uint64_t)sqe->params_words * 8) &&
           sqe->caps_count <= RING_CAPS_MAX &&
           ring_area_ok(ring, sqe->caps_offset, (uint64_t)sqe->caps_count * sizeof(cap_t));
}

static bool call_ok(const struct ring *ring, const struct ring_sqe *sqe)
{
    uint64_t params = (uint64_t)sqe->params_words * 8;
    uint64_t results = (uint64_t)sqe->results_words_max * 8;

    return message_ok(ring, sqe) && sqe->flags == 0 && sqe->results_words_max >= 1 &&
           sqe->results_words_max <= MESSAGE_WORDS_MAX && ring_area_ok(ring, sqe->results_offset, results) &&
           !ranges_meet(sqe->params_offset, params, sqe->results_offset, results);
}

static void slot_call(struct ring_slot *slot, const struct ring_sqe *sqe)
{
    uint64_t *words = (uint64_t *)(void *)(slot->ring->area + sqe->params_offset);

    slot->params_segment =
        (struct message_segment){.words = words, .used = sqe->params_words, .size = sqe->params_words};
    slot->params = (struct message){.segment = &slot->params_segment,
                                    .segment_count = 1,
                                    .segment_max = 1,
                                    .caps = slot->params_caps,
                                    .cap_count = (uint16_t)sqe->caps_count,
                                    .cap_max = RING_CAPS_MAX,
                                    .read_limit_words = READ_LIMIT_WORDS};
    slot->results = (struct message){.caps = slot->results_caps, .cap_max = RING_CAPS_MAX};
    slot->call = (struct call){.interface_id = sqe->interface_id,
                               .method_id = sqe->method_id,
                               .params = {&slot->params, 0, 0},
                               .source = &call_source};
}

/* ST_OK: the completion comes with the return. */
static status_t call_begin(struct ring *ring, const struct ring_sqe *sqe) REQUIRES(LOOP)
{
    struct object *target;

    if (!call_ok(ring, sqe)) {
        return ST_BADARG;
    }
    status_t s = cap_lookup(ring->config.caps, sqe->cap, CAP_CALL, &target);
    if (s != ST_OK) {
        return s;
    }
    struct ring_slot *slot = ring_slot_get(ring, sqe, SLOT_CALL);
    if (slot == NULL) {
        return ST_FULL;
    }
    s = ring_caps_load(ring, sqe, slot->params_caps);
    if (s != ST_OK) {
        ring_slot_put(slot);
        return s;
    }
    slot_call(slot, sqe);
    object_call(target, &slot->call);
    return ST_OK;
}

/* --- entries --------------------------------------------------------------------------------------------------------- */

static void cancel(struct ring *ring, uint64_t user_data) REQUIRES(LOOP)
{
    struct ring_slot *slot = ring_slot_find(ring, user_data, SLOT_CALL);

    ASSERT(ring->owed > 0);
    ring->owed--; /* (1): its own */
    if (slot != NULL) {
        call_cancel(&slot->call);
        return;
    }
    slot = ring_slot_find(ring, user_data, SLOT_RECV);
    if (slot != NULL) {
        ring_recv_cancel(slot);
    }
}

static void dispatch(struct ring *ring, const struct ring_sqe *sqe) REQUIRES(LOOP)
{
    status_t s = ST_BADARG;
    bool reserved_ok = (sqe->reserved[0] | sqe->reserved[1] | sqe->reserved[2]) == 0;

    switch (reserved_ok ? sqe->op : UINT8_MAX) {
    case RING_NOP:
        s = ST_OK;
        break;
    case RING_RELEASE:
        s = cap_drop(ring->config.caps, sqe->cap);
        break;
    case RING_CALL:
        s = call_begin(ring, sqe);
        if (s == ST_OK) {
            return;
        }
        break;
    case RING_RECV:
        ring_recv(ring, sqe);
        return;
    case RING_RETURN:
        if (message_ok(ring, sqe)) {
            ring_return(ring, sqe);
            return;
        }
        break;
    case RING_CANCEL:
        cancel(ring, sqe->user_data);
        return;
    default:
        break;
    }
    ring_complete_status(ring, sqe->user_data, s);
}

/* Takes the next entry if there is one and its completion has a place (1). */
static bool take(struct ring *ring, uint32_t sq_tail, struct ring_sqe *sqe)
{
    uint32_t completions = ring_completions(ring);

    if (sq_tail == ring->sq_head || completions == UINT32_MAX || ring->owed + completions >= ring->cq_size) {
        return false;
    }
    memcpy(sqe, &ring->sq[ring->sq_head & (ring->sq_size - 1)], sizeof *sqe); /* (2): the one copy */
    ring->sq_head++;
    __atomic_store_n(&ring->shared->sq_head, ring->sq_head, __ATOMIC_RELEASE);
    ring->owed++;
    return true;
}

status_t ring_serve(struct ring *ring, unsigned most)
{
    struct ring_sqe sqe;
    /* Acquire: the entries before the index are whole. */
    uint32_t sq_tail = __atomic_load_n(&ring->shared->sq_tail, __ATOMIC_ACQUIRE);

    ASSERT(!ring->closed);
    if (sq_tail - ring->sq_head > ring->sq_size || ring_completions(ring) == UINT32_MAX) {
        return ST_PROTO; /* (2) */
    }
    ring->serving = true;
    bool more = true;
    for (unsigned i = 0; i < most && more; i++) {
        more = take(ring, sq_tail, &sqe);
        if (more) {
            dispatch(ring, &sqe);
        }
    }
    ring->serving = false;
    return more && sq_tail != ring->sq_head ? ST_AGAIN : ST_OK;
}

static void slot_close(struct ring_slot *slot) REQUIRES(LOOP)
{
    switch (slot->state) {
    case SLOT_FREE:
        return;
    case SLOT_CALL:
        call_cancel(&slot->call); /* may return at once, or later (4) */
        return;
    case SLOT_RECV:
        ring_recv_cancel(slot);
        return;
    case SLOT_SERVING: {
        struct call *call = slot->served;
        ring_slot_put(slot);
        call_fail(call, EXCEPTION_DISCONNECTED, "the thread that served the call ended");
        return;
    }
    }
    UNREACHABLE();
}

void ring_close(struct ring *ring)
{
    ring->closed = true;
    for (uint32_t i = 0; i < ring->cq_size; i++) {
        slot_close(&ring->slot[i]);
    }
}
