/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_scrub.c: all data is read and compared with its CRCs in the background, one part after the other.
 *
 *     an extent is asked for --> [ the timer --> a part is read and compared ] --> ... --> the next extent
 *                                       ^              | wrong                     | damage
 *                                       |              v                           v
 *                                       +-- is the extent still there?      whose is it, and what is that called?
 *
 *  (1) One question or one transfer is out at a time, and each part waits for the timer: as long as the rate says, and on while
 *      others have transfers with the disk, but no longer than YIELDS_MAX milliseconds.
 *  (2) Nobody holds what is read here: it may end meanwhile, and its blocks be written anew. So what is wrong proves nothing
 *      before the catalog has said again that the extent is what it was. Then the part's blocks are read once more, each alone;
 *      one that is wrong is asked for again, read at once, and asked for again: wrong between two such words, it is damaged.
 *  (3) When an extent with damage has been read, the objects that lead to a damaged block are named, NAMED_MAX at most. They are
 *      suspects from then on (engine_suspect()).
 *  (4) What is written over meanwhile leaves what stands beside it as an extent with a new number, behind all others. So when the
 *      last of those that there were has been read, those that came meanwhile are, and so on, but at most ROUNDS_MAX times: who
 *      writes all the time does not keep a scrub from its end.
 *  (5) All of it is in memory only: after a boot there was no scrub.
 */
#define LOG_TAG "store"
#include <string.h>
#include "core/assert.h"
#include "core/diag.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/mem.h"
#include "engine.h"
#include "lib/crc32c/crc32c.h"
#include "lib/store/store.capnp.h"

#define BLOCK DISK_BLOCK_BYTES
#define PART_BLOCKS 16u /* of one transfer, and compared in one turn */
#define YIELDS_MAX 50u
#define ROUNDS_MAX 4u
#define NAMED_MAX 100u
#define TEXT_MAX 256u
#define SUSPECTS_MAX 32u
#define BITS 64u
#define REPORT_WORDS 32u

struct named {
    uint64_t object;
    bool blob;
    char text[TEXT_MAX];
};

static struct {
    bool running, asking, reading;
    uint64_t rate;                                  /* bytes a second */
    struct engine_op ask;                           /* lent while `asking` */
    struct engine_io io;                            /* out while `reading` */
    struct timer timer;                             /* to the next part */
    unsigned yields;                                /* milliseconds that this part gave way */
    uint8_t *bytes;                                 /* [I] of a part */
    struct catalog_span *span, *again;              /* [I] the extent; what the catalog says of it now */
    uint64_t extent;                                /* its number */
    uint64_t last;                                  /* of this round: (4) */
    unsigned rounds;                                /* that were begun */
    uint32_t at, blocks;                            /* the part */
    uint32_t careful_to;                            /* blocks before are read alone: (2) */
    bool sure;                                      /* the catalog said so right before the block was read */
    bool was_read;                                  /* what is wrong */
    uint64_t damaged[CATALOG_EXTENT_BLOCKS / BITS]; /* blocks of the extent */
    bool damage;                                    /* there are some */
    char *path;                                     /* [I] CATALOG_PATH_MAX */
    struct named *named;                            /* [I] NAMED_MAX */
    uint32_t named_count;
    uint64_t done_bytes, total_bytes, damaged_blocks;
    struct catalog_time began, ended;
} self;

static void next_extent(void) REQUIRES(LOOP);
static void next_owner(uint64_t object, uint64_t at) REQUIRES(LOOP);
static void read_part(void) REQUIRES(LOOP);

static void end(const char *why) REQUIRES(LOOP)
{
    self.running = false;
    self.ended = engine_now();
    timer_cancel(&self.timer);
    log_info("scrub: %s; %llu of %llu KiB read, %llu blocks are damaged", why,
             (unsigned long long)(self.done_bytes / 1024), (unsigned long long)(self.total_bytes / 1024),
             (unsigned long long)self.damaged_blocks);
}

/* --- asking ---------------------------------------------------------------------------------------------------------- */

static struct catalog_op *question(enum catalog_op_kind kind, void (*done)(struct engine_op *op))
{
    ASSERT(!self.asking && !self.reading);
    self.asking = true;
    self.ask = (struct engine_op){.op = {.kind = kind}, .done = done};
    return &self.ask.op;
}

/* False: the scrub has ended, or does with this answer. */
static bool asked(const struct engine_op *op) REQUIRES(LOOP)
{
    self.asking = false;
    if (self.running && op->op.answer != CATALOG_OK) {
        end(catalog_answer_name(op->op.answer));
    }
    return self.running;
}

