/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_view.c: capabilities for less, made from those for more, and quotas.
 */
#include <string.h>
#include "config.h"
#include "core/assert.h"
#include "core/mem.h"
#include "engine.h"

static struct pool views, quotas; /* [L] */

struct engine_view *engine_view_new(struct call *call, const struct engine_view *from)
{
    struct engine_view *view = pool_get(&views);

    if (view == NULL) {
        engine_too_many(call, "views");
        return NULL;
    }
    *view = *from;
    object_init(&view->object, from->object.ops);
    view->quota = engine_quota_get(from->quota);
    return view;
}

struct engine_view *engine_view_then(struct call *call, const struct engine_view *from, uint64_t generation)
{
    if (generation == CATALOG_NOW) {
        call_fail(call, EXCEPTION_FAILED, "bad-argument: 0 is no snapshot: Volume.snapshots() lists them");
        return NULL;
    }
    struct engine_view *view = engine_view_new(call, from);
    if (view != NULL) {
        view->rights = 0;
        view->at.generation = generation;
    }
    return view;
}

void engine_view_dead(struct object *object)
{
    room_assert_loop();
    struct engine_view *view = engine_view_of(object);

    engine_quota_put(view->quota);
    pool_put(&views, view);
}

bool engine_views_held(void)
{
    return views.in_use > 0;
}

bool engine_view_may(struct call *call, const struct engine_view *view, uint32_t rights)
{
    if ((view->rights & rights) == rights) {
        return true;
    }
    call_fail(call, EXCEPTION_FAILED, "denied: this view %s",
              view->at.generation != CATALOG_NOW ? "shows a snapshot, which does not change"
              : view->rights == 0                ? "is for reading"
                                  : "is for what is new: nothing is replaced, renamed or removed through it");
    return false;
}

bool engine_view_name(const struct engine_view *view, struct catalog_text name, char buffer[CATALOG_NAME_MAX + 1],
                      struct catalog_text *out)
{
    *out = name;
    if (view->prefix_size == 0) {
        return true;
    }
    if (name.size > CATALOG_NAME_MAX - view->prefix_size) {
        return false;
    }
    memcpy(buffer, view->prefix, view->prefix_size);
    if (name.size > 0) {
        memcpy(buffer + view->prefix_size, name.text, name.size);
    }
    *out = (struct catalog_text){buffer, view->prefix_size + name.size};
    return true;
}

/* --- quotas ---------------------------------------------------------------------------------------------------------- */

struct engine_quota *engine_quota_new(struct call *call, uint64_t limit, struct engine_quota *wider)
{
    struct engine_quota *quota = pool_get(&quotas);

    if (quota == NULL) {
        engine_too_many(call, "quotas");
        return NULL;
    }
    *quota = (struct engine_quota){.limit = limit, .wider = engine_quota_get(wider), .references = 1};
    return quota;
}

struct engine_quota *engine_quota_get(struct engine_quota *quota)
{
    if (quota != NULL) {
        quota->references++;
    }
    return quota;
}

void engine_quota_put(struct engine_quota *quota)
{
    while (quota != NULL && --quota->references == 0) {
        struct engine_quota *wider = quota->wider;
        pool_put(&quotas, quota);
        quota = wider;
    }
}

bool engine_quota_take(struct engine_quota *quota, uint64_t bytes)
{
    for (const struct engine_quota *q = quota; q != NULL; q = q->wider) {
        if (bytes > q->limit - q->used) {
            return false;
        }
    }
    for (; quota != NULL; quota = quota->wider) {
        quota->used += bytes;
    }
    return true;
}

/* What was there before the quota counts for nothing. */
void engine_quota_give(struct engine_quota *quota, uint64_t bytes)
{
    for (; quota != NULL; quota = quota->wider) {
        quota->used -= bytes < quota->used ? bytes : quota->used;
    }
}

void engine_view_init(void)
{
    pool_init(&views, "store views", sizeof(struct engine_view), ENGINE_VIEWS_MAX);
    pool_init(&quotas, "store quotas", sizeof(struct engine_quota), ENGINE_VIEWS_MAX);
}
