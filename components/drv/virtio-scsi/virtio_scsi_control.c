/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_scsi_control.c: what goes wrong: commands that are late, a disk that is reset or taken away, a device that lies.
 *
 *  (1) The watch ticks every deadline_s while commands are out. One that is out for the second tick is aborted (ABORT TASK), at the
 *      third the logical unit is reset, at the fourth the device, and then it is not used again: a device that loses commands
 *      has broken rules that everything else rests on.
 *  (2) Whether a task management function helped is seen by the commands that it was for, or by their absence.
 *  (3) From the moment at which a reset is asked for no FLUSH vouches for what was written before.
 *  (4) A disk that is taken away is dead for good; what is out is answered by the device, or ends as in (1).
 */
#define LOG_TAG "virtio-scsi"
#include "core/assert.h"
#include "core/log.h"
#include "virtio_scsi.h"

enum { TMF_TYPE = 0, TMF_ABORT_TASK = 0, TMF_UNIT_RESET = 5 }; /* 5.6.6.2 */
enum { EVENT_NONE = 0, EVENT_TRANSPORT_RESET = 1, EVENT_PARAM_CHANGE = 3 };
enum { REASON_HARD = 0, REASON_REMOVED = 2 };
#define EVENTS_MISSED (1u << 31)
enum { TICKS_ABORT = 2, TICKS_UNIT_RESET = 3, TICKS_DEVICE_RESET = 4 };

/* --- ends ------------------------------------------------------------------------------------------------------------------- */

void virtio_scsi_gone(void)
{
    virtio_scsi_self.blkdev.dead = true;
    health_set(&virtio_scsi_self.health,
               "the disk failed or was taken away and is not used any more; what was acknowledged is on it: reboot");
}

void virtio_scsi_die(const char *why)
{
    virtio_scsi_gone();
    virtio_fail(virtio_scsi_self.device, why);
}

void virtio_scsi_lied(const char *what)
{
    virtio_scsi_self.blkdev.count.broken_rules++;
    virtio_scsi_die(what);
}

/* (3) */
void virtio_scsi_was_reset(void)
{
    struct virtio_scsi *scsi = &virtio_scsi_self;

    if (scsi->written == scsi->flushed) {
        return;
    }
    scsi->lost = scsi->written;
    for (unsigned i = 0; i < VIRTIO_SCSI_DEPTH; i++) {
        const struct blk_request *request = scsi->slot[i].request;
        scsi->slot[i].doubtful |= request != NULL && request->op == BLK_FLUSH;
    }
}

/* --- task management ------------------------------------------------------------------------------------------------------- */

/* False: as many as may be are out. */
static bool tmf_send(uint32_t subtype, uint64_t id) REQUIRES(LOOP)
{
    struct virtio_scsi *scsi = &virtio_scsi_self;
    unsigned place = 0;

    while (place < TMFS && (scsi->tmf_busy >> place & 1) != 0) {
        place++;
    }
    if (place == TMFS) {
        return false;
    }
    struct scsi_tmf *tmf = &scsi->tmf[place];
    uint64_t base = scsi->tmf_dma.value + place * sizeof *tmf;
    struct virtq_segment segment[] = {
        {.address = {base}, .size = TMF_REQUEST_BYTES},
        {.address = {base + offsetof(struct scsi_tmf, response)}, .size = sizeof tmf->response}};
    *tmf = (struct scsi_tmf){.type = TMF_TYPE, .subtype = subtype, .id = id};
    virtio_scsi_lun(tmf->lun, scsi->limits.target, VIRTIO_SCSI_UNIT);
    if (virtq_submit(&scsi->queue[QUEUE_CONTROL], segment, 1, 1, tmf) != ST_OK) {
        return false;
    }
    scsi->tmf_busy |= 1u << place;
    loop_at_turn_end(&scsi->bell);
    return true;
}

bool virtio_scsi_control_reap(void)
{
    struct virtio_scsi *scsi = &virtio_scsi_self;
    struct virtq *q = &scsi->queue[QUEUE_CONTROL];
    void *token = NULL;
    uint32_t written = 0;
    status_t s = ST_OK;

    for (unsigned i = 0; i < q->size && (s = virtq_reap(q, &token, &written)) == ST_OK; i++) {
        scsi->tmf_busy &= ~(1u << ((struct scsi_tmf *)token - scsi->tmf)); /* (2) */
    }
    if (s == ST_PROTO) {
        virtio_scsi_lied("used ring of the control queue");
        return false;
    }
    if (s == ST_OK || !virtq_interrupts_on(q)) {
        loop_post(&scsi->again);
    }
    return true;
}

/* --- time-outs --------------------------------------------------------------------------------------------------------------- */

void virtio_scsi_watch_begin(void)
{
    if (!timer_armed(&virtio_scsi_self.watch)) {
        timer_set(&virtio_scsi_self.watch, clock_ns() + VIRTIO_SCSI_DEADLINE_S * NS_PER_S);
    }
}

