/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_scsi.c: a SCSI disk behind a virtio host adapter (virtio 1.2, 5.6) in use: requests in, answers out.
 *
 *         submit              slot and descriptors         device finished
 *   CLIENT -----> WAITING -------------------------> BUSY ----------------> CLIENT (done)
 *                                                    |  ^
 *                                                    v  | a while later
 *                                                   RETRY
 *
 *  (1) taken = requests that wait + slots with a request (BUSY, RETRY) + flushes that need no device, at most `depth`. Each is
 *      answered once, never from inside submit.
 *  (2) Requests leave the waiting list in the order in which they came.
 *  (3) The response byte is preset to a value that no device answers: success is what the device wrote, never what it forgot.
 *  (4) What the disk asks to be told again (busy, unit attention, not ready, aborted, reset) is sent again RETRIES_MAX times, each
 *      a while later: no two requests in flight have an order, so it does no harm to write what was written.
 *  (5) A disk that was reset may have lost what it had cached. When writes had ended that no FLUSH covers, every FLUSH that was in
 *      flight, or else the next one, ends with ST_IO.
 */
#include "virtio_scsi.h"
#include "core/assert.h"
#include "core/fmt.h"
#include "core/stack.h"

#define RETRY_NS (20 * NS_PER_MS)

struct virtio_scsi virtio_scsi_self;

static void on_bell(struct work *work)
{
    (void)work;
    room_assert_loop();
    for (uint16_t i = 0; i < QUEUES; i++) {
        virtio_notify(virtio_scsi_self.device, i, &virtio_scsi_self.queue[i]);
    }
}

/* --- to the device -------------------------------------------------------------------------------------------------------- */

/* Request, data that it reads, response, data that it writes: 5.6.6.1. */
status_t virtio_scsi_submit(struct scsi_slot *slot, const struct virtq_segment *data, uint16_t count, bool reads)
{
    UNINITIALIZED struct virtq_segment segment[TABLE_SIZE]; /* the first n are written, and passed on */
    struct virtq_segment response = {.address = {slot->wrap_dma.value + offsetof(struct scsi_wrap, response)},
                                     .size = sizeof slot->wrap->response};
    uint16_t n = 0;

    ASSERT(count <= VIRTIO_SCSI_SEGMENTS_MAX);
    slot->wrap->request.id = (uint64_t)(slot - virtio_scsi_self.slot);
    slot->wrap->response = (struct scsi_response){.response = RESPONSE_NOT_WRITTEN}; /* (3) */
    slot->reads = reads;
    slot->data_bytes = 0;
    segment[n++] = (struct virtq_segment){.address = slot->wrap_dma, .size = REQUEST_BYTES};
    if (reads || count == 0) {
        segment[n++] = response;
    }
    for (uint16_t i = 0; i < count; i++) {
        slot->data_bytes += data[i].size;
        segment[n++] = data[i];
    }
    if (!reads && count != 0) {
        segment[n++] = response;
    }
    uint16_t readable = (uint16_t)(reads ? 1 : 1 + count);
    return virtq_submit_either(&virtio_scsi_self.queue[QUEUE_REQUEST], &slot->table, segment, readable,
                               (uint16_t)(n - readable), slot);
}

/* The memory that goes with a request, in at most TABLE_SIZE - 2 segments. */
static uint16_t data_of(const struct scsi_slot *slot, const struct blk_request *request, struct virtq_segment *data)
{
    const struct device_grant *grant = virtio_scsi_self.device->grant;
    uint16_t count = request->op == BLK_READ || request->op == BLK_WRITE ? request->segment_count : 0;

    for (uint16_t i = 0; i < count; i++) {
        data[i] = (struct virtq_segment){.address = dma_lend(grant, request->segment[i].data),
                                         .size = request->segment[i].size};
    }
    if (request->op == BLK_DISCARD) {
        data[count++] = (struct virtq_segment){.address = {slot->wrap_dma.value + offsetof(struct scsi_wrap, list)},
                                               .size = sizeof slot->wrap->list};
    } else if (request->op == BLK_WRITE_ZEROES) {
        data[count++] =
            (struct virtq_segment){.address = virtio_scsi_self.zeroes, .size = virtio_scsi_self.blkdev.logical_bytes};
    }
    return count;
}

