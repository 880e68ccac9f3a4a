/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_dispatch.c: what each message of a peer does, and when a call may begin.
 *
 * Fields of the RPC messages are read as they are needed; `malformed` on the message tells afterwards whether they were
 * what they seemed. A message that is answered keeps its buffer for the answer, and the mark goes with that: it is looked at
 * before.
 */
#include "core/assert.h"
#include "vat_internal.h"

static struct rpc_message_reader message_of(struct vat_message *m)
{
    return rpc_message_read(capnp_root(&m->message));
}

/* ---- flow control ---- */

static bool begins_call(struct rpc_message_reader message)
{
    return rpc_message_get_which(message) == RPC_MESSAGE_WHICH_CALL ||
           rpc_message_get_which(message) == RPC_MESSAGE_WHICH_BOOTSTRAP;
}

/* Every connection has its share of the calls that the vat can hold; beyond it, only while half of all are free. */
static bool calls_left(const struct vat_connection *c)
{
    const struct pool *pool = &c->vat->answer_pool;
    uint32_t free = pool->count - pool->in_use;
    uint32_t share = pool->count / 2 / c->vat->options.connections;

    return free > 0 && c->live_count < c->vat->options.live && (c->live_count < share || free > pool->count / 2);
}

/* It has not had its share of what there is. */
static bool within_share(const struct vat_connection *c)
{
    return calls_left(c) && c->held_bytes < c->vat->options.window_bytes && vat_buffer_in_share(c, VAT_MEDIUM);
}

static bool window_open(const struct vat_connection *c)
{
    return within_share(c) && vat_buffer_due(c, VAT_MEDIUM, 0);
}

/* It has left untaken more small messages than its share, which is a quarter of all buffers divided by the connections, and half
 * of all buffers are in use. So who reads slowly leaves to others what may_take asks for, if there are sixteen for each
 * connection, and whoever reads goes on. */
static bool lags(const struct vat_connection *c)
{
    const struct vat_buffers *small = &c->vat->buffers[VAT_SMALL];

    return small->free_count <= small->count / 2 && c->untaken > small->count / 4 / c->vat->options.connections;
}

static bool moves(const struct vat_connection *c)
{
    return c->running > 0 || c->piece_count > 0 || !list_empty(&c->out);
}

/* Anybody's call that ends, or Return that is taken, gives back shared room; who takes nothing is ended by the stall timer. */
static bool somebody_moves(const struct vat *vat)
{
    for (struct list *n = vat->open.next; n != &vat->open; n = n->next) {
        if (moves(CONTAINER_OF(n, struct vat_connection, node))) {
            return true;
        }
    }
    return false;
}

/* Room will come without the peer's doing: a call of it runs, a Return of it is on its way, or others hold the room. Who keeps
 * scarce buffers is ended by the stall timer. */
static bool room_will_come(const struct vat_connection *c)
{
    const struct vat *vat = c->vat;
    bool within = c->held_bytes < vat->options.window_bytes && c->live_count < vat->options.live;
    return moves(c) || (within && (c->live_count == 0 || vat_buffers_scarce(vat, VAT_MEDIUM) || somebody_moves(vat)));
}

/* Whether the message makes another go back, that is no Return of a call which was admitted. */
static bool makes_reply(struct rpc_message_reader message)
{
    switch (rpc_message_get_which(message)) {
    case RPC_MESSAGE_WHICH_RETURN:
    case RPC_MESSAGE_WHICH_FINISH:
    case RPC_MESSAGE_WHICH_RELEASE:
    case RPC_MESSAGE_WHICH_RESOLVE:
    case RPC_MESSAGE_WHICH_UNIMPLEMENTED:
    case RPC_MESSAGE_WHICH_ABORT:
        return false;
    default:
        return true;
    }
}

static void later(struct vat_connection *c)
{
    if (list_empty(&c->hungry)) {
        list_push_back(&c->vat->hungry, &c->hungry);
    }
}

/*  it has not read more than its share   -> later: when it has
 *  window open                           -> now
 *  it has not read VAT_REPLIES_MAX others -> later: when it has
 *  no call, but a reply will go back     -> now
 *  not, and calls of ours wait for it    -> now, what stands behind may be what they wait for: to be refused when it has had its
 *                                           share; else it runs, and fails only if its results find no buffer
 *  not, and room will come               -> later
 *  not, and it holds everything itself   -> the connection ends: its Finishes may stand behind this message, unread */
