/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_books_test.c: the books about what a peer holds: each reference that is counted is given back, by whatever message it
 * comes back, and once; also when that crosses something of ours that waits to be sent.
 */
#include "vat_raw.h"

/* As if it had said ST_FULL: what comes next waits in the vat. */
static void stream_stops(void)
{
    raw_c->full = true;
}
static void stream_goes_on(void)
{
    raw_pair.a.client->ops->room(raw_pair.a.client);
    raw_settle();
}

static void return_nothing(uint32_t question, bool release_params)
{
    struct rpc_return_builder r = rpc_message_init_return(raw_new());

    rpc_return_set_answer_id(r, question);
    rpc_return_set_release_param_caps(r, release_params);
    capnp_init_struct(rpc_payload_slot_content(rpc_return_init_results(r)), 0, 0);
    raw_send();
}

/* keep(thing) on the peer: question 1 of ours, with a capability of ours in its params. */
static struct ask *lend_a_thing(struct object *theirs)
{
    struct thing *made = thing_new();
    struct ask *a = ask_keep(theirs, &made->object);

    object_put(&made->object);
    raw_settle();
    CHECK_EQ(raw_c->export_count, 2); /* it, and the bootstrap object */
    return a;
}

static void test_return_releases_the_capabilities_of_the_params(void)
{
    raw_begin();
    struct object *theirs = vat_bootstrap(raw_c);
    struct ask *a = lend_a_thing(theirs);
    return_nothing(1, true);
    CHECK(a->done && !a->failed);
    CHECK_EQ(raw_c->export_count, 1);
    ask_free(a);
    CHECK_EQ(things_alive, 1);
    object_put(theirs);
    raw_part();
}

static void test_return_keeps_the_capabilities_of_the_params(void)
{
    raw_begin();
    struct object *theirs = vat_bootstrap(raw_c);
    struct ask *a = lend_a_thing(theirs);
    return_nothing(1, false);
    CHECK(a->done && !a->failed);
    CHECK_EQ(raw_c->export_count, 2);
    raw_release(1, 1);
    CHECK_EQ(raw_c->export_count, 1);
    CHECK_EQ(raw_c->state, VAT_OPEN);
    ask_free(a);
    object_put(theirs);
    raw_part();
}

/* It was not taken, so nor were its capabilities. */
static void test_unimplemented_gives_back_the_capabilities_of_the_params(void)
{
    raw_begin();
    struct object *theirs = vat_bootstrap(raw_c);
    struct ask *a = lend_a_thing(theirs);
    rpc_call_set_question_id(rpc_message_init_call(rpc_message_init_unimplemented(raw_new())), 1);
    raw_send();
    CHECK(failed_as(a, EXCEPTION_UNIMPLEMENTED));
    CHECK_EQ(raw_c->export_count, 1);
    ask_free(a);
    object_put(theirs);
    raw_part();
}

/* An export that has been sent as often as can be counted is not sent once more. */
static void test_export_count_overflow(void)
{
    raw_begin();
    raw_c->export[0].references = UINT32_MAX;
    rpc_cap_descriptor_set_receiver_hosted(raw_cap_param(raw_call(1, 0, 7)), 0);
    raw_send();
    raw_failed(1, OVERLOADED);
    raw_bootstrap(2);
    raw_failed(2, OVERLOADED);
    CHECK_EQ(raw_c->export[0].references, UINT32_MAX);
    CHECK_EQ(raw_c->state, VAT_OPEN);
    raw_release(0, UINT32_MAX);
    CHECK_EQ(raw_c->export_count, 0);
    raw_part();
}

/* The peer lets go of a promise while our Resolve of it waits to be sent: the Resolve is for nobody. */
static void test_promise_is_released_before_its_resolve_is_sent(void)
{
    raw_begin();
    raw_call(1, 0, 9); /* promise: export 1 */
    raw_send();
    raw_returned(1);
    raw_finish(1, false);
    struct object *promise = object_get(raw_thing->promise);
    stream_stops();
    raw_call(2, 0, 14); /* its Return waits for the stream, and all else behind it */
    raw_send();
    vat_promise_resolve(promise, &raw_thing->object);
    object_put(raw_thing->promise);
    raw_thing->promise = NULL;
    raw_release(1, 1);
    CHECK_EQ(raw_c->export_count, 1);
    stream_goes_on();
    raw_returned(2);
    CHECK(!raw_next());
    CHECK_EQ(raw_c->state, VAT_OPEN);
    object_put(promise);
    raw_part();
}

/* While calls of ours wait for the peer, it is read on when its own calls have filled the window: each one more is refused. */
static void test_call_beyond_the_window_while_we_wait(void)
{
    raw_begin();
    struct object *theirs = vat_bootstrap(raw_c);
    struct ask *a = ask_next(theirs);
    raw_settle();
    REQUIRE(raw_next() && raw_next()); /* Bootstrap, Call */
    for (uint32_t id = 1; id <= small_options.live; id++) {
        raw_call(id, 0, 1);
        raw_send();
    }
    CHECK_EQ(raw_c->running, small_options.live);
    rpc_cap_descriptor_set_sender_hosted(raw_cap_param(raw_call(100, 0, 4)), 5);
    raw_send();
    REQUIRE(raw_next());
    CHECK_EQ(rpc_release_get_id(rpc_message_get_release(raw_read())), 5); /* what it carried goes back */
    raw_failed(100, OVERLOADED);
    raw_bootstrap(101);
    raw_failed(101, OVERLOADED);
    CHECK_EQ(raw_c->running, small_options.live);
    CHECK_EQ(raw_c->state, VAT_OPEN);
    return_nothing(1, true);
    CHECK(a->done);
    ask_free(a);
    object_put(theirs);
    raw_part();
}

