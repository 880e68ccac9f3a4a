/* SPDX-License-Identifier: MIT OR Apache-2.0
 * nvme_control.c: the controller's life after boot: time-outs, reset and recovery, death.
 *
 *                  fail                RDY is 0                queues are there
 *   RUNNING ------------> STOPPING --------------> STARTING --------------------> RUNNING
 *                            |  \____________________/ fail
 *                            | RDY is 0 and it is given up, or nobody answers
 *                            v
 *                           DEAD
 *
 *   RUNNING   Commands go in, answers come out. The watch ticks while requests are in flight.
 *   STOPPING  CC.EN is, or will be, cleared; what is out is still lent. Looked at by timer.
 *   STARTING  It has nothing of ours but admin queue and identify page. What was out waits to be sent again, or has ended.
 *   DEAD      Every request has ended, none is taken: blkdev.dead.
 *
 *  (1) A command is late after timeout_ms to 1.5 times that. Then it is aborted; when half of timeout_ms later it is still out, or
 *      when too many are late at once, the controller is reset. So no request waits longer than twice timeout_ms for a decision.
 *  (2) Before anything is called late the queues are looked at: an interrupt may have been lost.
 *  (3) RESETS_MAX resets within RESETS_SPAN_NS are the end: a controller that needs them is worse than none.
 *  (4) After a reset it must be what it was, or it is given up: these are other blocks.
 */
#define LOG_TAG "nvme"
#include <string.h>
#include "core/assert.h"
#include "core/fmt.h"
#include "core/log.h"
#include "nvme.h"

#define LOOK_NS (2 * NS_PER_MS)
#define DEAD_LOOK_NS (1 * NS_PER_S) /* it does not stop: memory stays lent, nobody is in a hurry */
#define RESETS_MAX 5u
#define RESETS_SPAN_NS (600 * NS_PER_S)
#define TICK_NS (NVME_TIMEOUT_MS * NS_PER_MS / 2)
#define TICKS_LATE 3u /* one tick may have been almost over when it was sent: (1) */
#define ABORTS_MAX 4u /* at a time: what ACL should allow at least (5.15.2.2) */
enum { ADMIN_ABORT = 0x08 };

void nvme_note(struct nvme *nvme, const char *what)
{
    fmt_text(nvme->note.text, sizeof nvme->note.text, "%s at %s: %s", nvme->blkdev.name, nvme->where, what);
}

static void give_up(struct nvme *nvme, const char *why)
{
    if (!nvme->blkdev.dead) {
        log_err("drv/nvme at %s: %s; not used any more", nvme->where, why);
        nvme_note(nvme, "dead");
        nvme->blkdev.dead = true;
    }
}

/* (3) */
static bool resets_left(struct nvme *nvme)
{
    uint64_t now = clock_ns();

    if (nvme->resets_recent == 0 || now - nvme->resets_since_ns > RESETS_SPAN_NS) {
        nvme->resets_since_ns = now;
        nvme->resets_recent = 0;
    }
    nvme->resets++;
    return nvme->resets_recent++ < RESETS_MAX;
}

void nvme_fail(struct nvme *nvme, const char *why, bool resend)
{
    if (nvme->state != NVME_RUNNING && nvme->state != NVME_STARTING) {
        return;
    }
    log_err("drv/nvme at %s: %s; reset", nvme->where, why);
    nvme->blkdev.count.broken_rules += !resend;
    nvme->resend = resend;
    if (!resets_left(nvme)) {
        give_up(nvme, "too many resets");
    }
    nvme_stop_begin(nvme);
    loop_post(&nvme->control_work); /* not here: somebody is in the midst of a queue */
}

void nvme_revoke(struct blkdev *blkdev)
{
    struct nvme *nvme = &nvme_self;

    room_assert_loop();
    ASSERT(blkdev == &nvme->blkdev);
    device_revoke(&nvme->function->grant);
}

