/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_answer.c: calls that a peer made: from the Call to the Return, and until the Finish.
 *
 *   Call            -> RUNNING (in c->live; the server has the call; the params' buffer is its)
 *   server returns  -> returned: Return queued. Results that hold capabilities stay for pipelining; else only a tomb does
 *   Finish          -> gone. Before the return: the server is told, and the Return that ends it says `canceled`
 *
 *  (1) An id is in c->answers from the Call until both Return is queued and Finish came: a Call with it in between ends
 *      the connection.
 *  (2) A Return never lacks memory: an exception is built in the buffer that the Call came in.
 *  (3) An answer whose connection is gone (c == NULL) only waits for its server.
 */
#include "core/assert.h"
#include "core/fmt.h"
#include "vat_internal.h"

#define RETURN_WORDS 12u /* root, Message, Return, Payload, and the list tag of the capability table */

static struct payload answer_results(struct call *call, uint32_t words);
static void answer_returned(struct call *call);
static void answer_failed(struct call *call, enum exception type, const char *reason);
static const struct call_source answer_source = {
    .results = answer_results,
    .returned = answer_returned,
    .failed = answer_failed,
};

static struct vat_answer *answer_of(struct call *call)
{
    return CONTAINER_OF(call, struct vat_answer, call);
}

static void *tomb(enum vat_tomb kind)
{
    return (void *)(uintptr_t)(kind + 1);
}

/* NULL: what the entry has is a tomb. */
static struct vat_answer *answer_in(const struct vat_map_entry *entry)
{
    return (uintptr_t)entry->value > VAT_TOMBS ? entry->value : NULL;
}

static void entry_set(struct vat_answer *a, void *value)
{
    struct vat_map_entry *entry = vat_map_find(&a->c->answers, vat_key(a->id));

    ASSERT(entry != NULL && entry->value == a);
    if (value != NULL) {
        entry->value = value;
    } else {
        vat_map_remove(&a->c->answers, entry);
    }
}

REQUIRES(LOOP)
static struct vat_answer *answer_new(struct vat_connection *c, struct vat_message *m, uint32_t id)
{
    struct vat_answer *a = pool_take(&c->vat->answer_pool); /* vat_admit has looked */

    if (!vat_map_add(&c->answers, vat_key(id), a)) {
        UNREACHABLE(); /* vat_dispatch has looked */
    }
    a->vat = c->vat;
    a->c = c;
    a->id = id;
    a->params = m;
    a->elsewhere.kind = VAT_OUT_ELSEWHERE;
    list_init(&a->elsewhere.node);
    list_init(&a->promises);
    list_init(&a->idle);
    list_push_back(&c->live, &a->node);
    c->live_count++;
    c->running++;
    vat_message_charge(m, c);
    return a;
}

REQUIRES(LOOP)
static void answer_free(struct vat_answer *a)
{
    struct vat *vat = a->vat;

    ASSERT(a->returned && list_empty(&a->promises) && a->taker == NULL);
    if (a->c != NULL) {
        list_remove(&a->node);
        a->c->live_count--;
    }
    list_remove(&a->elsewhere.node);
    vat_message_put(a->params);
    vat_message_put(a->results);
    pool_put(&vat->answer_pool, a);
    vat_feed(vat);
}

/* ---- building Returns ---- */

static struct rpc_return_builder return_begin(struct vat_message *m, uint32_t id)
{
    struct rpc_return_builder answer = rpc_message_init_return(rpc_message_init(capnp_root(&m->message)));

    rpc_return_set_answer_id(answer, id);
    rpc_return_set_release_param_caps(answer, false); /* what the server kept of them gets a Release of its own */
    return answer;
}

static struct payload content_of(struct vat_message *m, struct rpc_payload_builder payload)
{
    struct capnp_slot slot = rpc_payload_slot_content(payload);

    return (struct payload){&m->message, slot.segment, (uint32_t)(slot.at - m->message.segment[slot.segment].words)};
}

/* (2) */
REQUIRES(LOOP)
static struct vat_message *params_reuse(struct vat_answer *a)
{
    struct vat_message *m = a->params;

    a->params = NULL;
    vat_message_reuse(m);
    return m;
}

/* They may hold the last reference to anything. */
REQUIRES(LOOP)
static void params_put(struct vat_answer *a)
{
    struct vat_message *m = a->params;

    a->params = NULL;
    vat_message_put(m);
}

REQUIRES(LOOP)
static void refuse_into(struct vat_connection *c, struct vat_message *m, uint32_t id, enum exception type,
                        const char *reason)
{
    vat_build_exception(rpc_return_init_exception(return_begin(m, id)), type, reason);
    vat_queue_message(c, m);
}

void vat_answer_refuse(struct vat_connection *c, struct vat_message *m, uint32_t id, enum exception type,
                       const char *reason)
{
    if (!vat_map_add(&c->answers, vat_key(id), tomb(VAT_TOMB_EXCEPTION + (enum vat_tomb)type))) {
        UNREACHABLE(); /* vat_dispatch has looked */
    }
    vat_message_reuse(m);
    vat_build_exception(rpc_return_init_exception(return_begin(m, id)), type, reason);
    vat_queue_reply(c, m);
}

void vat_answer_refuse_call(struct vat_connection *c, struct vat_message *m, struct rpc_call_reader call,
                            enum exception type, const char *reason)
{
    uint32_t id = rpc_call_get_question_id(call);

    if (!vat_caps_read(c, m, rpc_call_get_params(call))) {
        vat_message_put(m);
        return;
    }
    vat_answer_refuse(c, m, id, type, reason); /* which drops them: Releases follow */
}

/* ---- the server's side of a call ---- */

static struct payload nowhere(void)
{
    static struct message none = {.failed = true};

    return (struct payload){&none, 0, 0};
}

static struct payload answer_results(struct call *call, uint32_t words)
{
    room_assert_loop();
    struct vat_answer *a = answer_of(call);
    struct vat_message *m;

    ASSERT(a->results == NULL);
    m = vat_message_new(a->vat, (uint64_t)words + RETURN_WORDS + 2ull * VAT_CAPS);
    if (m == NULL) {
        return nowhere();
    }
    a->results = m;
    if (a->c != NULL) {
        vat_message_charge(m, a->c);
    }
    a->payload = rpc_return_init_results(return_begin(m, a->id));
    a->content = content_of(m, a->payload);
    return a->content;
}

/* Whatever waited for this answer learns where it leads. */
REQUIRES(LOOP)
static void promises_resolve(struct vat_answer *a)
{
    while (!list_empty(&a->promises)) {
        struct vat_promise *p = CONTAINER_OF(a->promises.next, struct vat_promise, source_node);
        struct vat_found found = vat_content_find(a->content, p->path, p->path_count);

        object_get(&p->object);
        if (found.reason != NULL) {
            vat_break(p, found.exception, found.reason);
        } else {
            vat_resolve(p, found.object);
        }
        object_put(&p->object);
    }
}

REQUIRES(LOOP)
static void promises_break(struct list *promises, enum exception type, const char *reason)
{
    while (!list_empty(promises)) {
        struct vat_promise *p = CONTAINER_OF(promises->next, struct vat_promise, source_node);

        object_get(&p->object);
        vat_break(p, type, reason);
        object_put(&p->object);
    }
}

/* The params are not looked at any more. True: they were no Cap'n Proto, and the connection ends for it. */
static bool params_malformed(const struct vat_answer *a)
{
    return a->params->message.malformed;
}

static void mark_returned(struct vat_answer *a)
{
    ASSERT(!a->returned);
    list_remove(&a->idle);
    a->returned = true;
    a->returned_ns = clock_ns();
    if (a->c != NULL) {
        a->c->running--;
    }
}

/* A returned answer of which nothing but the outcome matters from now on. */
REQUIRES(LOOP)
static void answer_entomb(struct vat_answer *a, enum vat_tomb kind)
{
    entry_set(a, a->finished ? NULL : tomb(kind));
    answer_free(a);
}

/* An answer that ended before its Return was of use. */
REQUIRES(LOOP)
static void return_canceled(struct vat_answer *a)
{
    struct vat_connection *c = a->c;
    struct vat_message *m = params_reuse(a);

    rpc_return_set_canceled(return_begin(m, a->id));
    vat_queue_message(c, m);
    answer_entomb(a, VAT_TOMB_PLAIN);
}

REQUIRES(LOOP)
static void return_results(struct vat_answer *a)
{
    struct vat_connection *c = a->c;
    struct vat_message *m = a->results;

    if (vat_caps_write(c, m, a->payload) != ST_OK) {
        struct vat_message *instead = params_reuse(a);
        promises_break(&a->promises, EXCEPTION_OVERLOADED, "results do not fit");
        refuse_into(c, instead, a->id, EXCEPTION_OVERLOADED, "results do not fit");
        answer_entomb(a, VAT_TOMB_EXCEPTION + (enum vat_tomb)EXCEPTION_OVERLOADED);
        return;
    }
    vat_queue_message(c, vat_message_get(m));
    promises_resolve(a);
    if (m->message.cap_count == 0) {
        answer_entomb(a, VAT_TOMB_PLAIN);
    } else {
        a->told = true;
        params_put(a);
    }
}

/* Both ends are done with it. */
REQUIRES(LOOP)
static void answer_done_maybe(struct vat_answer *a)
{
    if (a->finished && a->returned && a->told && a->taker == NULL) {
        entry_set(a, NULL);
        answer_free(a);
    }
}

REQUIRES(LOOP)
static void give_to_taker(struct vat_answer *a)
{
    struct vat_question *q = a->taker;

    a->taker = NULL;
    q->from = NULL;
    if (a->reason != NULL) {
        vat_question_fail(q, (enum exception)a->exception, a->reason);
    } else {
        vat_question_results(q, a->content);
    }
}

/* sendResultsTo.yourself: they stay until a Return of the peer's takes them. */
REQUIRES(LOOP)
static void return_elsewhere(struct vat_answer *a)
{
    promises_resolve(a);
    if (a->taker != NULL) {
        give_to_taker(a);
    }
    params_put(a);
    vat_queue(a->c, &a->elsewhere); /* it may be over when this returns */
}

static void answer_returned(struct call *call)
{
    room_assert_loop();
    struct vat_answer *a = answer_of(call);
    struct vat_connection *c = a->c;
    struct vat *vat = a->vat;

    mark_returned(a);
    bool malformed = params_malformed(a);
    if (c == NULL) {
        promises_break(&a->promises, EXCEPTION_DISCONNECTED, "the caller is gone");
        answer_free(a);
    } else if (a->yourself) {
        return_elsewhere(a);
    } else if (a->finished) {
        promises_resolve(a);
        return_canceled(a);
    } else {
        return_results(a);
    }
    if (malformed && c != NULL) {
        vat_abort(c, EXCEPTION_FAILED, "params that are not what the method takes");
    }
    vat_run_ready(vat);
}

/* `yourself`, and it failed: the reason stands where the params stood until it is taken. */
REQUIRES(LOOP)
static void fail_elsewhere(struct vat_answer *a, enum exception type, const char *reason)
{
    vat_message_reuse(a->params);
    char *kept = (char *)a->params->words;
    fmt_text(kept, CALL_REASON_MAX, "%s", reason);
    a->reason = kept;
    a->exception = (uint8_t)type;
    if (a->taker != NULL) {
        give_to_taker(a);
    }
    vat_queue(a->c, &a->elsewhere); /* it may be over when this returns */
}

static void answer_failed(struct call *call, enum exception type, const char *reason)
{
    room_assert_loop();
    struct vat_answer *a = answer_of(call);
    struct vat_connection *c = a->c;
    struct vat *vat = a->vat;
    char copy[CALL_REASON_MAX]; /* it may stand in the params */

    mark_returned(a);
    bool malformed = params_malformed(a);
    fmt_text(copy, sizeof(copy), "%s", reason);
    promises_break(&a->promises, c != NULL ? type : EXCEPTION_DISCONNECTED, copy);
    if (c == NULL) {
        answer_free(a);
    } else if (a->yourself) {
        fail_elsewhere(a, type, copy);
    } else if (a->finished) {
        return_canceled(a);
    } else {
        refuse_into(c, params_reuse(a), a->id, type, copy);
        answer_entomb(a, VAT_TOMB_EXCEPTION + (enum vat_tomb)type);
    }
    if (malformed && c != NULL) {
        vat_abort(c, EXCEPTION_FAILED, "params that are not what the method takes");
    }
    vat_run_ready(vat);
}

/* ---- finding capabilities in answers ---- */

static struct vat_found found_failed(enum exception type, const char *reason)
{
    return (struct vat_found){.reason = reason, .exception = type};
}

struct vat_found vat_content_find(struct payload content, const uint16_t *path, uint32_t count)
{
    struct capnp_ref ref = capnp_payload_ref(content);

    for (uint32_t i = 0; i < count; i++) {
        enum capnp_kind kind = capnp_kind(ref);
        if (kind == CAPNP_KIND_NULL) {
            return (struct vat_found){.object = NULL};
        }
        if (kind != CAPNP_KIND_STRUCT) {
            return found_failed(EXCEPTION_FAILED, "pipelined on something that is not a struct");
        }
        ref = capnp_get_ref(capnp_read_struct(ref), path[i]);
    }
    switch (capnp_kind(ref)) {
    case CAPNP_KIND_NULL:
        return (struct vat_found){.object = NULL};
    case CAPNP_KIND_CAP:
        return (struct vat_found){.object = capnp_read_cap(ref)};
    default:
        return found_failed(EXCEPTION_FAILED, "pipelined on something that is not a capability");
    }
}

/* The path of a transform. False: an operation or a length that is not known here. */
static bool path_read(struct rpc_promised_answer_reader promised, uint16_t *path, uint8_t *count)
{
    struct rpc_promised_answer_op_readers ops = rpc_promised_answer_get_transform(promised);

    *count = 0;
    for (uint32_t i = 0; i < rpc_promised_answer_op_count(ops); i++) {
        struct rpc_promised_answer_op_reader op = rpc_promised_answer_op_at(ops, i);
        switch (rpc_promised_answer_op_get_which(op)) {
        case RPC_PROMISED_ANSWER_OP_WHICH_NOOP:
            break;
        case RPC_PROMISED_ANSWER_OP_WHICH_GET_POINTER_FIELD:
            if (*count == VAT_PATH_MAX) {
                return false;
            }
            path[(*count)++] = rpc_promised_answer_op_get_get_pointer_field(op);
            break;
        default:
            return false;
        }
        if (i >= 4 * VAT_PATH_MAX) {
            return false; /* a list of nothing but noop */
        }
    }
    return true;
}

/* A promise of what is `path` down in a's results; several calls on the same path share one, which keeps their order. */
REQUIRES(LOOP)
static struct vat_found answer_promise(struct vat_answer *a, const uint16_t *path, uint8_t count)
{
    for (struct list *node = a->promises.next; node != &a->promises; node = node->next) {
        struct vat_promise *p = CONTAINER_OF(node, struct vat_promise, source_node);
        if (p->path_count == count && memcmp(p->path, path, count * sizeof(*path)) == 0) {
            return (struct vat_found){.object = &p->object};
        }
    }
    struct vat_promise *p = vat_promise_make(a->c->vat);
    if (p == NULL) {
        return found_failed(EXCEPTION_OVERLOADED, "too many promises");
    }
    p->answer = a;
    memcpy(p->path, path, count * sizeof(*path));
    p->path_count = count;
    list_push_back(&a->promises, &p->source_node);
    return (struct vat_found){.object = &p->object, .owned = true};
}

REQUIRES(LOOP)
static struct vat_found answer_find(struct vat_map_entry *entry, const uint16_t *path, uint8_t count)
{
    struct vat_answer *a = answer_in(entry);

    if (a == NULL) {
        uintptr_t kind = (uintptr_t)entry->value - 1;
        return kind == VAT_TOMB_PLAIN ? found_failed(EXCEPTION_FAILED, "pipelined on results without capabilities")
                                      : found_failed((enum exception)kind, "what this call builds on has failed");
    }
    if (!a->returned) {
        return answer_promise(a, path, count);
    }
    if (a->reason != NULL) {
        return found_failed((enum exception)a->exception, "what this call builds on has failed");
    }
    a->content.message->read_limit_words = CAPNP_READ_LIMIT(MESSAGE_WORDS_MAX); /* ours; asked as often as they like */
    return vat_content_find(a->content, path, count);
}

struct vat_found vat_answer_find(struct vat_connection *c, struct rpc_promised_answer_reader promised)
{
    uint16_t path[VAT_PATH_MAX];
    uint8_t count;
    struct vat_map_entry *entry = vat_map_find(&c->answers, vat_key(rpc_promised_answer_get_question_id(promised)));

    if (entry == NULL || (answer_in(entry) != NULL && answer_in(entry)->finished)) {
        return (struct vat_found){.abort = true, .reason = "promised answer of a question that is not open"};
    }
    if (!path_read(promised, path, &count)) {
        return (struct vat_found){
            .abort = true, .exception = EXCEPTION_UNIMPLEMENTED, .reason = "a transform that is not known here"};
    }
    return answer_find(entry, path, count);
}

REQUIRES(LOOP)
static void uncharge(struct vat_message *m)
{
    if (m != NULL) {
        vat_message_charge(m, NULL);
    }
}

/* ---- messages of the peer ---- */

struct vat_found vat_target_find(struct vat_connection *c, struct rpc_message_target_reader target)
{
    if (rpc_message_target_get_which(target) == RPC_MESSAGE_TARGET_WHICH_PROMISED_ANSWER) {
        return vat_answer_find(c, rpc_message_target_get_promised_answer(target));
    }
    struct vat_export *e = NULL;
    if (rpc_message_target_get_which(target) == RPC_MESSAGE_TARGET_WHICH_IMPORTED_CAP) {
        e = vat_export_lookup(c, rpc_message_target_get_imported_cap(target));
    }
    if (e == NULL) {
        return (struct vat_found){.abort = true, .reason = "call on a capability that you do not hold"};
    }
    return (struct vat_found){.object = e->object};
}

static bool content_place(struct vat_message *m, struct rpc_payload_reader payload, struct payload *content)
{
    struct capnp_ref ref = rpc_payload_get_content(payload);

    if (ref.at == NULL) {
        return false;
    }
    *content = (struct payload){&m->message, ref.segment, (uint32_t)(ref.at - m->message.segment[ref.segment].words)};
    return true;
}

REQUIRES(LOOP)
static void call_start(struct vat_connection *c, struct vat_message *m, struct rpc_call_reader call,
                       struct object *target, struct payload content)
{
    struct vat_answer *a = answer_new(c, m, rpc_call_get_question_id(call));

    a->yourself = rpc_call_send_results_to_get_which(rpc_call_get_send_results_to(call)) ==
                  RPC_CALL_SEND_RESULTS_TO_WHICH_YOURSELF;
    a->call = (struct call){.interface_id = rpc_call_get_interface_id(call),
                            .method_id = rpc_call_get_method_id(call),
                            .params = content,
                            .source = &answer_source};
    list_init(&a->call.node);
    c->vat->calls++;
    object_call(target, &a->call); /* it may be over when this returns */
}

void vat_answer_call(struct vat_connection *c, struct vat_message *m, struct rpc_call_reader call)
{
    struct rpc_payload_reader params = rpc_call_get_params(call);
    struct payload content;

    if (!content_place(m, params, &content)) {
        vat_abort(c, EXCEPTION_FAILED, "Call without params");
        vat_message_put(m);
        return;
    }
    struct vat_found found = vat_target_find(c, rpc_call_get_target(call));
    if (found.abort || m->message.malformed) {
        vat_abort(c, found.exception, "%s", found.abort ? found.reason : "malformed Call");
        vat_message_put(m);
    } else if (!vat_caps_read(c, m, params)) {
        vat_message_put(m);
    } else if (found.reason != NULL) {
        vat_answer_refuse(c, m, rpc_call_get_question_id(call), found.exception, found.reason);
    } else if (found.object == NULL) {
        vat_answer_refuse(c, m, rpc_call_get_question_id(call), EXCEPTION_FAILED, "a null capability was called");
    } else {
        call_start(c, m, call, found.object, content);
    }
    if (found.owned) {
        object_put(found.object);
    }
}

void vat_answer_bootstrap(struct vat_connection *c, struct vat_message *m, uint32_t id)
{
    if (c->vat->bootstrap == NULL) {
        vat_answer_refuse(c, m, id, EXCEPTION_UNIMPLEMENTED, "nothing is served here");
        return;
    }
    struct vat_answer *a = answer_new(c, m, id);
    mark_returned(a);
    a->told = true;
    a->results = params_reuse(a);
    a->payload = rpc_return_init_results(return_begin(a->results, id));
    a->content = content_of(a->results, a->payload);
    capnp_set_cap(capnp_payload_slot(a->content), c->vat->bootstrap);
    if (vat_caps_write(c, a->results, a->payload) != ST_OK) {
        struct vat_message *results = a->results;
        vat_message_reuse(results);
        refuse_into(c, vat_message_get(results), id, EXCEPTION_OVERLOADED, "too many capabilities");
        answer_entomb(a, VAT_TOMB_EXCEPTION + (enum vat_tomb)EXCEPTION_OVERLOADED);
        return;
    }
    vat_queue_message(c, vat_message_get(a->results));
}

/* Its server works for nobody. */
static bool unwanted(const struct vat_answer *a)
{
    return a->finished && !a->returned && list_empty(&a->promises) && a->taker == NULL;
}

void vat_answer_idle(struct vat_answer *a)
{
    if (unwanted(a) && list_empty(&a->idle)) {
        list_push_back(&a->vat->idle, &a->idle);
        loop_post(&a->vat->cancel);
    }
}

/* A cancelled call lets go of what it was built on, which is idle next: a loop, for the peer made the chain as long as it liked. */
void vat_answers_cancel(struct work *work)
{
    room_assert_loop();
    struct vat *vat = CONTAINER_OF(work, struct vat, cancel);

    for (uint32_t i = 0; i < VAT_REAP_A_TURN && !list_empty(&vat->idle); i++) {
        call_cancel(&CONTAINER_OF(list_pop_front(&vat->idle), struct vat_answer, idle)->call);
    }
    if (!list_empty(&vat->idle)) {
        loop_post(work);
    }
}

void vat_answer_finish(struct vat_connection *c, struct rpc_finish_reader finish)
{
    uint32_t id = rpc_finish_get_question_id(finish);
    struct vat_map_entry *entry = vat_map_find(&c->answers, vat_key(id));
    struct vat_answer *a = entry != NULL ? answer_in(entry) : NULL;

    if (entry == NULL || (a != NULL && a->finished)) {
        vat_abort(c, EXCEPTION_FAILED, "Finish of question %u, which is not open", id);
        return;
    }
    if (a == NULL) {
        vat_map_remove(&c->answers, entry);
        return;
    }
    a->finished = true;
    if (unwanted(a)) {
        call_cancel(&a->call);
        return;
    }
    if (!a->returned) {
        return; /* something builds on it */
    }
    if (rpc_finish_get_release_result_caps(finish) && a->results != NULL && !a->yourself) {
        vat_caps_unsend(c, a->results);
    }
    answer_done_maybe(a);
}

void vat_answer_sent(struct vat_answer *a)
{
    a->told = true;
    answer_done_maybe(a);
}

struct vat_answer *vat_answer_yourself(struct vat_connection *c, uint32_t id)
{
    struct vat_map_entry *entry = vat_map_find(&c->answers, vat_key(id));
    struct vat_answer *a = entry != NULL ? answer_in(entry) : NULL;

    return a != NULL && a->yourself && !a->finished && a->taker == NULL ? a : NULL;
}

/* The peer's Return to our question q takes the results of the call that it let us keep. */
void vat_answer_take(struct vat_answer *a, struct vat_question *q)
{
    ASSERT(a->taker == NULL);
    a->taker = q;
    q->from = a;
    if (a->returned) {
        give_to_taker(a);
        answer_done_maybe(a);
    }
}

static bool is_scarce(const struct vat_message *m)
{
    return m != NULL && vat_buffers_scarce(m->vat, (enum vat_size)m->size);
}

/* The params' buffer of an answer that has returned holds the reason of a failure. */
bool vat_answers_keep(const struct vat_connection *c, uint64_t since_ns)
{
    for (struct list *node = c->live.next; node != &c->live; node = node->next) {
        const struct vat_answer *a = CONTAINER_OF(node, struct vat_answer, node);
        if (a->returned && a->returned_ns <= since_ns && (is_scarce(a->results) || is_scarce(a->params))) {
            return true;
        }
    }
    return false;
}

/* The connection goes. Cancelling may return the call here and now, and end the answer with that. */
void vat_answer_orphan(struct vat_answer *a)
{
    struct vat_connection *c = a->c;
    struct list promises;

    entry_set(a, NULL);
    list_remove(&a->node);
    list_remove(&a->elsewhere.node);
    c->live_count--;
    a->c = NULL;
    uncharge(a->params);
    uncharge(a->results);
    if (a->taker != NULL) {
        a->taker->from = NULL;
        a->taker = NULL;
    }
    list_init(&promises);
    for (struct list *node = list_pop_front(&a->promises); node != NULL; node = list_pop_front(&a->promises)) {
        CONTAINER_OF(node, struct vat_promise, source_node)->answer = NULL; /* it may go before its promises do */
        list_push_back(&promises, node);
    }
    if (a->returned) {
        answer_free(a);
    } else {
        c->running--;
        call_cancel(&a->call);
    }
    promises_break(&promises, EXCEPTION_DISCONNECTED, "the caller is gone");
}
