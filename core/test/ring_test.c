/* SPDX-License-Identifier: MIT OR Apache-2.0
 * ring_test.c: the loop's side of a ring against threads that lie, calls that return late, and endpoints.
 */
#include "../cap/endpoint.c"
#include "../cap/object.c"
#include "../cap/ring.c"
#include "../cap/table.c"
#include "core/room.h"
#include "test.h"

enum { SQ = 4, CQ = 8, AREA = 4096, RESULTS = 1024, CAPS = 2048 };

struct side { /* one thread's ring */
    struct ring_shared shared;
    struct ring_sqe sq[SQ];
    struct ring_cqe cq[CQ];
    _Alignas(8) unsigned char area[AREA];
    struct cap_slot slots[8];
    struct cap_table table;
    struct ring *ring;
    unsigned completed;
};

static void completed(void *owner)
{
    ((struct side *)owner)->completed++;
}

static void side_init(struct side *side)
{
    test_room = ROOM_LOOP;
    memset(side, 0, sizeof *side);
    cap_table_init(&side->table, "test", side->slots, 8);
    side->shared = (struct ring_shared){
        .sq_size = SQ, .cq_size = CQ, .sq = side->sq, .cq = side->cq, .area = side->area, .area_bytes = AREA};
    side->ring = ring_new(&(struct ring_config){&side->shared, &side->table, completed, side});
}

/* The served object: answers params' second word + 1 at once, or keeps the call. */
static struct {
    struct object object;
    struct call *kept;
    bool keep;
    struct object *give;
    unsigned cancelled;
} server;

static void server_answer(struct call *call)
{
    const uint64_t *params = call->params.message->segment[0].words;
    struct payload p = call_results(call, 1);
    struct message_segment *segment = &p.message->segment[p.segment];

    if (segment->used == segment->size) {
        p.message->failed = true;
    } else {
        segment->words[p.word] = 1ull << 32;
        segment->words[segment->used++] = params[1] + 1;
    }
    if (server.give != NULL) {
        p.message->caps[p.message->cap_count++] = object_get(server.give);
    }
    call_return(call);
}

static void server_cancelled(struct call *call)
{
    server.cancelled++;
    server.kept = NULL;
    call_fail(call, EXCEPTION_FAILED, "cancelled");
}

static void server_called(struct object *object, struct call *call)
{
    (void)object;
    if (call->method_id == 9) {
        call_fail_status(call, ST_DENIED, "nine");
    } else if (call->method_id == 8) {
        call_return(call); /* no results: an empty struct */
    } else if (server.keep) {
        server.kept = call;
        call->cancelled = server_cancelled;
    } else {
        server_answer(call);
    }
}

static const struct object_ops server_ops = {.call = server_called};

static cap_t start(struct side *side)
{
    cap_t cap = CAP_NONE;

    memset(&server, 0, sizeof server);
    object_init(&server.object, &server_ops);
    side_init(side);
    CHECK_EQ(cap_insert(&side->table, &server.object, CAP_ALL, NULL, &cap), ST_OK);
    return cap;
}

static struct ring_sqe call_sqe(struct side *side, cap_t cap, uint64_t value)
{
    memcpy(side->area, (uint64_t[]){1ull << 32, value}, 16);
    return (struct ring_sqe){.op = RING_CALL,
                             .cap = cap,
                             .params_words = 2,
                             .results_offset = RESULTS,
                             .results_words_max = 8,
                             .user_data = value};
}

static status_t serve_one(struct side *side, const struct ring_sqe *sqe)
{
    CHECK(ring_submit(&side->shared, sqe));
    return ring_serve(side->ring, 64);
}

static struct ring_cqe one(struct side *side, const struct ring_sqe *sqe)
{
    struct ring_cqe cqe = {.status = 77};
    struct ring_cqe more;

    CHECK_EQ(serve_one(side, sqe), ST_OK);
    CHECK(ring_take(&side->shared, &cqe));
    CHECK(!ring_take(&side->shared, &more)); /* exactly one */
    return cqe;
}

static uint64_t word(struct side *side, uint32_t offset)
{
    uint64_t value;

    memcpy(&value, side->area + offset, sizeof value);
    return value;
}

