/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_promise.c: capabilities whose object is not known yet.
 *
 *             results, Resolve, vat_promise_resolve
 *   WAITING  -----------------------------------------> RESOLVED
 *      ^  \------------------- broken ----------------> BROKEN
 *      | embargo                                          ^
 *   PIPELINE -- results: of the peer, or nothing went --> RESOLVED, or broken
 *
 *   WAITING   Calls queue here: for an answer of ours, for who holds the promise, or for an embargo.
 *   PIPELINE  Calls go to the peer, who queues them on our question.
 *   RESOLVED  Calls go to `target`, behind those that still queue.
 *   BROKEN    Calls fail.
 *
 *  (1) Order of calls on one promise is kept: none overtakes one that queues, and after calls went to the peer and the
 *      object turns out to live elsewhere, new ones wait until a Disembargo has come back (the embargo).
 *  (2) Queued calls run from vat_run_ready() only, which does not nest: a chain of answers that resolve each other is a
 *      loop, not a recursion.
 *  (3) A promise never resolves to itself, not by a detour either: that is broken.
 */
#include "core/assert.h"
#include "core/fmt.h"
#include "vat_internal.h"

static void promise_call(struct object *self, struct call *call);
static void tell_watchers(struct vat_promise *p);
static void promise_dead(struct object *self);
static const struct object_ops promise_ops = {.call = promise_call, .dead = promise_dead};

struct vat_promise *vat_promise_of(struct object *object)
{
    return object != NULL && object->ops == &promise_ops ? CONTAINER_OF(object, struct vat_promise, object) : NULL;
}

struct vat_promise *vat_promise_make(struct vat *vat)
{
    struct vat_promise *p = pool_get(&vat->promise_pool);

    if (p == NULL) {
        return NULL;
    }
    object_init(&p->object, &promise_ops);
    p->vat = vat;
    p->state = VAT_PROMISE_WAITING;
    p->disembargo.kind = VAT_OUT_EMBARGO;
    list_init(&p->source_node);
    list_init(&p->calls);
    list_init(&p->ready);
    list_init(&p->watchers);
    list_init(&p->disembargo.node);
    return p;
}

uint32_t vat_promise_index(const struct vat_promise *p)
{
    return (uint32_t)((size_t)((const char *)p - p->vat->promise_pool.items) / p->vat->promise_pool.item_size);
}

struct object *vat_settle(struct object *object)
{
    for (;;) {
        struct vat_promise *p = vat_promise_of(object);
        struct vat_import *import = vat_import_of(object);

        if (p != NULL && p->state == VAT_PROMISE_RESOLVED && list_empty(&p->calls)) {
            object = p->target;
        } else if (import != NULL && import->target != NULL) {
            object = import->target;
        } else {
            return object;
        }
    }
}

bool vat_leads_to(struct object *from, const struct object *to)
{
    while (from != NULL && from != to) {
        struct vat_promise *p = vat_promise_of(from);
        struct vat_import *import = vat_import_of(from);

        from = p != NULL ? p->target : import != NULL ? import->target : NULL;
    }
    return from == to;
}

/* ---- calls ---- */

void vat_redirect(struct call *call, struct object *target)
{
    if (target == NULL) {
        call_fail(call, EXCEPTION_FAILED, "a null capability was called");
    } else {
        call_pass(call, target);
    }
}

static void waiting_cancelled(struct call *call)
{
    room_assert_loop();

    list_remove(&call->node);
    call_fail(call, EXCEPTION_FAILED, "cancelled");
}

static void promise_call(struct object *self, struct call *call)
{
    room_assert_loop();
    struct vat_promise *p = CONTAINER_OF(self, struct vat_promise, object);

    if (p->state == VAT_PROMISE_PIPELINE) {
        vat_question_call(p->question->c, NULL, p, call);
    } else if (p->state == VAT_PROMISE_WAITING || !list_empty(&p->calls)) {
        call->cancelled = waiting_cancelled;
        list_push_back(&p->calls, &call->node); /* (1) */
    } else if (p->state == VAT_PROMISE_BROKEN) {
        call_fail(call, (enum exception)p->exception, "%s", p->reason);
    } else {
        vat_redirect(call, vat_settle(p->target));
    }
}

