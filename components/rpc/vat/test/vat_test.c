/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_test.c: two vats joined by a stream: calls, capabilities, pipelining, embargoes, ends. After each test both are empty.
 */
#include "vat_support.h"

/* a and b; each serves a Thing, `a_root` is b's hold on a's and so on. */
static struct vat *vat_a, *vat_b;
static struct stream_pair pair;
static struct vat_connection *at_a, *at_b;
static struct thing *thing_a, *thing_b;
static struct object *b_from_a; /* b's Thing as a has it */

static void settle(void)
{
    bool more = true;
    for (unsigned i = 0; i < 100000 && more; i++) {
        bool worked = turn_work();
        more = stream_pair_step(&pair) || worked;
    }
    CHECK(!more);
}

static void join(void)
{
    test_room = ROOM_LOOP;
    if (vat_a == NULL) {
        vat_a = vat_new(&small_options);
        vat_b = vat_new(&small_options);
        thing_a = thing_new();
        thing_b = thing_new();
        vat_serve(vat_a, &thing_a->object);
        vat_serve(vat_b, &thing_b->object);
    }
    thing_a->number = thing_b->number = 0;
    promise_vat = vat_b;
    at_a = vat_open(vat_a);
    at_b = vat_open(vat_b);
    stream_pair_init(&pair, vat_client(at_a), vat_client(at_b));
    vat_attach(at_a, &pair.a.stream);
    vat_attach(at_b, &pair.b.stream);
    b_from_a = vat_bootstrap(at_a);
    CHECK(b_from_a != NULL);
}

static void part(void)
{
    object_put(b_from_a);
    settle();
    struct vat_usage u;
    vat_usage(vat_a, &u);
    CHECK_EQ(u.questions + u.imports + u.exports + u.live + u.promises, 0);
    vat_usage(vat_b, &u);
    CHECK_EQ(u.questions + u.imports + u.exports + u.live + u.promises, 0);
    CHECK_EQ(at_a->held_bytes + at_b->held_bytes, 0);
    vat_close(at_a);
    settle();
    vat_close(at_b);
    settle();
    CHECK(vat_empty(vat_a));
    CHECK(vat_empty(vat_b));
    CHECK_EQ(things_alive, 2);
    CHECK_EQ(vat_a->aborted + vat_b->aborted, 0);
}

static void test_echo(void)
{
    join();
    struct ask *one = ask_echo(b_from_a, "hello"); /* before the bootstrap has returned */
    settle();
    struct ask *two = ask_echo(b_from_a, "again");
    settle();
    CHECK(said(one, "hello"));
    CHECK(said(two, "again"));
    ask_free(one);
    ask_free(two);
    part();
}

static void test_every_chunk_size(void)
{
    for (size_t chunk = 1; chunk < 40; chunk += 3) {
        join();
        pair.chunk = chunk;
        pair.lends_max = 1;
        struct ask *one = ask_echo(b_from_a, "a text of some length, cut into pieces");
        struct ask *two = ask_make(b_from_a);
        settle();
        CHECK(said(one, "a text of some length, cut into pieces"));
        CHECK(two->done && !two->failed);
        ask_free(one);
        ask_free(two);
        part();
    }
}

/* A message of several segments, fed by hand: what a reference peer makes of a chunk that outgrew its first segment. */
static void test_messages_of_several_segments(void)
{
    for (uint32_t segments = 1; segments <= 7; segments++) {
        static _Alignas(8) uint32_t words[64];
        memset(words, 0, sizeof(words));
        words[0] = segments - 1;
        words[1] = 5; /* the first: `unimplemented`, of a Resolve of nothing, which changes nothing */
        for (uint32_t i = 1; i < segments; i++) {
            words[1 + i] = 1;
        }
        uint32_t at = (segments + 2) / 2 * 2;
        words[at + 1] = 0x00010001; /* root: one data word, which is 0, one pointer */
        words[at + 5] = 0x00010001; /* to a Message of the same shape */
        words[at + 6] = 5;          /* of kind `resolve` */
        size_t len = (at + 10 + 2 * (segments - 1)) * sizeof(words[0]);
        for (size_t chunk = 1; chunk <= len; chunk = chunk * 2 + 1) {
            join();
            settle();
            for (size_t fed = 0; fed < len;) {
                size_t n = len - fed < chunk ? len - fed : chunk;
                REQUIRE(stream_client_received(vat_client(at_b), (const uint8_t *)words + fed, n) == n);
                fed += n;
            }
            struct ask *after = ask_echo(b_from_a, "still in step");
            settle();
            CHECK(said(after, "still in step"));
            ask_free(after);
            part();
        }
    }
}

