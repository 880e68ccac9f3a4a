/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat.c: a vat and its connections: how they begin and end.
 *
 *  (1) A connection is in exactly one of the lists free, open, closing; `state` says which.
 *  (2) Ending is two steps: vat_abort or vat_end marks it and ends the stream; the reaper then empties the tables, a
 *      bounded number of entries a turn. FREE only when the tables are empty, closed() has come (lent memory is ours), and who
 *      opened it has given it back.
 */
#define LOG_TAG "rpc/vat"
#include "core/assert.h"
#include "core/fmt.h"
#include "core/log.h"
#include "vat_internal.h"
#include <stdarg.h>

static void reap(struct work *work);
static void feed(struct work *work);
static void stall(struct timer *timer);

/* ---- boot ---- */

REQUIRES(BOOT)
static void connection_init(struct vat *vat, struct vat_connection *c)
{
    const struct vat_options *o = &vat->options;

    c->vat = vat;
    c->client.ops = &vat_stream_ops;
    list_init(&c->hungry);
    list_init(&c->out);
    list_init(&c->live);
    list_init(&c->embargoes);
    vat_map_init(&c->answers, o->answers);
    vat_map_init(&c->imports, o->imports);
    vat_map_init(&c->exported, o->exports);
    c->question = boot_alloc(o->questions * sizeof(struct vat_question *), _Alignof(struct vat_question *));
    c->export = boot_alloc(o->exports * sizeof(struct vat_export), _Alignof(struct vat_export));
    for (uint32_t i = 0; i < o->exports; i++) {
        c->export[i].c = c;
        list_init(&c->export[i].watch);
        c->export[i].resolve.kind = VAT_OUT_RESOLVE;
        list_init(&c->export[i].resolve.node);
    }
    list_push_back(&vat->free, &c->node);
}

struct vat *vat_new(const struct vat_options *options)
{
    struct vat *vat = boot_alloc(sizeof(*vat), _Alignof(struct vat));

    vat->options = *options;
    list_init(&vat->free);
    list_init(&vat->open);
    list_init(&vat->closing);
    list_init(&vat->hungry);
    list_init(&vat->ready);
    list_init(&vat->idle);
    work_init(&vat->reap, reap);
    work_init(&vat->feed, feed);
    work_init(&vat->cancel, vat_answers_cancel);
    timer_init(&vat->stall, stall);
    vat_buffers_init(vat);
    pool_init(&vat->answer_pool, "vat answers", sizeof(struct vat_answer), options->live_all);
    pool_init(&vat->question_pool, "vat questions", sizeof(struct vat_question),
              (size_t)options->questions * options->connections);
    pool_init(&vat->import_pool, "vat imports", sizeof(struct vat_import),
              (size_t)options->imports * options->connections);
    pool_init(&vat->promise_pool, "vat promises", sizeof(struct vat_promise), options->promises);
    vat->embargoed = boot_alloc(options->promises * sizeof(struct vat_promise *), _Alignof(struct vat_promise *));
    vat->connection = boot_alloc(options->connections * sizeof(struct vat_connection), _Alignof(struct vat_connection));
    for (uint32_t i = 0; i < options->connections; i++) {
        connection_init(vat, &vat->connection[i]);
    }
    return vat;
}

void vat_serve(struct vat *vat, struct object *bootstrap)
{
    ASSERT(vat->bootstrap == NULL);
    vat->bootstrap = object_get(bootstrap);
}

void vat_usage(const struct vat *vat, struct vat_usage *usage)
{
    *usage = (struct vat_usage){
        .live = vat->answer_pool.in_use,
        .questions = vat->question_pool.in_use,
        .imports = vat->import_pool.in_use,
        .promises = vat->promise_pool.in_use,
        .small = vat->buffers[VAT_SMALL].count - vat->buffers[VAT_SMALL].free_count,
        .medium = vat->buffers[VAT_MEDIUM].count - vat->buffers[VAT_MEDIUM].free_count,
        .large = vat->buffers[VAT_LARGE].count - vat->buffers[VAT_LARGE].free_count,
        .accepted = vat->accepted,
        .refused = vat->refused,
        .aborted = vat->aborted,
        .calls = vat->calls,
    };
    for (uint32_t i = 0; i < vat->options.connections; i++) {
        usage->connections += vat->connection[i].state != VAT_FREE;
        usage->exports += vat->connection[i].export_count;
    }
}