static void test_calls_and_wraps(void)
{
    static struct side side;
    cap_t cap = start(&side);

    side.shared.sq_head = side.shared.sq_tail = side.ring->sq_head = UINT32_MAX - 5; /* free-running indices wrap */
    side.shared.cq_head = side.shared.cq_tail = side.ring->cq_tail = UINT32_MAX - 9;
    for (uint64_t i = 0; i < 100; i++) {
        struct ring_sqe sqe = call_sqe(&side, cap, i);
        struct ring_cqe cqe = one(&side, &sqe);
        CHECK(cqe.status == ST_OK && cqe.user_data == i && cqe.results_words == 2);
        CHECK_EQ(word(&side, RESULTS + 8), i + 1);
    }
    CHECK_EQ(server.object.references, 2);
    CHECK_EQ(side.completed, 0); /* served inline */
}

/* A thread may offer a large room for small results: to write all of it would cost it each time. */
static void test_only_results_are_written(void)
{
    static struct side side;
    cap_t cap = start(&side);
    struct ring_sqe sqe = call_sqe(&side, cap, 1);

    memset(side.area + RESULTS, 0xaa, 64);
    CHECK_EQ(one(&side, &sqe).results_words, 2);
    CHECK_EQ(word(&side, RESULTS + 8), 2);
    for (uint32_t i = 2; i < 8; i++) {
        CHECK_EQ(word(&side, RESULTS + i * 8), 0xaaaaaaaaaaaaaaaaull);
    }
    memset(side.area + RESULTS, 0xaa, 64);
    sqe.method_id = 8;
    struct ring_cqe cqe = one(&side, &sqe);
    CHECK(cqe.status == ST_OK && cqe.results_words == 1);
    CHECK_EQ(word(&side, RESULTS), 0);
}

static void test_failures(void)
{
    static struct side side;
    cap_t cap = start(&side);
    struct ring_sqe sqe = call_sqe(&side, cap, 1);

    sqe.method_id = 9;
    struct ring_cqe cqe = one(&side, &sqe);
    CHECK(cqe.status == ST_IO && cqe.exception == EXCEPTION_FAILED && cqe.more == 12);
    CHECK_BYTES(side.area + RESULTS, "denied: nine", 12);
    sqe.method_id = 0;
    sqe.results_words_max = 1;
    CHECK_EQ(one(&side, &sqe).status, ST_AGAIN);
    sqe.results_words_max = 2;
    server.give = &server.object; /* the results fit, their capability does not */
    CHECK_EQ(one(&side, &sqe).status, ST_RANGE);
    CHECK_EQ(server.object.references, 2);
}

static void test_malformed(void)
{
    static struct side side;
    cap_t cap = start(&side);
    const struct ring_sqe good = call_sqe(&side, cap, 1);
    struct ring_sqe bad;

#define REFUSED(want, change)                                                                                          \
    do {                                                                                                               \
        bad = good;                                                                                                    \
        change;                                                                                                        \
        CHECK_EQ(one(&side, &bad).status, want);                                                                       \
    } while (0)
    REFUSED(ST_BADARG, bad.op = 200);
    REFUSED(ST_BADARG, bad.op = 255);
    REFUSED(ST_BADARG, bad.flags = 1);
    REFUSED(ST_BADARG, bad.reserved[2] = 1);
    REFUSED(ST_BADARG, bad.params_offset = 4);
    REFUSED(ST_BADARG, bad.params_offset = AREA);
    REFUSED(ST_BADARG, bad.params_offset = UINT32_MAX - 7);
    REFUSED(ST_BADARG, bad.params_words = 0);
    REFUSED(ST_BADARG, bad.params_words = 1u << 29); /* * 8 is 2^32 */
    REFUSED(ST_BADARG, bad.results_offset = 0);      /* over the params */
    REFUSED(ST_BADARG, bad.results_offset = AREA - 8);
    REFUSED(ST_BADARG, bad.results_words_max = 0);
    REFUSED(ST_BADARG, bad.results_words_max = UINT32_MAX);
    REFUSED(ST_BADARG, bad.caps_count = RING_CAPS_MAX + 1);
    REFUSED(ST_BADARG, (bad.caps_count = 2, bad.caps_offset = AREA - 8));
    REFUSED(ST_STALE, bad.cap = CAP_NONE);
    REFUSED(ST_STALE, bad.cap ^= 1ull << 40);
    REFUSED(ST_STALE, (bad.caps_count = 1, bad.caps_offset = CAPS, memset(side.area + CAPS, 0xff, 8)));
    REFUSED(ST_STALE, bad.op = RING_RETURN);
    REFUSED(ST_DENIED, bad.op = RING_RECV);
#undef REFUSED
    CHECK_EQ(one(&side, &good).status, ST_OK);
    CHECK_EQ(server.object.references, 2);
}

