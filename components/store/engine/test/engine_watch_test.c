/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_watch_test.c: a watcher is told of each change that it watches, after it is durable, and of nothing else.
 */
#include "engine_support.h"
#include "lib/store/store.capnp.h"

/* One who watches. Keeps the call when told to. */
static struct {
    struct object object;
    char told[6000]; /* names, a blank behind each; "LOST " */
    unsigned calls;
    bool keep, fail;
    unsigned overloaded;  /* so many calls fail for want of room */
    struct object *drops; /* when it is told */
    struct call *kept;
} watcher;

static void on_changed(struct object *object, struct call *call, struct watcher_changed_params_reader params)
{
    struct capnp_list names = watcher_changed_params_get_names(params);

    (void)object;
    watcher.calls++;
    if (watcher.overloaded > 0) {
        watcher.overloaded--;
        call_fail(call, EXCEPTION_OVERLOADED, "no room for the message of a call");
        return;
    }
    if (watcher.drops != NULL) {
        struct object *dropped = watcher.drops;
        watcher.drops = NULL;
        object_put(dropped);
    }
    for (uint32_t i = 0; i < names.count; i++) {
        strcat(watcher.told, capnp_read_text(capnp_list_ref(names, i)).text);
        strcat(watcher.told, " ");
    }
    strcat(watcher.told, watcher_changed_params_get_lost(params) ? "LOST " : "");
    if (watcher.fail) {
        call_fail(call, EXCEPTION_FAILED, "enough");
    } else if (watcher.keep) {
        watcher.kept = call;
    } else {
        call_return(call);
    }
}

static void watcher_call(struct object *object, struct call *call)
{
    static const struct watcher_server_ops ops = {on_changed};

    watcher_dispatch(&ops, object, call);
}

static bool done(void)
{
    settle();
    return ask.returned == 1;
}

/* What was told since the last look. */
static const char *told(void)
{
    static char copy[sizeof watcher.told];

    settle();
    memcpy(copy, watcher.told, sizeof copy);
    watcher.told[0] = '\0';
    return copy;
}

static void begin_test(void)
{
    static const struct object_ops ops = {.call = watcher_call};

    fresh();
    memset(&watcher, 0, sizeof watcher);
    object_init(&watcher.object, &ops);
}

static struct object *root(void)
{
    return &engine_self.root.object;
}

static struct object *names(void)
{
    return &engine_self.names.object;
}

static struct object *watch_path(const char *path)
{
    struct directory_watch_params_builder p =
        directory_watch_begin(&ask.call, root(), asker_params(&ask), &asker_source);

    directory_watch_params_set_path(p, capnp_text(path));
    directory_watch_params_set_watcher(p, &watcher.object);
    object_call(root(), &ask.call);
    return done() ? object_get(directory_watch_results_get_watch(directory_watch_answer(&ask.call))) : NULL;
}

static struct object *watch_names(struct object *in, const char *prefix)
{
    struct namespace_watch_params_builder p = namespace_watch_begin(&ask.call, in, asker_params(&ask), &asker_source);

    namespace_watch_params_set_prefix(p, capnp_text(prefix));
    namespace_watch_params_set_watcher(p, &watcher.object);
    object_call(in, &ask.call);
    return done() ? object_get(namespace_watch_results_get_watch(namespace_watch_answer(&ask.call))) : NULL;
}

static bool make_directory(const char *path, bool parents)
{
    struct directory_mkdir_params_builder p =
        directory_mkdir_begin(&ask.call, root(), asker_params(&ask), &asker_source);

    directory_mkdir_params_set_path(p, capnp_text(path));
    directory_mkdir_params_set_parents(p, parents);
    object_call(root(), &ask.call);
    return done();
}

static bool rename_path(const char *from, const char *to)
{
    struct directory_rename_params_builder p =
        directory_rename_begin(&ask.call, root(), asker_params(&ask), &asker_source);

    directory_rename_params_set_from(p, capnp_text(from));
    directory_rename_params_set_to(p, capnp_text(to));
    object_call(root(), &ask.call);
    return done();
}

