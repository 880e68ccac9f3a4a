/* SPDX-License-Identifier: MIT OR Apache-2.0
 * endpoint.c: objects that a thread serves: calls meet RECVs, and RETURN answers them.
 *
 *  (1) Of `calls` and `receivers` at least one is empty.
 *  (2) A call is in `calls` until it is received or cancelled; then a slot of the receiving ring has it until RETURN.
 *  (3) A message crosses as one segment. A call with more is refused: whoever serves by thread says so in its schema's
 *      limits. Results are moved by copying the segment behind what stands in the asker's and turning the content pointer
 *      to its new place; pointers within the copied part are relative, and every reader checks them anyway.
 */
#include <string.h>
#include "ring_private.h"

/* Cap'n Proto's encoding: a pointer's low two bits are its kind, the next 30 a signed offset in words from its end. */
#define KIND(pointer) ((pointer)&3u)
#define KIND_FAR 2u
#define KIND_OTHER 3u

static const struct object_ops endpoint_ops;

void endpoint_init(struct endpoint *endpoint)
{
    object_init(&endpoint->object, &endpoint_ops);
    list_init(&endpoint->calls);
    list_init(&endpoint->receivers);
}

static struct endpoint *endpoint_of(struct object *object)
{
    return object->ops == &endpoint_ops ? CONTAINER_OF(object, struct endpoint, object) : NULL;
}

/* --- a call meets a RECV --------------------------------------------------------------------------------------------- */

/* What the caller asked that the receiver's area cannot take. */
static const char *misfit(const struct ring_slot *slot, const struct call *call)
{
    const struct message *message = call->params.message;

    if (message->segment_count != 1) {
        return "its parameters have more segments than one";
    }
    if ((uint64_t)message->segment[0].used + message->cap_count > slot->results_words_max ||
        message->cap_count > RING_CAPS_MAX) {
        return "its parameters are larger than the server takes";
    }
    return NULL;
}

/* Puts the call's message into the receiver's area and tells it. False: the call has failed, the RECV still waits. */
static bool deliver(struct ring_slot *slot, struct call *call) REQUIRES(LOOP)
{
    const struct message *message = call->params.message;
    const char *why = misfit(slot, call);
    struct ring *ring = slot->ring;

    if (why != NULL) {
        call_fail(call, EXCEPTION_FAILED, "%s", why);
        return false;
    }
    uint32_t words = message->segment[0].used;
    memcpy(ring->area + slot->results_offset, message->segment[0].words, (size_t)words * 8);
    status_t s = ring_caps_store(ring, slot->results_offset + words * 8, message->caps, message->cap_count);
    if (s != ST_OK) {
        call_fail_status(call, s, "the server's capability table");
        return false;
    }
    struct endpoint *endpoint = slot->endpoint;
    slot->endpoint = NULL;
    slot->state = SLOT_SERVING;
    slot->served = call;
    call->cancelled = NULL; /* a thread cannot be told; its RETURN ends the call (2) */
    ring_complete(ring, &(struct ring_cqe){.user_data = slot->user_data,
                                           .caps_count = message->cap_count,
                                           .results_words = words,
                                           .more = call->params.word << 16 | call->method_id,
                                           .interface_id = call->interface_id});
    object_put(&endpoint->object);
    return true;
}

static void queued_cancelled(struct call *call)
{
    room_assert_loop();
    list_remove(&call->node);
    call_fail(call, EXCEPTION_FAILED, "cancelled");
}

static void endpoint_call(struct object *self, struct call *call)
{
    room_assert_loop();
    struct endpoint *endpoint = CONTAINER_OF(self, struct endpoint, object);

    if (call->cancel_wanted) { /* passed on after its asker gave up */
        call_fail(call, EXCEPTION_FAILED, "cancelled");
        return;
    }
    struct list *node = list_pop_front(&endpoint->receivers);
    if (node == NULL) {
        call->cancelled = queued_cancelled;
        list_push_back(&endpoint->calls, &call->node);
        return;
    }
    if (!deliver(CONTAINER_OF(node, struct ring_slot, node), call)) {
        list_push_front(&endpoint->receivers, node);
    }
}

static const struct object_ops endpoint_ops = {.call = endpoint_call};

static bool recv_ok(const struct ring *ring, const struct ring_sqe *sqe)
{
    return sqe->flags == 0 && sqe->results_words_max >= 1 && sqe->results_words_max <= MESSAGE_WORDS_MAX &&
           ring_area_ok(ring, sqe->results_offset, (uint64_t)sqe->results_words_max * 8);
}

static status_t recv_begin(struct ring *ring, const struct ring_sqe *sqe) REQUIRES(LOOP)
{
    struct object *object;

    if (!recv_ok(ring, sqe) || ring_slot_find(ring, sqe->user_data, SLOT_SERVING) != NULL ||
        ring_slot_find(ring, sqe->user_data, SLOT_RECV) != NULL) {
        return ST_BADARG;
    }
    status_t s = cap_lookup(ring->config.caps, sqe->cap, CAP_SERVE, &object);
    if (s != ST_OK) {
        return s;
    }
    struct endpoint *endpoint = endpoint_of(object);
    if (endpoint == NULL) {
        return ST_BADARG;
    }
    struct ring_slot *slot = ring_slot_get(ring, sqe, SLOT_RECV);
    if (slot == NULL) {
        return ST_FULL;
    }
    slot->endpoint = endpoint;
    (void)object_get(object);
    for (struct list *node = list_pop_front(&endpoint->calls); node != NULL; node = list_pop_front(&endpoint->calls)) {
        if (deliver(slot, CONTAINER_OF(node, struct call, node))) {
            return ST_OK;
        }
    }
    list_push_back(&endpoint->receivers, &slot->node);
    return ST_OK;
}