/* ---- a connection's life ---- */

/* In order again: the ids that a peer sees tell nothing of the one before. */
static void exports_free_all(struct vat_connection *c)
{
    ASSERT(c->export_count == 0);
    for (uint32_t i = 0; i < c->vat->options.exports; i++) {
        c->export[i].next_free = i + 1;
    }
    c->export_free = 0;
}

static struct vat_connection *open_connection(struct vat *vat)
{
    struct list *node = list_pop_front(&vat->free);

    if (node == NULL) {
        vat->refused++;
        return NULL;
    }
    struct vat_connection *c = CONTAINER_OF(node, struct vat_connection, node);
    ASSERT(c->state == VAT_FREE && c->stream == NULL && c->live_count == 0 && c->held_bytes == 0);
    c->state = VAT_OPEN;
    c->head_size = 0;
    c->framed = false;
    c->full = false;
    c->blocked = false;
    c->piece_first = 0;
    c->piece_returned = 0;
    c->control_written = 0;
    c->control_lent = 0;
    c->control_returned = 0;
    exports_free_all(c);
    c->question_hint = 0;
    c->reap_next = 0;
    c->replies = 0;
    c->untaken = 0;
    c->pushing = false;
    list_push_back(&vat->open, &c->node);
    vat->accepted++;
    return c;
}

void vat_attach(struct vat_connection *c, struct stream *stream)
{
    ASSERT(c->stream == NULL && stream != NULL);
    c->stream = stream;
    if (c->state == VAT_OPEN) {
        vat_push(c);
    } else {
        stream_abort(stream); /* it was closed before it began */
    }
}

struct vat_connection *vat_open(struct vat *vat)
{
    struct vat_connection *c = open_connection(vat);

    if (c != NULL) {
        c->opened = true;
    }
    return c;
}

struct vat_connection *vat_accept(struct vat *vat, struct stream *stream)
{
    struct vat_connection *c = open_connection(vat);

    if (c != NULL) {
        vat_attach(c, stream);
    }
    return c;
}

struct stream_client *vat_client(struct vat_connection *c)
{
    return &c->client;
}

/* From OPEN to CLOSING. */
static void closing(struct vat_connection *c)
{
    room_assert_loop();
    ASSERT(c->state == VAT_OPEN);
    c->state = VAT_CLOSING;
    list_remove(&c->node);
    list_push_back(&c->vat->closing, &c->node);
    list_remove(&c->hungry);
    c->closing_ns = clock_ns();
    vat_stall_watch(c->vat);
    loop_post(&c->vat->reap);
}

/* Peers can make us log: at most one line a second, with what was left out. */
static void log_abort(struct vat_connection *c, const char *reason)
{
    struct vat *vat = c->vat;
    uint64_t now = clock_ns();

    if (vat->abort_log_ns != 0 && now - vat->abort_log_ns < NS_PER_S) {
        vat->aborts_unlogged++;
        return;
    }
    log_warn("%s: ended the connection: %s (%llu more before)", c->stream != NULL ? c->stream->peer : "?", reason,
             (unsigned long long)vat->aborts_unlogged);
    vat->abort_log_ns = now;
    vat->aborts_unlogged = 0;
}

void vat_abort(struct vat_connection *c, enum exception type, const char *format, ...)
{
    char reason[CALL_REASON_MAX];
    va_list args;

    if (c->state != VAT_OPEN) {
        return; /* it has had its reason */
    }
    va_start(args, format);
    fmt_textv(reason, sizeof(reason), format, args);
    va_end(args);
    c->vat->aborted++;
    log_abort(c, reason);
    closing(c);
    vat_stream_abort(c, type, reason);
}

