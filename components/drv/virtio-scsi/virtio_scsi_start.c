/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_scsi_start.c: at boot: which of the adapter's targets is the disk, and what it is. Commands are waited for, one at a time.
 *
 *  (1) Target by target INQUIRY is asked for until one says that it is a disk. Nobody lists targets, and those that are not there
 *      are answered for by the adapter at once.
 *  (2) What a disk need not tell (caching, limits, its serial) has an answer that is safe: a cache, no FUA, no discards. Only its
 *      size must be told.
 *  (3) All numbers are checked here, once. A disk that contradicts itself is refused, and the boot with it.
 */
#define LOG_TAG "virtio-scsi"
#include <string.h>
#include "core/assert.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/mem.h"
#include "virtio_scsi.h"

enum { /* 5.6.4 */
       CONFIG_QUEUES = 0,
       CONFIG_SEG_MAX = 4,
       CONFIG_MAX_SECTORS = 8,
       CONFIG_SENSE_SIZE = 20,
       CONFIG_CDB_SIZE = 24,
       CONFIG_MAX_TARGET = 30,
};
enum { /* SPC-4, 6; SBC-3, 5 */
       TEST_UNIT_READY = 0x00,
       INQUIRY = 0x12,
       MODE_SENSE_6 = 0x1a,
       READ_CAPACITY_10 = 0x25,
       SERVICE_IN_16 = 0x9e,
       READ_CAPACITY_16 = 0x10, /* of SERVICE_IN_16 */
};
enum { PAGE_SERIAL = 0x80, PAGE_LIMITS = 0xb0, PAGE_PROVISIONING = 0xb2, MODE_CACHING = 0x08 };
enum { MODE_WRITE_PROTECTED = 0x80, MODE_FUA = 0x10, CACHING_ENABLED = 4 }; /* SPC-4, 7.5; SBC-3, 6.5.5 */
enum { PROVISIONING_UNMAP = 0x80, PROVISIONING_WRITE_SAME = 0x40 };         /* SBC-3, 6.6.6 */

#define PAGE_BYTES 4096u
#define ANSWER_BYTES 255u /* all that is asked for here is shorter */
#define COMMAND_WAIT_NS (5 * NS_PER_S)
#define RETRY_WAIT_NS (10 * NS_PER_MS)
#define REQUEST_BYTES_MAX (1u << 20)
#define PHYSICAL_BYTES_MAX (1u << 20)
#define RANGE_SECTORS_MAX (1u << 22) /* ours, so that no request lasts for ever */

/* What BOOT asks with. */
struct inquiry {
    uint8_t *page; /* DMA memory: the data that came */
    dma_t page_dma;
    uint32_t bytes; /* of it */
    struct scsi_answer answer;
};

/* --- a command ------------------------------------------------------------------------------------------------------------- */

/* Sends the slot's command and waits. ST_TIMEOUT: no answer, and the page stays lent. */
static status_t command_try(struct virtio_scsi *scsi, struct inquiry *in, enum scsi_verdict *verdict) REQUIRES(BOOT)
{
    struct scsi_slot *slot = &scsi->slot[VIRTIO_SCSI_DEPTH];
    struct virtq_segment data = {.address = in->page_dma, .size = in->bytes};
    uint64_t deadline = clock_ns() + COMMAND_WAIT_NS;
    void *token = NULL;
    uint32_t written = 0;

    status_t s = virtio_scsi_submit(slot, &data, in->bytes != 0, true);
    if (s != ST_OK) {
        return s;
    }
    virtio_notify(scsi->device, QUEUE_REQUEST, &scsi->queue[QUEUE_REQUEST]);
    s = ST_AGAIN;
    while (s == ST_AGAIN && clock_ns() < deadline) {
        s = virtq_reap(&scsi->queue[QUEUE_REQUEST], &token, &written);
    }
    if (s != ST_OK) {
        return s == ST_AGAIN ? ST_TIMEOUT : s;
    }
    *verdict = virtio_scsi_verdict(&slot->wrap->response, slot, written, &in->answer);
    in->bytes -= *verdict == VERDICT_OK ? in->answer.missing : 0;
    return *verdict == VERDICT_LIE ? ST_PROTO : ST_OK;
}