/* The same of what only gives a name: where tables are damaged there is none. */
static bool asked_name(struct engine_op *op) REQUIRES(LOOP)
{
    if (op->op.answer == CATALOG_DAMAGED) {
        op->op.answer = CATALOG_OK;
        op->op.count = 0;
        op->op.more = false;
    }
    return asked(op);
}

/* --- what is damaged ------------------------------------------------------------------------------------------------- */

static struct {
    struct engine_op op;
    bool out;
    uint64_t object[SUSPECTS_MAX]; /* that the catalog does not know of yet */
    uint32_t count;
} suspects;

static void tell(void) REQUIRES(LOOP);

static void told(struct engine_op *op)
{
    room_assert_loop();
    (void)op;
    suspects.out = false;
    tell();
}

static void tell(void)
{
    if (suspects.out || suspects.count == 0) {
        return;
    }
    suspects.out = true;
    suspects.op =
        (struct engine_op){.op = {.kind = CATALOG_SUSPECT, .object = suspects.object[--suspects.count]}, .done = told};
    engine_submit(&suspects.op);
}

void engine_suspect(uint64_t object)
{
    if (suspects.count < SUSPECTS_MAX) { /* beyond that it is found again */
        suspects.object[suspects.count++] = object;
    }
    tell();
}

/* --- names: (3) ------------------------------------------------------------------------------------------------------ */

static bool damaged_between(uint32_t first, uint32_t blocks)
{
    for (uint32_t i = first; i < first + blocks; i++) {
        if ((self.damaged[i / BITS] >> i % BITS & 1) != 0) {
            return true;
        }
    }
    return false;
}

static struct named *named_of(uint64_t object)
{
    for (uint32_t i = 0; i < self.named_count; i++) {
        if (self.named[i].object == object) {
            return &self.named[i];
        }
    }
    return NULL;
}

static void name_blob(struct named *named, const uint8_t digest[CATALOG_DIGEST])
{
    size_t used = fmt_text(named->text, TEXT_MAX, "blob ");

    for (unsigned i = 0; i < CATALOG_DIGEST; i++) {
        used += fmt_text(named->text + used, TEXT_MAX - used, "%02x", digest[i]);
    }
}

/* The end of a path says more than its beginning. */
static void add_path(struct named *named, const char *path, uint32_t size)
{
    size_t used = named->blob ? strlen(named->text) : 0;
    size_t room = TEXT_MAX - sizeof "file ..." - used;
    size_t cut = size > room ? size - room : 0;

    used += fmt_text(named->text + used, TEXT_MAX - used, "%s%s", named->blob ? ", " : "file ", cut > 0 ? "..." : "");
    memcpy(named->text + used, path + cut, size - cut);
    named->text[used + size - cut] = 0;
}

static void path_said(struct engine_op *op);

static void next_path(uint64_t object, uint64_t id, uint64_t generation) REQUIRES(LOOP)
{
    struct catalog_op *op = question(CATALOG_PATH, path_said);

    op->object = object;
    op->id = id;
    op->generation = generation;
    op->path_room = self.path;
    engine_submit(&self.ask);
}

static void path_said(struct engine_op *asked_op)
{
    room_assert_loop();
    if (!asked_name(asked_op)) {
        return;
    }
    const struct catalog_op *op = &asked_op->op;
    struct named *named = &self.named[self.named_count - 1];
    if (op->count == 0 && op->more) {
        next_path(op->object, op->id, op->generation);
        return;
    }
    if (op->count > 0) {
        add_path(named, self.path, op->path_size);
    }
    log_err("scrub: damaged: %s", named->text);
    next_owner(op->object, INT64_MAX);
}

static void name(uint64_t object, const struct catalog_node *node) REQUIRES(LOOP)
{
    struct named *named = &self.named[self.named_count++];

    *named = (struct named){.object = object, .blob = node->has_digest};
    (void)fmt_text(named->text, TEXT_MAX, "object %llu, in snapshots only", (unsigned long long)object);
    if (named->blob) {
        name_blob(named, node->digest);
    }
    engine_suspect(object);
    next_path(object, 0, 0);
}

static void owner_said(struct engine_op *asked_op)
{
    room_assert_loop();
    if (!asked_name(asked_op)) {
        return;
    }
    const struct catalog_op *op = &asked_op->op;
    bool named = named_of(op->object) != NULL;
    if (op->count > 0 && !named && damaged_between((uint32_t)op->run.start, op->run.blocks)) {
        name(op->object, &op->node);
    } else if (op->more) {
        next_owner(op->object, op->size);
    } else {
        next_extent();
    }
}

