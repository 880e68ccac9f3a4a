/* SPDX-License-Identifier: MIT OR Apache-2.0
 * object.c: references and the life of a call.
 *
 *  (1) `out` is true from object_call until the return or failure, which happens once (asserted).
 *  (2) The target's reference that a call holds is put after the asker has been told, so a server may be asked to die
 *      only when nothing of the call is left to do.
 *  (3) After source->returned or source->failed the call is the asker's again and may be gone: it is not touched.
 */
#include "core/object.h"
#include "core/fmt.h"

void object_put(struct object *object)
{
    if (object == NULL) {
        return;
    }
    ASSERT(object->references > 0);
    object->references--;
    if (object->references > 0) {
        return;
    }
    if (object->ops->dead == NULL) { /* static: it lives on, with its maker's reference */
        object->references = 1;
        return;
    }
    object->ops->dead(object);
}

void message_release_caps(struct message *message)
{
    room_assert_loop(); /* the prototype cannot say so: message.h knows no rooms */
    for (uint16_t i = 0; i < message->cap_count; i++) {
        struct object *object = message->caps[i];
        message->caps[i] = NULL;
        object_put(object);
    }
    message->cap_count = 0;
}

void object_call(struct object *target, struct call *call)
{
    ASSERT(!call->out && call->source != NULL);
    call->target = object_get(target);
    call->out = true;
    call->cancel_wanted = false;
    call->results_begun = false;
    call->cancelled = NULL;
    call->server = NULL;
    list_init(&call->node);
    target->ops->call(target, call);
}

void call_pass(struct call *call, struct object *target)
{
    struct object *before = call->target;

    ASSERT(call->out && !call->results_begun);
    ASSERT(call->node.next == &call->node); /* this server still has it queued */
    call->cancelled = NULL;
    call->server = NULL;
    call->target = object_get(target);
    object_put(before);
    target->ops->call(target, call);
}

struct payload call_results(struct call *call, uint32_t words)
{
    ASSERT(call->out && !call->results_begun);
    call->results = call->source->results(call, words);
    ASSERT(call->results.message != NULL);
    call->results_begun = true;
    return call->results;
}

/* Ends the server's part; what is returned is the target, whose reference the caller puts (2). */
static struct object *call_end(struct call *call)
{
    ASSERT(call->out);                      /* (1) */
    ASSERT(call->node.next == &call->node); /* the server still has it queued */
    call->out = false;
    call->cancelled = NULL;
    return call->target;
}

static void call_fail_text(struct call *call, enum exception type, const char *reason) REQUIRES(LOOP)
{
    struct object *target = call_end(call);

    call->source->failed(call, type, reason);
    object_put(target); /* (3) */
}

void call_return(struct call *call)
{
    if (!call->results_begun) {
        (void)call_results(call, 1); /* a null content pointer reads as an empty struct */
    }
    if (call->results.message->failed) {
        call_fail_text(call, EXCEPTION_OVERLOADED, "the results do not fit the asker's message");
        return;
    }
    struct object *target = call_end(call);
    call->source->returned(call);
    object_put(target); /* (3) */
}

void call_fail(struct call *call, enum exception type, const char *format, ...)
{
    char reason[CALL_REASON_MAX];
    va_list args;

    va_start(args, format);
    (void)fmt_textv(reason, sizeof reason, format, args);
    va_end(args);
    call_fail_text(call, type, reason);
}

static enum exception exception_of(status_t status)
{
    switch (status) {
    case ST_AGAIN:
    case ST_FULL:
    case ST_NOMEM:
    case ST_TIMEOUT:
        return EXCEPTION_OVERLOADED;
    case ST_STALE:
    case ST_CLOSED:
        return EXCEPTION_DISCONNECTED;
    case ST_UNSUPPORTED:
        return EXCEPTION_UNIMPLEMENTED;
    default:
        return EXCEPTION_FAILED;
    }
}

/* What a user reads; the codes' own names are for logs. */
static const char *words_of(status_t status)
{
    static const char *const words[] = {
        "ok",           "busy",           "full",      "out of memory", "gone",   "denied",        "bad argument",
        "out of range", "protocol error", "i/o error", "timed out",     "closed", "not supported",
    };
    size_t i = (size_t)(-(long)status);

    return i < sizeof words / sizeof words[0] ? words[i] : "failed";
}

void call_fail_status(struct call *call, status_t status, const char *what)
{
    ASSERT(status != ST_OK);
    call_fail(call, exception_of(status), "%s: %s", words_of(status), what);
}

void call_cancel(struct call *call)
{
    if (!call->out || call->cancel_wanted) {
        return;
    }
    call->cancel_wanted = true;
    if (call->cancelled != NULL) {
        call->cancelled(call);
    }
}