static void wait_a_little(void)
{
    uint64_t until = clock_ns() + RETRY_WAIT_NS;

    while (clock_ns() < until) {
    }
}

/* The command whose block is filled in, until it is not to be asked again. ST_CLOSED: nobody there. ST_IO: it failed. */
static status_t command(struct virtio_scsi *scsi, struct inquiry *in, uint32_t bytes) REQUIRES(BOOT)
{
    uint64_t deadline = clock_ns() + VIRTIO_SCSI_READY_S * NS_PER_S;
    enum scsi_verdict verdict = VERDICT_RETRY;
    status_t s = ST_OK;

    memset(in->page, 0, PAGE_BYTES);
    while (s == ST_OK && (verdict == VERDICT_RETRY || verdict == VERDICT_RESET)) {
        in->bytes = bytes;
        s = command_try(scsi, in, &verdict);
        if (verdict == VERDICT_RETRY || verdict == VERDICT_RESET) {
            wait_a_little();
            s = s == ST_OK && clock_ns() > deadline ? ST_IO : s;
        }
    }
    if (s != ST_OK) {
        return s;
    }
    return verdict == VERDICT_OK ? ST_OK : verdict == VERDICT_GONE ? ST_CLOSED : ST_IO;
}

static uint8_t *cdb_begin(struct virtio_scsi *scsi, uint8_t operation)
{
    struct scsi_request *request = &scsi->slot[VIRTIO_SCSI_DEPTH].wrap->request;

    memset(request->cdb, 0, sizeof request->cdb);
    request->cdb[0] = operation;
    return request->cdb;
}

static status_t inquire(struct virtio_scsi *scsi, struct inquiry *in, uint8_t page) REQUIRES(BOOT)
{
    uint8_t *cdb = cdb_begin(scsi, INQUIRY);

    cdb[1] = page != 0;
    cdb[2] = page;
    virtio_scsi_put(cdb + 3, 2, ANSWER_BYTES);
    return command(scsi, in, ANSWER_BYTES);
}

/* A number of the answer; 0 where it is shorter. */
static uint64_t told(const struct inquiry *in, uint32_t offset, unsigned size)
{
    return offset + size <= in->bytes ? virtio_scsi_get(in->page + offset, size) : 0;
}

/* --- what it is ------------------------------------------------------------------------------------------------------------- */

/* (1). ST_UNSUPPORTED: there is no disk. */
static status_t target_find(struct virtio_scsi *scsi, struct inquiry *in, unsigned count) REQUIRES(BOOT)
{
    status_t s = ST_CLOSED;

    for (unsigned target = 0; target < count; target++) {
        scsi->limits.target = (uint8_t)target;
        for (unsigned i = 0; i <= VIRTIO_SCSI_DEPTH; i++) {
            virtio_scsi_lun(scsi->slot[i].wrap->request.lun, target, VIRTIO_SCSI_UNIT);
        }
        s = inquire(scsi, in, 0);
        if (s == ST_OK && in->bytes != 0 && told(in, 0, 1) == 0) { /* connected, and a disk: SPC-4, 6.6.2 */
            return ST_OK;
        }
        if (s == ST_PROTO || s == ST_TIMEOUT) {
            return s;
        }
    }
    log_err("%s: no disk at targets 0 to %u, unit %u: add '-drive if=none,id=disk,file=...,format=raw -device "
            "scsi-hd,drive=disk' to QEMU",
            scsi->device->where, count - 1, (unsigned)VIRTIO_SCSI_UNIT);
    return ST_UNSUPPORTED;
}

static status_t ready_wait(struct virtio_scsi *scsi, struct inquiry *in) REQUIRES(BOOT)
{
    cdb_begin(scsi, TEST_UNIT_READY);
    status_t s = command(scsi, in, 0);
    if (s != ST_OK) {
        log_err("%s: target %u is not ready: sense %x/%02x/%02x", scsi->device->where, scsi->limits.target,
                in->answer.key, in->answer.asc, in->answer.ascq);
    }
    return s;
}

