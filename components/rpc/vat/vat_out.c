/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_out.c: what waits to be sent, in order, and how control messages are built.
 *
 * Messages stand in their own buffers. Control messages (Finish, Release, ...) are only marked here and built when their
 * turn to be sent comes; their thing tells what they say.
 */
#include "core/assert.h"
#include "vat_internal.h"

void vat_queue(struct vat_connection *c, struct vat_out *out)
{
    ASSERT(list_empty(&out->node));
    list_push_back(&c->out, &out->node);
    vat_push(c);
}

void vat_queue_message(struct vat_connection *c, struct vat_message *m)
{
    ASSERT(!m->message.failed && m->segments_sent == 0);
    vat_message_charge(m, c);
    c->untaken += vat_message_small(m);
    vat_queue(c, &m->out);
}

void vat_queue_reply(struct vat_connection *c, struct vat_message *m)
{
    m->reply = true;
    c->replies++;
    vat_queue_message(c, m);
}

void vat_out_sent(struct vat_out *out)
{
    switch ((enum vat_out_kind)out->kind) {
    case VAT_OUT_FINISH:
        vat_question_finish_sent(CONTAINER_OF(out, struct vat_question, finish));
        return;
    case VAT_OUT_RELEASE:
        vat_import_sent(CONTAINER_OF(out, struct vat_import, release));
        return;
    case VAT_OUT_ELSEWHERE:
        vat_answer_sent(CONTAINER_OF(out, struct vat_answer, elsewhere));
        return;
    case VAT_OUT_RESOLVE:
    case VAT_OUT_EMBARGO:
    case VAT_OUT_MESSAGE:
        return;
    }
    UNREACHABLE();
}

void vat_out_clear(struct vat_connection *c)
{
    for (struct list *node = list_pop_front(&c->out); node != NULL; node = list_pop_front(&c->out)) {
        struct vat_out *out = CONTAINER_OF(node, struct vat_out, node);
        if (out->kind != VAT_OUT_MESSAGE) {
            vat_out_sent(out);
            continue;
        }
        vat_message_put(CONTAINER_OF(out, struct vat_message, out));
    }
}

void vat_build_exception(struct rpc_exception_builder exception, enum exception type, const char *reason)
{
    rpc_exception_set_type(exception, (enum rpc_exception_type)type);
    rpc_exception_set_reason(exception, capnp_text(reason));
}

void vat_build_promised(struct rpc_promised_answer_builder builder, struct vat_promised promised)
{
    rpc_promised_answer_set_question_id(builder, promised.question);
    struct rpc_promised_answer_op_builders ops = rpc_promised_answer_init_transform(builder, promised.count);
    for (uint32_t i = 0; i < promised.count; i++) {
        rpc_promised_answer_op_set_get_pointer_field(rpc_promised_answer_op_builder_at(ops, i), promised.path[i]);
    }
}

void vat_build_abort(struct message *message, enum exception type, const char *reason)
{
    vat_build_exception(rpc_message_init_abort(rpc_message_init(capnp_root(message))), type, reason);
}

REQUIRES(LOOP)
static void build_resolve(struct vat_connection *c, struct vat_export *e, struct rpc_message_builder root)
{
    struct rpc_resolve_builder resolve = rpc_message_init_resolve(root);
    struct vat_promise *p = vat_promise_of(e->object);

    rpc_resolve_set_promise_id(resolve, (uint32_t)(e - c->export));
    if (p->state == VAT_PROMISE_BROKEN) {
        vat_build_exception(rpc_resolve_init_exception(resolve), (enum exception)p->exception, p->reason);
        return;
    }
    struct object *target = vat_settle(e->object);
    if (target == NULL) {
        vat_build_exception(rpc_resolve_init_exception(resolve), EXCEPTION_FAILED, "a null capability");
        return;
    }
    uint32_t export_id;
    status_t s = vat_descriptor_write(c, target, rpc_resolve_init_cap(resolve), &export_id);
    if (s != ST_OK) {
        vat_build_exception(rpc_resolve_init_exception(resolve), EXCEPTION_OVERLOADED, "too many capabilities");
    }
}

static void build_disembargo(struct vat_promise *p, struct rpc_message_builder root)
{
    struct rpc_disembargo_builder disembargo = rpc_message_init_disembargo(root);
    struct rpc_message_target_builder target = rpc_disembargo_init_target(disembargo);

    if (p->embargo_on_import) {
        rpc_message_target_set_imported_cap(target, p->embargo_import);
    } else {
        vat_build_promised(rpc_message_target_init_promised_answer(target),
                           (struct vat_promised){p->embargo_question, p->path, p->path_count});
    }
    rpc_disembargo_context_set_sender_loopback(rpc_disembargo_edit_context(disembargo), vat_promise_index(p));
}

static void build_finish(struct vat_question *q, struct rpc_message_builder root)
{
    struct rpc_finish_builder finish = rpc_message_init_finish(root);

    rpc_finish_set_question_id(finish, q->id);
    rpc_finish_set_release_result_caps(finish, q->release_results);
}

static void build_release(struct vat_import *import, struct rpc_message_builder root)
{
    struct rpc_release_builder release = rpc_message_init_release(root);

    rpc_release_set_id(release, import->id);
    rpc_release_set_reference_count(release, import->remote);
}

static void build_elsewhere(struct vat_answer *a, struct rpc_message_builder root)
{
    struct rpc_return_builder answer = rpc_message_init_return(root);

    rpc_return_set_answer_id(answer, a->id);
    rpc_return_set_release_param_caps(answer, false);
    rpc_return_set_results_sent_elsewhere(answer);
}

void vat_out_build(struct vat_connection *c, struct vat_out *out, struct message *message)
{
    struct rpc_message_builder root = rpc_message_init(capnp_root(message));

    switch ((enum vat_out_kind)out->kind) {
    case VAT_OUT_FINISH:
        build_finish(CONTAINER_OF(out, struct vat_question, finish), root);
        break;
    case VAT_OUT_RELEASE:
        build_release(CONTAINER_OF(out, struct vat_import, release), root);
        break;
    case VAT_OUT_RESOLVE:
        build_resolve(c, CONTAINER_OF(out, struct vat_export, resolve), root);
        break;
    case VAT_OUT_EMBARGO:
        build_disembargo(CONTAINER_OF(out, struct vat_promise, disembargo), root);
        break;
    case VAT_OUT_ELSEWHERE:
        build_elsewhere(CONTAINER_OF(out, struct vat_answer, elsewhere), root);
        break;
    case VAT_OUT_MESSAGE:
        UNREACHABLE();
    }
    ASSERT(!message->failed); /* VAT_CONTROL_WORDS is enough for each of them */
}
