/* SPDX-License-Identifier: MIT OR Apache-2.0
 * network_wait.c: calls that wait, each with a deadline, and one timer for all of them.
 */
#include "core/assert.h"
#include "svc_network.h"

static struct {
    struct list all;    /* [L] struct network_wait.all */
    struct timer timer; /* [L] */
    uint64_t fires_ns;  /* [L] when it does; UINT64_MAX: not. No deadline is earlier; one that was may be gone */
} self;

static void wake_at(uint64_t deadline_ns) REQUIRES(LOOP)
{
    if (deadline_ns < self.fires_ns) {
        self.fires_ns = deadline_ns;
        timer_set(&self.timer, deadline_ns);
    }
}

static struct network_wait *overdue(uint64_t now_ns)
{
    for (struct list *node = self.all.next; node != &self.all; node = node->next) {
        struct network_wait *wait = CONTAINER_OF(node, struct network_wait, all);
        if (wait->deadline_ns <= now_ns) {
            return wait;
        }
    }
    return NULL;
}

/* Failing one may take others away: each time the list is looked at anew. */
static void fire(struct timer *timer)
{
    uint64_t now_ns = clock_ns();

    (void)timer;
    room_assert_loop();
    for (struct network_wait *wait = overdue(now_ns); wait != NULL; wait = overdue(now_ns)) {
        call_fail(network_wait_take(wait), EXCEPTION_OVERLOADED, "timed out");
    }
    self.fires_ns = UINT64_MAX;
    for (struct list *node = self.all.next; node != &self.all; node = node->next) {
        wake_at(CONTAINER_OF(node, struct network_wait, all)->deadline_ns);
    }
}

static void cancelled(struct call *call)
{
    room_assert_loop();
    call_fail(network_wait_take(call->server), EXCEPTION_FAILED, "cancelled");
}

void network_waits_init(void)
{
    list_init(&self.all);
    self.fires_ns = UINT64_MAX;
    timer_init(&self.timer, fire);
    pool_init(&network_self.waits, "network waits", sizeof(struct network_wait), SVC_NETWORK_WAITING);
}

struct network_wait *network_wait_add(struct list *list, struct call *call, uint32_t timeout_ms)
{
    if (call->cancel_wanted) { /* passed on after its asker gave up */
        call_fail(call, EXCEPTION_FAILED, "cancelled");
        return NULL;
    }
    struct network_wait *wait = pool_get(&network_self.waits);
    if (wait == NULL) {
        call_fail(call, EXCEPTION_OVERLOADED, "%u calls wait already; svc/network.waiting bounds them",
                  SVC_NETWORK_WAITING);
        return NULL;
    }
    wait->call = call;
    wait->deadline_ns = timeout_ms != 0 ? clock_ns() + timeout_ms * NS_PER_MS : UINT64_MAX;
    list_push_back(list, &wait->node);
    list_push_back(&self.all, &wait->all);
    call->server = wait;
    call->cancelled = cancelled;
    wake_at(wait->deadline_ns);
    return wait;
}

struct network_wait *network_wait_first(struct list *list)
{
    return list_empty(list) ? NULL : CONTAINER_OF(list->next, struct network_wait, node);
}

struct call *network_wait_take(struct network_wait *wait)
{
    struct call *call = wait->call;

    list_remove(&wait->node);
    list_remove(&wait->all);
    call->server = NULL;
    call->cancelled = NULL;
    pool_put(&network_self.waits, wait);
    return call;
}

void network_waits_fail(struct list *list, enum exception type, const char *reason)
{
    for (struct network_wait *wait = network_wait_first(list); wait != NULL; wait = network_wait_first(list)) {
        call_fail(network_wait_take(wait), type, "%s", reason);
    }
}