static status_t size_take(struct virtio_scsi *scsi, uint64_t last, uint64_t logical, unsigned exponent)
{
    struct blkdev *blkdev = &scsi->blkdev;

    if (logical < BLKDEV_SECTOR_BYTES || logical > LOGICAL_BYTES_MAX || (logical & (logical - 1)) != 0) {
        log_err("%s: blocks of %llu bytes", scsi->device->where, (unsigned long long)logical);
        return ST_UNSUPPORTED;
    }
    if (last >= UINT64_MAX / logical - 1) {
        return ST_PROTO;
    }
    scsi->limits.shift = (uint8_t)__builtin_ctzll(logical);
    blkdev->logical_bytes = (uint32_t)logical;
    blkdev->sectors = (last + 1) * (logical / BLKDEV_SECTOR_BYTES);
    blkdev->physical_bytes =
        logical << exponent > PHYSICAL_BYTES_MAX ? (uint32_t)logical : (uint32_t)(logical << exponent);
    return ST_OK;
}

/* SBC-3, 5.16; 5.15 for disks that know no other. */
static status_t size_read(struct virtio_scsi *scsi, struct inquiry *in) REQUIRES(BOOT)
{
    uint8_t *cdb = cdb_begin(scsi, SERVICE_IN_16);

    cdb[1] = READ_CAPACITY_16;
    virtio_scsi_put(cdb + 10, 4, 32);
    if (command(scsi, in, 32) == ST_OK && in->bytes >= 12) {
        return size_take(scsi, told(in, 0, 8), told(in, 8, 4), (unsigned)told(in, 13, 1) & 15);
    }
    cdb_begin(scsi, READ_CAPACITY_10);
    status_t s = command(scsi, in, 8);
    return s == ST_OK && in->bytes == 8 ? size_take(scsi, told(in, 0, 4), told(in, 4, 4), 0)
           : s == ST_OK                 ? ST_PROTO
                                        : s;
}

/* Header, no block descriptors, the caching page: (2). */
static void cache_read(struct virtio_scsi *scsi, struct inquiry *in) REQUIRES(BOOT)
{
    uint8_t *cdb = cdb_begin(scsi, MODE_SENSE_6);

    cdb[1] = 1 << 3; /* DBD */
    cdb[2] = MODE_CACHING;
    cdb[4] = ANSWER_BYTES;
    scsi->blkdev.has_flush = true;
    if (command(scsi, in, ANSWER_BYTES) != ST_OK) {
        return;
    }
    uint32_t page = 4 + (uint32_t)told(in, 3, 1);
    bool caching = (told(in, page, 1) & 0x3f) == MODE_CACHING && told(in, page + 1, 1) >= 1;
    scsi->blkdev.has_flush = !caching || (told(in, page + 2, 1) & CACHING_ENABLED) != 0;
    scsi->blkdev.has_durable = !scsi->blkdev.has_flush || (told(in, 2, 1) & MODE_FUA) != 0;
    scsi->blkdev.read_only = (told(in, 2, 1) & MODE_WRITE_PROTECTED) != 0;
}

/* In sectors, whole blocks of them, from a limit in blocks; 0 stays 0. */
static uint32_t sectors_of(const struct virtio_scsi *scsi, uint64_t blocks)
{
    uint64_t most = RANGE_SECTORS_MAX >> (scsi->limits.shift - 9);

    return (uint32_t)((blocks < most ? blocks : most) << (scsi->limits.shift - 9));
}

/* SBC-3, 6.6.4 and 6.6.6: a disk that does not tell its limits is asked for neither discards nor zeroes: (2). */
static void limits_read(struct virtio_scsi *scsi, struct inquiry *in) REQUIRES(BOOT)
{
    struct blkdev *blkdev = &scsi->blkdev;
    uint64_t transfer = 0;
    uint64_t unmap = 0;

    blkdev->discard_sectors = 1;
    if (inquire(scsi, in, PAGE_LIMITS) == ST_OK && told(in, 1, 1) == PAGE_LIMITS) {
        transfer = told(in, 8, 4) << scsi->limits.shift;
        unmap = told(in, 24, 4) != 0 ? told(in, 20, 4) : 0;
        blkdev->discard_sectors = sectors_of(scsi, told(in, 28, 4) != 0 ? told(in, 28, 4) : 1);
        blkdev->zeroes_sectors_max = sectors_of(scsi, told(in, 36, 8));
    }
    if (inquire(scsi, in, PAGE_PROVISIONING) == ST_OK && told(in, 1, 1) == PAGE_PROVISIONING) {
        uint64_t does = told(in, 5, 1);
        blkdev->discard_sectors_max = (does & PROVISIONING_UNMAP) != 0 ? sectors_of(scsi, unmap) : 0;
        scsi->limits.unmap = (does & PROVISIONING_WRITE_SAME) != 0;
    }
    if (transfer != 0 && transfer < blkdev->bytes_max) {
        blkdev->bytes_max = (uint32_t)transfer;
    }
}

