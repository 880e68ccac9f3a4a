/* SPDX-License-Identifier: MIT OR Apache-2.0
 * region.c: memory that is lent by capability. Rules in core/region.h.
 */
#include "core/region.h"
#include "core/mem.h"

#define REGION_ALIGN 4096u /* so that no device's buffer shares a page with anything else */

static void no_methods(struct object *self, struct call *call)
{
    room_assert_loop();
    call_fail(call, EXCEPTION_UNIMPLEMENTED, "a region has no methods");
}

static const struct object_ops region_ops = {.call = no_methods};

void region_init(struct region *region, void *base, uint64_t bytes, uint32_t rights)
{
    ASSERT(base != NULL && bytes > 0 && rights <= (REGION_READ | REGION_WRITE));
    object_init(&region->object, &region_ops);
    region->base = base;
    region->bytes = bytes;
    region->rights = rights;
}

struct region *region_new(const char *what, uint64_t bytes, uint32_t rights)
{
    struct region *region = boot_alloc_named(what, sizeof *region, 16);
    uint64_t whole = (bytes + REGION_ALIGN - 1) / REGION_ALIGN * REGION_ALIGN;

    region_init(region, boot_alloc_named(what, whole, REGION_ALIGN), bytes, rights);
    return region;
}

status_t region_open(struct object *object, uint64_t offset, uint64_t bytes, uint32_t rights, void **span)
{
    if (object == NULL || object->ops != &region_ops || bytes == 0) {
        return ST_BADARG;
    }
    struct region *region = CONTAINER_OF(object, struct region, object);
    if ((rights & ~region->rights) != 0) {
        return ST_DENIED;
    }
    if (offset > region->bytes || bytes > region->bytes - offset) {
        return ST_RANGE;
    }
    (void)object_get(object);
    *span = region->base + offset;
    return ST_OK;
}