static void test_exceptions_keep_type_and_reason(void)
{
    join();
    struct ask *a = ask_new();
    thing_fail_params_set_reason(BEGIN(a, thing_fail, b_from_a), capnp_text("because"));
    object_call(b_from_a, &a->call);
    struct ask *none = ask_new();
    BEGIN(none, thing_echo, b_from_a);
    none->call.method_id = 99;
    object_call(b_from_a, &none->call);
    settle();
    CHECK(failed_as(a, EXCEPTION_FAILED));
    CHECK(strcmp(a->reason, "because") == 0);
    CHECK(failed_as(none, EXCEPTION_UNIMPLEMENTED));
    ask_free(a);
    ask_free(none);
    part();
}

static void test_big_messages(void)
{
    static const uint32_t sizes[] = {0, 1, 500, 700, 1000, 65536, 80000};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        join();
        struct ask *a = ask_new();
        struct thing_bytes_params_builder params = BEGIN(a, thing_bytes, b_from_a);
        struct capnp_bytes bytes = thing_bytes_params_init_data(params, sizes[i]);
        REQUIRE(bytes.size == sizes[i]);
        for (uint32_t k = 0; k < sizes[i]; k++) {
            bytes.bytes[k] = (uint8_t)(k * 7);
        }
        thing_bytes_params_set_size(params, sizes[i]);
        object_call(b_from_a, &a->call);
        settle();
        REQUIRE(a->done && !a->failed);
        struct thing_bytes_results_reader results = thing_bytes_answer(&a->call);
        CHECK_EQ(thing_bytes_results_get_got(results), sizes[i]);
        struct capnp_data data = thing_bytes_results_get_data(results);
        CHECK_EQ(data.size, sizes[i]);
        CHECK(data.size == 0 || data.bytes[data.size - 1] == (uint8_t)((data.size - 1) * 7));
        ask_free(a);
        part();
    }
}

static void test_capability_in_results(void)
{
    join();
    struct ask *a = ask_make(b_from_a);
    settle();
    struct object *made = object_get(thing_make_results_get_thing(thing_make_answer(&a->call)));
    ask_free(a);
    struct ask *b = ask_echo(made, "to the new one");
    settle();
    CHECK(said(b, "to the new one"));
    CHECK_EQ(things_alive, 3);
    ask_free(b);
    object_put(made);
    settle();
    CHECK_EQ(things_alive, 2); /* released, and so gone */
    part();
}

static void test_many_capabilities(void)
{
    static const uint32_t counts[] = {1, 8, 9, 15};
    for (unsigned i = 0; i < 4; i++) {
        join();
        struct ask *a = ask_new();
        thing_many_params_set_count(BEGIN(a, thing_many, b_from_a), counts[i]);
        object_call(b_from_a, &a->call);
        settle();
        REQUIRE(a->done && !a->failed);
        CHECK_EQ(things_alive, 2 + counts[i]);
        CHECK_EQ(thing_many_results_get_things(thing_many_answer(&a->call)).count, counts[i]);
        ask_free(a);
        settle();
        CHECK_EQ(things_alive, 2);
        part();
    }
}

/* What a connection still exported at its end is there for the next in its place. */
static void test_exports_are_there_again(void)
{
    for (unsigned i = 0; i < 40; i++) {
        join();
        struct ask *a = ask_new();
        thing_many_params_set_count(BEGIN(a, thing_many, b_from_a), 15);
        object_call(b_from_a, &a->call);
        settle();
        CHECK(a->done && !a->failed);
        vat_close(at_a);
        vat_close(at_b);
        settle();
        ask_free(a);
        object_put(b_from_a);
        settle();
        CHECK(vat_empty(vat_a) && vat_empty(vat_b));
    }
}

static void test_too_many_exports_is_overloaded(void)
{
    join();
    struct ask *a = ask_new();
    thing_many_params_set_count(BEGIN(a, thing_many, b_from_a), 33);
    object_call(b_from_a, &a->call);
    settle();
    CHECK(failed_as(a, EXCEPTION_OVERLOADED));
    ask_free(a);
    part();
}

static void test_capability_in_params(void)
{
    join();
    struct ask *a = ask_call(b_from_a, &thing_a->object, "round trip");
    settle();
    CHECK(a->done && !a->failed);
    CHECK(capnp_text_equal(thing_call_results_get_text(thing_call_answer(&a->call)), capnp_text("round trip")));
    ask_free(a);
    part();
}

