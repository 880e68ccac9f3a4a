/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_blk_model.c: a virtio block device (virtio 1.2, 5.2) with a medium behind it.
 *
 *  (1) A request's data is copied between the driver's memory and the medium's when it begins (a write) or ends (a read);
 *      requests end in the order that the medium likes, each once. What ends after a reset is dropped.
 *  (2) There are tags for WORKS requests. More wait in their queues, which are looked at again when one has ended.
 *  (3) Discarded sectors read as zeroes, which is one of the things that they may do. Zeroes are written as such.
 */
#include "models/virtio-blk/virtio_blk_model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "models/disk/disk_medium.h"
#include "models/virtio/virtio_model.h"

#define QUEUE_SIZE 256u
#define F_SEG_MAX (1ull << 2)
#define F_RO (1ull << 5)
#define F_BLK_SIZE (1ull << 6)
#define F_FLUSH (1ull << 9)
#define F_TOPOLOGY (1ull << 10)
#define F_MQ (1ull << 12)
#define F_DISCARD (1ull << 13)
#define F_WRITE_ZEROES (1ull << 14)
#define WORKS 256u
#define RANGE_SECTORS_MAX 4096u
#define RANGE_UNMAP 1u

enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4, TYPE_GET_ID = 8, TYPE_DISCARD = 11, TYPE_WRITE_ZEROES = 13 };
enum { STATUS_OK = 0, STATUS_IOERR = 1, STATUS_UNSUPP = 2 };

struct config { /* virtio 1.2, 5.2.4 */
    uint64_t capacity;
    uint32_t size_max, seg_max;
    uint16_t cylinders;
    uint8_t heads, sectors;
    uint32_t blk_size;
    uint8_t physical_block_exp, alignment_offset;
    uint16_t min_io_size;
    uint32_t opt_io_size;
    uint8_t writeback, unused;
    uint16_t num_queues;
    uint32_t max_discard_sectors, max_discard_seg, discard_sector_alignment;
    uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
    uint8_t write_zeroes_may_unmap, unused1[3];
};
_Static_assert(sizeof(struct config) == 64, "virtio 1.2, 5.2.4, up to what zeroes may do, and padding");

struct header {
    uint32_t type, reserved;
    uint64_t sector;
};

struct range { /* of DISCARD and WRITE_ZEROES: 5.2.6 */
    uint64_t sector;
    uint32_t count, flags;
};

/* One chain that is in the works. */
struct work {
    struct disk_request request;
    struct vm_chain chain;
    uint32_t type;
    unsigned queue;
    bool used;
};

struct disk {
    struct vm_device device;
    struct config config;
    struct disk_medium *medium;
    struct work work[WORKS]; /* by tag: (2) */
    bool batch;              /* queues are looked at, and will be signalled */
    bool stuck;              /* (2): there are chains without a tag */
    char id[20];
};

static void queues_look(struct disk *disk);

static void work_free(struct disk *disk, struct work *work)
{
    free(work->request.bytes);
    *work = (struct work){0};
    if (disk->stuck && !disk->batch) {
        queues_look(disk); /* (2) */
    }
}

static void work_end(struct disk *disk, struct work *work, uint8_t status)
{
    bool reads = work->type == TYPE_IN || work->type == TYPE_GET_ID;

    vm_chain_write(&work->chain, work->chain.in_bytes - 1, &status, 1);
    vm_push(&disk->device, work->queue, &work->chain, reads ? work->chain.in_bytes : 1);
    if (!disk->batch) {
        vm_signal(&disk->device, work->queue);
    }
    work_free(disk, work);
}

static void medium_done(struct disk_medium *medium, struct disk_request *request, bool ok)
{
    struct disk *disk = medium->model;
    struct work *work = &disk->work[request->tag];

    if (!vm_chain_alive(&disk->device, &work->chain)) { /* (1) */
        work_free(disk, work);
        return;
    }
    if (ok && work->type == TYPE_IN) {
        vm_chain_write(&work->chain, 0, request->bytes, request->size);
    }
    work_end(disk, work, ok ? STATUS_OK : STATUS_IOERR);
}

static bool place_wrong(const struct disk *disk, uint64_t sector, uint64_t count, bool writes)
{
    return sector > disk->config.capacity || count > disk->config.capacity - sector ||
           (writes && disk->medium->read_only); /* 5.2.6.2 */
}

/* Data of `bytes` zeroes, to be filled in. */
static void medium_request(struct work *work, enum disk_work what, uint64_t sector, uint32_t bytes)
{
    work->request.work = what;
    work->request.sector = sector;
    work->request.size = bytes;
    work->request.bytes = calloc(1, bytes != 0 ? bytes : 1);
    if (work->request.bytes == NULL) {
        sim_die("virtio-blk: no memory for %u bytes", bytes);
    }
}

/* In a read the last writable byte is the status and no data. */
static void transfer(struct disk *disk, struct work *work, const struct header *header)
{
    bool in = header->type == TYPE_IN;
    uint32_t bytes = in ? work->chain.in_bytes - 1 : work->chain.out_bytes - (uint32_t)sizeof *header;

    if (bytes % DISK_SECTOR != 0 || place_wrong(disk, header->sector, bytes / DISK_SECTOR, !in)) {
        work_end(disk, work, STATUS_IOERR);
        return;
    }
    medium_request(work, in ? DISK_READ : DISK_WRITE, header->sector, bytes);
    if (!in) {
        vm_chain_read(&work->chain, sizeof *header, work->request.bytes, bytes);
    }
    disk->medium->begin(disk->medium, &work->request);
}