REQUIRES(LOOP)
static void run(struct vat_promise *p)
{
    object_get(&p->object); /* its calls may hold the last references */
    for (struct list *node = list_pop_front(&p->calls); node != NULL; node = list_pop_front(&p->calls)) {
        struct call *call = CONTAINER_OF(node, struct call, node);
        call->cancelled = NULL;
        if (p->state == VAT_PROMISE_BROKEN) {
            call_fail(call, (enum exception)p->exception, "%s", p->reason);
        } else {
            vat_redirect(call, vat_settle(p->target));
        }
    }
    tell_watchers(p);
    object_put(&p->object);
}

void vat_run_ready(struct vat *vat)
{
    if (vat->running_ready) {
        return; /* (2) */
    }
    vat->running_ready = true;
    for (struct list *node = list_pop_front(&vat->ready); node != NULL; node = list_pop_front(&vat->ready)) {
        run(CONTAINER_OF(node, struct vat_promise, ready));
    }
    vat->running_ready = false;
}

/* ---- resolution ---- */

static void leave_source(struct vat_promise *p)
{
    list_remove(&p->source_node);
    p->answer = NULL;
    p->question = NULL;
}

REQUIRES(LOOP)
static void tell_watchers(struct vat_promise *p)
{
    for (struct list *node = list_pop_front(&p->watchers); node != NULL; node = list_pop_front(&p->watchers)) {
        struct vat_export *e = CONTAINER_OF(node, struct vat_export, watch);
        e->resolved = true;
        vat_queue(e->c, &e->resolve);
    }
}

/* The peer hears of it behind the calls that waited, and not before they have run: until then this promise is where they go. */
REQUIRES(LOOP)
static void became_known(struct vat_promise *p)
{
    leave_source(p);
    object_get(&p->object);
    if (!list_empty(&p->calls)) {
        list_push_back(&p->vat->ready, &p->ready);
        vat_run_ready(p->vat);
    } else {
        tell_watchers(p);
    }
    object_put(&p->object);
}

void vat_break(struct vat_promise *p, enum exception type, const char *reason)
{
    ASSERT(p->state == VAT_PROMISE_WAITING || p->state == VAT_PROMISE_PIPELINE);
    p->state = VAT_PROMISE_BROKEN;
    p->exception = (uint8_t)type;
    fmt_text(p->reason, sizeof(p->reason), "%s", reason);
    became_known(p);
}

void vat_resolve(struct vat_promise *p, struct object *target)
{
    ASSERT(p->state == VAT_PROMISE_WAITING || p->state == VAT_PROMISE_PIPELINE);
    if (target != NULL && vat_leads_to(target, &p->object)) {
        vat_break(p, EXCEPTION_FAILED, "a promise of itself"); /* (3) */
        return;
    }
    target = vat_settle(target);
    p->state = VAT_PROMISE_RESOLVED;
    p->target = target != NULL ? object_get(target) : NULL;
    became_known(p);
}

/* Gives what it led to, whose reference is the caller's now. */
REQUIRES(LOOP)
static struct object *promise_end(struct vat_promise *p)
{
    struct vat_question *question = p->question;
    struct vat_answer *answer = p->answer;
    struct object *target = p->target;

    ASSERT(list_empty(&p->calls) && list_empty(&p->watchers) && p->embargo == NULL);
    leave_source(p);
    list_remove(&p->ready);
    list_remove(&p->disembargo.node);
    pool_put(&p->vat->promise_pool, p);
    if (question != NULL) {
        vat_question_idle(question);
    }
    if (answer != NULL) {
        vat_answer_idle(answer);
    }
    return target;
}

