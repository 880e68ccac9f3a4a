/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_scsi_fuzz.c: the whole driver before an adapter and a disk that say anything: what BOOT is told, responses, sense, used
 * rings, events, and how long it all takes, is the input.
 *
 * Each request must be answered exactly once, at the latest when the adapter behaves again or has confirmed a reset. An assertion
 * that fires is a device stopping the machine: a bug.
 */
#include "test.h"
#include "../virtio_scsi_command.c"
#include "../virtio_scsi.c"
#include "../virtio_scsi_control.c"
#undef LOG_TAG
#include "../virtio_scsi_start.c"
#include "lib/virtio/test/fake_device.h"

#define REQUESTS 16u

static struct blk_request requests[REQUESTS];
static struct blk_segment segments[4];
static bool out[REQUESTS];
static uint8_t data[16 * 4096] __attribute__((aligned(4096)));
static const uint8_t *bytes;
static size_t left;

/* Memory of one boot; the next input has it again. */
static struct {
    bool taken;
    struct fake fake;
    struct device_grant grant;
    struct virtio_scsi scsi;
    struct scsi_slot slot[VIRTIO_SCSI_DEPTH + 1];
    struct inquiry in;
} fresh;

static uint8_t take(void)
{
    left -= left > 0;
    return left > 0 ? *bytes++ : 0;
}

static void on_done(struct blk_request *request, status_t status)
{
    bool *mine = &out[request - requests];

    REQUIRE(*mine && (status == ST_OK || status == ST_IO || status == ST_UNSUPPORTED));
    *mine = false;
}

/* What the device wrote into a chain: the input, with a bias to what makes sense. */
static void respond(unsigned queue)
{
    struct fake_chain chain;

    if (fake.queue[queue] == NULL || !fake_pop(queue, &chain)) {
        return;
    }
    uint32_t written = take() % 8 == 0 ? take() * 16u : 0;
    for (unsigned i = chain.out; i < chain.out + chain.in; i++) {
        uint32_t size = chain.segment[i].size < 200 ? chain.segment[i].size : 200;
        for (uint32_t at = 0; at < size; at++) {
            chain.segment[i].bytes[at] = i == chain.out && at < 12 && take() % 8 != 0 ? 0 : take();
        }
        written += chain.segment[i].size;
    }
    fake_push(queue, take() % 16 == 0 ? take() : chain.head, written);
}

/* As it should. */
static void serve(void)
{
    struct fake_chain chain;

    while (fake_pop(QUEUE_REQUEST, &chain)) {
        uint32_t written = 0;
        memset(chain.segment[chain.out].bytes, 0, chain.segment[chain.out].size);
        for (unsigned i = chain.out; i < chain.out + chain.in; i++) {
            written += chain.segment[i].size;
        }
        fake_push(QUEUE_REQUEST, chain.head, written);
    }
}

/* While boot waits, time passes with each look at the clock. */
uint64_t clock_ns(void)
{
    if (test_room == ROOM_BOOT && fake.queue[QUEUE_REQUEST] != NULL) {
        respond(QUEUE_REQUEST);
    }
    return test_clock_ns += test_room == ROOM_BOOT ? 100 * NS_PER_MS : 0;
}

static void fresh_take(void)
{
    static const struct {
        size_t offset;
        uint32_t value;
        unsigned width;
    } config[] = {
        {CONFIG_SEG_MAX, 20, 4}, {CONFIG_SENSE_SIZE, 96, 4}, {CONFIG_CDB_SIZE, 32, 4}, {CONFIG_MAX_TARGET, 1, 2}};
    unsigned targets = 0;
    struct dma_memory page;

    fake_begin(VIRTIO_SCSI, SCSI_F_HOTPLUG | VIRTIO_F_INDIRECT_DESC);
    for (unsigned i = 0; i < sizeof config / sizeof config[0]; i++) {
        memcpy(fake.config + config[i].offset, &config[i].value, config[i].width);
    }
    virtio_scsi_self.device = virtio_bus_take(&fake.bus, VIRTIO_SCSI);
    REQUIRE(virtio_open(virtio_scsi_self.device, &virtio_scsi_driver, SCSI_F_HOTPLUG | VIRTIO_F_INDIRECT_DESC, 0) ==
            ST_OK);
    REQUIRE(queues_open(&virtio_scsi_self) == ST_OK && adapter_read(&virtio_scsi_self, &targets) == ST_OK);
    REQUIRE(slots_make(&virtio_scsi_self) == ST_OK && memory_take(&virtio_scsi_self) == ST_OK);
    REQUIRE(dma_alloc(&fake_grant, &page, PAGE_BYTES) == ST_OK);
    fresh.in.page = page.cpu;
    fresh.in.page_dma = page.dev;
    virtio_go(virtio_scsi_self.device);
    virtio_scsi_self.blkdev.name = "disk0";
    virtio_scsi_self.blkdev.depth = VIRTIO_SCSI_DEPTH;
    virtio_scsi_self.blkdev.ops = &virtio_scsi_ops;
    health_add(&virtio_scsi_self.health, "drv/virtio-scsi");
    fresh.scsi = virtio_scsi_self;
    fresh.fake = fake;
    fresh.grant = fake_grant;
    memcpy(fresh.slot, virtio_scsi_self.slot, sizeof fresh.slot);
    fresh.taken = true;
}