static void test_lying_indices(void)
{
    static struct side side;
    struct ring_sqe nop = {.op = RING_NOP};

    (void)start(&side);
    CHECK_EQ(one(&side, &nop).status, ST_OK);
    uint32_t tail = side.shared.sq_tail;
    side.shared.sq_tail = tail + SQ + 1;
    CHECK_EQ(ring_serve(side.ring, 64), ST_PROTO);
    side.shared.sq_tail = tail - 1;
    CHECK_EQ(ring_serve(side.ring, 64), ST_PROTO);
    side.shared.sq_tail = tail;
    uint32_t head = side.shared.cq_head;
    side.shared.cq_head = head + 5; /* took what was never there */
    CHECK_EQ(ring_completions(side.ring), UINT32_MAX);
    CHECK_EQ(ring_serve(side.ring, 64), ST_PROTO);
    side.shared.cq_head = head;
    side.shared.sq_head = 12345; /* what the thread is told is not what the loop uses */
    side.shared.sq_size = 1u << 30;
    side.shared.cq = NULL;
    side.sq[tail & (SQ - 1)] = nop;
    side.shared.sq_tail = tail + 1;
    CHECK_EQ(ring_serve(side.ring, 64), ST_OK);
    CHECK_EQ(ring_completions(side.ring), 1);
}

static void test_full_cq(void)
{
    static struct side side;
    cap_t cap = start(&side);
    struct ring_sqe nop = {.op = RING_NOP};
    struct ring_cqe cqe;

    server.keep = true;
    struct ring_sqe sqe = call_sqe(&side, cap, 1000);
    CHECK_EQ(serve_one(&side, &sqe), ST_OK); /* owes a completion */
    for (uint64_t i = 0; i < CQ - 1; i++) {
        nop.user_data = i;
        CHECK_EQ(serve_one(&side, &nop), ST_OK);
    }
    CHECK_EQ(ring_completions(side.ring), CQ - 1);
    nop.user_data = CQ - 1;
    CHECK_EQ(serve_one(&side, &nop), ST_OK);
    CHECK_EQ(side.shared.sq_tail - side.shared.sq_head, 1); /* left: the last place is owed */
    server_answer(server.kept);
    CHECK_EQ(side.completed, 1);
    CHECK_EQ(ring_completions(side.ring), CQ);
    for (uint64_t i = 0; i < CQ; i++) {
        CHECK(ring_take(&side.shared, &cqe));
        CHECK_EQ(cqe.user_data, i < CQ - 1 ? i : 1000);
    }
    CHECK_EQ(ring_serve(side.ring, 64), ST_OK);
    CHECK(ring_take(&side.shared, &cqe) && cqe.user_data == CQ - 1);
}

static void test_budget(void)
{
    static struct side side;
    struct ring_sqe nop = {.op = RING_NOP};

    (void)start(&side);
    for (int i = 0; i < SQ; i++) {
        CHECK(ring_submit(&side.shared, &nop));
    }
    CHECK(!ring_submit(&side.shared, &nop));
    CHECK_EQ(ring_serve(side.ring, SQ - 1), ST_AGAIN);
    CHECK_EQ(ring_serve(side.ring, SQ - 1), ST_OK);
    CHECK_EQ(ring_completions(side.ring), SQ);
}

static void test_capabilities(void)
{
    static struct side side;
    cap_t cap = start(&side);
    struct ring_sqe sqe = call_sqe(&side, cap, 1);
    cap_t got;

    memcpy(side.area + CAPS, (cap_t[]){cap, CAP_NONE}, 16);
    sqe.caps_offset = CAPS;
    sqe.caps_count = 2;
    server.give = &server.object;
    server.keep = true;
    CHECK_EQ(serve_one(&side, &sqe), ST_OK);
    CHECK_EQ(server.kept->params.message->cap_count, 2);
    CHECK(server.kept->params.message->caps[0] == &server.object && server.kept->params.message->caps[1] == NULL);
    CHECK_EQ(server.object.references, 4); /* maker, table, the call's target, its params */
    server_answer(server.kept);
    CHECK_EQ(server.object.references, 3); /* maker, table twice */
    memcpy(&got, side.area + RESULTS + 16, sizeof got);
    struct ring_cqe cqe;
    CHECK(ring_take(&side.shared, &cqe) && cqe.caps_count == 1 && got != cap);
    struct ring_sqe release = {.op = RING_RELEASE, .cap = got};
    CHECK_EQ(one(&side, &release).status, ST_OK);
    CHECK_EQ(one(&side, &release).status, ST_STALE);
    CHECK_EQ(server.object.references, 2);
    server.keep = false;
    while (side.table.used < side.table.size) { /* a full table: no half of the result's capabilities stays */
        CHECK_EQ(cap_insert(&side.table, &server.object, CAP_ALL, NULL, &got), ST_OK);
    }
    sqe.caps_count = 0;
    CHECK_EQ(one(&side, &sqe).status, ST_FULL);
    CHECK_EQ(server.object.references, 1 + side.table.size);
}

