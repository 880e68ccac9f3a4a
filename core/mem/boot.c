/* SPDX-License-Identifier: MIT OR Apache-2.0
 * boot.c: the boot arena: all RAM, given out once, by ledger, until it is sealed.
 *
 *  (1) A region's free part is [next, end). It only shrinks.
 *  (2) An allocation lies inside one region, so it is contiguous for a device too.
 *  (3) taken_bytes of all ledgers, alignment padding included, is what the regions lost.
 */
#include <string.h>
#include "../diag/diag_private.h"
#include "core/assert.h"
#include "core/image.h"
#define LOG_TAG "memory"
#include "core/log.h"
#include "mem_private.h"
#include "plat/plat.h"

#define ALIGN_MIN 16u
#define MIB (1024u * 1024u)

struct region {
    char *next;
    char *end;
};

static struct {
    struct region region[PLAT_RAM_MAX]; /* [I] count, [L] contents */
    unsigned region_count;
    bool sealed;
    struct list ledgers;
    struct ledger *selected;
} self;

static struct ledger core_ledger = {.name = "core"};

void mem_init(void)
{
    struct plat_ram ram[PLAT_RAM_MAX];

    ASSERT(self.region_count == 0);
    list_init(&self.ledgers);
    self.region_count = plat_ram(ram);
    ASSERT(self.region_count <= PLAT_RAM_MAX);
    for (unsigned i = 0; i < self.region_count; i++) {
        self.region[i] = (struct region){.next = ram[i].base, .end = (char *)ram[i].base + ram[i].size};
    }
    ledger_select(&core_ledger);
}

void ledger_select(struct ledger *ledger)
{
    if (ledger->node.next == NULL) {
        list_push_back(&self.ledgers, &ledger->node);
    }
    self.selected = ledger;
}

const struct ledger *ledger_selected(void)
{
    return self.selected;
}

void ledger_each(void (*each)(const struct ledger *ledger, void *context), void *context)
{
    for (struct list *at = self.ledgers.next; at != &self.ledgers; at = at->next) {
        each(CONTAINER_OF(at, struct ledger, node), context);
    }
}

static size_t region_free(const struct region *region)
{
    return (size_t)(region->end - region->next);
}

/* NULL: does not fit. */
static void *region_take(struct region *region, size_t size, size_t align)
{
    size_t padding = (size_t)(-(uintptr_t)region->next & (align - 1));

    if (padding > region_free(region) || size > region_free(region) - padding) {
        return NULL;
    }
    char *p = region->next + padding;
    region->next = p + size;
    self.selected->taken_bytes += padding + size; /* (3) */
    return p;
}

static size_t round_up(size_t value, size_t unit)
{
    return (value + unit - 1) / unit * unit;
}

/* What a component said that it takes; one that said nothing is taken to have had its fill. */
static size_t expected(const struct ledger *ledger)
{
    return ledger->expected_bytes != 0 ? ledger->expected_bytes : ledger->taken_bytes;
}

/* What this component and those that have not begun will still ask for: their `memory` lines' sum less what those that came
 * before had said. */
static size_t still_needed(size_t request)
{
    size_t begun = 0;
    size_t rest = 0;

    for (struct list *at = self.ledgers.next; at != &self.ledgers; at = at->next) {
        const struct ledger *ledger = CONTAINER_OF(at, struct ledger, node);
        begun += ledger == &core_ledger ? 0 : expected(ledger);
    }
    if (expected(self.selected) > self.selected->taken_bytes) {
        rest = expected(self.selected) - self.selected->taken_bytes;
    }
    size_t later = image_info.arena_bytes > begun ? image_info.arena_bytes - begun : 0;
    return later + (request > rest ? request : rest);
}

/* A whole number of MiB with which the boot would pass this request, and, where the generator knows all components' needs,
 * all later ones. The largest region is the one that more memory makes larger. */
static size_t memory_that_would_do(size_t request)
{
    size_t largest = 0;

    for (unsigned i = 0; i < self.region_count; i++) {
        largest = region_free(&self.region[i]) > largest ? region_free(&self.region[i]) : largest;
    }
    size_t needed = still_needed(request);
    size_t missing = needed > largest ? needed - largest : 0;
    return round_up(round_up(plat_ram_total(), MIB) + missing, MIB);
}

static _Noreturn void exhausted(const char *what, size_t size)
{
    struct memory_usage usage;

    memory_usage(&usage);
    log_err("too little memory: %s needs %zu KiB for its %s; %zu of %zu KiB are free (the image itself is %zu KiB)",
            self.selected->name, round_up(size, 1024) / 1024, what, usage.free_bytes / 1024, usage.total_bytes / 1024,
            usage.image_bytes / 1024);
    log_err("give this machine `memory %zuM` or more, or make the component's options smaller",
            memory_that_would_do(size) / MIB);
    boot_stop();
}

void *boot_alloc_named(const char *what, size_t size, size_t align)
{
    void *p = NULL;

    ASSERT(!self.sealed && self.selected != NULL);
    ASSERT(align != 0 && (align & (align - 1)) == 0);
    align = align < ALIGN_MIN ? ALIGN_MIN : align;
    if (size > SIZE_MAX / 2) {
        exhausted(what, size);
    }
    size = size == 0 ? ALIGN_MIN : round_up(size, ALIGN_MIN);
    for (unsigned i = 0; i < self.region_count && p == NULL; i++) {
        p = region_take(&self.region[i], size, align);
    }
    if (p == NULL) {
        exhausted(what, size);
    }
    return memset(p, 0, size);
}

void *boot_alloc(size_t size, size_t align)
{
    return boot_alloc_named("tables", size, align);
}

static void ledger_compare(const struct ledger *ledger, void *context)
{
    (void)context;
    if (ledger->expected_bytes != 0 && ledger->taken_bytes > ledger->expected_bytes) {
        log_warn("%s took %zu bytes, its component.conf says %zu", ledger->name, ledger->taken_bytes,
                 ledger->expected_bytes);
    }
}

void boot_seal(void)
{
    ASSERT(!self.sealed);
    self.sealed = true;
    ledger_each(ledger_compare, NULL);
}

void memory_usage(struct memory_usage *usage)
{
    *usage = (struct memory_usage){.total_bytes = plat_ram_total(), .image_bytes = plat_image_bytes()};
    for (struct list *at = self.ledgers.next; at != &self.ledgers; at = at->next) {
        usage->taken_bytes += CONTAINER_OF(at, struct ledger, node)->taken_bytes;
    }
    for (unsigned i = 0; i < self.region_count; i++) {
        usage->free_bytes += region_free(&self.region[i]);
    }
}
