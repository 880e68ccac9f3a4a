/* SPDX-License-Identifier: MIT OR Apache-2.0
 * volume_map.c: pages, and the tree of CRCs over them: superblock -> index block -> leaf -> page.
 *
 *  (1) An entry says what the CRC of its child is and in which of the child's two homes it stands. The homes that the last
 *      superblock names are never written to: a block that changes goes to the other one, and stays there until the commit
 *      (`moved`), however often it changes.
 *  (2) A page's CRC 0 means that the page was never written: it reads as zeros. A page whose CRC is 0 has 1 as its entry.
 *  (3) Entries of pages at or beyond page_count are 0.
 *  (4) A node that is dirty is written when it is dropped or at the commit; only then its parent's entry is right.
 */
#include <string.h>
#include "core/assert.h"
#include "lib/crc32c/crc32c.h"
#include "lib/volume/volume.h"
#include "volume_private.h"
#define LOG_TAG "volume"
#include "core/log.h"

static bool bit_get(const uint64_t *bits, uint32_t i)
{
    return (bits[i / 64] >> (i % 64) & 1) != 0;
}
static void bit_set(uint64_t *bits, uint32_t i)
{
    bits[i / 64] |= 1ull << (i % 64);
}

/* --- where things stand ---------------------------------------------------------------------------------------------- */

/* The run that holds a page, and the number of its first page. NULL: none does. */
static const struct volume_run *run_of(const struct volume *volume, uint64_t page, uint64_t *first)
{
    *first = 0;
    for (uint64_t i = 0; i < volume->super.run_count; i++) {
        if (page - *first < volume->super.run[i].pages) {
            return &volume->super.run[i];
        }
        *first += volume->super.run[i].pages;
    }
    return NULL;
}

static uint64_t page_block(const struct volume *volume, uint64_t page)
{
    uint64_t first;
    const struct volume_run *run = run_of(volume, page, &first);

    ASSERT(run != NULL);
    return run->start + 2 * (run->pages / VOLUME_LEAF_PAGES) + (page - first);
}

static uint64_t leaf_block(const struct volume *volume, uint32_t leaf, uint32_t home)
{
    uint64_t first;
    const struct volume_run *run = run_of(volume, (uint64_t)leaf * VOLUME_LEAF_PAGES, &first);

    ASSERT(run != NULL);
    return run->start + 2 * (leaf - first / VOLUME_LEAF_PAGES) + home - 1;
}

static uint64_t index_block(const struct volume *volume, uint32_t index, uint32_t home)
{
    ASSERT(index < volume->super.index_count);
    return volume->super.index_start + 2ull * index + home - 1;
}

/* --- nodes ----------------------------------------------------------------------------------------------------------- */

/* Reads what `entry` names. ST_PROTO: it is not there. */
static status_t node_read(struct volume *volume, const struct volume_entry *entry, uint64_t block, void *data)
    REQUIRES(THREAD)
{
    if (entry->home == VOLUME_NO_HOME) {
        memset(data, 0, DISK_BLOCK_BYTES);
        return ST_OK;
    }
    status_t s = disk_read(volume->io, block, 1, data);
    volume->count.leaf_reads++;
    if (s != ST_OK || crc32c_update(0, data, DISK_BLOCK_BYTES) == entry->crc) {
        return s;
    }
    volume->count.errors++;
    log_err("the page map's block at %lu is not what was written there", block);
    return ST_PROTO;
}

/* (1) */
static uint32_t home_to_write(const struct volume_entry *entry, bool moved)
{
    if (entry->home == VOLUME_NO_HOME) {
        return 1;
    }
    return moved ? entry->home : 3 - entry->home;
}

static struct volume_node *find(struct volume *volume, struct volume_cache *cache, uint32_t number)
{
    for (uint32_t i = 0; i < cache->count; i++) {
        struct volume_node *node = &cache->node[i];
        if (node->valid && node->number == number) {
            node->used = ++volume->clock;
            return node;
        }
    }
    return NULL;
}

static struct volume_node *oldest(struct volume_cache *cache)
{
    struct volume_node *node = &cache->node[0];

