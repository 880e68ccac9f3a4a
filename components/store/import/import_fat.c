/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import_fat.c: FAT12, FAT16 and FAT32 by FatFs. Its functions take paths; a directory is opened by its path, and looked through.
 *
 *  (1) A chain of clusters may be a circle. FatFs bounds how much of it is read, and says nothing: so a directory's chain is
 *      watched while it is read, and a file's is followed to its end when it is opened. A circle is met by comparing each cluster
 *      with one that is kept, and by keeping another at each power of two. Where a directory's chain holds no entries, FatFs goes
 *      on by itself: that it came to its bound, more than any directory may have, is seen at the end.
 *  (2) What FatFs reports as a disk error is one, or a place that does not exist: the last answer of the disk tells which.
 */
#include <string.h>
#include "ff.h" /* before diskio.h */
#include "core/assert.h"
#include "diskio.h"
#include "import.h"

#define SECTOR 512u
#define DIRECTORY_MAX (65536u * 32u) /* bytes: FatFs's MAX_DIR, where it ends a directory */

static struct {
    FATFS fs;
    struct import_part part;
    enum import_answer disk; /* (2) */
    FILINFO info;
} self;

struct circle {
    DWORD kept;
    uint32_t count; /* clusters, the first included */
};
struct fat_dir {
    FF_DIR dir;
    struct circle circle;
    uint32_t index;   /* which cluster of the directory is being read */
    uint32_t ordinal; /* of the entry */
};
_Static_assert(sizeof(struct fat_dir) <= sizeof((struct import_dir *)0)->state, "a directory's state");
_Static_assert(sizeof(FIL) <= sizeof((struct import_file *)0)->state, "a file's state");

/* --- what FatFs asks of the disk ------------------------------------------------------------------------------------- */

DRESULT import_fat_sectors(void *drive, BYTE *bytes, DWORD sector, UINT count)
{
    room_assert_thread();
    (void)drive;
    self.disk = count <= IMPORT_CHUNK_MAX / SECTOR
                    ? import_disk_read(&self.part, (uint64_t)sector * SECTOR, bytes, count * SECTOR)
                    : IMPORT_DAMAGED;
    return self.disk == IMPORT_OK ? RES_OK : RES_ERROR;
}

DRESULT import_fat_control(void *drive, BYTE command, void *out)
{
    (void)drive;
    if (command == IOCTL_INIT || command == IOCTL_STATUS) {
        *(DSTATUS *)out = STA_PROTECT;
    }
    return RES_OK;
}

static enum import_answer answer_of(FRESULT result)
{
    switch (result) {
    case FR_OK:
        return IMPORT_OK;
    case FR_DISK_ERR: /* (2) */
        return self.disk == IMPORT_FAILED ? IMPORT_FAILED : IMPORT_DAMAGED;
    case FR_NO_FILESYSTEM:
        return IMPORT_FOREIGN;
    default: /* what was looked up before is not found again, or FatFs met what cannot be */
        return IMPORT_DAMAGED;
    }
}

/* --- circles: (1) ---------------------------------------------------------------------------------------------------- */

static bool circle_met(struct circle *circle, DWORD cluster)
{
    if (circle->count > 0 && circle->kept == cluster) {
        return true;
    }
    circle->count++;
    if ((circle->count & (circle->count - 1)) == 0) {
        circle->kept = cluster;
    }
    return false;
}

/* --- the volume ------------------------------------------------------------------------------------------------------ */

static enum import_answer fat_mount(const struct import_part *part, struct import_node *root)
{
    room_assert_thread();
    self.part = *part;
    self.disk = IMPORT_OK;
    memset(&self.fs, 0, sizeof self.fs);
    enum import_answer answer = answer_of(f_mount(&self.fs));
    if (answer == IMPORT_DAMAGED ||
        self.fs.volbase != 0) { /* it has found a partition: import_volume.c looks for those */
        answer = IMPORT_FOREIGN;
    }
    *root = (struct import_node){.directory = true, .id = 1};
    return answer;
}

static enum import_answer fat_enter(struct import_dir *dir, const char *path, const struct import_node *node)
{
    room_assert_thread();
    (void)node;
    struct fat_dir *fat = (struct fat_dir *)(void *)dir->state;

    memset(fat, 0, sizeof *fat);
    enum import_answer answer = answer_of(f_opendir(&self.fs, &fat->dir, path));
    if (answer == IMPORT_OK) {
        dir->key = fat->dir.clust; /* 0: the root of FAT12 and FAT16 */
        (void)circle_met(&fat->circle, fat->dir.clust);
    }
    return answer;
}