/* Who leads to the extent, behind this block of that object. */
static void next_owner(uint64_t object, uint64_t at)
{
    if (self.named_count == NAMED_MAX) {
        next_extent();
        return;
    }
    struct catalog_op *op = question(CATALOG_OWNER, owner_said);
    op->id = self.extent;
    op->object = object;
    op->size = at;
    engine_submit(&self.ask);
}

/* --- parts ----------------------------------------------------------------------------------------------------------- */

static void wait_for(uint64_t ns) REQUIRES(LOOP)
{
    timer_set(&self.timer, clock_ns() + ns);
}

static void next_part(void) REQUIRES(LOOP)
{
    self.yields = 0;
    if (self.at < self.span->blocks) {
        wait_for(self.blocks * BLOCK * NS_PER_S / self.rate); /* for what was read last */
    } else if (self.damage) {
        next_owner(0, 0);
    } else {
        next_extent();
    }
}

static bool part_right(void)
{
    for (uint32_t i = 0; i < self.blocks; i++) {
        if (crc32c_update(0, self.bytes + i * BLOCK, BLOCK) != self.span->crc[self.at + i]) {
            return false;
        }
    }
    return true;
}

static void note_damage(bool was_read) REQUIRES(LOOP)
{
    self.damaged[self.at / BITS] |= (uint64_t)1 << self.at % BITS;
    self.damage = true;
    self.damaged_blocks++;
    if (was_read) {
        engine_self.count.damaged++;
    }
    if (self.damaged_blocks <= NAMED_MAX) {
        log_err("scrub: block %llu of the disk %s", (unsigned long long)(self.span->start + self.at),
                was_read ? "does not hold what was written" : "cannot be read");
    }
}

static void part_done(void) REQUIRES(LOOP)
{
    self.sure = false;
    self.at += self.blocks;
    self.done_bytes += self.blocks * BLOCK;
    next_part();
}

/* (2): the extent is what it was. */
static void same_again(void) REQUIRES(LOOP)
{
    if (self.at >= self.careful_to) {
        self.careful_to = self.at + self.blocks;
        next_part();
    } else if (!self.sure) {
        self.sure = true;
        read_part();
    } else {
        note_damage(self.was_read);
        part_done();
    }
}

static void again_said(struct engine_op *op)
{
    room_assert_loop();
    const struct catalog_span *was = self.span, *is = self.again;
    bool missing = op->op.answer == CATALOG_MISSING;

    op->op.answer = missing ? CATALOG_OK : op->op.answer;
    if (!asked(op)) {
        return;
    }
    if (!missing && op->op.id == self.extent && was->start == is->start && was->blocks == is->blocks &&
        memcmp(was->crc, is->crc, was->blocks * sizeof was->crc[0]) == 0) {
        same_again();
        return;
    }
    self.done_bytes -= (uint64_t)self.at * BLOCK; /* it ended; if there is another of this number, that is read */
    self.extent--;
    next_extent();
}

/* (2) */
static void ask_again(void) REQUIRES(LOOP)
{
    struct catalog_op *op = question(CATALOG_EXTENT, again_said);

    op->id = self.extent - 1;
    op->object = self.last;
    op->span = self.again;
    engine_submit(&self.ask);
}

static void part_read(struct engine_io *io, status_t status)
{
    room_assert_loop();
    (void)io;
    self.reading = false;
    if (!self.running) {
        return;
    }
    if (engine_self.data->dead) {
        end("the disk is dead");
        return;
    }
    bool right = status == ST_OK && part_right();
    if (right) {
        part_done();
    } else {
        self.was_read = status == ST_OK;
        ask_again();
    }
}

static void read_part(void)
{
    uint32_t left = self.span->blocks - self.at;

    self.blocks = self.at < self.careful_to ? 1 : left < PART_BLOCKS ? left : PART_BLOCKS;
    self.reading = true;
    engine_io_set(&self.io, BLK_READ, self.span->start + self.at, part_read);
    engine_io_add(&self.io, self.bytes, self.blocks * BLOCK);
    engine_io_start(&self.io);
}

/* (1) */
static void due(struct timer *timer)
{
    room_assert_loop();
    (void)timer;
    if (engine_self.io.out > 0 && self.yields < YIELDS_MAX) {
        self.yields++;
        wait_for(NS_PER_MS);
    } else {
        read_part();
    }
}

/* --- extents --------------------------------------------------------------------------------------------------------- */

