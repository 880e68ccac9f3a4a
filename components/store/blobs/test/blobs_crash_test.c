/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_crash_test.c: random work on a store, power cuts at random instants, and a model that says what must be left.
 *
 * The model knows only what was asked and what was answered. After each cut:
 *   - a name that no op was under way for means what was last acknowledged; else that, or what an op under way would make;
 *   - every blob that the store shows has exactly the bytes that its digest was computed of;
 *   - a blob that was acknowledged and never had a name is there.
 */
#include "../blobs_format.c"
#include "../blobs_index.c"
#undef LOG_TAG
#include "../blobs_journal.c"
#undef LOG_TAG
#include "../blobs_mount.c"
#include "../blobs_upload.c"
#undef LOG_TAG
#define fail_waiting source_fail_waiting
#define begin_waiting source_begin_waiting
#include "../blobs_source.c"
#include "boot_memory.h"
#include "fake_disk.h"

/* A stand-in for SHA-256: the test asks for names of contents, not for cryptography. */
void sha256_init(struct sha256 *h)
{
    for (int i = 0; i < 4; i++) {
        h->state[i] = 0xcbf29ce484222325ull + (unsigned)i;
    }
}
void sha256_update(struct sha256 *h, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint64_t at = h->state[4]++;
        h->state[at % 4] = (h->state[at % 4] ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ull + h->state[(at + 1) % 4];
    }
}
void sha256_final(struct sha256 *h, uint8_t digest[SHA256_BYTES])
{
    memcpy(digest, h->state, SHA256_BYTES);
    digest[0] ^= (uint8_t)h->state[4];
}
void sha256_bytes(const void *bytes, size_t size, uint8_t digest[SHA256_BYTES])
{
    struct sha256 h = {0};
    sha256_init(&h);
    sha256_update(&h, bytes, size);
    sha256_final(&h, digest);
}
uint64_t clock_wall_ns(void)
{
    return 0; /* no clock: the name is made without it */
}

#define OBJECTS 48u
#define NAMES 12u /* that the random work uses */
#define NAMES_MAX 200u
#define CONTENTS 24u
#define CONTENT_MAX (40u * 1024u)
#define WORKERS 4u

static struct blobs_volume volume;
static struct blobs_source source;
static struct blobs_read reader;
static uint8_t *read_buffer;

/* --- contents: number c has always the same bytes --- */

static uint8_t content[CONTENTS][CONTENT_MAX];
static uint32_t content_size[CONTENTS];
static uint8_t content_digest[CONTENTS][BLOBS_DIGEST];

static void contents_make(void)
{
    static const uint32_t sizes[] = {0, 1, 4095, 4096, 4097, 8192, 12288, 30000, CONTENT_MAX};
    for (uint32_t c = 0; c < CONTENTS; c++) {
        content_size[c] = c >= 9 && c % 9 == 0 ? 100 + c : sizes[c % 9]; /* there is one empty blob only */
        for (uint32_t i = 0; i < content_size[c]; i++) {
            content[c][i] = (uint8_t)(test_random() >> 20);
        }
        if (content_size[c] == 1) {
            content[c][0] = (uint8_t)c;
        }
        struct sha256 h = {0};
        sha256_init(&h);
        for (uint32_t i = 0; i < content_size[c]; i += 1000) { /* in any pieces */
            uint32_t n = content_size[c] - i < 1000 ? content_size[c] - i : 1000;
            sha256_update(&h, content[c] + i, n);
        }
        sha256_final(&h, content_digest[c]);
    }
}

/* --- the model --- */

#define UNKNOWN -2
#define NO_BLOB -1
static struct model_name {
    int acked;    /* content, or NO_BLOB */
    bool pending; /* an op is under way */
    int pending_content;
} names[NAMES];
static struct {
    bool acked; /* put was acknowledged, and it never had a name since */
    bool ever_named;
} blobs[CONTENTS];

static void name_text(unsigned n, struct blobs_record *r)
{
    /* Long, so that groups take several sectors. */
    r->name_size = (uint8_t)snprintf(r->name, sizeof(r->name), "/name/%u/%0200u", n, n);
}