void ring_recv(struct ring *ring, const struct ring_sqe *sqe)
{
    status_t s = recv_begin(ring, sqe);

    if (s != ST_OK) {
        ring_complete_status(ring, sqe->user_data, s);
    }
}

void ring_recv_cancel(struct ring_slot *slot)
{
    struct object *object = &slot->endpoint->object;
    struct ring *ring = slot->ring;
    uint64_t user_data = slot->user_data;

    list_remove(&slot->node);
    slot->endpoint = NULL;
    ring_slot_put(slot);
    ring_complete_status(ring, user_data, ST_CLOSED);
    object_put(object);
}

/* --- RETURN ---------------------------------------------------------------------------------------------------------- */

/* The content pointer `root`, which stood before `words - 1` words, for its new place: at `from`, they at `to`. */
static uint64_t root_moved(uint64_t root, uint32_t from, uint32_t to)
{
    if (root == 0 || KIND(root) == KIND_OTHER) {
        return root; /* null and capabilities point nowhere */
    }
    /* Sign-extended 30-bit offset; arithmetic shift of a negative number is what both compilers do. */
    int32_t offset = (int32_t)(uint32_t)root >> 2;
    int64_t moved = (int64_t)offset + to - from - 1;
    return (root & 0xffffffff00000003ull) | (uint64_t)((uint32_t)moved << 2);
}

/* (3) */
static bool results_copy(struct payload target, const uint64_t *source, uint32_t words)
{
    struct message *message = target.message;
    struct message_segment *segment = &message->segment[target.segment];
    uint64_t root;

    memcpy(&root, source, sizeof root);
    if (message->failed || KIND(root) == KIND_FAR || words - 1 > segment->size - segment->used) {
        return false;
    }
    memcpy(segment->words + segment->used, source + 1, (size_t)(words - 1) * 8);
    segment->words[target.word] = root_moved(root, target.word, segment->used);
    segment->used += words - 1;
    return true;
}

/* Whether `count` capabilities may become the message's: none are there (they are numbered from 0), and there is room, or more
 * of it can be had. */
static bool caps_room(struct message *message, uint32_t count)
{
    if (count == 0) {
        return true;
    }
    if (message->cap_count == 0 && count > message->cap_max && message->grow_caps != NULL) {
        (void)message->grow_caps(message); /* how much that gave is asked below */
    }
    return message->cap_count == 0 && count <= message->cap_max;
}

static void return_failure(struct ring *ring, const struct ring_sqe *sqe, struct call *call) REQUIRES(LOOP)
{
    const char *reason = (const char *)ring->area + sqe->params_offset;
    int length = (int)strnlen(reason, (size_t)sqe->params_words * 8);
    enum exception type = sqe->method_id <= EXCEPTION_UNIMPLEMENTED ? (enum exception)sqe->method_id : EXCEPTION_FAILED;

    call_fail(call, type, "%.*s", length, reason);
}

static status_t return_results(struct ring *ring, const struct ring_sqe *sqe, struct call *call) REQUIRES(LOOP)
{
    struct object *caps[RING_CAPS_MAX];
    status_t s = ring_caps_load(ring, sqe, caps);

    if (s != ST_OK) {
        call_fail(call, EXCEPTION_FAILED, "the server returned a capability that it does not have");
        return s;
    }
    struct payload results = call_results(call, sqe->params_words);
    struct message *message = results.message;
    bool fits =
        caps_room(message, sqe->caps_count) &&
        results_copy(results, (const uint64_t *)(const void *)(ring->area + sqe->params_offset), sqe->params_words);
    for (uint32_t i = 0; i < sqe->caps_count; i++) {
        if (fits) {
            message->caps[message->cap_count++] = caps[i];
        } else {
            object_put(caps[i]);
        }
    }
    message->failed = message->failed || !fits; /* becomes `overloaded` */
    call_return(call);
    return ST_OK;
}

void ring_return(struct ring *ring, const struct ring_sqe *sqe)
{
    struct ring_slot *slot = ring_slot_find(ring, sqe->user_data, SLOT_SERVING);
    status_t s = ST_OK;

    if (slot == NULL || (sqe->flags & ~RING_FAILED) != 0) {
        ring_complete_status(ring, sqe->user_data, slot == NULL ? ST_STALE : ST_BADARG);
        return;
    }
    struct call *call = slot->served;
    slot->served = NULL;
    ring_slot_put(slot);
    if ((sqe->flags & RING_FAILED) != 0) {
        return_failure(ring, sqe, call);
    } else {
        s = return_results(ring, sqe, call);
    }
    ring_complete_status(ring, sqe->user_data, s);
}
