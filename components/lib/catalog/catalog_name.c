/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog_name.c: what is a name: 1 to 255 bytes of UTF-8 (RFC 3629) without control characters; in a path also without '/',
 * and neither "." nor "..".
 */
#include "catalog_private.h"

/* Bytes of the well-formed character at `text`; 0: none, or a control character. */
static uint32_t character(const unsigned char *text, uint32_t size)
{
    static const struct {
        unsigned char low, high, second_low, second_high;
        uint32_t size;
    } form[] = {
        {0x20, 0x7e, 0, 0xff, 1},    {0xc2, 0xc2, 0xa0, 0xbf, 2}, {0xc3, 0xdf, 0x80, 0xbf, 2},
        {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
        {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
        {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (unsigned i = 0; i < sizeof form / sizeof form[0]; i++) {
        if (text[0] < form[i].low || text[0] > form[i].high) {
            continue;
        }
        bool ok = form[i].size <= size &&
                  (form[i].size == 1 || (text[1] >= form[i].second_low && text[1] <= form[i].second_high));
        for (uint32_t k = 2; k < form[i].size && ok; k++) {
            ok = text[k] >= 0x80 && text[k] <= 0xbf;
        }
        return ok ? form[i].size : 0;
    }
    return 0;
}

bool catalog_name_is_text(struct catalog_text name)
{
    uint32_t length;

    for (uint32_t i = 0; i < name.size; i += length) {
        length = character((const unsigned char *)name.text + i, name.size - i);
        if (length == 0) {
            return false;
        }
    }
    return name.size > 0 && name.size <= CATALOG_NAME_MAX;
}

/* The part of a path up to the next '/', which is taken off. */
struct catalog_text catalog_name_next(struct catalog_text *path)
{
    struct catalog_text name = {path->text, 0};

    while (name.size < path->size && path->text[name.size] != '/') {
        name.size++;
    }
    uint32_t off = name.size < path->size ? name.size + 1 : name.size;
    path->text += off;
    path->size -= off;
    return name;
}

static bool is_dots(struct catalog_text name)
{
    return name.text[0] == '.' && (name.size == 1 || (name.size == 2 && name.text[1] == '.'));
}

bool catalog_name_is_path(struct catalog_text path)
{
    if (path.size > CATALOG_PATH_MAX || (path.size > 0 && path.text[path.size - 1] == '/')) {
        return false;
    }
    while (path.size > 0) {
        struct catalog_text name = catalog_name_next(&path);
        if (!catalog_name_is_text(name) || is_dots(name)) {
            return false;
        }
    }
    return true;
}
