/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_file.c: a file as a disk_io, with what is written to it kept beside it; opening, making and mounting one.
 *
 *  (1) io.blocks is what the volume says that it needs, if that is more than the file has: reads behind the file's end fail.
 */
#include "disk_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/assert.h"
#include "disk_private.h"
#include "lib/crc32c/crc32c.h"
#define LOG_TAG "disk"

#define BLOCK DISK_BLOCK_BYTES
#define ENDLESS (UINT64_MAX / (4 * BLOCK)) /* blocks, before it is known how many */
#define LOG_BLOCKS_MAX (1u << 26)
#define OVERLAY_FIRST 1024u
#define QEMU_LOCKS                                                                                                     \
    100 /* QEMU locks single bytes from here on, for as long as it has a disk open (block/file-posix.c) */
#define QEMU_LOCKS_END 300

/* --- what was written ------------------------------------------------------------------------------------------------ */

static struct overlay_slot *slot_of(const struct overlay *overlay, uint64_t block)
{
    uint64_t at = block * 0x9e3779b97f4a7c15ull;

    for (at ^= at >> 32;; at++) {
        struct overlay_slot *slot = &overlay->slot[at & (overlay->room - 1)];
        if (slot->data == NULL || slot->block == block) {
            return slot;
        }
    }
}

static void overlay_free(struct overlay *overlay)
{
    for (uint64_t i = 0; i < overlay->room; i++) {
        free(overlay->slot[i].data);
    }
    free(overlay->slot);
    *overlay = (struct overlay){0};
}

/* Twice the room. */
static bool overlay_grow(struct overlay *overlay)
{
    struct overlay larger = {.room = overlay->room == 0 ? OVERLAY_FIRST : 2 * overlay->room, .count = overlay->count};

    larger.slot = calloc(larger.room, sizeof *larger.slot);
    if (larger.slot == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < overlay->room; i++) {
        if (overlay->slot[i].data != NULL) {
            *slot_of(&larger, overlay->slot[i].block) = overlay->slot[i];
        }
    }
    free(overlay->slot);
    *overlay = larger;
    return true;
}

static status_t overlay_put(struct overlay *overlay, uint64_t block, const void *data)
{
    if (2 * overlay->count >= overlay->room && !overlay_grow(overlay)) {
        return ST_NOMEM;
    }
    struct overlay_slot *slot = slot_of(overlay, block);
    if (slot->data == NULL) {
        slot->data = malloc(BLOCK);
        if (slot->data == NULL) {
            return ST_NOMEM;
        }
        slot->block = block;
        overlay->count++;
    }
    memcpy(slot->data, data, BLOCK);
    return ST_OK;
}

static const unsigned char *overlay_get(const struct overlay *overlay, uint64_t block)
{
    return overlay->count > 0 ? slot_of(overlay, block)->data : NULL;
}

void disk_forget(struct disk_file *file)
{
    overlay_free(&file->overlay);
}

/* --- disk_io --------------------------------------------------------------------------------------------------------- */

