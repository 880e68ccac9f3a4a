/* SPDX-License-Identifier: MIT OR Apache-2.0
 * irq.c: from a vector in TRAP to a handler in LOOP.
 *
 *  (1) TRAP sets a bit and nothing else. A level interrupt comes masked by the platform and is unmasked after its handlers,
 *      so it cannot storm. The loop takes all bits of a word at once and calls each handler once.
 *  (2) A vector is owned by one, or, when it is level, by all whose devices share the wire. Who of them it was only the devices
 *      know, so all are asked. When the last of them is closed it is masked, and nobody's for good.
 */
#include "core/assert.h"
#include "core/mem.h"
#include "core/raw.h"
#include "run_private.h"

struct vector {
    struct irq *first; /* [L] the others by `next`; NULL: nobody's */
    bool level;        /* [I] */
};

static struct {
    struct vector vector[PLAT_VECTORS_MAX];
    struct list irqs;
} self = {.irqs = {&self.irqs, &self.irqs}};

void irq_attach(struct irq *irq, const char *name, void (*handle)(struct irq *irq), uint32_t vector, bool level)
{
    ASSERT(vector < PLAT_VECTORS_MAX && handle != NULL);
    struct vector *v = &self.vector[vector];
    ASSERT(v->first == NULL || (v->level && level)); /* (2) */
    *irq = (struct irq){.handle = handle, .name = name, .vector = vector, .next = v->first};
    *v = (struct vector){irq, level};
    list_push_back(&self.irqs, &irq->node);
    plat_irq_mask(vector, false);
}

/* What a device's holder may still open. */
static status_t budget_check(const struct device_grant *grant)
{
    if (grant->state != DEVICE_HELD) {
        return ST_CLOSED;
    }
    return grant->interrupts < grant->holder->interrupts ? ST_OK : ST_FULL;
}

static void grant_attach(struct device_grant *grant, struct irq *irq, void (*handle)(struct irq *irq), uint32_t vector,
                         bool level) REQUIRES(BOOT)
{
    irq_attach(irq, grant->where, handle, vector, level);
    irq->grant = grant;
    grant->interrupts++;
}

status_t raw_irq_msi(struct device_grant *grant, struct irq *irq, void (*handle)(struct irq *irq), uint64_t *address,
                     uint32_t *data)
{
    uint32_t vector;
    status_t s = budget_check(grant);

    if (s == ST_OK) {
        s = plat_irq_msi(&vector, address, data);
    }
    if (s == ST_OK) {
        grant_attach(grant, irq, handle, vector, false);
    }
    return s;
}

status_t raw_irq_wired(struct device_grant *grant, struct irq *irq, void (*handle)(struct irq *irq),
                       struct raw_wire wire)
{
    uint32_t vector;
    status_t s = budget_check(grant);

    if (s == ST_OK) {
        s = plat_irq_wired(wire.gsi, wire.level, wire.active_low, &vector);
    }
    if (s == ST_OK) {
        grant_attach(grant, irq, handle, vector, wire.level);
    }
    return s;
}

/* TRAP may come meanwhile: it looks at `first` only, and a mark that nobody is left for does nothing. */
static void irq_close(struct irq *irq)
{
    struct vector *v = &self.vector[irq->vector];
    struct irq **at = &v->first;

    while (*at != irq) {
        at = &(*at)->next;
    }
    *at = irq->next;
    list_remove(&irq->node);
    if (v->first == NULL) {
        plat_irq_mask(irq->vector, true);
    }
}

void irqs_close(struct device_grant *grant)
{
    struct list *next;

    for (struct list *at = self.irqs.next; at != &self.irqs; at = next) {
        struct irq *irq = CONTAINER_OF(at, struct irq, node);
        next = at->next;
        if (irq->grant == grant) {
            irq_close(irq);
        }
    }
    grant->interrupts = 0;
}

static void mark(struct cpu *cpu, uint32_t vector)
{
    /* Release: pairs with the acquire in irqs_run(). */
    __atomic_fetch_or(&cpu->irq_pending[vector / 64], 1ull << (vector % 64), __ATOMIC_RELEASE);
    __atomic_store_n(&cpu->wanted, true, __ATOMIC_RELAXED);
}

void core_trap_irq(uint32_t vector)
{
    struct cpu *cpu = cpu_this();

    if (cpu == NULL || vector >= PLAT_VECTORS_MAX) {
        return; /* before the boot CPU has its struct nothing is open */
    }
    enum room_id before = cpu->room;
    cpu->room = ROOM_TRAP;
    cpu->counts.interrupts++;
    if (self.vector[vector].first != NULL) {
        mark(cpu, vector);
    } else {
        cpu->counts.spurious++;
    }
    cpu->room = before;
}

void core_trap_timer(void)
{
    struct cpu *cpu = cpu_this();

    if (cpu == NULL) {
        return;
    }
    cpu->counts.interrupts++;
    __atomic_store_n(&cpu->timer_armed_ns, UINT64_MAX, __ATOMIC_RELAXED);
    __atomic_store_n(&cpu->held, false, __ATOMIC_RELAXED);
    __atomic_store_n(&cpu->wanted, true, __ATOMIC_RELAXED);
}

static void handle(uint32_t vector) REQUIRES(LOOP)
{
    const struct vector *v = &self.vector[vector];
    struct irq *next;

    for (struct irq *irq = v->first; irq != NULL; irq = next) {
        next = irq->next; /* it may close itself */
        irq->count++;
        irq->handle(irq);
    }
    if (v->level && v->first != NULL) {
        plat_irq_mask(vector, false); /* (1) */
    }
}

bool irqs_run(struct cpu *cpu)
{
    bool any = false;

    for (uint32_t word = 0; word < VECTOR_WORDS; word++) {
        if (__atomic_load_n(&cpu->irq_pending[word], __ATOMIC_RELAXED) == 0) {
            continue;
        }
        /* Acquire: pairs with the release in mark(). */
        uint64_t bits = __atomic_exchange_n(&cpu->irq_pending[word], 0, __ATOMIC_ACQUIRE);
        for (; bits != 0; bits &= bits - 1) {
            handle(word * 64 + (uint32_t)__builtin_ctzl(bits));
            any = true;
        }
    }
    return any;
}

void irq_each(void (*each)(const struct irq *irq, void *context), void *context)
{
    for (struct list *at = self.irqs.next; at != &self.irqs; at = at->next) {
        each(CONTAINER_OF(at, struct irq, node), context);
    }
}
