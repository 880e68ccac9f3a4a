/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_question.c: calls to peers: from the Call to the Finish.
 *
 *   Call queued     -> open; capabilities in its results can be called already (promises on it)
 *   Return          -> results copied to the asker, promises resolved, Finish queued
 *   asker cancels   -> Finish queued when nothing builds on it; the id lives until the Return
 *
 *  (1) An id is free again when the Return has come and the Finish is sent.
 *  (2) A question is idle when no call and no promise waits for it; then it is finished.
 *  (3) Finish says releaseResultCaps exactly when the Return has not come: results that come are counted one by one.
 */
#include "core/assert.h"
#include "vat_internal.h"

#define CALL_WORDS 20u /* root, Message, Call, MessageTarget, PromisedAnswer, Payload, list tags */

struct vat_question *vat_question_new(struct vat_connection *c)
{
    uint32_t id = c->question_hint;

    while (id < c->vat->options.questions && c->question[id] != NULL) {
        id++;
    }
    c->question_hint = id;
    if (id == c->vat->options.questions) {
        return NULL;
    }
    struct vat_question *q = pool_take(&c->vat->question_pool); /* there are as many as all connections have ids */
    q->c = c;
    q->id = id;
    q->finish.kind = VAT_OUT_FINISH;
    list_init(&q->finish.node);
    list_init(&q->promises);
    c->question[id] = q;
    c->question_count++;
    return q;
}

REQUIRES(LOOP)
static void question_free(struct vat_question *q)
{
    struct vat_connection *c = q->c;

    ASSERT(q->call == NULL && list_empty(&q->promises) && q->from == NULL);
    list_remove(&q->finish.node);
    vat_message_put(q->sent);
    c->question[q->id] = NULL;
    c->question_count--;
    if (q->id < c->question_hint) {
        c->question_hint = q->id;
    }
    pool_put(&c->vat->question_pool, q);
}

REQUIRES(LOOP)
static void question_finish(struct vat_question *q)
{
    if (!q->finished) {
        q->finished = true;
        q->release_results = !q->returned; /* (3) */
        vat_queue(q->c, &q->finish);
    }
}

void vat_question_finish_sent(struct vat_question *q)
{
    if (q->returned) {
        question_free(q); /* (1) */
    }
}

void vat_question_idle(struct vat_question *q)
{
    if (q->call != NULL || !list_empty(&q->promises)) {
        return;
    }
    struct vat_answer *from = q->from;
    if (from != NULL) {
        from->taker = NULL;
        q->from = NULL;
        question_finish(q);
        vat_answer_idle(from);
    } else if (!q->returned) {
        question_finish(q); /* (2) */
    }
}

/* ---- the Call ---- */

static void question_cancelled(struct call *call)
{
    room_assert_loop();
    struct vat_question *q = call->server;

    q->call = NULL;
    vat_question_idle(q);
    call_fail(call, EXCEPTION_FAILED, "cancelled");
}

static void build_target(struct rpc_call_builder builder, struct vat_import *import, struct vat_promise *promise)
{
    struct rpc_message_target_builder target = rpc_call_init_target(builder);

    if (import != NULL) {
        rpc_message_target_set_imported_cap(target, import->id);
    } else {
        vat_build_promised(rpc_message_target_init_promised_answer(target),
                           (struct vat_promised){promise->question->id, promise->path, promise->path_count});
    }
}

/* The message of a call; NULL: no room. The question's id stands in it. */
REQUIRES(LOOP)
static struct vat_message *build_call(struct vat_question *q, struct vat_import *import, struct vat_promise *promise,
                                      struct call *call)
{
    struct capnp_ref params = capnp_payload_ref(call->params);
    uint64_t words;
    uint32_t caps;

    if (!capnp_measure(params, &words, &caps)) {
        return NULL;
    }
    struct vat_message *m = vat_message_new(q->c->vat, words + CALL_WORDS + 3ull * caps + VAT_PATH_MAX);
    if (m == NULL) {
        return NULL;
    }
    struct rpc_call_builder builder = rpc_message_init_call(rpc_message_init(capnp_root(&m->message)));
    rpc_call_set_question_id(builder, q->id);
    rpc_call_set_interface_id(builder, call->interface_id);
    rpc_call_set_method_id(builder, call->method_id);
    build_target(builder, import, promise);
    struct rpc_payload_builder payload = rpc_call_init_params(builder);
    bool fits = vat_message_caps(m, caps) && capnp_copy(rpc_payload_slot_content(payload), params);
    if (!fits || vat_caps_write(q->c, m, payload) != ST_OK) {
        vat_message_put(m);
        return NULL;
    }
    return m;
}

static bool sends_exports(const struct vat_message *m)
{
    for (uint32_t i = 0; i < m->message.cap_count; i++) {
        if (m->export_id[i] != VAT_NO_EXPORT) {
            return true;
        }
    }
    return false;
}

