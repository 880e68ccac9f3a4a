/* SPDX-License-Identifier: MIT OR Apache-2.0
 * cap_load_thread.c: a thread: begins operations, waits with and without patience, takes what has completed.
 */
#include "cap_load.h"
#define LOG_TAG "cap-load"
#include "core/log.h"

#define FOREVER UINT64_MAX
#define PATIENCE_NS (3 * NS_PER_MS)

/* splitmix64 (Steele, Lea, Flood 2014) */
uint64_t cap_load_random(struct runner *r)
{
    uint64_t z = r->random += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static struct slot *slot_free(struct runner *r)
{
    unsigned count = r->serves != CAP_NONE ? SLOTS - 1 : SLOTS;

    for (unsigned i = 0; i < count; i++) {
        if (!r->slot[i].out) {
            return &r->slot[i];
        }
    }
    return NULL;
}

static unsigned slots_out(const struct runner *r)
{
    unsigned count = 0;

    for (unsigned i = 0; i < SLOTS; i++) {
        count += r->slot[i].out && r->slot[i].what != WHAT_RECV ? 1 : 0;
    }
    return count;
}

/* Something under way will complete whatever this thread does: a wake-up that is lost is waited for in vain. */
static bool some_ends(const struct runner *r)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        if (r->slot[i].out && r->slot[i].ends) {
            return true;
        }
    }
    return false;
}

static void cancel_one(struct runner *r) REQUIRES(THREAD)
{
    struct slot *slot = &r->slot[cap_load_random(r) % SLOTS];

    if (slot->out && !slot->cancelled && slot->what == WHAT_CALL) {
        cap_load_cancel(r, slot);
    }
}

static void take_all(struct runner *r) REQUIRES(THREAD)
{
    struct ring_cqe cqe;

    while (ring_take(r->ring, &cqe)) {
        cap_load_ended(r, &cqe);
    }
}

/* What cap_enter promises of its answer. */
static void look_at_answer(const struct runner *r, status_t s, uint32_t wanted, uint64_t patience_ns)
{
    uint32_t there = __atomic_load_n(&r->ring->cq_tail, __ATOMIC_ACQUIRE) - r->ring->cq_head;

    if (s == ST_OK ? there < wanted : s != ST_TIMEOUT || patience_ns == FOREVER) {
        log_err("@ fail thread %u waited %lu ns for %u completions, and has %u: %s", r->number, patience_ns, wanted,
                there, status_name(s));
    }
}

static void wait(struct runner *r) REQUIRES(THREAD)
{
    uint64_t patience_ns = some_ends(r) ? FOREVER : cap_load_random(r) % PATIENCE_NS;
    bool hurry = slot_free(r) != NULL && r->left > 0;
    uint32_t wanted = hurry && cap_load_random(r) % 2 == 0 ? 0 : 1;
    status_t s = cap_enter(wanted, patience_ns);

    look_at_answer(r, s, wanted, patience_ns);
    take_all(r);
    if (s == ST_TIMEOUT || cap_load_random(r) % 8 == 0) {
        cancel_one(r);
    }
}

/* It does not wait for what it has under way. */
static bool leaves_early(const struct runner *r)
{
    return r->number == CAP_LOAD_THREADS - 1;
}

/* The others serve on until all are done. */
static bool finished(const struct runner *r)
{
    return r->done && (leaves_early(r) || (slots_out(r) == 0 && cap_load_over()));
}

static void begin_next(struct runner *r) REQUIRES(THREAD)
{
    struct slot *slot = slot_free(r);

    if (slot == NULL) {
        return;
    }
    if (r->left > 0) {
        r->left--;
        for (uint64_t i = 0; i < CARELESS; i++) {
            cap_load_count_carelessly(i);
        }
        cap_load_begin(r, slot);
    } else if (!r->done && (leaves_early(r) || slots_out(r) == 0)) {
        r->done = true;
        cap_load_tell_done(r, slot);
    }
}

void cap_load_run(struct ring_shared *ring, void *context)
{
    room_assert_thread();
    struct runner *r = context;

    r->ring = ring;
    while (!finished(r)) {
        if (r->serves != CAP_NONE && !r->slot[SLOTS - 1].out) {
            cap_load_receive(r);
        }
        begin_next(r);
        wait(r);
    }
    log_info("@ cap leave %u %u", r->number, slots_out(r));
}
