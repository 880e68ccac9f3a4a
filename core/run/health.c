/* SPDX-License-Identifier: MIT OR Apache-2.0
 * health.c: the list of those who may be ill.
 */
#include "core/health.h"
#include <stddef.h>

static struct list all = {&all, &all}; /* [I] struct health.node */

void health_add(struct health *health, const char *component)
{
    *health = (struct health){.component = component};
    list_push_back(&all, &health->node);
}

void health_set(struct health *health, const char *why)
{
    health->why = why;
}

const struct health *health_ill(void)
{
    for (struct list *node = all.next; node != &all; node = node->next) {
        const struct health *health = CONTAINER_OF(node, struct health, node);
        if (health->why != NULL) {
            return health;
        }
    }
    return NULL;
}