/* What a chain is made of. */
static bool is_link(struct object *object)
{
    return vat_promise_of(object) != NULL || vat_import_of(object) != NULL;
}

REQUIRES(LOOP)
static struct object *link_end(struct object *object)
{
    struct vat_promise *p = vat_promise_of(object);

    return p != NULL ? promise_end(p) : vat_import_end(vat_import_of(object));
}

void vat_chain_end(struct object *object)
{
    struct object *next = link_end(object);

    while (is_link(next) && next->references == 1) {
        next->references = 0;
        next = link_end(next);
    }
    object_put(next);
}

static void promise_dead(struct object *self)
{
    room_assert_loop();

    vat_chain_end(self);
}

/* ---- embargoes ---- */

static bool peers_own(struct object *object, const struct vat_connection *c)
{
    const struct vat_import *import = vat_import_of(object);
    const struct vat_promise *p = vat_promise_of(object);

    return (import != NULL && import->c == c) || (p != NULL && p->state == VAT_PROMISE_PIPELINE && p->question->c == c);
}

/* Calls went out by a promise that leads to another thing of the same peer: they went out by that one too, and what it
 * becomes must wait for them. */
static void hand_on_called(struct object *settled)
{
    struct vat_import *import = vat_import_of(settled);

    if (import != NULL) {
        import->called = true;
    } else {
        vat_promise_of(settled)->called = true;
    }
}

void vat_resolve_after_embargo(struct vat_promise *p, struct vat_connection *c, struct object *target)
{
    struct object *settled = vat_settle(target);
    bool local = settled != NULL && !peers_own(settled, c);

    if (p->called && settled != NULL && !local) {
        hand_on_called(settled);
    }
    if (!p->called || !local || vat_leads_to(target, &p->object) || c->state != VAT_OPEN) {
        vat_resolve(p, target);
        return;
    }
    leave_source(p);
    p->state = VAT_PROMISE_WAITING;
    p->target = object_get(settled);
    p->embargo = c;
    object_get(&p->object); /* the embargo's */
    list_push_back(&c->embargoes, &p->source_node);
    c->vat->embargoed[vat_promise_index(p)] = p;
    vat_queue(c, &p->disembargo);
}

REQUIRES(LOOP)
static void lift(struct vat_promise *p)
{
    struct object *target = p->target;

    p->vat->embargoed[vat_promise_index(p)] = NULL;
    list_remove(&p->source_node);
    list_remove(&p->disembargo.node);
    p->target = NULL;
    p->embargo = NULL;
    vat_resolve(p, target);
    object_put(target);
    object_put(&p->object);
}

bool vat_embargo_lift(struct vat_connection *c, uint32_t id)
{
    if (id >= c->vat->options.promises) {
        return false;
    }
    struct vat_promise *p = c->vat->embargoed[id];
    if (p == NULL || p->embargo != c || !list_empty(&p->disembargo.node)) {
        return false;
    }
    lift(p);
    return true;
}

/* What ran ahead is lost with the connection; the object itself is ours and lives on. */
void vat_embargo_clear(struct vat_connection *c)
{
    while (!list_empty(&c->embargoes)) {
        lift(CONTAINER_OF(c->embargoes.next, struct vat_promise, source_node));
    }
}

/* ---- for components ---- */

struct object *vat_promise_new(struct vat *vat)
{
    struct vat_promise *p = vat_promise_make(vat);

    return p != NULL ? &p->object : NULL;
}

void vat_promise_resolve(struct object *object, struct object *target)
{
    struct vat_promise *p = vat_promise_of(object);

    ASSERT(p != NULL && p->state == VAT_PROMISE_WAITING && p->answer == NULL && p->embargo == NULL);
    vat_resolve(p, target);
}

void vat_promise_break(struct object *object, enum exception type, const char *reason)
{
    struct vat_promise *p = vat_promise_of(object);

    ASSERT(p != NULL && p->state == VAT_PROMISE_WAITING && p->answer == NULL && p->embargo == NULL);
    vat_break(p, type, reason);
}
