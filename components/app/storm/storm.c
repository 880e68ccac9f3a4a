/* SPDX-License-Identifier: MIT OR Apache-2.0
 * storm.c: visits: a connection that is opened, says something or nothing, and goes, in one of the ways that there are.
 *
 *      asked for -> open -> some of its words -> silent -> aborted, closed, or left to the peer
 *
 *  (1) What is lent is never written again, and is the same for all.
 */
#define LOG_TAG "storm"
#include "config.h"
#include "storm.h"
#include "core/list.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"
#include "lib/entropy/random.h"
#include "lib/tcp/tcp.h"

#define AGAIN_NS (20 * NS_PER_MS)   /* about, until the next visit in the place of one that is over */
#define STAY_NS (800 * NS_PER_MS)   /* at most */
#define LEFT_NS (20000 * NS_PER_MS) /* one that is left to the peer, at most */
#define DRIP_NS (3 * NS_PER_MS)

enum manner {
    AT_ONCE,     /* dropped before it is open */
    ABORTED,     /* dropped when it opens */
    SILENT,      /* opens, and says nothing */
    HALF,        /* says the first part of a message, or of a later one */
    DRIP,        /* a byte at a time */
    DEAF,        /* says all, and takes nothing of what comes back */
    HALF_CLOSED, /* says all, ends its side, and waits */
    NOISE,       /* says what is no message: its words from their middle on */
    KEEP,        /* says all, takes all, and finishes nothing */
    MANNERS,
};

/* Keys: all [L] */
struct visit {
    struct stream_client client;
    struct stream *stream; /* NULL: none */
    struct timer timer;
    enum manner manner;
    size_t said;     /* bytes */
    uint64_t end_ns; /* it does not stay longer */
    bool open;
};

static struct {
    struct random *random;                 /* [I] */
    struct tcp_connect_authority *connect; /* [I] */
    struct storm_words words;              /* [I] */
    struct visit *visit;                   /* [I] */
    uint64_t chance;                       /* [L] */
    struct work begin;                     /* [L] */
} self;

static uint64_t below(uint64_t bound)
{
    uint64_t z = self.chance += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    return ((z ^ z >> 27) >> 8) % bound;
}

static bool over(void)
{
    return clock_ns() >= STORM_UNTIL_MS * NS_PER_MS;
}

static struct visit *visit_of(struct stream_client *client)
{
    return CONTAINER_OF(client, struct visit, client);
}

/* --- what it says ---------------------------------------------------------------------------------------------------- */

static void say(struct visit *v, size_t from, size_t until) REQUIRES(LOOP)
{
    v->said = until;
    status_ignore(stream_send(v->stream, self.words.bytes + from, until - from), "the peer may have enough of it");
}

static void say_something(struct visit *v) REQUIRES(LOOP)
{
    size_t size = self.words.size;

    switch (v->manner) {
    case HALF:
        say(v, 0, 1 + below(size - 1));
        return;
    case DRIP:
        say(v, 0, 1);
        return;
    case NOISE:
        say(v, 8 * (1 + below(size / 8 - 1)), size);
        return;
    case HALF_CLOSED:
        say(v, 0, size);
        stream_end(v->stream);
        return;
    case DEAF:
    case KEEP:
        say(v, 0, size);
        return;
    default:
        return;
    }
}

/* --- its end --------------------------------------------------------------------------------------------------------- */

static void leave(struct visit *v) REQUIRES(LOOP)
{
    v->end_ns = clock_ns() + LEFT_NS;
    switch (over() ? 0 : below(4)) {
    case 0:
    case 1:
        stream_abort(v->stream);
        return;
    case 2:
        stream_close(v->stream);
        return;
    default: /* it stays until the peer has enough of it, or for long */
        return;
    }
}

static void begin_visit(struct visit *v);

/* The next thing that it does by itself. */
static void fire(struct timer *timer)
{
    struct visit *v = CONTAINER_OF(timer, struct visit, timer);

    room_assert_loop();
    if (v->stream == NULL) {
        begin_visit(v);
        return;
    }
    bool drips = v->manner == DRIP && v->open && v->said < self.words.size;
    if (drips) {
        say(v, v->said, v->said + 1);
    }
    if (over()) {
        stream_abort(v->stream);
    } else if (clock_ns() >= v->end_ns) {
        leave(v);
    }
    timer_set(&v->timer, clock_ns() + (drips ? DRIP_NS : AGAIN_NS));
}

static size_t received(struct stream_client *client, const uint8_t *data, size_t len)
{
    (void)data;
    room_assert_loop();
    return visit_of(client)->manner == DEAF ? 0 : len;
}

static void opened(struct stream_client *client)
{
    struct visit *v = visit_of(client);

    room_assert_loop();
    v->open = true;
    if (v->manner == ABORTED) {
        stream_abort(v->stream);
    } else {
        say_something(v);
    }
}

static void closed(struct stream_client *client, status_t status)
{
    room_assert_loop();
    status_ignore(status, "whatever it was");
    visit_of(client)->stream = NULL;
    timer_set(&visit_of(client)->timer, clock_ns() + below(AGAIN_NS));
}

static void begin_visit(struct visit *v)
{
    static const struct stream_client_ops ops = {.received = received, .opened = opened, .closed = closed};
    const struct tcp_limits limits = {0};

    room_assert_loop();
    if (over()) {
        return;
    }
    v->client.ops = &ops;
    v->open = false;
    v->said = 0;
    v->manner = STORM_MANNER == STORM_MANNER_KEEP ? KEEP : (enum manner)below(MANNERS);
    v->end_ns = clock_ns() + (STORM_MANNER == STORM_MANNER_KEEP ? STORM_UNTIL_MS * NS_PER_MS : below(STAY_NS));
    if (tcp_connect(self.connect, STORM_PEER, &limits, &v->client, &v->stream) != ST_OK) {
        v->stream = NULL;
    } else if (v->manner == AT_ONCE) {
        stream_abort(v->stream);
    }
    timer_set(&v->timer, clock_ns() + (v->manner == DRIP ? DRIP_NS : AGAIN_NS));
}

/* --- begin ----------------------------------------------------------------------------------------------------------- */

void storm_wire_random(struct random *random) REQUIRES(BOOT);
void storm_wire_random(struct random *random)
{
    self.random = random;
}

void storm_hold_connect(struct tcp_connect_authority *connect_authority) REQUIRES(BOOT);
void storm_hold_connect(struct tcp_connect_authority *connect_authority)
{
    self.connect = connect_authority;
}

static void begin(struct work *work)
{
    (void)work;
    room_assert_loop();
    for (unsigned i = 0; i < STORM_VISITS; i++) {
        begin_visit(&self.visit[i]);
    }
}

status_t storm_start(void) REQUIRES(BOOT);
status_t storm_start(void)
{
    status_t status = random_fill(self.random, &self.chance, sizeof self.chance);

    if (status != ST_OK) {
        log_err("no random numbers: %s", status_name(status));
        return status;
    }
    self.words = storm_words_make();
    self.visit = boot_alloc(STORM_VISITS * sizeof(struct visit), _Alignof(struct visit));
    for (unsigned i = 0; i < STORM_VISITS; i++) {
        timer_init(&self.visit[i].timer, fire);
    }
    work_init(&self.begin, begin);
    loop_post_boot(&self.begin);
    return ST_OK;
}