void nvme_quiesce(void *driver)
{
    struct nvme *nvme = driver;

    room_assert_loop();
    give_up(nvme, "revoked");
    if (nvme->state == NVME_RUNNING || nvme->state == NVME_STARTING) {
        nvme_stop_begin(nvme);
        loop_post(&nvme->control_work);
    }
}

/* --- reset and recovery ------------------------------------------------------------------------------------------------ */

static bool same(const struct nvme_identity *a, const struct nvme_identity *b)
{
    return a->blocks == b->blocks && a->nsid == b->nsid && a->block_shift == b->block_shift && a->cache == b->cache &&
           a->command_bytes <= b->command_bytes && strcmp(a->serial, b->serial) == 0;
}

static void recovered(struct nvme *nvme) REQUIRES(LOOP)
{
    char text[24];

    if (!same(&nvme->identity, &nvme->found)) { /* (4) */
        give_up(nvme, "it is another disk since its reset");
        nvme_stop_begin(nvme);
        return;
    }
    nvme->state = NVME_RUNNING;
    fmt_text(text, sizeof text, "%u resets", nvme->resets);
    nvme_note(nvme, text);
    log_warn("%s works again, after %s", nvme->blkdev.name, text);
    timer_set(&nvme->watch, clock_ns() + TICK_NS);
    nvme_requests_send(nvme);
}

static void stopping_look(struct nvme *nvme) REQUIRES(LOOP)
{
    status_t s = nvme_stop_step(nvme);

    if (s == ST_TIMEOUT) {
        give_up(nvme, "it does not stop, so what it was lent stays lent");
        device_silence(&nvme->function->grant);
    } else if (s == ST_CLOSED) {
        give_up(nvme, "nobody answers there");
    }
    if (s != ST_OK && s != ST_CLOSED) {
        return;
    }
    nvme_requests_return(nvme);
    if (nvme->blkdev.dead) {
        nvme->state = NVME_DEAD;
        device_release(&nvme->function->grant);
    } else {
        nvme_start_begin(nvme);
    }
}

static void starting_look(struct nvme *nvme) REQUIRES(LOOP)
{
    status_t s = nvme_start_step(nvme);

    if (s == ST_OK) {
        recovered(nvme);
    } else if (s != ST_AGAIN) {
        log_err("%s does not start: %s", nvme->where, status_name(s));
        nvme_fail(nvme, "start failed", s != ST_PROTO);
    }
}

static void control_look(struct nvme *nvme) REQUIRES(LOOP)
{
    if (nvme->state == NVME_STOPPING) {
        stopping_look(nvme);
    } else if (nvme->state == NVME_STARTING) {
        starting_look(nvme);
    }
    if (nvme->state == NVME_STOPPING || nvme->state == NVME_STARTING) {
        uint64_t now = clock_ns();
        bool stuck = nvme->blkdev.dead && now > nvme->state_deadline;
        timer_set(&nvme->control_timer, now + (stuck ? DEAD_LOOK_NS : LOOK_NS));
    }
}

static void on_control_work(struct work *work)
{
    (void)work;
    room_assert_loop();
    control_look(&nvme_self);
}

static void on_control_timer(struct timer *timer)
{
    (void)timer;
    room_assert_loop();
    control_look(&nvme_self);
}

/* --- time-outs --------------------------------------------------------------------------------------------------------- */

struct lateness {
    unsigned late;     /* and not aborted yet */
    unsigned aborting; /* aborted, and still out */
};

static bool is_late(const struct nvme *nvme, const struct nvme_slot *slot, uint32_t ticks)
{
    return slot->owner != NULL && nvme->tick - slot->sent_at >= ticks;
}

static struct lateness late_count(const struct nvme *nvme)
{
    struct lateness found = {0};

