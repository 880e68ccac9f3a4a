/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_thread.c: the thread: it has the volume and the catalog, and answers the bell. When nobody rings it gives back room
 * that is not used any more, a part at a time.
 *
 *  (1) The desk is the thread's between the bell's call and its answer.
 *  (2) Only a disk that says that it is blank, as `capos` makes them, is formatted without being asked to.
 */
#define LOG_TAG "store"
#include <string.h>
#include "config.h"
#include "core/assert.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/region.h"
#include "core/thread.h"
#include "engine.h"
#include "lib/disk/disk_bell.h"

#define NAME "store/engine"
#define STACK (256u * 1024u)

static struct {
    struct volume_memory volume_memory;
    struct disk_client client;
    struct volume volume;
    struct catalog catalog;
    struct disk_bell bell;
    bool usable; /* the disk is */
    bool open;   /* the catalog is */
} self;

/* --- the volume ------------------------------------------------------------------------------------------------------ */

static void say(enum engine_state state, const char *why)
{
    engine_self.desk.state = state;
    engine_self.desk.why = why;
}

static status_t format(void) REQUIRES(THREAD)
{
    uint64_t blocks = self.client.io.blocks;
    struct volume_shape shape = volume_shape(blocks, ENGINE_LOG_BLOCKS);

    if (shape.data_blocks == 0) {
        log_err("a disk of %llu blocks of 4 KiB is too small", (unsigned long long)blocks);
        return ST_FULL;
    }
    return volume_format(&self.volume, engine_self.desk.seed, shape.log_blocks, shape.data_blocks);
}

static const char *reason(status_t s)
{
    switch (s) {
    case ST_STALE:
        return "nothing but zeros, and not the mark of a blank disk made by capos";
    case ST_UNSUPPORTED:
        return "something else than a volume of this kind";
    case ST_PROTO:
        return "a damaged volume";
    case ST_FULL:
        return "a disk that is too small";
    case ST_NOMEM:
        return "a volume whose log is longer than this image's log_blocks";
    default:
        return "a disk that fails";
    }
}

static bool open_catalog(void) REQUIRES(THREAD)
{
    enum catalog_answer answer =
        catalog_open(&self.catalog, &self.volume, engine_self.desk.seed, sizeof engine_self.desk.seed);

    self.open = answer == CATALOG_OK;
    if (!self.open) {
        say(ENGINE_FOREIGN, answer == CATALOG_LIMIT    ? "a volume of a later version"
                            : answer == CATALOG_FAILED ? "a disk that fails"
                                                       : "a volume whose catalog is damaged");
    }
    return self.open;
}

static void mount(bool wanted_empty) REQUIRES(THREAD)
{
    static char block[DISK_BLOCK_BYTES];
    status_t s = volume_init(&self.volume, &self.client.io, &self.volume_memory, ENGINE_LEAVES);
    status_t looked = ST_OK;
    bool make = false;

    if (s == ST_OK) {
        looked = volume_blank(&self.client.io, block, &make); /* (2) */
        make |= wanted_empty;
        s = make ? format() : volume_mount(&self.volume);
    }
    if (s != ST_OK && looked != ST_OK) { /* what could not be read says more than what was found elsewhere */
        s = looked;
    }
    if (s != ST_OK) {
        say(ENGINE_FOREIGN, reason(s));
    } else if (open_catalog()) {
        say(ENGINE_MOUNTED, NULL);
        log_info("%s", make ? "a volume was made" : "the volume is mounted");
        log_info("mounted: %llu objects, %llu of %llu blocks free", (unsigned long long)self.catalog.state.objects,
                 (unsigned long long)self.catalog.state.free_blocks, (unsigned long long)self.catalog.data_blocks);
    }
}

static void mount_first(void) REQUIRES(THREAD)
{
    struct disk_client_config config = self.client.config;
    status_t s = disk_client_open(&self.client, &config);
    self.usable = s == ST_OK;
    if (!self.usable) {
        say(ENGINE_FOREIGN, "a disk that cannot be used");
        return;
    }
    mount(false);
}

static void format_again(void) REQUIRES(THREAD)
{
    if (self.open) {
        self.open = false;
        catalog_close(&self.catalog);
    }
    if (self.usable) {
        mount(true);
    }
}

/* --- the bell -------------------------------------------------------------------------------------------------------- */

static void run(void) REQUIRES(THREAD)
{
    if (!self.open) {
        for (uint32_t i = 0; i < engine_self.desk.count; i++) {
            engine_self.desk.batch[i]->answer = CATALOG_FAILED;
        }
        return;
    }
    catalog_run(&self.catalog, engine_self.desk.batch, engine_self.desk.count);
    if (self.volume.failed != ST_OK) {
        say(ENGINE_READ_ONLY, "the disk failed: nothing more is written before the next boot");
    }
}

static void act(void) REQUIRES(THREAD)
{
    switch (engine_self.desk.command) {
    case ENGINE_MOUNT:
        mount_first();
        break;
    case ENGINE_FORMAT:
        format_again();
        break;
    case ENGINE_RUN:
        run();
        break;
    }
}

static void work(struct ring_shared *ring, void *context)
{
    room_assert_thread();
    bool more = false;

    self.client.config = disk_bell_begin(&self.bell, ring);
    for (;;) {
        disk_bell_listen(&self.bell);
        disk_client_turn(&self.client, !more && !self.bell.rang);
        if (self.bell.rang) {
            act();
            disk_bell_answer(&self.bell);
            more = self.open;
        } else if (more) {
            more = catalog_care(&self.catalog);
        }
    }
}

/* --- start ----------------------------------------------------------------------------------------------------------- */

status_t engine_thread_init(void)
{
    self.volume_memory.size = VOLUME_MEMORY(ENGINE_LEAVES, ENGINE_LOG_BLOCKS);
    self.volume_memory.bytes = boot_alloc_named("volume", self.volume_memory.size, 64);
    return disk_bell_start(&self.bell, &(struct disk_bell_thread){.domain = NAME,
                                                                  .name = "store",
                                                                  .endpoint = &engine_self.endpoint.object,
                                                                  .stack_bytes = STACK,
                                                                  .entry = work});
}
