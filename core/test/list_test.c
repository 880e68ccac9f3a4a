/* SPDX-License-Identifier: MIT OR Apache-2.0
 * list_test.c: lists against an array that holds what they should.
 */
#include "core/list.h"
#include "test.h"

struct item {
    int value;
    struct list node;
};

static void check_same(struct list *head, const int *want, int count)
{
    int i = 0;
    struct list *before = head;

    for (struct list *at = head->next; at != head; at = at->next) {
        REQUIRE(i < count);
        CHECK_EQ(CONTAINER_OF(at, struct item, node)->value, want[i++]);
        CHECK(at->previous == before);
        before = at;
    }
    CHECK_EQ(i, count);
    CHECK(head->previous == before);
    CHECK_EQ(list_empty(head), count == 0);
}

static void array_remove(int *array, int *count, int index)
{
    memmove(&array[index], &array[index + 1], (size_t)(*count - index - 1) * sizeof *array);
    (*count)--;
}

static void array_insert(int *array, int *count, int index, int value)
{
    memmove(&array[index + 1], &array[index], (size_t)(*count - index) * sizeof *array);
    array[index] = value;
    (*count)++;
}

enum { ITEMS = 16 };

static void step(struct list *head, struct item *items, int *want, int *count)
{
    int i = (int)(test_random() % ITEMS);
    bool queued = !list_empty(&items[i].node);

    if (test_random() % 8 == 0) {
        struct list *popped = list_pop_front(head);
        CHECK_EQ(popped == NULL, *count == 0);
        if (popped != NULL) {
            CHECK_EQ(CONTAINER_OF(popped, struct item, node)->value, want[0]);
            array_remove(want, count, 0);
        }
    } else if (queued) {
        int at = 0;
        while (want[at] != i) {
            at++;
        }
        array_remove(want, count, at);
        list_remove(&items[i].node);
        list_remove(&items[i].node); /* a second time is harmless */
    } else if (test_random() % 2 == 0) {
        array_insert(want, count, 0, i);
        list_push_front(head, &items[i].node);
    } else {
        array_insert(want, count, *count, i);
        list_push_back(head, &items[i].node);
    }
}

static void test_against_array(void)
{
    struct list head;
    struct item items[ITEMS];
    int want[ITEMS + 1];
    int count = 0;

    list_init(&head);
    for (int i = 0; i < ITEMS; i++) {
        items[i].value = i;
        list_init(&items[i].node);
    }
    for (int i = 0; i < 20000; i++) {
        step(&head, items, want, &count);
        check_same(&head, want, count);
    }
}

int main(void)
{
    RUN(test_against_array);
    return test_end();
}
