/* SPDX-License-Identifier: MIT OR Apache-2.0
 * capnp_walk.c: everything that looks at a whole tree: check, measure, copy, canonical form.
 *
 * One walk serves all four. It goes through pointers in order, each one's tree before the next one (the order of the
 * canonical form), with a stack of its own that is as deep as readers allow.
 *
 *  (1) Readers pay for what they open, so a walk ends when the budget does, however the pointers overlap.
 *  (2) A frame stands for a row of equal elements that have pointers: a struct is a row of one, a list of pointers a row of
 *      elements that are a pointer each.
 */
#include "capnp_internal.h"
#include "core/stack.h"

#define FRAMES_MAX (CAPNP_DEPTH_MAX + 1u)

struct frame {
    struct capnp_list row;           /* what is walked */
    struct capnp_list_builder to;    /* where it is copied to; count 0: nowhere */
    const struct capnp_shape *shape; /* of each element; NULL: any */
    const struct capnp_type *inner;  /* or, in a list of pointers, of each pointer; NULL: any */
    uint32_t element;                /* that is walked now */
    uint16_t pointer;                /* of it, that is next */
};

struct walk {
    struct message *from; /* NULL: constants */
    struct message *to;   /* NULL: nothing is copied */
    bool canonical;
    uint32_t caps;
    uint64_t words; /* that a copy takes */
    uint32_t depth; /* frames in use */
    struct frame frame[FRAMES_MAX];
};

/* The frames are UNINITIALIZED: they are 7 KiB, and push() writes each before it is used. */
static void walk_init(struct walk *walk, struct message *from, struct message *to)
{
    walk->from = from;
    walk->to = to;
    walk->canonical = false;
    walk->caps = 0;
    walk->words = 0;
    walk->depth = 0;
}

/* Whether it is worth going on. */
static bool walk_holds(const struct walk *walk)
{
    return (walk->from == NULL || !walk->from->malformed) && (walk->to == NULL || !walk->to->failed);
}

static bool push(struct walk *walk, struct capnp_list row, struct capnp_list_builder to,
                 const struct capnp_shape *shape, const struct capnp_type *inner)
{
    if (row.count == 0 || row.pointer_count == 0) {
        return true;
    }
    if (walk->depth == FRAMES_MAX) {
        return capnp_broken(row.message);
    }
    walk->frame[walk->depth++] = (struct frame){.row = row, .to = to, .shape = shape, .inner = inner};
    return true;
}

static struct capnp_list row_of_struct(struct capnp_reader r)
{
    return (struct capnp_list){.message = r.message,
                               .start = r.data,
                               .segment = r.segment,
                               .count = 1,
                               .data_bytes = r.data_bytes,
                               .depth = r.depth,
                               .pointer_count = r.pointer_count};
}

static struct capnp_list_builder row_of_builder(struct capnp_builder b)
{
    return (struct capnp_list_builder){.message = b.message,
                                       .start = b.data,
                                       .segment = b.segment,
                                       .count = 1,
                                       .data_bytes = b.data_bytes,
                                       .pointer_count = b.pointer_count};
}

/* Data words without the zeros at the end, and pointers without the nulls: the canonical sizes. */
static uint16_t trimmed_words(const uint8_t *data, uint32_t data_bytes)
{
    uint32_t words = data_bytes / 8;
    uint64_t word = 0;
    while (words > 0) {
        memcpy(&word, data + (size_t)(words - 1) * 8, sizeof(word));
        if (word != 0) {
            break;
        }
        words--;
    }
    return (uint16_t)words;
}

static uint16_t trimmed_pointers(const uint64_t *pointers, uint16_t count)
{
    while (count > 0 && pointers[count - 1] == 0) {
        count--;
    }
    return count;
}

static bool visit_struct(struct walk *walk, struct capnp_ref ref, struct capnp_slot slot,
                         const struct capnp_shape *shape)
{
    struct capnp_reader r = capnp_read_struct(ref);
    uint16_t data_words = (uint16_t)(r.data_bytes / 8);
    uint16_t pointer_count = r.pointer_count;
    if (walk->canonical) {
        data_words = trimmed_words(r.data, r.data_bytes);
        pointer_count = trimmed_pointers(r.pointers, pointer_count);
    }
    walk->words += (uint64_t)data_words + pointer_count;
    struct capnp_list row = row_of_struct(r);
    row.pointer_count = pointer_count;
    if (walk->to == NULL) {
        return push(walk, row, (struct capnp_list_builder){0}, shape, NULL);
    }
    struct capnp_builder b = capnp_init_struct(slot, data_words, pointer_count);
    if (b.data_bytes > 0) {
        memcpy(b.data, r.data, b.data_bytes);
    }
    return push(walk, row, row_of_builder(b), shape, NULL);
}

