/* SPDX-License-Identifier: MIT OR Apache-2.0
 * populate.c: many small files on ext4, durable but not unmounted: ../host/populate.c for Linux. What the bench does next is to
 * kill the machine, and the journal is to be played.
 *
 * arguments: DISK COUNT EACH      files /d000000/f000000 ...: EACH of them in a directory
 */
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "guest.h"

#define CONTENT 64u

static void add(const char *path)
{
    static const char content[CONTENT];
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, content, CONTENT) != CONTENT || close(fd) != 0) {
        die(path);
    }
}

int main(int argc, char **argv)
{
    char path[64];

    if (argc < 4 || mount(argv[1], "/mnt", "ext4", 0, "") != 0) {
        die("the disk");
    }
    unsigned long count = strtoul(argv[2], NULL, 10);
    unsigned long each = strtoul(argv[3], NULL, 10);
    for (unsigned long i = 0; i < count; i++) {
        int size = snprintf(path, sizeof path, "/mnt/d%06lu", i / each);
        if (i % each == 0 && mkdir(path, 0700) != 0) {
            die(path);
        }
        snprintf(path + size, sizeof path - (size_t)size, "/f%06lu", i % each);
        add(path);
    }
    int top = open("/mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (syncfs(top) != 0) {
        die("sync");
    }
    printf("populated\n");
    fflush(stdout);
    pause();
    return 0;
}