/* --- workers: each has one op under way --- */

enum work_kind { IDLE, PUTTING, FINISHING, CLOSING, NAMING };
static struct worker {
    enum work_kind kind;
    struct blobs_upload upload;
    struct blobs_write write;
    _Alignas(8) uint8_t chunk[BLOBS_CHUNK_MAX]; /* as in a message */
    struct blobs_op op;
    unsigned content, name;
    uint32_t sent;
    bool finished_ok;
} workers[WORKERS];

static unsigned acknowledged;

static void closed(struct blobs_upload *u)
{
    struct worker *w = CONTAINER_OF(u, struct worker, upload);
    w->kind = IDLE;
}

static void finished(struct blobs_upload *u, status_t status)
{
    struct worker *w = CONTAINER_OF(u, struct worker, upload);
    if (status == ST_OK) {
        CHECK_BYTES(u->op.record.digest, content_digest[w->content], BLOBS_DIGEST);
        acknowledged++;
        if (!blobs[w->content].ever_named) {
            blobs[w->content].acked = true;
        }
    }
    w->kind = CLOSING;
    blobs_upload_close(u, closed);
}

static void send_next(struct worker *w);

static void written(struct blobs_write *write, status_t status)
{
    struct worker *w = CONTAINER_OF(write, struct worker, write);
    if (status != ST_OK || test_random() % 40 == 0) { /* some clients give up */
        w->kind = CLOSING;
        blobs_upload_close(&w->upload, closed);
        return;
    }
    send_next(w);
}

static void send_next(struct worker *w)
{
    uint32_t left = content_size[w->content] - w->sent;
    if (left == 0) {
        w->kind = FINISHING;
        blobs_upload_finish(&w->upload, finished);
        return;
    }
    uint32_t n = 1 + (uint32_t)(test_random() % 9000);
    n = n < left ? n : left;
    memcpy(w->chunk, content[w->content] + w->sent, n);
    w->write = (struct blobs_write){.bytes = w->chunk, .size = n, .done = written};
    list_init(&w->write.node);
    w->sent += n;
    blobs_upload_write(&w->upload, &w->write);
}

static void named(struct blobs_op *op, status_t status)
{
    struct worker *w = CONTAINER_OF(op, struct worker, op);
    struct model_name *m = &names[w->name];
    if (status == ST_OK) {
        acknowledged++;
        m->acked = m->pending_content;
        if (m->acked >= 0) {
            blobs[m->acked].acked = false; /* from now on its names keep it */
        }
    }
    m->pending = false;
    w->kind = IDLE;
}

static void start_naming(struct worker *w)
{
    w->name = (unsigned)(test_random() % NAMES);
    struct model_name *m = &names[w->name];
    if (m->pending) {
        return; /* the model keeps one op a name */
    }
    w->op = (struct blobs_op){.done = named};
    name_text(w->name, &w->op.record);
    unsigned c = (unsigned)(test_random() % CONTENTS);
    bool bind = test_random() % 4 != 0;
    w->op.record.kind = bind ? BLOBS_RECORD_BIND : BLOBS_RECORD_UNBIND;
    memcpy(w->op.record.digest, content_digest[c], BLOBS_DIGEST);
    m->pending = true;
    m->pending_content = bind ? (int)c : NO_BLOB;
    if (bind) {
        blobs[c].ever_named = true;
        blobs[c].acked = false;
    }
    w->kind = NAMING;
    blobs_op_submit(&volume, &w->op);
}

static void start_putting(struct worker *w)
{
    w->content = (unsigned)(test_random() % CONTENTS);
    w->sent = 0;
    if (blobs_upload_open(&volume, &w->upload, content_size[w->content]) != ST_OK) {
        return;
    }
    w->kind = PUTTING;
    send_next(w);
}

static void start_work(struct worker *w)
{
    if (test_random() % 2 == 0) {
        start_putting(w);
    } else {
        start_naming(w);
    }
}

/* --- checking after a mount --- */

static status_t read_status;
static uint32_t read_count;
static bool read_ended, source_ended;