static status_t slot_send(struct scsi_slot *slot, struct blk_request *request) REQUIRES(LOOP)
{
    UNINITIALIZED struct virtq_segment data[VIRTIO_SCSI_SEGMENTS_MAX]; /* as above */
    struct virtio_scsi *scsi = &virtio_scsi_self;

    virtio_scsi_fill(&scsi->limits, slot->wrap, request);
    status_t s = virtio_scsi_submit(slot, data, data_of(slot, request, data), request->op == BLK_READ);
    if (s == ST_OK) {
        ASSERT(!slot->busy);
        slot->busy = true;
        slot->request = request;
        slot->sent_at = scsi->tick;
        virtio_scsi_watch_begin();
        loop_at_turn_end(&scsi->bell);
    }
    return s;
}

/* Gives the request to the device, or says ST_FULL. */
static status_t request_send(struct blk_request *request) REQUIRES(LOOP)
{
    struct virtio_scsi *scsi = &virtio_scsi_self;

    if (scsi->slot_free == VIRTIO_SCSI_DEPTH) {
        return ST_FULL;
    }
    struct scsi_slot *slot = &scsi->slot[scsi->slot_free];
    slot->tries = 0;
    slot->aborted = false;
    slot->doubtful = false;
    slot->covers = scsi->written;
    status_t s = slot_send(slot, request);
    if (s == ST_OK) {
        scsi->slot_free = slot->next;
    }
    return s;
}

/* As many of the waiting as there is room for: (2). */
static void waiting_send(void) REQUIRES(LOOP)
{
    struct virtio_scsi *scsi = &virtio_scsi_self;

    while (!list_empty(&scsi->waiting)) {
        struct blk_request *request = CONTAINER_OF(scsi->waiting.next, struct blk_request, node);
        if (request_send(request) != ST_OK) {
            return; /* full, or dead: on_stopped answers it */
        }
        list_remove(&request->node);
    }
}

static status_t ops_submit(struct blkdev *blkdev, struct blk_request *request)
{
    struct virtio_scsi *scsi = &virtio_scsi_self;

    room_assert_loop();
    ASSERT(blkdev == &scsi->blkdev && scsi->taken <= blkdev->depth);
    status_t s = blkdev->dead ? ST_CLOSED : blkdev_check(blkdev, request);
    if (s != ST_OK) {
        return s;
    }
    if (scsi->taken == blkdev->depth) {
        return ST_FULL;
    }
    scsi->taken++;
    if (request->op == BLK_FLUSH && !blkdev->has_flush) {
        list_push_back(&scsi->instant, &request->node); /* nothing to do, but (1): not from inside here */
        loop_post(&scsi->instant_work);
        return ST_OK;
    }
    list_push_back(&scsi->waiting, &request->node);
    waiting_send();
    return ST_OK;
}

static void ops_revoke(struct blkdev *blkdev)
{
    room_assert_loop();
    ASSERT(blkdev == &virtio_scsi_self.blkdev);
    virtio_scsi_gone();
    device_revoke(virtio_scsi_self.device->grant);
}

/* --- from the device ------------------------------------------------------------------------------------------------------- */

static void request_done(struct blk_request *request, status_t status) REQUIRES(LOOP)
{
    ASSERT(virtio_scsi_self.taken > 0);
    virtio_scsi_self.taken--;
    blkdev_count(&virtio_scsi_self.blkdev.count, request, status);
    request->done(request, status);
}

/* Flushes of a disk that has no cache. */
static void on_instant(struct work *work)
{
    struct list *node;

    (void)work;
    room_assert_loop();
    for (unsigned i = 0; i < VIRTIO_SCSI_DEPTH && (node = list_pop_front(&virtio_scsi_self.instant)) != NULL; i++) {
        request_done(CONTAINER_OF(node, struct blk_request, node), ST_OK);
    }
    if (!list_empty(&virtio_scsi_self.instant)) {
        loop_post(&virtio_scsi_self.instant_work);
    }
}

