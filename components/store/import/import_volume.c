/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import_volume.c: what is the same for all formats: which part of the disk is the volume, the way along a path, pages of a
 * listing, times.
 *
 *  (1) A way goes through no directory twice: on a volume that says otherwise it would have no end.
 *  (2) A name that is none (store_name.h) is damage: it could be listed, but never asked for.
 */
#include <string.h>
#include "config.h"
#include "import.h"

#define SECTOR 512u
#define GPT_ENTRIES 128u

static struct {
    const struct import_format *format;
    struct import_node root;
    struct import_dir dir; /* that is being looked through */
    struct import_entry entry;
} self;

/* --- times ----------------------------------------------------------------------------------------------------------- */

/* Days since 1970 of a day of the Gregorian calendar: years begin in March, so that a leap day is the last. */
static int64_t days_of(int year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct import_time import_time_of(int year, unsigned month, unsigned day, unsigned hour, unsigned minute,
                                  unsigned second)
{
    bool known = year >= 1900 && year < 2200 && month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour <= 23 &&
                 minute <= 59 && second <= 60;

    if (!known) {
        return (struct import_time){0};
    }
    int64_t s = ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    return (struct import_time){s * 1000000000, true};
}

/* --- where the volume is --------------------------------------------------------------------------------------------- */

static uint32_t get32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const unsigned char *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

/* In sectors, from a table of partitions: cut to what the disk has. */
static enum import_answer mount_part(const struct import_format *format, uint64_t first, uint64_t count)
    REQUIRES(THREAD)
{
    uint64_t sectors = import_disk_bytes() / SECTOR;

    if (first == 0 || first >= sectors || count == 0) {
        return IMPORT_FOREIGN;
    }
    count = count < sectors - first ? count : sectors - first;
    return format->mount(&(struct import_part){first * SECTOR, count * SECTOR}, &self.root);
}

/* UEFI 2.10, 5.3: the header in the second sector, entries of 128 bytes. */
static enum import_answer mount_gpt(const struct import_format *format, const struct import_part *disk) REQUIRES(THREAD)
{
    unsigned char header[SECTOR], entry[128];
    enum import_answer answer = import_disk_read(disk, SECTOR, header, sizeof header);

    if (answer != IMPORT_OK || memcmp(header, "EFI PART", 8) != 0 || get32(header + 84) != sizeof entry) {
        return answer == IMPORT_FAILED ? answer : IMPORT_FOREIGN;
    }
    uint64_t at = get64(header + 72);
    uint32_t count = get32(header + 80) < GPT_ENTRIES ? get32(header + 80) : GPT_ENTRIES;
    answer = at < import_disk_bytes() / SECTOR ? IMPORT_FOREIGN : IMPORT_DAMAGED;
    for (uint32_t i = 0; i < count && answer == IMPORT_FOREIGN; i++) {
        answer = import_disk_read(disk, at * SECTOR + i * sizeof entry, entry, sizeof entry);
        if (answer == IMPORT_OK) {
            uint64_t first = get64(entry + 32);
            answer = mount_part(format, first, get64(entry + 40) - first + 1);
        }
    }
    return answer;
}

/* The first partition of an MBR that holds such a volume. */
static enum import_answer mount_mbr(const struct import_format *format, const struct import_part *disk) REQUIRES(THREAD)
{
    unsigned char sector[SECTOR];
    enum import_answer answer = import_disk_read(disk, 0, sector, sizeof sector);

    if (answer != IMPORT_OK || sector[510] != 0x55 || sector[511] != 0xaa) {
        return answer == IMPORT_FAILED ? answer : IMPORT_FOREIGN;
    }
    answer = IMPORT_FOREIGN;
    for (unsigned i = 0; i < 4 && answer == IMPORT_FOREIGN; i++) {
        const unsigned char *entry = sector + 446 + i * 16;
        if (entry[4] == 0xee) {
            answer = mount_gpt(format, disk);
        } else if (entry[4] != 0) {
            answer = mount_part(format, get32(entry + 8), get32(entry + 12));
        }
    }
    return answer;
}

/* The whole disk, or a part of it. */
static enum import_answer mount_as(const struct import_format *format) REQUIRES(THREAD)
{
    struct import_part disk = {0, import_disk_bytes()};
    enum import_answer answer = format->mount(&disk, &self.root);

    return answer == IMPORT_FOREIGN ? mount_mbr(format, &disk) : answer;
}

static const char *reason(enum import_answer answer)
{
    switch (answer) {
    case IMPORT_FAILED:
        return "a disk that fails";
    case IMPORT_DAMAGED:
        return "a volume that contradicts itself";
    case IMPORT_UNSUPPORTED:
        return "a volume of a kind that is not read here";
    default:
        return "neither FAT nor ISO 9660";
    }
}

/* ISO 9660 first: its disks may have a table of partitions, and a FAT volume to boot from, in front of what they are. */
enum import_answer import_volume_mount(const char **found)
{
    static const struct import_format *const format[] = {&import_iso, &import_fat};
    static const unsigned option[] = {IMPORT_FORMAT_ISO9660, IMPORT_FORMAT_FAT};
    const unsigned wanted = IMPORT_FORMAT;
    enum import_answer answer = IMPORT_FOREIGN;

    self.format = NULL;
    for (unsigned i = 0; i < 2 && answer == IMPORT_FOREIGN; i++) {
        if (wanted == IMPORT_FORMAT_AUTO || wanted == option[i]) {
            answer = mount_as(format[i]);
            self.format = format[i];
        }
    }
    *found = answer == IMPORT_OK ? self.format->name : reason(answer);
    return answer;
}

/* --- the way along a path -------------------------------------------------------------------------------------------- */

struct way {
    uint64_t key[IMPORT_DEPTH]; /* of the directories that it leads through */
    uint32_t depth;
};

/* (1) */
static enum import_answer enter(struct way *way, const char *path, const struct import_node *node) REQUIRES(THREAD)
{
    if (!node->directory) {
        return IMPORT_NOT_DIRECTORY;
    }
    if (way->depth == IMPORT_DEPTH) {
        return IMPORT_DAMAGED;
    }
    enum import_answer answer = self.format->enter(&self.dir, path, node);
    for (uint32_t i = 0; i < way->depth && answer == IMPORT_OK; i++) {
        answer = way->key[i] == self.dir.key ? IMPORT_DAMAGED : IMPORT_OK;
    }
    way->key[way->depth++] = self.dir.key;
    return answer;
}

/* (2) */
static enum import_answer next(struct import_entry *entry) REQUIRES(THREAD)
{
    enum import_answer answer = self.format->next(&self.dir, entry);

    return answer == IMPORT_OK && !store_name_fits(entry->name, entry->name_size) ? IMPORT_DAMAGED : answer;
}

static enum import_answer look(const char *name, uint32_t size, struct import_node *node) REQUIRES(THREAD)
{
    enum import_answer answer;

    do {
        answer = next(&self.entry);
    } while (answer == IMPORT_OK && (self.entry.name_size != size || memcmp(self.entry.name, name, size) != 0));
    if (answer == IMPORT_OK) {
        *node = self.entry.node;
    }
    return answer;
}

/* To the node at the end; with `into`, which must be a directory, that is then being looked through. */
static enum import_answer walk(char *path, struct import_node *node, bool into) REQUIRES(THREAD)
{
    struct way way = {.depth = 0};
    uint32_t size = (uint32_t)strlen(path);
    uint32_t at = 0;
    enum import_answer answer = IMPORT_OK;

    *node = self.root;
    while (at < size && answer == IMPORT_OK) {
        uint32_t length = store_name_first(path + at, size - at);
        uint32_t end = at > 0 ? at - 1 : 0; /* of the directory's own path */
        char cut = path[end];
        path[end] = 0;
        answer = enter(&way, path, node);
        path[end] = cut;
        if (answer == IMPORT_OK) {
            answer = look(path + at, length, node);
        }
        at += length + (at + length < size ? 1 : 0);
    }
    return answer == IMPORT_OK && into ? enter(&way, path, node) : answer;
}

enum import_answer import_volume_stat(char *path, struct import_node *node)
{
    return walk(path, node, false);
}

/* --- pages of a listing ---------------------------------------------------------------------------------------------- */

static int compare(const char *a, uint32_t a_size, const char *b, uint32_t b_size)
{
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);

    return order != 0 ? order : (a_size > b_size) - (a_size < b_size);
}