/* A message has no place for rights and revokers: what has limits would come out of it without. */
static void test_limits_stay(void)
{
    static struct side side;
    cap_t cap = start(&side);
    struct ring_sqe sqe = call_sqe(&side, cap, 1);
    struct cap_revoker revoker = {0};
    cap_t limited[3];

    CHECK_EQ(cap_copy(&side.table, cap, &side.table, CAP_CALL | CAP_COPY, NULL, &limited[0]), ST_OK);
    CHECK_EQ(cap_copy(&side.table, cap, &side.table, CAP_ALL, &revoker, &limited[1]), ST_OK);
    CHECK_EQ(cap_insert(&side.table, &server.object, CAP_SERVE | CAP_COPY, NULL, &limited[2]), ST_OK);
    sqe.caps_offset = CAPS;
    sqe.caps_count = 2;
    uint32_t references = server.object.references;
    for (unsigned i = 0; i < 3; i++) {
        memcpy(side.area + CAPS, (cap_t[]){cap, limited[i]}, 16);
        CHECK_EQ(one(&side, &sqe).status, ST_DENIED);
        CHECK_EQ(server.object.references, references);
    }
    cap_revoke(&revoker);
    memcpy(side.area + CAPS, (cap_t[]){cap, limited[1]}, 16);
    CHECK_EQ(one(&side, &sqe).status, ST_STALE);
    memcpy(side.area + CAPS, (cap_t[]){cap, cap}, 16);
    CHECK_EQ(one(&side, &sqe).status, ST_OK);
}

static void test_cancel_and_close(void)
{
    static struct side side;
    cap_t cap = start(&side);
    struct ring_cqe cqe;

    server.keep = true;
    struct ring_sqe sqe = call_sqe(&side, cap, 5);
    CHECK_EQ(serve_one(&side, &sqe), ST_OK);
    struct ring_sqe cancel = {.op = RING_CANCEL, .user_data = 6};
    CHECK_EQ(serve_one(&side, &cancel), ST_OK);
    CHECK_EQ(server.cancelled, 0);
    cancel.user_data = 5;
    CHECK_EQ(one(&side, &cancel).user_data, 5); /* the call's completion, and only that */
    CHECK_EQ(server.cancelled, 1);
    CHECK_EQ(side.ring->owed, 0);
    CHECK_EQ(serve_one(&side, &sqe), ST_OK);
    struct call *late = server.kept;
    late->cancelled = NULL; /* a server that does not care */
    ring_close(side.ring);
    CHECK(late->cancel_wanted);
    server_answer(late);
    CHECK(!ring_take(&side.shared, &cqe)); /* (4) */
    CHECK_EQ(server.object.references, 2);
    CHECK(ring_slot_find(side.ring, 5, SLOT_CALL) == NULL);
}

static struct ring_sqe recv_sqe(cap_t cap, uint64_t number)
{
    return (struct ring_sqe){
        .op = RING_RECV, .cap = cap, .results_offset = RESULTS, .results_words_max = 8, .user_data = number};
}

