/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog_name.c: what is a name: as store_name.h says, but that a flat one may have '/' in it, and be "." or "..".
 */
#include "catalog_private.h"
#include "lib/store/store_name.h"

_Static_assert(CATALOG_NAME_MAX == STORE_NAME_MAX && CATALOG_PATH_MAX == STORE_PATH_MAX, "one rule");

bool catalog_name_is_text(struct catalog_text name)
{
    uint32_t length;

    for (uint32_t i = 0; i < name.size; i += length) {
        length = store_name_character((const unsigned char *)name.text + i, name.size - i);
        if (length == 0) {
            return false;
        }
    }
    return name.size > 0 && name.size <= CATALOG_NAME_MAX;
}

/* The part of a path up to the next '/', which is taken off. */
struct catalog_text catalog_name_next(struct catalog_text *path)
{
    struct catalog_text name = {path->text, store_name_first(path->text, path->size)};
    uint32_t off = name.size < path->size ? name.size + 1 : name.size;
    path->text += off;
    path->size -= off;
    return name;
}

bool catalog_name_is_path(struct catalog_text path)
{
    return store_name_is_path(path.text, path.size);
}
