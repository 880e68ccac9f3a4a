/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_peer_test.c: peers that lie, leak or stop: each ends its own connection with a typed Abort, and nothing is left behind.
 */
#include "vat_raw.h"

static void test_well_behaved(void)
{
    raw_begin();
    raw_call(1, 0, 6);
    raw_send();
    raw_returned(1);
    raw_finish(1, true);
    raw_release(0, 1);
    CHECK_EQ(raw_c->state, VAT_OPEN);
    CHECK_EQ(raw_c->export_count, 0);
    raw_part();
}

static void test_segment_count_too_large(void)
{
    static const uint32_t counts[] = {0xFFFFFFFF, 0x7FFFFFFF, 512, 64};
    for (unsigned i = 0; i < 4; i++) {
        raw_join();
        uint32_t header[2] = {counts[i], 1};
        raw_bytes(header, sizeof(header));
        raw_settle();
        CHECK(raw_aborted(FAILED));
        raw_part();
    }
}

static void test_message_too_large(void)
{
    static const uint32_t sizes[] = {0xFFFFFFFF, MESSAGE_WORDS_MAX + 1, 0x20000001};
    for (unsigned i = 0; i < 3; i++) {
        raw_join();
        uint32_t header[2] = {0, sizes[i]};
        raw_bytes(header, sizeof(header));
        raw_settle();
        CHECK(raw_aborted(FAILED));
        raw_part();
    }
}

static void test_segment_sizes_that_overflow(void)
{
    raw_join();
    uint32_t header[4] = {2, 0x80000000, 0x80000000, 8};
    raw_bytes(header, sizeof(header));
    raw_settle();
    CHECK(raw_aborted(FAILED));
    raw_part();
}

static void test_empty_message(void)
{
    raw_join();
    uint32_t header[2] = {0, 0};
    raw_bytes(header, sizeof(header));
    raw_settle();
    CHECK(raw_c->state != VAT_OPEN);
    raw_part();
}

/* One root word that is no struct. */
static void test_malformed_root(void)
{
    static const uint64_t roots[] = {
        0x0000000100000000ull | 0x7FFFFFFCull, /* far beyond its end */
        0xFFFFFFFFFFFFFFFCull,                 /* before its beginning */
        0x0000000000000002ull,                 /* a far pointer to itself */
        0x0000000000000006ull,                 /* double-far to itself */
        0x00000005FFFFFFFAull,                 /* far into a segment that is not there */
        0xFFFFFFFF00000005ull,                 /* a list of 2^29 voids */
        0x00000000FFFFFF03ull,                 /* a capability */
        0x0000000000000013ull,
    };
    for (unsigned i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        raw_join();
        uint64_t message[2] = {0x0000000100000000ull, roots[i]};
        raw_bytes(message, sizeof(message));
        raw_settle();
        CHECK(raw_aborted(FAILED));
        raw_part();
    }
}

/* Each word of a good message replaced by each of some bad ones: survives, whatever it answers. Gives the number of words. */
static uint32_t every_word_damaged(void (*build)(void))
{
    static const uint64_t bad[] = {
        0, ~0ull, 2, 6, 0xFFFFFFFF00000001ull, 0xFFFFFFFFFFFFFFFDull, 3, 0x00010001FFFFFFFCull};
    uint32_t words = 1;
    for (uint32_t word = 0; word < words; word++) {
        for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            raw_begin();
            build();
            words = out_segment.used;
            out_words[word] = bad[i];
            raw_send();
            raw_part();
        }
    }
    return words;
}

static void build_call(void)
{
    rpc_cap_descriptor_set_sender_hosted(raw_cap_param(raw_call(1, 0, 3)), 5);
}

static void test_every_word_of_a_call_damaged(void)
{
    CHECK(every_word_damaged(build_call) > 10);
}

/* What call 1 will have in its first pointer. */
static void raw_promise(struct rpc_promised_answer_builder promised)
{
    rpc_promised_answer_set_question_id(promised, 1);
    struct rpc_promised_answer_op_builders transform = rpc_promised_answer_init_transform(promised, 1);
    rpc_promised_answer_op_set_get_pointer_field(rpc_promised_answer_op_builder_at(transform, 0), 0);
}

