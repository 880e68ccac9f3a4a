/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_blk.c: a virtio block device (virtio 1.2, 5.2) in use: requests in, answers out.
 *
 *         submit              slot and descriptors         device finished
 *   CLIENT -----> WAITING -------------------------> BUSY ----------------> CLIENT (done)
 *
 *  (1) taken = requests that wait + slots that are busy with a request + flushes that need no device, at most `depth`. Each
 *      is answered once.
 *  (2) Requests leave the waiting list in the order in which they came.
 *  (3) The status byte is preset to a value that no device answers: success is what the device wrote, never what it forgot.
 *      A read must also have written all bytes that were asked for.
 *  (4) done() is called from the device's turn only, after the slot is free: it may submit again.
 *  (5) While the device has requests a timer is armed; one that is still there when it fires for the second time is
 *      overdue, and the device is reset. A disk that was reset is not used again: it may have forgotten writes that it said
 *      were done, and a FLUSH that succeeds then would say that they are safe.
 */
#define LOG_TAG "virtio-blk"
#include "virtio_blk.h"
#include "core/assert.h"
#include "core/log.h"
#include "core/stack.h"

struct virtio_blk virtio_blk_self;

static void dead(void) REQUIRES(LOOP)
{
    virtio_blk_self.blkdev.dead = true;
    health_set(&virtio_blk_self.health,
               "the disk failed and is not used any more; what was acknowledged is on it: reboot");
}

static void die(const char *why) REQUIRES(LOOP)
{
    dead();
    virtio_fail(virtio_blk_self.device, why);
}

static void lied(const char *what) REQUIRES(LOOP)
{
    virtio_blk_self.blkdev.count.broken_rules++;
    die(what);
}

void virtio_blk_bell(struct work *work)
{
    (void)work;
    room_assert_loop();
    virtio_notify(virtio_blk_self.device, 0, &virtio_blk_self.queue);
}

/* --- to the device -------------------------------------------------------------------------------------------------- */

static uint32_t type_of(const struct blk_request *request)
{
    switch (request->op) {
    case BLK_READ:
        return TYPE_IN;
    case BLK_WRITE:
        return TYPE_OUT;
    case BLK_FLUSH:
        return TYPE_FLUSH;
    case BLK_DISCARD:
        break; /* not offered: has_discard is false */
    }
    UNREACHABLE();
}

/* Header, data, status: virtio 1.2, 5.2.6. GET_ID has no request and reads into the wrap itself. */
status_t virtio_blk_slot_submit(struct blk_slot *slot, uint32_t type, const struct blk_request *request)
{
    UNINITIALIZED struct virtq_segment segment[BLKDEV_SEGMENTS_MAX + 2]; /* the first n are written, and passed on */
    uint16_t data = request != NULL && type != TYPE_FLUSH ? request->segment_count : 0;
    uint64_t base = slot->wrap_dma.value;
    uint16_t n = 0;

    slot->wrap->type = type;
    slot->wrap->reserved = 0;
    slot->wrap->sector = data != 0 ? request->sector : 0;
    slot->wrap->status = STATUS_NOT_WRITTEN; /* (3) */
    segment[n++] = (struct virtq_segment){.address = {base}, .size = HEADER_BYTES};
    for (uint16_t i = 0; i < data; i++) {
        segment[n++] =
            (struct virtq_segment){.address = dma_of(request->segment[i].data), .size = request->segment[i].size};
    }
    if (type == TYPE_GET_ID) {
        segment[n++] = (struct virtq_segment){.address = {base + offsetof(struct virtio_blk_wrap, id)},
                                              .size = sizeof slot->wrap->id};
    }
    segment[n++] = (struct virtq_segment){.address = {base + offsetof(struct virtio_blk_wrap, status)}, .size = 1};
    uint16_t readable = type == TYPE_OUT ? (uint16_t)(n - 1) : 1;
    return virtq_submit(&virtio_blk_self.queue, segment, readable, (uint16_t)(n - readable), slot);
}

static uint32_t bytes_of(const struct blk_request *request)
{
    uint32_t bytes = 0;

    for (uint16_t i = 0; request->op != BLK_FLUSH && i < request->segment_count; i++) {
        bytes += request->segment[i].size;
    }
    return bytes;
}

/* (5) */
static void watch(struct virtio_blk *blk) REQUIRES(LOOP)
{
    if (!timer_armed(&blk->watch)) {
        timer_set(&blk->watch, clock_ns() + VIRTIO_BLK_DEADLINE_S * NS_PER_S);
    }
}