static void read_is_done(struct blobs_read *r, status_t status, uint32_t bytes)
{
    (void)r;
    read_status = status;
    read_count = bytes;
    read_ended = true;
}

static void source_is_closed(struct blobs_source *s)
{
    (void)s;
    source_ended = true;
}

static void check_blob(struct blobs_blob *blob)
{
    static uint8_t all[CONTENT_MAX];
    uint64_t at = 0;
    uint8_t digest[BLOBS_DIGEST];

    REQUIRE(blob->size <= CONTENT_MAX);
    blobs_source_open(&volume, &source, blob);
    while (at < blob->size) {
        reader.offset = at;
        reader.bytes = read_buffer;
        reader.size = 1 + (uint32_t)(test_random() % BLOBS_CHUNK_MAX);
        reader.done = read_is_done;
        list_init(&reader.node);
        read_ended = false;
        blobs_source_read(&source, &reader);
        while (!read_ended && disk_step()) {
        }
        REQUIRE(read_ended);
        CHECK_EQ(read_status, ST_OK);
        REQUIRE(read_status == ST_OK && read_count > 0);
        memcpy(all + at, read_buffer, read_count);
        at += read_count;
    }
    source_ended = false;
    blobs_source_close(&source, source_is_closed);
    REQUIRE(source_ended);
    sha256_bytes(all, blob->size, digest);
    CHECK_BYTES(digest, blob->digest, BLOBS_DIGEST);
}

static int name_means(unsigned n)
{
    struct blobs_record r;
    name_text(n, &r);
    struct blobs_name *name = blobs_name_find(&volume.index, r.name, r.name_size);
    if (name == NULL) {
        return NO_BLOB;
    }
    for (int c = 0; c < (int)CONTENTS; c++) {
        if (memcmp(volume.index.blob[name->blob].digest, content_digest[c], BLOBS_DIGEST) == 0) {
            return c;
        }
    }
    return UNKNOWN;
}

/* With no upload open, what is not free belongs to a blob. */
static void check_no_extent_leaked(void)
{
    uint64_t used = volume.geometry.blocks - volume.geometry.data_start - volume.index.free_blocks;
    for (uint32_t i = 0; i < OBJECTS; i++) {
        used -= volume.index.blob[i].used ? blobs_extent_blocks(volume.index.blob[i].size) : 0;
    }
    CHECK_EQ(used, 0);
}

static void check_all(void)
{
    for (unsigned n = 0; n < NAMES; n++) {
        int means = name_means(n);
        bool allowed = means == names[n].acked || (names[n].pending && means == names[n].pending_content);
        if (!allowed) {
            test_failed(__FILE__, __LINE__, "name %u means %d; acknowledged %d, under way %d", n, means, names[n].acked,
                        names[n].pending ? names[n].pending_content : UNKNOWN);
        }
        test_counted();
        names[n].acked = means; /* who saw it may count on it */
        names[n].pending = false;
    }
    for (unsigned c = 0; c < CONTENTS; c++) {
        struct blobs_blob *blob = blobs_find(&volume.index, content_digest[c]);
        CHECK(blob != NULL || !blobs[c].acked);
        if (blob != NULL) {
            check_blob(blob);
            blobs[c].acked = !blobs[c].ever_named; /* who saw it may count on it */
        }
    }
    check_no_extent_leaked();
}

static void power_on(void)
{
    for (unsigned i = 0; i < WORKERS; i++) { /* the upload's buffers stay */
        workers[i].kind = IDLE;
    }
    struct blobs_volume before = volume; /* tables are boot memory: used again */
    volume = (struct blobs_volume){.disk = &disk.device, .state = BLOBS_MOUNTING};
    volume.buffer = before.buffer;
    volume.index = before.index;
    list_init(&volume.waiting);
    list_init(&volume.group);
    list_init(&volume.io_waiting);
    test_room = ROOM_LOOP;
    blobs_mount(&volume);
}

