/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sqlite_vfs.c: SQLite's files on a volume: the main file is the volume's database, the write-ahead log its log. There are no
 * others.
 *
 *  (1) xSync of the log makes a commit durable; xSync of the main file makes a checkpoint durable as a whole (volume_commit),
 *      before SQLite may write over the log.
 *  (2) The main file is written in whole pages of 4 KiB: other page sizes are refused.
 *  (3) No power-safe overwrite is claimed and sectors of 4 KiB, so SQLite pads each commit in the log to a whole block, and
 *      no block with a durable commit in it is written again before the log begins anew.
 *  (4) Locks do nothing: there is one user (sqlite.h).
 *  (5) Before SQLite looks for a log it reads the head of the first page, to learn the page size, which is known (2). After a cut
 *      in a checkpoint that page may be newer than the map says, and is in the log. So a part of the first page reads as the
 *      file's end, which SQLite takes for "the usual size".
 *  (6) The frame that fills up a commit's block (3) is written half before the FLUSH and half after it. Where the log has no room
 *      for it, the commit would be durable and yet fail: so it is refused before its mark is written.
 */
#include <string.h>
#include "core/loop.h"
#include "lib/sqlite/sqlite.h"
#include "sqlite_private.h"
#define LOG_TAG "sqlite"
#include "core/log.h"

#define PAGE VOLUME_PAGE_BYTES
#define JULIAN_1970_MS 210866760000000ll /* of the day at which SQLite's time begins */

static struct {
    struct volume *volume;
    unsigned char seed[SQLITE_SEED_BYTES];
    unsigned char page[PAGE]; /* for reads of a part of one */
    uint64_t commit_end;      /* where the frame ends whose head was written last, if it is a commit's; 0: it is not */
} self;

int sqlite3_os_init(void);
int sqlite3_os_end(void);

void sqlite_vfs_use(struct volume *volume, const void *seed, size_t seed_bytes)
{
    self.volume = volume;
    self.commit_end = 0;
    memset(self.seed, 0, sizeof self.seed);
    memcpy(self.seed, seed, seed_bytes < sizeof self.seed ? seed_bytes : sizeof self.seed);
}

/* `other` is what SQLite calls a failure of this kind of operation. */
static int result_of(status_t s, int other)
{
    switch (s) {
    case ST_OK:
        return SQLITE_OK;
    case ST_FULL:
        return SQLITE_FULL;
    case ST_PROTO:
        return SQLITE_IOERR_DATA;
    default:
        return other;
    }
}

/* --- files ----------------------------------------------------------------------------------------------------------- */

/* (5) */
static int short_read(void *data, int size)
{
    memset(data, 0, (size_t)size);
    return SQLITE_IOERR_SHORT_READ;
}

/* A part of one page: SQLite reads the chain of a long value so, without its cache. */
static status_t read_part(uint64_t page, uint32_t at, void *data, uint32_t size) REQUIRES(THREAD)
{
    status_t s = volume_page_read(self.volume, page, self.page);

    if (s == ST_OK) {
        memcpy(data, self.page + at, size);
    }
    return s;
}

static int main_read(sqlite3_file *file, void *data, int size, sqlite3_int64 offset)
{
    room_assert_thread();
    uint64_t page = (uint64_t)offset / PAGE;
    uint32_t at = (uint32_t)(offset % PAGE);
    status_t s = ST_RANGE;

    if (at == 0 && size == (int)PAGE) {
        s = volume_page_read(self.volume, page, data);
    } else if (page > 0 && (uint32_t)size <= PAGE - at) {
        s = read_part(page, at, data, (uint32_t)size);
    } /* else (5) */
    return s == ST_RANGE ? short_read(data, size) : result_of(s, SQLITE_IOERR_READ);
}

static int main_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    room_assert_thread();
    if (size != (int)PAGE || offset % PAGE != 0) {
        log_err("a write of %d bytes at %ld is no page", size, (long)offset);
        return SQLITE_IOERR_WRITE; /* (2) */
    }
    return result_of(volume_page_write(self.volume, (uint64_t)offset / PAGE, data), SQLITE_IOERR_WRITE);
}

