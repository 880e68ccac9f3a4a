/* SPDX-License-Identifier: MIT OR Apache-2.0
 * domain.c: the tables that components' domains begin with: what the profile grants (caps.c), nothing else.
 */
#include <string.h>
#include "core/cap.h"
#include "core/mem.h"
#include "core/thread.h"

struct domain {
    struct cap_table table;
    struct list node;
    cap_t *caps; /* by index in initial_caps; CAP_NONE where it is another's */
};

static struct list domains = {&domains, &domains};

static bool holds(const struct initial_cap *initial, const char *component)
{
    return initial->provide != NULL && strcmp(initial->domain, component) == 0;
}

static uint32_t count_of(const char *component)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < initial_caps_count; i++) {
        count += holds(&initial_caps[i], component) ? 1 : 0;
    }
    return count;
}

static struct domain *domain_new(const char *component) REQUIRES(BOOT)
{
    struct domain *domain = boot_alloc_named("domain", sizeof *domain, 16);
    uint32_t size = count_of(component) + DOMAIN_CAPS_SPARE;

    domain->caps = boot_alloc_named("domain", initial_caps_count * sizeof(cap_t), 16);
    cap_table_init(&domain->table, component, boot_alloc_named("domain", size * sizeof(struct cap_slot), 16), size);
    for (unsigned i = 0; i < initial_caps_count; i++) {
        if (holds(&initial_caps[i], component)) {
            status_t s = domain_give(&domain->table, initial_caps[i].provide(), CAP_ALL, &domain->caps[i]);
            ASSERT(s == ST_OK); /* it was sized for them */
        }
    }
    list_push_back(&domains, &domain->node);
    return domain;
}

static struct domain *domain_of(const char *component) REQUIRES(BOOT)
{
    for (struct list *at = domains.next; at != &domains; at = at->next) {
        struct domain *domain = CONTAINER_OF(at, struct domain, node);
        if (strcmp(domain->table.domain, component) == 0) {
            return domain;
        }
    }
    return domain_new(component);
}

struct cap_table *domain_table(const char *component)
{
    return &domain_of(component)->table;
}

status_t domain_cap(const char *component, const char *name, cap_t *cap)
{
    const struct domain *domain = domain_of(component);

    for (unsigned i = 0; i < initial_caps_count; i++) {
        if (domain->caps[i] != CAP_NONE && strcmp(initial_caps[i].name, name) == 0) {
            *cap = domain->caps[i];
            return ST_OK;
        }
    }
    return ST_STALE;
}