static void begin(void)
{
    test_room = ROOM_BOOT;
    if (!fresh.taken) {
        fresh_take();
    }
    for (unsigned i = 0; i < QUEUES; i++) {
        while (virtq_reclaim(&virtio_scsi_self.queue[i]) != NULL) {
        }
        virtq_empty(&virtio_scsi_self.queue[i]);
        fresh.scsi.queue[i] = virtio_scsi_self.queue[i];
    }
    fake_loop_begin();
    fake = fresh.fake;
    fake_grant = fresh.grant;
    virtio_scsi_self = fresh.scsi;
    memcpy(virtio_scsi_self.slot, fresh.slot, sizeof fresh.slot);
    virtio_scsi_init(&virtio_scsi_self);
    virtio_scsi_events_lend();
}

/* What BOOT asks. False: the disk was refused. */
static bool boot(void)
{
    struct virtio_scsi *scsi = &virtio_scsi_self;
    struct blkdev *blkdev = &scsi->blkdev;
    struct inquiry *in = &fresh.in;

    if (target_find(scsi, in, 2) != ST_OK || ready_wait(scsi, in) != ST_OK || size_read(scsi, in) != ST_OK) {
        return false;
    }
    cache_read(scsi, in);
    limits_read(scsi, in);
    serial_read(scsi, in);
    REQUIRE(blkdev->logical_bytes == 1u << scsi->limits.shift && blkdev->logical_bytes <= LOGICAL_BYTES_MAX);
    uint32_t mask = blkdev->logical_bytes / BLKDEV_SECTOR_BYTES - 1;
    REQUIRE((blkdev->sectors & mask) == 0 && blkdev->physical_bytes >= blkdev->logical_bytes);
    REQUIRE((blkdev->discard_sectors_max & mask) == 0 && (blkdev->zeroes_sectors_max & mask) == 0);
    REQUIRE(strlen(blkdev->id) < sizeof blkdev->id);
    return true;
}

/* --- what happens ------------------------------------------------------------------------------------------------------------ */

static void submit(void)
{
    unsigned i = take() % REQUESTS;

    if (out[i]) {
        return;
    }
    for (unsigned s = 0; s < 4; s++) {
        segments[s] = (struct blk_segment){data + 8192 * s, 512u << take() % 4};
    }
    requests[i] = (struct blk_request){
        .op = (enum blk_op)(take() % 5), .sector = take(), .segment = segments, .durable = take() % 2, .done = on_done};
    requests[i].segment_count = (uint16_t)(1 + take() % 4);
    requests[i].sector_count = take();
    out[i] = true;
    if (blkdev_submit(&virtio_scsi_self.blkdev, &requests[i]) != ST_OK) {
        out[i] = false;
    }
}

static void pass(uint64_t ns)
{
    test_clock_ns += ns;
    fake_turn();
    fake_turn();
}

static void act(void)
{
    switch (take() % 8) {
    case 0:
    case 1:
        submit();
        return;
    case 2:
        pass(0);
        return;
    case 3:
        respond(QUEUE_REQUEST);
        return;
    case 4:
        respond(take() % 2 == 0 ? QUEUE_EVENT : QUEUE_CONTROL);
        return;
    case 5:
        fake_interrupt(take() % QUEUES);
        return;
    case 6:
        pass(take() * 100 * NS_PER_MS);
        return;
    default:
        fake.never_resets = take() % 8 == 0;
        fake.gone = take() % 32 == 1;
        return;
    }
}

/* From here on it behaves, if it is still used. */
static void calm(void)
{
    fake.never_resets = fake.gone = false;
    for (unsigned i = 0; i < 3000 && virtio_scsi_self.taken != 0; i++) {
        if (fake.device.state == VIRTIO_STOPPING) {
            fake.status = 0;
        } else if (fake.device.state == VIRTIO_RUNNING) {
            serve();
            fake_interrupt(QUEUE_REQUEST);
        }
        pass(100 * NS_PER_MS);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    bytes = input;
    left = size;
    begin();
    if (take() % 4 == 0 && !boot()) {
        return 0;
    }
    if (virtio_scsi_self.blkdev.sectors == 0) { /* an honest one */
        REQUIRE(size_take(&virtio_scsi_self, 999, 512, 3) == ST_OK);
        virtio_scsi_self.blkdev.has_flush = virtio_scsi_self.blkdev.has_durable = true;
        virtio_scsi_self.blkdev.discard_sectors_max = virtio_scsi_self.blkdev.zeroes_sectors_max = 64;
    }
    test_room = ROOM_LOOP;
    while (left > 0) {
        act();
    }
    calm();
    REQUIRE(virtio_scsi_self.taken == 0);
    for (unsigned i = 0; i < REQUESTS; i++) {
        REQUIRE(!out[i]);
    }
    return 0;
}
