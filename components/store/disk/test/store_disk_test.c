/* SPDX-License-Identifier: MIT OR Apache-2.0
 * store_disk_test.c: a call is one request with the region's memory in it; what is wrong is refused and nothing stays behind; a
 * call ends when the disk has ended, cancelled or not.
 */
#include "../store_disk.c"
#include "asker.h"

#define CALLS 4u

static struct {
    struct blkdev device;
    struct blk_request *pending[CALLS + 1];
    unsigned count;
} disk;
static struct asker ask[CALLS + 1];
static struct region region, reader;
static unsigned char memory[16384];

static status_t submit(struct blkdev *device, struct blk_request *request)
{
    REQUIRE(disk.count < CALLS);
    status_t s = blkdev_check(device, request);
    if (s == ST_OK && device->dead) {
        s = ST_CLOSED;
    }
    if (s == ST_OK) {
        disk.pending[disk.count++] = request;
    }
    return s;
}

static void finish(status_t status)
{
    struct blk_request *request = disk.pending[--disk.count];

    request->done(request, status);
}

static void begin(void)
{
    static const struct blkdev_ops ops = {submit};

    test_room = ROOM_BOOT;
    memset(&disk, 0, sizeof disk);
    disk.device = (struct blkdev){.ops = &ops,
                                  .name = "disk0",
                                  .sectors = 1000,
                                  .logical_bytes = 512,
                                  .physical_bytes = 4096,
                                  .bytes_max = 8192,
                                  .segments_max = 8,
                                  .depth = CALLS,
                                  .id = "serial"};
    if (self.disk == NULL) {
        store_disk_wire_disk(&disk.device);
    }
    region_init(&region, memory, sizeof memory, REGION_READ | REGION_WRITE);
    region_init(&reader, memory, sizeof memory, REGION_READ);
}

static void ask_read(struct asker *a, uint64_t sector, uint32_t bytes, struct object *lent, uint64_t offset)
{
    struct block_device_read_params_builder params =
        block_device_read_begin(&a->call, store_disk_provide_device(), asker_params(a), &asker_source);

    block_device_read_params_set_sector(params, sector);
    block_device_read_params_set_bytes(params, bytes);
    block_device_read_params_set_region(params, lent);
    block_device_read_params_set_offset(params, offset);
    object_call(store_disk_provide_device(), &a->call);
}

static void ask_write(struct asker *a, uint64_t sector, uint32_t bytes, struct object *lent, uint64_t offset)
{
    struct block_device_write_params_builder params =
        block_device_write_begin(&a->call, store_disk_provide_device(), asker_params(a), &asker_source);

    block_device_write_params_set_sector(params, sector);
    block_device_write_params_set_bytes(params, bytes);
    block_device_write_params_set_region(params, lent);
    block_device_write_params_set_offset(params, offset);
    object_call(store_disk_provide_device(), &a->call);
}

static void ask_flush(struct asker *a)
{
    block_device_flush_begin(&a->call, store_disk_provide_device(), asker_params(a), &asker_source);
    object_call(store_disk_provide_device(), &a->call);
}

static void nothing_is_left(void)
{
    for (unsigned i = 0; i <= CALLS; i++) {
        asker_forget(&ask[i]); /* what the params hold */
    }
    CHECK_EQ(self.jobs.in_use, 0);
    CHECK_EQ(region.object.references, 1);
    CHECK_EQ(reader.object.references, 1);
}

static void test_transfers(void)
{
    begin();
    ask_read(&ask[0], 8, 4096, &region.object, 512);
    REQUIRE(disk.count == 1);
    struct blk_request *r = disk.pending[0];
    CHECK(r->op == BLK_READ && r->sector == 8 && r->segment_count == 1);
    CHECK(r->segment[0].data == memory + 512); /* no copy */
    CHECK_EQ(r->segment[0].size, 4096);
    CHECK_EQ(region.object.references, 3); /* the message's and the open span's */
    finish(ST_OK);
    CHECK_EQ(ask[0].returned, 1);
    ask_write(&ask[0], 16, 8192, &reader.object, 0);
    CHECK(disk.pending[0]->op == BLK_WRITE && disk.pending[0]->segment[0].data == memory);
    finish(ST_OK);
    CHECK_EQ(ask[0].returned, 1);
    ask_flush(&ask[0]);
    CHECK(disk.pending[0]->op == BLK_FLUSH);
    finish(ST_IO);
    CHECK_EQ(ask[0].failed, 1);
    CHECK_STR(ask[0].reason, "i/o error: disk0");
    nothing_is_left();
}