/* On what a call will return, with a capability that one will return. */
static void build_pipelined_call(void)
{
    raw_call(1, 0, 1); /* held */
    raw_send();
    struct rpc_call_builder call = raw_call_new(2, 3);
    raw_promise(rpc_message_target_init_promised_answer(rpc_call_init_target(call)));
    raw_promise(rpc_cap_descriptor_init_receiver_answer(raw_cap_param(rpc_call_init_params(call))));
}

/* No promise stays behind. */
static void test_every_word_of_a_pipelined_call_damaged(void)
{
    CHECK(every_word_damaged(build_pipelined_call) > 15);
}

/* Its question reads as 0, which was not asked. */
static void test_bootstrap_that_is_not_there_is_not_answered(void)
{
    raw_begin();
    struct rpc_message_builder m = raw_new();
    rpc_bootstrap_set_question_id(rpc_message_init_bootstrap(m), 7);
    m.s.pointers[0] = FAR_BEYOND;
    raw_send();
    raw_only_aborted();
    raw_part();
}

/* Nor is a call refused that is not there, when there are as many as may be and we wait for the peer. */
static void test_call_that_is_not_there_is_not_refused(void)
{
    raw_begin();
    struct object *theirs = vat_bootstrap(raw_c);
    raw_settle();
    REQUIRE(raw_next());
    for (uint32_t id = 1; id <= small_options.live; id++) {
        raw_call(id, 0, 1);
        raw_send();
    }
    struct rpc_message_builder m = raw_new();
    rpc_call_set_question_id(rpc_message_init_call(m), 100);
    m.s.pointers[0] = FAR_BEYOND;
    raw_send();
    raw_only_aborted();
    object_put(theirs);
    raw_part();
}

/* All is there but the table of its capabilities: on what has failed, which would be said, and on an object. */
static void test_call_without_its_table_of_capabilities_is_not_answered(void)
{
    for (unsigned on_failed = 0; on_failed < 2; on_failed++) {
        raw_begin();
        raw_call(1, 0, 10); /* fail */
        raw_send();
        raw_failed(1, FAILED);
        struct rpc_call_builder call = raw_call_new(2, 14);
        struct rpc_message_target_builder target = rpc_call_init_target(call);
        if (on_failed) {
            rpc_promised_answer_set_question_id(rpc_message_target_init_promised_answer(target), 1);
        } else {
            rpc_message_target_set_imported_cap(target, 0);
        }
        rpc_call_init_params(call).s.pointers[1] = FAR_BEYOND;
        raw_send();
        raw_only_aborted();
        raw_part();
    }
}

static void test_params_that_are_not_the_methods(void)
{
    raw_begin();
    struct rpc_payload_builder payload = raw_call(1, 0, 0);
    struct capnp_slot content = rpc_payload_slot_content(payload);
    struct capnp_builder params = capnp_init_struct(content, 0, 1);
    capnp_init_list(capnp_slot(params, 0), CAPNP_EIGHT_BYTES, 3); /* echo takes a text */
    raw_send();
    CHECK(raw_aborted(FAILED));
    raw_part();
}

static void test_void_list_costs_nothing(void)
{
    raw_begin();
    struct rpc_payload_builder payload = raw_call(1, 0, 12);
    struct capnp_builder params = capnp_init_struct(rpc_payload_slot_content(payload), 1, 1);
    params.pointers[0] = 0xFFFFFFF800000001ull; /* 2^29 - 1 voids in a pointer that the method has not */
    raw_send();
    CHECK(raw_c->state != VAT_OPEN || raw_next());
    raw_part();
}

static void test_release_of_too_many(void)
{
    raw_begin();
    raw_release(0, 2);
    CHECK(raw_aborted(FAILED));
    raw_part();
}

static void test_release_of_what_is_not_there(void)
{
    static const uint32_t ids[] = {1, 31, 32, 0xFFFFFFFF};
    for (unsigned i = 0; i < 4; i++) {
        raw_begin();
        raw_release(ids[i], 1);
        CHECK(raw_aborted(FAILED));
        raw_part();
    }
}

static void test_release_twice(void)
{
    raw_begin();
    raw_release(0, 1);
    raw_release(0, 1);
    CHECK(raw_aborted(FAILED));
    raw_part();
}