/* The largest trimmed element says the size of all. */
static void trim_elements(const struct capnp_list *list, uint16_t *data_words, uint16_t *pointer_count)
{
    *data_words = 0;
    *pointer_count = 0;
    for (uint32_t i = 0; i < list->count && list->step_bits > 0; i++) {
        struct capnp_reader r = capnp_list_struct(*list, i);
        uint16_t words = trimmed_words(r.data, r.data_bytes);
        uint16_t pointers = trimmed_pointers(r.pointers, r.pointer_count);
        *data_words = words > *data_words ? words : *data_words;
        *pointer_count = pointers > *pointer_count ? pointers : *pointer_count;
    }
}

static bool visit_struct_list(struct walk *walk, struct capnp_list list, struct capnp_slot slot,
                              const struct capnp_shape *shape)
{
    uint16_t data_words = (uint16_t)((list.data_bytes + 7) / 8); /* Rounded: values may be read as structs. */
    uint16_t pointer_count = list.pointer_count;
    if (list.depth == 0 && list.count > 0) {
        return capnp_broken(list.message);
    }
    if (walk->canonical) {
        trim_elements(&list, &data_words, &pointer_count);
    }
    walk->words += (uint64_t)list.count * ((uint32_t)data_words + pointer_count) + 1;
    struct capnp_list row = list;
    row.depth -= list.count > 0;
    row.pointer_count = pointer_count;
    if (walk->to == NULL) {
        return push(walk, row, (struct capnp_list_builder){0}, shape, NULL);
    }
    struct capnp_list_builder to = capnp_init_struct_list(slot, list.count, data_words, pointer_count);
    uint32_t bytes = to.data_bytes < list.data_bytes ? to.data_bytes : list.data_bytes;
    for (uint32_t i = 0; i < to.count && bytes > 0; i++) {
        memcpy(to.start + (size_t)i * to.step_bits / 8, list.start + (size_t)i * list.step_bits / 8, bytes);
    }
    return push(walk, row, to, shape, NULL);
}

/* A list of values or pointers. Bits after the last element are not copied. */
static bool visit_value_list(struct walk *walk, const struct capnp_found_list *found, struct capnp_slot slot,
                             const struct capnp_type *inner)
{
    const struct capnp_list *list = &found->list;
    struct capnp_list_builder to = {0};
    walk->words += found->words;
    if (walk->to != NULL) {
        to = capnp_init_list(slot, found->element, list->count);
        uint64_t bits = (uint64_t)to.count * to.step_bits;
        if (to.count > 0 && to.pointer_count == 0 && bits > 0) {
            memcpy(to.start, list->start, (size_t)((bits + 7) / 8));
            uint8_t spare = (uint8_t)((8 - bits % 8) % 8);
            to.start[(bits - 1) / 8] = (uint8_t)((uint8_t)(to.start[(bits - 1) / 8] << spare) >> spare);
        }
    }
    return push(walk, *list, to, NULL, inner);
}

static bool visit_any_list(struct walk *walk, struct capnp_ref ref, struct capnp_slot slot)
{
    struct capnp_found_list found;
    if (!capnp_open_list(ref, &found)) {
        return false;
    }
    if (found.element == CAPNP_STRUCT) {
        return visit_struct_list(walk, found.list, slot, NULL);
    }
    return visit_value_list(walk, &found, slot, NULL);
}

/* A list that must fit what the schema says of it: its elements are walked as that. */
static bool visit_typed_list(struct walk *walk, struct capnp_ref ref, const struct capnp_type *type)
{
    struct capnp_list list = capnp_read_list(ref, (enum capnp_element)type->element);
    if (type->element == CAPNP_STRUCT) {
        return visit_struct_list(walk, list, (struct capnp_slot){0}, type->shape);
    }
    if (type->element != CAPNP_POINTER) {
        return true; /* Values have nothing more to look at. */
    }
    list.pointer_count = list.pointer_count > 0 ? 1 : 0; /* Of structs, only the first pointer is meant. */
    return push(walk, list, (struct capnp_list_builder){0}, NULL, type->inner);
}

static bool visit_cap(struct walk *walk, struct capnp_ref ref, struct capnp_slot slot)
{
    struct object *object = NULL;
    if (walk->canonical || !capnp_open_cap(ref, *ref.at, &object)) {
        return false;
    }
    walk->caps++;
    if (walk->to != NULL && slot.message == ref.message) {
        *slot.at = *ref.at; /* The same table: the same index. */
    } else if (walk->to != NULL) {
        capnp_set_cap(slot, object);
    }
    return true;
}