static void test_refused(void)
{
    begin();
    ask_read(&ask[0], 0, 4096, &reader.object, 0); /* may not be written to */
    CHECK_STR(ask[0].reason, "denied: the region");
    ask_read(&ask[0], 0, 4096, &region.object, sizeof memory - 4095);
    CHECK_STR(ask[0].reason, "out of range: the region");
    ask_read(&ask[0], 0, 4096, NULL, 0);
    CHECK_STR(ask[0].reason, "bad argument: the region");
    ask_read(&ask[0], 0, 4096, store_disk_provide_device(), 0);
    CHECK_STR(ask[0].reason, "bad argument: the region");
    ask_read(&ask[0], 0, 0, &region.object, 0);
    CHECK_STR(ask[0].reason, "bad argument: the region");
    ask_read(&ask[0], 0, 511, &region.object, 0);
    CHECK_STR(ask[0].reason, "bad argument: disk0");
    ask_read(&ask[0], 0, 16384, &region.object, 0); /* more than bytes_max */
    CHECK_STR(ask[0].reason, "bad argument: disk0");
    ask_read(&ask[0], 993, 4096, &region.object, 0);
    CHECK_STR(ask[0].reason, "out of range: disk0");
    ask_read(&ask[0], UINT64_MAX, 4096, &region.object, 0);
    CHECK_STR(ask[0].reason, "out of range: disk0");
    disk.device.dead = true;
    ask_write(&ask[0], 0, 4096, &region.object, 0);
    CHECK_EQ(ask[0].type, EXCEPTION_DISCONNECTED);
    CHECK_EQ(disk.count, 0);
    nothing_is_left();
}

static void test_depth(void)
{
    begin();
    for (unsigned i = 0; i < CALLS; i++) {
        ask_read(&ask[i], 0, 512, &region.object, i * 512);
    }
    ask_flush(&ask[CALLS]);
    CHECK_EQ(ask[CALLS].type, EXCEPTION_OVERLOADED);
    CHECK_EQ(ask[CALLS].failed, 1);
    finish(ST_OK);
    ask_flush(&ask[CALLS]); /* there is room again */
    while (disk.count > 0) {
        finish(ST_OK);
    }
    CHECK_EQ(ask[CALLS].returned, 1);
    nothing_is_left();
}

/* The memory is the disk's until it has ended: a cancelled call waits for that. */
static void test_cancel(void)
{
    begin();
    ask_read(&ask[0], 0, 4096, &region.object, 0);
    call_cancel(&ask[0].call);
    CHECK(ask[0].call.out);
    CHECK_EQ(region.object.references, 3);
    finish(ST_OK);
    CHECK_EQ(ask[0].returned, 1);
    nothing_is_left();
}

static void ask_discard(struct asker *a, uint64_t sector, uint32_t sectors)
{
    struct block_device_discard_params_builder params =
        block_device_discard_begin(&a->call, store_disk_provide_device(), asker_params(a), &asker_source);

    block_device_discard_params_set_sector(params, sector);
    block_device_discard_params_set_sectors(params, sectors);
    object_call(store_disk_provide_device(), &a->call);
}

static void ask_zeroes(struct asker *a, uint64_t sector, uint32_t sectors)
{
    struct block_device_write_zeroes_params_builder params =
        block_device_write_zeroes_begin(&a->call, store_disk_provide_device(), asker_params(a), &asker_source);

    block_device_write_zeroes_params_set_sector(params, sector);
    block_device_write_zeroes_params_set_sectors(params, sectors);
    object_call(store_disk_provide_device(), &a->call);
}