static void boot_once(void)
{
    disk_init();
    test_room = ROOM_BOOT;
    if (volume.buffer == NULL) {
        REQUIRE(blobs_volume_init(&volume, &disk.device, OBJECTS, NAMES_MAX) == ST_OK);
        blobs_source_init(&source);
        for (unsigned i = 0; i < WORKERS; i++) {
            blobs_upload_init(&workers[i].upload);
        }
        blobs_read_init(&reader);
        read_buffer = boot_alloc(BLOBS_CHUNK_MAX, 4096);
    }
    memcpy(disk.durable, BLOBS_BLANK_MARK, strlen(BLOBS_BLANK_MARK));
    memcpy(disk.view, disk.durable, sizeof(disk.view));
    for (unsigned n = 0; n < NAMES; n++) {
        names[n] = (struct model_name){.acked = NO_BLOB};
    }
    memset(blobs, 0, sizeof(blobs));
}

static unsigned cuts_in_mount, resets;

/* The end of this life of the machine. */
static void cut_or_reset(void)
{
    if (test_random() % 4 == 0) {
        resets++;
        disk_reset();
    } else {
        disk_cut();
    }
}

static bool mount_or_cut(void)
{
    uint64_t steps = test_random() % (test_random() % 2 == 0 ? 10 : 100);
    power_on();
    while (volume.state == BLOBS_MOUNTING || volume.state == BLOBS_FORMATTING) {
        if (steps-- == 0) {
            cuts_in_mount++;
            cut_or_reset();
            return false;
        }
        REQUIRE(disk_step());
    }
    if (volume.state != BLOBS_MOUNTED) {
        test_failed(__FILE__, __LINE__, "not mounted: %s", volume.why);
        return false;
    }
    test_counted();
    return true;
}

static void work(unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        struct worker *w = &workers[test_random() % WORKERS];
        if (test_random() % 200 == 0 && volume.next == NULL && volume.state == BLOBS_MOUNTED) {
            snapshot_begin(&volume); /* oftener than a full log would ask for it */
        } else if (w->kind == IDLE && test_random() % 2 == 0) {
            start_work(w);
        } else {
            (void)disk_step();
        }
    }
}

static uint64_t total_snapshots;

/* Some lives are short: what one leaves in the disk's cache is then still there in the next. */
static void lives(uint32_t physical_bytes, unsigned count)
{
    boot_once();
    disk.device.physical_bytes = physical_bytes;
    for (unsigned round = 0; round < count; round++) {
        if (!mount_or_cut()) {
            continue;
        }
        check_all();
        work((unsigned)(test_random() % (test_random() % 2 == 0 ? 60 : 1500)));
        total_snapshots += volume.snapshots;
        cut_or_reset();
    }
}

static void test_nothing_acknowledged_is_lost(void)
{
    for (unsigned disks = 0; disks < 100; disks++) {
        lives(disks % 2 == 0 ? 512 : 4096, disks % 10 == 0 ? 40 : 8);
    }
    CHECK(acknowledged > 2000);
    CHECK(cuts_in_mount > 20);
    CHECK(resets > 50);
    CHECK(total_snapshots > 200);
}

/* The checker must be able to fail: a disk that drops FLUSH loses what it acknowledged. */
static void test_a_lying_disk_is_noticed_or_harmless(void)
{
    boot_once();
    REQUIRE(mount_or_cut() || mount_or_cut() || mount_or_cut());
    disk.lose_flush = true;
    unsigned before = acknowledged;
    for (unsigned i = 0; i < 300; i++) {
        struct worker *w = &workers[test_random() % WORKERS];
        if (w->kind == IDLE) {
            start_work(w);
        }
        (void)disk_step();
    }
    CHECK(acknowledged > before);
    disk_cut();
    disk.lose_flush = false;
    power_on();
    while (volume.state == BLOBS_MOUNTING || volume.state == BLOBS_FORMATTING) {
        REQUIRE(disk_step());
    }
    CHECK(volume.state == BLOBS_MOUNTED || volume.state == BLOBS_FOREIGN); /* never a crash */
}