void vat_end(struct vat_connection *c)
{
    if (c->state != VAT_OPEN) {
        return;
    }
    closing(c);
    vat_stream_abort(c, EXCEPTION_DISCONNECTED, NULL);
}

void vat_close(struct vat_connection *c)
{
    ASSERT(c->state != VAT_FREE);
    c->opened = false;
    vat_end(c);
    loop_post(&c->vat->reap);
}

void vat_closed(struct vat_connection *c)
{
    if (c->state == VAT_OPEN) {
        closing(c);
    } else {
        loop_post(&c->vat->reap);
    }
}

/* ---- the reaper ---- */

/* Each step empties one table and returns how much of the budget it used. */
REQUIRES(LOOP)
static uint32_t reap_live(struct vat_connection *c, uint32_t budget)
{
    uint32_t done = 0;

    for (; done < budget && !list_empty(&c->live); done++) {
        vat_answer_orphan(CONTAINER_OF(c->live.next, struct vat_answer, node));
    }
    return done;
}

REQUIRES(LOOP)
static uint32_t reap_questions(struct vat_connection *c, uint32_t budget)
{
    uint32_t done = 0;

    for (; done < budget && c->reap_next < c->vat->options.questions && c->question_count > 0; c->reap_next++) {
        if (c->question[c->reap_next] != NULL) {
            vat_question_disconnect(c->question[c->reap_next]);
            done++;
        }
    }
    return done;
}

REQUIRES(LOOP)
static uint32_t reap_exports(struct vat_connection *c, uint32_t budget)
{
    uint32_t done = 0;

    /* By id, not as the map has them: that order hangs on where objects lie, and the ids of the next life on it. */
    for (uint32_t i = 0; done < budget && i < c->vat->options.exports && c->export_count > 0; i++) {
        if (c->export[i].object != NULL) {
            vat_export_drop(&c->export[i]);
            done++;
        }
    }
    return done;
}

REQUIRES(LOOP)
static uint32_t reap_imports(struct vat_connection *c, uint32_t budget)
{
    uint32_t done = 0;

    for (uint32_t i = 0; done < budget && i < c->imports.size && c->imports.used > 0; i++) {
        while (done < budget && c->imports.entry[i].key != 0) {
            vat_import_orphan(c->imports.entry[i].value);
            done++;
        }
    }
    return done;
}

static uint32_t reap_tombs(struct vat_connection *c, uint32_t budget)
{
    uint32_t done = 0;

    for (uint32_t i = 0; done < budget && i < c->answers.size && c->answers.used > 0; i++) {
        while (done < budget && c->answers.entry[i].key != 0) {
            vat_map_remove(&c->answers, &c->answers.entry[i]);
            done++;
        }
    }
    return done;
}

static bool reaped(const struct vat_connection *c)
{
    return c->live_count == 0 && c->question_count == 0 && c->exported.used == 0 && c->imports.used == 0 &&
           c->answers.used == 0;
}

/* True: the connection is free again. */
REQUIRES(LOOP)
static bool reap_one(struct vat_connection *c, uint32_t *budget)
{
    vat_out_clear(c);
    vat_message_put(c->incoming);
    c->incoming = NULL;
    vat_embargo_clear(c);
    *budget -= reap_live(c, *budget);
    *budget -= reap_questions(c, *budget);
    *budget -= reap_exports(c, *budget);
    *budget -= reap_imports(c, *budget);
    *budget -= reap_tombs(c, *budget);
    vat_run_ready(c->vat);
    if (!reaped(c) || c->stream != NULL || c->opened) {
        return false;
    }
    vat_out_clear(c); /* releases that the above queued */
    ASSERT(c->piece_count == 0 && c->held_bytes == 0 && c->replies == 0 && c->export_count == 0);
    c->state = VAT_FREE;
    list_remove(&c->node);
    list_push_front(&c->vat->free, &c->node);
    return true;
}