/* Discards and zeroes go through where the disk has them, within its limits. */
static void test_clears(void)
{
    begin();
    ask_discard(&ask[0], 8, 16);
    CHECK_EQ(ask[0].type, EXCEPTION_UNIMPLEMENTED);
    disk.device.discard_sectors_max = 16;
    disk.device.zeroes_sectors_max = 7;
    ask_discard(&ask[0], 8, 17);
    CHECK_STR(ask[0].reason, "bad argument: disk0");
    ask_zeroes(&ask[0], 994, 7);
    CHECK_STR(ask[0].reason, "out of range: disk0");
    ask_discard(&ask[0], 8, 16);
    ask_zeroes(&ask[1], 9, 7);
    REQUIRE(disk.count == 2);
    CHECK(disk.pending[0]->op == BLK_DISCARD && disk.pending[0]->sector == 8 && disk.pending[0]->sector_count == 16);
    CHECK(disk.pending[1]->op == BLK_WRITE_ZEROES && disk.pending[1]->sector == 9 &&
          disk.pending[1]->sector_count == 7);
    finish(ST_IO);
    finish(ST_OK);
    CHECK(ask[0].returned == 1 && ask[1].failed == 1);
    nothing_is_left();
}

static void test_info(void)
{
    begin();
    disk.device.discard_sectors_max = 16;
    disk.device.discard_sectors = 8;
    disk.device.zeroes_sectors_max = 7;
    block_device_info_begin(&ask[0].call, store_disk_provide_device(), asker_params(&ask[0]), &asker_source);
    object_call(store_disk_provide_device(), &ask[0].call);
    struct block_device_info_results_reader info = block_device_info_answer(&ask[0].call);
    CHECK_EQ(block_device_info_results_get_sectors(info), 1000);
    CHECK_EQ(block_device_info_results_get_depth(info), CALLS); /* the disk's, where that is less than the option */
    CHECK(capnp_text_equal(block_device_info_results_get_id(info), capnp_text("serial")));
    CHECK_EQ(block_device_info_results_get_discard_sectors_max(info), 16);
    CHECK_EQ(block_device_info_results_get_discard_sectors(info), 8);
    CHECK_EQ(block_device_info_results_get_zeroes_sectors_max(info), 7);
    nothing_is_left();
}

/* --- the port -------------------------------------------------------------------------------------------------------- */

static struct {
    unsigned done;
    status_t status;
} port;

static void port_done(struct blk_request *request, status_t status)
{
    port.done++;
    port.status = status;
}

/* Calls and the port share the disk's depth; who comes too many waits, in order, and a call's end lets the port's next in. */
static void test_port(void)
{
    static struct blk_request request[CALLS + 1];
    struct blk_segment segment = {memory, 512};
    struct blkdev *device = store_disk_provide_port();

    begin();
    memset(&port, 0, sizeof port);
    CHECK_EQ(device->sectors, 1000);
    for (unsigned i = 0; i < 2; i++) {
        ask_read(&ask[i], i, 512, &region.object, 0);
    }
    for (unsigned i = 0; i <= CALLS; i++) {
        request[i] = (struct blk_request){
            .op = BLK_READ, .sector = 10 + i, .segment = &segment, .segment_count = 1, .done = port_done};
        CHECK_EQ(blkdev_submit(device, &request[i]), i < CALLS ? ST_OK : ST_FULL);
    }
    CHECK_EQ(disk.count, CALLS); /* two calls, two of the port */
    finish(ST_IO);
    CHECK(port.done == 1 && port.status == ST_IO);
    CHECK_EQ(disk.count, CALLS);
    CHECK_EQ(disk.pending[CALLS - 1]->sector, 12);
    while (disk.count > 0) {
        finish(ST_OK);
    }
    CHECK_EQ(port.done, CALLS);
    CHECK(ask[0].returned == 1 && ask[1].returned == 1);
    request[0].sector = 1000;
    CHECK_EQ(blkdev_submit(device, &request[0]), ST_RANGE);
    disk.device.dead = true;
    request[0].sector = 0;
    CHECK(blkdev_submit(device, &request[0]) == ST_CLOSED && device->dead);
    disk.device.dead = false;
    CHECK_EQ(port.done, CALLS);
    CHECK_EQ(self.relays.in_use, 0);
    CHECK_EQ(self.queue.out, 0);
    nothing_is_left();
}

int main(void)
{
    RUN(test_transfers);
    RUN(test_refused);
    RUN(test_depth);
    RUN(test_clears);
    RUN(test_cancel);
    RUN(test_info);
    RUN(test_port);
    return test_end();
}