/* Into its place among those that are kept, unless it is there already; the last falls off. */
static void place(struct import_entry *page, uint32_t room, uint32_t *count) REQUIRES(THREAD)
{
    const struct import_entry *new = &self.entry;
    uint32_t at = *count;
    int order = 1;

    while (at > 0 && order > 0) {
        order = compare(page[at - 1].name, page[at - 1].name_size, new->name, new->name_size);
        at -= order > 0 ? 1 : 0;
        if (order == 0) {
            return;
        }
    }
    if (at == room) {
        return;
    }
    *count += *count < room ? 1 : 0;
    memmove(page + at + 1, page + at, (*count - 1 - at) * sizeof *page);
    page[at] = *new;
}

enum import_answer import_volume_list(char *path, const char *after, struct import_entry *page, uint32_t limit,
                                      uint32_t *count, bool *more)
{
    struct import_node node;
    enum import_answer answer = walk(path, &node, true);
    uint32_t after_size = (uint32_t)strlen(after);

    *count = 0;
    *more = false;
    if (answer != IMPORT_OK) {
        return answer;
    }
    for (answer = next(&self.entry); answer == IMPORT_OK; answer = next(&self.entry)) {
        if (compare(self.entry.name, self.entry.name_size, after, after_size) > 0) {
            place(page, limit + 1, count);
        }
    }
    *more = *count > limit;
    *count -= *more ? 1 : 0;
    return answer == IMPORT_MISSING ? IMPORT_OK : answer;
}

/* --- files ----------------------------------------------------------------------------------------------------------- */

enum import_answer import_volume_open(char *path, struct import_file *file)
{
    enum import_answer answer = walk(path, &file->node, false);

    if (answer != IMPORT_OK || file->node.directory) {
        return answer != IMPORT_OK ? answer : IMPORT_IS_DIRECTORY;
    }
    return self.format->open(file, path, &file->node);
}

enum import_answer import_volume_read(struct import_file *file, uint64_t offset, void *bytes, uint32_t size,
                                      uint32_t *got)
{
    uint64_t left = offset < file->node.size ? file->node.size - offset : 0;

    *got = size < left ? size : (uint32_t)left;
    return *got > 0 ? self.format->read(file, offset, bytes, *got) : IMPORT_OK;
}