static void test_kept_capability_outlives_call(void)
{
    join();
    struct ask *a = ask_keep(b_from_a, &thing_a->object);
    settle();
    CHECK(a->done && !a->failed);
    CHECK_EQ(at_a->export_count, 1);
    ask_free(a);
    settle();
    CHECK_EQ(at_a->export_count, 1);
    object_put(thing_b->kept);
    thing_b->kept = NULL;
    settle();
    CHECK_EQ(at_a->export_count, 0);
    part();
}

static void test_own_capability_comes_back_as_itself(void)
{
    join();
    struct ask *a = ask_give(b_from_a, &thing_a->object);
    settle();
    CHECK(thing_give_results_get_thing(thing_give_answer(&a->call)) == &thing_a->object);
    ask_free(a);
    part();
}

static void test_pipelining(void)
{
    join();
    struct ask *make = ask_make(b_from_a);
    struct object *made = pipelined(make, 0);
    struct ask *one = ask_next(made), *two = ask_next(made);
    CHECK_EQ(at_a->question_count, 4); /* all of it left before anything came back */
    settle();
    CHECK(numbered(one, 0));
    CHECK(numbered(two, 1));
    struct ask *three = ask_next(made);
    settle();
    CHECK(numbered(three, 2));
    object_put(made);
    ask_free(make);
    ask_free(one);
    ask_free(two);
    ask_free(three);
    part();
}

static void test_pipelining_on_a_running_call_keeps_order(void)
{
    join();
    settle();
    struct ask *later = ask_give_later(b_from_a, b_from_a);
    struct object *p = pipelined(later, 0);
    struct ask *one = ask_next(p), *two = ask_next(p);
    settle();
    CHECK(!one->done);
    thing_let_go(thing_b);
    settle();
    CHECK(numbered(one, 0));
    CHECK(numbered(two, 1));
    object_put(p);
    ask_free(later);
    ask_free(one);
    ask_free(two);
    part();
}

static void test_chain_of_pipelined_calls(void)
{
    join();
    struct ask *asks[12];
    struct object *at = object_get(b_from_a);
    for (unsigned i = 0; i < 12; i++) {
        asks[i] = ask_make(at);
        object_put(at);
        at = pipelined(asks[i], 0);
    }
    struct ask *last = ask_echo(at, "deep");
    object_put(at);
    settle();
    CHECK(said(last, "deep"));
    ask_free(last);
    for (unsigned i = 0; i < 12; i++) {
        ask_free(asks[i]);
    }
    part();
}

static void test_pipelining_on_what_is_no_capability(void)
{
    static const uint16_t paths[][2] = {{0, 0}, {0, 2}, {0, 9}, {0, 1}};
    join();
    for (unsigned i = 0; i < 4; i++) {
        struct ask *deep = ask_new();
        BEGIN(deep, thing_deep, b_from_a);
        object_call(b_from_a, &deep->call);
        struct object *p = vat_pipeline(&deep->call, paths[i], 2);
        struct ask *on = ask_next(p);
        settle();
        CHECK(failed_as(on, EXCEPTION_FAILED)); /* a struct, a text, nothing, a null pointer */
        object_put(p);
        ask_free(deep);
        ask_free(on);
    }
    part();
}

static void test_pipelining_on_a_failed_call(void)
{
    join();
    struct ask *fail = ask_new();
    thing_fail_params_set_reason(BEGIN(fail, thing_fail, b_from_a), capnp_text("no luck"));
    object_call(b_from_a, &fail->call);
    struct object *p = pipelined(fail, 0);
    struct ask *on = ask_next(p);
    settle();
    CHECK(failed_as(on, EXCEPTION_FAILED));
    struct ask *later = ask_next(p);
    settle();
    CHECK(failed_as(later, EXCEPTION_FAILED));
    object_put(p);
    ask_free(fail);
    ask_free(on);
    ask_free(later);
    part();
}

static void test_promised_capability_as_parameter(void)
{
    join();
    struct ask *make = ask_make(b_from_a);
    struct object *made = pipelined(make, 0);
    struct ask *call = ask_call(b_from_a, made, "through a promise"); /* receiverAnswer */
    settle();
    CHECK(call->done && !call->failed);
    object_put(made);
    ask_free(make);
    ask_free(call);
    part();
}