static void test_a_failing_disk_makes_it_read_only(void)
{
    boot_once();
    REQUIRE(mount_or_cut() || mount_or_cut() || mount_or_cut());
    for (unsigned i = 0; i < 2000 && volume.state == BLOBS_MOUNTED; i++) {
        struct worker *w = &workers[test_random() % WORKERS];
        disk.fail_writes = i > 200;
        if (w->kind == IDLE) {
            start_work(w);
        }
        (void)disk_step();
    }
    CHECK_EQ(volume.state, BLOBS_READ_ONLY);
    while (disk_step()) {
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        CHECK_EQ(workers[i].kind, IDLE); /* everyone got an answer */
    }
    CHECK_EQ(blobs_upload_open(&volume, &workers[0].upload, 1), ST_IO);
}

static void mount_fully(void)
{
    power_on();
    while (volume.state == BLOBS_MOUNTING || volume.state == BLOBS_FORMATTING) {
        REQUIRE(disk_step());
    }
}

static unsigned transfers_ended;

static void transfer_ended(struct blobs_io *io, status_t status)
{
    (void)io;
    transfers_ended += status == ST_IO;
}

static void test_a_disk_that_dies_leaves_nobody_waiting(void)
{
    static struct blobs_io io[4 * DISK_DEPTH];
    boot_once();
    mount_fully();
    for (unsigned i = 0; i < 4 * DISK_DEPTH; i++) {
        blobs_io_set(&io[i], &volume, BLK_READ, 0, transfer_ended);
        blobs_io_add(&io[i], read_buffer, BLOBS_BLOCK);
        blobs_io_start(&io[i]);
    }
    disk.device.dead = true;
    while (disk_step()) {
    }
    CHECK_EQ(transfers_ended, 4 * DISK_DEPTH);
    CHECK(volume.io_out == 0 && list_empty(&volume.io_waiting));
}

static void test_a_flipped_bit_is_never_given_out_as_good(void)
{
    boot_once();
    mount_fully();
    struct worker *w = &workers[0];
    w->content = 8; /* the largest */
    w->sent = 0;
    for (int tries = 0; tries < 100 && blobs_find(&volume.index, content_digest[8]) == NULL; tries++) {
        if (w->kind == IDLE) {
            w->sent = 0;
            REQUIRE(blobs_upload_open(&volume, &w->upload, content_size[8]) == ST_OK);
            w->kind = PUTTING;
            send_next(w);
        }
        while (disk_step()) {
        }
    }
    struct blobs_blob *blob = blobs_find(&volume.index, content_digest[8]);
    REQUIRE(blob != NULL);
    check_blob(blob);
    for (unsigned i = 0; i < 50; i++) {
        uint64_t block = blob->start + test_random() % blobs_extent_blocks(blob->size);
        uint32_t bit = (uint32_t)(test_random() % (block < blob->start + 10 ? 32768 : 320)); /* the CRCs in use */
        uint8_t *byte = &disk.view[block * 8 + bit / 4096][bit / 8 % 512];
        *byte ^= (uint8_t)(1u << (bit % 8));
        blobs_source_open(&volume, &source, blob);
        reader.offset = 0;
        reader.bytes = read_buffer;
        reader.size = CONTENT_MAX;
        reader.done = read_is_done;
        list_init(&reader.node);
        read_ended = false;
        blobs_source_read(&source, &reader);
        while (!read_ended && disk_step()) {
        }
        CHECK_EQ(read_status, ST_IO);
        blobs_source_close(&source, source_is_closed);
        *byte ^= (uint8_t)(1u << (bit % 8));
    }
}

static void expect_refused(const char *words)
{
    mount_fully();
    CHECK_EQ(volume.state, BLOBS_FOREIGN);
    if (strstr(volume.why, words) == NULL) {
        test_failed(__FILE__, __LINE__, "'%s' does not say '%s'", volume.why, words);
    }
}

static void test_foreign_disks_are_refused_and_left_alone(void)
{
    boot_once();
    uint8_t before[8192];
    memset(disk.durable[0], 0, 8192);
    memcpy(disk.durable[1], "EFI PART", 8);
    memcpy(before, disk.durable, sizeof(before));
    memcpy(disk.view, disk.durable, sizeof(disk.view));
    expect_refused("GPT");
    CHECK_BYTES(before, disk.durable, sizeof(before));
    memset(disk.view[0], 0, 8192);
    expect_refused("zeros");
    disk.view[2][56] = 0x53;
    disk.view[2][57] = 0xef;
    expect_refused("ext");
    blobs_format(&volume); /* what an operator asked for in words */
    while (volume.state == BLOBS_FORMATTING) {
        REQUIRE(disk_step());
    }
    CHECK_EQ(volume.state, BLOBS_MOUNTED);
}

