/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_request.c: operations of the catalog for calls, and what peers are told when one is refused.
 */
#include <string.h>
#include "config.h"
#include "core/assert.h"
#include "core/mem.h"
#include "engine.h"

#define SAID_MAX 80u /* bytes of a path in a reason */

static struct pool requests; /* [L] */
static struct list listings; /* [L] free ones; their pages are kept for life */

/* --- refusals -------------------------------------------------------------------------------------------------------- */

bool engine_available(struct call *call)
{
    switch (engine_self.state) {
    case ENGINE_MOUNTED:
    case ENGINE_READ_ONLY:
        return true;
    case ENGINE_MOUNTING:
        call_fail(call, EXCEPTION_OVERLOADED, "the store is still mounting: ask again");
        return false;
    case ENGINE_FOREIGN:
        call_fail(call, EXCEPTION_FAILED, "the disk is not mounted: found %s; Volume.format would erase it",
                  engine_self.why);
        return false;
    }
    UNREACHABLE();
}

bool engine_digest_valid(struct call *call, const uint8_t *bytes, uint32_t size)
{
    if (size == CATALOG_DIGEST && bytes != NULL) {
        return true;
    }
    call_fail(call, EXCEPTION_FAILED, "a digest is %u bytes, not %u", CATALOG_DIGEST, size);
    return false;
}

void engine_too_many(struct call *call, const char *what)
{
    call_fail(call, EXCEPTION_OVERLOADED, "%s: too many at once: try again later", what);
}

void engine_fail_quota(struct call *call)
{
    call_fail(call, EXCEPTION_FAILED, "full: quota: this view may not hold so many bytes: remove some through it");
}

void engine_fail(struct call *call, enum catalog_answer answer, const char *what)
{
    switch (answer) {
    case CATALOG_FULL: /* what others have open may hold the room: then it helps to ask again */
        call_fail(call, engine_room_may_come() ? EXCEPTION_OVERLOADED : EXCEPTION_FAILED,
                  "full: %s: the disk has no room for it", what);
        return;
    case CATALOG_LIMIT:
        engine_too_many(call, what);
        return;
    case CATALOG_FAILED:
        call_fail(call, EXCEPTION_FAILED, "%s: the disk failed", what);
        return;
    case CATALOG_DAMAGED:
        call_fail(call, EXCEPTION_FAILED, "corrupt: %s: the disk gave back what was not written", what);
        return;
    case CATALOG_MISSING:
        call_fail(call, EXCEPTION_FAILED, "not-found: %s: no blob with this digest is here", what);
        return;
    case CATALOG_BAD_NAME:
        call_fail(call, EXCEPTION_FAILED, "bad-argument: a name is 1 to %u bytes of UTF-8 without control characters",
                  CATALOG_NAME_MAX);
        return;
    case CATALOG_NAMED:
        call_fail(call, EXCEPTION_FAILED, "the blob has a name: remove the name, and the blob goes with it");
        return;
    default:
        call_fail(call, EXCEPTION_FAILED, "%s: %s", catalog_answer_name(answer), what);
    }
}

/* What a path's refusal says of it; NULL: nothing of its own. */
static const char *about_path(enum catalog_answer answer)
{
    switch (answer) {
    case CATALOG_MISSING:
        return "there is no such file, directory or snapshot";
    case CATALOG_EXISTS:
        return "there is one already";
    case CATALOG_CONFLICT:
        return "it is not what it was, or would go into itself";
    case CATALOG_NOT_EMPTY:
        return "the directory has entries: remove them first";
    case CATALOG_NOT_DIRECTORY:
        return "a file stands where a directory is needed";
    case CATALOG_IS_DIRECTORY:
        return "a directory stands where a file is needed";
    case CATALOG_DEEP:
        return "directories would lie too deep in one another, or too much is in it to be moved deeper at once";
    default:
        return NULL;
    }
}

/* As much of a path as a reason has room for, and not half a character. */
static int said(struct catalog_text path)
{
    uint32_t size = path.size < SAID_MAX ? path.size : SAID_MAX;

    while (size > 0 && size < path.size && ((unsigned char)path.text[size] & 0xc0) == 0x80) {
        size--;
    }
    return (int)size;
}

void engine_fail_path(struct call *call, enum catalog_answer answer, struct catalog_text path)
{
    const char *why = about_path(answer);
    const char *more = path.size > SAID_MAX ? "..." : "";

    if (answer == CATALOG_BAD_NAME) { /* which is not repeated: it may be no text */
        call_fail(
            call, EXCEPTION_FAILED,
            "bad-argument: a path is names of 1 to %u bytes of UTF-8 with '/' between them, none of them '.' or '..'",
            CATALOG_NAME_MAX);
    } else if (why != NULL) {
        const char *word = answer == CATALOG_DEEP ? "bad-argument" : catalog_answer_name(answer);
        call_fail(call, EXCEPTION_FAILED, "%s: '%.*s%s': %s", word, said(path), path.text, more, why);
    } else {
        char what[SAID_MAX + 8];
        size_t size = (size_t)said(path);
        memcpy(what, path.text, size);
        memcpy(what + size, more, strlen(more) + 1);
        engine_fail(call, answer, what);
    }
}

