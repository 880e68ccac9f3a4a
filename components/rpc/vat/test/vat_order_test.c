/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_order_test.c: peers whose promises cross ours, who hold more than their share, or who keep things alive: calls keep
 * their order, others keep their room, and nothing outlives the connection.
 */
#include "vat_raw.h"

/* ---- promises of both sides ---- */

static void resolve_to_ours(uint32_t promise, uint32_t export)
{
    struct rpc_resolve_builder r = rpc_message_init_resolve(raw_new());

    rpc_resolve_set_promise_id(r, promise);
    rpc_cap_descriptor_set_receiver_hosted(rpc_resolve_init_cap(r), export);
    raw_send();
}

static void on_first_pointer(struct rpc_promised_answer_builder promised)
{
    rpc_promised_answer_op_set_get_pointer_field(
        rpc_promised_answer_op_builder_at(rpc_promised_answer_init_transform(promised, 1), 0), 0);
}

/* What was told last is the peer's own promise. It may lead on to a thing of ours before the peer's Disembargo comes: two
 * resolutions that cross each other. */
static void test_disembargo_of_a_promise_that_led_on(void)
{
    raw_begin();
    rpc_cap_descriptor_set_sender_promise(raw_cap_param(raw_call(1, 0, 7)), 5); /* give: comes back as it went */
    raw_send();
    on_first_pointer(raw_call_on(2, 1, 6));
    raw_send();
    resolve_to_ours(5, 0);
    struct rpc_disembargo_builder d = rpc_message_init_disembargo(raw_new());
    struct rpc_promised_answer_builder target = rpc_message_target_init_promised_answer(rpc_disembargo_init_target(d));
    rpc_promised_answer_set_question_id(target, 1);
    on_first_pointer(target);
    rpc_disembargo_context_set_sender_loopback(rpc_disembargo_edit_context(d), 77);
    raw_send();
    CHECK_EQ(raw_c->state, VAT_OPEN);
    bool back = false;
    while (raw_next()) {
        if (rpc_message_get_which(raw_read()) == RPC_MESSAGE_WHICH_DISEMBARGO) {
            struct rpc_disembargo_reader r = rpc_message_get_disembargo(raw_read());
            back = rpc_disembargo_context_get_receiver_loopback(rpc_disembargo_get_context(r)) == 77;
        }
    }
    CHECK(back);
    raw_part();
}

/* A Disembargo whose target is not there would read as export 0, which is a promise of ours that leads back to the peer. */
static void test_disembargo_that_is_not_there_is_not_answered(void)
{
    for (unsigned damaged = 0; damaged < 2; damaged++) {
        raw_begin();
        raw_call(1, 0, 2); /* make: export 1 */
        raw_send();
        raw_returned(1);
        raw_finish(1, false);
        raw_release(0, 1);
        raw_call(2, 1, 9); /* promise: export 0 */
        raw_send();
        rpc_cap_descriptor_set_sender_hosted(raw_cap_param(raw_call(3, 1, 4)), 5); /* keep */
        raw_send();
        vat_promise_resolve(last_promiser->promise, last_promiser->kept);
        object_put(last_promiser->promise);
        last_promiser->promise = NULL;
        raw_settle();
        while (raw_next()) {
        }
        struct rpc_disembargo_builder d = rpc_message_init_disembargo(raw_new());
        rpc_message_target_set_imported_cap(rpc_disembargo_init_target(d), 0);
        rpc_disembargo_context_set_sender_loopback(rpc_disembargo_edit_context(d), 3);
        d.s.pointers[0] = damaged ? FAR_BEYOND : d.s.pointers[0];
        raw_send();
        if (damaged) {
            raw_only_aborted();
        } else {
            REQUIRE(raw_next());
            CHECK_EQ(rpc_message_get_which(raw_read()), RPC_MESSAGE_WHICH_DISEMBARGO);
        }
        raw_part();
    }
}

/* A pipeline becomes a promise of the peer's, and that a thing of ours: what went out first must come back first. */
static void test_order_over_two_resolutions(void)
{
    raw_begin();
    struct object *theirs = vat_bootstrap(raw_c);
    struct ask *made = ask_make(theirs);
    struct object *p = pipelined(made, 0);
    struct ask *one = ask_next(p);
    raw_settle();
    struct rpc_return_builder r = rpc_message_init_return(raw_new());
    rpc_return_set_answer_id(r, 1);
    rpc_cap_descriptor_set_sender_promise(raw_cap_param(rpc_return_init_results(r)), 5);
    raw_send();
    resolve_to_ours(5, 0);
    struct ask *two = ask_next(p);
    raw_settle();
    CHECK(!one->done);
    CHECK(!two->done); /* until a Disembargo has been to the peer and back */
    stream_pair_abort(&raw_pair.b.stream);
    raw_settle();
    object_put(p);
    object_put(theirs);
    raw_settle();
    ask_free(one);
    ask_free(two);
    ask_free(made);
    raw_part();
}

