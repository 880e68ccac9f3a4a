/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_file.c: a file of the host as a disk. FLUSH is fdatasync, so that what the image was told is durable is so after the
 * host's own power cut. The file is locked: two processes never have the same disk.
 *
 * Requests are done at once, in the order in which they come.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "models/disk/disk_medium.h"

struct disk_file {
    struct disk_medium medium;
    int fd;
};

static void begin(struct disk_medium *medium, struct disk_request *request)
{
    int fd = ((struct disk_file *)medium)->fd; /* the first member */
    off_t at = (off_t)(request->sector * DISK_SECTOR);

    switch (request->work) {
    case DISK_READ:
        medium->done(medium, request, pread(fd, request->bytes, request->size, at) == (ssize_t)request->size);
        return;
    case DISK_WRITE:
        medium->done(medium, request, pwrite(fd, request->bytes, request->size, at) == (ssize_t)request->size);
        return;
    case DISK_FLUSH:
        medium->done(medium, request, fdatasync(fd) == 0);
        return;
    }
}

static bool file_open(struct disk_file *disk, const char *path, char *why, size_t why_size)
{
    struct stat about;

    disk->fd = open(path, O_RDWR | O_CLOEXEC);
    if (disk->fd < 0 && (errno == EACCES || errno == EROFS)) {
        disk->fd = open(path, O_RDONLY | O_CLOEXEC);
        disk->medium.read_only = true;
    }
    if (disk->fd < 0 || fstat(disk->fd, &about) != 0) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        return false;
    }
    if (flock(disk->fd, disk->medium.read_only ? LOCK_SH | LOCK_NB : LOCK_EX | LOCK_NB) != 0) {
        snprintf(why, why_size, "%s is in use by another process", path);
        return false;
    }
    off_t size = S_ISBLK(about.st_mode) ? lseek(disk->fd, 0, SEEK_END) : about.st_size;
    disk->medium.sectors = (uint64_t)size / DISK_SECTOR;
    if (disk->medium.sectors == 0) {
        snprintf(why, why_size, "%s is empty; make it with: truncate -s 64M %s", path, path);
        return false;
    }
    return true;
}

struct disk_medium *disk_file_open(const char *path, char *why, size_t why_size)
{
    struct disk_file *disk = calloc(1, sizeof *disk);

    if (disk == NULL || path[0] == '\0') {
        snprintf(why, why_size, "it needs a file");
        free(disk);
        return NULL;
    }
    disk->medium.begin = begin;
    if (!file_open(disk, path, why, why_size)) {
        free(disk);
        return NULL;
    }
    return &disk->medium;
}