static void test_import_count_overflow(void)
{
    raw_begin();
    struct rpc_payload_builder payload = raw_call(1, 0, 4);
    rpc_cap_descriptor_set_sender_hosted(raw_cap_param(payload), 5);
    raw_send();
    REQUIRE(raw_thing->kept != NULL);
    vat_import_of(raw_thing->kept)->remote = UINT32_MAX;
    payload = raw_call(2, 0, 4);
    rpc_cap_descriptor_set_sender_hosted(raw_cap_param(payload), 5);
    raw_send();
    CHECK(raw_aborted(FAILED));
    raw_part();
}

static void test_question_id_used_twice(void)
{
    raw_begin();
    raw_call(7, 0, 1);
    raw_send();
    raw_call(7, 0, 0);
    raw_send();
    CHECK(raw_aborted(FAILED));
    raw_part();
    raw_begin();
    raw_call(7, 0, 14); /* returned, not finished */
    raw_send();
    raw_returned(7);
    raw_bootstrap(7);
    CHECK(raw_aborted(FAILED));
    raw_part();
}

static void test_question_id_after_finish_before_return(void)
{
    raw_begin();
    struct rpc_promised_answer_builder p;
    raw_call(1, 0, 1);
    raw_send();
    p = raw_call_on(2, 1, 6); /* keeps call 1 from being cancelled */
    (void)p;
    raw_send();
    raw_finish(1, true);
    raw_call(1, 0, 14);
    raw_send();
    CHECK(raw_aborted(FAILED));
    raw_part();
}

/* Each call builds on the one before, so their Finishes cancel nothing until the last of them has its own. */
static void test_finish_of_a_chain_cancels_all_of_it(void)
{
    raw_begin();
    raw_thing->cancelled = 0;
    raw_call(1, 0, 1);
    raw_send();
    for (uint32_t id = 2; id < small_options.live; id++) {
        (void)raw_call_on(id, id - 1, 6);
        raw_send();
    }
    for (uint32_t id = 1; id < small_options.live; id++) {
        CHECK_EQ(raw_thing->cancelled, 0);
        raw_finish(id, true);
    }
    CHECK_EQ(raw_thing->cancelled, 1);
    CHECK_EQ(raw_c->live_count, 0);
    raw_part();
}

/* A call that we made and the peer turned round: when its asker gives up, nothing builds on the peer's call any more. */
static void test_finish_of_results_that_nobody_takes_any_more(void)
{
    raw_begin();
    struct object *theirs = vat_bootstrap(raw_c);
    struct ask *a = ask_next(theirs);
    raw_settle();
    struct rpc_call_builder c = raw_call_new(40, 1);
    rpc_call_init_params(c);
    rpc_message_target_set_imported_cap(rpc_call_init_target(c), 0);
    rpc_call_send_results_to_set_yourself(rpc_call_edit_send_results_to(c));
    raw_send();
    struct rpc_return_builder r = rpc_message_init_return(raw_new());
    rpc_return_set_answer_id(r, 1);
    rpc_return_set_take_from_other_question(r, 40);
    raw_send();
    raw_finish(40, true);
    raw_thing->cancelled = 0;
    call_cancel(&a->call);
    raw_settle();
    CHECK_EQ(raw_thing->cancelled, 1);
    CHECK_EQ(raw_c->live_count, 0);
    CHECK_EQ(raw_c->state, VAT_OPEN);
    ask_free(a);
    object_put(theirs);
    raw_part();
}

/* The connection goes: breaking one promise of an answer ends the call that holds another of it. */
static void test_promises_of_one_answer_end_each_other(void)
{
    raw_begin();
    raw_call(1, 0, 1);
    raw_send();
    struct rpc_call_builder call = raw_call_new(2, 4);
    rpc_promised_answer_set_question_id(rpc_message_target_init_promised_answer(rpc_call_init_target(call)), 1);
    raw_promise(rpc_cap_descriptor_init_receiver_answer(raw_cap_param(rpc_call_init_params(call))));
    raw_send();
    CHECK_EQ(raw_c->live_count, 2);
    raw_part();
}

static void test_finish_of_what_is_not_open(void)
{
    raw_begin();
    raw_finish(3, true);
    CHECK(raw_aborted(FAILED));
    raw_part();
    raw_begin();
    raw_call(1, 0, 14);
    raw_send();
    raw_finish(1, true);
    raw_finish(1, true);
    CHECK(raw_aborted(FAILED));
    raw_part();
}