static void test_endpoint(void)
{
    static struct side client;
    static struct side host;
    static struct endpoint endpoint;
    cap_t call_cap;
    cap_t serve_cap;
    struct ring_cqe cqe;

    (void)start(&client);
    side_init(&host);
    endpoint_init(&endpoint);
    CHECK_EQ(cap_insert(&client.table, &endpoint.object, CAP_ALL, NULL, &call_cap), ST_OK);
    CHECK_EQ(cap_insert(&host.table, &endpoint.object, CAP_SERVE, NULL, &serve_cap), ST_OK);
    for (uint64_t i = 0; i < 10; i++) {
        struct ring_sqe recv = recv_sqe(serve_cap, i);
        struct ring_sqe sqe = call_sqe(&client, call_cap, 40 + i);
        sqe.method_id = 3;
        sqe.interface_id = 77;
        if (i % 2 == 0) { /* the call first, or the receiver */
            CHECK_EQ(serve_one(&client, &sqe), ST_OK);
            CHECK_EQ(serve_one(&host, &recv), ST_OK);
        } else {
            CHECK_EQ(serve_one(&host, &recv), ST_OK);
            CHECK_EQ(one(&host, &recv).status, ST_BADARG); /* that number waits already */
            CHECK_EQ(serve_one(&client, &sqe), ST_OK);
        }
        CHECK(ring_take(&host.shared, &cqe));
        CHECK(cqe.status == ST_OK && cqe.more == 3 && cqe.interface_id == 77 && cqe.user_data == i);
        CHECK_EQ(word(&host, RESULTS + 8), 40 + i);
        memcpy(host.area, (uint64_t[]){1ull << 32, 2 * i}, 16);
        struct ring_sqe answer = {.op = RING_RETURN, .user_data = i, .params_words = 2};
        CHECK_EQ(one(&host, &answer).status, ST_OK);
        CHECK(ring_take(&client.shared, &cqe) && cqe.status == ST_OK && cqe.results_words == 2);
        CHECK_EQ(word(&client, RESULTS), 1ull << 32); /* the content pointer stands right before its struct */
        CHECK_EQ(word(&client, RESULTS + 8), 2 * i);
        CHECK_EQ(one(&host, &answer).status, ST_STALE); /* once */
    }
    CHECK_EQ(endpoint.object.references, 3);
}

static void test_endpoint_ends(void)
{
    static struct side client;
    static struct side host;
    static struct endpoint endpoint;
    cap_t call_cap;
    cap_t serve_cap;
    struct ring_cqe cqe;

    (void)start(&client);
    side_init(&host);
    endpoint_init(&endpoint);
    CHECK_EQ(cap_insert(&client.table, &endpoint.object, CAP_ALL, NULL, &call_cap), ST_OK);
    CHECK_EQ(cap_insert(&host.table, &endpoint.object, CAP_SERVE, NULL, &serve_cap), ST_OK);
    struct ring_sqe sqe = call_sqe(&client, call_cap, 1);
    CHECK_EQ(serve_one(&client, &sqe), ST_OK);
    struct ring_sqe cancel = {.op = RING_CANCEL, .user_data = 1};
    CHECK_EQ(one(&client, &cancel).status, ST_IO); /* nobody had received it */
    struct ring_sqe recv = recv_sqe(serve_cap, 1);
    CHECK_EQ(serve_one(&host, &recv), ST_OK);
    CHECK_EQ(one(&host, &cancel).status, ST_CLOSED);
    recv.results_words_max = 1; /* too small for the params: the call fails, the receiver waits on */
    CHECK_EQ(serve_one(&host, &recv), ST_OK);
    CHECK_EQ(one(&client, &sqe).status, ST_IO);
    CHECK_EQ(ring_completions(host.ring), 0);
    recv = recv_sqe(serve_cap, 2);
    CHECK_EQ(serve_one(&host, &recv), ST_OK);
    CHECK_EQ(one(&client, &sqe).status, ST_IO); /* still the small one's turn */
    CHECK_EQ(one(&host, &cancel).status, ST_CLOSED);
    CHECK_EQ(serve_one(&client, &sqe), ST_OK);
    CHECK(ring_take(&host.shared, &cqe) && cqe.user_data == 2);
    ring_close(host.ring);
    CHECK(ring_take(&client.shared, &cqe) && cqe.status == ST_CLOSED && cqe.exception == EXCEPTION_DISCONNECTED);
    CHECK_EQ(endpoint.object.references, 3);
}

/* An asker whose message has few places for capabilities at first, as a peer's small Return. */
static struct {
    struct call call;
    struct message params, results;
    struct message_segment params_segment, results_segment;
    uint64_t params_words[2], results_words[8];
    struct object *few[2], *many[RING_CAPS_MAX];
    bool may_grow, returned, failed;
} asker;