static bool remove_path(const char *path)
{
    directory_remove_params_set_path(directory_remove_begin(&ask.call, root(), asker_params(&ask), &asker_source),
                                     capnp_text(path));
    object_call(root(), &ask.call);
    return done();
}

static bool bind(struct object *in, const char *name, const uint8_t digest[CATALOG_DIGEST])
{
    struct namespace_bind_params_builder p = namespace_bind_begin(&ask.call, in, asker_params(&ask), &asker_source);

    namespace_bind_params_set_name(p, capnp_text(name));
    namespace_bind_params_set_digest(p, capnp_data(digest, CATALOG_DIGEST));
    object_call(in, &ask.call);
    return done();
}

static void drop(struct object *object)
{
    asker_forget(&ask);
    object_put(object);
    settle();
}

/* --- tests ----------------------------------------------------------------------------------------------------------- */

static void test_tree(void)
{
    begin_test();
    REQUIRE(make_directory("a/b", true));
    struct object *all = watch_path("");
    struct object *below = watch_path("a/b");
    REQUIRE(all != NULL && below != NULL);
    CHECK(make_directory("a/b/c", false));
    CHECK_STR(told(), "a/b/c c ");
    CHECK(make_directory("z", false));
    CHECK_STR(told(), "z ");
    CHECK(!make_directory("z", false)); /* nothing changed */
    CHECK_STR(told(), "");
    CHECK(rename_path("a/b/c", "a/d"));
    CHECK_STR(told(), "a/b/c c a/d ");
    CHECK(rename_path("a/b", "z/b")); /* the watch is of the directory, wherever it stands */
    CHECK_STR(told(), "a/b z/b ");
    CHECK(make_directory("z/b/e", false));
    CHECK_STR(told(), "z/b/e e ");
    CHECK(remove_path("z/b/e"));
    CHECK_STR(told(), "z/b/e e ");
    drop(below);
    CHECK(remove_path("z/b"));
    CHECK_STR(told(), "z/b ");
    drop(all);
    CHECK(remove_path("z"));
    CHECK_STR(told(), "");
    CHECK(watch_path("nowhere") == NULL && strncmp(ask.reason, "not-found:", 10) == 0);
    nothing_is_left(0);
}

/* A file tells when its writer closes it, if it was written to. */
static void test_file(void)
{
    begin_test();
    struct object *watch = watch_path("");
    REQUIRE(watch != NULL);
    for (unsigned i = 0; i < 2; i++) {
        struct directory_open_params_builder p =
            directory_open_begin(&ask.call, root(), asker_params(&ask), &asker_source);
        directory_open_params_set_path(p, capnp_text("f"));
        directory_open_params_set_mode(p, DIRECTORY_MODE_APPEND);
        directory_open_params_set_create(p, DIRECTORY_CREATE_IF_MISSING);
        object_call(root(), &ask.call);
        REQUIRE(done());
        struct object *file = object_get(directory_open_results_get_file(directory_open_answer(&ask.call)));
        CHECK_STR(told(), i == 0 ? "f " : "");
        if (i == 0) {
            file_append_params_set_bytes(file_append_begin(&ask.call, file, asker_params(&ask), &asker_source),
                                         capnp_data("x", 1));
            object_call(file, &ask.call);
            CHECK(done());
            CHECK_STR(told(), "");
        }
        drop(file);
        CHECK_STR(told(), i == 0 ? "f " : "");
    }
    drop(watch);
    nothing_is_left(0);
}

