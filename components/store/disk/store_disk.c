/* SPDX-License-Identifier: MIT OR Apache-2.0
 * store_disk.c: calls become requests of the disk, with the region's own memory as their one segment.
 *
 *  (1) A job is a call that is out, a request that is lent and, when there is memory to it, a span that is open. All three end in
 *      job_done(). So a call that was cancelled, or whose ring was closed, returns when the disk has done with the memory.
 *  (2) At most `depth` requests are with the disk, those of calls and those of the port together; the others wait in the order in
 *      which they came. So blkdev_submit() never answers ST_FULL.
 *  (3) The port is the same disk for one more component, which lends us its request; the disk is lent a copy, so that its end
 *      comes by here.
 */
#include "config.h"
#include "core/mem.h"
#include "core/region.h"
#include "lib/blkdev/blkdev_queue.h"
#include "lib/disk/disk.capnp.h"

/* Keys: [L] the loop only */
struct job {
    struct blk_request request; /* [L] */
    struct blk_segment segment; /* [L] */
    struct call *call;          /* [L] */
    struct object *region;      /* [L] holds the span open; NULL: no memory */
};
_Static_assert(sizeof(struct job) <= 128, "the `memory` line counts this much");

struct relay {
    struct blk_request request; /* [L] */
    struct blk_request *asked;  /* [L] */
};

static struct {
    struct object object;
    struct blkdev *disk; /* [I] */
    struct blkdev port;  /* (3) */
    struct pool jobs;
    struct pool relays;
    struct blkdev_queue queue; /* (2) */
} self;

/* --- calls ----------------------------------------------------------------------------------------------------------- */

static void job_done(struct blk_request *request, status_t status)
{
    room_assert_loop();
    struct job *job = CONTAINER_OF(request, struct job, request);
    struct call *call = job->call;

    object_put(job->region);
    pool_put(&self.jobs, job); /* first: the asker may ask again from within its return */
    if (status == ST_OK) {
        call_return(call);
    } else {
        call_fail_status(call, status, self.disk->name);
    }
    blkdev_queue_ended(&self.queue);
}

/* NULL: the call has failed. */
static struct job *job_new(struct call *call, enum blk_op op) REQUIRES(LOOP)
{
    struct job *job = pool_get(&self.jobs);

    if (job == NULL) {
        call_fail(call, EXCEPTION_OVERLOADED, "%u calls are out already", self.jobs.count);
        return NULL;
    }
    job->call = call;
    job->request = (struct blk_request){.op = op, .done = job_done};
    return job;
}

/* Read and write differ in nothing but who writes to the memory. The params of both have the same layout. */
static void transfer(struct call *call, enum blk_op op, struct block_device_read_params_reader params) REQUIRES(LOOP)
{
    struct object *region = block_device_read_params_get_region(params);
    uint32_t bytes = block_device_read_params_get_bytes(params);
    uint64_t offset = block_device_read_params_get_offset(params);
    struct job *job = job_new(call, op);

    if (job == NULL) {
        return;
    }
    status_t s = region_open(region, offset, bytes, op == BLK_READ ? REGION_WRITE : REGION_READ, &job->segment.data);
    if (s != ST_OK) {
        pool_put(&self.jobs, job);
        call_fail_status(call, s, "the region");
        return;
    }
    job->region = region;
    job->segment.size = bytes;
    job->request.sector = block_device_read_params_get_sector(params);
    job->request.segment = &job->segment;
    job->request.segment_count = 1;
    blkdev_queue_push(&self.queue, &job->request);
}

static void disk_read(struct object *object, struct call *call, struct block_device_read_params_reader params)
{
    room_assert_loop();
    transfer(call, BLK_READ, params);
}

static void disk_write(struct object *object, struct call *call, struct block_device_write_params_reader params)
{
    room_assert_loop();
    transfer(call, BLK_WRITE, (struct block_device_read_params_reader){params.s});
}

static void disk_flush(struct object *object, struct call *call, struct block_device_flush_params_reader params)
{
    room_assert_loop();
    struct job *job = job_new(call, BLK_FLUSH);

    if (job != NULL) {
        blkdev_queue_push(&self.queue, &job->request);
    }
}

/* Discards and zeroes: sectors, no memory. The params of both have the same layout. */
static void clear(struct call *call, enum blk_op op, struct block_device_discard_params_reader params) REQUIRES(LOOP)
{
    struct job *job = job_new(call, op);

    if (job != NULL) {
        job->request.sector = block_device_discard_params_get_sector(params);
        job->request.sector_count = block_device_discard_params_get_sectors(params);
        blkdev_queue_push(&self.queue, &job->request);
    }
}