static void test_embargo_keeps_order(void)
{
    join();
    settle();
    struct ask *give = ask_give_later(b_from_a, &thing_a->object);
    struct object *p = pipelined(give, 0);
    struct ask *one = ask_next(p); /* goes to b and comes back */
    settle();
    thing_let_go(thing_b);
    /* Only until the Return is here, so that the next call could take the short way. */
    for (unsigned i = 0; i < 1000 && !give->done; i++) {
        stream_pair_deliver(&pair, &pair.b);
    }
    CHECK(give->done);
    CHECK(!one->done);
    struct ask *two = ask_next(p);
    CHECK(!two->done); /* embargoed */
    settle();
    CHECK(numbered(one, 0));
    CHECK(numbered(two, 1));
    struct ask *three = ask_next(p);
    CHECK(numbered(three, 2)); /* the short way now: no step of the stream was needed */
    object_put(p);
    ask_free(give);
    ask_free(one);
    ask_free(two);
    ask_free(three);
    part();
}

static void test_promise_is_resolved_to_its_own_object(void)
{
    join();
    struct ask *a = ask_new();
    BEGIN(a, thing_promise, b_from_a);
    object_call(b_from_a, &a->call);
    settle();
    struct object *p = object_get(thing_promise_results_get_thing(thing_promise_answer(&a->call)));
    ask_free(a);
    struct ask *one = ask_next(p);
    settle();
    CHECK(!one->done);
    struct thing *made = thing_new();
    vat_promise_resolve(last_promiser->promise, &made->object);
    object_put(last_promiser->promise);
    last_promiser->promise = NULL;
    object_put(&made->object);
    struct ask *two = ask_next(p);
    settle();
    CHECK(numbered(one, 0));
    CHECK(numbered(two, 1));
    struct ask *three = ask_next(p);
    settle();
    CHECK(numbered(three, 2));
    ask_free(one);
    ask_free(two);
    ask_free(three);
    object_put(p);
    part();
}

static void test_promise_is_resolved_to_the_callers_object(void)
{
    join();
    struct ask *a = ask_new();
    BEGIN(a, thing_promise, b_from_a);
    object_call(b_from_a, &a->call);
    struct ask *keep = ask_keep(b_from_a, &thing_a->object);
    settle();
    struct object *p = object_get(thing_promise_results_get_thing(thing_promise_answer(&a->call)));
    ask_free(a);
    ask_free(keep);
    struct ask *one = ask_next(p);
    settle();
    vat_promise_resolve(last_promiser->promise, thing_b->kept);
    object_put(last_promiser->promise);
    last_promiser->promise = NULL;
    for (unsigned i = 0; i < 4; i++) {
        stream_pair_deliver(&pair, &pair.b);
    }
    struct ask *two = ask_next(p);
    settle();
    CHECK(numbered(one, 0));
    CHECK(numbered(two, 1));
    struct ask *three = ask_next(p);
    CHECK(numbered(three, 2)); /* local by now */
    ask_free(one);
    ask_free(two);
    ask_free(three);
    object_put(p);
    object_put(thing_b->kept);
    thing_b->kept = NULL;
    part();
}

static void test_promise_is_broken(void)
{
    join();
    struct ask *a = ask_new();
    BEGIN(a, thing_promise, b_from_a);
    object_call(b_from_a, &a->call);
    settle();
    struct object *p = object_get(thing_promise_results_get_thing(thing_promise_answer(&a->call)));
    ask_free(a);
    struct ask *one = ask_next(p);
    settle();
    vat_promise_break(last_promiser->promise, EXCEPTION_OVERLOADED, "no room after all");
    object_put(last_promiser->promise);
    last_promiser->promise = NULL;
    settle();
    CHECK(failed_as(one, EXCEPTION_OVERLOADED));
    CHECK(strcmp(one->reason, "no room after all") == 0);
    struct ask *two = ask_next(p);
    settle();
    CHECK(failed_as(two, EXCEPTION_OVERLOADED));
    ask_free(one);
    ask_free(two);
    object_put(p);
    part();
}

static void test_promise_of_itself_is_broken(void)
{
    join();
    struct object *one = vat_promise_new(vat_b), *two = vat_promise_new(vat_b);
    struct ask *a = ask_next(one);
    vat_promise_resolve(one, two);
    vat_promise_resolve(two, one);
    CHECK(failed_as(a, EXCEPTION_FAILED));
    ask_free(a);
    object_put(one);
    object_put(two);
    part();
}