static void test_flat(void)
{
    uint8_t digest[CATALOG_DIGEST];

    begin_test();
    REQUIRE(put_whole(1, 10, 10, digest));
    namespace_sub_params_set_prefix(namespace_sub_begin(&ask.call, names(), asker_params(&ask), &asker_source),
                                    capnp_text("u/"));
    object_call(names(), &ask.call);
    REQUIRE(done());
    struct object *user = object_get(namespace_sub_results_get_names(namespace_sub_answer(&ask.call)));
    struct object *watch = watch_names(user, "a");
    REQUIRE(watch != NULL);
    CHECK(bind(names(), "u/ab", digest) && bind(names(), "u/b", digest) && bind(names(), "ab", digest));
    CHECK_STR(told(), "ab "); /* as the view names it */
    struct name_change_builders changes = namespace_commit_params_init_changes(
        namespace_commit_begin(&ask.call, user, asker_params(&ask), &asker_source), 2);
    name_change_set_name(name_change_builder_at(changes, 0), capnp_text("ac"));
    name_change_set_digest(name_change_builder_at(changes, 0), capnp_data(digest, CATALOG_DIGEST));
    name_change_set_name(name_change_builder_at(changes, 1), capnp_text("ab"));
    object_call(user, &ask.call);
    CHECK(done());
    CHECK_STR(told(), "ac ab ");
    drop(watch);
    drop(user);
    nothing_is_left(0);
}

/* While the watcher is busy names gather, each once; too many are said to be lost. */
static void test_gather(void)
{
    uint8_t digest[CATALOG_DIGEST];
    char name[CATALOG_NAME_MAX + 1];

    begin_test();
    REQUIRE(put_whole(1, 10, 10, digest));
    struct object *watch = watch_names(names(), "");
    REQUIRE(watch != NULL);
    watcher.keep = true;
    CHECK(bind(names(), "a", digest) && bind(names(), "b", digest) && bind(names(), "c", digest) &&
          bind(names(), "b", digest));
    CHECK_STR(told(), "a ");
    CHECK_EQ(watcher.calls, 1);
    call_return(watcher.kept);
    CHECK_STR(told(), "b c ");
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (unsigned i = 0; i < 40; i++) { /* more than is remembered */
        name[0] = (char)('0' + i);
        CHECK(bind(names(), name, digest));
    }
    call_return(watcher.kept);
    CHECK(strstr(told(), "LOST") != NULL);
    CHECK_EQ(watcher.calls, 3);
    struct call *last = watcher.kept;
    watcher.kept = NULL;
    drop(watch);                      /* while its call is out */
    watch = watch_names(names(), ""); /* nothing of the one before is used again */
    REQUIRE(watch != NULL);
    call_return(last);
    CHECK(bind(names(), "z", digest));
    CHECK_STR(told(), "z ");
    call_return(watcher.kept);
    drop(watch);
    nothing_is_left(0);
}

/* Who is told lets go of another watch, the next one in the list or the one before. */
static void test_drop_inside(void)
{
    for (unsigned first = 0; first < 2; first++) {
        begin_test();
        struct object *watch[3] = {watch_path(""), watch_path(""), watch_path("")};
        watcher.fail = first == 1;
        asker_forget(&ask);
        watcher.drops = watch[1];
        CHECK(make_directory("a", false));
        settle();
        CHECK_EQ(watcher.calls, 2);
        watcher.fail = false;
        CHECK(make_directory("b", false));
        settle();
        CHECK_EQ(watcher.calls, first == 1 ? 2 : 4);
        drop(watch[0]);
        drop(watch[2]);
        nothing_is_left(0);
    }
}

/* A format would give the numbers of directories to others. */
static void test_format(void)
{
    begin_test();
    struct object *watch = watch_path("");
    REQUIRE(watch != NULL);
    struct object *volume_cap = &engine_self.volume;
    volume_format_params_set_confirm(volume_format_begin(&ask.call, volume_cap, asker_params(&ask), &asker_source),
                                     capnp_text("erase everything"));
    object_call(volume_cap, &ask.call);
    CHECK(!done() && strncmp(ask.reason, "views or watches are held", 25) == 0);
    drop(watch);
    nothing_is_left(0);
}

