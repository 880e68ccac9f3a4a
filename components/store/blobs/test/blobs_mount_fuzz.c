/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_mount_fuzz.c: any disk under good sums is mounted or refused; one that is mounted serves, snapshots, and is the same
 * after the next mount.
 *
 * Random bytes seldom make a record, so the input is read as a list of what to write: a superblock's fields, then records of
 * few blobs and names, group ends, broken chains, raw bytes; then what to ask for.
 */
#include "../blobs_format.c"
#include "../blobs_index.c"
#undef LOG_TAG
#include "../blobs_journal.c"
#undef LOG_TAG
#include "../blobs_mount.c"
#include "boot_memory.h"
#include "test.h"

#define BLOCKS 160u
#define OBJECTS 12u
#define NAMES 8u
#define STEPS_MAX 4000u /* that one request may take, a snapshot included */

uint64_t clock_wall_ns(void)
{
    return 0;
}

/* --- a disk without a cache: what is asked about FLUSH is asked elsewhere --- */

static struct {
    struct blkdev device;
    uint8_t bytes[BLOCKS * BLOBS_BLOCK];
    struct blk_request *pending;
} disk;

static status_t disk_submit(struct blkdev *device, struct blk_request *request)
{
    status_t s = blkdev_check(device, request);
    if (s == ST_OK) {
        disk.pending = request;
    }
    return s;
}

static bool disk_step(void)
{
    struct blk_request *r = disk.pending;
    if (r == NULL) {
        return false;
    }
    uint8_t *at = disk.bytes + r->sector * BLOBS_SECTOR;
    for (uint16_t i = 0; i < r->segment_count && r->op != BLK_FLUSH; i++) {
        uint8_t *memory = r->segment[i].data;
        memcpy(r->op == BLK_READ ? memory : at, r->op == BLK_READ ? at : memory, r->segment[i].size);
        at += r->segment[i].size;
    }
    disk.pending = NULL;
    r->done(r, ST_OK);
    return true;
}

/* --- the input --- */

static struct {
    const uint8_t *at;
    size_t left;
} input;

static uint8_t take(void)
{
    if (input.left == 0) {
        return 0;
    }
    input.left--;
    return *input.at++;
}

static void take_bytes(void *to, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)to)[i] = take();
    }
}

static void take_record(struct blobs_record *r, uint8_t kind)
{
    *r = (struct blobs_record){.kind = kind};
    memset(r->digest, take() % 16, BLOBS_DIGEST);
    if (kind == BLOBS_RECORD_BLOB) {
        r->size = (uint64_t)(take() % 6) * 2000;
        r->start = r->size == 0 ? 0 : take();
        r->blocks = blobs_extent_blocks(r->size);
    } else if (kind != BLOBS_RECORD_DROP) {
        r->name_size = 200;
        memset(r->name, 'a' + take() % 12, r->name_size);
    }
}

/* --- making a disk of it --- */

static void take_superblock(struct blobs_superblock *s)
{
    *s = (struct blobs_superblock){.blocks = BLOCKS};
    s->log_blocks = take() % 80;
    s->live_half = take() % 3;
    s->group_align = take() % 10;
    take_bytes(&s->sequence, take() % 9);
    take_bytes(&s->generation, 1 + take() % 8);
    s->next_generation = s->generation + take();
    if (take() % 16 == 0) {
        take_bytes(&s->next_generation, 8);
    }
    blobs_superblock_seal(s);
}

static struct {
    struct blobs_superblock superblock;
    uint32_t position, group, chain;
    struct blobs_log_sector sector;
} writer;

static void sector_end(uint8_t flags)
{
    struct blobs_log_sector *s = &writer.sector;
    uint64_t block = BLOBS_SUPERBLOCKS + (uint64_t)(writer.superblock.live_half & 1) * writer.superblock.log_blocks;
    uint64_t at = block * BLOBS_BLOCK + (uint64_t)writer.position * BLOBS_SECTOR;
    s->generation = writer.superblock.generation;
    s->position = writer.position;
    s->group = writer.group + (flags % 32 == 9 ? 5 : 0);
    s->last = flags % 4 != 0;
    s->previous = flags % 32 == 10 ? 1 : writer.chain;
    blobs_log_sector_seal(s, writer.superblock.uuid);
    if (at + BLOBS_SECTOR <= sizeof(disk.bytes)) {
        memcpy(disk.bytes + at, s, sizeof(*s));
    }
    writer.chain = s->crc;
    writer.position++;
    writer.group += s->last;
    uint32_t align = s->last && writer.superblock.group_align > 0 ? writer.superblock.group_align : 1;
    writer.position = (writer.position + align - 1) / align * align;
    memset(s, 0, sizeof(*s));
}