void virtio_blk_watch(struct timer *timer)
{
    struct virtio_blk *blk = &virtio_blk_self;
    bool any = false;

    room_assert_loop();
    ASSERT(timer == &blk->watch);
    for (unsigned i = 0; i < VIRTIO_BLK_DEPTH && !blk->blkdev.dead; i++) {
        any |= blk->slot[i].busy;
        if (blk->slot[i].busy && blk->slot[i].watch != blk->watches) {
            blk->blkdev.count.overdue++;
            die("a request was not answered in time");
        }
    }
    blk->watches++;
    if (any && !blk->blkdev.dead) {
        watch(blk);
    }
}

/* Gives the request to the device, or says ST_FULL. */
static status_t request_send(struct blk_request *request) REQUIRES(LOOP)
{
    struct virtio_blk *blk = &virtio_blk_self;

    if (blk->slot_free == VIRTIO_BLK_DEPTH) {
        return ST_FULL;
    }
    struct blk_slot *slot = &blk->slot[blk->slot_free];
    status_t s = virtio_blk_slot_submit(slot, type_of(request), request);
    if (s == ST_OK) {
        ASSERT(!slot->busy);
        slot->busy = true;
        slot->request = request;
        slot->bytes = bytes_of(request);
        slot->watch = blk->watches;
        blk->slot_free = slot->next;
        watch(blk);
    }
    return s;
}

/* As many of the waiting as there is room for: (2). */
static void waiting_send(void) REQUIRES(LOOP)
{
    struct virtio_blk *blk = &virtio_blk_self;

    while (!list_empty(&blk->waiting)) {
        struct blk_request *request = CONTAINER_OF(blk->waiting.next, struct blk_request, node);
        if (request_send(request) != ST_OK) {
            return; /* full, or dead: on_stopped answers it */
        }
        list_remove(&request->node);
        loop_at_turn_end(&blk->bell);
    }
}

static status_t request_check(const struct blkdev *blkdev, const struct blk_request *request)
{
    uint32_t bytes = 0;

    status_t s = blkdev_check_op(blkdev, request);
    if (s != ST_OK || request->op == BLK_FLUSH) {
        return s;
    }
    return blkdev_check(blkdev, request, &bytes);
}

static status_t ops_submit(struct blkdev *blkdev, struct blk_request *request)
{
    struct virtio_blk *blk = &virtio_blk_self;

    room_assert_loop();
    ASSERT(blkdev == &blk->blkdev && blk->taken <= blkdev->depth);
    if (blkdev->dead) {
        return ST_CLOSED;
    }
    status_t s = request_check(blkdev, request);
    if (s != ST_OK) {
        return s;
    }
    if (blk->taken == blkdev->depth) {
        return ST_FULL;
    }
    blk->taken++;
    if (request->op == BLK_FLUSH && !blkdev->has_flush) {
        list_push_back(&blk->instant, &request->node); /* nothing to do, but (4): not from inside here */
        loop_post(&blk->instant_work);
        return ST_OK;
    }
    list_push_back(&blk->waiting, &request->node);
    waiting_send();
    return ST_OK;
}

/* --- from the device ------------------------------------------------------------------------------------------------ */

static void count_done(struct blkdev_counters *count, const struct blk_request *request, uint32_t bytes)
{
    switch (request->op) {
    case BLK_READ:
        count->reads++;
        count->read_bytes += bytes;
        return;
    case BLK_WRITE:
        count->writes++;
        count->write_bytes += bytes;
        return;
    case BLK_FLUSH:
        count->flushes++;
        return;
    case BLK_DISCARD:
        break;
    }
    UNREACHABLE();
}

static void request_done(struct blk_request *request, status_t status) REQUIRES(LOOP)
{
    ASSERT(virtio_blk_self.taken > 0);
    virtio_blk_self.taken--;
    if (status != ST_OK) {
        virtio_blk_self.blkdev.count.errors++;
    }
    request->done(request, status);
}

/* Flushes of a disk that has no cache. A write that was done before such a flush came is on the medium. */
void virtio_blk_instant(struct work *work)
{
    struct list *node;

    (void)work;
    room_assert_loop();
    for (unsigned i = 0; i < VIRTIO_BLK_DEPTH && (node = list_pop_front(&virtio_blk_self.instant)) != NULL; i++) {
        request_done(CONTAINER_OF(node, struct blk_request, node), ST_OK);
    }
    if (!list_empty(&virtio_blk_self.instant)) {
        loop_post(&virtio_blk_self.instant_work);
    }
}

static struct blk_request *slot_release(struct blk_slot *slot)
{
    struct virtio_blk *blk = &virtio_blk_self;
    struct blk_request *request = slot->request;

