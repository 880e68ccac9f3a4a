/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import_iso.c: ISO 9660 (ECMA-119) with the names of Rock Ridge (RRIP 1.12, over SUSP 1.12) where there are such, else those of
 * Joliet, else its own. "E-119" and "SUSP" in comments are sections of these.
 *
 *  (1) All sizes and places are compared with what the volume has (import_disk.c) or the record has left before they are used.
 *  (2) What is neither file nor directory (a symbolic link, a device) is not shown.
 *  (3) A directory that stands elsewhere because it is deep (RRIP 4.1.5) is shown where it belongs.
 *  (4) A question costs a bounded amount, whatever the volume says: so many records of all the directories on its way, so many
 *      places elsewhere that these lead to. Each begins at the root, and with it the counting.
 */
#include <string.h>
#include "core/assert.h"
#include "import.h"

#define BLOCK 2048u
#define DESCRIPTORS_MAX 64u
#define DIRECTORY_MAX (64u << 20) /* bytes; some hundred thousand entries */
#define RECORDS_MAX (1u << 19)    /* (4) as many as fill a directory with names of usual length */
#define ELSEWHERE_MAX (1u << 16)  /* (4) continuations, which long names have, and directories of (3) */
#define CONTINUATIONS_MAX 16u

enum names { NAMES_PLAIN, NAMES_JOLIET, NAMES_ROCK_RIDGE };

static struct {
    struct import_part part;
    enum names names;
    uint32_t skip;                         /* bytes before the first SUSP entry of a record */
    uint32_t records_left, elsewhere_left; /* (4) */
    unsigned char block[BLOCK];
    unsigned char continued[BLOCK];
} self;

struct iso_dir {
    uint64_t begin, size; /* bytes */
    uint64_t at;          /* of the next record */
};
_Static_assert(sizeof(struct iso_dir) <= sizeof((struct import_dir *)0)->state, "a directory's state");

/* What the entries of SUSP make of a record. */
struct rock {
    struct import_entry *entry;
    bool named;     /* by an NM */
    bool hidden;    /* (2), or a directory that stands elsewhere */
    bool indicator; /* an SP, which counts in the root's first record; what it says to skip: */
    uint32_t skip;
    uint64_t child;      /* (3): its block; 0: none */
    uint64_t next, size; /* where it is continued; 0: nowhere */
};