/* Printable characters only, for they go into logs; padded with spaces. SPC-4, 7.8.15. */
static void serial_read(struct virtio_scsi *scsi, struct inquiry *in) REQUIRES(BOOT)
{
    size_t n = 0;

    if (inquire(scsi, in, PAGE_SERIAL) != ST_OK || told(in, 1, 1) != PAGE_SERIAL) {
        return;
    }
    for (uint32_t i = 0; i < told(in, 3, 1) && n + 1 < sizeof scsi->blkdev.id; i++) {
        uint8_t c = (uint8_t)told(in, 4 + i, 1);
        if (c != ' ' && c != 0) {
            scsi->blkdev.id[n++] = c > ' ' && c < 0x7f ? (char)c : '?';
        }
    }
}

static status_t disk_read(struct virtio_scsi *scsi, unsigned targets) REQUIRES(BOOT)
{
    struct dma_memory memory;
    struct inquiry in = {0};

    status_t s = dma_alloc(scsi->device->grant, &memory, PAGE_BYTES);
    if (s == ST_OK) {
        in.page = memory.cpu;
        in.page_dma = memory.dev;
        s = target_find(scsi, &in, targets);
    }
    if (s == ST_OK) {
        s = ready_wait(scsi, &in);
    }
    if (s == ST_OK) {
        s = size_read(scsi, &in);
    }
    if (s == ST_OK) {
        cache_read(scsi, &in);
        limits_read(scsi, &in);
        serial_read(scsi, &in);
    }
    return s;
}

/* --- the adapter ------------------------------------------------------------------------------------------------------------- */

_Static_assert(VIRTIO_SCSI_MEMORY_BYTES >=
                   VIRTIO_QUEUE_ARENA_BYTES(VIRTIO_SCSI_RING_SIZE) + VIRTIO_QUEUE_ARENA_BYTES(CONTROL_RING) +
                       VIRTIO_QUEUE_ARENA_BYTES(EVENT_RING) +
                       DMA_ARENA_BYTES((VIRTIO_SCSI_DEPTH + 1) * sizeof(struct scsi_wrap)) +
                       DMA_ARENA_BYTES((VIRTIO_SCSI_DEPTH + 1) * TABLE_SIZE * sizeof(struct virtq_desc)) +
                       2 * DMA_ARENA_BYTES(PAGE_BYTES) + DMA_ARENA_BYTES(TMFS * sizeof(struct scsi_tmf)) +
                       DMA_ARENA_BYTES(EVENTS * sizeof(struct scsi_event)) +
                       (VIRTIO_SCSI_DEPTH + 1) * sizeof(struct scsi_slot),
               "the `memory` line of component.conf says less than is taken");
_Static_assert(VIRTIO_SCSI_DMA_BYTES >=
                   VIRTIO_QUEUE_DMA_BYTES(VIRTIO_SCSI_RING_SIZE) + VIRTIO_QUEUE_DMA_BYTES(CONTROL_RING) +
                       VIRTIO_QUEUE_DMA_BYTES(EVENT_RING) +
                       DMA_BYTES((VIRTIO_SCSI_DEPTH + 1) * sizeof(struct scsi_wrap)) +
                       DMA_BYTES((VIRTIO_SCSI_DEPTH + 1) * TABLE_SIZE * sizeof(struct virtq_desc)) +
                       2 * DMA_BYTES(PAGE_BYTES) + DMA_BYTES(TMFS * sizeof(struct scsi_tmf)) +
                       DMA_BYTES(EVENTS * sizeof(struct scsi_event)),
               "the `dma` line says less than is asked for");

