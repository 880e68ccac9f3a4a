/* SPDX-License-Identifier: MIT OR Apache-2.0
 * bench_disk.c: reads from the disk, a fixed number in flight: each that ends begins the next.
 */
#include "bench.h"
#include "config.h"
#include "core/loop.h"
#include "core/mem.h"

#define SMALL 4096u
#define LARGE (128u * 1024u)
#define DEPTH_MAX 32u
#define LARGE_DEPTH_MAX 8u
#define MEMORY_BYTES ((size_t)LARGE * LARGE_DEPTH_MAX)

_Static_assert(SMALL *DEPTH_MAX <= MEMORY_BYTES, "one memory for both");

struct disk_section {
    const char *name;
    uint32_t bytes, depth, reads;
};

static const struct disk_section sections[] = {
    {"read-4k-1", SMALL, 1, BENCH_READS},
    {"read-4k-32", SMALL, 32, BENCH_READS},
    {"read-128k-1", LARGE, 1, BENCH_READS / 16},
    {"read-128k-8", LARGE, 8, BENCH_READS / 16},
};
#define SECTION_COUNT (sizeof sections / sizeof sections[0])

static struct {
    struct blkdev *disk;
    uint8_t *memory;
    struct blk_request request[DEPTH_MAX];
    struct blk_segment segment[DEPTH_MAX];
    struct work next;
    uint64_t random;
    uint64_t place;   /* of the next read in the disk, in reads */
    uint32_t section; /* index into sections */
    uint32_t round;
    uint32_t begun, ended;
} self;

static void read_begin(uint32_t i) REQUIRES(LOOP)
{
    const struct disk_section *section = &sections[self.section];
    uint64_t places = self.disk->sectors / (section->bytes / BLKDEV_SECTOR_BYTES);
    uint64_t place = section->bytes == SMALL ? bench_random(&self.random) % places : self.place++ % places;

    self.segment[i] = (struct blk_segment){.data = self.memory + (size_t)i * section->bytes, .size = section->bytes};
    self.request[i].sector = place * (section->bytes / BLKDEV_SECTOR_BYTES);
    self.begun++;
    if (blkdev_submit(self.disk, &self.request[i]) != ST_OK) {
        bench_end("the disk does not take a read");
    }
}

static void on_done(struct blk_request *request, status_t status)
{
    room_assert_loop();
    const struct disk_section *section = &sections[self.section];

    if (status != ST_OK) {
        bench_end("a read failed");
        return;
    }
    self.ended++;
    if (self.begun < section->reads) {
        read_begin((uint32_t)(request - self.request));
    } else if (self.ended == section->reads) {
        MARK_END();
        bench_section_done(section->name, section->reads);
        self.round++;
        loop_post(&self.next);
    }
}

static void on_next(struct work *work)
{
    room_assert_loop();
    if (self.round == BENCH_ROUNDS) {
        self.round = 0;
        self.section++;
    }
    if (self.section == SECTION_COUNT) {
        bench_end(NULL);
        return;
    }
    const struct disk_section *section = &sections[self.section];
    self.begun = 0;
    self.ended = 0;
    self.place = 0;
    MARK_BEGIN();
    for (uint32_t i = 0; i < section->depth; i++) {
        read_begin(i);
    }
}

void bench_disk_init(struct blkdev *disk)
{
    self.disk = disk;
    self.random = 88172645463325252ull;
    self.memory = boot_alloc(MEMORY_BYTES, 4096);
    work_init(&self.next, on_next);
    for (uint32_t i = 0; i < DEPTH_MAX; i++) {
        self.request[i] =
            (struct blk_request){.op = BLK_READ, .segment = &self.segment[i], .segment_count = 1, .done = on_done};
    }
}

void bench_disk_begin(void)
{
    if (self.disk->depth < DEPTH_MAX || self.disk->sectors < LARGE / BLKDEV_SECTOR_BYTES) {
        bench_end("the disk is too small, or takes too few requests at once");
        return;
    }
    loop_post(&self.next);
}