static void test_return_of_what_is_not_open(void)
{
    static const uint32_t ids[] = {0, 15, 16, 0xFFFFFFFF};
    for (unsigned i = 0; i < 4; i++) {
        raw_begin();
        struct rpc_return_builder r = rpc_message_init_return(raw_new());
        rpc_return_set_answer_id(r, ids[i]);
        rpc_return_set_canceled(r);
        raw_send();
        CHECK(raw_aborted(FAILED));
        raw_part();
    }
}

static void test_call_on_unknown_capability(void)
{
    static const uint32_t ids[] = {1, 32, 0xFFFFFFFF};
    for (unsigned i = 0; i < 3; i++) {
        raw_begin();
        raw_call(1, ids[i], 0);
        raw_send();
        CHECK(raw_aborted(FAILED));
        raw_part();
    }
}

static void test_call_on_unknown_question(void)
{
    raw_begin();
    (void)raw_call_on(1, 9, 0);
    raw_send();
    CHECK(raw_aborted(FAILED));
    raw_part();
}

static void test_call_on_itself(void)
{
    raw_begin();
    (void)raw_call_on(1, 1, 0);
    raw_send();
    CHECK(raw_aborted(FAILED));
    raw_part();
}

static void test_transform_on_what_is_no_pointer(void)
{
    raw_begin();
    raw_call(1, 0, 6); /* results: a number, no pointers */
    raw_send();
    raw_returned(1);
    struct rpc_promised_answer_builder p = raw_call_on(2, 1, 0);
    rpc_promised_answer_op_set_get_pointer_field(
        rpc_promised_answer_op_builder_at(rpc_promised_answer_init_transform(p, 1), 0), 0xFFFF);
    raw_send();
    raw_failed(2, FAILED);
    CHECK_EQ(raw_c->state, VAT_OPEN);
    raw_part();
}

static void test_transform_unknown_or_too_long(void)
{
    for (uint32_t count = 9; count < 2000; count += 1990) {
        raw_begin();
        raw_call(1, 0, 1);
        raw_send();
        struct rpc_promised_answer_builder p = raw_call_on(2, 1, 0);
        struct rpc_promised_answer_op_builders ops = rpc_promised_answer_init_transform(p, count);
        for (uint32_t i = 0; i < count; i++) {
            rpc_promised_answer_op_set_get_pointer_field(rpc_promised_answer_op_builder_at(ops, i), 0);
        }
        raw_send();
        CHECK(raw_aborted(UNIMPLEMENTED));
        raw_part();
    }
}

static void test_descriptor_of_unknown_things(void)
{
    for (unsigned i = 0; i < 3; i++) {
        raw_begin();
        struct rpc_cap_descriptor_builder d = raw_cap_param(raw_call(1, 0, 4));
        if (i == 0) {
            rpc_cap_descriptor_set_receiver_hosted(d, 1);
        } else if (i == 1) {
            rpc_cap_descriptor_set_receiver_hosted(d, 0xFFFFFFFF);
        } else {
            rpc_promised_answer_set_question_id(rpc_cap_descriptor_init_receiver_answer(d), 77);
        }
        raw_send();
        CHECK(raw_aborted(FAILED));
        raw_part();
    }
}

static void test_descriptor_of_the_call_itself(void)
{
    raw_begin();
    rpc_promised_answer_set_question_id(rpc_cap_descriptor_init_receiver_answer(raw_cap_param(raw_call(1, 0, 4))), 1);
    raw_send();
    CHECK(raw_aborted(FAILED));
    raw_part();
}

static void test_capability_index_out_of_range(void)
{
    raw_begin();
    struct rpc_payload_builder payload = raw_call(1, 0, 4);
    struct capnp_builder params = capnp_init_struct(rpc_payload_slot_content(payload), 0, 1);
    params.pointers[0] = 0x0000000700000003ull;
    raw_send();
    CHECK(raw_aborted(FAILED));
    raw_part();
}

static void test_too_many_capabilities(void)
{
    raw_begin();
    struct rpc_payload_builder payload = raw_call(1, 0, 14);
    rpc_payload_init_cap_table(payload, MESSAGE_CAPS_MAX + 1);
    raw_send();
    CHECK(raw_aborted(OVERLOADED));
    raw_part();
    raw_begin();
    payload = raw_call(1, 0, 14);
    struct rpc_cap_descriptor_builders table = rpc_payload_init_cap_table(payload, 17); /* imports is 16 */
    for (uint32_t i = 0; i < 17; i++) {
        rpc_cap_descriptor_set_sender_hosted(rpc_cap_descriptor_builder_at(table, i), i);
    }
    raw_send();
    CHECK(raw_aborted(OVERLOADED));
    raw_part();
}