static bool visit_any(struct walk *walk, struct capnp_ref ref, struct capnp_slot slot)
{
    switch (capnp_kind(ref)) {
    case CAPNP_KIND_NULL:
        return true;
    case CAPNP_KIND_STRUCT:
        return visit_struct(walk, ref, slot, NULL);
    case CAPNP_KIND_LIST:
        return visit_any_list(walk, ref, slot);
    case CAPNP_KIND_CAP:
        return visit_cap(walk, ref, slot);
    case CAPNP_KIND_BROKEN:
        break;
    }
    return capnp_broken(ref.message);
}

/* Looks at one pointer, as what the schema says of it. True may also mean that the message was marked malformed. */
static bool visit_typed(struct walk *walk, struct capnp_ref ref, const struct capnp_type *type)
{
    struct capnp_slot nowhere = {0};
    if (ref.at == NULL || *ref.at == 0) {
        return true;
    }
    switch ((enum capnp_type_kind)type->kind) {
    case CAPNP_TYPE_ANY:
        return visit_any(walk, ref, nowhere);
    case CAPNP_TYPE_STRUCT:
        return visit_struct(walk, ref, nowhere, type->shape);
    case CAPNP_TYPE_LIST:
        return visit_typed_list(walk, ref, type);
    case CAPNP_TYPE_TEXT:
        capnp_read_text(ref);
        return true;
    case CAPNP_TYPE_DATA:
        capnp_read_data(ref);
        return true;
    case CAPNP_TYPE_CAP:
        return visit_cap(walk, ref, nowhere);
    }
    UNREACHABLE();
}

static bool when_holds(const struct capnp_when *when, const struct capnp_reader *r)
{
    for (; when != NULL; when = when->outer) {
        if (capnp_get_u16(*r, when->offset) != when->tag) {
            return false;
        }
    }
    return true;
}

/* What a shape says of a pointer; NULL: nothing (a newer schema's). */
static const struct capnp_type *type_of(const struct capnp_shape *shape, const struct capnp_reader *r, uint16_t pointer)
{
    for (uint32_t i = 0; i < shape->member_count; i++) {
        const struct capnp_member *member = &shape->member[i];
        if (member->pointer == pointer && when_holds(member->when, r)) {
            return &member->type;
        }
    }
    return NULL;
}

static struct capnp_reader element_reader(const struct frame *f)
{
    const uint8_t *data = f->row.start + (uint64_t)f->element * f->row.step_bits / 8;
    return (struct capnp_reader){.message = f->row.message,
                                 .data = data,
                                 .pointers = (const uint64_t *)(data + f->row.data_bytes),
                                 .segment = f->row.segment,
                                 .data_bytes = f->row.data_bytes,
                                 .depth = f->row.depth,
                                 .pointer_count = f->row.pointer_count};
}

/* Looks at a pointer of a struct, as what `shape` says of it; NULL: nothing. */
static bool visit_member(struct walk *walk, const struct capnp_reader *r, uint16_t pointer,
                         const struct capnp_shape *shape)
{
    const struct capnp_type *type = shape == NULL ? NULL : type_of(shape, r, pointer);
    if (type == NULL) {
        return visit_any(walk, capnp_get_ref(*r, pointer), (struct capnp_slot){0});
    }
    if (type->kind == CAPNP_TYPE_CAP && wire_is_cap(r->pointers[pointer], walk->from->cap_count)) {
        return true; /* the usual one: there is no more to it */
    }
    return visit_typed(walk, capnp_get_ref(*r, pointer), type);
}

/* The next pointer of the innermost frame, which may push another. */
static bool step(struct walk *walk, struct frame *f)
{
    struct capnp_reader r = element_reader(f);
    uint16_t pointer = f->pointer++;
    if (f->shape != NULL) {
        return visit_member(walk, &r, pointer, f->shape);
    }
    struct capnp_ref ref = capnp_get_ref(r, pointer);
    if (f->inner != NULL) {
        return visit_typed(walk, ref, f->inner);
    }
    struct capnp_slot slot = {0};
    if (walk->to != NULL) {
        slot = capnp_slot(capnp_list_builder_struct(f->to, f->element), pointer);
    }
    return visit_any(walk, ref, slot);
}

static bool finish(struct walk *walk)
{
    while (walk->depth > 0 && walk_holds(walk)) {
        struct frame *f = &walk->frame[walk->depth - 1];
        if (f->pointer == f->row.pointer_count) {
            f->pointer = 0;
            f->element++;
        }
        if (f->element == f->row.count) {
            walk->depth--;
        } else if (!step(walk, f)) {
            return false;
        }
    }
    return walk_holds(walk);
}

