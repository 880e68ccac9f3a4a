/* SPDX-License-Identifier: MIT OR Apache-2.0
 * image.c: starting and forking the processes of images.
 */
#include "image.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "util.h"

#define IMAGES_MAX 64u

/* By MMIO, as a PCI function with a message for each queue, with one for all, with one for everything, with its pin. */
const char *const image_transports[IMAGE_TRANSPORTS] = {"mmio", "pci", "pci:2", "pci:1", "pci:0"};

static struct image images[IMAGES_MAX];
static unsigned image_count;

/* Whoever reads from them waits for as long as it takes: how long that is would be the host's, or a debugger's, doing. An image
 * that turns in circles ends by its CPU time (platform/sim/lockstep.c). */
static void make_pair(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        sim_fail("socket: %s", strerror(errno));
    }
}

const char *image_transport(const char *name)
{
    for (unsigned i = 0; i < IMAGE_TRANSPORTS; i++) {
        if (strcmp(image_transports[i], name) == 0) {
            return image_transports[i];
        }
    }
    return NULL;
}

static _Noreturn void become(const char *path, int fd, const struct image *image)
{
    char number[16];
    char disk[32];
    const char *argv[10];
    unsigned n = 0;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (fcntl(fd, F_SETFD, 0) != 0) {
        _exit(3);
    }
    signal(SIGCHLD, SIG_IGN); /* machines are its children; nobody waits for them */
    snprintf(number, sizeof number, "%d", fd);
    argv[n++] = path;
    argv[n++] = "--coordinator";
    argv[n++] = number;
    argv[n++] = "--transport";
    argv[n++] = image->transport;
    argv[n++] = "--net";
    argv[n++] = "sim";
    if (image->disk != NULL) {
        snprintf(disk, sizeof disk, "%s:sim", image->disk);
        argv[n++] = "--device";
        argv[n++] = disk;
    }
    argv[n] = NULL;
    execv(path, (char *const *)(uintptr_t)argv);
    fprintf(stderr, "sim: %s: %s; make it with: make %s\n", path, strerror(errno), path);
    _exit(3);
}

struct image *image_get(const char *build, const char *profile, const char *disk, const char *transport)
{
    char path[4096];
    int ends[2];

    for (unsigned i = 0; i < image_count; i++) {
        if (strcmp(images[i].profile, profile) == 0 && images[i].disk == disk && images[i].transport == transport) {
            return &images[i];
        }
    }
    if (image_count == IMAGES_MAX) {
        sim_fail("more than %u kinds of image", IMAGES_MAX);
    }
    struct image *image = &images[image_count++];
    snprintf(image->profile, sizeof image->profile, "%s", profile);
    snprintf(path, sizeof path, "%s/%s/%s.sim", build, profile, profile);
    make_pair(ends);
    image->disk = disk;
    image->transport = transport;
    image->link.fd = ends[0];
    image->pid = fork();
    if (image->pid < 0) {
        sim_fail("fork: %s", strerror(errno));
    }
    if (image->pid == 0) {
        become(path, ends[1], image);
    }
    close(ends[1]);
    return image;
}

int image_fork_link(struct sim_link *link)
{
    struct sim_message message = {.kind = SIM_FORK};
    const char *body;
    int passed = -1;
    int ends[2];

    make_pair(ends);
    bool told = sim_link_say(link, &message, NULL) && sim_link_send(link, ends[1]);
    close(ends[1]);
    if (!told || !sim_link_next(link, &message, &body, &passed) || message.kind != SIM_FORKED) {
        close(ends[0]);
        return -1;
    }
    return ends[0];
}

int image_fork(struct image *image)
{
    int fd = image_fork_link(&image->link);

    if (fd < 0) {
        sim_fail("%s: its process does not fork; what it said stands above", image->profile);
    }
    return fd;
}

void images_end(void)
{
    for (unsigned i = 0; i < image_count; i++) {
        sim_link_end(&images[i].link);
        (void)waitpid(images[i].pid, NULL, 0);
    }
    image_count = 0;
}
