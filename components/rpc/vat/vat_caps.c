/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_caps.c: what crosses: exports, imports, and the descriptors that name them.
 *
 *  (1) An export's `references` is what the peer was sent and has not released. It ends at 0, never below: a Release of
 *      more ends the connection.
 *  (2) One object has one export per connection (c->exported), so a peer can compare.
 *  (3) An import's `remote` counts the descriptors that came; its Release gives all back at once.
 *  (4) What came from this peer goes back as what it is there (receiverHosted, receiverAnswer), never as an export.
 */
#include "core/assert.h"
#include "vat_internal.h"

static void import_call(struct object *self, struct call *call);
static void import_dead(struct object *self);
static const struct object_ops import_ops = {.call = import_call, .dead = import_dead};

struct vat_import *vat_import_of(struct object *object)
{
    return object != NULL && object->ops == &import_ops ? CONTAINER_OF(object, struct vat_import, object) : NULL;
}

/* ---- imports ---- */

static void import_call(struct object *self, struct call *call)
{
    room_assert_loop();
    struct vat_import *import = CONTAINER_OF(self, struct vat_import, object);

    if (import->target != NULL) {
        vat_redirect(call, vat_settle(self));
    } else if (import->reason != NULL) {
        call_fail(call, (enum exception)import->exception, "%s", import->reason);
    } else {
        vat_question_call(import->c, import, NULL, call);
    }
}

static void import_forget(struct vat_import *import)
{
    struct vat_map_entry *entry = vat_map_find(&import->c->imports, vat_key(import->id));

    ASSERT(entry != NULL && entry->value == import);
    vat_map_remove(&import->c->imports, entry);
}

struct object *vat_import_end(struct vat_import *import)
{
    struct object *target = import->target;

    import->target = NULL;
    if (import->c == NULL) {
        pool_put(&import->vat->import_pool, import);
    } else {
        import_forget(import);
        vat_queue(import->c, &import->release);
    }
    return target;
}

static void import_dead(struct object *self)
{
    room_assert_loop();

    vat_chain_end(self);
}

void vat_import_sent(struct vat_import *import)
{
    pool_put(&import->vat->import_pool, import);
}

void vat_import_orphan(struct vat_import *import)
{
    struct object *target = import->target;

    import_forget(import);
    import->c = NULL;
    import->target =
        NULL; /* also what it became by that peer's word: else objects here could hold each other through it */
    if (import->reason == NULL) {
        import->reason = "the connection to the object's home is gone";
        import->exception = EXCEPTION_DISCONNECTED;
    }
    object_put(target);
}

REQUIRES(LOOP)
static struct vat_import *import_new(struct vat_connection *c, uint32_t id, bool promise)
{
    struct vat_import *import = pool_get(&c->vat->import_pool);

    if (import == NULL) {
        return NULL;
    }
    object_init(&import->object, &import_ops);
    import->vat = c->vat;
    import->c = c;
    import->id = id;
    import->promise = promise;
    import->release.kind = VAT_OUT_RELEASE;
    list_init(&import->release.node);
    if (!vat_map_add(&c->imports, vat_key(id), import)) {
        pool_put(&c->vat->import_pool, import);
        return NULL;
    }
    return import;
}

/* One more descriptor of the peer's export `id` came. A reference for the caller; NULL: aborted. */
REQUIRES(LOOP)
static struct object *import_get(struct vat_connection *c, uint32_t id, bool promise)
{
    struct vat_map_entry *entry = vat_map_find(&c->imports, vat_key(id));
    struct vat_import *import = entry != NULL ? entry->value : NULL;

    if (import == NULL) {
        import = import_new(c, id, promise);
        if (import == NULL) {
            vat_abort(c, EXCEPTION_OVERLOADED, "more than %u capabilities of one peer", c->vat->options.imports);
            return NULL;
        }
    } else if (import->remote == UINT32_MAX) {
        vat_abort(c, EXCEPTION_FAILED, "export %u was sent more often than can be counted", id);
        return NULL;
    } else {
        object_get(&import->object);
        import->promise |= promise;
    }
    import->remote++;
    return &import->object;
}

