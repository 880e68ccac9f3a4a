/* SPDX-License-Identifier: MIT OR Apache-2.0
 * list.h: an intrusive doubly-linked list with a head. Pure; the owner of the head says the room.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *previous;
};

#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->next = l;
    l->previous = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_insert_before(struct list *at, struct list *node)
{
    node->next = at;
    node->previous = at->previous;
    at->previous->next = node;
    at->previous = node;
}

static inline void list_push_back(struct list *head, struct list *node)
{
    list_insert_before(head, node);
}

static inline void list_push_front(struct list *head, struct list *node)
{
    list_insert_before(head->next, node);
}

/* A removed node is empty by itself, so removing twice is harmless and list_empty(node) says "not queued". */
static inline void list_remove(struct list *node)
{
    node->next->previous = node->previous;
    node->previous->next = node->next;
    list_init(node);
}

static inline struct list *list_pop_front(struct list *head)
{
    if (list_empty(head)) {
        return NULL;
    }
    struct list *node = head->next;
    list_remove(node);
    return node;
}