/* Ours is the peer's, and the peer's is ours: a ring over both sides, in which a Disembargo would run for ever. */
static void test_ring_over_both_sides(void)
{
    for (unsigned called = 0; called < 2; called++) {
        raw_begin();
        raw_call(1, 0, 9); /* promise: the peer gets export 1 */
        raw_send();
        rpc_cap_descriptor_set_sender_promise(raw_cap_param(raw_call(2, 0, 4)), 5); /* keep */
        raw_send();
        struct object *promise = raw_thing->promise;
        raw_thing->promise = NULL;
        struct ask *a = called ? ask_next(raw_thing->kept) : NULL;
        vat_promise_resolve(promise, raw_thing->kept);
        raw_settle();
        resolve_to_ours(5, 1);
        CHECK(raw_aborted(FAILED));
        object_put(promise);
        if (a != NULL) {
            raw_settle();
            CHECK(failed_as(a, EXCEPTION_DISCONNECTED));
            ask_free(a);
        }
        raw_part();
    }
}

/* Resolves a promise from inside a call that waited in another. */
static struct nest {
    struct object object;
    struct object *promise, *to;
} nest;

static void nest_call(struct object *self, struct call *call)
{
    struct nest *n = CONTAINER_OF(self, struct nest, object);

    vat_promise_resolve(n->promise, n->to);
    call_return(call);
}

static void test_promise_resolved_inside_a_queued_call(void)
{
    static const struct object_ops ops = {.call = nest_call};

    raw_begin();
    raw_call(1, 0, 9); /* promise: the peer gets export 1 */
    raw_send();
    struct object *given = raw_thing->promise;
    struct ask *queued = ask_next(given);
    struct thing *made = thing_new();
    object_init(&nest.object, &ops);
    nest.promise = given;
    nest.to = &made->object;
    struct object *outer = vat_promise_new(raw_vat);
    struct ask *trigger = ask_next(outer);
    raw_settle();
    vat_promise_resolve(outer, &nest.object);
    raw_settle();
    CHECK(queued->done && trigger->done);
    unsigned resolves = 0;
    while (raw_next()) {
        if (rpc_message_get_which(raw_read()) == RPC_MESSAGE_WHICH_RESOLVE) {
            struct rpc_resolve_reader resolve = rpc_message_get_resolve(raw_read());
            resolves++;
            CHECK(rpc_cap_descriptor_get_sender_hosted(rpc_resolve_get_cap(resolve)) !=
                  rpc_resolve_get_promise_id(resolve));
        }
    }
    CHECK_EQ(resolves, 1);
    ask_free(queued);
    ask_free(trigger);
    object_put(outer);
    raw_thing->promise = NULL;
    object_put(given);
    object_put(&made->object);
    raw_part();
}

/* Resolves a promise and calls it, from inside a call that waited in another: the promise's own calls have not run yet. */
static struct ask *late;

static void overtake_call(struct object *self, struct call *call)
{
    nest_call(self, call);
    late = ask_next(nest.promise);
}

static void test_call_queues_behind_those_of_a_resolved_promise(void)
{
    static const struct object_ops ops = {.call = overtake_call};

    raw_begin();
    struct thing *made = thing_new();
    struct object *promise = vat_promise_new(raw_vat);
    struct ask *early = ask_next(promise);
    struct object *outer = vat_promise_new(raw_vat);
    struct ask *trigger = ask_next(outer);
    object_init(&nest.object, &ops);
    nest.promise = promise;
    nest.to = &made->object;
    vat_promise_resolve(outer, &nest.object);
    raw_settle();
    CHECK(trigger->done);
    CHECK(numbered(early, 0));
    CHECK(numbered(late, 1));
    ask_free(early);
    ask_free(late);
    ask_free(trigger);
    object_put(outer);
    object_put(promise);
    object_put(&made->object);
    raw_part();
}

/* ---- chains ---- */

/* What a chain leads to: tells how deep the stack is when it dies. */
static struct chain_end {
    struct object object;
    uintptr_t frame;
} chain_end;

static void chain_end_dead(struct object *self)
{
    CONTAINER_OF(self, struct chain_end, object)->frame = (uintptr_t)__builtin_frame_address(0);
}

static void chain_end_init(void)
{
    static const struct object_ops ops = {.call = nest_call, .dead = chain_end_dead};

    object_init(&chain_end.object, &ops);
    chain_end.frame = 0;
}

