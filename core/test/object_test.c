/* SPDX-License-Identifier: MIT OR Apache-2.0
 * object_test.c: references, and the life of a call: returned once, results always begun, the target kept until the end.
 */
#include "../cap/object.c"
#include "core/room.h"
#include "test.h"

static struct {
    struct object object;
    unsigned calls;
    unsigned deaths;
    unsigned cancels;
} server;

static struct {
    uint64_t words[2];
    struct message_segment segment;
    struct message message;
    unsigned returned;
    unsigned failed;
    enum exception type;
    char reason[CALL_REASON_MAX];
    uint32_t references_seen;
} asker;

static void called(struct object *object, struct call *call)
{
    CHECK(object == &server.object && call->target == object && call->out && !call->results_begun);
    CHECK_EQ(object->references, 2); /* the call holds one */
    server.calls++;
}
static void dead(struct object *object)
{
    CHECK_EQ(object->references, 0);
    server.deaths++;
}
static const struct object_ops ops = {.call = called, .dead = dead};

static struct payload results(struct call *call, uint32_t words)
{
    CHECK(words > 0 && !call->results_begun);
    asker.words[0] = 0;
    asker.segment = (struct message_segment){.words = asker.words, .used = 1, .size = 2};
    asker.message.segment = &asker.segment;
    asker.message.segment_count = 1;
    return (struct payload){&asker.message, 0, 0};
}
static void returned(struct call *call)
{
    CHECK(!call->out && call->results_begun);
    asker.references_seen = call->target->references;
    asker.returned++;
}
static void failed(struct call *call, enum exception type, const char *reason)
{
    CHECK(!call->out);
    asker.references_seen = call->target->references;
    asker.failed++;
    asker.type = type;
    fmt_text(asker.reason, sizeof asker.reason, "%s", reason);
}
static const struct call_source source = {results, returned, failed};

static void start(struct call *call)
{
    test_room = ROOM_LOOP;
    memset(&server, 0, sizeof server);
    memset(&asker, 0, sizeof asker);
    object_init(&server.object, &ops);
    *call = (struct call){.source = &source};
    object_call(&server.object, call);
    CHECK_EQ(server.calls, 1);
}

static void test_return(void)
{
    struct call call;

    start(&call);
    call_return(&call); /* without having begun results */
    CHECK(asker.returned == 1 && asker.failed == 0 && asker.segment.used == 1);
    CHECK_EQ(asker.references_seen, 2); /* kept until the asker knows */
    CHECK_EQ(server.object.references, 1);
    CHECK_PANICS(call_return(&call));
    CHECK_PANICS(call_fail(&call, EXCEPTION_FAILED, "late"));
    object_call(&server.object, &call); /* the asker's again: it can be sent anew */
    CHECK_PANICS(object_call(&server.object, &call));
    (void)call_results(&call, 1);
    CHECK_PANICS((void)call_results(&call, 1));
    call_return(&call);
    CHECK_EQ(asker.returned, 2);
}

static void test_overflow_fails(void)
{
    struct call call;

    start(&call);
    call_results(&call, 1).message->failed = true;
    call_return(&call);
    CHECK(asker.returned == 0 && asker.failed == 1 && asker.type == EXCEPTION_OVERLOADED);
}

static void test_failures(void)
{
    static const struct {
        status_t status;
        enum exception type;
        const char *text;
    } want[] = {
        {ST_AGAIN, EXCEPTION_OVERLOADED, "busy: x"},
        {ST_FULL, EXCEPTION_OVERLOADED, "full: x"},
        {ST_DENIED, EXCEPTION_FAILED, "denied: x"},
        {ST_CLOSED, EXCEPTION_DISCONNECTED, "closed: x"},
        {ST_UNSUPPORTED, EXCEPTION_UNIMPLEMENTED, "not supported: x"},
    };
    struct call call;

    for (unsigned i = 0; i < sizeof want / sizeof want[0]; i++) {
        start(&call);
        call_fail_status(&call, want[i].status, "x");
        CHECK_EQ(asker.type, want[i].type);
        CHECK_STR(asker.reason, want[i].text);
    }
    start(&call);
    call_fail(&call, EXCEPTION_FAILED, "%0300d", 1); /* cut, not overrun */
    CHECK_EQ(strlen(asker.reason), CALL_REASON_MAX - 1);
}

static void cancelled(struct call *call)
{
    server.cancels++;
    call_fail(call, EXCEPTION_FAILED, "cancelled");
}

static void test_cancel(void)
{
    struct call call;

    start(&call);
    call_cancel(&call); /* the server set nothing: it is only told by the flag */
    CHECK(call.cancel_wanted && call.out);
    call_return(&call);
    CHECK_EQ(asker.returned, 1);
    start(&call);
    call.cancelled = cancelled;
    call_cancel(&call);
    call_cancel(&call);
    CHECK(server.cancels == 1 && asker.failed == 1 && !call.out);
}

static void test_references(void)
{
    static const struct object_ops kept_ops = {.call = called};
    struct object kept;
    struct call call;

    start(&call);
    object_put(&server.object); /* the maker's; the call's is left */
    CHECK_EQ(server.deaths, 0);
    call_return(&call);
    CHECK_EQ(server.deaths, 1);
    object_put(NULL);
    object_init(&kept, &kept_ops);
    object_put(&kept);
    CHECK_EQ(kept.references, 1); /* static objects do not die */
    kept.references = UINT32_MAX;
    CHECK_PANICS((void)object_get(&kept));
    kept.references = 0;
    CHECK_PANICS((void)object_get(&kept));
}

static void test_message_caps(void)
{
    struct object *caps[3];
    struct message message = {.caps = caps, .cap_count = 3, .cap_max = 3};
    struct call call;

    start(&call);
    caps[0] = object_get(&server.object);
    caps[1] = NULL;
    caps[2] = object_get(&server.object);
    message_release_caps(&message);
    CHECK_EQ(server.object.references, 2);
    CHECK_EQ(message.cap_count, 0);
    message_release_caps(&message);
    CHECK_EQ(server.object.references, 2);
    call_return(&call);
}

int main(void)
{
    RUN(test_return);
    RUN(test_overflow_fails);
    RUN(test_failures);
    RUN(test_cancel);
    RUN(test_references);
    RUN(test_message_caps);
    return test_end();
}