/* Of a transfer; ST_PROTO: the catalog's answer says why. */
void engine_fail_status(struct call *call, status_t status, enum catalog_answer answer, const char *what)
{
    if (status == ST_PROTO) {
        engine_fail(call, answer, what);
    } else if (status == ST_IO || status == ST_CLOSED) {
        engine_fail(call, CATALOG_FAILED, what);
    } else {
        call_fail_status(call, status, what);
    }
}

/* --- requests -------------------------------------------------------------------------------------------------------- */

void engine_return(struct call *call, struct object *object)
{
    object_put(object); /* the results hold it now */
    call_return(call);
}

struct catalog_time engine_now(void)
{
    int64_t ns = (int64_t)clock_wall_ns();

    return (struct catalog_time){ns, ns != 0 ? CATALOG_CLOCK_RTC : CATALOG_CLOCK_UNKNOWN};
}

struct engine_request *engine_request_new(struct call *call, enum catalog_op_kind kind,
                                          void (*done)(struct engine_op *op))
{
    struct engine_request *request = pool_get(&requests);

    if (request == NULL) {
        engine_too_many(call, "requests under way");
        return NULL;
    }
    request->call = call;
    request->op = (struct engine_op){.op = {.kind = kind, .time = engine_now()}, .done = done};
    return request;
}

struct engine_request *engine_request_mounted(struct call *call, enum catalog_op_kind kind,
                                              void (*done)(struct engine_op *op))
{
    return engine_available(call) ? engine_request_new(call, kind, done) : NULL;
}

struct engine_request *engine_request_of(struct engine_op *op)
{
    return CONTAINER_OF(op, struct engine_request, op);
}

void engine_request_free(struct engine_request *request)
{
    pool_put(&requests, request);
}

struct call *engine_request_end(struct engine_op *op, const char *what)
{
    struct call *call = engine_request_of(op)->call;
    enum catalog_answer answer = op->op.answer;

    engine_request_free(engine_request_of(op));
    if (answer == CATALOG_OK) {
        return call;
    }
    engine_fail(call, answer, what);
    return NULL;
}

struct call *engine_request_end_maybe(struct engine_op *op, const char *what, bool *there)
{
    *there = op->op.answer == CATALOG_OK;
    op->op.answer = op->op.answer == CATALOG_MISSING ? CATALOG_OK : op->op.answer;
    return engine_request_end(op, what);
}

struct call *engine_request_end_path(struct engine_op *op)
{
    struct call *call = engine_request_of(op)->call;
    struct catalog_op end = op->op;

    engine_request_free(engine_request_of(op));
    if (end.answer == CATALOG_OK) {
        return call;
    }
    engine_fail_path(call, end.answer, end.path);
    return NULL;
}

/* --- listings -------------------------------------------------------------------------------------------------------- */

static void listed(struct engine_op *op)
{
    room_assert_loop();
    struct engine_listing *listing = CONTAINER_OF(op, struct engine_listing, op);

    if (op->op.answer == CATALOG_OK) {
        listing->say(listing->call, listing);
    } else if (op->op.at.directory == CATALOG_NAMES) {
        engine_fail(listing->call, op->op.answer, "list");
    } else {
        engine_fail_path(listing->call, op->op.answer, op->op.path);
    }
    list_push_back(&listings, &listing->node);
}

void engine_list(struct call *call, const struct engine_view *view, struct catalog_text path,
                 struct catalog_text prefix, struct catalog_text after, uint32_t limit,
                 void (*say)(struct call *call, const struct engine_listing *listing))
{
    struct list *node = list_pop_front(&listings);

    if (node == NULL) {
        engine_too_many(call, "list");
        return;
    }
    struct engine_listing *listing = CONTAINER_OF(node, struct engine_listing, node);
    listing->call = call;
    listing->say = say;
    listing->strip = view->prefix_size;
    if (!engine_view_name(view, prefix, listing->prefix, &prefix) ||
        (after.size > 0 && !engine_view_name(view, after, listing->after, &after))) {
        list_push_back(&listings, node);
        engine_fail(call, CATALOG_BAD_NAME, "list");
        return;
    }
    listing->op = (struct engine_op){.op = {.kind = CATALOG_LIST,
                                            .at = view->at,
                                            .path = path,
                                            .prefix = prefix,
                                            .after = after,
                                            .entry = listing->entry,
                                            .entry_max = limit == 0 || limit > ENGINE_PAGE ? ENGINE_PAGE : limit},
                                     .done = listed};
    engine_submit(&listing->op);
}

void engine_request_init(void)
{
    struct engine_listing *all = boot_alloc(ENGINE_LISTS_MAX * sizeof *all, 16);

    list_init(&listings);
    for (int i = 0; i < ENGINE_LISTS_MAX; i++) {
        all[i].entry = boot_alloc(ENGINE_PAGE * sizeof *all[i].entry, 16);
        list_push_back(&listings, &all[i].node);
    }
    pool_init(&requests, "store requests", sizeof(struct engine_request), ENGINE_OPS_MAX);
}
