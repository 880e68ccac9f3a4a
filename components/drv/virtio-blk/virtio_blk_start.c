/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_blk_start.c: a virtio block device (virtio 1.2, 5.2) at boot: what it is.
 *
 * All that the configuration says is checked here, once. A disk that contradicts itself is refused, and the boot with it.
 */
#define LOG_TAG "virtio-blk"
#include "core/assert.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/mem.h"
#include "virtio_blk.h"

enum { /* virtio 1.2, 5.2.4 */
       CONFIG_SIZE_MAX = 8,
       CONFIG_SEG_MAX = 12,
       CONFIG_BLK_SIZE = 20,
       CONFIG_PHYSICAL_EXPONENT = 24,
       CONFIG_QUEUES = 34,
       CONFIG_DISCARD_SECTORS_MAX = 36,
       CONFIG_DISCARD_ALIGNMENT = 44,
       CONFIG_ZEROES_SECTORS_MAX = 48,
       CONFIG_ZEROES_MAY_UNMAP = 56,
};

#define REQUEST_BYTES_MAX (1u << 20)
#define LOGICAL_BYTES_MAX 65536u
#define PHYSICAL_BYTES_MAX (1u << 20)
#define ID_WAIT_NS (1 * NS_PER_S)

static status_t field(uint64_t feature, size_t offset, unsigned width, uint64_t otherwise, uint64_t *value)
{
    if (feature != 0 && !virtio_has(virtio_blk_self.device, feature)) {
        *value = otherwise;
        return ST_OK;
    }
    return virtio_config_read(virtio_blk_self.device, offset, width, value);
}

static status_t size_read(struct blkdev *blkdev)
{
    uint64_t logical = 0;
    uint64_t exponent = 0;

    status_t s = field(0, CONFIG_CAPACITY, 8, 0, &blkdev->sectors);
    if (s == ST_OK) {
        s = field(BLK_F_BLK_SIZE, CONFIG_BLK_SIZE, 4, BLKDEV_SECTOR_BYTES, &logical);
    }
    if (s == ST_OK) {
        s = field(BLK_F_TOPOLOGY, CONFIG_PHYSICAL_EXPONENT, 1, 0, &exponent);
    }
    if (s != ST_OK) {
        return s;
    }
    if (logical < BLKDEV_SECTOR_BYTES || logical > LOGICAL_BYTES_MAX || (logical & (logical - 1)) != 0) {
        return ST_PROTO;
    }
    if (blkdev->sectors > UINT64_MAX / BLKDEV_SECTOR_BYTES) {
        return ST_PROTO;
    }
    blkdev->logical_bytes = (uint32_t)logical;
    /* The exponent is a hint about speed: one that makes no sense is taken for none. */
    blkdev->physical_bytes =
        exponent > 11 || logical << exponent > PHYSICAL_BYTES_MAX ? (uint32_t)logical : (uint32_t)(logical << exponent);
    return ST_OK;
}

/* A request comes round to every queue; and no chain is longer than its queue, by way of a table neither (2.7.5.3.1). */
static uint32_t smallest_queue(const struct virtio_blk *blk)
{
    uint32_t size = blk->queue[0].size;

    for (uint16_t i = 1; i < VIRTIO_BLK_QUEUES && i < blk->queue_count;
         i++) { /* the first bound is a constant, for gcc */
        size = blk->queue[i].size < size ? blk->queue[i].size : size;
    }
    return size;
}