/* (5). Gives what the request ends with. */
static status_t cache_note(struct virtio_scsi *scsi, const struct scsi_slot *slot, status_t status)
{
    const struct blk_request *request = slot->request;
    bool wrote = (request->op == BLK_WRITE && !request->durable) || request->op == BLK_WRITE_ZEROES;

    if (request->op == BLK_FLUSH && status == ST_OK) {
        bool vouches = !slot->doubtful && scsi->flushed >= scsi->lost;
        scsi->flushed = slot->covers > scsi->flushed ? slot->covers : scsi->flushed;
        return vouches ? ST_OK : ST_IO;
    }
    scsi->written += wrote && status == ST_OK && scsi->blkdev.has_flush;
    return status;
}

static struct blk_request *slot_release(struct scsi_slot *slot)
{
    struct virtio_scsi *scsi = &virtio_scsi_self;
    struct blk_request *request = slot->request;

    ASSERT(request != NULL && !slot->busy);
    slot->request = NULL;
    slot->next = scsi->slot_free;
    scsi->slot_free = (uint16_t)(slot - scsi->slot);
    return request;
}

static void slot_end(struct scsi_slot *slot, status_t status) REQUIRES(LOOP)
{
    status = cache_note(&virtio_scsi_self, slot, status);
    request_done(slot_release(slot), status);
}

/* (4) */
static void slot_retry(struct scsi_slot *slot) REQUIRES(LOOP)
{
    struct virtio_scsi *scsi = &virtio_scsi_self;

    if (slot->aborted || ++slot->tries > RETRIES_MAX || scsi->blkdev.dead) {
        slot_end(slot, ST_IO);
        return;
    }
    list_push_back(&scsi->retry, &slot->node);
    if (!timer_armed(&scsi->retry_timer)) {
        timer_set(&scsi->retry_timer, clock_ns() + RETRY_NS);
    }
}

static void on_retry(struct timer *timer)
{
    struct virtio_scsi *scsi = &virtio_scsi_self;

    (void)timer;
    room_assert_loop();
    while (!list_empty(&scsi->retry)) {
        struct scsi_slot *slot = CONTAINER_OF(scsi->retry.next, struct scsi_slot, node);
        if (slot_send(slot, slot->request) != ST_OK) {
            break; /* others' answers make room; or it is dead, and on_stopped ends this one */
        }
        list_remove(&slot->node);
    }
    if (!list_empty(&scsi->retry) && scsi->device->state == VIRTIO_RUNNING) {
        timer_set(&scsi->retry_timer, clock_ns() + RETRY_NS);
    }
}

/* Its client is told that it failed, whoever asks `devices` why. */
static void slot_failed(struct scsi_slot *slot, const struct scsi_answer *answer) REQUIRES(LOOP)
{
    struct device_note *note = &virtio_scsi_self.device->note;

    fmt_text(note->text, sizeof note->text, "%s at %s: last failure: sense %x/%02x/%02x", virtio_scsi_self.blkdev.name,
             virtio_scsi_self.device->where, answer->key, answer->asc, answer->ascq);
    slot_end(slot, ST_IO);
}

/* False: it lied. */
static bool slot_finished(struct scsi_slot *slot, uint32_t written) REQUIRES(LOOP)
{
    struct scsi_answer answer;

    if (slot->request == NULL) { /* BOOT's own, which came too late */
        ASSERT(slot == &virtio_scsi_self.slot[VIRTIO_SCSI_DEPTH]);
        return true;
    }
    ASSERT(slot->busy);
    slot->busy = false;
    enum scsi_verdict verdict = virtio_scsi_verdict(&slot->wrap->response, slot, written, &answer);
    switch (verdict) {
    case VERDICT_OK:
        if (answer.missing != 0) {
            slot_failed(slot, &answer);
        } else {
            slot_end(slot, ST_OK);
        }
        return true;
    case VERDICT_FAILED:
        slot_failed(slot, &answer);
        return true;
    case VERDICT_UNSUPPORTED:
        slot_end(slot, ST_UNSUPPORTED);
        return true;
    case VERDICT_RESET:
        virtio_scsi_was_reset();
        slot_retry(slot);
        return true;
    case VERDICT_RETRY:
        slot_retry(slot);
        return true;
    case VERDICT_GONE:
        virtio_scsi_gone();
        slot_end(slot, ST_IO);
        return true;
    case VERDICT_LIE:
        break;
    }
    slot_end(slot, ST_IO);
    return false;
}

