/* SPDX-License-Identifier: MIT OR Apache-2.0
 * socket_stream.h: lib/stream over a socket of the host, and a loop of poll(), so that a vat speaks to another process.
 */
#pragma once
#include "core/list.h"
#include "core/loop.h"
#include "lib/stream/stream.h"
#include "test.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_LENDS 64u

struct socket_stream {
    struct stream stream;
    struct stream_client *client;
    int fd;
    struct {
        const uint8_t *data;
        size_t size, written;
    } lend[SOCKET_LENDS];
    unsigned first, count;
    uint8_t in[65536];
    size_t in_size;
    bool paused, full, closing, dead, done;
    size_t bytes_in, bytes_out, writes;
};

static struct list posted = {&posted, &posted};

void work_init(struct work *work, void (*run)(struct work *work))
{
    work->run = run;
    list_init(&work->node);
}
void loop_post(struct work *work)
{
    if (list_empty(&work->node)) {
        list_push_back(&posted, &work->node);
    }
}
void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
    *timer = (struct timer){.fire = fire};
}
void timer_set(struct timer *timer, uint64_t deadline_ns)
{
    timer->heap_index = 1; /* nothing here lasts long enough to stall */
}
void timer_cancel(struct timer *timer)
{
    timer->heap_index = 0;
}
bool timer_armed(const struct timer *timer)
{
    return timer->heap_index != 0;
}

static inline struct socket_stream *socket_of(struct stream *stream)
{
    return CONTAINER_OF(stream, struct socket_stream, stream);
}
static status_t socket_send(struct stream *stream, const void *data, size_t len)
{
    struct socket_stream *s = socket_of(stream);
    if (s->dead || s->closing) {
        return ST_CLOSED;
    }
    if (s->count == SOCKET_LENDS) {
        s->full = true;
        return ST_FULL;
    }
    unsigned at = (s->first + s->count++) % SOCKET_LENDS;
    s->lend[at].data = data;
    s->lend[at].size = len;
    s->lend[at].written = 0;
    return ST_OK;
}
static void socket_flush(struct stream *stream)
{
}
static void socket_resume(struct stream *stream)
{
    socket_of(stream)->paused = false;
}
static void socket_close(struct stream *stream)
{
    socket_of(stream)->closing = true;
}
static void socket_abort(struct stream *stream)
{
    socket_of(stream)->dead = true;
}
static const struct stream_ops socket_ops = {socket_send,  socket_flush, socket_resume,
                                             socket_close, socket_close, socket_abort};

static inline void socket_open(struct socket_stream *s, int fd, struct stream_client *client)
{
    int one = 1;
    memset(s, 0, sizeof(*s));
    s->stream.ops = &socket_ops;
    snprintf(s->stream.peer, sizeof(s->stream.peer), "fd %d", fd);
    s->client = client;
    s->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}
static inline void socket_write(struct socket_stream *s)
{
    size_t sent = 0;
    while (s->count > 0 && !s->dead) {
        size_t left = s->lend[s->first].size - s->lend[s->first].written;
        ssize_t n = send(s->fd, s->lend[s->first].data + s->lend[s->first].written, left, MSG_NOSIGNAL);
        if (n < 0) {
            s->dead = s->dead || errno != EAGAIN;
            break;
        }
        s->writes++;
        s->bytes_out += (size_t)n;
        sent += (size_t)n;
        s->lend[s->first].written += (size_t)n;
        if ((size_t)n == left) {
            s->first = (s->first + 1) % SOCKET_LENDS;
            s->count--;
        }
    }
    if (sent > 0 && !s->dead) {
        s->client->ops->sent(s->client, sent);
    }
    if (s->full && s->count < SOCKET_LENDS) {
        s->full = false;
        s->client->ops->room(s->client);
    }
}
static inline void socket_hand_over(struct socket_stream *s)
{
    if (s->in_size == 0 || s->paused || s->closing || s->dead) {
        return;
    }
    s->paused = true; /* unless it takes all, or resumes */
    size_t taken = s->client->ops->received(s->client, s->in, s->in_size);
    s->paused = s->paused && taken < s->in_size;
    memmove(s->in, s->in + taken, s->in_size - taken);
    s->in_size -= taken;
}
static inline void socket_read(struct socket_stream *s)
{
    ssize_t n = recv(s->fd, s->in + s->in_size, sizeof(s->in) - s->in_size, 0);
    if (n > 0) {
        s->bytes_in += (size_t)n;
        s->in_size += (size_t)n;
    } else if (n == 0 || errno != EAGAIN) {
        if (s->closing || s->in_size > 0) {
            s->dead = true;
        } else {
            s->client->ops->ended(s->client);
            s->closing = true;
        }
    }
}
static inline void socket_end(struct socket_stream *s)
{
    if (s->done || !(s->dead || (s->closing && s->count == 0))) {
        return;
    }
    s->done = true;
    close(s->fd);
    s->client->ops->closed(s->client, s->dead ? ST_CLOSED : ST_OK);
}
static inline void run_posted(void)
{
    struct list now;
    list_init(&now);
    for (struct list *node = list_pop_front(&posted); node != NULL; node = list_pop_front(&posted)) {
        list_push_back(&now, node);
    }
    for (struct list *node = list_pop_front(&now); node != NULL; node = list_pop_front(&now)) {
        struct work *work = CONTAINER_OF(node, struct work, node);
        work->run(work);
    }
}
/* One turn; waits at most `ms` for the socket when there is nothing else. */
static inline void socket_turn(struct socket_stream *s, int ms)
{
    run_posted();
    if (s->done) {
        return;
    }
    socket_hand_over(s);
    socket_write(s);
    socket_end(s);
    if (s->done) {
        return;
    }
    struct pollfd p = {
        .fd = s->fd,
        .events = (short)((s->in_size < sizeof(s->in) && !s->paused ? POLLIN : 0) | (s->count > 0 ? POLLOUT : 0))};
    if (poll(&p, 1, list_empty(&posted) ? ms : 0) > 0 && (p.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        socket_read(s);
    }
}