static bool asker_grows(struct message *message)
{
    if (asker.may_grow) {
        message->caps = asker.many;
        message->cap_max = RING_CAPS_MAX;
    }
    return asker.may_grow;
}
static struct payload asker_results(struct call *call, uint32_t words)
{
    (void)call, (void)words;
    asker.results_segment = (struct message_segment){.words = asker.results_words, .used = 1, .size = 8};
    asker.results = (struct message){.segment = &asker.results_segment,
                                     .segment_count = 1,
                                     .caps = asker.few,
                                     .cap_max = 2,
                                     .grow_caps = asker_grows};
    return (struct payload){&asker.results, 0, 0};
}
static void asker_returned(struct call *call)
{
    (void)call;
    asker.returned = true;
}
static void asker_failed(struct call *call, enum exception type, const char *reason)
{
    (void)call, (void)reason;
    asker.failed = type == EXCEPTION_OVERLOADED;
}

static void ask(struct endpoint *endpoint, bool may_grow)
{
    static const struct call_source source = {asker_results, asker_returned, asker_failed};

    memset(&asker, 0, sizeof asker);
    asker.may_grow = may_grow;
    asker.params_segment = (struct message_segment){.words = asker.params_words, .used = 1, .size = 2};
    asker.params = (struct message){.segment = &asker.params_segment, .segment_count = 1};
    asker.call = (struct call){.params = {&asker.params, 0, 0}, .source = &source};
    object_call(&endpoint->object, &asker.call);
}

/* A thread returns as many capabilities as its ring promises: the asker's message makes room, if it can. */
static void test_endpoint_returns_many_capabilities(void)
{
    static struct side host;
    static struct endpoint endpoint;
    cap_t cap = start(&host);
    cap_t serve_cap;

    endpoint_init(&endpoint);
    CHECK_EQ(cap_insert(&host.table, &endpoint.object, CAP_SERVE, NULL, &serve_cap), ST_OK);
    for (uint32_t i = 0; i < RING_CAPS_MAX; i++) {
        memcpy(host.area + CAPS + i * sizeof cap, &cap, sizeof cap);
    }
    uint32_t before = server.object.references;
    for (uint32_t count = 2; count <= RING_CAPS_MAX; count++) {
        struct ring_sqe recv = recv_sqe(serve_cap, count);
        struct ring_sqe answer = {
            .op = RING_RETURN, .user_data = count, .params_words = 1, .caps_offset = CAPS, .caps_count = count};
        bool may_grow = count != 9;
        ask(&endpoint, may_grow);
        CHECK_EQ(one(&host, &recv).user_data, count);
        CHECK_EQ(one(&host, &answer).status, ST_OK);
        CHECK(asker.returned == may_grow && asker.failed == !may_grow);
        CHECK_EQ(asker.results.cap_count, may_grow ? count : 0);
        CHECK_EQ(server.object.references, before + asker.results.cap_count);
        message_release_caps(&asker.results);
    }
    CHECK_EQ(server.object.references, before);
}

/* Where a thread's answer goes behind something that already stands there. */
static void test_root_moves(void)
{
    uint64_t words[8] = {0};
    struct message_segment segment = {.words = words, .used = 5, .size = 8};
    struct message message = {.segment = &segment, .segment_count = 1};
    const uint64_t answer[3] = {1ull << 32 | 1u << 2, 11, 22}; /* a struct of one word at distance 1: the 22 */

    CHECK(results_copy((struct payload){&message, 0, 2}, answer, 3));
    CHECK_EQ(segment.used, 7);
    int32_t offset = (int32_t)(uint32_t)words[2] >> 2;
    CHECK_EQ(words[2 + 1 + offset], 22);
    CHECK(!results_copy((struct payload){&message, 0, 2}, answer, 3)); /* no room */
    CHECK_EQ(segment.used, 7);
    const uint64_t far[1] = {2};
    CHECK(!results_copy((struct payload){&message, 0, 2}, far, 1));
}

int main(void)
{
    RUN(test_calls_and_wraps);
    RUN(test_only_results_are_written);
    RUN(test_failures);
    RUN(test_malformed);
    RUN(test_lying_indices);
    RUN(test_full_cq);
    RUN(test_budget);
    RUN(test_capabilities);
    RUN(test_limits_stay);
    RUN(test_cancel_and_close);
    RUN(test_endpoint);
    RUN(test_endpoint_ends);
    RUN(test_endpoint_returns_many_capabilities);
    RUN(test_root_moves);
    return test_end();
}