/* The memory that is not a slot's. */
static status_t memory_take(struct virtio_scsi *scsi) REQUIRES(BOOT)
{
    struct device_grant *grant = scsi->device->grant;
    struct dma_memory zeroes = {0}, tmf = {0}, event = {0};

    status_t s = dma_alloc(grant, &zeroes, PAGE_BYTES);
    s = s == ST_OK ? dma_alloc(grant, &tmf, sizeof(struct scsi_tmf) * TMFS) : s;
    s = s == ST_OK ? dma_alloc(grant, &event, sizeof(struct scsi_event) * EVENTS) : s;
    scsi->zeroes = zeroes.dev;
    scsi->tmf = tmf.cpu;
    scsi->tmf_dma = tmf.dev;
    scsi->event = event.cpu;
    scsi->event_dma = event.dev;
    return s;
}

static status_t slots_make(struct virtio_scsi *scsi) REQUIRES(BOOT)
{
    const uint16_t count = VIRTIO_SCSI_DEPTH + 1;
    struct dma_memory wraps, tables = {0};

    status_t s = dma_alloc(scsi->device->grant, &wraps, sizeof(struct scsi_wrap) * count);
    if (s == ST_OK && virtio_has(scsi->device, VIRTIO_F_INDIRECT_DESC)) {
        s = dma_alloc(scsi->device->grant, &tables, sizeof(struct virtq_desc) * TABLE_SIZE * count);
    }
    if (s != ST_OK) {
        return s;
    }
    scsi->slot = boot_alloc(sizeof(struct scsi_slot) * count, _Alignof(struct scsi_slot));
    for (uint16_t i = 0; i < count; i++) {
        struct scsi_slot *slot = &scsi->slot[i];
        slot->wrap = (struct scsi_wrap *)wraps.cpu + i;
        slot->wrap_dma.value = wraps.dev.value + i * sizeof(struct scsi_wrap);
        slot->table = virtq_table_of(&tables, i, TABLE_SIZE);
        slot->next = (uint16_t)(i + 1);
    }
    virtio_scsi_init(scsi);
    return ST_OK;
}

static status_t queues_open(struct virtio_scsi *scsi) REQUIRES(BOOT)
{
    static const uint16_t sizes[QUEUES] = {CONTROL_RING, EVENT_RING, VIRTIO_SCSI_RING_SIZE};

    status_t s = virtio_interrupts(scsi->device, QUEUES);
    for (uint16_t i = 0; i < QUEUES && s == ST_OK; i++) {
        s = virtio_queue_open(scsi->device, i, sizes[i], &scsi->queue[i]);
    }
    scsi->queue[QUEUE_REQUEST].counts_all = true;
    return s == ST_OK && (scsi->queue[QUEUE_EVENT].size < EVENTS || scsi->queue[QUEUE_REQUEST].size < 4)
               ? ST_UNSUPPORTED
               : s;
}

/* What the adapter says of itself: (3). `targets`: how many are to be asked. */
static status_t adapter_read(struct virtio_scsi *scsi, unsigned *targets)
{
    struct blkdev *blkdev = &scsi->blkdev;
    uint64_t segments = 0;
    uint64_t sectors = 0;
    uint64_t sense = 0;
    uint64_t cdb = 0;
    uint64_t target = 0;

    status_t s = virtio_config_read(scsi->device, CONFIG_SEG_MAX, 4, &segments);
    s = s == ST_OK ? virtio_config_read(scsi->device, CONFIG_MAX_SECTORS, 4, &sectors) : s;
    s = s == ST_OK ? virtio_config_read(scsi->device, CONFIG_SENSE_SIZE, 4, &sense) : s;
    s = s == ST_OK ? virtio_config_read(scsi->device, CONFIG_CDB_SIZE, 4, &cdb) : s;
    s = s == ST_OK ? virtio_config_read(scsi->device, CONFIG_MAX_TARGET, 2, &target) : s;
    if (s != ST_OK) {
        return s;
    }
    if (sense != SENSE_BYTES || cdb != CDB_BYTES) {
        return ST_PROTO; /* 5.6.4: what they are after a reset */
    }
    uint32_t size = scsi->queue[QUEUE_REQUEST].size - 2u; /* no chain is longer, by way of a table neither: 2.7.5.3.1 */
    uint32_t most = size < VIRTIO_SCSI_SEGMENTS_MAX ? size : VIRTIO_SCSI_SEGMENTS_MAX;
    blkdev->segments_max = (uint16_t)(segments != 0 && segments < most ? segments : most);
    sectors = sectors != 0 && sectors < REQUEST_BYTES_MAX / BLKDEV_SECTOR_BYTES
                  ? sectors
                  : REQUEST_BYTES_MAX / BLKDEV_SECTOR_BYTES;
    blkdev->bytes_max = (uint32_t)sectors * BLKDEV_SECTOR_BYTES;
    *targets = (unsigned)(target + 1 < VIRTIO_SCSI_TARGETS ? target + 1 : VIRTIO_SCSI_TARGETS);
    return ST_OK;
}