    for (uint16_t i = 1; i <= nvme->queue_count; i++) {
        const struct nvme_queue *q = &nvme->queue[i];
        for (uint16_t place = 0; place + 1 < q->size; place++) {
            bool late = is_late(nvme, &q->slot[place], TICKS_LATE);
            found.late += late && !q->slot[place].aborting;
            found.aborting += late && q->slot[place].aborting;
        }
    }
    return found;
}

static void abort_send(struct nvme *nvme, const struct nvme_queue *q, struct nvme_slot *slot)
{
    struct nvme_slot *mine = NULL;
    struct nvme_command *command = nvme_queue_add(&nvme->queue[0], &nvme->watch, &mine);

    slot->aborting = true; /* without room for the abort the next tick resets */
    if (command != NULL) {
        command->opcode = ADMIN_ABORT;
        command->word10 = (uint32_t)slot->id << 16 | q->number; /* 5.1 */
    }
}

static void late_abort(struct nvme *nvme)
{
    for (uint16_t i = 1; i <= nvme->queue_count; i++) {
        struct nvme_queue *q = &nvme->queue[i];
        for (uint16_t place = 0; place + 1 < q->size; place++) {
            if (is_late(nvme, &q->slot[place], TICKS_LATE)) {
                abort_send(nvme, q, &q->slot[place]);
            }
        }
    }
    nvme_queue_ring(&nvme->queue[0]);
}

/* In RUNNING. (1), (2) */
static void late_look(struct nvme *nvme) REQUIRES(LOOP)
{
    struct lateness before = late_count(nvme);

    if (before.late + before.aborting == 0) {
        return;
    }
    if (!nvme_io_reap(nvme, UINT32_MAX)) {
        return;
    }
    struct lateness found = late_count(nvme);
    if (found.late < before.late) {
        nvme->lost_interrupts++;
        log_warn("%s: an answer lay there without an interrupt", nvme->blkdev.name);
    }
    if (found.aborting != 0 || found.late > ABORTS_MAX) {
        nvme_fail(nvme, "no answer in time", true);
    } else if (found.late != 0) {
        log_warn("%s: %u commands are late, aborted", nvme->blkdev.name, found.late);
        late_abort(nvme);
    }
}

static void on_watch(struct timer *timer)
{
    struct nvme *nvme = &nvme_self;

    (void)timer;
    room_assert_loop();
    nvme->tick++;
    if (nvme->state != NVME_RUNNING) {
        return; /* recovered() begins it again */
    }
    if ((mmio_read32(&nvme->registers, NVME_REG_CSTS) & NVME_CSTS_CFS) != 0) { /* all ones, too: it is gone */
        nvme_fail(nvme, "it says that it failed, or is gone", true);
        return;
    }
    late_look(nvme);
    if (nvme->state == NVME_RUNNING && nvme->taken != 0) {
        timer_set(&nvme->watch, clock_ns() + TICK_NS);
    }
}

void nvme_watch_begin(struct nvme *nvme)
{
    if (!timer_armed(&nvme->watch) && nvme->state == NVME_RUNNING) {
        timer_set(&nvme->watch, clock_ns() + TICK_NS);
    }
}

/* Whether an abort succeeded is seen by its command's own answer, or by its absence. */
void nvme_admin_reap(struct nvme *nvme)
{
    struct nvme_queue *admin = &nvme->queue[0];
    struct nvme_answer answer;
    status_t s = ST_OK;

    for (unsigned i = 0; i < admin->size && (s = nvme_queue_reap(admin, &answer)) == ST_OK; i++) {
        nvme_slot_put(admin, answer.slot);
    }
    if (s == ST_PROTO) {
        nvme_fail(nvme, "admin completion queue", false);
        return;
    }
    nvme_queue_reaped(admin);
}

void nvme_control_init(struct nvme *nvme)
{
    work_init(&nvme->control_work, on_control_work);
    timer_init(&nvme->control_timer, on_control_timer);
    timer_init(&nvme->watch, on_watch);
}
