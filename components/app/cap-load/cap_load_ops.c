/* SPDX-License-Identifier: MIT OR Apache-2.0
 * cap_load_ops.c: a thread's operations: from the entry that it submits to the completion that it takes.
 *
 *  (1) Each slot has a part of the message area. Its place for results is full of a mark from the completion to the next
 *      operation: whoever writes there meanwhile writes into memory that was given back.
 */
#include <string.h>
#include "cap_load.h"
#define LOG_TAG "cap-load"
#include "core/log.h"

#define PART 1024u /* bytes of the area; at them: */
#define PARAMS 0u
#define CAPS 64u
#define RESULTS 128u
#define RESULT_WORDS 16u
#define ANSWER 512u
#define ANSWER_CAPS 576u
#define MARK 0xa5
#define RIGHTS_SHIFT 8
#define REVOKER_SHIFT 16

static uint32_t part_of(const struct runner *r, const struct slot *slot)
{
    return (uint32_t)(slot - r->slot) * PART;
}

static unsigned char *area_at(const struct runner *r, const struct slot *slot, uint32_t offset)
{
    return (unsigned char *)r->ring->area + part_of(r, slot) + offset;
}

/* --- begin --------------------------------------------------------------------------------------------------------------- */

/* (1) */
static void look_at_mark(const struct runner *r, const struct slot *slot)
{
    const unsigned char *at = area_at(r, slot, RESULTS);

    for (unsigned i = 0; slot->number != 0 && i < RESULT_WORDS * 8; i++) {
        if (at[i] != MARK) {
            log_err("@ fail thread %u: what was given back after operation %lu was written to", r->number,
                    slot->number);
            return;
        }
    }
}

static void submit(struct runner *r, const struct ring_sqe *sqe) REQUIRES(THREAD)
{
    if (!ring_submit(r->ring, sqe)) {
        log_err("@ fail thread %u: its ring takes no entry", r->number);
    }
}

static void slot_take(struct runner *r, struct slot *slot, enum what what, bool ends)
{
    look_at_mark(r, slot);
    *slot = (struct slot){.out = true, .what = what, .ends = ends, .number = ++r->next};
}

static struct ring_sqe call_entry(struct runner *r, struct slot *slot, cap_t cap, unsigned method,
                                  const uint64_t *words)
{
    memcpy(area_at(r, slot, PARAMS), words, WORDS * sizeof *words);
    return (struct ring_sqe){.op = RING_CALL,
                             .cap = cap,
                             .interface_id = INTERFACE,
                             .method_id = (uint16_t)method,
                             .params_offset = part_of(r, slot) + PARAMS,
                             .params_words = WORDS,
                             .results_offset = part_of(r, slot) + RESULTS,
                             .results_words_max = RESULT_WORDS,
                             .caps_offset = part_of(r, slot) + CAPS,
                             .user_data = slot->number};
}

static void begin_call(struct runner *r, struct slot *slot) REQUIRES(THREAD)
{
    static const enum method often[] = {METHOD_ADD,   METHOD_ADD,   METHOD_ADD,  METHOD_LATER,
                                        METHOD_LATER, METHOD_NEVER, METHOD_FAIL, METHOD_GIVE};
    enum method method = often[cap_load_random(r) % 8];
    cap_t cap = cap_load_pick(r->domain, cap_load_random(r));
    cap_t passed = cap_load_random(r) % 3 == 0 ? cap_load_pick(r->domain, cap_load_random(r)) : CAP_NONE;
    uint64_t value = cap_load_random(r) % 2000;

    slot_take(r, slot, WHAT_CALL, method != METHOD_NEVER);
    struct ring_sqe sqe = call_entry(r, slot, cap, method, (const uint64_t[WORDS]){ROOT, value, r->domain, passed, 0});
    memcpy(area_at(r, slot, CAPS), &passed, sizeof passed);
    sqe.caps_count = passed != CAP_NONE ? 1 : 0;
    log_info("@ cap ? %u %lu call %u %lu %u %lu %lu", r->number, slot->number, r->domain, cap, method, value, passed);
    submit(r, &sqe);
}