static void test_damage_in_the_log_is_refused_not_guessed(void)
{
    boot_once();
    mount_fully();
    for (unsigned i = 0; i < 3000 && volume.groups_written < 20; i++) {
        struct worker *w = &workers[test_random() % WORKERS];
        if (w->kind == IDLE) {
            start_work(w);
        }
        (void)disk_step();
    }
    while (disk_step()) {
    }
    check_no_extent_leaked();
    uint64_t log = blobs_log_block(&volume.geometry, volume.superblock.live_half) * 8;
    disk.view[log + 5][100] ^= 1;
    expect_refused("log is damaged");
    disk.view[log + 5][100] ^= 1;
    mount_fully();
    CHECK_EQ(volume.state, BLOBS_MOUNTED);
    disk.view[0][40] ^= 1; /* one copy of the superblock: the other serves and mends it */
    mount_fully();
    CHECK_EQ(volume.state, BLOBS_MOUNTED);
    disk.view[0][40] ^= 1;
    disk.view[8][40] ^= 1;
    disk.view[0][40] ^= 2;
    expect_refused("superblock is damaged");
}

static void drain(void)
{
    while (disk_step()) {
    }
}

static void put_content(unsigned c)
{
    struct worker *w = &workers[0];
    w->content = c;
    while (blobs_find(&volume.index, content_digest[c]) == NULL) {
        w->sent = 0;
        REQUIRE(blobs_upload_open(&volume, &w->upload, content_size[c]) == ST_OK);
        w->kind = PUTTING;
        send_next(w);
        drain();
    }
}

/* Two binds in one group, two sectors, of which a cut leaves only the `kept`-th. */
static void cut_group(unsigned first_name, unsigned first_content, uint32_t kept)
{
    volume.planning = true; /* so that both are in one group */
    for (unsigned i = 0; i < 2; i++) {
        struct worker *w = &workers[i];
        w->name = first_name + i;
        w->op = (struct blobs_op){.done = named, .record.kind = BLOBS_RECORD_BIND};
        name_text(w->name, &w->op.record);
        memcpy(w->op.record.digest, content_digest[first_content + i], BLOBS_DIGEST);
        blobs_op_submit(&volume, &w->op);
    }
    volume.planning = false;
    blobs_journal_kick(&volume);
    CHECK_EQ(volume.group_sectors, 2);
    REQUIRE(disk.cached_count == 2);
    memcpy(disk.durable[disk.cached[kept].sector], disk.cached[kept].bytes, BLKDEV_SECTOR_BYTES);
    disk.cached_count = 0;
    disk.pending_count = 0;
    memcpy(disk.view, disk.durable, sizeof(disk.view));
    mount_fully();
    REQUIRE(volume.state == BLOBS_MOUNTED);
    CHECK_EQ(volume.index.name_count, 0);
}

static void test_two_cut_groups_never_make_one(void)
{
    boot_once();
    mount_fully();
    for (unsigned c = 1; c < 5; c++) {
        put_content(c);
    }
    cut_group(0, 1, 1);
    cut_group(2, 3, 0);
}

static status_t bind_status;

static void bind_ended(struct blobs_op *op, status_t status)
{
    (void)op;
    bind_status = status;
}

static status_t name_now(enum blobs_record_kind kind, unsigned name, unsigned c)
{
    static struct blobs_op op;
    op = (struct blobs_op){.done = bind_ended, .record.kind = kind};
    name_text(name, &op.record);
    memcpy(op.record.digest, content_digest[c], BLOBS_DIGEST);
    bind_status = ST_AGAIN;
    blobs_op_submit(&volume, &op);
    for (unsigned i = 0; bind_status == ST_AGAIN && i < 10000; i++) {
        (void)disk_step();
    }
    return bind_status;
}