/* Promises of ours, each resolved to the next while that was not known. */
static uintptr_t depth_of_promises(uint32_t count)
{
    struct object *p[20];

    raw_begin();
    chain_end_init();
    for (uint32_t i = 0; i < count; i++) {
        p[i] = vat_promise_new(raw_vat);
    }
    for (uint32_t i = 0; i < count; i++) {
        vat_promise_resolve(p[i], i + 1 < count ? p[i + 1] : &chain_end.object);
    }
    object_put(&chain_end.object);
    for (uint32_t i = count; i-- > 0;) {
        CHECK_EQ(chain_end.frame, 0);
        object_put(p[i]);
    }
    raw_part();
    return chain_end.frame;
}

static void resolve_to_theirs(uint32_t promise, uint32_t next)
{
    struct rpc_resolve_builder r = rpc_message_init_resolve(raw_new());

    rpc_resolve_set_promise_id(r, promise);
    rpc_cap_descriptor_set_sender_promise(rpc_resolve_init_cap(r), next);
    raw_send();
}

/* raw_thing keeps the peer's promise `first`, and a call has gone to it: whatever it becomes has a promise before it. */
static void keep_a_called_promise(uint32_t first)
{
    rpc_cap_descriptor_set_sender_promise(raw_cap_param(raw_call(1, 0, 4)), first);
    raw_send();
    struct ask *a = ask_next(raw_thing->kept);
    raw_settle();
    struct rpc_return_builder r = rpc_message_init_return(raw_new());
    rpc_return_set_answer_id(r, 0);
    rpc_return_set_canceled(r);
    raw_send();
    CHECK(a->done);
    ask_free(a);
}

/* Answers the Disembargo that stands somewhere among what came. */
static void answer_disembargo(void)
{
    while (raw_next()) {
        if (rpc_message_get_which(raw_read()) == RPC_MESSAGE_WHICH_DISEMBARGO) {
            struct rpc_disembargo_reader asked = rpc_message_get_disembargo(raw_read());
            uint32_t id = rpc_disembargo_context_get_sender_loopback(rpc_disembargo_get_context(asked));
            struct rpc_disembargo_builder d = rpc_message_init_disembargo(raw_new());
            rpc_message_target_set_imported_cap(rpc_disembargo_init_target(d), 0);
            rpc_disembargo_context_set_receiver_loopback(rpc_disembargo_edit_context(d), id);
            raw_send();
            return;
        }
    }
    CHECK(false);
}

/* Promises of the peer's, each resolved to the next, the last to an object of ours, whose only holder they are. */
static uintptr_t depth_of_resolved_imports(uint32_t count)
{
    raw_begin();
    chain_end_init();
    keep_a_called_promise(5);
    raw_call(2, 0, 9); /* promise: export 1 */
    raw_send();
    vat_promise_resolve(raw_thing->promise, &chain_end.object);
    object_put(raw_thing->promise);
    raw_thing->promise = NULL;
    object_put(&chain_end.object);
    for (uint32_t i = 0; i < count; i++) {
        resolve_to_theirs(5 + i, 6 + i);
    }
    resolve_to_ours(5 + count, 1);
    answer_disembargo();
    raw_finish(2, true);
    CHECK_EQ(raw_c->export_count, 2); /* its Resolve told of the object itself: export 2 */
    raw_release(2, 1);
    CHECK_EQ(chain_end.frame, 0);
    raw_call(3, 0, 5); /* drop */
    raw_send();
    CHECK_EQ(raw_c->state, VAT_OPEN);
    CHECK_EQ(raw_c->imports.used, 0);
    raw_part();
    return chain_end.frame;
}

/* But for what a compiler makes of two calls: each link that is a level takes 48 bytes and more. */
static bool are_near(uintptr_t a, uintptr_t b)
{
    return (a > b ? a - b : b - a) < 256;
}

static void test_a_long_chain_ends_without_a_deep_stack(void)
{
    CHECK(depth_of_promises(2) != 0);
    CHECK(are_near(depth_of_promises(20), depth_of_promises(2)));
    CHECK(depth_of_resolved_imports(1) != 0);
    CHECK(are_near(depth_of_resolved_imports(12), depth_of_resolved_imports(1)));
}

/* ---- room ---- */

