/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_index.c: the tables of a mounted store. Invariants are in blobs_index.h.
 */
#include "blobs_index.h"
#include "core/assert.h"
#include "core/mem.h"
#include <string.h>

void blobs_index_init(struct blobs_index *index, uint64_t blocks, uint32_t blobs, uint32_t names)
{
    uint32_t buckets = 1;
    while (buckets < blobs) {
        buckets *= 2;
    }
    *index = (struct blobs_index){.blob_max = blobs, .name_max = names, .bucket_mask = buckets - 1};
    index->bitmap_blocks = (blocks + 63) / 64 * 64;
    index->blob = boot_alloc(blobs * sizeof(index->blob[0]), 16);
    index->name = boot_alloc(names * sizeof(index->name[0]), 16);
    index->bucket = boot_alloc(buckets * sizeof(index->bucket[0]), 16);
    index->order = boot_alloc(names * sizeof(index->order[0]), 16);
    index->bitmap = boot_alloc(index->bitmap_blocks / 8, 16);
}

void blobs_index_reset(struct blobs_index *index, const struct blobs_geometry *geometry)
{
    ASSERT(geometry->blocks <= index->bitmap_blocks && geometry->data_start < geometry->blocks);
    for (uint32_t i = 0; i <= index->bucket_mask; i++) {
        index->bucket[i] = BLOBS_NONE;
    }
    for (uint32_t i = 0; i < index->blob_max; i++) {
        index->blob[i] = (struct blobs_blob){.next = i + 1 < index->blob_max ? i + 1 : BLOBS_NONE};
    }
    index->blob_free = 0;
    index->blob_count = 0;
    index->name_count = 0;
    index->blocks = geometry->blocks;
    index->search = geometry->data_start;
    index->free_blocks = geometry->blocks - geometry->data_start;
    memset(index->bitmap, 0xff, index->bitmap_blocks / 8);
    for (uint64_t b = geometry->data_start; b < geometry->blocks; b++) {
        index->bitmap[b / 64] &= ~(1ull << (b % 64));
    }
}

static bool taken(const struct blobs_index *index, uint64_t block)
{
    return (index->bitmap[block / 64] >> (block % 64) & 1) != 0;
}

static void mark(struct blobs_index *index, uint64_t start, uint64_t blocks, bool as_taken)
{
    for (uint64_t b = start; b < start + blocks; b++) {
        ASSERT(taken(index, b) != as_taken);
        index->bitmap[b / 64] ^= 1ull << (b % 64);
    }
    index->free_blocks = as_taken ? index->free_blocks - blocks : index->free_blocks + blocks;
}

/* The first run of `blocks` free blocks in [from, to), or `to`. */
static uint64_t find_run(const struct blobs_index *index, uint64_t from, uint64_t to, uint64_t blocks)
{
    uint64_t run = 0;
    for (uint64_t b = from; b < to; b++) {
        if (b % 64 == 0 && index->bitmap[b / 64] == UINT64_MAX) {
            run = 0;
            b += 63; /* a full word at once */
            continue;
        }
        run = taken(index, b) ? 0 : run + 1;
        if (run == blocks) {
            return b + 1 - blocks;
        }
    }
    return to;
}

status_t blobs_extent_take(struct blobs_index *index, uint64_t blocks, uint64_t *start)
{
    if (blocks == 0) {
        *start = 0;
        return ST_OK;
    }
    if (blocks > index->free_blocks) {
        return ST_FULL;
    }
    /* Next fit: new blobs follow each other, so that they are written in one direction. */
    uint64_t found = find_run(index, index->search, index->blocks, blocks);
    if (found == index->blocks) {
        found = find_run(index, 0, index->blocks, blocks);
    }
    if (found == index->blocks) {
        return ST_FULL;
    }
    mark(index, found, blocks, true);
    index->search = found + blocks;
    *start = found;
    return ST_OK;
}

void blobs_extent_give(struct blobs_index *index, uint64_t start, uint64_t blocks)
{
    ASSERT(blocks <= index->blocks && start <= index->blocks - blocks);
    mark(index, start, blocks, false);
}

static uint32_t *bucket_of(struct blobs_index *index, const uint8_t digest[BLOBS_DIGEST])
{
    uint32_t hash; /* a digest is as good as random already */
    memcpy(&hash, digest, sizeof(hash));
    return &index->bucket[hash & index->bucket_mask];
}

struct blobs_blob *blobs_find(struct blobs_index *index, const uint8_t digest[BLOBS_DIGEST])
{
    for (uint32_t i = *bucket_of(index, digest); i != BLOBS_NONE; i = index->blob[i].next) {
        if (memcmp(index->blob[i].digest, digest, BLOBS_DIGEST) == 0) {
            return &index->blob[i];
        }
    }
    return NULL;
}

static void blob_free(struct blobs_index *index, struct blobs_blob *blob)
{
    ASSERT(blob->dropped && blob->pins == 0 && blob->names == 0);
    blobs_extent_give(index, blob->start, blobs_extent_blocks(blob->size));
    *blob = (struct blobs_blob){.next = index->blob_free};
    index->blob_free = (uint32_t)(blob - index->blob);
    index->blob_count--;
}

void blobs_pin(struct blobs_blob *blob)
{
    ASSERT(!blob->dropped && blob->pins < UINT32_MAX);
    blob->pins++;
}