static int main_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    room_assert_thread();
    return result_of(volume_truncate(self.volume, ((uint64_t)size + PAGE - 1) / PAGE), SQLITE_IOERR_TRUNCATE);
}

static int main_sync(sqlite3_file *file, int flags)
{
    room_assert_thread();
    return result_of(volume_commit(self.volume), SQLITE_IOERR_FSYNC); /* (1) */
}

static int main_size(sqlite3_file *file, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)(self.volume->super.page_count * PAGE);
    return SQLITE_OK;
}

static int log_read(sqlite3_file *file, void *data, int size, sqlite3_int64 offset)
{
    room_assert_thread();
    status_t s = volume_log_read(self.volume, (uint64_t)offset, data, (uint32_t)size);

    return s == ST_RANGE ? short_read(data, size) : result_of(s, SQLITE_IOERR_READ);
}

/* (6) The head of a frame is about to be written. */
static bool log_has_room(const unsigned char head[FRAME_HEAD_BYTES], uint64_t offset)
{
    static const unsigned char none[4];
    uint64_t end = offset + FRAME_BYTES;
    bool commit = memcmp(head + 4, none, sizeof none) != 0;
    bool fills = commit && offset == self.commit_end && offset % DISK_BLOCK_BYTES != 0;
    bool filled = !commit || fills || end % DISK_BLOCK_BYTES == 0;

    self.commit_end = commit && !fills ? end : 0; /* behind a filling another commit may begin */
    return end + (filled ? 0 : FRAME_BYTES) <= volume_log_bytes(self.volume);
}

static int log_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    room_assert_thread();
    bool head = size == (int)FRAME_HEAD_BYTES && offset % FRAME_BYTES == HEADER_BYTES;
    if (head && !log_has_room(data, (uint64_t)offset)) {
        return SQLITE_FULL;
    }
    return result_of(volume_log_write(self.volume, (uint64_t)offset, data, (uint32_t)size), SQLITE_IOERR_WRITE);
}

/* The log has one size, and its own marks of where it ends. */
static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    room_assert_thread();
    return size > 0 ? SQLITE_OK : result_of(volume_log_clear(self.volume), SQLITE_IOERR_TRUNCATE);
}

static int log_sync(sqlite3_file *file, int flags)
{
    room_assert_thread();
    return result_of(volume_log_sync(self.volume), SQLITE_IOERR_FSYNC); /* (1) */
}

static int log_size(sqlite3_file *file, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)volume_log_bytes(self.volume);
    return SQLITE_OK;
}

static int file_close(sqlite3_file *file)
{
    return SQLITE_OK;
}
static int file_lock(sqlite3_file *file, int lock)
{
    return SQLITE_OK; /* (4) */
}
static int file_is_reserved(sqlite3_file *file, int *reserved)
{
    *reserved = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int op, void *argument)
{
    return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *file)
{
    return (int)PAGE; /* (3) */
}
static int file_characteristics(sqlite3_file *file)
{
    return 0; /* (3) */
}

static const sqlite3_io_methods main_methods = {.iVersion = 1,
                                                .xClose = file_close,
                                                .xRead = main_read,
                                                .xWrite = main_write,
                                                .xTruncate = main_truncate,
                                                .xSync = main_sync,
                                                .xFileSize = main_size,
                                                .xLock = file_lock,
                                                .xUnlock = file_lock,
                                                .xCheckReservedLock = file_is_reserved,
                                                .xFileControl = file_control,
                                                .xSectorSize = file_sector,
                                                .xDeviceCharacteristics = file_characteristics};
static const sqlite3_io_methods log_methods = {.iVersion = 1,
                                               .xClose = file_close,
                                               .xRead = log_read,
                                               .xWrite = log_write,
                                               .xTruncate = log_truncate,
                                               .xSync = log_sync,
                                               .xFileSize = log_size,
                                               .xLock = file_lock,
                                               .xUnlock = file_lock,
                                               .xCheckReservedLock = file_is_reserved,
                                               .xFileControl = file_control,
                                               .xSectorSize = file_sector,
                                               .xDeviceCharacteristics = file_characteristics};

