/* SPDX-License-Identifier: MIT OR Apache-2.0
 * rpc_load.c: the sessions: how one finds its home, keeps going when that is gone, and ends.
 *
 *      connect -> bootstrap, not waited for -> rounds ... -> all sessions done -> the first one audits
 *         ^                                     |
 *         +----------- a while later <----------+  disconnected, or out of patience
 */
#define LOG_TAG "rpc"
#include "rpc_load.h"
#include "app/rpc-load/rpc_load.capnp.h"
#include "core/list.h"
#include "core/log.h"
#include "core/mem.h"
#include "lib/entropy/random.h"
#include "lib/tcp/tcp.h"

#define AGAIN_NS (100 * NS_PER_MS) /* about, before a lost connection is made anew */
#define AUDIT_NS (RPC_LOAD_AUDIT_MS * NS_PER_MS)
#define AUDIT_ROUNDS 12u
#define LEAVE_LOOK_NS (200 * NS_PER_MS)
#define LEAVE_LOOKS_MAX 250u /* longer than rpc/vat and net/lwip let a connection end that nobody answers */

static struct {
    struct random *random;                 /* [I] */
    struct vat *vat;                       /* [I] */
    struct tcp_connect_authority *connect; /* [I] */
    struct session *session;               /* [I] */
    struct work begin;                     /* [L] */
    unsigned done;                         /* [L] sessions whose rounds are over */
} self;

void rpc_load_fail(const struct session *s, const char *what)
{
    log_err("@ fail tag %x, line %u: %s", s->tag, s->line, what);
}

static void connect(struct session *s);

static void fire(struct timer *timer)
{
    struct session *s = CONTAINER_OF(timer, struct session, timer);

    room_assert_loop();
    s->next(s);
}

void rpc_load_later(struct session *s, void (*next)(struct session *s), uint64_t ns)
{
    s->next = next;
    timer_set(&s->timer, clock_ns() + ns);
}

/* --- how it finds its home ------------------------------------------------------------------------------------------- */

void rpc_load_disconnect(struct session *s)
{
    object_put(s->home);
    s->home = NULL;
    if (s->connection != NULL) {
        vat_close(s->connection);
        s->connection = NULL;
    }
}

static void again(struct session *s) REQUIRES(LOOP)
{
    rpc_load_disconnect(s);
    rpc_load_later(s, connect, AGAIN_NS / 2 + rpc_load_random(s) % AGAIN_NS);
}

/* In the audit nothing is built on a home that may not be there. */
static void home_told(struct ask *a, bool failed) REQUIRES(LOOP)
{
    struct session *s = a->session;

    if (failed || s->given_up) {
        s->given_up = false;
        again(s);
    } else {
        rpc_load_round_begin(s);
    }
}

static void home_ask(struct session *s) REQUIRES(LOOP)
{
    struct ask *a = rpc_load_ask_new(s);
    struct load_home_held_params_builder p =
        load_home_held_begin(&a->call, s->home, rpc_load_ask_params(a), &rpc_load_ask_source);

    load_home_held_params_set_tag(p, s->tag);
    a->then = home_told;
    rpc_load_ask_send(a, s->home);
}

static void connect(struct session *s)
{
    const struct tcp_limits limits = {0};
    struct stream *stream;

    room_assert_loop();
    s->given_up = false;
    s->connection = vat_open(self.vat);
    if (s->connection == NULL ||
        tcp_connect(self.connect, RPC_LOAD_PEER, &limits, vat_client(s->connection), &stream) != ST_OK) {
        again(s);
        return;
    }
    vat_attach(s->connection, stream);
    s->home = vat_bootstrap(s->connection);
    if (s->home == NULL) {
        again(s);
    } else if (s->audit) {
        home_ask(s);
    } else {
        rpc_load_round_begin(s);
    }
}

/* --- rounds ---------------------------------------------------------------------------------------------------------- */