static void test_resolve_of_what_is_no_promise(void)
{
    raw_begin();
    rpc_cap_descriptor_set_sender_hosted(raw_cap_param(raw_call(1, 0, 4)), 5);
    raw_send();
    struct rpc_resolve_builder r = rpc_message_init_resolve(raw_new());
    rpc_resolve_set_promise_id(r, 5);
    rpc_cap_descriptor_set_sender_hosted(rpc_resolve_init_cap(r), 6);
    raw_send();
    CHECK(raw_aborted(FAILED));
    raw_part();
}

static void resolve(uint32_t id, uint32_t to)
{
    struct rpc_resolve_builder r = rpc_message_init_resolve(raw_new());
    rpc_resolve_set_promise_id(r, id);
    rpc_cap_descriptor_set_sender_promise(rpc_resolve_init_cap(r), to);
    raw_send();
}

static void test_resolve_loops(void)
{
    raw_begin();
    rpc_cap_descriptor_set_sender_promise(raw_cap_param(raw_call(1, 0, 4)), 5);
    raw_send();
    resolve(5, 5);
    CHECK(raw_aborted(FAILED));
    raw_part();
    raw_begin();
    rpc_cap_descriptor_set_sender_promise(raw_cap_param(raw_call(1, 0, 4)), 5);
    raw_send();
    resolve(5, 6);
    resolve(6, 5);
    CHECK(raw_aborted(FAILED));
    raw_part();
}

static void test_resolve_twice(void)
{
    raw_begin();
    rpc_cap_descriptor_set_sender_promise(raw_cap_param(raw_call(1, 0, 4)), 5);
    raw_send();
    resolve(5, 6);
    resolve(5, 7);
    CHECK(raw_aborted(FAILED));
    raw_part();
}

static void test_resolve_of_the_unknown_releases_its_capability(void)
{
    raw_begin();
    resolve(50, 51);
    REQUIRE(raw_next());
    CHECK_EQ(rpc_message_get_which(raw_read()), RPC_MESSAGE_WHICH_RELEASE);
    CHECK_EQ(rpc_release_get_id(rpc_message_get_release(raw_read())), 51);
    CHECK_EQ(raw_c->state, VAT_OPEN);
    raw_part();
}

static void test_embargo_that_nobody_asked_for(void)
{
    static const uint32_t ids[] = {0, 31, 32, 0xFFFFFFFF};
    for (unsigned i = 0; i < 4; i++) {
        raw_begin();
        struct rpc_disembargo_builder d = rpc_message_init_disembargo(raw_new());
        rpc_message_target_set_imported_cap(rpc_disembargo_init_target(d), 0);
        rpc_disembargo_context_set_receiver_loopback(rpc_disembargo_edit_context(d), ids[i]);
        raw_send();
        CHECK(raw_aborted(FAILED));
        raw_part();
    }
}

static void test_embargo_loop_on_what_is_ours(void)
{
    raw_begin();
    struct rpc_disembargo_builder d = rpc_message_init_disembargo(raw_new());
    rpc_message_target_set_imported_cap(rpc_disembargo_init_target(d), 0); /* it does not lead back */
    rpc_disembargo_context_set_sender_loopback(rpc_disembargo_edit_context(d), 3);
    raw_send();
    CHECK(raw_aborted(FAILED));
    raw_part();
}

static void test_levels_three_and_four_are_unimplemented(void)
{
    raw_begin();
    for (uint16_t which = 7; which <= 20; which++) {
        if (which == 8 || which == 13) {
            continue;
        }
        struct rpc_message_builder m = raw_new();
        rpc_message_slot_provide(m);
        capnp_put_u16(m.s, 0, which);
        raw_send();
        REQUIRE(raw_next());
        CHECK_EQ(rpc_message_get_which(raw_read()), RPC_MESSAGE_WHICH_UNIMPLEMENTED);
        CHECK_EQ(rpc_message_get_which(rpc_message_get_unimplemented(raw_read())), which);
    }
    CHECK_EQ(raw_c->state, VAT_OPEN);
    raw_part();
}

