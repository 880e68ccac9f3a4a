/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_watch.c: the capability Watch: who is told of changes, and of what.
 *
 *  (1) A change that came about is noted when the thread has answered, before who asked for it is told. A flat name is known
 *      there; for a name in the tree the catalog is asked where its directory is (WHERE), and the watches of all directories above
 *      it are told. There is memory for so many such questions at once; what has none is told as `lost`.
 *  (2) A watch remembers names until its watcher has returned from the call before: each once, and at most PENDING bytes of them.
 *  (3) A watch that was dropped while its watcher is being called is free when that call returns.
 *  (4) Telling may end any watch, also others than the one that is told (a watcher may be all that holds one): so names are noted
 *      first, and told by work of its own, which begins at the front of the list after each.
 *  (5) A call to a watcher for which there is no room just now says nothing of it: its watch rests for a second, and then tells
 *      that names were lost.
 */
#include <string.h>
#include "config.h"
#include "core/assert.h"
#include "core/mem.h"
#include "engine.h"
#include "lib/store/store.capnp.h"

#define PENDING 4096u  /* bytes of names, each with a NUL */
#define NAMES_MAX 128u /* of them */
#define WORDS                                                                                                          \
    (PENDING / 8u + NAMES_MAX * 2u + 16u) /* of a message: the pointer, and up to a word of padding, of each name */
#define WHERES 16u
#define REST_NS NS_PER_S

struct watch {
    struct object object;
    struct object *watcher; /* NULL: it failed, and is told nothing more */
    uint64_t directory;     /* CATALOG_NAMES: `prefix` says what is watched there */
    uint32_t prefix_size;
    char prefix[CATALOG_NAME_MAX + 1];
    uint32_t strip; /* bytes of a name that are the view's */
    bool lost;
    bool dead;  /* (3) */
    bool rests; /* (5) */
    uint32_t used, names;
    char pending[PENDING];
    struct call call; /* out: the watcher has the names of before */
    struct message params, results;
    struct message_segment params_segment, results_segment;
    uint64_t *params_words; /* [I] WORDS */
    uint64_t results_words[8];
    struct list node;
};

/* A question where something in the tree is. */
struct where {
    struct engine_op op;
    struct catalog_above above;
    char path[CATALOG_PATH_MAX];
    uint32_t name_size; /* 0: the node itself is what changed; else a name in it */
    char name[CATALOG_NAME_MAX + 1];
    struct list node;
};

static struct {
    struct list watches; /* that are told */
    struct list free;
    struct list wheres; /* free ones */
    struct work tell;   /* (4) */
    struct timer rest;  /* (5) armed while some rest: all end with it */
} self;

static void has_news(void) REQUIRES(LOOP)
{
    loop_post(&self.tell);
}

/* --- memory of what changed ------------------------------------------------------------------------------------------ */

static bool remembers(const struct watch *w, const char *name, uint32_t size)
{
    for (uint32_t at = 0; at < w->used; at += (uint32_t)strlen(w->pending + at) + 1) {
        if (strlen(w->pending + at) == size && memcmp(w->pending + at, name, size) == 0) {
            return true;
        }
    }
    return false;
}

/* `directory` before the name, if there is one, and '/'. */
static void remember(struct watch *w, struct catalog_text directory, struct catalog_text name) REQUIRES(LOOP)
{
    char all[CATALOG_PATH_MAX + 1];
    uint32_t size = directory.size > 0 ? directory.size + 1 + name.size : name.size;

    if (size > CATALOG_PATH_MAX) {
        w->lost = true;
    } else {
        if (directory.size > 0) {
            memcpy(all, directory.text, directory.size);
            all[directory.size] = '/';
        }
        memcpy(all + size - name.size, name.text, name.size);
        if (!remembers(w, all, size)) {
            w->lost = w->lost || size + 1 > PENDING - w->used || w->names == NAMES_MAX;
        }
        if (!w->lost && !remembers(w, all, size)) {
            memcpy(w->pending + w->used, all, size);
            w->pending[w->used + size] = '\0';
            w->used += size + 1;
            w->names++;
        }
    }
    has_news();
}

/* --- telling --------------------------------------------------------------------------------------------------------- */

static struct payload results(struct call *call, uint32_t words)
{
    struct watch *w = CONTAINER_OF(call, struct watch, call);

    (void)words; /* there is nothing to be said */
    capnp_message_build(&w->results, &w->results_segment, w->results_words, 8, NULL, 0);
    return capnp_root(&w->results);
}

static void watch_free(struct watch *w) REQUIRES(LOOP)
{
    struct object *watcher = w->watcher;

    w->watcher = NULL;
    list_push_back(&self.free, &w->node);
    object_put(watcher); /* last: with it another watch may go */
}

static void told(struct call *call)
{
    room_assert_loop();
    struct watch *w = CONTAINER_OF(call, struct watch, call);

    if (w->dead) {
        watch_free(w);
    } else {
        has_news(); /* of what came meanwhile */
    }
}