/* A peer that has everything echoed and reads nothing holds a few buffers, not all. */
static void test_unread_replies_are_bounded(void)
{
    struct vat_usage usage;

    raw_begin();
    vat_usage(raw_vat, &usage);
    uint32_t before = usage.small;
    raw.deaf = true;
    for (unsigned i = 0; i < 40 && raw_c->state == VAT_OPEN; i++) {
        capnp_put_u16(raw_new().s, 0, RPC_MESSAGE_WHICH_PROVIDE);
        raw_send();
    }
    vat_usage(raw_vat, &usage);
    CHECK_EQ(raw_c->state, VAT_OPEN);
    CHECK(usage.small - before <= VAT_REPLIES_MAX + 1);
    raw.deaf = false;
    stream_resume(&raw_pair.b.stream);
    raw_settle();
    unsigned echoed = 0;
    while (raw_next()) {
        echoed += rpc_message_get_which(raw_read()) == RPC_MESSAGE_WHICH_UNIMPLEMENTED;
    }
    CHECK_EQ(echoed, 40); /* once it reads, it gets them all */
    raw_part();
}

/* Results with more capabilities than a small buffer's own table holds pass through. */
static void test_forwarded_results_with_many_capabilities(void)
{
    raw_begin();
    rpc_cap_descriptor_set_sender_hosted(raw_cap_param(raw_call(1, 0, 7)), 5);
    raw_send();
    on_first_pointer(raw_call_on(2, 1, 12)); /* goes to the peer's own 5, by way of us */
    raw_send();
    while (raw_next()) {
    }
    struct rpc_return_builder r = rpc_message_init_return(raw_new());
    rpc_return_set_answer_id(r, 0);
    struct rpc_payload_builder payload = rpc_return_init_results(r);
    struct capnp_builder s = capnp_init_struct(rpc_payload_slot_content(payload), 0, 1);
    struct capnp_list_builder l = capnp_init_list(capnp_slot(s, 0), CAPNP_POINTER, 9);
    struct rpc_cap_descriptor_builders table = rpc_payload_init_cap_table(payload, 9);
    for (uint32_t i = 0; i < 9; i++) {
        *capnp_list_slot(l, i).at = (uint64_t)i << 32 | 3;
        rpc_cap_descriptor_set_sender_hosted(rpc_cap_descriptor_builder_at(table, i), 100 + i);
    }
    raw_send();
    bool results = false;
    while (raw_next()) {
        if (rpc_message_get_which(raw_read()) == RPC_MESSAGE_WHICH_RETURN) {
            results = rpc_return_get_which(rpc_message_get_return(raw_read())) == RPC_RETURN_WHICH_RESULTS;
        }
    }
    CHECK(results);
    CHECK_EQ(raw_c->untaken, 0);
    raw_part();
}

/* An object of ours that holds a promise of the peer's which leads to that object: gone with the connection. */
static void test_cycle_over_the_wire_ends_with_the_connection(void)
{
    struct vat_usage usage;

    for (unsigned round = 0; round < 3; round++) {
        raw_begin();
        raw_call(1, 0, 2); /* make */
        raw_send();
        REQUIRE(raw_next());
        struct rpc_payload_reader made = rpc_return_get_results(rpc_message_get_return(raw_read()));
        uint32_t export =
            rpc_cap_descriptor_get_sender_hosted(rpc_cap_descriptor_at(rpc_payload_get_cap_table(made), 0));
        rpc_cap_descriptor_set_sender_promise(raw_cap_param(raw_call(2, export, 4)), 5); /* keep */
        raw_send();
        resolve_to_ours(5, export);
        raw_part();
        vat_usage(raw_vat, &usage);
        CHECK_EQ(usage.imports, 0);
        CHECK_EQ(things_alive, 1);
    }
}

/* A byte now and then is no progress. */
static void test_dripping_is_cut_off(void)
{
    static uint8_t bytes[256];
    const uint32_t head[2] = {0, 1900};
    unsigned n = 0;

    raw_begin();
    memcpy(bytes, head, sizeof head);
    for (; n < sizeof bytes && raw_c->state == VAT_OPEN; n++) {
        raw_bytes(bytes + n, 1);
        raw_settle();
        time_passes(9 * NS_PER_S);
        raw_settle();
    }
    CHECK(n <= 4);
    raw_part();
}

int main(void)
{
    RUN(test_disembargo_of_a_promise_that_led_on);
    RUN(test_disembargo_that_is_not_there_is_not_answered);
    RUN(test_order_over_two_resolutions);
    RUN(test_ring_over_both_sides);
    RUN(test_promise_resolved_inside_a_queued_call);
    RUN(test_call_queues_behind_those_of_a_resolved_promise);
    RUN(test_a_long_chain_ends_without_a_deep_stack);
    RUN(test_unread_replies_are_bounded);
    RUN(test_forwarded_results_with_many_capabilities);
    RUN(test_cycle_over_the_wire_ends_with_the_connection);
    RUN(test_dripping_is_cut_off);
    return test_end();
}
