/* SPDX-License-Identifier: MIT OR Apache-2.0
 * client.c: asks a server of the reference implementation, through our vat, for capabilities that become known late, and
 * gives it such: calls keep their order whichever way they went. Exceptions, cancelling, limits; nothing is left on either
 * side. usage: client PORT | client PORT huge
 */
#include "asks.h"
#include "late.h"

#define NUMBERED 8u

static struct object *server;

static struct ask *ask_next(struct object *target)
{
    struct ask *a = ask_new();
    BEGIN(a, late_next, target);
    object_call(target, &a->call);
    return a;
}
static struct ask *ask_fulfill(struct object *with)
{
    struct ask *a = ask_new();
    late_fulfill_params_set_late(BEGIN(a, late_fulfill, server), with);
    object_call(server, &a->call);
    return a;
}
static struct object *ask_promise(void)
{
    struct ask *a = ask_new();
    BEGIN(a, late_promise, server);
    object_call(server, &a->call);
    return result_of(a);
}
static struct object *ask_give(struct object *what)
{
    struct ask *a = ask_new();
    late_give_params_set_late(BEGIN(a, late_give, server), what);
    object_call(server, &a->call);
    return result_of(a);
}
static struct object *ask_give_later(struct object *what)
{
    struct ask *a = ask_new();
    late_give_later_params_set_late(BEGIN(a, late_give_later, server), what);
    object_call(server, &a->call);
    return result_of(a);
}
static struct object *ask_make(void)
{
    struct ask *a = ask_new();
    BEGIN(a, late_make, server);
    object_call(server, &a->call);
    return result_of(a);
}

static uint32_t cancelled_calls(void)
{
    struct ask *a = ask_new();
    BEGIN(a, late_cancelled, server);
    object_call(server, &a->call);
    wait_for(a);
    return late_cancelled_results_get_count(late_cancelled_answer(&a->call));
}

/* ---- order ---- */

/* Calls on one capability while it becomes known: before, behind what makes it known, from the answer to that, and after. */
static struct {
    struct object *target;
    struct ask *ask[NUMBERED];
    unsigned count;
} order;

static void next_on(unsigned calls)
{
    for (; calls > 0; calls--) {
        order.ask[order.count++] = ask_next(order.target);
    }
}
/* Calls have crossed the wire and not come back; what is called here must not overtake them. */
static void next_when_known(void)
{
    next_on(2);
}
static void order_check(void)
{
    REQUIRE(order.count == NUMBERED);
    for (unsigned i = 0; i < NUMBERED; i++) {
        wait_for(order.ask[i]);
        CHECK(!order.ask[i]->failed);
        CHECK_EQ(late_next_results_get_number(late_next_answer(&order.ask[i]->call)), i);
    }
    order.count = 0;
    object_put(order.target);
    asks_free();
}
/* `target`, which is taken over, becomes known when the server gets fulfill(with). */
static void in_order(struct object *target, struct object *with)
{
    order.target = target;
    next_on(2);
    struct ask *known = ask_fulfill(with);
    known->then = next_when_known;
    next_on(2);
    wait_for(known);
    wait_for(order.ask[5]);
    next_on(2);
    order_check();
}

static void test_promise_of_theirs_becomes_ours(void)
{
    struct object *mine = late_new();

    in_order(ask_promise(), mine);
    object_put(mine);
}
static void test_promise_of_theirs_becomes_theirs(void)
{
    struct object *made = ask_make();

    in_order(ask_promise(), made);
    object_put(made);
}
/* The promise itself has come before anybody calls it: it is an import, no answer's. */
static void test_imported_promise_becomes_ours(void)
{
    struct object *mine = late_new();
    struct object *promise = ask_promise();

    wait_for(&asks[asked - 1]);
    in_order(promise, mine);
    object_put(mine);
}
static void test_late_answer_holds_ours(void)
{
    struct object *mine = late_new();

    in_order(ask_give_later(mine), NULL);
    object_put(mine);
}

/* A promise of ours goes there and comes back, and is known only then: to us it was never anything of theirs. */
static void echo_of_a_promise(struct object *becomes)
{
    struct object *promise = vat_promise_new(late_vat);

    order.target = ask_give(promise);
    next_on(2);
    wait_for(&asks[0]); /* the echo has come back */
    next_on(2);
    vat_promise_resolve(promise, becomes);
    next_on(2);
    wait_for(order.ask[5]);
    next_on(2);
    object_put(promise);
    order_check();
}
static void test_echo_of_a_promise_that_becomes_ours(void)
{
    struct object *mine = late_new();

    echo_of_a_promise(mine);
    object_put(mine);
}
static void test_echo_of_a_promise_that_becomes_theirs(void)
{
    struct object *made = ask_make();

    wait_for(&asks[0]);
    asks_free();
    echo_of_a_promise(made);
    object_put(made);
}

/* What the server promised becomes a promise of ours, and that something: calls go there and back, and there again. When it is
 * the server's own, its Disembargo comes here. */