static void rest(struct watch *w) REQUIRES(LOOP)
{
    w->lost = true;
    w->rests = true;
    if (!timer_armed(&self.rest)) {
        timer_set(&self.rest, clock_ns() + REST_NS);
    }
}

static void rested(struct timer *timer)
{
    room_assert_loop();
    (void)timer;
    for (struct list *n = self.watches.next; n != &self.watches; n = n->next) {
        CONTAINER_OF(n, struct watch, node)->rests = false;
    }
    has_news();
}

/* It is told nothing more. */
static void give_up(struct watch *w) REQUIRES(LOOP)
{
    struct object *watcher = w->watcher;
    bool dead = w->dead;

    list_remove(&w->node);
    list_init(&w->node);
    w->watcher = NULL;
    if (dead) {
        watch_free(w);
    }
    object_put(watcher); /* last: with it a watch may go, this one too */
}

static void failed(struct call *call, enum exception type, const char *reason)
{
    room_assert_loop();
    struct watch *w = CONTAINER_OF(call, struct watch, call);

    (void)reason; /* who watches knows it better */
    if (type == EXCEPTION_OVERLOADED && !w->dead) {
        rest(w);
    } else {
        give_up(w);
    }
}

static void fill(struct watch *w, struct watcher_changed_params_builder params)
{
    struct capnp_list_builder names = watcher_changed_params_init_names(params, w->names);
    uint32_t at = 0;

    for (uint32_t i = 0; i < w->names; i++) {
        capnp_set_text(capnp_list_slot(names, i), capnp_text(w->pending + at));
        at += (uint32_t)strlen(w->pending + at) + 1;
    }
    watcher_changed_params_set_lost(params, w->lost);
    w->used = w->names = 0;
    w->lost = false;
}

static void deliver(struct watch *w) REQUIRES(LOOP)
{
    static const struct call_source source = {results, told, failed};

    capnp_message_build(&w->params, &w->params_segment, w->params_words, WORDS, NULL, 0);
    fill(w, watcher_changed_begin(&w->call, w->watcher, capnp_root(&w->params), &source));
    object_call(w->watcher, &w->call);
}

/* The first that has something to tell and somebody who listens. */
static struct watch *next_to_tell(void)
{
    for (struct list *n = self.watches.next; n != &self.watches; n = n->next) {
        struct watch *w = CONTAINER_OF(n, struct watch, node);
        if (!w->call.out && !w->rests && (w->names > 0 || w->lost)) {
            return w;
        }
    }
    return NULL;
}

static void tell(struct work *work)
{
    room_assert_loop();
    (void)work;
    for (struct watch *w = next_to_tell(); w != NULL; w = next_to_tell()) {
        deliver(w);
    }
}

/* --- what changed: (1) ----------------------------------------------------------------------------------------------- */

static void note_flat(struct catalog_text name) REQUIRES(LOOP)
{
    for (struct list *n = self.watches.next; n != &self.watches; n = n->next) {
        struct watch *w = CONTAINER_OF(n, struct watch, node);
        if (w->directory == CATALOG_NAMES && name.size >= w->prefix_size &&
            memcmp(name.text, w->prefix, w->prefix_size) == 0) {
            remember(w, (struct catalog_text){0}, (struct catalog_text){name.text + w->strip, name.size - w->strip});
        }
    }
}

/* Those that watch a directory above what the answer is about. */
static void note_above(const struct where *where) REQUIRES(LOOP)
{
    struct catalog_text name = {where->name, where->name_size};

    for (struct list *n = self.watches.next; n != &self.watches; n = n->next) {
        struct watch *w = CONTAINER_OF(n, struct watch, node);
        if (where->name_size > 0 && w->directory == where->op.op.id) {
            remember(w, (struct catalog_text){0}, name);
        }
        for (uint32_t i = 0; i < where->above.count; i++) {
            uint32_t size = where->above.in[i].size;
            struct catalog_text path = {where->path + where->op.op.path_size - size, size};
            if (w->directory != where->above.in[i].directory) {
                continue;
            }
            if (where->name_size > 0) {
                remember(w, path, name);
            } else {
                remember(w, (struct catalog_text){0}, path);
            }
        }
    }
}

static void lose_all(void) REQUIRES(LOOP)
{

    for (struct list *n = self.watches.next; n != &self.watches; n = n->next) {
        struct watch *w = CONTAINER_OF(n, struct watch, node);
        w->lost = w->lost || w->directory != CATALOG_NAMES;
    }
    has_news();
}

static void found(struct engine_op *op)
{
    room_assert_loop();
    struct where *where = CONTAINER_OF(op, struct where, op);

    if (op->op.answer == CATALOG_MISSING) {
        where->above.count = 0; /* its directory went too: of that there is another note to those above */
    }
    if (op->op.answer == CATALOG_OK || op->op.answer == CATALOG_MISSING) {
        note_above(where);
    } else {
        lose_all();
    }
    list_push_back(&self.wheres, &where->node);
}

