/* SPDX-License-Identifier: MIT OR Apache-2.0
 * store_load.c: the sessions: how one gets its store, keeps going when the store does not, and ends.
 *
 *      connect -> Node.get("store") -> Node.get("names") -> operations ... -> all sessions done -> the first one audits
 *         ^                                                    |
 *         +------------------ a while later <------------------+  disconnected, or out of patience
 */
#define LOG_TAG "load"
#include "store_load.h"
#include <stdarg.h>
#include "core/fmt.h"
#include "core/list.h"
#include "core/log.h"
#include "core/mem.h"
#include "lib/entropy/random.h"
#include "lib/tcp/tcp.h"
#include "svc/node/node.capnp.h"

#define AGAIN_NS (100 * NS_PER_MS) /* about, before a lost connection is made anew */
#define AUDIT_NS (200 * NS_PER_MS)
#define DEADLINE_NS (STORE_LOAD_DEADLINE_MS * NS_PER_MS)

static struct {
    struct random *random;                 /* [I] */
    struct vat *vat;                       /* [I] */
    struct object *store, *names, *root;   /* [I] */
    struct tcp_connect_authority *connect; /* [I] */
    struct session *session;               /* [I] */
    struct work begin;                     /* [L] */
    unsigned done;                         /* [L] sessions whose operations are over */
} self;

uint64_t load_session_random(struct session *s)
{
    uint64_t z = s->random += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    return (z ^ z >> 27) >> 8;
}

void load_session_say(const struct session *s, const char *format, ...)
{
    char text[80];
    va_list args;

    va_start(args, format);
    fmt_textv(text, sizeof text, format, args);
    va_end(args);
    log_info("@ %u %u %s", s->number, s->op, text);
}

void load_session_fail(const struct session *s, const char *what)
{
    log_err("@ fail session %u, operation %u, key %d, blob %d: %s", s->number, s->op, s->key, s->blob, what);
}

void load_session_cannot_read(const struct session *s)
{
    log_err("@ lost key %d, blob %d", s->key, s->blob);
}

/* --- operations ------------------------------------------------------------------------------------------------------ */

static void connect(struct session *s);

static void fire(struct timer *timer)
{
    struct session *s = CONTAINER_OF(timer, struct session, timer);

    room_assert_loop();
    s->next(s);
}

static void later(struct session *s, void (*next)(struct session *s), uint64_t ns) REQUIRES(LOOP)
{
    s->next = next;
    timer_set(&s->timer, clock_ns() + ns);
}

/* Out of patience: what is out fails `disconnected`, which leads to load_session_lost(). */
static void patience_over(struct session *s)
{
    room_assert_loop();
    if (s->connection != NULL) {
        vat_close(s->connection);
        s->connection = NULL;
    }
}

static void pause_over(struct session *s)
{
    room_assert_loop();
    later(s, patience_over, DEADLINE_NS);
    s->paused(s);
}

void load_session_pause(struct session *s, void (*then)(struct session *s))
{
    s->paused = then;
    later(s, pause_over, load_session_random(s) % (4 * STORE_LOAD_THINK_MS * NS_PER_MS + 1));
}

/* They give back what they hold, as sessions do that have what they wanted. */
static void all_end(void) REQUIRES(LOOP)
{
    for (unsigned i = 0; i < STORE_LOAD_SESSIONS; i++) {
        struct session *s = &self.session[i];
        load_session_lost(s);
        timer_cancel(&s->timer);
    }
}

static void audit_next(struct session *s) REQUIRES(LOOP)
{
    int n = s->look;
    int last = STORE_LOAD_KEYS + STORE_LOAD_BLOBS + load_file_keys();

    if (n == last + 2 * STORE_LOAD_SCRUB) {
        log_info("@ done");
        all_end();
        return;
    }
    later(s, patience_over, DEADLINE_NS);
    s->failed = false;
    s->key = n;
    if (n == last) {
        load_scrub_begin(s);
    } else if (n > last) {
        load_scrub_wait(s);
    } else if (n < STORE_LOAD_KEYS) {
        load_op_look(s);
    } else if (n < STORE_LOAD_KEYS + STORE_LOAD_BLOBS) {
        s->blob = n - STORE_LOAD_KEYS;
        load_op_read(s);
    } else {
        load_file_look(s, n - STORE_LOAD_KEYS - STORE_LOAD_BLOBS);
    }
}