static status_t limits_read(struct virtio_blk *blk)
{
    struct blkdev *blkdev = &blk->blkdev;
    uint64_t segments = 0;
    uint64_t bytes = 0;

    /* Without the feature one segment is all that a driver may count on. */
    status_t s = field(BLK_F_SEG_MAX, CONFIG_SEG_MAX, 4, 1, &segments);
    if (s == ST_OK) {
        s = field(BLK_F_SIZE_MAX, CONFIG_SIZE_MAX, 4, REQUEST_BYTES_MAX, &bytes);
    }
    if (s != ST_OK) {
        return s;
    }
    uint32_t size = smallest_queue(blk);
    if (size < 4 || segments == 0) {
        return ST_UNSUPPORTED;
    }
    uint32_t most = size - 2 < VIRTIO_BLK_SEGMENTS_MAX ? size - 2 : VIRTIO_BLK_SEGMENTS_MAX;
    blkdev->segments_max = (uint16_t)(segments < most ? segments : most);
    /* The device's limit is for one segment; taken for the whole request it holds for each. */
    bytes = bytes < REQUEST_BYTES_MAX ? bytes : REQUEST_BYTES_MAX;
    blkdev->bytes_max = (uint32_t)bytes & ~(blkdev->logical_bytes - 1);
    return blkdev->bytes_max == 0 ? ST_UNSUPPORTED : ST_OK;
}

/* Of what has a limit in the configuration: so many whole blocks a request; 0: not offered, or not even one. */
static status_t sectors_max_read(const struct blkdev *blkdev, uint64_t feature, size_t offset, uint32_t *most)
{
    uint64_t sectors = 0;

    status_t s = virtio_has(virtio_blk_self.device, feature) ? field(0, offset, 4, 0, &sectors) : ST_OK;
    *most = (uint32_t)sectors & ~(blkdev->logical_bytes / BLKDEV_SECTOR_BYTES - 1);
    return s;
}

/* DISCARD and WRITE_ZEROES: one range a request, whatever the device would take (5.2.4: the limits of number). */
static status_t ranges_read(struct virtio_blk *blk)
{
    struct blkdev *blkdev = &blk->blkdev;
    uint64_t alignment = 1;
    uint64_t may_unmap = 0;

    status_t s = sectors_max_read(blkdev, BLK_F_DISCARD, CONFIG_DISCARD_SECTORS_MAX, &blkdev->discard_sectors_max);
    if (s == ST_OK) {
        s = sectors_max_read(blkdev, BLK_F_WRITE_ZEROES, CONFIG_ZEROES_SECTORS_MAX, &blkdev->zeroes_sectors_max);
    }
    if (s == ST_OK) {
        s = field(BLK_F_DISCARD, CONFIG_DISCARD_ALIGNMENT, 4, 1, &alignment);
    }
    if (s == ST_OK) {
        s = field(BLK_F_WRITE_ZEROES, CONFIG_ZEROES_MAY_UNMAP, 1, 0, &may_unmap);
    }
    blkdev->discard_sectors = alignment != 0 ? (uint32_t)alignment : 1;
    blk->zeroes_flags = may_unmap != 0 ? RANGE_UNMAP : 0;
    return s;
}

/* As many queues as there are and we have memory for. */
static status_t queues_open(struct virtio_blk *blk) REQUIRES(BOOT)
{
    uint64_t count = 1;

    status_t s = field(BLK_F_MQ, CONFIG_QUEUES, 2, 1, &count);
    if (s == ST_OK && count == 0) {
        return ST_PROTO;
    }
    blk->queue_count = (uint16_t)(count < VIRTIO_BLK_QUEUES ? count : VIRTIO_BLK_QUEUES);
    if (s == ST_OK) {
        s = virtio_interrupts(blk->device, blk->queue_count);
    }
    for (uint16_t i = 0; i < blk->queue_count && s == ST_OK; i++) {
        s = virtio_queue_open(blk->device, i, VIRTIO_BLK_RING_SIZE, &blk->queue[i]);
    }
    return s;
}

_Static_assert(VIRTIO_BLK_QUEUES <= VIRTIO_QUEUES_MAX, "as many as a device may have here");
_Static_assert(VIRTIO_BLK_MEMORY_BYTES >=
                   VIRTIO_BLK_QUEUES * VIRTIO_QUEUE_ARENA_BYTES(VIRTIO_BLK_RING_SIZE) +
                       DMA_ARENA_BYTES((VIRTIO_BLK_DEPTH + 1) * sizeof(struct virtio_blk_wrap)) +
                       DMA_ARENA_BYTES((VIRTIO_BLK_DEPTH + 1) * TABLE_SIZE * sizeof(struct virtq_desc)) +
                       (VIRTIO_BLK_DEPTH + 1) * sizeof(struct blk_slot),
               "the `memory` line of component.conf says less than is taken");