/* The extent may be the first of another round. False: there are no more rounds. (4) */
static bool round_goes_on(const struct catalog_op *op)
{
    if (op->id > self.last) {
        self.last = op->object;
        self.rounds++;
    }
    return self.rounds <= ROUNDS_MAX;
}

static void extent_said(struct engine_op *op)
{
    room_assert_loop();
    bool missing = op->op.answer == CATALOG_MISSING;
    bool unreadable = op->op.answer == CATALOG_DAMAGED && op->op.id != self.extent;

    self.total_bytes = op->op.answer == CATALOG_OK || missing ? op->op.size : self.total_bytes;
    op->op.answer = missing || unreadable ? CATALOG_OK : op->op.answer;
    if (!asked(op)) {
        return;
    }
    if (missing || !round_goes_on(&op->op)) {
        end(missing ? "done" : "done, but for what is written anew all the time");
        return;
    }
    self.extent = op->op.id;
    if (unreadable) {
        log_err("scrub: what extent %llu is cannot be read: Volume.check says more", (unsigned long long)self.extent);
        next_extent();
        return;
    }
    self.at = self.careful_to = 0;
    self.sure = false;
    self.damage = false;
    memset(self.damaged, 0, sizeof self.damaged);
    next_part();
}

static void next_extent(void)
{
    struct catalog_op *op = question(CATALOG_EXTENT, extent_said);

    op->id = self.extent;
    op->object = self.last;
    op->span = self.span;
    engine_submit(&self.ask);
}

/* --- from outside ---------------------------------------------------------------------------------------------------- */

static void start(uint64_t rate) REQUIRES(LOOP)
{
    self.running = true;
    self.rate = rate;
    self.began = engine_now();
    self.ended = (struct catalog_time){0};
    self.extent = self.last = self.rounds = 0;
    self.done_bytes = self.total_bytes = self.damaged_blocks = 0;
    self.blocks = self.named_count = 0;
    next_extent();
}

void engine_scrub(struct call *call, uint64_t rate)
{
    if (rate == 0) {
        engine_scrub_stop();
    } else if (self.running) {
        self.rate = rate;
        if (timer_armed(&self.timer)) {
            wait_for(0); /* what was waited for was by the other rate */
        }
    } else if (self.asking || self.reading) {
        call_fail(call, EXCEPTION_OVERLOADED, "the last scrub is still stopping: ask again");
        return;
    } else {
        start(rate);
    }
    call_return(call);
}

void engine_scrub_stop(void)
{
    if (self.running) {
        end("stopped");
    }
}

uint32_t engine_scrub_out(void)
{
    return self.asking ? 1 : 0;
}

static void say_time(struct time_builder out, struct catalog_time time)
{
    time_set_nanoseconds(out, time.ns);
    time_set_clock(out, (enum time_clock)time.clock);
}

void engine_scrubbed(struct call *call)
{
    uint32_t words = REPORT_WORDS + self.named_count * (TEXT_MAX / 8 + 1);
    struct scrub_report_builder report = volume_scrubbed_results_init_report(volume_scrubbed_results(call, words));
    struct capnp_list_builder named = scrub_report_init_damaged(report, self.named_count);

    for (uint32_t i = 0; i < self.named_count; i++) {
        capnp_set_text(capnp_list_slot(named, i), capnp_text(self.named[i].text));
    }
    scrub_report_set_running(report, self.running);
    scrub_report_set_bytes(report, self.done_bytes);
    scrub_report_set_bytes_total(report, self.total_bytes);
    scrub_report_set_damaged_blocks(report, self.damaged_blocks);
    say_time(scrub_report_init_began(report), self.began);
    say_time(scrub_report_init_ended(report), self.ended);
    call_return(call);
}

void engine_scrub_show(void)
{
    diag_print("  scrub %-18s %6llu of %6llu MiB, %llu blocks are damaged\n", self.running ? "under way" : "",
               (unsigned long long)(self.done_bytes >> 20), (unsigned long long)(self.total_bytes >> 20),
               (unsigned long long)self.damaged_blocks);
}

void engine_scrub_init(void)
{
    self.bytes = boot_alloc(PART_BLOCKS * BLOCK, BLOCK);
    self.span = boot_alloc(sizeof *self.span, 16);
    self.again = boot_alloc(sizeof *self.again, 16);
    self.path = boot_alloc(CATALOG_PATH_MAX, 16);
    self.named = boot_alloc(NAMED_MAX * sizeof *self.named, 16);
    timer_init(&self.timer, due);
}
