/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine.c: the component: wiring, start, the console's command.
 */
#define LOG_TAG "store"
#include "config.h"
#include "core/diag.h"
#include "core/log.h"
#include "core/loop.h"
#include "engine.h"
#include "lib/crc32c/crc32c.h"

/* What peers can have open is never more than the catalog can remember. */
_Static_assert(ENGINE_UPLOADS_MAX *ENGINE_FILLS + ENGINE_FILE_WRITES_MAX * CATALOG_EXTENTS_MAX <= CATALOG_LENDS_MAX,
               "a lend for each fill, and for each block of a write");
_Static_assert(ENGINE_UPLOADS_MAX + ENGINE_SOURCES_MAX + ENGINE_FILES_MAX <= CATALOG_HOLDS_MAX,
               "a hold for each upload, source and file");

struct engine engine_self;
static struct work start_work; /* [I] */

void engine_wire_disk(struct object *disk) REQUIRES(BOOT);
void engine_wire_data(struct blkdev *data) REQUIRES(BOOT);
void engine_wire_random(struct random *random) REQUIRES(BOOT);
struct object *engine_provide_store(void) REQUIRES(BOOT);
struct object *engine_provide_names(void) REQUIRES(BOOT);
struct object *engine_provide_volume(void) REQUIRES(BOOT);
struct object *engine_provide_root(void) REQUIRES(BOOT);
status_t engine_start(void) REQUIRES(BOOT);

void engine_wire_disk(struct object *disk)
{
    (void)disk; /* it stands in the domain's table, for the thread */
}

void engine_wire_data(struct blkdev *data)
{
    engine_self.data = data;
}

void engine_wire_random(struct random *random)
{
    engine_self.random = random;
}

struct object *engine_provide_store(void)
{
    return &engine_self.store;
}

struct object *engine_provide_names(void)
{
    return &engine_self.names.object;
}

struct object *engine_provide_root(void)
{
    return &engine_self.root.object;
}

struct object *engine_provide_volume(void)
{
    return &engine_self.volume;
}

/* Operations by the time that they took. */
static void show_latency(void) REQUIRES(LOOP)
{
    for (unsigned i = 0; i < ENGINE_LATENCIES; i++) {
        if (engine_self.count.latency[i] > 0) {
            diag_print("  %-15s %8llu us %6llu\n", i + 1 < ENGINE_LATENCIES ? "took less than" : "took",
                       16ull << (i + 1 < ENGINE_LATENCIES ? i : i - 1),
                       (unsigned long long)engine_self.count.latency[i]);
        }
    }
}

static void show(int argc, char **argv)
{
    const struct engine_counters *count = &engine_self.count;

    room_assert_loop();
    (void)argc, (void)argv;
    diag_print("disk %s: %llu operations in %llu batches; %s\n", engine_self.data->name,
               (unsigned long long)count->operations, (unsigned long long)count->batches,
               engine_self.state == ENGINE_MOUNTED ? "mounted" : engine_self.why);
    diag_print("  %-24s %6u of %6u\n", "open for peers", engine_self.open,
               ENGINE_UPLOADS_MAX + ENGINE_SOURCES_MAX + ENGINE_FILES_MAX);
    diag_print("  %-24s %6u of %6u\n", "broken uploads kept", engine_kept_count(), ENGINE_UPLOADS_KEPT);
    diag_print("  %-24s %6llu read, %llu written; %u transfers out\n", "KiB of data",
               (unsigned long long)(count->bytes_read >> 10), (unsigned long long)(count->bytes_written >> 10),
               engine_self.io.out);
    diag_print("  %-24s %6llu failed; %llu blocks were not what was written\n", "transfers",
               (unsigned long long)count->errors, (unsigned long long)count->damaged);
    engine_scrub_show();
    show_latency();
}

static void begin(struct work *work)
{
    room_assert_loop();
    (void)work;
    engine_queue_start();
}

status_t engine_start(void)
{
    static struct diag_command command = {
        .name = "store", .help = "the volume: operations, transfers, scrub, latencies", .run = show};

    crc32c_init();
    object_init(&engine_self.store, &engine_store_ops);
    object_init(&engine_self.store_reader, &engine_store_ops);
    engine_self.names = (struct engine_view){.at = {CATALOG_NAMES, CATALOG_NOW}, .rights = ENGINE_ALL};
    object_init(&engine_self.names.object, &engine_names_ops);
    engine_self.root = (struct engine_view){.at = {CATALOG_ROOT, CATALOG_NOW}, .rights = ENGINE_ALL};
    object_init(&engine_self.root.object, &engine_directory_ops);
    object_init(&engine_self.volume, &engine_volume_ops);
    blkdev_queue_init(&engine_self.io, engine_self.data);
    engine_self.why = "mounting";
    engine_queue_init();
    engine_put_init();
    engine_store_init();
    engine_names_init();
    engine_volume_init();
    engine_request_init();
    engine_view_init();
    engine_change_init();
    engine_watch_init();
    engine_file_init();
    engine_scrub_init();
    engine_hash_init();
    diag_command_add(&command);
    health_add(&engine_self.health, "store/engine");
    ready_hold(&engine_self.ready);
    status_t s = engine_thread_init();
    if (s == ST_OK) {
        work_init(&start_work, begin);
        loop_post_boot(&start_work);
    }
    return s;
}