static void test_results_for_a_third_party(void)
{
    raw_begin();
    struct rpc_call_builder c = rpc_message_init_call(raw_new());
    rpc_call_set_question_id(c, 1);
    rpc_call_init_params(c);
    rpc_message_target_set_imported_cap(rpc_call_init_target(c), 0);
    rpc_call_send_results_to_slot_third_party(rpc_call_edit_send_results_to(c));
    capnp_put_u16(c.s, 6, 2);
    raw_send();
    raw_failed(1, UNIMPLEMENTED);
    raw_part();
}

static void test_unimplemented_ends_our_question(void)
{
    raw_begin();
    struct object *theirs = vat_bootstrap(raw_c);
    struct ask *a = ask_next(theirs);
    raw_settle();
    for (unsigned i = 0; i < 2; i++) {
        REQUIRE(raw_next());
        struct rpc_message_reader got = raw_read();
        rpc_message_set_unimplemented(raw_new(), got);
        raw_send();
    }
    CHECK(failed_as(a, EXCEPTION_UNIMPLEMENTED));
    CHECK_EQ(raw_c->state, VAT_OPEN);
    CHECK_EQ(raw_c->question_count, 0);
    ask_free(a);
    object_put(theirs);
    raw_part();
}

static void test_unimplemented_nested(void)
{
    raw_begin();
    struct rpc_message_builder m = raw_new();
    for (unsigned i = 0; i < 60; i++) {
        m = rpc_message_init_unimplemented(m);
    }
    raw_send();
    CHECK(raw_aborted(UNIMPLEMENTED));
    raw_part();
}

static void test_never_finishes(void)
{
    raw_begin();
    for (uint32_t id = 1; id < 1000 && raw_c->state == VAT_OPEN; id++) {
        raw_call(id, 0, 14);
        raw_send();
    }
    CHECK(raw_aborted(OVERLOADED));
    raw_part();
}

static void test_never_finishes_results_with_capabilities(void)
{
    raw_begin();
    for (uint32_t id = 1; id < 1000 && raw_c->state == VAT_OPEN; id++) {
        raw_call(id, 0, 2);
        raw_send();
    }
    CHECK(raw_aborted(OVERLOADED));
    raw_settle();
    CHECK_EQ(things_alive, 1);
    raw_part();
}

/* Calls that run fill the window: it is read no further, and goes on when one returns. */
static void test_window_of_running_calls(void)
{
    raw_begin();
    for (uint32_t id = 1; id <= 30; id++) {
        raw_call(id, 0, 1);
        raw_send();
    }
    CHECK(raw_c->state == VAT_OPEN);
    CHECK_EQ(raw_c->running, small_options.live);
    uint32_t returned = 0;
    while (!list_empty(&raw_thing->held)) {
        thing_let_go(raw_thing);
        raw_settle();
        returned++;
    }
    CHECK_EQ(returned, 30);
    raw_part();
}

/* A call that waits is looked at whenever something becomes free, thousands of times beside busy peers: it stays what it was. */
static void test_a_call_that_waits_for_long(void)
{
    raw_begin();
    for (uint32_t id = 1; id <= small_options.live + 1; id++) {
        raw_call(id, 0, 1);
        raw_send();
    }
    for (unsigned i = 0; i < 10000; i++) {
        vat_stream_feed(raw_c);
    }
    CHECK_EQ(raw_c->running, small_options.live);
    uint32_t returned = 0;
    for (; !list_empty(&raw_thing->held); returned++) {
        thing_let_go(raw_thing);
        raw_settle();
    }
    CHECK_EQ(returned, small_options.live + 1);
    CHECK(raw_c->state == VAT_OPEN);
    raw_part();
}

/* It reads nothing of what it asked for: memory is bounded, and after a while it is cut off. */
static void test_window_that_is_never_credited(void)
{
    raw_begin();
    raw.deaf = true;
    for (uint32_t id = 1; id <= 20; id++) {
        struct rpc_payload_builder payload = raw_call(id, 0, 11);
        thing_bytes_params_set_size(
            (struct thing_bytes_params_builder){capnp_init_struct(rpc_payload_slot_content(payload), 1, 1)}, 60000);
        raw_send();
    }
    CHECK(raw_c->state == VAT_OPEN);
    CHECK(raw_c->held_bytes <= small_options.window_bytes + VAT_LARGE_BYTES);
    CHECK(raw_vat->buffers[VAT_MEDIUM].free_count > 0);
    for (unsigned i = 0; i < 6; i++) {
        time_passes(5 * NS_PER_S);
        raw_settle();
    }
    CHECK(raw_c->state != VAT_OPEN);
    raw_part();
}