/* Others have all larger buffers, and we begin to wait for a peer whose call waits for one: that call runs, so that the Return
 * behind it is read. It fails only if its results need such a buffer, and is refused only if the peer holds one itself. */
static void test_call_runs_without_a_buffer_for_its_results_while_we_wait(void)
{
    struct vat_message *hog[6];

    raw_begin();
    rpc_cap_descriptor_set_sender_hosted(raw_cap_param(raw_call(1, 0, 4)), 5); /* keep */
    raw_send();
    raw_returned(1);
    raw_finish(1, false);
    for (unsigned i = 0; i < 6; i++) {
        hog[i] = vat_message_new(raw_vat, 5000);
        REQUIRE(hog[i] != NULL && hog[i]->size == VAT_MEDIUM);
    }
    raw_call(2, 0, 14); /* empty */
    raw_send();
    raw_call(3, 0, 12); /* many */
    raw_send();
    CHECK(!raw_next());
    struct ask *a = ask_next(raw_thing->kept);
    raw_settle();
    REQUIRE(raw_next() && rpc_message_get_which(raw_read()) == RPC_MESSAGE_WHICH_CALL);
    raw_returned(2);
    raw_failed(3, OVERLOADED);
    uint64_t calls = raw_vat->calls;
    vat_message_charge(hog[0], raw_c);
    raw_call(4, 0, 14);
    raw_send();
    raw_failed(4, OVERLOADED);
    CHECK_EQ(raw_vat->calls, calls); /* refused, not begun */
    return_nothing(0, true);
    CHECK(a->done && !a->failed);
    CHECK_EQ(raw_c->state, VAT_OPEN);
    for (unsigned i = 0; i < 6; i++) {
        vat_message_put(hog[i]);
    }
    ask_free(a);
    raw_part();
}

/* A result of the peer's turns out to be an object of ours, after a call went to it: there is an embargo. The receiverLoopback
 * that ends it is believed only once our Disembargo is out. */
static void test_embargo_answered_before_it_was_asked_for(void)
{
    raw_begin();
    struct object *theirs = vat_bootstrap(raw_c);
    struct ask *made = ask_make(theirs);
    struct object *p = pipelined(made, 0);
    struct ask *one = ask_next(p);
    raw_settle();
    stream_stops();
    raw_call(2, 0, 14); /* its Return keeps the Disembargo back */
    raw_send();
    struct rpc_return_builder r = rpc_message_init_return(raw_new());
    rpc_return_set_answer_id(r, 1);
    rpc_cap_descriptor_set_receiver_hosted(raw_cap_param(rpc_return_init_results(r)), 0);
    raw_send();
    struct ask *two = ask_next(p);
    raw_settle();
    CHECK(!two->done);
    struct rpc_disembargo_builder d = rpc_message_init_disembargo(raw_new());
    rpc_message_target_set_imported_cap(rpc_disembargo_init_target(d), 0);
    rpc_disembargo_context_set_receiver_loopback(rpc_disembargo_edit_context(d), vat_promise_index(vat_promise_of(p)));
    raw_send();
    CHECK(raw_c->state != VAT_OPEN);
    CHECK_EQ(raw_vat->aborted, raw_aborts_before + 1);
    stream_pair_abort(&raw_pair.b.stream);
    raw_settle();
    ask_free(one);
    ask_free(two);
    ask_free(made);
    object_put(p);
    object_put(theirs);
    raw_part();
}

/* The pointer that vat_open() gave stays good when the peer has gone: nobody else's connection is ended by it. */
static void test_connection_is_its_openers_until_it_is_closed(void)
{
    struct vat_usage usage;
    struct vat_connection *other[4];

    raw_begin();
    stream_pair_abort(&raw_pair.b.stream);
    raw_settle();
    vat_usage(raw_vat, &usage);
    CHECK_EQ(usage.connections, 1);
    CHECK_EQ(usage.exports + usage.live + usage.small, 0);
    CHECK(vat_bootstrap(raw_c) == NULL);
    for (unsigned i = 0; i < 4; i++) {
        other[i] = vat_open(raw_vat);
        CHECK(other[i] != raw_c && (other[i] == NULL) == (i == 3));
    }
    vat_close(raw_c);
    raw_settle();
    CHECK(other[0]->state == VAT_OPEN);
    for (unsigned i = 0; i < 3; i++) {
        vat_close(other[i]);
    }
    raw_settle();
    CHECK(vat_empty(raw_vat));
}

int main(void)
{
    RUN(test_return_releases_the_capabilities_of_the_params);
    RUN(test_return_keeps_the_capabilities_of_the_params);
    RUN(test_unimplemented_gives_back_the_capabilities_of_the_params);
    RUN(test_export_count_overflow);
    RUN(test_promise_is_released_before_its_resolve_is_sent);
    RUN(test_call_beyond_the_window_while_we_wait);
    RUN(test_call_runs_without_a_buffer_for_its_results_while_we_wait);
    RUN(test_embargo_answered_before_it_was_asked_for);
    RUN(test_connection_is_its_openers_until_it_is_closed);
    return test_end();
}
