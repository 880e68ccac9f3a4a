/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sqlite_log.c: whether the write-ahead log ends where a cut left it, or is damaged before its end. SQLite itself takes the first
 * frame that does not fit for the end (https://www.sqlite.org/fileformat2.html, section 4).
 *
 *  (1) Each frame has the sum of all before it and itself, so whether a frame follows the one before can be seen from these two.
 *      Frames of one life of the log have its header's salts; the log gets others each time it begins anew.
 *  (2) A commit is some frames, the last of which says so, and that one once more, which fills the block. The next one begins
 *      when the disk has FLUSHed all that: so of the frames behind the end of what is whole, those of one commit may be there, or
 *      some of them, and none of a second. A frame that follows, by (1), a whole commit behind the break was written when that
 *      commit was durable, and so was all before it: the break is damage.
 *  (3) What a cut left of a commit stays, with the same salts, where the next, written in its place after a mount, is shorter.
 *      It does not follow what was written, and is again one commit only.
 *  (4) The frame that fills the block is not part of what was FLUSHed: a cut may tear it, with the commit behind it whole.
 *      Then SQLite would go on in the block that the last commit ends in, and a cut might tear that: so sqlite_open() moves all to
 *      the database first, and the log begins anew.
 *  (5) The log begins anew by writing the block of its header, and FLUSHing that, when all that it held is in the database. A cut
 *      may tear that block. So when nothing is whole, only what is not in the database is lost; and it is there when the last
 *      commit is, for a checkpoint is one step (volume_commit).
 *  (6) A disk writes its sectors whole, not frames: a cut, or a write that failed, may leave the one part of a frame's head of this
 *      commit and the other of what was there before (3). It would say that it ends a commit, with the sum of a frame that did
 *      not. So a head that a sector's end goes through is believed only if the frame before vouches for it.
 *  (7) SQLite gives the log other salts only where it begins anew while it is open. Behind a header with nothing whole after it (5)
 *      it would go on with the same, and commits of before would stand behind new ones. So that log begins anew at a mount, too.
 */
#include <string.h>
#include "lib/sqlite/sqlite.h"
#include "sqlite_private.h"

#define SUMMED_BYTES 24u  /* of the header, before its sum */
#define MAGIC 0x377f0682u /* sums over little-endian words, which is what this machine writes */
#define FORMAT 3007000u
#define SECTOR_BYTES 512u /* the least that a disk writes whole */

struct sum {
    uint32_t a, b;
};
struct frame {
    uint32_t page, commit; /* commit: pages of the database after it; 0: it is none */
    uint32_t salt[2];
    struct sum sum; /* as it says */
    unsigned char bytes[FRAME_BYTES];
};
struct walk {
    struct volume *volume;
    uint32_t salt[2];
    uint64_t count;     /* frames that the log has room for */
    struct frame frame; /* the last one that was read */
    uint64_t number;    /* its, from 1 */
    unsigned char page[VOLUME_PAGE_BYTES];
};

static uint32_t big(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static struct sum sum_of(struct sum sum, const unsigned char *bytes, uint32_t size)
{
    for (uint32_t i = 0; i < size; i += 8) {
        uint32_t word[2];
        memcpy(word, bytes + i, sizeof word);
        sum.a += word[0] + sum.b;
        sum.b += word[1] + sum.a;
    }
    return sum;
}

static bool same(struct sum x, struct sum y)
{
    return x.a == y.a && x.b == y.b;
}

/* Whether there is a header, *sum is its; or whether it was cleared (volume_log_clear), when all was in the database. */
static status_t begin(struct walk *walk, struct sum *sum, bool *there, bool *cleared) REQUIRES(THREAD)
{
    static const unsigned char nothing[HEADER_BYTES + FRAME_HEAD_BYTES];
    unsigned char header[sizeof nothing];
    status_t s = volume_log_peek(walk->volume, 0, header, sizeof header);

    if (s != ST_OK) {
        return s;
    }
    *cleared = memcmp(header, nothing, sizeof nothing) == 0;
    *sum = sum_of((struct sum){0, 0}, header, SUMMED_BYTES);
    *there = big(header) == MAGIC && big(header + 4) == FORMAT && big(header + 8) == VOLUME_PAGE_BYTES &&
             same(*sum, (struct sum){big(header + 24), big(header + 28)});
    walk->salt[0] = big(header + 16);
    walk->salt[1] = big(header + 20);
    walk->count = (volume_log_bytes(walk->volume) - HEADER_BYTES) / FRAME_BYTES;
    return ST_OK;
}

static status_t read_frame(struct walk *walk, uint64_t number) REQUIRES(THREAD)
{
    struct frame *frame = &walk->frame;
    uint64_t offset = HEADER_BYTES + (number - 1) * FRAME_BYTES;

    walk->number = number;
    status_t s = volume_log_peek(walk->volume, offset, frame->bytes, FRAME_BYTES);
    if (s == ST_OK) {
        frame->page = big(frame->bytes);
        frame->commit = big(frame->bytes + 4);
        frame->salt[0] = big(frame->bytes + 8);
        frame->salt[1] = big(frame->bytes + 12);
        frame->sum = (struct sum){big(frame->bytes + 16), big(frame->bytes + 20)};
    }
    return s;
}

static bool of_this_life(const struct walk *walk)
{
    return walk->frame.salt[0] == walk->salt[0] && walk->frame.salt[1] == walk->salt[1] && walk->frame.page != 0;
}

static bool follows(const struct walk *walk, struct sum before)
{
    return same(sum_of(sum_of(before, walk->frame.bytes, 8), walk->frame.bytes + FRAME_HEAD_BYTES, VOLUME_PAGE_BYTES),
                walk->frame.sum);
}

/* Whether frame `number + 1` fills up the block of this commit: (2). */
static bool wants_filling(uint64_t number)
{
    return (HEADER_BYTES + number * FRAME_BYTES) % DISK_BLOCK_BYTES != 0;
}

/* Up to the first frame that does not follow. *filling: that one fills up the block of the last commit. */
static status_t walk_whole(struct walk *walk, struct sum sum, uint64_t *frames, bool *filling) REQUIRES(THREAD)
{
    status_t s = ST_OK;
    uint64_t committed = 0; /* the first frame that says so, of the last commit */

    *frames = 0;
    for (uint64_t i = 1; i <= walk->count && (s = read_frame(walk, i)) == ST_OK; i++) {
        if (!of_this_life(walk) || !follows(walk, sum)) {
            break;
        }
        sum = walk->frame.sum;
        if (walk->frame.commit != 0) {
            bool fills = committed == i - 1 && committed != 0 && wants_filling(committed);
            committed = fills ? 0 : i;
            *frames = i;
        }
    }
    *filling = committed != 0 && committed == walk->number - 1 && wants_filling(committed);
    return s;
}

/* What follows one another behind the break: (2), (3). */
struct stretch {
    bool begun;
    struct sum sum;
    uint64_t commit; /* the first frame that says so */
    uint64_t begin;  /* of the commit that has not ended yet */
    uint64_t last_begin, last_end;
};
/* A stretch with a second commit. */
struct evidence {
    uint64_t end; /* the last frame; 0: there is none */
    uint64_t last_begin, last_end;
};

/* A commit ended, or was filled up. */
static void stretch_commit(struct stretch *stretch, uint64_t i)
{
    bool fills = stretch->last_end != 0 && stretch->last_end == i - 1 && stretch->begin == i && wants_filling(i - 1);

    if (!fills) {
        stretch->last_begin = stretch->begin;
        stretch->last_end = i;
        stretch->commit = stretch->commit == 0 ? i : stretch->commit;
    }
    stretch->begin = i + 1;
}

/* Whether the frame's head lies in one sector: (6). */
static bool head_is_whole(uint64_t number)
{
    return (HEADER_BYTES + (number - 1) * FRAME_BYTES) % SECTOR_BYTES <= SECTOR_BYTES - FRAME_HEAD_BYTES;
}

static void stretch_add(struct stretch *stretch, const struct walk *walk, bool filling, struct evidence *evidence)
{
    uint64_t i = walk->number;
    bool vouched = stretch->begun && follows(walk, stretch->sum);
    bool commit = walk->frame.commit != 0 && !filling && (vouched || head_is_whole(i)); /* (4), (6) */

    if (!vouched) {
        *stretch = (struct stretch){.begun = true, .begin = i};
    }
    bool second = stretch->commit != 0 && (i > stretch->commit + 1 || !commit);
    stretch->sum = walk->frame.sum;
    if (commit) {
        stretch_commit(stretch, i);
    }
    if (second) {
        *evidence = (struct evidence){i, stretch->last_begin, stretch->last_end};
    }
}

static status_t walk_rest(struct walk *walk, uint64_t from, bool filling, struct evidence *evidence) REQUIRES(THREAD)
{
    struct stretch stretch = {.begun = false};
    status_t s = ST_OK;

    for (uint64_t i = from; i <= walk->count && (s = read_frame(walk, i)) == ST_OK; i++) {
        if (of_this_life(walk)) {
            stretch_add(&stretch, walk, filling && i == from, evidence);
        } else {
            stretch.begun = false;
        }
    }
    return s;
}

/* Whether a later frame of the commit has the same page: SQLite writes a page once more when it had to write it early. */
static status_t superseded(struct walk *walk, uint64_t last, bool *yes) REQUIRES(THREAD)
{
    uint32_t page = walk->frame.page;
    status_t s = ST_OK;

    *yes = false;
    for (uint64_t i = walk->number + 1; i <= last && !*yes && s == ST_OK; i++) {
        s = read_frame(walk, i);
        *yes = s == ST_OK && walk->frame.page == page;
    }
    return s;
}

/* Whether the database has the frame's page as the frame has it. That the disk does not read it now says neither. */
static status_t page_is_here(struct walk *walk, bool *here) REQUIRES(THREAD)
{
    status_t s = volume_page_read(walk->volume, walk->frame.page - 1ull, walk->page);

    *here = s == ST_OK && memcmp(walk->page, walk->frame.bytes + FRAME_HEAD_BYTES, VOLUME_PAGE_BYTES) == 0;
    return s == ST_PROTO || s == ST_RANGE ? ST_OK : s;
}

/* (5) */
static status_t in_database(struct walk *walk, const struct evidence *evidence, bool *there) REQUIRES(THREAD)
{
    status_t s = ST_OK;

    *there = true;
    for (uint64_t i = evidence->last_begin; i <= evidence->last_end && *there && s == ST_OK; i++) {
        bool here = false;
        s = read_frame(walk, i);
        if (s == ST_OK) {
            s = page_is_here(walk, &here);
        }
        if (s == ST_OK && !here) {
            s = superseded(walk, evidence->last_end, there);
        }
    }
    return s;
}

/* Without a header: the life that frame 2, behind the header's block, is of. */
static status_t look_without_header(struct walk *walk, struct evidence *evidence) REQUIRES(THREAD)
{
    status_t s = read_frame(walk, 2);

    memcpy(walk->salt, walk->frame.salt, sizeof walk->salt);
    return s == ST_OK ? walk_rest(walk, 2, false, evidence) : s;
}

status_t sqlite_log_look(struct volume *volume, struct sqlite_log *log)
{
    static struct walk walk;
    struct evidence evidence = {0};
    struct sum sum;
    bool there = false;
    bool filling = false;
    bool cleared = false;

    walk = (struct walk){.volume = volume};
    *log = (struct sqlite_log){0};
    status_t s = begin(&walk, &sum, &there, &cleared);
    if (s != ST_OK || cleared) {
        return s;
    }
    if (there) {
        s = walk_whole(&walk, sum, &log->frames, &filling);
    }
    if (s == ST_OK) {
        s = there ? walk_rest(&walk, walk.number, filling, &evidence) : look_without_header(&walk, &evidence);
    }
    log->bare = filling || log->frames == 0; /* (4), (7) */
    there = false;
    if (s == ST_OK && evidence.end != 0 && log->frames == 0) {
        s = in_database(&walk, &evidence, &there);
    }
    log->lost = evidence.end != 0 && !there ? evidence.end - log->frames : 0;
    return s;
}