REQUIRES(LOOP)
static bool admit(struct vat_connection *c, struct rpc_message_reader message)
{
    bool call = begins_call(message);
    bool open = call && window_open(c);

    if (!makes_reply(message)) {
        return true;
    }
    if (lags(c) || (!open && c->replies >= VAT_REPLIES_MAX)) {
        later(c);
        return false;
    }
    if (open || !call || c->question_count > 0) {
        return true;
    }
    if (!room_will_come(c)) {
        vat_abort(c, EXCEPTION_OVERLOADED, "%u results wait for a Finish", c->live_count);
        return true;
    }
    later(c);
    return false;
}

/* Who waits is asked as often as something becomes free: that must not use up what may be read of the message. */
bool vat_admit(struct vat_connection *c, struct vat_message *m)
{
    uint64_t limit = m->message.read_limit_words;
    bool now = admit(c, message_of(m));

    m->message.read_limit_words = limit;
    return now;
}

/* ---- messages that begin an answer ---- */

/* True: the id is what the peer said (what is not there reads as 0), may be used, and there is room for one. */
REQUIRES(LOOP)
static bool answer_id_free(struct vat_connection *c, const struct vat_message *m, uint32_t id)
{
    if (m->message.malformed) {
        return false; /* vat_dispatch ends the connection */
    }
    if (vat_map_find(&c->answers, vat_key(id)) != NULL) {
        vat_abort(c, EXCEPTION_FAILED, "question %u is open already", id);
        return false;
    }
    if (c->answers.used >= c->vat->options.answers) {
        vat_abort(c, EXCEPTION_OVERLOADED, "%u answers wait for a Finish", c->answers.used);
        return false;
    }
    return true;
}

static void unimplemented(struct vat_connection *c, struct vat_message *m)
{
    room_assert_loop();
    struct capnp_ref root = capnp_payload_ref(capnp_root(&m->message));
    uint64_t words = 0;
    uint32_t caps = 0;
    struct vat_message *echo = NULL;

    if (capnp_measure(root, &words, &caps)) {
        echo = vat_message_new(c->vat, words + 4);
    }
    if (echo == NULL) {
        vat_abort(c, EXCEPTION_UNIMPLEMENTED, "a message that is not known here");
        return;
    }
    rpc_message_set_unimplemented(rpc_message_init(capnp_root(&echo->message)), message_of(m));
    if (echo->message.failed) {
        vat_message_put(echo);
        vat_abort(c, EXCEPTION_UNIMPLEMENTED, "a message that is not known here");
        return;
    }
    vat_queue_reply(c, echo);
}

/* True: `m` was taken over. */
REQUIRES(LOOP)
static bool call_message(struct vat_connection *c, struct vat_message *m, struct rpc_call_reader call)
{
    uint32_t id = rpc_call_get_question_id(call);
    enum rpc_call_send_results_to_which to = rpc_call_send_results_to_get_which(rpc_call_get_send_results_to(call));

    if (!answer_id_free(c, m, id)) {
        return false;
    }
    if (to != RPC_CALL_SEND_RESULTS_TO_WHICH_CALLER && to != RPC_CALL_SEND_RESULTS_TO_WHICH_YOURSELF) {
        vat_answer_refuse_call(c, m, call, EXCEPTION_UNIMPLEMENTED, "results for a third party");
        return true;
    }
    if (!within_share(c)) {
        vat_answer_refuse_call(c, m, call, EXCEPTION_OVERLOADED, "too much is in flight on this connection");
        return true;
    }
    vat_answer_call(c, m, call);
    return true;
}

REQUIRES(LOOP)
static bool bootstrap_message(struct vat_connection *c, struct vat_message *m, uint32_t id)
{
    if (!answer_id_free(c, m, id)) {
        return false;
    }
    if (!within_share(c)) {
        vat_answer_refuse(c, m, id, EXCEPTION_OVERLOADED, "too much is in flight on this connection");
    } else {
        vat_answer_bootstrap(c, m, id);
    }
    return true;
}

