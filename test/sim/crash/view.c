/* SPDX-License-Identifier: MIT OR Apache-2.0
 * view.c: pages, shared until they are written to.
 */
#include "view.h"
#include <string.h>
#include "hash.h"
#include "util.h"

static char zeros[PAGE];
static char *free_pages; /* the first word of each leads to the next */

static char *page_new(const char *content)
{
    char *page = free_pages;

    if (page != NULL) {
        memcpy(&free_pages, page, sizeof free_pages);
    } else {
        page = sim_alloc(PAGE);
    }
    memcpy(page, content, PAGE);
    return page;
}

static void page_free(char *page)
{
    memcpy(page, &free_pages, sizeof free_pages);
    free_pages = page;
}

static uint64_t page_sum(size_t number, const char *page)
{
    return hash_bytes(number + 1, page, PAGE);
}

void view_blank(struct view *view, size_t pages)
{
    memset(view, 0, sizeof *view);
    view->pages = pages;
    for (size_t i = 0; i < pages; i++) {
        view->page[i] = zeros;
        view->sum += page_sum(i, zeros);
    }
}

void view_of(struct view *view, const struct view *from)
{
    view->pages = from->pages;
    memcpy(view->page, from->page, from->pages * sizeof view->page[0]);
    memset(view->own, 0, from->pages * sizeof view->own[0]);
    view->sum = from->sum;
}

void view_free(struct view *view)
{
    for (size_t i = 0; i < view->pages; i++) {
        if (view->own[i]) {
            page_free(view->page[i]);
            view->own[i] = false;
        }
    }
}

void view_write(struct view *view, uint64_t at, const char *bytes, size_t size)
{
    while (size > 0) {
        size_t number = at / PAGE;
        size_t n = PAGE - at % PAGE < size ? PAGE - at % PAGE : size;
        view->sum -= page_sum(number, view->page[number]);
        if (!view->own[number]) {
            view->page[number] = page_new(view->page[number]);
            view->own[number] = true;
        }
        memcpy(view->page[number] + at % PAGE, bytes, n);
        view->sum += page_sum(number, view->page[number]);
        at += n;
        bytes += n;
        size -= n;
    }
}

void view_read(const struct view *view, uint64_t at, char *bytes, size_t size)
{
    while (size > 0) {
        size_t n = PAGE - at % PAGE < size ? PAGE - at % PAGE : size;
        memcpy(bytes, view->page[at / PAGE] + at % PAGE, n);
        at += n;
        bytes += n;
        size -= n;
    }
}