/* Of the last connections everything has come back. */
static void leave(struct session *s)
{
    room_assert_loop();
    if (rpc_load_targets_any() && s->looks++ < LEAVE_LOOKS_MAX) {
        rpc_load_later(s, leave, LEAVE_LOOK_NS);
        return;
    }
    if (rpc_load_targets_any()) {
        rpc_load_fail(s, "an object is held that nobody uses, when all connections are over");
    }
    log_info("@ done");
}

/* They give back what they hold, as sessions do that have what they wanted. */
static void all_end(void) REQUIRES(LOOP)
{
    self.session[0].looks = 0;
    rpc_load_later(&self.session[0], leave, 0);
    for (unsigned i = 0; i < RPC_LOAD_SESSIONS; i++) {
        rpc_load_disconnect(&self.session[i]);
    }
}

/* Whoever makes faults has until then to end them: no call of the audit may fail. */
static void audit_begin(struct session *s) REQUIRES(LOOP)
{
    s->audit = true;
    s->round = 0;
    s->rounds = AUDIT_ROUNDS;
    log_info("@ audit");
    rpc_load_disconnect(s);
    s->next = connect;
    timer_set(&s->timer, AUDIT_NS > clock_ns() + AGAIN_NS ? AUDIT_NS : clock_ns() + AGAIN_NS);
}

static void round_next(struct session *s)
{
    room_assert_loop();
    if (s->round++ < s->rounds) {
        if (s->connection == NULL) {
            again(s);
        } else {
            rpc_load_round_begin(s);
        }
    } else if (s->audit) {
        all_end();
    } else if (++self.done == RPC_LOAD_SESSIONS) {
        audit_begin(&self.session[0]);
    }
}

void rpc_load_round_ended(struct session *s)
{
    rpc_load_later(s, round_next, rpc_load_random(s) % (RPC_LOAD_THINK_MS * NS_PER_MS + 1));
}

/* --- begin ----------------------------------------------------------------------------------------------------------- */

void rpc_load_wire_random(struct random *random) REQUIRES(BOOT);
void rpc_load_wire_random(struct random *random)
{
    self.random = random;
}

void rpc_load_wire_vat(struct vat *vat) REQUIRES(BOOT);
void rpc_load_wire_vat(struct vat *vat)
{
    self.vat = vat;
}

void rpc_load_hold_connect(struct tcp_connect_authority *connect_authority) REQUIRES(BOOT);
void rpc_load_hold_connect(struct tcp_connect_authority *connect_authority)
{
    self.connect = connect_authority;
}

static void begin(struct work *work)
{
    (void)work;
    room_assert_loop();
    for (unsigned i = 0; i < RPC_LOAD_SESSIONS; i++) {
        connect(&self.session[i]);
    }
}

static void sessions_make(void) REQUIRES(BOOT)
{
    self.session = boot_alloc(RPC_LOAD_SESSIONS * sizeof(struct session), _Alignof(struct session));
    for (unsigned i = 0; i < RPC_LOAD_SESSIONS; i++) {
        struct session *s = &self.session[i];
        s->tag = rpc_load_tag + 1 + i;
        s->random = (uint64_t)rpc_load_tag * 64 + i;
        s->rounds = RPC_LOAD_ROUNDS;
        timer_init(&s->timer, fire);
    }
    work_init(&self.begin, begin);
    loop_post_boot(&self.begin);
}

status_t rpc_load_start(void) REQUIRES(BOOT);
status_t rpc_load_start(void)
{
    status_t status = random_fill(self.random, &rpc_load_tag, sizeof rpc_load_tag);

    rpc_load_tag &= 0xffffff; /* short lines */
    rpc_load_targets_init();
    rpc_load_home_init(self.vat);
    if (status != ST_OK) {
        log_err("no random numbers: %s", status_name(status));
        return status;
    }
    if (self.connect == NULL) {
        vat_serve(self.vat, rpc_load_home());
        return ST_OK;
    }
    sessions_make();
    return ST_OK;
}