/* ---- exports ---- */

static uint64_t object_key(const struct object *object)
{
    return (uint64_t)(uintptr_t)object;
}

struct vat_export *vat_export_lookup(struct vat_connection *c, uint32_t id)
{
    if (id >= c->vat->options.exports || c->export[id].object == NULL) {
        return NULL;
    }
    return &c->export[id];
}

static struct vat_export *export_new(struct vat_connection *c, struct object *object)
{
    uint32_t id = c->export_free;

    if (id >= c->vat->options.exports) {
        return NULL;
    }
    struct vat_export *e = &c->export[id];
    ASSERT(e->object == NULL && e->references == 0 && list_empty(&e->watch) && list_empty(&e->resolve.node));
    if (!vat_map_add(&c->exported, object_key(object), e)) {
        UNREACHABLE(); /* the map has room for as many as there are exports */
    }
    c->export_free = e->next_free;
    c->export_count++;
    e->object = object_get(object);
    e->resolved = false;
    struct vat_promise *p = vat_promise_of(object);
    if (p != NULL && (p->state == VAT_PROMISE_WAITING || p->state == VAT_PROMISE_PIPELINE)) {
        list_push_back(&p->watchers, &e->watch);
    }
    return e;
}

void vat_export_drop(struct vat_export *e)
{
    struct vat_connection *c = e->c;
    struct object *object = e->object;
    struct vat_map_entry *entry = vat_map_find(&c->exported, object_key(object));

    ASSERT(entry != NULL && entry->value == e);
    vat_map_remove(&c->exported, entry);
    list_remove(&e->watch);
    list_remove(&e->resolve.node);
    e->object = NULL;
    e->references = 0;
    e->next_free = c->export_free;
    c->export_free = (uint32_t)(e - c->export);
    c->export_count--;
    object_put(object);
}

bool vat_export_release(struct vat_connection *c, uint32_t id, uint32_t count)
{
    struct vat_export *e = vat_export_lookup(c, id);

    if (e == NULL || count > e->references) {
        return false; /* (1) */
    }
    e->references -= count;
    if (e->references == 0) {
        vat_export_drop(e);
    }
    return true;
}

/* ---- descriptors that are sent ---- */

/* The export of `object` here, with one reference more for the peer. */
static status_t export_get(struct vat_connection *c, struct object *object, struct vat_export **result)
{
    struct vat_map_entry *entry = vat_map_find(&c->exported, object_key(object));
    struct vat_export *e = entry != NULL ? entry->value : export_new(c, object);

    if (e == NULL || e->references == UINT32_MAX) {
        return ST_FULL;
    }
    e->references++;
    *result = e;
    return ST_OK;
}

status_t vat_descriptor_write(struct vat_connection *c, struct object *object, struct rpc_cap_descriptor_builder d,
                              uint32_t *export_id)
{
    *export_id = VAT_NO_EXPORT;
    object = vat_settle(object);
    if (object == NULL) {
        rpc_cap_descriptor_set_none(d);
        return ST_OK;
    }
    struct vat_import *import = vat_import_of(object);
    struct vat_promise *p = vat_promise_of(object);
    if (import != NULL && import->c == c) {
        rpc_cap_descriptor_set_receiver_hosted(d, import->id); /* (4) */
        return ST_OK;
    }
    if (p != NULL && p->state == VAT_PROMISE_PIPELINE && p->question->c == c) {
        vat_build_promised(rpc_cap_descriptor_init_receiver_answer(d),
                           (struct vat_promised){p->question->id, p->path, p->path_count});
        return ST_OK;
    }
    struct vat_export *e;
    status_t s = export_get(c, object, &e);
    if (s != ST_OK) {
        return s;
    }
    *export_id = (uint32_t)(e - c->export);
    if (p != NULL && !list_empty(&e->watch)) {
        rpc_cap_descriptor_set_sender_promise(d, *export_id); /* a Resolve will follow */
    } else {
        rpc_cap_descriptor_set_sender_hosted(d, *export_id);
    }
    return ST_OK;
}