/* What is lent when nobody has been watched for long is watched as well. */
static void test_what_is_lent_after_a_silence_is_watched(void)
{
    raw_begin();
    raw_call(1, 0, 1);
    raw_send();
    for (unsigned i = 0; i < 2; i++) {
        time_passes(6 * NS_PER_S);
        raw_settle();
    }
    CHECK(!timer_armed(&raw_vat->stall));
    raw.deaf = true;
    thing_let_go(raw_thing);
    for (unsigned i = 0; i < 4; i++) {
        raw_settle();
        time_passes(6 * NS_PER_S);
    }
    raw_settle();
    CHECK(raw_c->state != VAT_OPEN);
    CHECK(raw.closed);
    raw_part();
}

static void test_half_a_message_and_silence(void)
{
    raw_begin();
    raw_call(1, 0, 14);
    uint64_t header;
    capnp_frame_header(&out_message, &header, 8);
    raw_bytes(&header, 8);
    raw_bytes(out_words, 16);
    raw_settle();
    CHECK_EQ(raw_c->state, VAT_OPEN);
    for (unsigned i = 0; i < 6; i++) {
        time_passes(5 * NS_PER_S);
        raw_settle();
    }
    CHECK(raw_c->state != VAT_OPEN);
    raw_part();
}

static void test_silence_between_messages_is_fine(void)
{
    raw_begin();
    for (unsigned i = 0; i < 20; i++) {
        time_passes(5 * NS_PER_S);
        raw_settle();
    }
    CHECK_EQ(raw_c->state, VAT_OPEN);
    raw_part();
}

static void test_results_for_ourselves_are_taken(void)
{
    raw_begin();
    struct object *theirs = vat_bootstrap(raw_c);
    struct ask *a = ask_next(theirs);
    raw_settle();
    REQUIRE(raw_next()); /* Bootstrap, question 0 */
    REQUIRE(raw_next()); /* Call, question 1 */
    /* The peer turns the call round: asks us, keeps the results here, and names them in its Return. */
    struct rpc_call_builder c = raw_call_new(40, 6);
    rpc_call_init_params(c);
    rpc_message_target_set_imported_cap(rpc_call_init_target(c), 0);
    rpc_call_send_results_to_set_yourself(rpc_call_edit_send_results_to(c));
    raw_send();
    struct rpc_return_builder r = rpc_message_init_return(raw_new());
    rpc_return_set_answer_id(r, 1);
    rpc_return_set_take_from_other_question(r, 40);
    raw_send();
    CHECK(numbered(a, raw_thing->number - 1));
    raw_finish(40, true);
    CHECK_EQ(raw_c->state, VAT_OPEN);
    CHECK_EQ(raw_c->live_count, 0);
    ask_free(a);
    object_put(theirs);
    raw_part();
}

static void test_taking_what_is_not_kept(void)
{
    raw_begin();
    struct object *theirs = vat_bootstrap(raw_c);
    struct ask *a = ask_next(theirs);
    raw_settle();
    raw_call(40, 0, 1);
    raw_send();
    struct rpc_return_builder r = rpc_message_init_return(raw_new());
    rpc_return_set_answer_id(r, 1);
    rpc_return_set_take_from_other_question(r, 40);
    raw_send();
    CHECK(raw_aborted(FAILED));
    CHECK(failed_as(a, EXCEPTION_DISCONNECTED));
    ask_free(a);
    object_put(theirs);
    raw_part();
}

static void test_malformed_results(void)
{
    raw_begin();
    struct object *theirs = vat_bootstrap(raw_c);
    struct ask *a = ask_next(theirs);
    raw_settle();
    struct rpc_return_builder r = rpc_message_init_return(raw_new());
    rpc_return_set_answer_id(r, 1);
    struct rpc_payload_builder payload = rpc_return_init_results(r);
    *rpc_payload_slot_content(payload).at = 0x7FFFFFFCull | 0x0000000100000000ull;
    raw_send();
    CHECK(a->done && a->failed);
    CHECK(raw_aborted(FAILED));
    ask_free(a);
    object_put(theirs);
    raw_part();
}

