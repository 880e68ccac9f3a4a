/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_wire.c: what a simulated network card is plugged into: a UNIX or UDP datagram socket (as QEMU's -netdev dgram: one
 * frame a datagram, no header) or a TAP interface of the host.
 *
 * A peer that is not there yet loses frames, as a cable that hangs loose; it may come and go.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "models/virtio-net/virtio_net_model.h"

static struct sim_fd self = {.fd = -1};
static struct sockaddr_storage remote; /* of the one socket; length 0: a TAP */
static socklen_t remote_size;

static bool unix_address(struct sockaddr_un *address, const char *path, size_t size)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (size == 0 || size >= sizeof address->sun_path) {
        return false;
    }
    memcpy(address->sun_path, path, size);
    return true;
}

/* A socket bound to `local` that will send to `to`. */
static int socket_open(int family, const void *local, const void *to, socklen_t size, char *why, size_t why_size)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, local, size) != 0) {
        snprintf(why, why_size, "the local end: %s", strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    memcpy(&remote, to, size);
    remote_size = size;
    return fd;
}

static int dgram_open(const char *text, char *why, size_t why_size)
{
    const char *comma = strchr(text, ',');
    struct sockaddr_un local;
    struct sockaddr_un to;

    if (comma == NULL || !unix_address(&local, text, (size_t)(comma - text)) ||
        !unix_address(&to, comma + 1, strlen(comma + 1))) {
        snprintf(why, why_size, "write dgram:LOCAL,REMOTE with two paths of less than %zu characters",
                 sizeof to.sun_path);
        return -1;
    }
    unlink(local.sun_path); /* of a process that died; QEMU replaces it too */
    return socket_open(AF_UNIX, &local, &to, sizeof local, why, why_size);
}

static int udp_open(const char *text, char *why, size_t why_size)
{
    unsigned from = 0;
    unsigned to = 0;
    char rest;

    if (sscanf(text, "%u,%u%c", &from, &to, &rest) != 2 || from == 0 || to == 0 || from > 65535 || to > 65535) {
        snprintf(why, why_size, "write udp:PORT,PORT: the local and the remote port on 127.0.0.1");
        return -1;
    }
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons((uint16_t)from)};
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct sockaddr_in there = local;
    there.sin_port = htons((uint16_t)to);
    return socket_open(AF_INET, &local, &there, sizeof local, why, why_size);
}

static int tap_open(const char *name, char *why, size_t why_size)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) {
        snprintf(why, why_size, "TAP '%s': %s", name, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

static int any_open(const char *argument, char *why, size_t why_size)
{
    if (strncmp(argument, "dgram:", 6) == 0) {
        return dgram_open(argument + 6, why, why_size);
    }
    if (strncmp(argument, "udp:", 4) == 0) {
        return udp_open(argument + 4, why, why_size);
    }
    if (strncmp(argument, "tap:", 4) == 0) {
        return tap_open(argument + 4, why, why_size);
    }
    snprintf(why, why_size, "'%s' is no wire; write dgram:LOCAL,REMOTE, udp:PORT,PORT, tap:NAME or sim", argument);
    return -1;
}

static ssize_t frame_write(const void *frame, size_t size)
{
    int fd = self.fd;

    if (remote_size == 0) {
        return write(fd, frame, size);
    }
    ssize_t n = send(fd, frame, size, 0);
    if (n < 0 && (errno == ENOTCONN || errno == EDESTADDRREQ || errno == ECONNREFUSED || errno == ECONNRESET)) {
        /* Connected, because only then POLLOUT says when the peer has room again. */
        n = connect(fd, (const struct sockaddr *)&remote, remote_size) == 0 ? send(fd, frame, size, 0) : -1;
    }
    return n;
}

static enum net_wire_result wire_send(const void *frame, size_t size)
{
    ssize_t n = frame_write(frame, size);

    return n < 0 && (errno == EAGAIN || errno == ENOBUFS) ? NET_WIRE_LATER : NET_WIRE_DONE;
}

static ssize_t wire_receive(void *frame, size_t size)
{
    return read(self.fd, frame, size);
}

static void wire_want(bool frame, bool room)
{
    self.events = (short)((frame ? POLLIN : 0) | (room ? POLLOUT : 0));
}

static void wire_ready(struct sim_fd *fd, short revents)
{
    (void)fd;
    net_model_ready((revents & POLLIN) != 0, (revents & POLLOUT) != 0);
}

const struct net_wire *net_wire_open(const char *argument, char *why, size_t why_size)
{
    static const struct net_wire wire = {wire_send, wire_receive, wire_want};

    self = (struct sim_fd){.fd = any_open(argument, why, why_size), .ready = wire_ready};
    if (self.fd < 0) {
        return NULL;
    }
    sim_fd_add(&self);
    return &wire;
}