static bool check_any(struct capnp_ref ref)
{
    UNINITIALIZED struct walk walk;
    walk_init(&walk, ref.message, NULL);
    return visit_any(&walk, ref, (struct capnp_slot){0}) && finish(&walk);
}

bool capnp_check(struct capnp_ref ref, const struct capnp_shape *shape)
{
    struct message *message = ref.message;
    struct capnp_reader reader;
    if (message == NULL) {
        return true; /* Nothing, or ours. */
    }
    uint64_t budget = message->read_limit_words;
    bool fine = shape == NULL ? check_any(ref) : capnp_check_read(ref, shape, &reader);
    message->read_limit_words = fine ? budget : message->read_limit_words;
    return fine || capnp_broken(message);
}

/* Most structs have pointers with nothing behind them but bytes or a capability, or none: no frame is pushed for those. */
bool capnp_check_read(struct capnp_ref ref, const struct capnp_shape *shape, struct capnp_reader *reader)
{
    struct message *message = ref.message;
    if (!capnp_open_struct(ref, reader) || message == NULL) {
        return message == NULL || !message->malformed;
    }
    UNINITIALIZED struct walk walk;
    walk_init(&walk, message, NULL);
    uint64_t budget = message->read_limit_words;
    for (uint16_t i = 0; i < reader->pointer_count; i++) {
        if (!visit_member(&walk, reader, i, shape) || (walk.depth > 0 && !finish(&walk))) {
            return capnp_broken(message);
        }
    }
    message->read_limit_words = budget;
    return !message->malformed;
}

bool capnp_measure(struct capnp_ref ref, uint64_t *words, uint32_t *caps)
{
    UNINITIALIZED struct walk walk;
    walk_init(&walk, ref.message, NULL);
    if (!visit_any(&walk, ref, (struct capnp_slot){0}) || !finish(&walk)) {
        return false;
    }
    *words = walk.words;
    *caps = walk.caps;
    return true;
}

static bool copy(struct capnp_slot to, struct capnp_ref from, bool canonical)
{
    UNINITIALIZED struct walk walk;
    if (to.at == NULL || to.message->failed) {
        return false;
    }
    walk_init(&walk, from.message, to.message);
    walk.canonical = canonical;
    *to.at = 0;
    bool copied = visit_any(&walk, from, to) && finish(&walk);
    if (!copied) {
        to.message->failed = true;
    }
    return copied;
}

bool capnp_copy(struct capnp_slot to, struct capnp_ref from)
{
    return copy(to, from, false);
}

bool capnp_canonical(struct message *to, struct capnp_ref from)
{
    return copy(capnp_payload_slot(capnp_root(to)), from, true) && to->segment_count == 1;
}

void capnp_set_struct(struct capnp_slot slot, struct capnp_reader from)
{
    UNINITIALIZED struct walk walk;
    uint16_t data_words = (uint16_t)((from.data_bytes + 7) / 8);
    struct capnp_builder b = capnp_init_struct(slot, data_words, from.pointer_count);
    if (slot.at == NULL || slot.message->failed) {
        return;
    }
    if (from.data_bytes > 0) {
        memcpy(b.data, from.data, from.data_bytes);
    }
    walk_init(&walk, from.message, slot.message);
    if (!push(&walk, row_of_struct(from), row_of_builder(b), NULL, NULL) || !finish(&walk)) {
        slot.message->failed = true;
    }
}

/* A list of values that a reader may have found inside structs: one by one into a plain list. */
static struct capnp_list_builder set_values(struct capnp_slot slot, struct capnp_list from, enum capnp_element element)
{
    struct capnp_list_builder to = capnp_init_list(slot, element, from.count);
    for (uint32_t i = 0; i < to.count && to.data_bytes > 0; i++) {
        memcpy(to.start + (size_t)i * to.data_bytes, from.start + (uint64_t)i * from.step_bits / 8, to.data_bytes);
    }
    for (uint32_t i = 0; i < to.count && element == CAPNP_BIT; i++) {
        capnp_list_put_bool(to, i, capnp_list_bool(from, i));
    }
    return to;
}

void capnp_set_list(struct capnp_slot slot, struct capnp_list from, enum capnp_element element)
{
    UNINITIALIZED struct walk walk;
    if (slot.at == NULL || slot.message->failed) {
        return;
    }
    walk_init(&walk, from.message, slot.message);
    bool copied;
    if (element == CAPNP_STRUCT) {
        copied = visit_struct_list(&walk, from, slot, NULL);
    } else {
        struct capnp_list_builder to = set_values(slot, from, element);
        from.pointer_count = to.pointer_count;
        copied = push(&walk, from, to, NULL, NULL);
    }
    if (!copied || !finish(&walk)) {
        slot.message->failed = true;
    }
}
