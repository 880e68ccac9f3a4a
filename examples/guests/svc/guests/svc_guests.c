/* SPDX-License-Identifier: MIT OR Apache-2.0
 * svc_guests.c: the guest book: one static object, and a ring of names taken from the boot arena.
 *
 *  (1) Guest number n, counted from 1, is in place (n - 1) mod SVC_GUESTS_REMEMBERED until that many more have come.
 */
#include "config.h"
#include "core/mem.h"
#include "core/object.h"
#include "svc/guests/guests.capnp.h"
#include <string.h>

#define NAME_ROOM 64u /* a name and its NUL: the 64 in component.conf's memory line */

/* Keys: [I] fixed after init, [L] the loop only */
static struct svc_guests_state {
    struct object object;
    char (*name)[NAME_ROOM]; /* [I] (1) */
    uint64_t count;          /* [L] since boot */
} self;

static void enter(struct object *object, struct call *call, struct guests_enter_params_reader params)
{
    room_assert_loop();
    struct capnp_text name = guests_enter_params_get_name(params);

    if (name.size == 0 || name.size >= NAME_ROOM) {
        call_fail(call, EXCEPTION_FAILED, "bad-argument: a name has 1 to %u bytes", NAME_ROOM - 1);
        return;
    }
    char *place = self.name[self.count % SVC_GUESTS_REMEMBERED];
    memcpy(place, name.text, name.size);
    place[name.size] = 0;
    self.count++;

    char welcome[sizeof(SVC_GUESTS_WELCOME) + NAME_ROOM + 2];
    size_t size = sizeof(SVC_GUESTS_WELCOME) - 1;
    memcpy(welcome, SVC_GUESTS_WELCOME ", ", size + 2);
    memcpy(welcome + size + 2, place, name.size);
    struct guests_enter_results_builder results = guests_enter_results(call, sizeof(welcome) / 8 + 8);
    guests_enter_results_set_number(results, self.count);
    guests_enter_results_set_welcome(results, capnp_text_n(welcome, (uint32_t)(size + 2 + name.size)));
    call_return(call);
}

static void last(struct object *object, struct call *call, struct guests_last_params_reader params)
{
    room_assert_loop();
    uint32_t count = guests_last_params_get_count(params);
    uint64_t there = self.count < SVC_GUESTS_REMEMBERED ? self.count : SVC_GUESTS_REMEMBERED;

    count = count < there ? count : (uint32_t)there;
    struct guests_last_results_builder results = guests_last_results(call, count * (NAME_ROOM / 8 + 1) + 8);
    struct capnp_list_builder names = guests_last_results_init_names(results, count);
    for (uint32_t i = 0; i < count; i++) {
        capnp_set_text(capnp_list_slot(names, i),
                       capnp_text(self.name[(self.count - 1 - i) % SVC_GUESTS_REMEMBERED])); /* (1) */
    }
    call_return(call);
}

static void dispatch(struct object *object, struct call *call)
{
    static const struct guests_server_ops ops = {.enter = enter, .last = last};

    room_assert_loop();
    guests_dispatch(&ops, object, call);
}

struct object *svc_guests_provide_book(void) REQUIRES(BOOT);
struct object *svc_guests_provide_book(void)
{
    return &self.object;
}

status_t svc_guests_start(void) REQUIRES(BOOT);
status_t svc_guests_start(void)
{
    static const struct object_ops object_ops = {.call = dispatch};

    object_init(&self.object, &object_ops);
    self.name = boot_alloc(SVC_GUESTS_REMEMBERED * NAME_ROOM, 8);
    return ST_OK;
}