_Static_assert(VIRTIO_BLK_DMA_BYTES >= VIRTIO_BLK_QUEUES * VIRTIO_QUEUE_DMA_BYTES(VIRTIO_BLK_RING_SIZE) +
                                           DMA_BYTES((VIRTIO_BLK_DEPTH + 1) * sizeof(struct virtio_blk_wrap)) +
                                           DMA_BYTES((VIRTIO_BLK_DEPTH + 1) * TABLE_SIZE * sizeof(struct virtq_desc)),
               "the `dma` line says less than is asked for");

static status_t slots_init(struct virtio_blk *blk) REQUIRES(BOOT)
{
    const uint16_t count = VIRTIO_BLK_DEPTH + 1;
    struct dma_memory memory;
    struct dma_memory tables = {0};

    status_t s = dma_alloc(blk->device->grant, &memory, sizeof(struct virtio_blk_wrap) * count);
    if (s == ST_OK && virtio_has(blk->device, VIRTIO_F_INDIRECT_DESC)) {
        s = dma_alloc(blk->device->grant, &tables, sizeof(struct virtq_desc) * TABLE_SIZE * count);
    }
    if (s != ST_OK) {
        return s;
    }
    blk->slot = boot_alloc(sizeof(struct blk_slot) * count, _Alignof(struct blk_slot));
    for (uint16_t i = 0; i < count; i++) {
        blk->slot[i].wrap = (struct virtio_blk_wrap *)memory.cpu + i;
        blk->slot[i].wrap_dma.value = memory.dev.value + i * sizeof(struct virtio_blk_wrap);
        blk->slot[i].table = virtq_table_of(&tables, i, TABLE_SIZE);
        blk->slot[i].next = (uint16_t)(i + 1);
    }
    list_init(&blk->waiting);
    list_init(&blk->instant);
    work_init(&blk->instant_work, virtio_blk_instant);
    work_init(&blk->bell, virtio_blk_bell);
    work_init(&blk->again, virtio_blk_again);
    timer_init(&blk->watch, virtio_blk_watch);
    return ST_OK;
}

/* The serial text: printable characters only, for it goes into logs. */
static void id_copy(struct virtio_blk *blk, const struct virtio_blk_wrap *wrap)
{
    size_t n = 0;

    for (size_t i = 0; i < sizeof wrap->id; i++) {
        uint8_t c = __atomic_load_n(&wrap->id[i], __ATOMIC_RELAXED);
        if (c == 0) {
            break;
        }
        blk->blkdev.id[n++] = c >= ' ' && c < 0x7f ? (char)c : '?';
    }
    blk->blkdev.id[n] = '\0';
}

/* Asks for the disk's own name and waits a little: it helps to say which disk is foreign. A device that does not answer
 * or does not know keeps its slot for good, which is why it has one of its own. */
static void id_ask(struct virtio_blk *blk)
{
    struct blk_slot *slot = &blk->slot[VIRTIO_BLK_DEPTH];
    uint64_t deadline = clock_ns() + ID_WAIT_NS;
    void *token = NULL;
    uint32_t written = 0;

    if (virtio_blk_slot_submit(slot, TYPE_GET_ID, NULL) != ST_OK) {
        return;
    }
    virtio_notify(blk->device, 0, &blk->queue[0]);
    status_t s = virtq_reap(&blk->queue[0], &token, &written);
    while (s == ST_AGAIN && clock_ns() < deadline) {
        s = virtq_reap(&blk->queue[0], &token, &written);
    }
    if (s == ST_OK && __atomic_load_n(&slot->wrap->status, __ATOMIC_RELAXED) == STATUS_OK) {
        id_copy(blk, slot->wrap);
    }
}

