/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_io.c: transfers of data, as many at once as the disk takes; the others wait in order.
 */
#define LOG_TAG "store"
#include "core/assert.h"
#include "core/log.h"
#include "engine.h"
#include "lib/crc32c/crc32c.h"

static void io_advance(void) REQUIRES(LOOP);

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

    ASSERT(engine_self.io_out > 0);
    engine_self.io_out--;
    count(request, status);
    io->done(io, status);
    io_advance();
}

/* Ends may come back here: the outermost call does it all. */
static void io_advance(void)
{
    if (engine_self.io_advancing) {
        return;
    }
    engine_self.io_advancing = true;
    while (engine_self.io_out < engine_self.data->depth && !list_empty(&engine_self.io_waiting)) {
        struct blk_request *request = CONTAINER_OF(list_pop_front(&engine_self.io_waiting), struct blk_request, node);
        engine_self.io_out++;
        status_t s = blkdev_submit(engine_self.data, request);
        ASSERT(s != ST_FULL); /* at most its depth, and nobody else uses it */
        if (s != ST_OK) {
            request_done(request, s);
        }
    }
    engine_self.io_advancing = false;
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
    list_push_back(&engine_self.io_waiting, &io->request.node);
    io_advance();
}