void vat_caps_unsend(struct vat_connection *c, struct vat_message *m)
{
    for (uint32_t i = 0; i < m->message.cap_count; i++) {
        if (m->export_id[i] != VAT_NO_EXPORT && !vat_export_release(c, m->export_id[i], 1)) {
            /* The peer released it before it said that it would: its books are wrong, not ours. */
            vat_abort(c, EXCEPTION_FAILED, "capability %u was released twice", m->export_id[i]);
        }
        m->export_id[i] = VAT_NO_EXPORT;
    }
}

status_t vat_caps_write(struct vat_connection *c, struct vat_message *m, struct rpc_payload_builder payload)
{
    uint32_t count = m->message.cap_count;

    if (count == 0) {
        return ST_OK;
    }
    struct rpc_cap_descriptor_builders table = rpc_payload_init_cap_table(payload, count);
    for (uint32_t i = 0; i < count; i++) {
        m->export_id[i] = VAT_NO_EXPORT;
    }
    for (uint32_t i = 0; i < count && !m->message.failed; i++) {
        status_t s =
            vat_descriptor_write(c, m->message.caps[i], rpc_cap_descriptor_builder_at(table, i), &m->export_id[i]);
        if (s != ST_OK) {
            m->message.failed = true;
        }
    }
    if (!m->message.failed) {
        return ST_OK;
    }
    vat_caps_unsend(c, m);
    return ST_FULL;
}

/* ---- descriptors that come ---- */

REQUIRES(LOOP)
static bool receiver_hosted(struct vat_connection *c, uint32_t id, struct object **object)
{
    struct vat_export *e = vat_export_lookup(c, id);

    if (e == NULL) {
        vat_abort(c, EXCEPTION_FAILED, "descriptor of export %u, which you do not hold", id);
        return false;
    }
    *object = object_get(e->object);
    return true;
}

REQUIRES(LOOP)
static bool receiver_answer(struct vat_connection *c, struct rpc_promised_answer_reader promised,
                            struct object **object)
{
    struct vat_found found = vat_answer_find(c, promised);

    if (found.abort) {
        vat_abort(c, found.exception, "%s", found.reason);
        return false;
    }
    if (found.reason == NULL) {
        *object = found.object != NULL && !found.owned ? object_get(found.object) : found.object;
        return true;
    }
    /* A capability that fails when it is called. */
    struct vat_promise *p = vat_promise_make(c->vat);
    if (p == NULL) {
        vat_abort(c, EXCEPTION_OVERLOADED, "too many promises");
        return false;
    }
    vat_break(p, found.exception, found.reason);
    *object = &p->object;
    return true;
}

bool vat_descriptor_read(struct vat_connection *c, struct rpc_cap_descriptor_reader d, struct object **object)
{
    *object = NULL;
    switch (rpc_cap_descriptor_get_which(d)) {
    case RPC_CAP_DESCRIPTOR_WHICH_NONE:
        return true;
    case RPC_CAP_DESCRIPTOR_WHICH_SENDER_HOSTED:
        *object = import_get(c, rpc_cap_descriptor_get_sender_hosted(d), false);
        return *object != NULL;
    case RPC_CAP_DESCRIPTOR_WHICH_SENDER_PROMISE:
        *object = import_get(c, rpc_cap_descriptor_get_sender_promise(d), true);
        return *object != NULL;
    case RPC_CAP_DESCRIPTOR_WHICH_RECEIVER_HOSTED:
        return receiver_hosted(c, rpc_cap_descriptor_get_receiver_hosted(d), object);
    case RPC_CAP_DESCRIPTOR_WHICH_RECEIVER_ANSWER:
        return receiver_answer(c, rpc_cap_descriptor_get_receiver_answer(d), object);
    case RPC_CAP_DESCRIPTOR_WHICH_THIRD_PARTY_HOSTED: /* level 3: the vine forwards, which is what it is for */
        *object = import_get(
            c, rpc_third_party_cap_descriptor_get_vine_id(rpc_cap_descriptor_get_third_party_hosted(d)), false);
        return *object != NULL;
    }
    vat_abort(c, EXCEPTION_UNIMPLEMENTED, "a kind of capability descriptor that is not known here");
    return false;
}

