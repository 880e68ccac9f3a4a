/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_io.c: transfers of data, as many at once as the disk takes; the others wait in order.
 */
#include "core/assert.h"
#include "engine.h"

static void count(const struct blk_request *request, status_t status) REQUIRES(LOOP)
{
    struct engine_counters *count = &engine_self.count;
    uint64_t *bytes = request->op == BLK_READ ? &count->bytes_read : &count->bytes_written;

    if (status != ST_OK) {
        count->errors++;
        return;
    }
    for (uint32_t i = 0; i < request->segment_count; i++) {
        *bytes += request->segment[i].size;
    }
}

static void request_done(struct blk_request *request, status_t status)
{
    room_assert_loop();
    struct engine_io *io = CONTAINER_OF(request, struct engine_io, request);

    count(request, status);
    io->done(io, status);
    blkdev_queue_ended(&engine_self.io);
}

void engine_io_set(struct engine_io *io, enum blk_op op, uint64_t block,
                   void (*done)(struct engine_io *io, status_t status))
{
    io->done = done;
    io->request =
        (struct blk_request){.op = op, .sector = block * ENGINE_SECTORS, .segment = io->segment, .done = request_done};
}

void engine_io_add(struct engine_io *io, void *bytes, uint32_t size)
{
    io->segment[io->request.segment_count++] = (struct blk_segment){bytes, size};
}

void engine_io_start(struct engine_io *io)
{
    blkdev_queue_push(&engine_self.io, &io->request);
}