static void promise_of_a_promise(struct object *becomes)
{
    struct object *promise = vat_promise_new(late_vat);

    order.target = ask_promise();
    next_on(2);
    struct ask *known = ask_fulfill(promise);
    next_on(2);
    wait_for(known);
    vat_promise_resolve(promise, becomes);
    next_on(2);
    wait_for(order.ask[5]);
    next_on(2);
    object_put(promise);
    order_check();
}
static void test_promise_of_theirs_becomes_a_promise_of_ours_becomes_ours(void)
{
    struct object *mine = late_new();

    promise_of_a_promise(mine);
    object_put(mine);
}
static void test_promise_of_theirs_becomes_a_promise_of_ours_becomes_theirs(void)
{
    struct object *made = ask_make();

    promise_of_a_promise(made);
    object_put(made);
}

/* The server calls a promise of ours, before and after it becomes an object of the server's own. */
static void test_promise_of_ours_becomes_theirs(void)
{
    struct object *promise = vat_promise_new(late_vat);
    struct object *made = ask_make();
    struct ask *ask[6];

    for (unsigned i = 0; i < 6; i++) {
        ask[i] = ask_new();
        late_ask_params_set_late(BEGIN(ask[i], late_ask, server), promise);
        object_call(server, &ask[i]->call);
        if (i == 2) {
            cancelled_calls(); /* a round trip: the three calls have come here */
            vat_promise_resolve(promise, made);
        }
    }
    for (unsigned i = 0; i < 6; i++) {
        wait_for(ask[i]);
        CHECK_EQ(late_ask_results_get_number(late_ask_answer(&ask[i]->call)), i);
    }
    object_put(promise);
    object_put(made);
    asks_free();
}

static void test_promise_of_theirs_is_broken(void)
{
    struct object *promise = ask_promise();
    struct ask *early = ask_next(promise);
    struct ask *a = ask_new();

    late_refuse_params_set_reason(BEGIN(a, late_refuse, server), capnp_text("it will never be"));
    object_call(server, &a->call);
    wait_for(a);
    wait_for(early);
    CHECK(early->failed && early->type == EXCEPTION_FAILED && strstr(early->reason, "it will never be") != NULL);
    struct ask *later = ask_next(promise);
    wait_for(later);
    CHECK(later->failed);
    object_put(promise);
    asks_free();
}

/* ---- the rest ---- */

static void test_exceptions(void)
{
    for (uint16_t type = 0; type <= EXCEPTION_UNIMPLEMENTED; type++) {
        struct ask *a = ask_new();
        struct late_fail_params_builder params = BEGIN(a, late_fail, server);
        late_fail_params_set_type(params, type);
        late_fail_params_set_reason(params, capnp_text("as you wish"));
        object_call(server, &a->call);
        wait_for(a);
        CHECK(a->failed && a->type == (enum exception)type);
        CHECK(strstr(a->reason, "as you wish") != NULL);
    }
    asks_free();
}

static void test_cancel(void)
{
    struct ask *a = ask_new();

    BEGIN(a, late_hold, server);
    object_call(server, &a->call);
    cancelled_calls(); /* a round trip: it is under way */
    call_cancel(&a->call);
    CHECK(a->done && a->failed);
    while (cancelled_calls() != 1) {
    }
    asks_free();
}

static void test_nothing_is_left(void)
{
    for (uint32_t entries = 1; entries != 0; asks_free()) {
        struct ask *a = ask_new();
        BEGIN(a, late_left, server);
        object_call(server, &a->call);
        wait_for(a);
        entries = late_left_results_get_entries(late_left_answer(&a->call));
    }
    while (late_left() > 2) { /* the import of the server, and its promise */
        socket_turn(&s, 1000);
    }
}

/* Results that are longer than any message may be: the connection ends, and says so to who waits. */
static void huge(void)
{
    struct ask *a = ask_new();

    late_flood_params_set_size(BEGIN(a, late_flood, server), 4 << 20);
    object_call(server, &a->call);
    wait_for(a);
    CHECK(a->failed && a->type == EXCEPTION_DISCONNECTED);
    asks_free();
    object_put(server);
    while (!s.done) {
        socket_turn(&s, 1000);
    }
    vat_close(c);
}

static void try(const char *name, void (*run)(void))
{
    run();
    printf("ok   %s\n", name); /* or a CHECK has said what is not */
    fflush(stdout);
}
#define TRY(f) try(#f, f)

static void all(void)
{
    TRY(test_promise_of_theirs_becomes_ours);
    TRY(test_promise_of_theirs_becomes_theirs);
    TRY(test_imported_promise_becomes_ours);
    TRY(test_late_answer_holds_ours);
    TRY(test_echo_of_a_promise_that_becomes_ours);
    TRY(test_echo_of_a_promise_that_becomes_theirs);
    TRY(test_promise_of_theirs_becomes_a_promise_of_ours_becomes_ours);
    TRY(test_promise_of_theirs_becomes_a_promise_of_ours_becomes_theirs);
    TRY(test_promise_of_ours_becomes_theirs);
    TRY(test_promise_of_theirs_is_broken);
    TRY(test_exceptions);
    TRY(test_cancel);
    TRY(test_nothing_is_left);
    object_put(server);
    part();
}

int main(int argc, char **argv)
{
    REQUIRE(argc > 1);
    late_vat = vat_host();
    connect_to(late_vat, argv[1]);
    server = vat_bootstrap(c);
    (argc > 2 ? huge : all)();
    for (unsigned i = 0; i < 100; i++) {
        run_posted();
    }
    CHECK_EQ(lates_alive, 0);
    CHECK_EQ(vat_host_left(late_vat, argc > 2), 0);
    return test_end();
}