static void begin_drop(struct runner *r, struct slot *slot, cap_t cap) REQUIRES(THREAD)
{
    slot_take(r, slot, WHAT_DROP, true);
    if (cap_load_random(r) % 4 != 0) { /* one in four is tried again all the same */
        cap_load_forget(r->domain, cap);
    }
    log_info("@ cap ? %u %lu drop %u %lu", r->number, slot->number, r->domain, cap);
    submit(r, &(struct ring_sqe){.op = RING_RELEASE, .cap = cap, .user_data = slot->number});
}

static void ask(struct runner *r, struct slot *slot, enum method method, cap_t cap) REQUIRES(THREAD)
{
    uint64_t rights = cap_load_random(r) % (CAP_ALL + 1);
    uint64_t revoker = cap_load_random(r) % (REVOKERS + 1);
    uint64_t target = cap_load_random(r) % DOMAINS;
    uint64_t more = target | rights << RIGHTS_SHIFT | revoker << REVOKER_SHIFT;

    slot_take(r, slot, WHAT_ASK, true);
    slot->target = (unsigned)target;
    struct ring_sqe sqe =
        call_entry(r, slot, r->broker, method, (const uint64_t[WORDS]){ROOT, r->number, r->domain, cap, more});
    log_info("@ cap ? %u %lu ask", r->number, slot->number);
    submit(r, &sqe);
}

void cap_load_begin(struct runner *r, struct slot *slot)
{
    static const enum method often[] = {METHOD_BORN, METHOD_COPY, METHOD_COPY,   METHOD_COPY,
                                        METHOD_COPY, METHOD_MOVE, METHOD_REVOKE, METHOD_REVOKE};
    unsigned draw = (unsigned)(cap_load_random(r) % 16);
    enum method method = often[cap_load_random(r) % 8];

    if (r->displaced != CAP_NONE) {
        cap_t cap = r->displaced;
        r->displaced = CAP_NONE;
        begin_drop(r, slot, cap);
    } else if (draw < 8) {
        begin_call(r, slot);
    } else if (draw < 10) {
        begin_drop(r, slot, cap_load_pick(r->domain, cap_load_random(r)));
    } else {
        ask(r, slot, method, cap_load_pick(r->domain, cap_load_random(r)));
    }
}

void cap_load_tell_done(struct runner *r, struct slot *slot)
{
    ask(r, slot, METHOD_DONE, CAP_NONE);
}

void cap_load_receive(struct runner *r)
{
    struct slot *slot = &r->slot[SLOTS - 1];

    slot_take(r, slot, WHAT_RECV, false);
    submit(r, &(struct ring_sqe){.op = RING_RECV,
                                 .cap = r->serves,
                                 .results_offset = part_of(r, slot) + RESULTS,
                                 .results_words_max = RESULT_WORDS,
                                 .user_data = slot->number});
}

void cap_load_cancel(struct runner *r, struct slot *slot)
{
    slot->cancelled = true;
    slot->ends = true;
    log_info("@ cap x %u %lu", r->number, slot->number);
    submit(r, &(struct ring_sqe){.op = RING_CANCEL, .user_data = slot->number});
}

/* --- end ----------------------------------------------------------------------------------------------------------------- */

static struct slot *slot_of(struct runner *r, uint64_t number)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        if (r->slot[i].out && r->slot[i].number == number) {
            return &r->slot[i];
        }
    }
    return NULL;
}

static void slot_give(struct runner *r, struct slot *slot)
{
    slot->out = false;
    memset(area_at(r, slot, RESULTS), MARK, RESULT_WORDS * 8); /* (1) */
}

static uint64_t word_at(const struct runner *r, const struct slot *slot, uint32_t word)
{
    uint64_t value;

    memcpy(&value, area_at(r, slot, RESULTS + word * 8), sizeof value);
    return value;
}

static void know(struct runner *r, unsigned domain, cap_t cap)
{
    cap_t displaced = cap_load_know(domain, cap, cap_load_random(r));

    if (domain == r->domain && displaced != CAP_NONE) {
        r->displaced = displaced;
    }
}

/* The content stands behind the pointer, wherever that points to: all of these messages have one struct. */
static uint64_t value_of(const struct runner *r, const struct slot *slot, const struct ring_cqe *cqe)
{
    return cqe->results_words >= WORDS ? word_at(r, slot, VALUE_WORD) : 0;
}

