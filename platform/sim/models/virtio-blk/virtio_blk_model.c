/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_blk_model.c: a virtio block device (virtio 1.2, 5.2) with a file behind it. FLUSH is fdatasync, so that what the
 * image was told is durable is so after the host's own power cut.
 *
 * Requests are done at once, inside the driver's notification, in the order of the ring. The file is locked: two
 * processes never have the same disk.
 */
#include "models/virtio-blk/virtio_blk_model.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "models/virtio-mmio/virtio_mmio_model.h"

#define SECTOR 512u
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

struct disk {
    struct vm_device device;
    struct config config;
    int fd;
    char id[20];
};

struct header {
    uint32_t type, reserved;
    uint64_t sector;
};

/* Reads or writes every data segment at its place. In a read the last writable byte is the status and no data. */
static bool transfer(struct disk *disk, const struct vm_chain *chain, const struct header *header)
{
    bool in = header->type == TYPE_IN;
    uint32_t bytes = in ? chain->in_bytes - 1 : chain->out_bytes - (uint32_t)sizeof *header;
    uint64_t count = bytes / SECTOR;
    uint8_t *copy;

    if (bytes % SECTOR != 0 || header->sector > disk->config.capacity ||
        count > disk->config.capacity - header->sector) {
        return false;
    }
    copy = malloc(bytes != 0 ? bytes : 1);
    if (copy == NULL) {
        sim_die("virtio-blk: no memory for %u bytes", bytes);
    }
    off_t at = (off_t)(header->sector * SECTOR);
    ssize_t done = 0;
    if (in) {
        done = pread(disk->fd, copy, bytes, at);
        vm_chain_write(chain, 0, copy, bytes);
    } else {
        vm_chain_read(chain, sizeof *header, copy, bytes);
        done = pwrite(disk->fd, copy, bytes, at);
    }
    free(copy);
    return done == (ssize_t)bytes;
}

static uint8_t request_do(struct disk *disk, const struct vm_chain *chain, const struct header *header)
{
    switch (header->type) {
    case TYPE_IN:
        return transfer(disk, chain, header) ? STATUS_OK : STATUS_IOERR;
    case TYPE_OUT:
        if ((disk->device.features & F_RO) != 0) {
            return STATUS_IOERR; /* 5.2.6.2 */
        }
        return transfer(disk, chain, header) ? STATUS_OK : STATUS_IOERR;
    case TYPE_FLUSH:
        return fdatasync(disk->fd) == 0 ? STATUS_OK : STATUS_IOERR;
    case TYPE_GET_ID:
        vm_chain_write(chain, 0, disk->id,
                       chain->in_bytes - 1 < sizeof disk->id ? chain->in_bytes - 1 : sizeof disk->id);
        return STATUS_OK;
    default:
        return STATUS_UNSUPP;
    }
}

static void notify(struct vm_device *device, unsigned queue)
{
    static struct vm_chain chain;
    struct disk *disk = (struct disk *)device; /* the first member */

    while (vm_pop(device, queue, &chain)) {
        struct header header;
        if (vm_chain_read(&chain, 0, &header, sizeof header) != sizeof header || chain.in_bytes == 0) {
            sim_die("virtio-blk: a request without header or status (5.2.6)");
        }
        uint8_t status = request_do(disk, &chain, &header);
        vm_chain_write(&chain, chain.in_bytes - 1, &status, 1);
        vm_push(device, queue, &chain, header.type == TYPE_OUT || header.type == TYPE_FLUSH ? 1 : chain.in_bytes);
    }
    vm_signal(device, queue);
}

static bool file_open(struct disk *disk, const char *path, char *why, size_t why_size)
{
    struct stat about;

    disk->fd = open(path, O_RDWR | O_CLOEXEC);
    if (disk->fd < 0 && (errno == EACCES || errno == EROFS)) {
        disk->fd = open(path, O_RDONLY | O_CLOEXEC);
        disk->device.features |= F_RO;
    }
    if (disk->fd < 0 || fstat(disk->fd, &about) != 0) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        return false;
    }
    if (flock(disk->fd, (disk->device.features & F_RO) != 0 ? LOCK_SH | LOCK_NB : LOCK_EX | LOCK_NB) != 0) {
        snprintf(why, why_size, "%s is in use by another process", path);
        return false;
    }
    off_t size = S_ISBLK(about.st_mode) ? lseek(disk->fd, 0, SEEK_END) : about.st_size;
    disk->config.capacity = (uint64_t)size / SECTOR;
    if (disk->config.capacity == 0) {
        snprintf(why, why_size, "%s is empty; make it with: truncate -s 64M %s", path, path);
        return false;
    }
    return true;
}

static bool start(const char *argument, char *why, size_t why_size)
{
    static unsigned count;
    struct disk *disk = calloc(1, sizeof *disk);

    if (disk == NULL || argument[0] == '\0') {
        snprintf(why, why_size, "it needs a file");
        return false;
    }
    disk->device =
        (struct vm_device){.name = "virtio-blk", .type = 2, .queue_count = 1, .queue_size = 256, .notify = notify};
    disk->device.features = F_SEG_MAX | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY;
    disk->device.config = &disk->config;
    disk->device.config_size = sizeof disk->config;
    disk->config.seg_max = VM_SEGMENTS_MAX - 2;
    disk->config.blk_size = SECTOR;
    disk->config.physical_block_exp = 3; /* 4 KiB, as file systems write */
    snprintf(disk->id, sizeof disk->id, "sim-disk-%u", count++);
    if (!file_open(disk, argument, why, why_size)) {
        return false;
    }
    vm_device_add(&disk->device);
    return true;
}

const struct sim_model virtio_blk_model = {.name = "virtio-blk", .start = start};