static status_t read_from_file(struct disk_file *file, uint64_t block, uint32_t count, void *data)
{
    size_t size = (size_t)count * BLOCK;
    size_t done = 0;

    while (done < size) {
        ssize_t got = pread(file->fd, (char *)data + done, size - done, (off_t)(block * BLOCK + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return ST_IO;
        }
        done += (size_t)got;
    }
    return ST_OK;
}

static status_t file_read(struct disk_io *io, uint64_t block, uint32_t count, void *data)
{
    struct disk_file *file = (struct disk_file *)(void *)io;
    status_t s = read_from_file(file, block, count, data);

    for (uint32_t i = 0; i < count && s == ST_OK; i++) {
        const unsigned char *written = overlay_get(&file->overlay, block + i);
        if (written != NULL) {
            memcpy((char *)data + (size_t)i * BLOCK, written, BLOCK);
        }
    }
    return s;
}

static status_t file_write(struct disk_io *io, uint64_t block, const void *data)
{
    struct disk_file *file = (struct disk_file *)(void *)io;

    if (!file->direct) {
        return overlay_put(&file->overlay, block, data);
    }
    return pwrite(file->fd, data, BLOCK, (off_t)(block * BLOCK)) == (ssize_t)BLOCK ? ST_OK : ST_IO;
}

static status_t file_flush(struct disk_io *io)
{
    struct disk_file *file = (struct disk_file *)(void *)io;

    return !file->direct || fsync(file->fd) == 0 ? ST_OK : ST_IO;
}

uint64_t disk_changed(struct disk_file *file, uint64_t first, uint64_t end)
{
    uint64_t changed = 0;
    unsigned char block[BLOCK];

    for (uint64_t i = 0; i < file->overlay.room; i++) {
        const struct overlay_slot *slot = &file->overlay.slot[i];
        if (slot->data == NULL || slot->block < first || slot->block >= end) {
            continue;
        }
        bool same = read_from_file(file, slot->block, 1, block) == ST_OK && memcmp(block, slot->data, BLOCK) == 0;
        changed += same ? 0 : 1;
    }
    return changed;
}

/* --- open ------------------------------------------------------------------------------------------------------------ */

static bool locked_by_qemu(int fd)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = QEMU_LOCKS, .l_len = QEMU_LOCKS_END - QEMU_LOCKS};

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* Its length; false: it is nothing with blocks. */
static bool measure(struct disk_file *file)
{
    struct stat st;

    if (fstat(file->fd, &st) != 0) {
        return false;
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : ENODEV;
        return false;
    }
    off_t end = lseek(file->fd, 0, SEEK_END);
    file->bytes = (uint64_t)end;
    return end >= 0;
}

static void read_supers(struct disk_file *file)
{
    unsigned char block[BLOCK];

    file->io.blocks = ENDLESS;
    file->chosen = -1;
    for (unsigned i = 0; i < VOLUME_COPIES; i++) {
        file->super_status[i] = volume_super_read(&file->io, i, &file->super[i]);
        if (file->super_status[i] == ST_IO) {
            memset(&file->super[i], 0, sizeof file->super[i]); /* part of it may have been there */
        }
        bool better = file->chosen < 0 || file->super[i].generation > file->super[file->chosen].generation;
        if (file->super_status[i] == ST_OK && better) {
            file->chosen = (int)i;
        }
    }
    status_ignore(volume_blank(&file->io, block, &file->blank), "then there is no mark");
    file->io.blocks = file->bytes / BLOCK;
    if (file->chosen >= 0) { /* (1) */
        const struct volume_super *super = &file->super[file->chosen];
        uint64_t needed = super->blocks + super->data_blocks;
        file->io.blocks = needed > file->io.blocks ? needed : file->io.blocks;
    }
}

static struct disk_file *file_new(int fd)
{
    static const struct disk_io_ops ops = {file_read, file_write, file_flush};
    struct disk_file *file = calloc(1, sizeof *file);

    if (file != NULL) {
        file->io.ops = &ops;
        file->fd = fd;
        crc32c_init();
    }
    return file;
}

struct disk_file *disk_file_open(const char *path, char why[DISK_WHY])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO would wait for its other end */
    struct disk_file *file = fd < 0 ? NULL : file_new(fd);

    if (file == NULL || !measure(file)) {
        (void)snprintf(why, DISK_WHY, "%s: %s", path,
                       errno == ENODEV ? "neither a file nor a device with blocks" : strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        free(file);
        return NULL;
    }
    file->in_use = locked_by_qemu(fd);
    read_supers(file);
    return file;
}

bool disk_in_use(const struct disk_file *file)
{
    return file->in_use;
}

bool disk_doomed(const struct disk_file *file)
{
    return file->blank && file->chosen >= 0;
}

void disk_file_close(struct disk_file *file)
{
    disk_close_catalog(file);
    disk_forget(file);
    free(file->memory);
    (void)close(file->fd);
    free(file);
}

/* --- mount ----------------------------------------------------------------------------------------------------------- */