static void take_log(void)
{
    for (uint8_t what = take(); what % 16 != 0 && input.left > 0; what = take()) {
        struct blobs_record record;
        if (what % 16 == 1) {
            sector_end(take());
        } else if (what == 2) {
            take_bytes(writer.sector.payload + writer.sector.used % 400, 60);
            writer.sector.used = (uint16_t)(writer.sector.used + take());
            writer.sector.used %= BLOBS_LOG_PAYLOAD + 1;
        } else {
            take_record(&record, 1 + what % 4);
            if (!blobs_record_put(&writer.sector, &record)) {
                sector_end(what >> 4);
            }
        }
    }
    sector_end(1);
}

static void take_disk(void)
{
    memset(disk.bytes, 0, sizeof(disk.bytes));
    memset(&writer, 0, sizeof(writer));
    disk.pending = NULL;
    take_superblock(&writer.superblock);
    uint8_t copies = take();
    struct blobs_superblock other = writer.superblock;
    other.sequence--;
    if (copies % 4 == 1) {
        take_superblock(&other);
    }
    blobs_superblock_seal(&other);
    uint64_t slot = writer.superblock.sequence % 2 * BLOBS_BLOCK;
    memcpy(disk.bytes + slot, &writer.superblock, BLOBS_SECTOR);
    memcpy(disk.bytes + BLOBS_BLOCK - slot, &other, copies % 4 == 2 ? 0 : BLOBS_SECTOR);
    take_log();
}

/* --- using it --- */

static struct blobs_volume volume;
static bool op_ended;

static void ended(struct blobs_op *op, status_t status)
{
    (void)op;
    (void)status;
    op_ended = true;
}

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void mount(void)
{
    struct blobs_volume before = volume; /* tables are boot memory: used again */
    volume = (struct blobs_volume){.disk = &disk.device, .state = BLOBS_MOUNTING};
    volume.buffer = before.buffer;
    volume.index = before.index;
    list_init(&volume.waiting);
    list_init(&volume.group);
    list_init(&volume.io_waiting);
    blobs_mount(&volume);
    while (disk_step()) {
    }
    require(volume.state == BLOBS_MOUNTED || volume.state == BLOBS_FOREIGN);
}

static void ask(uint8_t kind)
{
    static struct blobs_op op;
    op = (struct blobs_op){.done = ended};
    take_record(&op.record, kind);
    if (kind == BLOBS_RECORD_BLOB && blobs_extent_take(&volume.index, op.record.blocks, &op.record.start) != ST_OK) {
        return;
    }
    op_ended = false;
    blobs_op_submit(&volume, &op);
    for (unsigned i = 0; !op_ended && i < STEPS_MAX; i++) {
        require(disk_step());
    }
    require(op_ended);
    while (disk_step()) {
    }
    if (kind == BLOBS_RECORD_BLOB && (op.duplicate || blobs_find(&volume.index, op.record.digest) == NULL)) {
        blobs_extent_give(&volume.index, op.record.start, op.record.blocks);
    }
}

static void use(void)
{
    for (unsigned i = 0; i < 400 && input.left > 0; i++) {
        uint8_t what = take();
        if (what % 8 == 7 && volume.next == NULL) {
            snapshot_begin(&volume);
            while (disk_step()) {
            }
        } else {
            ask(1 + what % 4);
        }
    }
}

static void setup(void)
{
    static const struct blkdev_ops ops = {.submit = disk_submit};
    crc32c_init();
    disk.device = (struct blkdev){.ops = &ops,
                                  .name = "disk0",
                                  .sectors = BLOCKS * BLOBS_SECTORS_PER_BLOCK,
                                  .logical_bytes = 512,
                                  .physical_bytes = 512,
                                  .bytes_max = 65536,
                                  .segments_max = 2,
                                  .depth = 1,
                                  .has_flush = true};
    test_room = ROOM_BOOT;
    require(blobs_volume_init(&volume, &disk.device, OBJECTS, NAMES) == ST_OK);
    test_room = ROOM_LOOP;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (volume.buffer == NULL) {
        setup();
    }
    input.at = data;
    input.left = size;
    take_disk();
    mount();
    if (volume.state == BLOBS_MOUNTED) {
        use();
        uint32_t blobs = volume.index.blob_count;
        uint32_t names = volume.index.name_count;
        uint64_t room = volume.index.free_blocks;
        mount();
        require(volume.state == BLOBS_MOUNTED);
        require(volume.index.blob_count == blobs && volume.index.name_count == names);
        require(volume.index.free_blocks == room);
    }
    return 0;
}