/* Sends `call` to an import, or to what a question's results will have. */
void vat_question_call(struct vat_connection *c, struct vat_import *import, struct vat_promise *promise,
                       struct call *call)
{
    if (c->state != VAT_OPEN) {
        call_fail(call, EXCEPTION_DISCONNECTED, "the connection to the object's home is gone");
        return;
    }
    struct vat_question *q = vat_question_new(c);
    if (q == NULL) {
        call_fail(call, EXCEPTION_OVERLOADED, "more than %u calls to one peer", c->vat->options.questions);
        return;
    }
    struct vat_message *m = build_call(q, import, promise, call);
    if (m == NULL) {
        question_free(q);
        call_fail(call, EXCEPTION_OVERLOADED, "no room for the message of a call");
        return;
    }
    q->call = call;
    call->server = q;
    call->cancelled = question_cancelled;
    if (import != NULL) {
        import->called = true;
    } else {
        promise->called = true;
    }
    if (sends_exports(m)) {
        q->sent = vat_message_get(m);
    }
    vat_queue_message(c, m);
}

struct object *vat_bootstrap(struct vat_connection *c)
{
    struct vat_question *q = c->state == VAT_OPEN ? vat_question_new(c) : NULL;
    struct vat_promise *p = q != NULL ? vat_promise_make(c->vat) : NULL;
    struct vat_message *m = p != NULL ? vat_message_new(c->vat, CALL_WORDS) : NULL;

    if (m == NULL) {
        if (p != NULL) {
            object_put(&p->object);
        }
        if (q != NULL) {
            question_free(q);
        }
        return NULL;
    }
    p->state = VAT_PROMISE_PIPELINE;
    p->question = q;
    list_push_back(&q->promises, &p->source_node);
    rpc_bootstrap_set_question_id(rpc_message_init_bootstrap(rpc_message_init(capnp_root(&m->message))), q->id);
    vat_queue_message(c, m);
    return &p->object;
}

struct object *vat_pipeline(struct call *call, const uint16_t *fields, uint32_t count)
{
    if (!call->out || call->cancelled != question_cancelled || count > VAT_PATH_MAX) {
        return NULL;
    }
    struct vat_question *q = call->server;
    struct vat_promise *p = vat_promise_make(q->c->vat);
    if (p == NULL) {
        return NULL;
    }
    p->state = VAT_PROMISE_PIPELINE;
    p->question = q;
    p->path_count = (uint8_t)count;
    memcpy(p->path, fields, count * sizeof(*fields));
    list_push_back(&q->promises, &p->source_node);
    return &p->object;
}

/* ---- the Return ---- */

/* The call is the asker's again when this returns. */
REQUIRES(LOOP)
static void call_done(struct vat_question *q, struct payload content)
{
    struct call *call = q->call;
    struct capnp_ref ref = capnp_payload_ref(content);
    uint64_t words;
    uint32_t caps;

    q->call = NULL;
    call->cancelled = NULL;
    call->server = NULL;
    if (!capnp_measure(ref, &words, &caps)) {
        content.message->malformed = true;
        call_fail(call, EXCEPTION_FAILED, "the peer's results are malformed");
        return;
    }
    struct capnp_slot slot = capnp_payload_slot(call_results(call, (uint32_t)words));
    if (!capnp_copy(slot, ref)) {
        call_fail(call, EXCEPTION_OVERLOADED, "no room for results");
        return;
    }
    call_return(call);
}

REQUIRES(LOOP)
static void promises_resolve(struct vat_question *q, struct payload content)
{
    while (!list_empty(&q->promises)) {
        struct vat_promise *p = CONTAINER_OF(q->promises.next, struct vat_promise, source_node);
        struct vat_found found = vat_content_find(content, p->path, p->path_count);

        p->embargo_question = q->id;
        object_get(&p->object);
        if (found.reason != NULL) {
            vat_break(p, found.exception, found.reason);
        } else {
            vat_resolve_after_embargo(p, q->c, found.object);
        }
        object_put(&p->object);
    }
}

void vat_question_results(struct vat_question *q, struct payload content)
{
    promises_resolve(q, content);
    if (q->call != NULL) {
        call_done(q, content);
    }
    question_finish(q);
}

/* Everybody who waits hears it. */
REQUIRES(LOOP)
static void question_break(struct vat_question *q, enum exception type, const char *reason)
{
    while (!list_empty(&q->promises)) {
        struct vat_promise *p = CONTAINER_OF(q->promises.next, struct vat_promise, source_node);

        object_get(&p->object);
        vat_break(p, type, reason);
        object_put(&p->object);
    }
    struct call *call = q->call;
    q->call = NULL;
    if (call != NULL) {
        call->cancelled = NULL;
        call->server = NULL;
        call_fail(call, type, "%s", reason);
    }
}