    if (slot == &blk->slot[VIRTIO_BLK_DEPTH]) {
        return NULL; /* GET_ID, which came too late */
    }
    ASSERT(slot->busy && request != NULL);
    slot->busy = false;
    slot->request = NULL;
    slot->next = blk->slot_free;
    blk->slot_free = (uint16_t)(slot - blk->slot);
    return request;
}

/* What the device's answer means. False: it is none that a device may give. */
static bool answer_read(const struct blk_slot *slot, uint32_t written, status_t *status)
{
    uint8_t answer = __atomic_load_n(&slot->wrap->status, __ATOMIC_RELAXED);

    switch (answer) {
    case STATUS_OK:
        *status = ST_OK;
        return slot->request->op != BLK_READ || written >= slot->bytes; /* (3) */
    case STATUS_IOERR:
        *status = ST_IO;
        return true;
    case STATUS_UNSUPP:
        *status = ST_UNSUPPORTED;
        return true;
    default:
        return false;
    }
}

/* False: it lied. */
static bool slot_finished(struct blk_slot *slot, uint32_t written) REQUIRES(LOOP)
{
    status_t status = ST_IO;

    if (slot->request == NULL) {
        ASSERT(slot == &virtio_blk_self.slot[VIRTIO_BLK_DEPTH]);
        return true;
    }
    bool honest = answer_read(slot, written, &status);
    uint32_t bytes = slot->bytes;
    struct blk_request *request = slot_release(slot);
    if (!honest) {
        status = ST_IO;
    }
    if (status == ST_OK) {
        count_done(&virtio_blk_self.blkdev.count, request, bytes);
    }
    request_done(request, status);
    return honest;
}

/* What has finished, at most a ring full a turn; then either an interrupt is asked for or the rest is posted. */
static void queue_reap(struct virtio_blk *blk) REQUIRES(LOOP)
{
    void *slot = NULL;
    uint32_t written = 0;
    status_t s = ST_OK;

    for (unsigned i = 0; i < blk->queue.size && (s = virtq_reap(&blk->queue, &slot, &written)) == ST_OK; i++) {
        if (!slot_finished(slot, written)) {
            lied("status of a request");
            return;
        }
    }
    if (s == ST_PROTO) {
        lied("used ring");
        return;
    }
    waiting_send();
    if (s == ST_OK || !virtq_interrupts_on(&blk->queue)) {
        loop_post(&blk->again);
    }
}

void virtio_blk_again(struct work *work)
{
    (void)work;
    room_assert_loop();
    if (virtio_blk_self.device->state == VIRTIO_RUNNING) {
        queue_reap(&virtio_blk_self);
    }
}

static void on_interrupt(struct virtio_device *device, uint32_t queues)
{
    (void)device;
    (void)queues;
    room_assert_loop();
    queue_reap(&virtio_blk_self);
}

/* Nothing is with the device any more: every request is answered, the oldest first among those that never left. */
static void on_stopped(struct virtio_device *device)
{
    struct virtio_blk *blk = &virtio_blk_self;
    struct blk_slot *slot;
    struct list *node;

    (void)device;
    room_assert_loop();
    dead();
    while ((slot = virtq_reclaim(&blk->queue)) != NULL) {
        struct blk_request *request = slot_release(slot);
        if (request != NULL) {
            request_done(request, ST_IO);
        }
    }
    while ((node = list_pop_front(&blk->waiting)) != NULL || (node = list_pop_front(&blk->instant)) != NULL) {
        request_done(CONTAINER_OF(node, struct blk_request, node), ST_IO);
    }
    ASSERT(blk->taken == 0); /* (1) */
}

/* Comes with every interrupt where one vector serves all, so it is looked at what changed. */
static void on_config(struct virtio_device *device)
{
    struct virtio_blk *blk = &virtio_blk_self;
    uint64_t sectors = 0;

    room_assert_loop();
    if (virtio_config_read(device, CONFIG_CAPACITY, 8, &sectors) != ST_OK) {
        lied("configuration");
        return;
    }
    if (sectors != blk->sectors_told) {
        blk->sectors_told = sectors;
        log_warn("%s: has %llu sectors now; %llu are used until the next boot", blk->blkdev.name,
                 (unsigned long long)sectors, (unsigned long long)blk->blkdev.sectors);
    }
}

const struct blkdev_ops virtio_blk_ops = {.submit = ops_submit};

const struct virtio_driver virtio_blk_driver = {
    .name = "drv/virtio-blk",
    .interrupt = on_interrupt,
    .config = on_config,
    .stopped = on_stopped,
};
