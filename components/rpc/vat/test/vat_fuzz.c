/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_fuzz.c: any peer at all. The input is a script: each step is an RPC message with ids and counts of the fuzzer's, one
 * word of it perhaps damaged, or raw bytes, or something that this side does (a call returns, is cancelled, time passes).
 *
 * What must hold besides staying in memory: when the connection is over nothing is left of it.
 */
#include "vat_raw.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *at;
static size_t left;

static uint32_t byte(void)
{
    if (left == 0) {
        return 0;
    }
    left--;
    return *at++;
}
/* Mostly small, so that ids meet. */
static uint32_t number(void)
{
    uint32_t b = byte();
    return b < 0xF0 ? b % 12 : b == 0xFF ? UINT32_MAX : byte() << 8 | b;
}

static void promised(struct rpc_promised_answer_builder p)
{
    rpc_promised_answer_set_question_id(p, number());
    uint32_t count = byte() % 4;
    struct rpc_promised_answer_op_builders ops = rpc_promised_answer_init_transform(p, count);
    for (uint32_t i = 0; i < count; i++) {
        rpc_promised_answer_op_set_get_pointer_field(rpc_promised_answer_op_builder_at(ops, i), (uint16_t)(byte() % 3));
    }
}
static void target(struct rpc_message_target_builder t)
{
    if (byte() % 2 == 0) {
        rpc_message_target_set_imported_cap(t, number());
    } else {
        promised(rpc_message_target_init_promised_answer(t));
    }
}
static void descriptor(struct rpc_cap_descriptor_builder d)
{
    switch (byte() % 6) {
    case 0:
        rpc_cap_descriptor_set_none(d);
        return;
    case 1:
        rpc_cap_descriptor_set_sender_hosted(d, number());
        return;
    case 2:
        rpc_cap_descriptor_set_sender_promise(d, number());
        return;
    case 3:
        rpc_cap_descriptor_set_receiver_hosted(d, number());
        return;
    case 4:
        promised(rpc_cap_descriptor_init_receiver_answer(d));
        return;
    default:
        rpc_third_party_cap_descriptor_set_vine_id(rpc_cap_descriptor_init_third_party_hosted(d), number());
        return;
    }
}
static void payload(struct rpc_payload_builder p)
{
    struct capnp_builder content = capnp_init_struct(rpc_payload_slot_content(p), 1, 2);
    capnp_put_u32(content, 0, byte() % 40);
    if (content.pointers != NULL) {
        content.pointers[0] = (uint64_t)(byte() % 3) << 32 | 3;
    }
    uint32_t caps = byte() % 4;
    struct rpc_cap_descriptor_builders table = rpc_payload_init_cap_table(p, caps);
    for (uint32_t i = 0; i < caps; i++) {
        descriptor(rpc_cap_descriptor_builder_at(table, i));
    }
}
static void call(struct rpc_call_builder c)
{
    rpc_call_set_question_id(c, number());
    rpc_call_set_interface_id(c, byte() == 0 ? 1 : THING_ID);
    rpc_call_set_method_id(c, (uint16_t)(byte() % 16));
    target(rpc_call_init_target(c));
    payload(rpc_call_init_params(c));
    if (byte() % 8 == 0) {
        rpc_call_send_results_to_set_yourself(rpc_call_edit_send_results_to(c));
    }
}
static void answer(struct rpc_return_builder r)
{
    rpc_return_set_answer_id(r, number());
    rpc_return_set_release_param_caps(r, byte() % 2);
    switch (byte() % 5) {
    case 0:
        payload(rpc_return_init_results(r));
        return;
    case 1:
        rpc_exception_set_reason(rpc_return_init_exception(r), capnp_text("fuzz"));
        return;
    case 2:
        rpc_return_set_canceled(r);
        return;
    case 3:
        rpc_return_set_results_sent_elsewhere(r);
        return;
    default:
        rpc_return_set_take_from_other_question(r, number());
        return;
    }
}
static void message(struct rpc_message_builder m)
{
    struct rpc_disembargo_builder d;
    struct rpc_resolve_builder resolve;
    struct rpc_release_builder release;
    struct rpc_finish_builder finish;

    switch (byte() % 10) {
    case 0:
        rpc_bootstrap_set_question_id(rpc_message_init_bootstrap(m), number());
        return;
    case 1:
        answer(rpc_message_init_return(m));
        return;
    case 2:
        finish = rpc_message_init_finish(m);
        rpc_finish_set_question_id(finish, number());
        rpc_finish_set_release_result_caps(finish, byte() % 2);
        return;
    case 3:
        resolve = rpc_message_init_resolve(m);
        rpc_resolve_set_promise_id(resolve, number());
        if (byte() % 4 == 0) {
            rpc_exception_set_reason(rpc_resolve_init_exception(resolve), capnp_text("fuzz"));
        } else {
            descriptor(rpc_resolve_init_cap(resolve));
        }
        return;
    case 4:
        release = rpc_message_init_release(m);
        rpc_release_set_id(release, number());
        rpc_release_set_reference_count(release, number());
        return;
    case 5:
        d = rpc_message_init_disembargo(m);
        target(rpc_disembargo_init_target(d));
        if (byte() % 2 == 0) {
            rpc_disembargo_context_set_sender_loopback(rpc_disembargo_edit_context(d), number());
        } else {
            rpc_disembargo_context_set_receiver_loopback(rpc_disembargo_edit_context(d), number());
        }
        return;
    case 6:
        call(rpc_message_init_call(rpc_message_init_unimplemented(m)));
        return;
    default:
        call(rpc_message_init_call(m));
        return;
    }
}