void vat_question_fail(struct vat_question *q, enum exception type, const char *reason)
{
    question_break(q, type, reason);
    question_finish(q);
}

/* The peer has no answer of that id: nothing to finish. */
void vat_question_unimplemented(struct vat_connection *c, uint32_t id)
{
    struct vat_question *q = id < c->vat->options.questions ? c->question[id] : NULL;

    if (q == NULL || q->returned) {
        vat_abort(c, EXCEPTION_FAILED, "unimplemented for question %u, which is not open", id);
        return;
    }
    q->returned = true;
    q->finished = true;
    if (q->sent != NULL) {
        vat_caps_unsend(c, q->sent); /* it was not taken: nor were its capabilities */
    }
    question_break(q, EXCEPTION_UNIMPLEMENTED, "the peer does not implement this message");
    question_free(q);
}

void vat_question_disconnect(struct vat_question *q)
{
    q->returned = true; /* nobody finishes it any more */
    if (q->from != NULL) {
        q->from->taker = NULL;
        q->from = NULL;
    }
    question_break(q, EXCEPTION_DISCONNECTED, "the connection to the object's home is gone");
    question_free(q);
}

REQUIRES(LOOP)
static void take_exception(struct vat_question *q, struct rpc_exception_reader exception)
{
    enum rpc_exception_type type = rpc_exception_get_type(exception);

    vat_question_fail(q, type <= RPC_EXCEPTION_TYPE_UNIMPLEMENTED ? (enum exception)type : EXCEPTION_FAILED,
                      rpc_exception_get_reason(exception).text);
}

REQUIRES(LOOP)
static void take_results(struct vat_question *q, struct vat_message *m, struct rpc_payload_reader payload)
{
    struct vat_connection *c = q->c;
    struct capnp_ref ref = rpc_payload_get_content(payload);

    if (ref.at == NULL || m->message.malformed) {
        vat_abort(c, EXCEPTION_FAILED, "Return without results");
        return;
    }
    if (!vat_caps_read(c, m, payload)) {
        return;
    }
    struct payload content = {&m->message, ref.segment, (uint32_t)(ref.at - m->message.segment[ref.segment].words)};
    vat_question_results(q, content);
    if (m->message.malformed) {
        vat_abort(c, EXCEPTION_FAILED, "malformed results");
    }
}

REQUIRES(LOOP)
static void take_from(struct vat_question *q, uint32_t id)
{
    struct vat_answer *a = vat_answer_yourself(q->c, id);

    if (a == NULL) {
        vat_abort(q->c, EXCEPTION_FAILED, "results of question %u, which are not kept here", id);
        return;
    }
    vat_answer_take(a, q);
}

REQUIRES(LOOP)
static void take_return(struct vat_question *q, struct vat_message *m, struct rpc_return_reader answer)
{
    switch (rpc_return_get_which(answer)) {
    case RPC_RETURN_WHICH_RESULTS:
        take_results(q, m, rpc_return_get_results(answer));
        return;
    case RPC_RETURN_WHICH_EXCEPTION:
        take_exception(q, rpc_return_get_exception(answer));
        return;
    case RPC_RETURN_WHICH_CANCELED:
        vat_question_fail(q, EXCEPTION_FAILED, "cancelled by the peer");
        return;
    case RPC_RETURN_WHICH_TAKE_FROM_OTHER_QUESTION:
        take_from(q, rpc_return_get_take_from_other_question(answer));
        return;
    case RPC_RETURN_WHICH_RESULTS_SENT_ELSEWHERE:  /* never asked for */
    case RPC_RETURN_WHICH_ACCEPT_FROM_THIRD_PARTY: /* never allowed */
        break;
    }
    vat_abort(q->c, EXCEPTION_FAILED, "a kind of Return that was not asked for");
}

/* The capabilities of the params: what the peer says that it let go of. */
REQUIRES(LOOP)
static void params_returned(struct vat_question *q, bool release)
{
    if (q->sent != NULL && release) {
        vat_caps_unsend(q->c, q->sent);
    }
    vat_message_put(q->sent);
    q->sent = NULL;
}

void vat_question_return(struct vat_connection *c, struct vat_message *m, struct rpc_return_reader answer)
{
    uint32_t id = rpc_return_get_answer_id(answer);
    struct vat_question *q = id < c->vat->options.questions ? c->question[id] : NULL;

    if (q == NULL || q->returned) {
        vat_abort(c, EXCEPTION_FAILED, "Return for question %u, which is not open", id);
        return;
    }
    q->returned = true;
    params_returned(q, rpc_return_get_release_param_caps(answer));
    if (c->state != VAT_OPEN) {
        return;
    }
    if (!q->finished) {
        take_return(q, m, answer);
    } else if (list_empty(&q->finish.node)) {
        question_free(q); /* (1); the capabilities of these results went with the Finish, by (3) */
    }
}