static void test_abort_of_the_peer(void)
{
    raw_begin();
    raw_call(1, 0, 1);
    raw_send();
    rpc_exception_set_reason(rpc_message_init_abort(raw_new()), capnp_text("I have had enough"));
    raw_send();
    CHECK(raw_c->state != VAT_OPEN);
    CHECK(list_empty(&raw_thing->held)); /* cancelled */
    raw_part();
}

/* The separate writes that once cost a peer a factor of 1,000: what one delivery causes leaves in one piece where it can. */
static void test_finish_and_release_coalesce(void)
{
    raw_begin();
    struct object *theirs = vat_bootstrap(raw_c);
    struct ask *a = ask_next(theirs);
    raw_settle();
    for (uint32_t id = 0; id < 2; id++) {
        struct rpc_return_builder r = rpc_message_init_return(raw_new());
        rpc_return_set_answer_id(r, id);
        rpc_return_set_canceled(r);
        uint64_t header;
        capnp_frame_header(&out_message, &header, 8);
        memmove(out_words + 1, out_words, out_segment.used * 8);
        out_words[0] = header;
        static uint64_t both[64];
        memcpy(both + id * (out_segment.used + 1), out_words, (out_segment.used + 1) * 8);
        if (id == 1) {
            raw_bytes(both, 2 * (out_segment.used + 1) * 8);
        }
    }
    stream_pair_deliver(&raw_pair, &raw_pair.b);
    CHECK_EQ(raw_pair.a.lend_count, 1); /* two Finishes, one piece */
    raw_settle();
    ask_free(a);
    object_put(theirs);
    raw_part();
}

int main(void)
{
    RUN(test_well_behaved);
    RUN(test_segment_count_too_large);
    RUN(test_message_too_large);
    RUN(test_segment_sizes_that_overflow);
    RUN(test_empty_message);
    RUN(test_malformed_root);
    RUN(test_every_word_of_a_call_damaged);
    RUN(test_every_word_of_a_pipelined_call_damaged);
    RUN(test_bootstrap_that_is_not_there_is_not_answered);
    RUN(test_call_that_is_not_there_is_not_refused);
    RUN(test_call_without_its_table_of_capabilities_is_not_answered);
    RUN(test_params_that_are_not_the_methods);
    RUN(test_void_list_costs_nothing);
    RUN(test_release_of_too_many);
    RUN(test_release_of_what_is_not_there);
    RUN(test_release_twice);
    RUN(test_import_count_overflow);
    RUN(test_question_id_used_twice);
    RUN(test_question_id_after_finish_before_return);
    RUN(test_finish_of_a_chain_cancels_all_of_it);
    RUN(test_finish_of_results_that_nobody_takes_any_more);
    RUN(test_promises_of_one_answer_end_each_other);
    RUN(test_finish_of_what_is_not_open);
    RUN(test_return_of_what_is_not_open);
    RUN(test_call_on_unknown_capability);
    RUN(test_call_on_unknown_question);
    RUN(test_call_on_itself);
    RUN(test_transform_on_what_is_no_pointer);
    RUN(test_transform_unknown_or_too_long);
    RUN(test_descriptor_of_unknown_things);
    RUN(test_descriptor_of_the_call_itself);
    RUN(test_capability_index_out_of_range);
    RUN(test_too_many_capabilities);
    RUN(test_resolve_of_what_is_no_promise);
    RUN(test_resolve_loops);
    RUN(test_resolve_twice);
    RUN(test_resolve_of_the_unknown_releases_its_capability);
    RUN(test_embargo_that_nobody_asked_for);
    RUN(test_embargo_loop_on_what_is_ours);
    RUN(test_levels_three_and_four_are_unimplemented);
    RUN(test_results_for_a_third_party);
    RUN(test_unimplemented_ends_our_question);
    RUN(test_unimplemented_nested);
    RUN(test_never_finishes);
    RUN(test_never_finishes_results_with_capabilities);
    RUN(test_window_of_running_calls);
    RUN(test_a_call_that_waits_for_long);
    RUN(test_window_that_is_never_credited);
    RUN(test_what_is_lent_after_a_silence_is_watched);
    RUN(test_half_a_message_and_silence);
    RUN(test_silence_between_messages_is_fine);
    RUN(test_results_for_ourselves_are_taken);
    RUN(test_taking_what_is_not_kept);
    RUN(test_malformed_results);
    RUN(test_abort_of_the_peer);
    RUN(test_finish_and_release_coalesce);
    return test_end();
}