    for (uint32_t i = 0; i < cache->count && node->valid; i++) {
        if (!cache->node[i].valid || cache->node[i].used < node->used) {
            node = &cache->node[i];
        }
    }
    return node;
}

static status_t index_write(struct volume *volume, struct volume_node *node) REQUIRES(THREAD)
{
    struct volume_entry *entry = &volume->super.index[node->number];
    uint32_t home = home_to_write(entry, bit_get(volume->index_moved, node->number));
    status_t s = disk_write(volume->io, index_block(volume, node->number, home), node->data);

    if (s == ST_OK) {
        *entry = (struct volume_entry){crc32c_update(0, node->data, DISK_BLOCK_BYTES), home};
        bit_set(volume->index_moved, node->number);
        node->dirty = false;
        volume->count.leaf_writes++;
    }
    return s;
}

static status_t index_get(struct volume *volume, uint32_t number, struct volume_node **result) REQUIRES(THREAD)
{
    struct volume_node *node = find(volume, &volume->indexes, number);

    if (node == NULL) {
        node = oldest(&volume->indexes);
        status_t s = node->valid && node->dirty ? index_write(volume, node) : ST_OK;
        if (s != ST_OK) {
            return volume_fail(volume, s);
        }
        const struct volume_entry *entry = &volume->super.index[number];
        uint64_t block = entry->home == VOLUME_NO_HOME ? 0 : index_block(volume, number, entry->home);
        node->valid = false;
        s = node_read(volume, entry, block, node->data);
        if (s != ST_OK) {
            return s;
        }
        *node = (struct volume_node){.valid = true, .number = number, .used = ++volume->clock, .data = node->data};
    }
    *result = node;
    return ST_OK;
}

/* A leaf's entry, in its index block. Borrowed until the next index_get. An entry that makes no sense is ST_PROTO. */
static status_t leaf_entry(struct volume *volume, uint32_t leaf, struct volume_node **index,
                           struct volume_entry **entry) REQUIRES(THREAD)
{
    status_t s = index_get(volume, leaf / VOLUME_INDEX_LEAVES, index);

    if (s != ST_OK) {
        return s;
    }
    struct volume_entry *found = (struct volume_entry *)(void *)(*index)->data + leaf % VOLUME_INDEX_LEAVES;
    *entry = found;
    return found->home <= 2 ? ST_OK : ST_PROTO;
}

static status_t leaf_write(struct volume *volume, struct volume_node *node) REQUIRES(THREAD)
{
    struct volume_node *index;
    struct volume_entry *entry;
    status_t s = leaf_entry(volume, node->number, &index, &entry);

    if (s != ST_OK) {
        return s;
    }
    uint32_t home = home_to_write(entry, bit_get(volume->leaf_moved, node->number));
    s = disk_write(volume->io, leaf_block(volume, node->number, home), node->data);
    if (s == ST_OK) {
        *entry = (struct volume_entry){crc32c_update(0, node->data, DISK_BLOCK_BYTES), home};
        bit_set(volume->leaf_moved, node->number);
        index->dirty = true;
        node->dirty = false;
        volume->count.leaf_writes++;
    }
    return s;
}

static status_t leaf_get(struct volume *volume, uint32_t number, struct volume_node **result) REQUIRES(THREAD)
{
    struct volume_node *node = find(volume, &volume->leaves, number);

    if (node == NULL) {
        struct volume_node *index;
        struct volume_entry *entry;
        node = oldest(&volume->leaves);
        status_t s = node->valid && node->dirty ? leaf_write(volume, node) : ST_OK;
        if (s != ST_OK) {
            return volume_fail(volume, s);
        }
        s = leaf_entry(volume, number, &index, &entry);
        if (s != ST_OK) {
            return s;
        }
        uint64_t block = entry->home == VOLUME_NO_HOME ? 0 : leaf_block(volume, number, entry->home);
        node->valid = false;
        s = node_read(volume, entry, block, node->data);
        if (s != ST_OK) {
            return s;
        }
        *node = (struct volume_node){.valid = true, .number = number, .used = ++volume->clock, .data = node->data};
    }
    *result = node;
    return ST_OK;
}