/* DISCARD and WRITE_ZEROES: (3) */
static void range_clear(struct disk *disk, struct work *work)
{
    bool agreed = vm_has(&disk->device, work->type == TYPE_DISCARD ? F_DISCARD : F_WRITE_ZEROES);
    uint32_t flags = work->type == TYPE_DISCARD ? 0 : RANGE_UNMAP;
    struct range range;

    if (work->chain.out_bytes != sizeof(struct header) + sizeof range) {
        sim_die("virtio-blk: %u bytes of ranges; one is what it takes (5.2.6.1)", work->chain.out_bytes);
    }
    vm_chain_read(&work->chain, sizeof(struct header), &range, sizeof range);
    if (range.count > RANGE_SECTORS_MAX) {
        sim_die("virtio-blk: a range of %u sectors; %u are the limit (5.2.6.1)", range.count, RANGE_SECTORS_MAX);
    }
    if (!agreed || (range.flags & ~flags) != 0) {
        work_end(disk, work, STATUS_UNSUPP); /* 5.2.6.2 */
    } else if (place_wrong(disk, range.sector, range.count, true)) {
        work_end(disk, work, STATUS_IOERR);
    } else {
        medium_request(work, DISK_WRITE, range.sector, range.count * DISK_SECTOR);
        disk->medium->begin(disk->medium, &work->request);
    }
}

static void identify(struct disk *disk, struct work *work)
{
    uint32_t room = work->chain.in_bytes - 1;

    vm_chain_write(&work->chain, 0, disk->id, room < sizeof disk->id ? room : sizeof disk->id);
    work_end(disk, work, STATUS_OK);
}

static void request_begin(struct disk *disk, struct work *work, const struct header *header)
{
    switch (header->type) {
    case TYPE_IN:
    case TYPE_OUT:
        transfer(disk, work, header);
        return;
    case TYPE_FLUSH:
        work->request.work = DISK_FLUSH;
        disk->medium->begin(disk->medium, &work->request);
        return;
    case TYPE_GET_ID:
        identify(disk, work);
        return;
    case TYPE_DISCARD:
    case TYPE_WRITE_ZEROES:
        range_clear(disk, work);
        return;
    default:
        work_end(disk, work, STATUS_UNSUPP);
        return;
    }
}

/* NULL: (2) */
static struct work *work_find(struct disk *disk)
{
    for (uint32_t i = 0; i < WORKS; i++) {
        if (!disk->work[i].used) {
            return &disk->work[i];
        }
    }
    return NULL;
}

static void chain_begin(struct disk *disk, unsigned queue, const struct vm_chain *chain, struct work *work)
{
    struct header header;

    if (vm_chain_read(chain, 0, &header, sizeof header) != sizeof header || chain->in_bytes == 0) {
        sim_die("virtio-blk: a request without header or status (5.2.6)");
    }
    *work = (struct work){.used = true, .chain = *chain, .type = header.type, .queue = queue};
    work->request.tag = (uint32_t)(work - disk->work);
    request_begin(disk, work, &header);
}

static void queue_look(struct disk *disk, unsigned queue)
{
    static struct vm_chain chain;
    struct work *work = work_find(disk);

    while (work != NULL && vm_pop(&disk->device, queue, &chain)) {
        chain_begin(disk, queue, &chain, work);
        work = work_find(disk);
    }
    disk->stuck |= work == NULL;
    vm_signal(&disk->device, queue);
}

static void queues_look(struct disk *disk)
{
    disk->batch = true;
    disk->stuck = false;
    for (unsigned i = 0; i < disk->device.queue_count; i++) {
        queue_look(disk, i);
    }
    disk->batch = false;
}

static void notify(struct vm_device *device, unsigned queue)
{
    struct disk *disk = (struct disk *)device; /* the first member */

    disk->batch = true;
    queue_look(disk, queue);
    disk->batch = false;
}

static void medium_changed(struct disk_medium *medium)
{
    struct disk *disk = medium->model;

    disk->config.capacity = medium->sectors;
    disk->device.features = (disk->device.features & ~F_RO) | (medium->read_only ? F_RO : 0);
    vm_config_changed(&disk->device);
}

static bool start(const char *argument, char *why, size_t why_size)
{
    static unsigned count;
    struct disk *disk = calloc(1, sizeof *disk);

    if (disk == NULL) {
        sim_die("virtio-blk: no memory");
    }
    disk->medium = disk_medium_open(argument, why, why_size);
    if (disk->medium == NULL) {
        free(disk);
        return false;
    }
    disk->medium->model = disk;
    disk->medium->done = medium_done;
    disk->medium->changed = medium_changed;
    disk->device = (struct vm_device){
        .name = "virtio-blk", .type = 2, .queue_count = VM_QUEUES_MAX, .queue_size = QUEUE_SIZE, .notify = notify};
    disk->device.features = F_SEG_MAX | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY | F_MQ | F_DISCARD | F_WRITE_ZEROES;
    disk->device.config = &disk->config;
    disk->device.config_size = sizeof disk->config;
    disk->config.seg_max = VM_SEGMENTS_MAX - 2;
    disk->config.blk_size = DISK_SECTOR;
    disk->config.physical_block_exp = 3; /* 4 KiB, as file systems write */
    disk->config.num_queues = VM_QUEUES_MAX;
    disk->config.max_discard_sectors = disk->config.max_write_zeroes_sectors = RANGE_SECTORS_MAX;
    disk->config.max_discard_seg = disk->config.max_write_zeroes_seg = 1;
    disk->config.discard_sector_alignment = 8;
    disk->config.write_zeroes_may_unmap = 1;
    snprintf(disk->id, sizeof disk->id, "sim-disk-%u", count++);
    medium_changed(disk->medium);
    vm_device_add(&disk->device);
    return true;
}

const struct sim_model virtio_blk_model = {.name = "virtio-blk", .start = start};