void blobs_unpin(struct blobs_index *index, struct blobs_blob *blob)
{
    ASSERT(blob->pins > 0);
    blob->pins--;
    if (blob->dropped && blob->pins == 0) {
        blob_free(index, blob);
    }
}

static int compare(const char *a, size_t a_size, const char *b, size_t b_size)
{
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return order != 0 ? order : (a_size > b_size) - (a_size < b_size);
}

uint32_t blobs_name_lower_bound(const struct blobs_index *index, const char *text, size_t size)
{
    uint32_t low = 0;
    uint32_t high = index->name_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct blobs_name *n = &index->name[index->order[middle]];
        if (compare(n->text, n->size, text, size) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct blobs_name *blobs_name_find(struct blobs_index *index, const char *text, size_t size)
{
    uint32_t at = blobs_name_lower_bound(index, text, size);
    if (at == index->name_count) {
        return NULL;
    }
    struct blobs_name *n = &index->name[index->order[at]];
    return compare(n->text, n->size, text, size) == 0 ? n : NULL;
}

static struct blobs_name *name_add(struct blobs_index *index, const char *text, uint8_t size)
{
    uint32_t at = blobs_name_lower_bound(index, text, size);
    uint32_t slot = index->name_count++;
    memmove(&index->order[at + 1], &index->order[at], (slot - at) * sizeof(index->order[0]));
    index->order[at] = slot;
    struct blobs_name *n = &index->name[slot];
    *n = (struct blobs_name){.blob = BLOBS_NONE, .size = size};
    memcpy(n->text, text, size);
    return n;
}

/* The last slot moves into the hole, so that the slots in use stay together. */
static void name_delete(struct blobs_index *index, struct blobs_name *n)
{
    uint32_t slot = (uint32_t)(n - index->name);
    uint32_t at = blobs_name_lower_bound(index, n->text, n->size);
    uint32_t last = index->name_count - 1;
    uint32_t last_at = blobs_name_lower_bound(index, index->name[last].text, index->name[last].size);
    index->order[last_at] = slot;
    index->name[slot] = index->name[last];
    memmove(&index->order[at], &index->order[at + 1], (last - at) * sizeof(index->order[0]));
    index->name_count = last;
}

static status_t apply_blob(struct blobs_index *index, const struct blobs_record *r, bool replay)
{
    uint64_t blocks = blobs_extent_blocks(r->size);
    if (blobs_find(index, r->digest) != NULL || r->start + blocks > index->blocks) {
        return ST_PROTO;
    }
    if (index->blob_free == BLOBS_NONE) {
        return ST_FULL;
    }
    if (replay) {
        if (blocks > 0 && find_run(index, r->start, r->start + blocks, blocks) != r->start) {
            return ST_PROTO; /* two blobs on one block */
        }
        mark(index, r->start, blocks, true);
        index->search = r->start + blocks < index->blocks ? r->start + blocks : 0;
    }
    struct blobs_blob *blob = &index->blob[index->blob_free];
    index->blob_free = blob->next;
    index->blob_count++;
    uint32_t *bucket = bucket_of(index, r->digest);
    *blob = (struct blobs_blob){.size = r->size, .start = r->start, .next = *bucket, .used = true};
    memcpy(blob->digest, r->digest, BLOBS_DIGEST);
    *bucket = (uint32_t)(blob - index->blob);
    return ST_OK;
}

static status_t apply_drop(struct blobs_index *index, const struct blobs_record *r)
{
    struct blobs_blob *blob = blobs_find(index, r->digest);
    if (blob == NULL || blob->names != 0) {
        return ST_PROTO;
    }
    uint32_t *link = bucket_of(index, r->digest);
    while (*link != (uint32_t)(blob - index->blob)) {
        link = &index->blob[*link].next;
    }
    *link = blob->next;
    blob->dropped = true;
    if (blob->pins == 0) {
        blob_free(index, blob);
    }
    return ST_OK;
}

static void name_release(struct blobs_index *index, struct blobs_name *n)
{
    if (n->blob != BLOBS_NONE) {
        ASSERT(index->blob[n->blob].names > 0);
        index->blob[n->blob].names--;
    }
}

static status_t apply_bind(struct blobs_index *index, const struct blobs_record *r)
{
    struct blobs_blob *blob = blobs_find(index, r->digest);
    struct blobs_name *n = blobs_name_find(index, r->name, r->name_size);
    if (blob == NULL) {
        return ST_PROTO;
    }
    if (n == NULL) {
        if (index->name_count == index->name_max) {
            return ST_FULL;
        }
        n = name_add(index, r->name, r->name_size);
    }
    name_release(index, n);
    n->blob = (uint32_t)(blob - index->blob);
    blob->names++;
    return ST_OK;
}

static status_t apply_unbind(struct blobs_index *index, const struct blobs_record *r)
{
    struct blobs_name *n = blobs_name_find(index, r->name, r->name_size);
    if (n == NULL) {
        return ST_PROTO;
    }
    name_release(index, n);
    name_delete(index, n);
    return ST_OK;
}

status_t blobs_index_apply(struct blobs_index *index, const struct blobs_record *record, bool replay)
{
    switch (record->kind) {
    case BLOBS_RECORD_BLOB:
        return apply_blob(index, record, replay);
    case BLOBS_RECORD_BIND:
        return apply_bind(index, record);
    case BLOBS_RECORD_UNBIND:
        return apply_unbind(index, record);
    case BLOBS_RECORD_DROP:
        return apply_drop(index, record);
    }
    UNREACHABLE();
}
