/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_blk_model.c: a virtio block device (virtio 1.2, 5.2) with a medium behind it.
 *
 *  (1) A request's data is copied between the driver's memory and the medium's when it begins (a write) or ends (a read);
 *      requests end in the order that the medium likes, each once. What ends after a reset is dropped.
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

enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4, TYPE_GET_ID = 8 };
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
};
_Static_assert(sizeof(struct config) == 32, "virtio 1.2, 5.2.4, up to the topology");

struct header {
    uint32_t type, reserved;
    uint64_t sector;
};

/* One chain that is in the works. */
struct work {
    struct disk_request request;
    struct vm_chain chain;
    uint32_t type;
    bool used;
};

struct disk {
    struct vm_device device;
    struct config config;
    struct disk_medium *medium;
    struct work work[QUEUE_SIZE]; /* by tag; a chain that is out has one, and there are no more chains */
    bool batch;                   /* notify() runs, and will signal */
    char id[20];
};

static void work_end(struct disk *disk, struct work *work, uint8_t status)
{
    uint32_t written = work->type == TYPE_OUT || work->type == TYPE_FLUSH ? 1 : work->chain.in_bytes;

    vm_chain_write(&work->chain, work->chain.in_bytes - 1, &status, 1);
    vm_push(&disk->device, 0, &work->chain, written);
    free(work->request.bytes);
    *work = (struct work){0};
    if (!disk->batch) {
        vm_signal(&disk->device, 0);
    }
}

static void medium_done(struct disk_medium *medium, struct disk_request *request, bool ok)
{
    struct disk *disk = medium->model;
    struct work *work = &disk->work[request->tag];

    if (!vm_chain_alive(&disk->device, &work->chain)) { /* (1) */
        free(request->bytes);
        *work = (struct work){0};
        return;
    }
    if (ok && work->type == TYPE_IN) {
        vm_chain_write(&work->chain, 0, request->bytes, request->size);
    }
    work_end(disk, work, ok ? STATUS_OK : STATUS_IOERR);
}

/* In a read the last writable byte is the status and no data. */
static void transfer(struct disk *disk, struct work *work, const struct header *header)
{
    bool in = header->type == TYPE_IN;
    uint32_t bytes = in ? work->chain.in_bytes - 1 : work->chain.out_bytes - (uint32_t)sizeof *header;
    uint64_t count = bytes / DISK_SECTOR;

    if (bytes % DISK_SECTOR != 0 || header->sector > disk->config.capacity ||
        count > disk->config.capacity - header->sector || (!in && disk->medium->read_only)) { /* 5.2.6.2 */
        work_end(disk, work, STATUS_IOERR);
        return;
    }
    work->request.work = in ? DISK_READ : DISK_WRITE;
    work->request.sector = header->sector;
    work->request.size = bytes;
    work->request.bytes = malloc(bytes != 0 ? bytes : 1);
    if (work->request.bytes == NULL) {
        sim_die("virtio-blk: no memory for %u bytes", bytes);
    }
    if (!in) {
        vm_chain_read(&work->chain, sizeof *header, work->request.bytes, bytes);
    }
    disk->medium->begin(disk->medium, &work->request);
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
    default:
        work_end(disk, work, STATUS_UNSUPP);
        return;
    }
}

static struct work *work_new(struct disk *disk)
{
    for (uint32_t i = 0; i < QUEUE_SIZE; i++) {
        if (!disk->work[i].used) {
            disk->work[i].used = true;
            disk->work[i].request.tag = i;
            return &disk->work[i];
        }
    }
    return NULL; /* of before a reset, some are still with the medium */
}

static void notify(struct vm_device *device, unsigned queue)
{
    static struct vm_chain chain;
    struct disk *disk = (struct disk *)device; /* the first member */

    disk->batch = true;
    while (vm_pop(device, queue, &chain)) {
        struct header header;
        struct work *work = work_new(disk);
        if (work == NULL) {
            sim_die("virtio-blk: more requests than the queue has");
        }
        if (vm_chain_read(&chain, 0, &header, sizeof header) != sizeof header || chain.in_bytes == 0) {
            sim_die("virtio-blk: a request without header or status (5.2.6)");
        }
        work->chain = chain;
        work->type = header.type;
        request_begin(disk, work, &header);
    }
    disk->batch = false;
    vm_signal(device, queue);
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
        .name = "virtio-blk", .type = 2, .queue_count = 1, .queue_size = QUEUE_SIZE, .notify = notify};
    disk->device.features = F_SEG_MAX | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY;
    disk->device.config = &disk->config;
    disk->device.config_size = sizeof disk->config;
    disk->config.seg_max = VM_SEGMENTS_MAX - 2;
    disk->config.blk_size = DISK_SECTOR;
    disk->config.physical_block_exp = 3; /* 4 KiB, as file systems write */
    snprintf(disk->id, sizeof disk->id, "sim-disk-%u", count++);
    medium_changed(disk->medium);
    vm_device_add(&disk->device);
    return true;
}

const struct sim_model virtio_blk_model = {.name = "virtio-blk", .start = start};