static void test_cancel_reaches_the_server(void)
{
    join();
    struct ask *a = ask_hold(b_from_a);
    settle();
    CHECK(!list_empty(&thing_b->held));
    thing_b->cancelled = 0;
    call_cancel(&a->call);
    CHECK(a->done && a->failed); /* the asker has it back at once */
    settle();
    CHECK_EQ(thing_b->cancelled, 1);
    CHECK(list_empty(&thing_b->held));
    ask_free(a);
    part();
}

static void test_cancel_of_a_call_that_waits_for_another(void)
{
    join();
    settle();
    struct ask *later = ask_give_later(b_from_a, b_from_a);
    struct object *p = pipelined(later, 0);
    struct ask *on = ask_next(p);
    settle();
    call_cancel(&on->call);
    settle();
    CHECK(on->done && on->failed);
    thing_let_go(thing_b);
    settle();
    CHECK_EQ(thing_b->number, 0); /* it was never delivered */
    object_put(p);
    ask_free(later);
    ask_free(on);
    part();
}

static void test_results_after_cancel_release_their_capabilities(void)
{
    join();
    settle();
    struct ask *a = ask_give_later(b_from_a, b_from_a);
    settle();
    struct ask *make = ask_make(b_from_a);
    call_cancel(&make->call); /* Finish and Return cross */
    settle();
    CHECK_EQ(things_alive, 2);
    thing_let_go(thing_b);
    settle();
    ask_free(a);
    ask_free(make);
    part();
}

static void test_too_many_questions_is_overloaded(void)
{
    join();
    settle();
    struct ask *asks[20];
    for (unsigned i = 0; i < 20; i++) {
        asks[i] = ask_hold(b_from_a);
    }
    settle();
    unsigned overloaded = 0;
    for (unsigned i = 0; i < 20; i++) {
        overloaded += failed_as(asks[i], EXCEPTION_OVERLOADED);
    }
    CHECK_EQ(overloaded, 4);
    while (!list_empty(&thing_b->held)) {
        thing_let_go(thing_b);
        settle();
    }
    for (unsigned i = 0; i < 20; i++) {
        CHECK(asks[i]->done);
        ask_free(asks[i]);
    }
    part();
}

static void test_null_capability(void)
{
    join();
    struct ask *give = ask_give(b_from_a, NULL);
    struct object *p = pipelined(give, 0);
    struct ask *on = ask_next(p);
    settle();
    CHECK(thing_give_results_get_thing(thing_give_answer(&give->call)) == NULL);
    CHECK(failed_as(on, EXCEPTION_FAILED));
    object_put(p);
    ask_free(give);
    ask_free(on);
    part();
}

static void test_objects_fail_disconnected_after_the_end(void)
{
    join();
    struct ask *make = ask_make(b_from_a);
    struct ask *waits = ask_hold(b_from_a);
    settle();
    struct object *made = object_get(thing_make_results_get_thing(thing_make_answer(&make->call)));
    vat_close(at_b);
    settle();
    CHECK(failed_as(waits, EXCEPTION_DISCONNECTED));
    struct ask *after = ask_echo(made, "anybody?"), *boot = ask_echo(b_from_a, "you?");
    CHECK(failed_as(after, EXCEPTION_DISCONNECTED));
    CHECK(failed_as(boot, EXCEPTION_DISCONNECTED));
    ask_free(make);
    ask_free(waits);
    ask_free(after);
    ask_free(boot);
    object_put(made);
    object_put(b_from_a);
    vat_close(at_a);
    settle();
    CHECK(vat_empty(vat_a));
    CHECK(vat_empty(vat_b));
    CHECK_EQ(things_alive, 2);
}

