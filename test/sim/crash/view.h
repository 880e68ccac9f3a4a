/* SPDX-License-Identifier: MIT OR Apache-2.0
 * view.h: disks that differ in few pages. A view is made from another in no time, and has pages of its own where it was
 * written to. The one that it was made from must not change while it lives.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096u
#define VIEW_PAGES_MAX 8192u

struct view {
    size_t pages;
    char *page[VIEW_PAGES_MAX]; /* the first `pages` are never NULL */
    bool own[VIEW_PAGES_MAX];
    uint64_t sum; /* of all that is on it: the same for the same content */
};

/* All zeros; at most VIEW_PAGES_MAX pages. */
void view_blank(struct view *view, size_t pages);
static inline uint64_t view_bytes(const struct view *view)
{
    return (uint64_t)view->pages * PAGE;
}
void view_of(struct view *view, const struct view *from);
void view_free(struct view *view);
void view_write(struct view *view, uint64_t at, const char *bytes, size_t size);
void view_read(const struct view *view, uint64_t at, char *bytes, size_t size);