static status_t page_crc_get(struct volume *volume, uint64_t page, uint32_t *crc) REQUIRES(THREAD)
{
    struct volume_node *leaf;
    status_t s = leaf_get(volume, (uint32_t)(page / VOLUME_LEAF_PAGES), &leaf);

    if (s == ST_OK) {
        memcpy(crc, leaf->data + page % VOLUME_LEAF_PAGES * sizeof *crc, sizeof *crc);
    }
    return s;
}

static status_t page_crc_set(struct volume *volume, uint64_t page, uint32_t crc) REQUIRES(THREAD)
{
    struct volume_node *leaf;
    status_t s = leaf_get(volume, (uint32_t)(page / VOLUME_LEAF_PAGES), &leaf);

    if (s == ST_OK) {
        memcpy(leaf->data + page % VOLUME_LEAF_PAGES * sizeof crc, &crc, sizeof crc);
        leaf->dirty = true;
        volume->changed = true;
    }
    return s;
}

static uint32_t page_crc(const void *data)
{
    uint32_t crc = crc32c_update(0, data, VOLUME_PAGE_BYTES);

    return crc == 0 ? 1 : crc; /* (2) */
}

/* --- the whole map --------------------------------------------------------------------------------------------------- */

static void cache_forget(struct volume_cache *cache)
{
    for (uint32_t i = 0; i < cache->count; i++) {
        cache->node[i].valid = false;
        cache->node[i].dirty = false;
    }
}

void volume_map_forget(struct volume *volume)
{
    cache_forget(&volume->leaves);
    cache_forget(&volume->indexes);
    volume_map_committed(volume);
}

void volume_map_committed(struct volume *volume)
{
    memset(volume->leaf_moved, 0, sizeof volume->leaf_moved);
    memset(volume->index_moved, 0, sizeof volume->index_moved);
}

status_t volume_map_write(struct volume *volume)
{
    status_t s = ST_OK;

    for (uint32_t i = 0; i < volume->leaves.count && s == ST_OK; i++) {
        struct volume_node *node = &volume->leaves.node[i];
        s = node->valid && node->dirty ? leaf_write(volume, node) : ST_OK;
    }
    for (uint32_t i = 0; i < volume->indexes.count && s == ST_OK; i++) {
        struct volume_node *node = &volume->indexes.node[i];
        s = node->valid && node->dirty ? index_write(volume, node) : ST_OK;
    }
    return s;
}

/* --- pages ----------------------------------------------------------------------------------------------------------- */

status_t volume_page_read(struct volume *volume, uint64_t page, void *data)
{
    uint32_t crc;

    if (page >= volume->super.page_count) {
        return ST_RANGE;
    }
    status_t s = page_crc_get(volume, page, &crc);
    if (s != ST_OK) {
        return s;
    }
    if (crc == 0) {
        memset(data, 0, VOLUME_PAGE_BYTES); /* (2) */
        return ST_OK;
    }
    volume->count.page_reads++;
    s = disk_read(volume->io, page_block(volume, page), 1, data);
    if (s == ST_OK && page_crc(data) != crc) {
        volume->count.errors++;
        log_err("page %lu of the database, in block %lu, is not what was written there", page,
                page_block(volume, page));
        return ST_PROTO;
    }
    return s;
}

status_t volume_page_write(struct volume *volume, uint64_t page, const void *data)
{
    uint64_t first;
    status_t s = volume->failed;

    while (s == ST_OK && run_of(volume, page, &first) == NULL) {
        s = volume_grow(volume);
    }
    if (s == ST_OK) {
        s = page_crc_set(volume, page, page_crc(data));
    }
    if (s != ST_OK) {
        return s;
    }
    volume->super.page_count = page < volume->super.page_count ? volume->super.page_count : page + 1;
    volume->count.page_writes++;
    return volume_fail(volume, disk_write(volume->io, page_block(volume, page), data));
}

status_t volume_truncate(struct volume *volume, uint64_t page_count)
{
    status_t s = volume->failed;

    for (uint64_t page = page_count; page < volume->super.page_count && s == ST_OK; page++) {
        s = page_crc_set(volume, page, 0); /* (3) */
    }
    if (s == ST_OK && page_count < volume->super.page_count) {
        volume->super.page_count = page_count;
        volume->changed = true;
    }
    return s;
}