/* --- the file system ------------------------------------------------------------------------------------------------- */

static bool is_log(const char *name)
{
    return strcmp(name, SQLITE_NAME "-wal") == 0;
}

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out_flags)
{
    file->pMethods = NULL;
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0 && name != NULL && strcmp(name, SQLITE_NAME) == 0) {
        file->pMethods = &main_methods;
    } else if ((flags & SQLITE_OPEN_WAL) != 0 && name != NULL && is_log(name)) {
        file->pMethods = &log_methods;
    }
    if (file->pMethods == NULL || self.volume == NULL) {
        log_err("there is no file '%s' (flags %x)", name == NULL ? "" : name, (unsigned)flags);
        file->pMethods = NULL;
        return SQLITE_CANTOPEN;
    }
    if (out_flags != NULL) {
        *out_flags = flags;
    }
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    room_assert_thread();
    return is_log(name) ? result_of(volume_log_clear(self.volume), SQLITE_IOERR_DELETE) : SQLITE_IOERR_DELETE_NOENT;
}

/* The log counts as there when there is a database: an old one alone means nothing. */
static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *there)
{
    bool known = strcmp(name, SQLITE_NAME) == 0 || is_log(name);

    *there = known && self.volume != NULL && self.volume->super.page_count > 0 ? 1 : 0;
    return SQLITE_OK;
}

static int vfs_full_name(sqlite3_vfs *vfs, const char *name, int size, char *full)
{
    size_t length = strlen(name);

    if (size <= 0 || length >= (size_t)size) {
        return SQLITE_CANTOPEN;
    }
    memcpy(full, name, length + 1);
    return SQLITE_OK;
}

/* Steps of splitmix64 over the clocks, the volume's identity and life, and the seed: no secret comes of it without a seed that is
 * one. SQLite needs it for salts and row numbers. */
static int vfs_random(sqlite3_vfs *vfs, int size, char *bytes)
{
    uint64_t state = clock_ns() ^ clock_wall_ns();

    for (int i = 0; i < size; i++) {
        const struct volume_super *super = &self.volume->super;
        state += 0x9e3779b97f4a7c15ull + super->uuid[i % 16] + super->generation;
        uint64_t z = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
        bytes[i] = (char)((unsigned char)(z >> 56) ^ self.seed[(unsigned)i % SQLITE_SEED_BYTES]);
    }
    return size;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    return 0; /* nobody else holds a lock that one could wait for */
}

static int vfs_time_ms(sqlite3_vfs *vfs, sqlite3_int64 *ms)
{
    *ms = JULIAN_1970_MS + (sqlite3_int64)(clock_wall_ns() / NS_PER_MS);
    return SQLITE_OK;
}
static int vfs_time(sqlite3_vfs *vfs, double *days)
{
    sqlite3_int64 ms;
    int result = vfs_time_ms(vfs, &ms);

    *days = (double)ms / 86400000.0;
    return result;
}

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *text)
{
    return 0; /* it is in the image's log */
}

int sqlite3_os_init(void)
{
    static sqlite3_vfs vfs = {.iVersion = 2,
                              .szOsFile = (int)sizeof(sqlite3_file),
                              .mxPathname = 64,
                              .zName = "capos",
                              .xOpen = vfs_open,
                              .xDelete = vfs_delete,
                              .xAccess = vfs_access,
                              .xFullPathname = vfs_full_name,
                              .xRandomness = vfs_random,
                              .xSleep = vfs_sleep,
                              .xCurrentTime = vfs_time,
                              .xGetLastError = vfs_last_error,
                              .xCurrentTimeInt64 = vfs_time_ms};

    return sqlite3_vfs_register(&vfs, 1);
}

int sqlite3_os_end(void)
{
    return SQLITE_OK;
}
