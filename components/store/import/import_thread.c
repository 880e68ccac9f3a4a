/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import_thread.c: the thread: it has the disk and the volume, and does what lies on the desk when the bell rings.
 */
#include <string.h>
#include "config.h"
#include "core/assert.h"
#include "core/mem.h"
#include "core/thread.h"
#include "import.h"
#include "lib/disk/disk_bell.h"

#define NAME "store/import"
#define STACK (64u * 1024u)
#define SECTOR 512u

static struct {
    struct disk_client client;
    struct disk_bell bell;
} self;

/* --- the work -------------------------------------------------------------------------------------------------------- */

static enum import_answer read_sectors(uint64_t sector, uint32_t sectors, void *bytes)
{
    room_assert_thread();
    return disk_client_read(&self.client, sector, sectors, bytes) == ST_OK ? IMPORT_OK : IMPORT_FAILED;
}

static enum import_answer mount(struct import_desk *desk) REQUIRES(THREAD)
{
    struct disk_client_config config = self.client.config;

    config.reads_only = true;
    if (disk_client_open(&self.client, &config) != ST_OK) {
        desk->found = "a disk that cannot be used";
        return IMPORT_FAILED;
    }
    import_disk_init(read_sectors, self.client.sectors, self.client.logical_bytes / SECTOR);
    desk->disk_bytes = import_disk_bytes();
    return import_volume_mount(&desk->found);
}

static enum import_answer act(struct import_desk *desk) REQUIRES(THREAD)
{
    struct import_op *op = desk->op;

    switch (op->kind) {
    case IMPORT_MOUNT:
        return mount(desk);
    case IMPORT_STAT:
        return import_volume_stat(op->path, &op->node);
    case IMPORT_LIST:
        return import_volume_list(op->path, op->after, desk->page, op->limit, &desk->count, &desk->more);
    case IMPORT_OPEN:
        return import_volume_open(op->path, op->file);
    case IMPORT_READ:
        return import_volume_read(op->file, op->offset, desk->chunk, op->limit, &desk->count);
    }
    UNREACHABLE();
}

static void work(struct ring_shared *ring, void *context)
{
    room_assert_thread();
    (void)context;
    self.client.config = disk_bell_begin(&self.bell, ring);
    for (;;) {
        disk_bell_listen(&self.bell);
        while (!self.bell.rang) {
            disk_client_turn(&self.client, true);
        }
        import_self.desk->op->answer = act(import_self.desk);
        disk_bell_answer(&self.bell);
    }
}

status_t import_thread_init(void)
{
    return disk_bell_start(&self.bell, &(struct disk_bell_thread){.domain = NAME,
                                                                  .name = "import",
                                                                  .endpoint = import_queue_endpoint(),
                                                                  .stack_bytes = STACK,
                                                                  .entry = work});
}