/* `name` in this directory, or, without a name, the node itself. */
static void ask_where(uint64_t id, struct catalog_text name) REQUIRES(LOOP)
{
    struct list *node = list_pop_front(&self.wheres);

    if (node == NULL || name.size > CATALOG_NAME_MAX) { /* too long: it was not so when it was looked at */
        if (node != NULL) {
            list_push_back(&self.wheres, node);
        }
        lose_all();
        return;
    }
    struct where *where = CONTAINER_OF(node, struct where, node);
    where->name_size = name.size;
    if (name.size > 0) {
        memcpy(where->name, name.text, name.size);
    }
    where->op = (struct engine_op){
        .op = {.kind = CATALOG_WHERE, .id = id, .path_room = where->path, .above = &where->above}, .done = found};
    engine_submit(&where->op);
}

static struct catalog_text last_name(struct catalog_text path)
{
    uint32_t at = path.size;

    while (at > 0 && path.text[at - 1] != '/') {
        at--;
    }
    return (struct catalog_text){path.text + at, path.size - at};
}

static void note_path(struct catalog_place at, uint64_t parent, struct catalog_text path) REQUIRES(LOOP)
{
    if (path.size == 0) {
        return; /* a blob without a name */
    }
    if (at.directory == CATALOG_NAMES) {
        note_flat(path);
    } else {
        ask_where(parent, last_name(path));
    }
}

static void note_batch(const struct catalog_op *op) REQUIRES(LOOP)
{
    for (uint32_t i = 0; i < op->step_count; i++) {
        note_flat(op->step[i].name);
    }
}

void engine_watch_note(const struct catalog_op *op)
{
    if (list_empty(&self.watches)) {
        return;
    }
    switch (op->kind) {
    case CATALOG_PUT:
    case CATALOG_BIND:
    case CATALOG_MKDIR:
    case CATALOG_CREATE:
    case CATALOG_REMOVE:
        note_path(op->at, op->parent, op->path);
        break;
    case CATALOG_RENAME:
        note_path(op->at, op->from_parent, op->path);
        note_path(op->to, op->parent, op->to_path);
        break;
    case CATALOG_BATCH:
        note_batch(op);
        break;
    default: /* bytes of an object, pins, snapshots: no name */
        break;
    }
}

void engine_watch_note_file(uint64_t id)
{
    if (!list_empty(&self.watches)) {
        ask_where(id, (struct catalog_text){0});
    }
}

/* --- the capability -------------------------------------------------------------------------------------------------- */

static void watch_call(struct object *object, struct call *call)
{
    static const struct watch_server_ops ops = {0};

    room_assert_loop();
    watch_dispatch(&ops, object, call);
}

static void watch_dead(struct object *object)
{
    room_assert_loop();
    struct watch *w = CONTAINER_OF(object, struct watch, object);

    list_remove(&w->node);
    list_init(&w->node);
    w->dead = true;
    if (!w->call.out) {
        watch_free(w);
    }
}

static const struct object_ops watch_ops = {.call = watch_call, .dead = watch_dead};

struct object *engine_watch_new(struct call *call, const struct engine_view *view, uint64_t directory,
                                struct catalog_text prefix, struct object *watcher)
{
    if (watcher == NULL) {
        call_fail(call, EXCEPTION_FAILED, "bad-argument: there is no watcher to be told");
        return NULL;
    }
    if (view->at.generation != CATALOG_NOW) {
        call_fail(call, EXCEPTION_FAILED, "denied: this view shows a snapshot, which does not change");
        return NULL;
    }
    struct list *node = list_pop_front(&self.free);
    if (node == NULL) {
        engine_too_many(call, "watch");
        return NULL;
    }
    struct watch *w = CONTAINER_OF(node, struct watch, node);
    *w = (struct watch){.watcher = object_get(watcher),
                        .directory = directory,
                        .prefix_size = prefix.size,
                        .strip = view->prefix_size,
                        .params_words = w->params_words};
    if (prefix.size > 0) {
        memcpy(w->prefix, prefix.text, prefix.size);
    }
    object_init(&w->object, &watch_ops);
    list_push_back(&self.watches, &w->node);
    return &w->object;
}

bool engine_watches_held(void)
{
    return !list_empty(&self.watches);
}

void engine_watch_init(void)
{
    struct watch *watches = boot_alloc(ENGINE_WATCHES_MAX * sizeof *watches, 16);
    struct where *wheres = boot_alloc(WHERES * sizeof *wheres, 16);

    list_init(&self.watches);
    list_init(&self.free);
    list_init(&self.wheres);
    work_init(&self.tell, tell);
    timer_init(&self.rest, rested);
    for (int i = 0; i < ENGINE_WATCHES_MAX; i++) {
        watches[i].params_words = boot_alloc(WORDS * 8u, 16);
        list_push_back(&self.free, &watches[i].node);
    }
    for (unsigned i = 0; i < WHERES; i++) {
        list_push_back(&self.wheres, &wheres[i].node);
    }
}