static void disk_discard(struct object *object, struct call *call, struct block_device_discard_params_reader params)
{
    room_assert_loop();
    clear(call, BLK_DISCARD, params);
}

static void disk_write_zeroes(struct object *object, struct call *call,
                              struct block_device_write_zeroes_params_reader params)
{
    room_assert_loop();
    clear(call, BLK_WRITE_ZEROES, (struct block_device_discard_params_reader){params.s});
}

static void disk_info(struct object *object, struct call *call, struct block_device_info_params_reader params)
{
    room_assert_loop();
    const struct blkdev *disk = self.disk;
    struct block_device_info_results_builder results = block_device_info_results(call, 16);

    block_device_info_results_set_sectors(results, disk->sectors);
    block_device_info_results_set_logical_bytes(results, disk->logical_bytes);
    block_device_info_results_set_physical_bytes(results, disk->physical_bytes);
    block_device_info_results_set_bytes_max(results, disk->bytes_max);
    block_device_info_results_set_depth(results, (uint16_t)self.jobs.count);
    block_device_info_results_set_read_only(results, disk->read_only);
    block_device_info_results_set_id(results, capnp_text(disk->id));
    block_device_info_results_set_discard_sectors_max(results, disk->discard_sectors_max);
    block_device_info_results_set_discard_sectors(results, disk->discard_sectors);
    block_device_info_results_set_zeroes_sectors_max(results, disk->zeroes_sectors_max);
    call_return(call);
}

static void dispatch(struct object *object, struct call *call)
{
    static const struct block_device_server_ops ops = {
        .info = disk_info,
        .read = disk_read,
        .write = disk_write,
        .flush = disk_flush,
        .discard = disk_discard,
        .write_zeroes = disk_write_zeroes,
    };

    room_assert_loop();
    block_device_dispatch(&ops, object, call);
}

/* --- the port: (3) --------------------------------------------------------------------------------------------------- */

static void relayed(struct blk_request *request, status_t status)
{
    room_assert_loop();
    struct relay *relay = CONTAINER_OF(request, struct relay, request);
    struct blk_request *asked = relay->asked;

    pool_put(&self.relays, relay);
    self.port.dead = self.disk->dead;
    asked->done(asked, status);
    blkdev_queue_ended(&self.queue);
}

static status_t port_submit(struct blkdev *port, struct blk_request *request) REQUIRES(LOOP)
{
    status_t s = self.disk->dead ? ST_CLOSED : blkdev_check(self.disk, request); /* so that none ends within here */

    self.port.dead = self.disk->dead; /* which another's request may have shown */
    if (s != ST_OK) {
        return s;
    }
    if (self.relays.in_use == self.relays.count) {
        return ST_FULL;
    }
    struct relay *relay = pool_take(&self.relays); /* there is one */
    relay->asked = request;
    relay->request = *request;
    relay->request.done = relayed;
    blkdev_queue_push(&self.queue, &relay->request);
    return ST_OK;
}

/* --- the component --------------------------------------------------------------------------------------------------- */

void store_disk_wire_disk(struct blkdev *disk) REQUIRES(BOOT);
void store_disk_wire_disk(struct blkdev *disk)
{
    static const struct object_ops object_ops = {.call = dispatch};
    static const struct blkdev_ops port_ops = {port_submit};
    uint32_t requests = STORE_DISK_REQUESTS < disk->depth ? STORE_DISK_REQUESTS : disk->depth;

    self.disk = disk;
    self.port = *disk;
    self.port.ops = &port_ops;
    blkdev_queue_init(&self.queue, disk);
    object_init(&self.object, &object_ops);
    pool_init(&self.jobs, "disk calls", sizeof(struct job), requests);
    pool_init(&self.relays, "disk port", sizeof(struct relay), disk->depth);
}

struct blkdev *store_disk_provide_port(void) REQUIRES(BOOT);
struct blkdev *store_disk_provide_port(void)
{
    return &self.port;
}

struct object *store_disk_provide_device(void) REQUIRES(BOOT);
struct object *store_disk_provide_device(void)
{
    return &self.object;
}

status_t store_disk_start(void) REQUIRES(BOOT);
status_t store_disk_start(void)
{
    return ST_OK;
}
