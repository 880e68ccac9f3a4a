/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import_thread.c: the thread: it has the disk and the volume, and does what lies on the desk when the bell rings.
 */
#include <string.h>
#include "config.h"
#include "core/assert.h"
#include "core/mem.h"
#include "core/thread.h"
#include "import.h"
#include "lib/disk/disk_client.h"

#define NAME "store/import"
#define STACK (64u * 1024u)
#define BELL_AT DISK_CLIENT_AREA /* of the message area: the bell's call, and its answer */
#define AREA (BELL_AT + 256u)
#define SECTOR 512u

static struct {
    struct ring_shared *ring;
    cap_t disk, region, serve; /* [I] */
    struct region *memory;     /* [I] */
    struct disk_client client;
    bool listening, received; /* a RECV is out; the bell rang */
    uint64_t number;          /* of the last RECV, in its user_data */
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

/* --- the bell -------------------------------------------------------------------------------------------------------- */

static void completed(void *context, const struct ring_cqe *cqe)
{
    (void)context;
    ASSERT(cqe->status == ST_OK);
    if (cqe->user_data == self.number && self.listening) { /* not the end of the answer before */
        self.listening = false;
        self.received = true;
    }
}

static void submit(const struct ring_sqe *sqe) REQUIRES(THREAD)
{
    bool taken = ring_submit(self.ring, sqe); /* the disk client leaves room: nothing of its is out now */

    ASSERT(taken);
}

static void listen(void) REQUIRES(THREAD)
{
    self.listening = true;
    self.number++;
    submit(&(struct ring_sqe){.op = RING_RECV,
                              .cap = self.serve,
                              .results_offset = BELL_AT,
                              .results_words_max = 8,
                              .user_data = self.number});
}

static void answer(void) REQUIRES(THREAD)
{
    memset((char *)self.ring->area + BELL_AT, 0, 8);
    submit(
        &(struct ring_sqe){.op = RING_RETURN, .params_offset = BELL_AT, .params_words = 1, .user_data = self.number});
}

static void work(struct ring_shared *ring, void *context)
{
    room_assert_thread();
    (void)context;
    self.ring = ring;
    self.client.config = (struct disk_client_config){
        .ring = ring, .disk = self.disk, .region = self.region, .memory = self.memory, .other = completed};
    for (;;) {
        listen();
        while (!self.received) {
            disk_client_turn(&self.client, true);
        }
        self.received = false;
        import_self.desk->op->answer = act(import_self.desk);
        answer();
    }
}

status_t import_thread_init(void)
{
    struct cap_table *table = domain_table(NAME);

    self.memory = region_new("disk buffers", DISK_CLIENT_REGION, REGION_READ | REGION_WRITE);
    status_t s = domain_cap(NAME, "disk", &self.disk);
    if (s == ST_OK) {
        s = domain_give(table, &self.memory->object, CAP_ALL, &self.region);
    }
    if (s == ST_OK) {
        s = domain_give(table, import_queue_endpoint(), CAP_SERVE, &self.serve);
    }
    if (s == ST_OK) {
        (void)thread_new(&(struct thread_config){.name = "import",
                                                 .entry = work,
                                                 .stack_bytes = STACK,
                                                 .sq_size = 32,
                                                 .cq_size = 64,
                                                 .area_bytes = AREA,
                                                 .caps = table});
    }
    return s;
}