static uint32_t get16(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get32(const unsigned char *p)
{
    return get16(p) | get16(p + 2) << 16;
}

/* (4) */
static enum import_answer spend(uint32_t *left)
{
    if (*left == 0) {
        return IMPORT_UNSUPPORTED;
    }
    --*left;
    return IMPORT_OK;
}

/* --- records: E-119 9.1 ---------------------------------------------------------------------------------------------- */

#define RECORD_MIN 34u
enum flag { FLAG_DIRECTORY = 2, FLAG_ASSOCIATED = 4, FLAG_MORE = 0x80 };

/* Seven bytes, E-119 9.1.5. */
static struct import_time time_short(const unsigned char *p)
{
    struct import_time time = import_time_of(1900 + p[0], p[1], p[2], p[3], p[4], p[5]);

    if (time.known) {
        time.ns -= (int64_t)(signed char)p[6] * 15 * 60 * 1000000000;
    }
    return time;
}

static unsigned digits(const unsigned char *p, unsigned count)
{
    unsigned value = 0;

    for (unsigned i = 0; i < count; i++) {
        value = value * 10 + (p[i] >= '0' && p[i] <= '9' ? (unsigned)p[i] - '0' : 0);
    }
    return value;
}

/* Seventeen, E-119 8.4.26.1. */
static struct import_time time_long(const unsigned char *p)
{
    struct import_time time = import_time_of((int)digits(p, 4), digits(p + 4, 2), digits(p + 6, 2), digits(p + 8, 2),
                                             digits(p + 10, 2), digits(p + 12, 2));

    if (time.known) {
        time.ns += (int64_t)digits(p + 14, 2) * 10000000 - (int64_t)(signed char)p[16] * 15 * 60 * 1000000000;
    }
    return time;
}

static struct import_node node_of(const unsigned char *record, uint64_t at)
{
    return (struct import_node){.directory = (record[25] & FLAG_DIRECTORY) != 0,
                                .size = get32(record + 10),
                                .changed = time_short(record + 18),
                                .id = at,
                                .where = ((uint64_t)get32(record + 2) + record[1]) * BLOCK};
}

/* --- Rock Ridge ------------------------------------------------------------------------------------------------------ */

/* Name, RRIP 4.1.4. A piece that does not fit makes it no name. */
static void take_nm(struct rock *rock, const unsigned char *entry)
{
    struct import_entry *out = rock->entry;
    uint32_t size = entry[2] - 5u;

    if (!rock->named) {
        out->name_size = 0;
        rock->named = true;
    }
    bool fits = (entry[4] & 6) == 0 && out->name_size <= STORE_NAME_MAX && size <= STORE_NAME_MAX - out->name_size;
    if (!fits) {
        out->name_size = STORE_NAME_MAX + 1; /* and it stays so */
        return;
    }
    memcpy(out->name + out->name_size, entry + 5, size);
    out->name_size += size;
}

/* Times, RRIP 4.1.6: those that are there, in this order: made, changed, others. */
static void take_tf(struct rock *rock, const unsigned char *entry)
{
    uint32_t each = (entry[4] & 0x80) != 0 ? 17 : 7;
    uint32_t at = 5;

    for (unsigned i = 0; i < 2; i++) {
        if ((entry[4] & 1u << i) == 0 || at + each > entry[2]) {
            continue;
        }
        struct import_time time = each == 17 ? time_long(entry + at) : time_short(entry + at);
        *(i == 0 ? &rock->entry->node.made : &rock->entry->node.changed) = time;
        at += each;
    }
}

static bool is(const unsigned char *entry, const char *signature, uint32_t size)
{
    return entry[0] == (unsigned char)signature[0] && entry[1] == (unsigned char)signature[1] && entry[2] >= size;
}

static void take_entry(struct rock *rock, const unsigned char *entry)
{
    if (is(entry, "NM", 5)) {
        take_nm(rock, entry);
    } else if (is(entry, "TF", 5)) {
        take_tf(rock, entry);
    } else if (is(entry, "PX", 8)) {
        uint32_t kind = get32(entry + 4) & 0170000;
        rock->hidden |= kind != 0040000 && kind != 0100000;
    } else if (is(entry, "CL", 12)) {
        rock->child = get32(entry + 4);
    } else if (is(entry, "RE", 4) || is(entry, "SL", 5)) {
        rock->hidden = true;
    } else if (is(entry, "ZF", 4)) {
        rock->entry->node.compressed = true;
    } else if (is(entry, "SP", 7) && entry[4] == 0xbe && entry[5] == 0xef) {
        rock->indicator = true;
        rock->skip = entry[6];
    } else if (is(entry, "CE", 28)) {
        rock->next = (uint64_t)get32(entry + 4) * BLOCK + get32(entry + 12);
        rock->size = get32(entry + 20);
    }
}

/* The entries of one area, SUSP 5. */
static void take_area(struct rock *rock, const unsigned char *area, uint32_t size)
{
    while (size >= 4 && area[2] >= 4 && area[2] <= size && memcmp(area, "ST", 2) != 0) {
        take_entry(rock, area);
        size -= area[2];
        area += area[2];
    }
}

/* Of a record, from its system use part on. */
static enum import_answer take_rock(struct rock *rock, const unsigned char *area, uint32_t size) REQUIRES(THREAD)
{
    enum import_answer answer = IMPORT_OK;

    take_area(rock, area, size);
    for (uint32_t i = 0; rock->size > 0 && answer == IMPORT_OK; i++) {
        uint64_t at = rock->next;
        uint32_t part = (uint32_t)rock->size;
        if (i == CONTINUATIONS_MAX || rock->size > BLOCK) { /* a circle, or more than a block, SUSP 5.1 */
            return IMPORT_DAMAGED;
        }
        rock->size = 0;
        answer = spend(&self.elsewhere_left);
        if (answer == IMPORT_OK) {
            answer = import_disk_read(&self.part, at, self.continued, part);
        }
        if (answer == IMPORT_OK) {
            take_area(rock, self.continued, part);
        }
    }
    return answer;
}

/* --- names ----------------------------------------------------------------------------------------------------------- */

static void put(struct import_entry *entry, const unsigned char *bytes, uint32_t size)
{
    bool fits = entry->name_size <= STORE_NAME_MAX && size <= STORE_NAME_MAX - entry->name_size;

    if (fits) {
        memcpy(entry->name + entry->name_size, bytes, size);
    }
    entry->name_size = fits ? entry->name_size + size : STORE_NAME_MAX + 1;
}

static void put_character(struct import_entry *entry, uint32_t c)
{
    unsigned char bytes[4] = {(unsigned char)c};
    uint32_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (uint32_t i = size - 1; size > 1 && i > 0; i--, c >>= 6) {
        bytes[i] = (unsigned char)(0x80 | (c & 0x3f));
    }
    if (size > 1) {
        bytes[0] = (unsigned char)(0xf00u >> size | c);
    }
    put(entry, bytes, size);
}

/* Big-endian UTF-16. Half a pair stays what it is, which store_name.h then refuses. */
static void name_joliet(struct import_entry *entry, const unsigned char *name, uint32_t size)
{
    for (uint32_t i = 0; i + 1 < size; i += 2) {
        uint32_t c = (uint32_t)name[i] << 8 | name[i + 1];
        if (c >= 0xd800 && c < 0xdc00 && i + 3 < size && (name[i + 2] & 0xfc) == 0xdc) {
            c = 0x10000 + ((c & 0x3ff) << 10) + ((uint32_t)(name[i + 2] & 3) << 8 | name[i + 3]);
            i += 2;
        }
        put_character(entry, c);
    }
}

/* Without ";1", and the dot of a name that has nothing behind it: E-119 7.5. */
static void cut_version(struct import_entry *entry)
{
    uint32_t size = entry->name_size;

    while (size > 0 && size <= STORE_NAME_MAX && entry->name[size - 1] >= '0' && entry->name[size - 1] <= '9') {
        size--;
    }
    if (size > 1 && size <= STORE_NAME_MAX && entry->name[size - 1] == ';') {
        entry->name_size = size - 1;
    }
    if (!entry->node.directory && entry->name_size > 1 && entry->name_size <= STORE_NAME_MAX &&
        entry->name[entry->name_size - 1] == '.') {
        entry->name_size--;
    }
}

static enum import_answer take_name(struct rock *rock, const unsigned char *record) REQUIRES(THREAD)
{
    struct import_entry *entry = rock->entry;
    uint32_t length = record[32];
    uint32_t area = 33 + length + (length % 2 == 0 ? 1 : 0) + self.skip;
    enum import_answer answer = IMPORT_OK;

    entry->name_size = 0;
    if (self.names == NAMES_ROCK_RIDGE && area < record[0]) {
        answer = take_rock(rock, record + area, record[0] - area);
    }
    if (!rock->named) {
        if (self.names == NAMES_JOLIET) {
            name_joliet(entry, record + 33, length);
        } else {
            put(entry, record + 33, length);
        }
        cut_version(entry);
    }
    entry->name[entry->name_size <= STORE_NAME_MAX ? entry->name_size : 0] = 0;
    return answer;
}

/* --- directories ----------------------------------------------------------------------------------------------------- */

static void question_begins(void)
{
    self.records_left = RECORDS_MAX;
    self.elsewhere_left = ELSEWHERE_MAX;
}

static enum import_answer iso_enter(struct import_dir *dir, const char *path, const struct import_node *node)
{
    room_assert_thread();
    struct iso_dir *iso = (struct iso_dir *)(void *)dir->state;

    if (path[0] == 0) {
        question_begins();
    }
    *iso = (struct iso_dir){node->where, node->size, 0};
    dir->key = node->where;
    return node->size <= DIRECTORY_MAX ? IMPORT_OK : IMPORT_DAMAGED;
}

/* The next record that is one, in self.block. IMPORT_MISSING: there is none. */
static enum import_answer next_record(struct iso_dir *iso, const unsigned char **record, uint64_t *at) REQUIRES(THREAD)
{
    while (iso->at < iso->size) {
        uint32_t in = (uint32_t)(iso->at % BLOCK);
        enum import_answer answer = spend(&self.records_left); /* an empty block is as good as one */
        if (answer == IMPORT_OK) {
            answer = import_disk_read(&self.part, iso->begin + iso->at - in, self.block, BLOCK);
        }
        if (answer != IMPORT_OK) {
            return answer;
        }
        uint32_t length = self.block[in];
        if (length == 0) { /* the rest of the block is empty */
            iso->at += BLOCK - in;
            continue;
        }
        if (length < RECORD_MIN || length > BLOCK - in || 33u + self.block[in + 32] > length) {
            return IMPORT_DAMAGED;
        }
        *record = self.block + in;
        *at = iso->begin + iso->at;
        iso->at += length;
        return IMPORT_OK;
    }
    return IMPORT_MISSING;
}

/* (3): its size stands in its first record. */
static enum import_answer take_child(struct import_node *node, uint64_t block) REQUIRES(THREAD)
{
    unsigned char record[RECORD_MIN];
    enum import_answer answer = spend(&self.elsewhere_left);

    if (answer == IMPORT_OK) {
        answer = import_disk_read(&self.part, block * BLOCK, record, sizeof record);
    }
    if (answer == IMPORT_OK && record[0] < RECORD_MIN) {
        answer = IMPORT_DAMAGED;
    }
    if (answer == IMPORT_OK) {
        node->directory = true;
        node->where = block * BLOCK;
        node->size = get32(record + 10);
    }
    return answer;
}

/* A file may stand in pieces, each with a record; here they must follow each other. */
static enum import_answer take_pieces(struct iso_dir *iso, struct import_node *node) REQUIRES(THREAD)
{
    bool more = true;

    while (more) {
        const unsigned char *record;
        uint64_t at;
        enum import_answer answer = next_record(iso, &record, &at);
        if (answer != IMPORT_OK) {
            return answer == IMPORT_MISSING ? IMPORT_DAMAGED : answer;
        }
        struct import_node piece = node_of(record, at);
        if (piece.directory || node->size % BLOCK != 0 || piece.where != node->where + node->size) {
            return IMPORT_UNSUPPORTED;
        }
        node->size += piece.size;
        more = (record[25] & FLAG_MORE) != 0;
    }
    return IMPORT_OK;
}

static bool is_dots(const unsigned char *record)
{
    return record[32] == 1 && record[33] <= 1;
}

static enum import_answer take_record(struct iso_dir *iso, const unsigned char *record, uint64_t at, struct rock *rock)
    REQUIRES(THREAD)
{
    struct import_node *node = &rock->entry->node;
    bool pieces = (record[25] & FLAG_MORE) != 0;
    bool interleaved = record[26] != 0;

    *node = node_of(record, at);
    rock->hidden = is_dots(record) || (record[25] & FLAG_ASSOCIATED) != 0;
    if (rock->hidden) {
        return IMPORT_OK;
    }
    enum import_answer answer = take_name(rock, record);
    if (answer == IMPORT_OK && interleaved) {
        answer = IMPORT_UNSUPPORTED;
    }
    if (answer == IMPORT_OK && rock->child != 0) {
        answer = take_child(node, rock->child);
    }
    return answer == IMPORT_OK && pieces ? take_pieces(iso, node) : answer;
}

static enum import_answer iso_next(struct import_dir *dir, struct import_entry *entry)
{
    room_assert_thread();
    struct iso_dir *iso = (struct iso_dir *)(void *)dir->state;
    const unsigned char *record;
    uint64_t at;
    struct rock rock;
    enum import_answer answer;

    do {
        rock = (struct rock){.entry = entry};
        answer = next_record(iso, &record, &at);
        if (answer == IMPORT_OK) {
            answer = take_record(iso, record, at, &rock);
        }
    } while (answer == IMPORT_OK && rock.hidden);
    return answer;
}

/* --- files ----------------------------------------------------------------------------------------------------------- */

static enum import_answer iso_open(struct import_file *file, const char *path, const struct import_node *node)
{
    room_assert_thread();
    (void)file, (void)path;
    if (node->compressed) {
        return IMPORT_UNSUPPORTED;
    }
    bool within = node->size <= self.part.size && node->where <= self.part.size - node->size;
    return within || node->size == 0 ? IMPORT_OK : IMPORT_DAMAGED;
}

static enum import_answer iso_read(struct import_file *file, uint64_t offset, void *bytes, uint32_t size)
{
    room_assert_thread();
    return import_disk_read(&self.part, file->node.where + offset, bytes, size);
}

/* --- the volume ------------------------------------------------------------------------------------------------------ */

/* Rock Ridge says so in the first record of the root directory, SUSP 5.3, which begins its first block. */
static enum import_answer look_for_rock(const struct import_node *root) REQUIRES(THREAD)
{
    static struct import_entry entry;
    struct rock rock = {.entry = &entry};
    struct iso_dir iso = {root->where, root->size < BLOCK ? root->size : BLOCK, 0};
    const unsigned char *record;
    uint64_t at;

    question_begins();
    enum import_answer answer = next_record(&iso, &record, &at);
    if (answer == IMPORT_OK && is_dots(record)) {
        take_area(&rock, record + 34, record[0] - 34u);
    }
    self.skip = rock.skip;
    self.names = rock.indicator ? NAMES_ROCK_RIDGE : NAMES_PLAIN;
    return answer == IMPORT_MISSING ? IMPORT_OK : answer;
}

static bool is_joliet(const unsigned char *descriptor)
{
    const unsigned char *escape = descriptor + 88;

    return descriptor[0] == 2 && escape[0] == '%' && escape[1] == '/' &&
           (escape[2] == '@' || escape[2] == 'C' || escape[2] == 'E');
}

/* A volume descriptor, E-119 8. False: it was the last. */
static bool take_descriptor(const unsigned char *d, struct import_node *primary, struct import_node *joliet)
{
    if (memcmp(d + 1, "CD001", 5) != 0 || d[0] == 255) {
        return false;
    }
    if (d[0] == 1 && primary->id == 0 && get16(d + 128) == BLOCK) {
        *primary = node_of(d + 156, 1);
    } else if (is_joliet(d) && joliet->id == 0 && get16(d + 128) == BLOCK) {
        *joliet = node_of(d + 156, 1);
    }
    return true;
}

static enum import_answer iso_mount(const struct import_part *part, struct import_node *root)
{
    room_assert_thread();
    struct import_node primary = {0}, joliet = {0};
    enum import_answer answer = IMPORT_OK;
    uint32_t i = 0;

    self.part = *part;
    do {
        answer = import_disk_read(part, (16 + i) * (uint64_t)BLOCK, self.block, BLOCK);
        i++;
    } while (answer == IMPORT_OK && i < DESCRIPTORS_MAX && take_descriptor(self.block, &primary, &joliet));
    if (answer == IMPORT_FAILED || i == 1) {
        return answer == IMPORT_FAILED ? answer : IMPORT_FOREIGN;
    }
    if (primary.id == 0) {
        return IMPORT_UNSUPPORTED;
    }
    answer = look_for_rock(&primary);
    *root = primary;
    if (self.names != NAMES_ROCK_RIDGE && joliet.id != 0) {
        self.names = NAMES_JOLIET;
        *root = joliet;
    }
    root->directory = true;
    return answer == IMPORT_OK && root->size > DIRECTORY_MAX ? IMPORT_DAMAGED : answer;
}

const struct import_format import_iso = {"ISO 9660", iso_mount, iso_enter, iso_next, iso_open, iso_read};