/* Aborts what is late for the first time; gives the age of the oldest, in ticks. */
static uint32_t late_look(struct virtio_scsi *scsi) REQUIRES(LOOP)
{
    uint32_t oldest = 0;

    for (unsigned i = 0; i < VIRTIO_SCSI_DEPTH; i++) {
        struct scsi_slot *slot = &scsi->slot[i];
        uint32_t age = slot->busy ? scsi->tick - slot->sent_at : 0;
        oldest = age > oldest ? age : oldest;
        if (age == TICKS_ABORT) {
            scsi->blkdev.count.overdue++;
            slot->aborted = true; /* without room for the abort the next tick resets */
            (void)tmf_send(TMF_ABORT_TASK, slot->wrap->request.id);
        }
    }
    return oldest;
}

static bool any_busy(const struct virtio_scsi *scsi)
{
    bool any = false;

    for (unsigned i = 0; i < VIRTIO_SCSI_DEPTH; i++) {
        any |= scsi->slot[i].busy;
    }
    return any;
}

/* (1) */
void virtio_scsi_watch(struct timer *timer)
{
    struct virtio_scsi *scsi = &virtio_scsi_self;

    room_assert_loop();
    ASSERT(timer == &scsi->watch);
    scsi->tick++;
    if (scsi->device->state != VIRTIO_RUNNING) {
        return;
    }
    uint32_t oldest = late_look(scsi);
    if (oldest >= TICKS_DEVICE_RESET) {
        virtio_scsi_die("a command was not answered in time");
        return;
    }
    if (oldest == TICKS_UNIT_RESET) {
        log_warn("%s: commands are late; the unit is reset", scsi->blkdev.name);
        virtio_scsi_was_reset();
        (void)tmf_send(TMF_UNIT_RESET, 0);
    } else if (oldest == TICKS_ABORT) {
        log_warn("%s: commands are late; aborted", scsi->blkdev.name);
    }
    if (any_busy(scsi)) {
        virtio_scsi_watch_begin();
    }
}

/* --- events ------------------------------------------------------------------------------------------------------------------- */

static void event_lend(struct virtio_scsi *scsi, struct scsi_event *event)
{
    uint64_t offset = (uint64_t)(event - scsi->event) * sizeof *event;
    struct virtq_segment segment = {.address = {scsi->event_dma.value + offset}, .size = sizeof *event};

    *event = (struct scsi_event){0};
    status_t s = virtq_submit(&scsi->queue[QUEUE_EVENT], &segment, 0, 1, event);
    ASSERT(s == ST_OK || s == ST_CLOSED); /* the ring has room for all */
}

void virtio_scsi_events_lend(void)
{
    for (unsigned i = 0; i < EVENTS; i++) {
        event_lend(&virtio_scsi_self, &virtio_scsi_self.event[i]);
    }
}

static bool event_is_ours(const struct scsi_event *event)
{
    uint8_t ours[8];
    unsigned different = 0;

    virtio_scsi_lun(ours, virtio_scsi_self.limits.target, VIRTIO_SCSI_UNIT);
    for (unsigned i = 0; i < sizeof ours; i++) {
        uint8_t byte = __atomic_load_n(&event->lun[i], __ATOMIC_RELAXED);
        different |= i == 2 ? (byte ^ ours[i]) & 0x3f : byte ^ ours[i]; /* either way of addressing */
    }
    return different == 0;
}

/* 5.6.6.3. A number that it does not know says nothing to a driver. */
static void event_take(const struct scsi_event *event) REQUIRES(LOOP)
{
    uint32_t what = __atomic_load_n(&event->event, __ATOMIC_RELAXED);
    uint32_t reason = __atomic_load_n(&event->reason, __ATOMIC_RELAXED);
    const char *name = virtio_scsi_self.blkdev.name;

    if ((what & EVENTS_MISSED) != 0) {
        log_warn("%s: events were missed", name); /* if it was taken away, its commands will say so */
    }
    if (!event_is_ours(event)) {
        return;
    }
    if ((what & ~EVENTS_MISSED) == EVENT_TRANSPORT_RESET && reason == REASON_REMOVED) {
        log_err("%s was taken away", name);
        virtio_scsi_gone();
    } else if ((what & ~EVENTS_MISSED) == EVENT_TRANSPORT_RESET && reason == REASON_HARD) {
        virtio_scsi_was_reset();
    } else if ((what & ~EVENTS_MISSED) == EVENT_PARAM_CHANGE) {
        log_warn("%s says that it changed; it is used as it was until the next boot", name);
    }
}

bool virtio_scsi_event_reap(void)
{
    struct virtio_scsi *scsi = &virtio_scsi_self;
    struct virtq *q = &scsi->queue[QUEUE_EVENT];
    void *token = NULL;
    uint32_t written = 0;
    status_t s = ST_OK;

    for (unsigned i = 0; i < EVENTS && (s = virtq_reap(q, &token, &written)) == ST_OK; i++) {
        if (written >= sizeof(struct scsi_event)) {
            event_take(token);
        }
        event_lend(scsi, token);
        loop_at_turn_end(&scsi->bell);
    }
    if (s == ST_PROTO) {
        virtio_scsi_lied("used ring of the event queue");
        return false;
    }
    if (s == ST_OK || !virtq_interrupts_on(q)) {
        loop_post(&scsi->again);
    }
    return true;
}