static status_t bind_now(unsigned name, unsigned c)
{
    return name_now(BLOBS_RECORD_BIND, name, c);
}

/* A disk that was formatted for small tables serves an image with large ones as far as its log goes. */
static void test_a_small_log_is_full_before_a_snapshot_of_it_is(void)
{
    boot_once();
    volume.index.blob_max = 4;
    volume.index.name_max = 2;
    mount_fully();
    volume.index.blob_max = OBJECTS;
    volume.index.name_max = NAMES_MAX;
    mount_fully();
    put_content(1);
    put_content(2);
    unsigned bound = 0;
    while (bound < NAMES_MAX && bind_now(bound, 1) == ST_OK) {
        bound++;
    }
    CHECK_EQ(bind_status, ST_FULL);
    CHECK(bound >= 2);
    for (unsigned i = 0; i < 300; i++) {
        CHECK_EQ(bind_now(0, 1 + i % 2), ST_OK);
        put_content(2); /* which went with the name */
    }
    CHECK(volume.snapshots > 1);
    mount_fully();
    CHECK_EQ(volume.index.name_count, bound);
}

static void test_a_log_that_no_snapshot_fits_into_is_refused(void)
{
    boot_once();
    mount_fully();
    put_content(1);
    for (unsigned n = 0; n < 90; n++) {
        REQUIRE(bind_now(n, 1) == ST_OK);
    }
    for (unsigned copy = 0; copy < BLOBS_SUPERBLOCKS; copy++) {
        struct blobs_superblock *s = (void *)disk.view[copy * BLOBS_SECTORS_PER_BLOCK];
        REQUIRE(s->live_half == 0);
        s->log_blocks = BLOBS_LOG_SPARE;
        blobs_superblock_seal(s);
    }
    expect_refused("too small");
}

static void test_a_disk_that_cannot_be_mounted_is_told_from_a_damaged_one(void)
{
    boot_once();
    mount_fully();
    disk.device.sectors /= 2;
    expect_refused("larger than this disk");
    disk.device.sectors *= 2;
    disk.device.dead = true;
    expect_refused("does not read or write");
    disk.device.dead = false;
    mount_fully();
    CHECK_EQ(volume.state, BLOBS_MOUNTED);
}

/* Its third group stands close behind the end of the next, which is shorter. */
static void test_what_a_cut_snapshot_left_is_not_taken_for_the_next_one(void)
{
    boot_once();
    mount_fully();
    put_content(1);
    for (unsigned n = 0; n < 140; n++) {
        REQUIRE(bind_now(n, 1) == ST_OK);
    }
    snapshot_begin(&volume);
    while (volume.group_number < 3 || volume.generation == volume.superblock.generation) {
        REQUIRE(disk_step());
    }
    disk_reset();
    mount_fully();
    for (unsigned n = 60; n < 140; n++) {
        REQUIRE(name_now(BLOBS_RECORD_UNBIND, n, 1) == ST_OK);
    }
    snapshot_begin(&volume);
    drain();
    CHECK_EQ(volume.snapshots, 1);
    mount_fully();
    CHECK_EQ(volume.state, BLOBS_MOUNTED);
    CHECK_EQ(volume.index.name_count, 60);
}

int main(void)
{
    crc32c_init();
    contents_make();
    RUN(test_nothing_acknowledged_is_lost);
    RUN(test_a_lying_disk_is_noticed_or_harmless);
    RUN(test_a_failing_disk_makes_it_read_only);
    RUN(test_a_disk_that_dies_leaves_nobody_waiting);
    RUN(test_a_flipped_bit_is_never_given_out_as_good);
    RUN(test_foreign_disks_are_refused_and_left_alone);
    RUN(test_damage_in_the_log_is_refused_not_guessed);
    RUN(test_two_cut_groups_never_make_one);
    RUN(test_a_small_log_is_full_before_a_snapshot_of_it_is);
    RUN(test_a_log_that_no_snapshot_fits_into_is_refused);
    RUN(test_a_disk_that_cannot_be_mounted_is_told_from_a_damaged_one);
    RUN(test_what_a_cut_snapshot_left_is_not_taken_for_the_next_one);
    return test_end();
}
