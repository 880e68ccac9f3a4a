/* SPDX-License-Identifier: MIT OR Apache-2.0
 * app_tcp_echo.c: an echo server on a byte stream.
 *
 *  (1) ring[first, first + used) is what was received and is not yet given back by sent(); of it the last `waiting`
 *      bytes are not lent yet.
 *  (2) received() takes what fits. When sent() makes room after it did not, it asks for the rest.
 */
#define LOG_TAG "tcp-echo"
#include "config.h"
#include "core/assert.h"
#include "core/list.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"
#include "lib/tcp/tcp.h"
#include <string.h>

#define BUFFER APP_TCP_ECHO_BUFFER

/* Keys: [I] fixed while it lives  [L] the owning loop only */
struct session {
    struct stream_client client; /* [I] */
    struct stream *stream;       /* [I] */
    size_t first, used, waiting; /* [L] (1) */
    bool refused;                /* [L] bytes were left with the provider */
    bool ended;                  /* [L] the peer sends no more */
    uint8_t ring[BUFFER];        /* [L] */
};

static struct {
    struct tcp_listen_authority *authority; /* [I] */
    struct tcp_acceptor acceptor;           /* [I] */
    struct pool sessions;                   /* [L] */
} self;

static struct session *session_of(struct stream_client *client)
{
    return CONTAINER_OF(client, struct session, client);
}

/* Lends what waits; at most two pieces, because a ring has one seam. */
static void lend(struct session *s) REQUIRES(LOOP)
{
    while (s->waiting > 0) {
        size_t at = (s->first + s->used - s->waiting) % BUFFER;
        size_t len = s->waiting < BUFFER - at ? s->waiting : BUFFER - at;
        if (stream_send(s->stream, s->ring + at, len) != ST_OK) {
            return; /* room() comes, or closed(). */
        }
        s->waiting -= len;
    }
    if (s->ended) {
        stream_close(s->stream);
    }
}

static size_t received(struct stream_client *client, const uint8_t *data, size_t len)
{
    struct session *s = session_of(client);
    size_t take = len < BUFFER - s->used ? len : BUFFER - s->used;
    size_t at = (s->first + s->used) % BUFFER;
    size_t before_seam = take < BUFFER - at ? take : BUFFER - at;

    room_assert_loop();
    memcpy(s->ring + at, data, before_seam);
    memcpy(s->ring, data + before_seam, take - before_seam);
    s->used += take;
    s->waiting += take;
    s->refused = take < len;
    lend(s);
    return take;
}

static void sent(struct stream_client *client, size_t len)
{
    struct session *s = session_of(client);

    room_assert_loop();
    ASSERT(len <= s->used - s->waiting);
    s->first = (s->first + len) % BUFFER;
    s->used -= len;
    if (s->refused) {
        stream_resume(s->stream);
    }
}

static void room(struct stream_client *client)
{
    room_assert_loop();
    lend(session_of(client));
}

static void ended(struct stream_client *client)
{
    room_assert_loop();
    session_of(client)->ended = true;
    lend(session_of(client));
}

static void closed(struct stream_client *client, status_t status)
{
    struct session *s = session_of(client);

    room_assert_loop();
    if (status != ST_OK) {
        log_debug("a connection ended: %s", status_name(status));
    }
    pool_put(&self.sessions, s);
}

static const struct stream_client_ops client_ops = {received, sent, room, ended, closed, NULL};

static struct stream_client *accept_session(struct tcp_acceptor *acceptor, struct stream *stream)
{
    (void)acceptor;
    room_assert_loop();
    struct session *s = pool_get(&self.sessions);
    if (s == NULL) {
        return NULL;
    }
    s->client.ops = &client_ops;
    s->stream = stream;
    return &s->client;
}

void app_tcp_echo_hold_listen(struct tcp_listen_authority *authority) REQUIRES(BOOT);
void app_tcp_echo_hold_listen(struct tcp_listen_authority *authority)
{
    self.authority = authority;
}

status_t app_tcp_echo_start(void) REQUIRES(BOOT);
status_t app_tcp_echo_start(void)
{
    struct tcp_limits limits = {.connections_max = APP_TCP_ECHO_SESSIONS,
                                .idle_ns = APP_TCP_ECHO_IDLE_SECONDS * NS_PER_S};
    struct tcp_listener *listener;

    pool_init(&self.sessions, "app/tcp-echo sessions", sizeof(struct session), APP_TCP_ECHO_SESSIONS);
    self.acceptor.accept = accept_session;
    status_t status = tcp_listen(self.authority, &limits, &self.acceptor, &listener);
    if (status == ST_OK) {
        log_info("echo on port %u", self.authority->port);
    } else {
        log_err("cannot listen on port %u: %s", self.authority->port, status_name(status));
    }
    return status;
}