/* It has all that it wants. */
static bool connected(const struct session *s)
{
    return s->names != NULL && (s->root != NULL || STORE_LOAD_FILES == 0) && (s->volume != NULL || !STORE_LOAD_SCRUB);
}

static void audit_start(struct session *s)
{
    room_assert_loop();
    if (connected(s)) {
        audit_next(s);
    } else {
        connect(s);
    }
}

/* Whoever makes faults has this long to end them. */
static void audit_begin(struct session *s) REQUIRES(LOOP)
{
    s->audit = true;
    s->look = 0;
    s->old_key = NO_KEY;
    load_choices_say();
    log_info("@ audit");
    later(s, audit_start, AUDIT_NS);
}

static void op_next(struct session *s)
{
    room_assert_loop();
    if (s->audit) {
        audit_next(s);
    } else if (s->op < s->ops) {
        s->op++;
        later(s, patience_over, DEADLINE_NS);
        load_op_begin(s);
    } else if (++self.done == STORE_LOAD_SESSIONS) {
        audit_begin(&self.session[0]);
    }
}

void load_op_ended(struct session *s)
{
    uint64_t think = s->audit ? 0 : load_session_random(s) % (STORE_LOAD_THINK_MS * NS_PER_MS + 1);

    s->look += s->audit;
    later(s, op_next, think);
}

/* --- how it gets its store ------------------------------------------------------------------------------------------- */

void load_session_lost(struct session *s)
{
    struct object **held[] = {&s->node, &s->store, &s->names, &s->root, &s->volume, &s->object};

    message_release_caps(&s->ask.results);
    message_release_caps(&s->ahead.results);
    for (unsigned i = 0; i < sizeof held / sizeof held[0]; i++) {
        object_put(*held[i]);
        *held[i] = NULL;
    }
    if (s->connection != NULL) {
        vat_close(s->connection); /* nothing of ours waits for it */
        s->connection = NULL;
    }
    later(s, connect, AGAIN_NS / 2 + load_session_random(s) % AGAIN_NS);
}

static void ask_node(struct session *s, const char *name, void (*then)(struct session *s)) REQUIRES(LOOP)
{
    struct node_get_params_builder p =
        node_get_begin(&s->ask.call, s->node, load_ask_params(&s->ask), &load_ask_source);

    node_get_params_set_name(p, capnp_text(name));
    load_ask_send(&s->ask, s->node, then);
}

/* NULL: there was no answer, and the connection is given up. */
static struct object *node_gave(struct session *s) REQUIRES(LOOP)
{
    struct object *object = s->failed ? NULL : node_get_results_get_cap(node_get_answer(&s->ask.call));

    if (object == NULL) {
        load_session_lost(s);
        return NULL;
    }
    return object_get(object);
}

static void next_given(struct session *s) REQUIRES(LOOP);

static void root_given(struct session *s) REQUIRES(LOOP)
{
    s->root = node_gave(s);
    if (s->root != NULL) {
        next_given(s);
    }
}

static void volume_given(struct session *s) REQUIRES(LOOP)
{
    s->volume = node_gave(s);
    if (s->volume != NULL) {
        next_given(s);
    }
}

/* After store and names, what else is wanted. */
static void next_given(struct session *s)
{
    if (STORE_LOAD_FILES > 0 && s->root == NULL) {
        ask_node(s, "root", root_given);
    } else if (STORE_LOAD_SCRUB && s->volume == NULL) {
        ask_node(s, "volume", volume_given);
    } else {
        op_next(s);
    }
}