static bool use_heap(void)
{
    static void *heap;

    if (heap == NULL) {
        void *bytes = mmap(NULL, DISK_HEAP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        heap = bytes == MAP_FAILED ? NULL : bytes;
        sqlite_heap_use(heap, DISK_HEAP);
    }
    return heap != NULL;
}

static status_t prepare(struct disk_file *file, uint64_t log_blocks)
{
    struct volume_memory given = {.size = VOLUME_MEMORY(DISK_LEAVES, log_blocks)};

    if (log_blocks > LOG_BLOCKS_MAX || !use_heap()) {
        return ST_NOMEM;
    }
    free(file->memory);
    file->memory = given.bytes = malloc(given.size);
    return given.bytes == NULL ? ST_NOMEM : volume_init(&file->volume, &file->io, &given, DISK_LEAVES);
}

status_t disk_mount(struct disk_file *file)
{
    ASSERT(file->chosen >= 0);
    status_t s = prepare(file, file->super[file->chosen].log_blocks);

    return s == ST_OK ? volume_mount(&file->volume) : s;
}

static enum catalog_answer open_mounted(struct disk_file *file)
{
    unsigned char seed[16] = {0};

    (void)getrandom(seed, sizeof seed, 0); /* salts of a log that nobody sees */
    enum catalog_answer answer = catalog_open(&file->catalog, &file->volume, seed, sizeof seed);
    file->open = answer == CATALOG_OK;
    return answer;
}

bool disk_open_catalog(struct disk_file *file)
{
    return disk_mount(file) == ST_OK && open_mounted(file) == CATALOG_OK;
}

void disk_close_catalog(struct disk_file *file)
{
    if (file->open) {
        file->open = false;
        catalog_close(&file->catalog);
    }
}

/* --- making one ------------------------------------------------------------------------------------------------------ */

/* NULL: done. */
static const char *format(struct disk_file *file)
{
    uint8_t uuid[16];
    struct volume_shape shape = volume_shape(file->io.blocks, VOLUME_LOG_BLOCKS_USUAL);

    if (getrandom(uuid, sizeof uuid, 0) != (ssize_t)sizeof uuid) {
        return strerror(errno);
    }
    if (shape.data_blocks == 0) {
        return "too small for a volume: 16M is enough";
    }
    status_t s = prepare(file, shape.log_blocks);
    if (s == ST_OK) {
        s = volume_format(&file->volume, uuid, shape.log_blocks, shape.data_blocks);
    }
    if (s != ST_OK) {
        return s == ST_FULL ? "too small for a volume: 16M is enough" : strerror(errno);
    }
    enum catalog_answer answer = open_mounted(file);
    disk_close_catalog(file);
    return answer == CATALOG_OK ? NULL : catalog_answer_name(answer);
}

static const char *fill(struct disk_file *file, uint64_t bytes, bool wanted_format)
{
    file->direct = true;
    file->bytes = bytes;
    file->io.blocks = bytes / BLOCK;
    if (ftruncate(file->fd, (off_t)bytes) != 0) {
        return strerror(errno);
    }
    if (wanted_format) {
        return format(file);
    }
    size_t mark = sizeof VOLUME_BLANK_MARK - 1;
    bool done = pwrite(file->fd, VOLUME_BLANK_MARK, mark, 0) == (ssize_t)mark && fsync(file->fd) == 0;
    return done ? NULL : strerror(errno);
}

bool disk_file_create(const char *path, uint64_t bytes, bool wanted_format, char why[DISK_WHY])
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (fd < 0) {
        (void)snprintf(why, DISK_WHY, "%s: %s", path, strerror(errno));
        return false;
    }
    struct disk_file *file = file_new(fd);
    const char *problem = file == NULL ? strerror(ENOMEM) : fill(file, bytes / BLOCK * BLOCK, wanted_format);
    if (problem != NULL) {
        (void)snprintf(why, DISK_WHY, "%s: %s", path, problem);
        (void)unlink(path);
    }
    if (file != NULL) {
        disk_file_close(file);
    } else {
        (void)close(fd);
    }
    return problem == NULL;
}
