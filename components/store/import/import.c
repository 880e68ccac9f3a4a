/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import.c: the component: wiring and start.
 */
#include "config.h"
#include "core/mem.h"
#include "import.h"

struct import import_self;
static struct object volume; /* [I] */

void import_wire_disk(struct object *disk) REQUIRES(BOOT);
struct object *import_provide_root(void) REQUIRES(BOOT);
struct object *import_provide_volume(void) REQUIRES(BOOT);
status_t import_start(void) REQUIRES(BOOT);

void import_wire_disk(struct object *disk)
{
    (void)disk; /* it stands in the domain's table, for the thread */
}

struct object *import_provide_root(void)
{
    return import_directory_root();
}

struct object *import_provide_volume(void)
{
    return &volume;
}

status_t import_start(void)
{
    object_init(&volume, &import_info_ops);
    import_self.desk = boot_alloc_named("desk", sizeof *import_self.desk, 64);
    import_directory_init();
    import_queue_init();
    return import_thread_init();
}