/* A watcher that fails is told nothing more; the bound of watches. */
static void test_ends(void)
{
    struct object *watch[ENGINE_WATCHES_MAX];
    unsigned count = 0;

    begin_test();
    watcher.fail = true;
    while (count < ENGINE_WATCHES_MAX && (watch[count] = watch_path("")) != NULL) {
        count++;
    }
    CHECK_EQ(count, ENGINE_WATCHES_MAX);
    CHECK(watch_path("") == NULL && ask.type == EXCEPTION_OVERLOADED);
    CHECK(make_directory("a", false));
    CHECK_EQ(watcher.calls, count);
    CHECK(make_directory("b", false));
    CHECK_EQ(watcher.calls, count);
    for (unsigned i = 0; i < count; i++) {
        drop(watch[i]);
    }
    watcher.fail = false;
    watch[0] = watch_path("");
    REQUIRE(watch[0] != NULL);
    told();
    CHECK(make_directory("c", false));
    CHECK_STR(told(), "c ");
    drop(watch[0]);
    nothing_is_left(0);
}

/* A call for which there was no room has told nothing, and is made up for a second later. */
static void test_no_room(void)
{
    begin_test();
    struct object *watch[2] = {watch_path(""), watch_path("")};
    REQUIRE(watch[0] != NULL && watch[1] != NULL);
    asker_forget(&ask);
    watcher.overloaded = 1;
    time_stands = true;
    CHECK(make_directory("a", false));
    CHECK_STR(told(), "a "); /* the other one's */
    CHECK(make_directory("b", false));
    CHECK_STR(told(), "b ");
    CHECK_EQ(watcher.calls, 3); /* not asked again at once */
    uint64_t before = test_clock_ns;
    watcher.overloaded = 2;
    time_stands = false;
    CHECK_STR(told(), "LOST ");
    CHECK_EQ(watcher.calls, 6);
    CHECK_EQ(test_clock_ns - before, 3 * NS_PER_S);
    CHECK(make_directory("c", false));
    CHECK_STR(told(), "c c ");
    watcher.overloaded = 2;
    time_stands = true;
    CHECK(make_directory("d", false));
    drop(watch[0]); /* while it rests */
    time_stands = false;
    CHECK_STR(told(), "LOST ");
    watcher.keep = true;
    CHECK(make_directory("e", false));
    drop(watch[1]); /* while its call is out */
    call_fail(watcher.kept, EXCEPTION_OVERLOADED, "too late");
    settle();
    CHECK(!engine_watches_held() && armed == NULL);
    asker_forget(&ask);
    CHECK_EQ(watcher.object.references, 1); /* ours: nothing of it is left */
    nothing_is_left(0);
}

/* The directory of what went is gone too, before it was asked where that is. */
static void test_directory_went(void)
{
    static const char *const paths[] = {"a/b", "a"};

    begin_test();
    REQUIRE(make_directory("a/b", true));
    struct object *below = watch_path("a");
    struct object *all = watch_path("");
    REQUIRE(below != NULL && all != NULL);
    for (unsigned i = 0; i < 2; i++) {
        struct directory_remove_params_builder p =
            directory_remove_begin(&chunks[i].call, root(), asker_params(&chunks[i]), &asker_source);
        directory_remove_params_set_path(p, capnp_text(paths[i]));
        object_call(root(), &chunks[i].call);
    }
    CHECK_STR(told(), "b a ");
    CHECK(chunks[0].returned == 1 && chunks[1].returned == 1);
    drop(below);
    drop(all);
    nothing_is_left(0);
}

int main(void)
{
    RUN(test_tree);
    RUN(test_file);
    RUN(test_flat);
    RUN(test_gather);
    RUN(test_drop_inside);
    RUN(test_format);
    RUN(test_ends);
    RUN(test_no_room);
    RUN(test_directory_went);
    disk_free();
    free(bytes);
    return test_end();
}
