/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sim_link.c: messages over a stream socket; used by the simulated machine and by test/sim.
 */
#include "sim_link.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 65536u

static bool make_room(struct sim_bytes *bytes, size_t more)
{
    if (bytes->size - bytes->used >= more) {
        return true;
    }
    size_t size = (bytes->used + more) * 2;
    char *data = realloc(bytes->data, size);
    if (data == NULL) {
        return false;
    }
    bytes->data = data;
    bytes->size = size;
    return true;
}

bool sim_link_say(struct sim_link *link, const struct sim_message *message, const void *body)
{
    size_t padded = sim_padded(message->size);

    if (!make_room(&link->out, sizeof *message + padded)) {
        return false;
    }
    char *to = link->out.data + link->out.used;
    memcpy(to, message, sizeof *message);
    if (padded > 0) {
        memset(to + sizeof *message + padded - 8, 0, 8);
        memcpy(to + sizeof *message, body, message->size);
    }
    link->out.used += sizeof *message + padded;
    return true;
}

/* What sendmsg needs to take a descriptor along. */
union passing {
    char space[CMSG_SPACE(sizeof(int))];
    struct cmsghdr head;
};

static void pass_along(struct msghdr *message, union passing *control, int fd)
{
    memset(control, 0, sizeof *control);
    message->msg_control = control;
    message->msg_controllen = sizeof *control;
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
}

bool sim_link_send(struct sim_link *link, int pass)
{
    for (size_t at = 0; at < link->out.used;) {
        union passing control;
        struct iovec part = {.iov_base = link->out.data + at, .iov_len = link->out.used - at};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        if (pass >= 0 && at == 0) {
            pass_along(&message, &control, pass);
        }
        ssize_t done = sendmsg(link->fd, &message, MSG_NOSIGNAL);
        if (done < 0 && errno != EINTR) {
            return false;
        }
        at += done > 0 ? (size_t)done : 0;
    }
    link->out.used = 0;
    return true;
}

static bool read_more(struct sim_link *link, int *passed)
{
    union passing control;
    ssize_t got;

    if (link->at > 0) { /* what was looked at makes room */
        memmove(link->in.data, link->in.data + link->at, link->in.used - link->at);
        link->in.used -= link->at;
        link->at = 0;
    }
    if (!make_room(&link->in, READ_BYTES)) {
        return false;
    }
    struct iovec part = {.iov_base = link->in.data + link->in.used, .iov_len = link->in.size - link->in.used};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    do {
        got = recvmsg(link->fd, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        return false;
    }
    link->in.used += (size_t)got;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head != NULL && head->cmsg_type == SCM_RIGHTS) {
        memcpy(passed, CMSG_DATA(head), sizeof *passed);
    }
    return true;
}

bool sim_link_next(struct sim_link *link, struct sim_message *message, const char **body, int *passed)
{
    for (;;) {
        size_t there = link->in.used - link->at;
        if (there >= sizeof *message) {
            memcpy(message, link->in.data + link->at, sizeof *message);
            if (message->size > SIM_BODY_MAX) {
                return false;
            }
            if (there - sizeof *message >= sim_padded(message->size)) {
                *body = link->in.data + link->at + sizeof *message;
                link->at += sizeof *message + sim_padded(message->size);
                return true;
            }
        }
        if (!read_more(link, passed)) {
            return false;
        }
    }
}

void sim_link_end(struct sim_link *link)
{
    if (link->fd >= 0) {
        close(link->fd);
    }
    free(link->out.data);
    free(link->in.data);
    *link = (struct sim_link){.fd = -1};
}