/* Local time, of nobody knows where: taken as UTC. */
static struct import_time time_of(WORD date, WORD time)
{
    return import_time_of(1980 + (date >> 9), date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, (time & 31u) * 2);
}

/* What FatFs would find by this name again: it takes '\' for '/', and drops dots and spaces at the end. */
static bool can_be_asked(const char *name)
{
    size_t size = strlen(name);

    return store_name_fits(name, (uint32_t)size) && strcspn(name, "\\\"*:<>?|") == size && name[size - 1] != '.' &&
           name[size - 1] != ' ';
}

static enum import_answer take_name(struct import_entry *entry)
{
    const char *name = can_be_asked(self.info.fname) ? self.info.fname : self.info.altname;

    if (name[0] == 0 || !can_be_asked(name)) {
        return IMPORT_DAMAGED;
    }
    entry->name_size = (uint32_t)strlen(name);
    memcpy(entry->name, name, entry->name_size + 1);
    return IMPORT_OK;
}

static enum import_answer fat_next(struct import_dir *dir, struct import_entry *entry)
{
    room_assert_thread();
    struct fat_dir *fat = (struct fat_dir *)(void *)dir->state;
    enum import_answer answer = answer_of(f_readdir(&fat->dir, &self.info));

    if (answer != IMPORT_OK) {
        return answer;
    }
    if (self.info.fname[0] == 0) {
        return fat->dir.dptr + 32u < DIRECTORY_MAX ? IMPORT_MISSING : IMPORT_DAMAGED;
    }
    uint32_t index = fat->dir.dptr / (self.fs.csize * SECTOR);
    if (fat->dir.clust != 0 && index != fat->index && circle_met(&fat->circle, fat->dir.clust)) {
        return IMPORT_DAMAGED;
    }
    fat->index = index;
    fat->ordinal++;
    bool directory = (self.info.fattrib & AM_DIR) != 0;
    entry->node = (struct import_node){.directory = directory,
                                       .size = directory ? 0 : self.info.fsize,
                                       .changed = time_of(self.info.fdate, self.info.ftime),
                                       .id = (dir->key + 1) << 32 | fat->ordinal};
    return take_name(entry);
}

/* --- files ----------------------------------------------------------------------------------------------------------- */

/* (1) */
static enum import_answer follow(FIL *file) REQUIRES(THREAD)
{
    const uint64_t cluster = (uint64_t)self.fs.csize * SECTOR;
    struct circle circle = {0, 0};
    enum import_answer answer = IMPORT_OK;

    if (f_size(file) > (uint64_t)self.fs.n_fatent * cluster) {
        return IMPORT_DAMAGED;
    }
    for (uint64_t at = 1; at <= f_size(file) && answer == IMPORT_OK; at += cluster) {
        answer = answer_of(f_lseek(file, (FSIZE_t)at));
        if (answer == IMPORT_OK && (file->clust == 0 || circle_met(&circle, file->clust))) {
            answer = IMPORT_DAMAGED;
        }
    }
    return answer == IMPORT_OK ? answer_of(f_lseek(file, 0)) : answer;
}

static enum import_answer fat_open(struct import_file *file, const char *path, const struct import_node *node)
{
    room_assert_thread();
    FIL *fil = (FIL *)(void *)file->state;
    enum import_answer answer = answer_of(f_open(&self.fs, fil, path, FA_READ));

    if (answer == IMPORT_OK && f_size(fil) != node->size) { /* another one, whose name differs in case only */
        return IMPORT_DAMAGED;
    }
    return answer == IMPORT_OK ? follow(fil) : answer;
}

static enum import_answer fat_read(struct import_file *file, uint64_t offset, void *bytes, uint32_t size)
{
    room_assert_thread();
    FIL *fil = (FIL *)(void *)file->state;
    UINT got = 0;

    if (fil->err != 0) { /* it was told to who met it; where FatFs had come to then is not to be believed */
        fil->err = 0;
        fil->fptr = 0;
    }
    enum import_answer answer = answer_of(f_lseek(fil, (FSIZE_t)offset));
    if (answer == IMPORT_OK) {
        answer = answer_of(f_read(fil, bytes, size, &got));
    }
    return answer == IMPORT_OK && got < size ? IMPORT_DAMAGED : answer;
}

const struct import_format import_fat = {"FAT", fat_mount, fat_enter, fat_next, fat_open, fat_read};