/* What has finished, at most a ring full a turn; then either an interrupt is asked for or the rest is posted. */
static void requests_reap(struct virtio_scsi *scsi) REQUIRES(LOOP)
{
    struct virtq *q = &scsi->queue[QUEUE_REQUEST];
    void *slot = NULL;
    uint32_t written = 0;
    status_t s = ST_OK;

    for (unsigned i = 0; i < q->size && (s = virtq_reap(q, &slot, &written)) == ST_OK; i++) {
        if (!slot_finished(slot, written)) {
            virtio_scsi_lied("response of a command");
            return;
        }
    }
    if (s == ST_PROTO) {
        virtio_scsi_lied("used ring");
        return;
    }
    waiting_send();
    if (s == ST_OK || !virtq_interrupts_on(q)) {
        loop_post(&scsi->again);
    }
}

static void queues_reap(struct virtio_scsi *scsi, uint32_t queues) REQUIRES(LOOP)
{
    if ((queues >> QUEUE_EVENT & 1) != 0 && !virtio_scsi_event_reap()) {
        return;
    }
    if ((queues >> QUEUE_CONTROL & 1) != 0 && !virtio_scsi_control_reap()) {
        return;
    }
    if ((queues >> QUEUE_REQUEST & 1) != 0) {
        requests_reap(scsi);
    }
}

static void on_again(struct work *work)
{
    (void)work;
    room_assert_loop();
    if (virtio_scsi_self.device->state == VIRTIO_RUNNING) {
        queues_reap(&virtio_scsi_self, UINT32_MAX);
    }
}

static void on_interrupt(struct virtio_device *device, uint32_t queues)
{
    (void)device;
    room_assert_loop();
    queues_reap(&virtio_scsi_self, queues);
}

/* Nothing is with the device any more: every request is answered, the oldest first among those that never left. */
static void on_stopped(struct virtio_device *device)
{
    struct virtio_scsi *scsi = &virtio_scsi_self;
    struct scsi_slot *slot;
    struct list *node;

    (void)device;
    room_assert_loop();
    virtio_scsi_gone();
    while ((slot = virtq_reclaim(&scsi->queue[QUEUE_REQUEST])) != NULL) {
        slot->busy = false;
        if (slot->request != NULL) {
            slot_end(slot, ST_IO);
        }
    }
    while ((node = list_pop_front(&scsi->retry)) != NULL) {
        slot_end(CONTAINER_OF(node, struct scsi_slot, node), ST_IO);
    }
    while ((node = list_pop_front(&scsi->waiting)) != NULL || (node = list_pop_front(&scsi->instant)) != NULL) {
        request_done(CONTAINER_OF(node, struct blk_request, node), ST_IO);
    }
    ASSERT(scsi->taken == 0); /* (1) */
    while (virtq_reclaim(&scsi->queue[QUEUE_CONTROL]) != NULL || virtq_reclaim(&scsi->queue[QUEUE_EVENT]) != NULL) {
    }
}

void virtio_scsi_init(struct virtio_scsi *scsi)
{
    list_init(&scsi->waiting);
    list_init(&scsi->retry);
    list_init(&scsi->instant);
    work_init(&scsi->instant_work, on_instant);
    work_init(&scsi->bell, on_bell);
    work_init(&scsi->again, on_again);
    timer_init(&scsi->retry_timer, on_retry);
    timer_init(&scsi->watch, virtio_scsi_watch);
}

const struct blkdev_ops virtio_scsi_ops = {.submit = ops_submit, .revoke = ops_revoke};

const struct virtio_driver virtio_scsi_driver = {
    .name = "drv/virtio-scsi",
    .interrupt = on_interrupt,
    .stopped = on_stopped,
};