static void names_given(struct session *s) REQUIRES(LOOP)
{
    s->names = node_gave(s);
    if (s->names != NULL) {
        next_given(s);
    }
}

static void store_given(struct session *s) REQUIRES(LOOP)
{
    s->store = node_gave(s);
    if (s->store != NULL) {
        ask_node(s, "names", names_given);
    }
}

static void connect_remote(struct session *s) REQUIRES(LOOP)
{
    const struct tcp_limits limits = {0};
    struct stream *stream;
    struct vat_connection *c = vat_open(self.vat);

    if (c == NULL) {
        later(s, connect, AGAIN_NS);
        return;
    }
    if (tcp_connect(self.connect, STORE_LOAD_PEER, &limits, vat_client(c), &stream) != ST_OK) {
        vat_close(c);
        later(s, connect, AGAIN_NS);
        return;
    }
    vat_attach(c, stream);
    s->connection = c;
    s->node = vat_bootstrap(c);
    if (s->node == NULL) {
        load_session_lost(s);
        return;
    }
    later(s, patience_over, DEADLINE_NS);
    ask_node(s, "store", store_given);
}

static void connect(struct session *s)
{
    room_assert_loop();
    if (self.vat != NULL) {
        connect_remote(s);
        return;
    }
    if (!ready_reached()) { /* the store is not mounted */
        later(s, connect, NS_PER_MS);
        return;
    }
    s->store = object_get(self.store);
    s->names = object_get(self.names);
    s->root = self.root != NULL ? object_get(self.root) : NULL;
    op_next(s);
}

/* --- begin ----------------------------------------------------------------------------------------------------------- */

void store_load_wire_random(struct random *random) REQUIRES(BOOT);
void store_load_wire_random(struct random *random)
{
    self.random = random;
}

void store_load_wire_vat(struct vat *vat) REQUIRES(BOOT);
void store_load_wire_vat(struct vat *vat)
{
    self.vat = vat;
}

void store_load_wire_store(struct object *store) REQUIRES(BOOT);
void store_load_wire_store(struct object *store)
{
    self.store = store;
}

void store_load_wire_names(struct object *names) REQUIRES(BOOT);
void store_load_wire_names(struct object *names)
{
    self.names = names;
}

void store_load_wire_root(struct object *root) REQUIRES(BOOT);
void store_load_wire_root(struct object *root)
{
    self.root = root;
}

void store_load_hold_connect(struct tcp_connect_authority *connect_authority) REQUIRES(BOOT);
void store_load_hold_connect(struct tcp_connect_authority *connect_authority)
{
    self.connect = connect_authority;
}

static void begin_now(void)
{
    room_assert_loop();
    for (unsigned i = 0; i < STORE_LOAD_SESSIONS; i++) {
        connect(&self.session[i]);
    }
}

static void begin(struct work *work)
{
    (void)work;
    begin_now();
}

status_t store_load_start(void) REQUIRES(BOOT);
status_t store_load_start(void)
{
    if ((self.vat == NULL) != (self.connect == NULL) || (self.vat == NULL) == (self.store == NULL)) {
        log_err("wire vat and grant connect for another image's store, or wire store and names for this one's");
        return ST_BADARG;
    }
    self.session = boot_alloc(STORE_LOAD_SESSIONS * sizeof(struct session), _Alignof(struct session));
    for (unsigned i = 0; i < STORE_LOAD_SESSIONS; i++) {
        struct session *s = &self.session[i];
        status_t status = random_fill(self.random, &s->random, sizeof s->random);
        if (status != ST_OK) {
            log_err("no random numbers: %s", status_name(status));
            return status;
        }
        s->ask.session = s->ahead.session = s;
        s->number = i;
        s->ops = STORE_LOAD_OPS;
        timer_init(&s->timer, fire);
    }
    if (!load_choices_awaited(begin_now)) {
        work_init(&self.begin, begin);
        loop_post_boot(&self.begin);
    }
    return ST_OK;
}
