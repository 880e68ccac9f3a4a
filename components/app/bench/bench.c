/* SPDX-License-Identifier: MIT OR Apache-2.0
 * bench.c: where the sections begin and end. Calls first, then the disk, then the machine halts.
 */
#define LOG_TAG "bench"
#include "bench.h"
#include "core/log.h"
#include "core/loop.h"

static struct blkdev *wired;
static struct object *device; /* the same disk, as a capability */

void bench_section_done(const char *name, uint32_t operations)
{
    log_info("section %s %u", name, operations);
}

void bench_end(const char *wrong)
{
    if (wrong == NULL) {
        log_info("all done");
    } else {
        log_err("failed: %s", wrong);
    }
    loop_halt(wrong == NULL ? 0 : 1);
}

void bench_wire_disk(struct blkdev *disk) REQUIRES(BOOT);
void bench_wire_disk(struct blkdev *disk)
{
    wired = disk;
}

void bench_wire_device(struct object *object) REQUIRES(BOOT);
void bench_wire_device(struct object *object)
{
    device = object;
}

status_t bench_start(void) REQUIRES(BOOT);
status_t bench_start(void)
{
    bench_disk_init(wired);
    return bench_calls_init(device, wired->sectors / (4096 / BLKDEV_SECTOR_BYTES));
}