/* Everything at once, cut off after `steps` steps of the stream. False: it ended by itself before. */
static bool killed_after(unsigned steps, bool kill_a)
{
    join();
    struct ask *asks[10];
    struct object *p[4];
    asks[0] = ask_make(b_from_a);
    p[0] = pipelined(asks[0], 0);
    asks[1] = ask_next(p[0]);
    asks[2] = ask_hold(b_from_a);
    asks[3] = ask_keep(b_from_a, &thing_a->object);
    asks[4] = ask_give_later(b_from_a, &thing_a->object);
    p[1] = pipelined(asks[4], 0);
    asks[5] = ask_next(p[1]);
    asks[6] = ask_call(b_from_a, p[0], "x");
    asks[7] = ask_call(b_from_a, &thing_a->object, "y");
    asks[8] = ask_new();
    BEGIN(asks[8], thing_promise, b_from_a);
    object_call(b_from_a, &asks[8]->call);
    p[2] = pipelined(asks[8], 0);
    asks[9] = ask_next(p[2]);
    p[3] = vat_bootstrap(at_b);
    bool more = true;
    unsigned i = 0;
    pair.chunk = 64;
    for (; i < steps && more; i++) {
        bool worked = turn_work();
        more = stream_pair_step(&pair) || worked;
        if (i == 30 && !list_empty(&thing_b->held)) {
            thing_let_go(thing_b);
        }
    }
    stream_pair_abort(kill_a ? &pair.a.stream : &pair.b.stream);
    settle();
    while (!list_empty(&thing_b->held)) {
        thing_let_go(thing_b);
    }
    for (unsigned k = 0; k < 10; k++) {
        CHECK(asks[k]->done);
        ask_free(asks[k]);
    }
    for (unsigned k = 0; k < 4; k++) {
        object_put(p[k]);
    }
    object_put(thing_b->kept);
    thing_b->kept = NULL;
    if (thing_b->promise != NULL) {
        vat_promise_break(thing_b->promise, EXCEPTION_FAILED, "over");
        object_put(thing_b->promise);
        thing_b->promise = NULL;
    }
    object_put(b_from_a);
    vat_close(at_a);
    vat_close(at_b);
    settle();
    CHECK(vat_empty(vat_a));
    CHECK(vat_empty(vat_b));
    CHECK_EQ(things_alive, 2);
    return more;
}

static void test_peer_dies_at_every_step(void)
{
    unsigned steps = 0;
    while (steps < 2000 && killed_after(steps, steps % 2 == 0)) {
        steps++;
    }
    CHECK(steps > 20 && steps < 2000);
}

static void test_connections_are_bounded(void)
{
    join();
    settle();
    struct vat_connection *more[4];
    for (unsigned i = 0; i < 3; i++) {
        more[i] = vat_open(vat_a);
        CHECK(more[i] != NULL);
    }
    CHECK(vat_open(vat_a) == NULL);
    for (unsigned i = 0; i < 3; i++) {
        vat_close(more[i]);
    }
    part();
}

static void test_a_window_that_fills_is_not_a_deadlock(void)
{
    join();
    settle();
    /* More bytes than the window: the rest waits in the stream until the first ones have returned. */
    struct ask *asks[6];
    for (unsigned i = 0; i < 6; i++) {
        asks[i] = ask_new();
        struct thing_bytes_params_builder params = BEGIN(asks[i], thing_bytes, b_from_a);
        thing_bytes_params_init_data(params, 0);
        thing_bytes_params_set_size(params, 60000);
        object_call(b_from_a, &asks[i]->call);
    }
    settle();
    for (unsigned i = 0; i < 6; i++) {
        CHECK(asks[i]->done && !asks[i]->failed);
        ask_free(asks[i]);
    }
    part();
}

int main(void)
{
    RUN(test_echo);
    RUN(test_every_chunk_size);
    RUN(test_messages_of_several_segments);
    RUN(test_exceptions_keep_type_and_reason);
    RUN(test_big_messages);
    RUN(test_capability_in_results);
    RUN(test_many_capabilities);
    RUN(test_exports_are_there_again);
    RUN(test_too_many_exports_is_overloaded);
    RUN(test_capability_in_params);
    RUN(test_kept_capability_outlives_call);
    RUN(test_own_capability_comes_back_as_itself);
    RUN(test_pipelining);
    RUN(test_pipelining_on_a_running_call_keeps_order);
    RUN(test_chain_of_pipelined_calls);
    RUN(test_pipelining_on_what_is_no_capability);
    RUN(test_pipelining_on_a_failed_call);
    RUN(test_promised_capability_as_parameter);
    RUN(test_embargo_keeps_order);
    RUN(test_promise_is_resolved_to_its_own_object);
    RUN(test_promise_is_resolved_to_the_callers_object);
    RUN(test_promise_is_broken);
    RUN(test_promise_of_itself_is_broken);
    RUN(test_cancel_reaches_the_server);
    RUN(test_cancel_of_a_call_that_waits_for_another);
    RUN(test_results_after_cancel_release_their_capabilities);
    RUN(test_too_many_questions_is_overloaded);
    RUN(test_null_capability);
    RUN(test_objects_fail_disconnected_after_the_end);
    RUN(test_peer_dies_at_every_step);
    RUN(test_connections_are_bounded);
    RUN(test_a_window_that_fills_is_not_a_deadlock);
    return test_end();
}