/* ---- Release, Disembargo, Unimplemented ---- */

REQUIRES(LOOP)
static void release_message(struct vat_connection *c, struct rpc_release_reader release)
{
    uint32_t id = rpc_release_get_id(release);
    uint32_t count = rpc_release_get_reference_count(release);

    if (!vat_export_release(c, id, count)) {
        vat_abort(c, EXCEPTION_FAILED, "Release of %u references to capability %u, more than you hold", count, id);
    }
}

/* Follows what is resolved, as far as the peer was told: to the first thing of its own on the way, though that may lead on
 * by now (two that resolve each other at a time: the peer learns of ours, and answers our Disembargo, in its own order). */
static struct object *settle_to_peer(struct object *object, const struct vat_connection *c)
{
    for (;;) {
        struct vat_promise *p = vat_promise_of(object);
        struct vat_import *import = vat_import_of(object);

        if (p != NULL && p->state == VAT_PROMISE_RESOLVED && list_empty(&p->calls)) {
            object = p->target;
        } else if (import != NULL && import->c != c && import->target != NULL) {
            object = import->target;
        } else {
            return object;
        }
    }
}

/* What a Disembargo of the peer's leads to must be the peer's own: there it goes back. */
REQUIRES(LOOP)
static struct vat_found loopback_target(struct vat_connection *c, struct rpc_message_target_reader target)
{
    struct vat_found found = vat_target_find(c, target);

    if (found.abort || found.reason != NULL) {
        return found;
    }
    struct object *object = settle_to_peer(found.object, c);
    const struct vat_import *import = vat_import_of(object);
    const struct vat_promise *p = vat_promise_of(object);
    bool theirs =
        (import != NULL && import->c == c) || (p != NULL && p->state == VAT_PROMISE_PIPELINE && p->question->c == c);
    found.abort = !theirs;
    found.reason = theirs ? NULL : "Disembargo of what does not lead back to you";
    if (!found.owned) {
        found.object = object;
    } else {
        object_put(found.object); /* a fresh promise leads nowhere yet */
    }
    return found;
}

REQUIRES(LOOP)
static void loopback_reply(struct vat_connection *c, struct vat_message *m, struct object *object, uint32_t id)
{
    struct vat_import *import = vat_import_of(object);
    struct vat_promise *p = vat_promise_of(object);

    vat_message_reuse(m);
    struct rpc_disembargo_builder reply = rpc_message_init_disembargo(rpc_message_init(capnp_root(&m->message)));
    struct rpc_message_target_builder target = rpc_disembargo_init_target(reply);
    if (import != NULL) {
        rpc_message_target_set_imported_cap(target, import->id);
    } else {
        vat_build_promised(rpc_message_target_init_promised_answer(target),
                           (struct vat_promised){p->question->id, p->path, p->path_count});
    }
    rpc_disembargo_context_set_receiver_loopback(rpc_disembargo_edit_context(reply), id);
    vat_queue_reply(c, m); /* behind the calls that it follows: they were passed on when they came */
}

/* True: `m` was taken over. */
REQUIRES(LOOP)
static bool disembargo_message(struct vat_connection *c, struct vat_message *m, struct rpc_disembargo_reader disembargo)
{
    struct rpc_disembargo_context_reader context = rpc_disembargo_get_context(disembargo);
    uint32_t id;

    switch (rpc_disembargo_context_get_which(context)) {
    case RPC_DISEMBARGO_CONTEXT_WHICH_SENDER_LOOPBACK: {
        struct vat_found found = loopback_target(c, rpc_disembargo_get_target(disembargo));
        if (found.abort || found.reason != NULL) {
            vat_abort(c, EXCEPTION_FAILED, "%s", found.reason);
            return false;
        }
        id = rpc_disembargo_context_get_sender_loopback(context);
        if (m->message.malformed) {
            return false; /* vat_dispatch ends the connection; the reply would stand where the mark is */
        }
        loopback_reply(c, m, found.object, id);
        return true;
    }
    case RPC_DISEMBARGO_CONTEXT_WHICH_RECEIVER_LOOPBACK:
        id = rpc_disembargo_context_get_receiver_loopback(context);
        if (!vat_embargo_lift(c, id)) {
            vat_abort(c, EXCEPTION_FAILED, "Disembargo %u, which was not asked for", id);
        }
        return false;
    default:
        unimplemented(c, m);
        return false;
    }
}