static void describe(const struct virtio_scsi *scsi)
{
    const struct blkdev *blkdev = &scsi->blkdev;

    fmt_text(scsi->device->note.text, sizeof scsi->device->note.text, "%s at %s: %llu KiB, id '%s'", blkdev->name,
             scsi->device->where, (unsigned long long)(blkdev->sectors / 2), blkdev->id);
    log_info("%s, target %u, block %u/%u, %u segments%s%s%s%s%s%s", scsi->device->note.text, scsi->limits.target,
             (unsigned)blkdev->logical_bytes, (unsigned)blkdev->physical_bytes, (unsigned)blkdev->segments_max,
             scsi->slot[0].table.desc != NULL ? ", indirect" : "", blkdev->has_flush ? ", flush" : ", write-through",
             blkdev->has_durable ? ", durable" : "", blkdev->discard_sectors_max != 0 ? ", discard" : "",
             blkdev->zeroes_sectors_max != 0 ? ", zeroes" : "", blkdev->read_only ? ", read-only" : "");
}

static status_t device_setup(struct virtio_scsi *scsi) REQUIRES(BOOT)
{
    unsigned targets = 0;

    status_t s = queues_open(scsi);
    if (s == ST_OK) {
        s = adapter_read(scsi, &targets);
    }
    if (s == ST_OK) {
        s = slots_make(scsi);
    }
    if (s == ST_OK) {
        s = memory_take(scsi);
    }
    if (s != ST_OK) {
        return s;
    }
    virtio_scsi_events_lend();
    virtio_go(scsi->device);
    s = disk_read(scsi, targets);
    scsi->blkdev.bytes_max &= s == ST_OK ? ~(scsi->blkdev.logical_bytes - 1) : UINT32_MAX;
    return s == ST_OK && scsi->blkdev.bytes_max == 0 ? ST_UNSUPPORTED : s;
}

void virtio_scsi_wire_bus(struct virtio_bus *bus) REQUIRES(BOOT);
void virtio_scsi_wire_bus(struct virtio_bus *bus)
{
    virtio_scsi_self.bus = bus;
}

struct blkdev *virtio_scsi_provide_disk(void) REQUIRES(BOOT);
struct blkdev *virtio_scsi_provide_disk(void)
{
    ASSERT(virtio_scsi_self.blkdev.ops != NULL);
    return &virtio_scsi_self.blkdev;
}

status_t virtio_scsi_start(void) REQUIRES(BOOT);
status_t virtio_scsi_start(void)
{
    struct virtio_scsi *scsi = &virtio_scsi_self;

    scsi->device = virtio_bus_take(scsi->bus, VIRTIO_SCSI);
    if (scsi->device == NULL) {
        log_err(
            "no virtio SCSI adapter: add '-device virtio-scsi-pci -drive if=none,id=disk,file=...,format=raw -device "
            "scsi-hd,drive=disk' to QEMU, or remove drv/virtio-scsi from the profile");
        return ST_UNSUPPORTED;
    }
    status_t s =
        virtio_open(scsi->device, &virtio_scsi_driver, SCSI_F_HOTPLUG | SCSI_F_CHANGE | VIRTIO_F_INDIRECT_DESC, 0);
    if (s != ST_OK) {
        return s;
    }
    scsi->blkdev.name = "disk0";
    scsi->blkdev.depth = VIRTIO_SCSI_DEPTH;
    s = device_setup(scsi);
    if (s != ST_OK) {
        virtio_give_up(scsi->device, status_name(s));
        return s;
    }
    scsi->blkdev.ops = &virtio_scsi_ops;
    health_add(&scsi->health, "drv/virtio-scsi");
    loop_post_boot(&scsi->again); /* BOOT took what interrupts were asked for; events may have come meanwhile */
    describe(scsi);
    return ST_OK;
}