static status_t device_setup(struct virtio_blk *blk) REQUIRES(BOOT)
{
    struct blkdev *blkdev = &blk->blkdev;

    status_t s = queues_open(blk);
    if (s == ST_OK) {
        s = size_read(blkdev);
    }
    if (s == ST_OK) {
        s = limits_read(blk);
    }
    if (s == ST_OK) {
        s = ranges_read(blk);
    }
    if (s != ST_OK) {
        return s;
    }
    blk->sectors_told = blkdev->sectors;
    blkdev->name = "disk0";
    blkdev->depth = VIRTIO_BLK_DEPTH;
    blkdev->read_only = virtio_has(blk->device, BLK_F_RO);
    blkdev->has_flush = virtio_has(blk->device, BLK_F_FLUSH);
    blkdev->has_durable = !blkdev->has_flush;
    return slots_init(blk);
}

static void describe(const struct virtio_blk *blk)
{
    const struct blkdev *blkdev = &blk->blkdev;

    fmt_text(blk->device->note.text, sizeof blk->device->note.text, "%s at %s: %llu KiB, id '%s'", blkdev->name,
             blk->device->where, (unsigned long long)(blkdev->sectors / 2), blkdev->id);
    log_info("%s, block %u/%u, %u queues, %u segments%s%s%s%s%s", blk->device->note.text,
             (unsigned)blkdev->logical_bytes, (unsigned)blkdev->physical_bytes, (unsigned)blk->queue_count,
             (unsigned)blkdev->segments_max, blk->slot[0].table.desc != NULL ? ", indirect" : "",
             blkdev->has_flush ? ", flush" : ", write-through", blkdev->discard_sectors_max != 0 ? ", discard" : "",
             blkdev->zeroes_sectors_max != 0 ? ", zeroes" : "", blkdev->read_only ? ", read-only" : "");
}

void virtio_blk_wire_bus(struct virtio_bus *bus) REQUIRES(BOOT);
void virtio_blk_wire_bus(struct virtio_bus *bus)
{
    virtio_blk_self.bus = bus;
}

struct blkdev *virtio_blk_provide_disk(void) REQUIRES(BOOT);
struct blkdev *virtio_blk_provide_disk(void)
{
    ASSERT(virtio_blk_self.blkdev.ops != NULL);
    return &virtio_blk_self.blkdev;
}

status_t virtio_blk_start(void) REQUIRES(BOOT);
status_t virtio_blk_start(void)
{
    struct virtio_blk *blk = &virtio_blk_self;
    const uint64_t wanted = BLK_F_SIZE_MAX | BLK_F_SEG_MAX | BLK_F_RO | BLK_F_BLK_SIZE | BLK_F_FLUSH | BLK_F_TOPOLOGY |
                            BLK_F_DISCARD | BLK_F_WRITE_ZEROES | (VIRTIO_BLK_QUEUES > 1 ? BLK_F_MQ : 0) |
                            VIRTIO_F_INDIRECT_DESC;

    blk->device = virtio_bus_take(blk->bus, VIRTIO_BLK);
    if (blk->device == NULL) {
        log_err("no virtio disk: add '-drive if=none,id=disk,file=...,format=raw -device virtio-blk-pci,drive=disk' "
                "(microvm: "
                "virtio-blk-device) to QEMU, or remove drv/virtio-blk from the profile");
        return ST_UNSUPPORTED;
    }
    status_t s = virtio_open(blk->device, &virtio_blk_driver, wanted, 0);
    if (s != ST_OK) {
        return s;
    }
    s = device_setup(blk);
    if (s != ST_OK) {
        virtio_give_up(blk->device, status_name(s));
        return s;
    }
    blk->blkdev.ops = &virtio_blk_ops;
    health_add(&blk->health, "drv/virtio-blk");
    virtio_go(blk->device);
    id_ask(blk);
    loop_post_boot(&blk->again); /* id_ask() took what an interrupt was asked for; a lie is answered there too */
    describe(blk);
    return ST_OK;
}