/* What this image does itself: it calls what it was given. */
#define ASKS 12
static struct ask *asks[ASKS];
static unsigned asked;
static struct object *theirs;

static void ask(void)
{
    if (asked == ASKS) {
        return;
    }
    if (theirs == NULL) {
        theirs = vat_bootstrap(raw_c);
        return;
    }
    struct object *whom = raw_thing->kept != NULL && byte() % 2 == 0 ? raw_thing->kept : theirs;
    asks[asked++] = byte() % 2 == 0 ? ask_next(whom) : ask_give(whom, byte() % 2 == 0 ? &raw_thing->object : theirs);
    if (byte() % 2 == 0) {
        uint16_t field = 0;
        struct object *p = vat_pipeline(&asks[asked - 1]->call, &field, 1);
        if (p != NULL && asked < ASKS) {
            asks[asked++] = ask_next(p);
        }
        object_put(p);
    }
}
static void promise_ends(void)
{
    struct object *p = raw_thing->promise;
    if (p == NULL) {
        return;
    }
    raw_thing->promise = NULL;
    if (byte() % 2 == 0) {
        vat_promise_resolve(p, raw_thing->kept);
    } else {
        vat_promise_break(p, EXCEPTION_FAILED, "fuzz");
    }
    object_put(p);
}
static void step(void)
{
    uint32_t kind = byte();
    if (kind < 0xC0) {
        message(raw_new());
        if (kind >= 0xA0) {
            uint32_t word = byte() % (out_segment.used > 0 ? out_segment.used : 1);
            ((uint8_t *)&out_words[word])[byte() % 8] ^= (uint8_t)byte();
        }
        raw_send();
    } else if (kind < 0xC4) {
        uint8_t bytes[16];
        for (unsigned i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (uint8_t)byte();
        }
        raw_bytes(bytes, sizeof(bytes));
        raw_settle();
    } else if (kind < 0xD0 && !list_empty(&raw_thing->held)) {
        thing_let_go(raw_thing);
    } else if (kind < 0xE0 && raw_c->state == VAT_OPEN) {
        ask();
    } else if (kind < 0xE8 && asked > 0) {
        call_cancel(&asks[byte() % asked]->call);
    } else if (kind < 0xF0 && raw_thing->promise != NULL) {
        promise_ends();
    } else if (kind < 0xF4) {
        raw.deaf = !raw.deaf;
        stream_pair_resume(&raw_pair.b.stream);
    } else if (kind == 0xFF) {
        time_passes(6 * NS_PER_S);
    }
    raw_settle();
}

static void end(void)
{
    raw.deaf = false;
    stream_pair_abort(&raw_pair.b.stream);
    raw_settle();
    while (!list_empty(&raw_thing->held)) {
        thing_let_go(raw_thing);
    }
    object_put(raw_thing->kept);
    raw_thing->kept = NULL;
    promise_ends();
    object_put(theirs);
    theirs = NULL;
    for (; asked > 0; asked--) {
        ASSERT(asks[asked - 1]->done);
        ask_free(asks[asked - 1]);
    }
    vat_close(raw_c);
    raw_settle();
    ASSERT(vat_empty(raw_vat));
    ASSERT(things_alive == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    at = data;
    left = size < 2048 ? size : 2048;
    raw_join();
    raw_bootstrap(0);
    for (unsigned i = 0; i < 60 && left > 0 && raw.kept < sizeof(raw.keep) / 8 - 8192; i++) {
        step();
    }
    end();
    return 0;
}