bool vat_caps_read(struct vat_connection *c, struct vat_message *m, struct rpc_payload_reader payload)
{
    struct rpc_cap_descriptor_readers table = rpc_payload_get_cap_table(payload);
    uint32_t count = rpc_cap_descriptor_count(table);

    if (!vat_message_caps(m, count)) {
        vat_abort(c, EXCEPTION_OVERLOADED, "message with %u capabilities", count);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct object *object;
        if (!vat_descriptor_read(c, rpc_cap_descriptor_at(table, i), &object)) {
            return false;
        }
        m->message.caps[m->message.cap_count++] = object;
    }
    if (m->message.malformed) {
        vat_abort(c, EXCEPTION_FAILED, "malformed message");
        return false; /* before a refusal is built in its place, and the mark gone */
    }
    return true;
}

/* ---- Resolve ---- */

static void import_break(struct vat_import *import, enum exception type)
{
    import->reason = "the peer broke its promise";
    import->exception = (uint8_t)type;
}

/* Shortens the way. Without memory for an embargo calls go on through the peer, which forwards them: only longer. */
REQUIRES(LOOP)
static void import_become(struct vat_connection *c, struct vat_import *import, struct object *target)
{
    struct vat_promise *p;

    if (target == NULL) {
        import_break(import, EXCEPTION_FAILED);
        return;
    }
    if (vat_leads_to(target, &import->object)) {
        vat_abort(c, EXCEPTION_FAILED, "promise %u resolves to itself", import->id);
        return;
    }
    if (!import->called) {
        import->target = object_get(target);
        return;
    }
    p = vat_promise_make(c->vat);
    if (p == NULL) {
        return;
    }
    p->called = true;
    p->embargo_on_import = true;
    p->embargo_import = import->id;
    vat_resolve_after_embargo(p, c, target);
    import->target = &p->object; /* its first reference */
}

void vat_import_resolve(struct vat_connection *c, struct rpc_resolve_reader resolve)
{
    uint32_t id = rpc_resolve_get_promise_id(resolve);
    struct vat_map_entry *entry = vat_map_find(&c->imports, vat_key(id));
    struct vat_import *import = entry != NULL ? entry->value : NULL;
    struct object *target = NULL;

    if (import != NULL && (!import->promise || import->resolved)) {
        vat_abort(c, EXCEPTION_FAILED, "Resolve of %u, which is no open promise", id);
        return;
    }
    switch (rpc_resolve_get_which(resolve)) {
    case RPC_RESOLVE_WHICH_CAP:
        if (!vat_descriptor_read(c, rpc_resolve_get_cap(resolve), &target)) {
            return;
        }
        break;
    case RPC_RESOLVE_WHICH_EXCEPTION:
        break;
    }
    if (import != NULL) {
        import->resolved = true;
        if (rpc_resolve_get_which(resolve) == RPC_RESOLVE_WHICH_EXCEPTION) {
            enum rpc_exception_type type = rpc_exception_get_type(rpc_resolve_get_exception(resolve));
            import_break(import, type <= RPC_EXCEPTION_TYPE_UNIMPLEMENTED ? (enum exception)type : EXCEPTION_FAILED);
        } else {
            import_become(c, import, target);
        }
    }
    object_put(target); /* released already, perhaps: then the capability goes back at once */
}