/* What we sent and the peer does not speak: as if it had done the least that it may do. */
REQUIRES(LOOP)
static void unimplemented_message(struct vat_connection *c, struct rpc_message_reader echoed)
{
    switch (rpc_message_get_which(echoed)) {
    case RPC_MESSAGE_WHICH_CALL:
        vat_question_unimplemented(c, rpc_call_get_question_id(rpc_message_get_call(echoed)));
        return;
    case RPC_MESSAGE_WHICH_BOOTSTRAP:
        vat_question_unimplemented(c, rpc_bootstrap_get_question_id(rpc_message_get_bootstrap(echoed)));
        return;
    case RPC_MESSAGE_WHICH_RESOLVE: {
        struct rpc_cap_descriptor_reader d = rpc_resolve_get_cap(rpc_message_get_resolve(echoed));
        uint32_t id = rpc_cap_descriptor_get_sender_hosted(d); /* the promise's id stands at the same place */
        bool exported = rpc_resolve_get_which(rpc_message_get_resolve(echoed)) == RPC_RESOLVE_WHICH_CAP &&
                        (rpc_cap_descriptor_get_which(d) == RPC_CAP_DESCRIPTOR_WHICH_SENDER_HOSTED ||
                         rpc_cap_descriptor_get_which(d) == RPC_CAP_DESCRIPTOR_WHICH_SENDER_PROMISE);
        if (exported && !vat_export_release(c, id, 1)) {
            vat_abort(c, EXCEPTION_FAILED, "unimplemented Resolve to %u, which you do not hold", id);
        }
        return;
    }
    default:
        vat_abort(c, EXCEPTION_UNIMPLEMENTED, "a message that cannot be done without is not implemented by the peer");
    }
}

REQUIRES(LOOP)
static void abort_message(struct vat_connection *c, struct rpc_exception_reader exception)
{
    (void)exception; /* for whoever debugs: the peer has the last word, and nothing here depends on it */
    vat_end(c);
}

/* True: `m` was taken over. */
REQUIRES(LOOP)
static bool dispatch(struct vat_connection *c, struct vat_message *m, struct rpc_message_reader message)
{
    switch (rpc_message_get_which(message)) {
    case RPC_MESSAGE_WHICH_CALL:
        return call_message(c, m, rpc_message_get_call(message));
    case RPC_MESSAGE_WHICH_BOOTSTRAP:
        return bootstrap_message(c, m, rpc_bootstrap_get_question_id(rpc_message_get_bootstrap(message)));
    case RPC_MESSAGE_WHICH_RETURN:
        vat_question_return(c, m, rpc_message_get_return(message));
        return false;
    case RPC_MESSAGE_WHICH_FINISH:
        vat_answer_finish(c, rpc_message_get_finish(message));
        return false;
    case RPC_MESSAGE_WHICH_RELEASE:
        release_message(c, rpc_message_get_release(message));
        return false;
    case RPC_MESSAGE_WHICH_RESOLVE:
        vat_import_resolve(c, rpc_message_get_resolve(message));
        return false;
    case RPC_MESSAGE_WHICH_DISEMBARGO:
        return disembargo_message(c, m, rpc_message_get_disembargo(message));
    case RPC_MESSAGE_WHICH_UNIMPLEMENTED:
        unimplemented_message(c, rpc_message_get_unimplemented(message));
        return false;
    case RPC_MESSAGE_WHICH_ABORT:
        abort_message(c, rpc_message_get_abort(message));
        return false;
    default: /* levels 2 to 4, and what is newer than this */
        unimplemented(c, m);
        return false;
    }
}

void vat_dispatch(struct vat_connection *c, struct vat_message *m)
{
    struct rpc_message_reader message = message_of(m);

    if (m->message.malformed) {
        vat_abort(c, EXCEPTION_FAILED, "malformed message");
        vat_message_put(m);
        return;
    }
    if (!dispatch(c, m, message)) {
        bool malformed = m->message.malformed;
        vat_message_put(m);
        if (malformed) {
            vat_abort(c, EXCEPTION_FAILED, "malformed message");
        }
    }
}