static void reap(struct work *work)
{
    room_assert_loop();
    struct vat *vat = CONTAINER_OF(work, struct vat, reap);
    uint32_t budget = VAT_REAP_A_TURN;
    uint32_t waiting = 0;
    uint32_t left = 0;

    struct list *next;
    for (struct list *node = vat->closing.next; node != &vat->closing && budget > 0; node = next) {
        next = node->next;
        struct vat_connection *c = CONTAINER_OF(node, struct vat_connection, node);
        if (!reap_one(c, &budget)) {
            waiting += reaped(c);
            left++;
        }
    }
    if (budget == 0 || left > waiting) {
        loop_post(&vat->reap); /* those that wait only for closed() or vat_close() are woken by it */
    }
}

/* ---- waiting connections ---- */

void vat_feed(struct vat *vat)
{
    if (!list_empty(&vat->hungry)) {
        loop_post(&vat->feed);
    }
}

static void feed(struct work *work)
{
    room_assert_loop();
    struct vat *vat = CONTAINER_OF(work, struct vat, feed);

    /* Each at most once: who is still hungry stands at the end again. */
    for (uint32_t i = 0; i < vat->options.connections && !list_empty(&vat->hungry); i++) {
        vat_stream_feed(CONTAINER_OF(list_pop_front(&vat->hungry), struct vat_connection, hungry));
    }
}

/* ---- stalls ---- */

/* What the peer has to do, and since when: end its message, take the oldest piece that is lent to it, go. One of them at a time
 * is enough: whoever drips bytes gets no further than who is silent. */
struct due {
    bool any;
    uint64_t since_ns;
};

static struct due due_of(struct vat_connection *c)
{
    if (c->state == VAT_CLOSING) {
        return (struct due){true, c->closing_ns};
    }
    if (!list_empty(&c->hungry) || c->blocked) {
        c->message_ns = clock_ns(); /* it waits for us */
    }
    struct due due = {c->head_size > 0, c->message_ns};
    if (c->piece_count > 0 && (!due.any || c->piece_ns < due.since_ns)) {
        due = (struct due){true, c->piece_ns};
    }
    return due;
}

void vat_stall_watch(struct vat *vat)
{
    if (!timer_armed(&vat->stall)) {
        timer_set(&vat->stall, clock_ns() + vat->options.stall_seconds * NS_PER_S / 2);
    }
}

/* True: it is ended, for results that it keeps while others wait for their buffer. */
REQUIRES(LOOP)
static bool keeps_too_long(struct vat_connection *c)
{
    uint64_t stall_ns = c->vat->options.stall_seconds * NS_PER_S;

    if (list_empty(&c->vat->hungry) || clock_ns() < stall_ns || !vat_answers_keep(c, clock_ns() - stall_ns)) {
        return false;
    }
    vat_abort(c, EXCEPTION_OVERLOADED, "results that others need the room of wait for a Finish");
    return true;
}

/* True while there is something to watch. */
REQUIRES(LOOP)
static bool stall_check(struct vat_connection *c)
{
    struct stream *stream = c->stream;
    struct due due = due_of(c);

    if (c->state == VAT_OPEN && keeps_too_long(c)) {
        return true;
    }
    if (stream == NULL || !due.any) {
        return false;
    }
    if (clock_ns() - due.since_ns >= c->vat->options.stall_seconds * NS_PER_S) {
        vat_abort(c, EXCEPTION_DISCONNECTED, "half said for %u s", c->vat->options.stall_seconds);
        stream_abort(stream);
    }
    return true;
}

REQUIRES(LOOP)
static bool stall_check_all(struct list *head)
{
    bool more = false;
    struct list *next;

    for (struct list *node = head->next; node != head; node = next) {
        next = node->next;
        more |= stall_check(CONTAINER_OF(node, struct vat_connection, node));
    }
    return more;
}

static void stall(struct timer *timer)
{
    room_assert_loop();
    struct vat *vat = CONTAINER_OF(timer, struct vat, stall);

    bool open = stall_check_all(&vat->open);
    bool closing = stall_check_all(&vat->closing);
    if (open || closing || !list_empty(&vat->hungry)) {
        vat_stall_watch(vat);
    }
}