static void call_ended(struct runner *r, struct slot *slot, const struct ring_cqe *cqe)
{
    bool exception = cqe->status != ST_OK && cqe->more > 0;
    uint64_t value = cqe->status == ST_OK ? value_of(r, slot, cqe) : 0;
    cap_t got = cqe->status == ST_OK && cqe->caps_count > 0 ? word_at(r, slot, cqe->results_words) : CAP_NONE;

    log_info("@ cap = %u %lu %d %u %lu %lu", r->number, slot->number, cqe->status, exception, value, got);
    if (slot->what == WHAT_ASK && value != CAP_NONE) {
        know(r, slot->target, value);
    }
    if (got != CAP_NONE) {
        know(r, r->domain, got);
    }
    slot_give(r, slot);
}

static struct ring_sqe failure(struct runner *r, struct slot *slot)
{
    memcpy(area_at(r, slot, ANSWER), "as asked", 8);
    return (struct ring_sqe){.op = RING_RETURN,
                             .flags = RING_FAILED,
                             .method_id = EXCEPTION_FAILED,
                             .params_offset = part_of(r, slot) + ANSWER,
                             .params_words = 1,
                             .user_data = slot->number};
}

/* What the endpoint was passed goes back to the asker when he wants a capability, and is kept otherwise too. */
static struct ring_sqe answer(struct runner *r, struct slot *slot, const struct ring_cqe *cqe, cap_t got)
{
    uint64_t value = word_at(r, slot, (cqe->more >> 16) + VALUE_WORD) * 16 + ENDPOINT_FIRST + r->number;
    bool give = (cqe->more & 0xffff) == METHOD_GIVE && got != CAP_NONE;

    memcpy(area_at(r, slot, ANSWER), (const uint64_t[WORDS]){ROOT, value}, WORDS * 8);
    memcpy(area_at(r, slot, ANSWER_CAPS), &got, sizeof got);
    return (struct ring_sqe){.op = RING_RETURN,
                             .params_offset = part_of(r, slot) + ANSWER,
                             .params_words = WORDS,
                             .caps_offset = part_of(r, slot) + ANSWER_CAPS,
                             .caps_count = give ? 1 : 0,
                             .user_data = slot->number};
}

static void received(struct runner *r, struct slot *slot, const struct ring_cqe *cqe) REQUIRES(THREAD)
{
    uint32_t root = cqe->more >> 16;
    cap_t got = CAP_NONE;

    if (cqe->status != ST_OK) {
        log_err("@ fail thread %u: its endpoint gives no call: %d", r->number, cqe->status);
        slot_give(r, slot);
        return;
    }
    if (cqe->caps_count > 0) {
        got = word_at(r, slot, cqe->results_words);
        log_info("@ cap got %u %u %lu %lu %lu", r->number, r->domain, got, word_at(r, slot, root + DOMAIN_WORD),
                 word_at(r, slot, root + CAP_WORD));
    }
    struct ring_sqe sqe = (cqe->more & 0xffff) == METHOD_FAIL ? failure(r, slot) : answer(r, slot, cqe, got);
    slot->what = WHAT_RETURN;
    slot->ends = true;
    submit(r, &sqe);
    if (got != CAP_NONE) {
        know(r, r->domain, got);
    }
}

static void returned(struct runner *r, struct slot *slot, const struct ring_cqe *cqe)
{
    /* Who was passed something may have lost it again meanwhile: another thread of the domain dropped or moved it. */
    if (cqe->status != ST_OK && cqe->status != ST_STALE && cqe->status != ST_DENIED) {
        log_err("@ fail thread %u: it cannot return a call: %d", r->number, cqe->status);
    }
    slot_give(r, slot);
}

void cap_load_ended(struct runner *r, const struct ring_cqe *cqe)
{
    struct slot *slot = slot_of(r, cqe->user_data);

    if (slot == NULL) {
        log_err("@ fail thread %u: operation %lu completed, and is not under way", r->number, cqe->user_data);
        return;
    }
    if (slot->what == WHAT_RECV) {
        received(r, slot, cqe);
    } else if (slot->what == WHAT_RETURN) {
        returned(r, slot, cqe);
    } else {
        call_ended(r, slot, cqe);
    }
}
