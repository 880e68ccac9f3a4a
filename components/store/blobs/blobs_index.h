/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_index.h: what is on the disk, in memory: blobs by digest, names in order, and which blocks are free.
 *
 *  (1) What is here is durable: records are applied after their group was flushed, or read back from it.
 *  (2) A blob's extent is taken from the time that its upload began until it is dropped and nobody reads it any more.
 *  (3) Between a DROP and the last blobs_unpin() the blob is in no bucket, but keeps its slot and its extent.
 */
#pragma once
#include "blobs_format.h"
#include "core/room.h"

#define BLOBS_NONE UINT32_MAX

/* Keys: [L] the owning loop only */
struct blobs_blob {
    uint8_t digest[BLOBS_DIGEST]; /* [L] */
    uint64_t size;                /* [L] */
    uint64_t start;               /* [L] first block */
    uint32_t names;               /* [L] that mean it */
    uint32_t pins;                /* [L] readers */
    uint32_t next;                /* [L] in the bucket, or in the free list */
    uint32_t touched;             /* [L] group that it takes part in, see blobs_journal.c */
    bool used;                    /* [L] */
    bool dropped;                 /* [L] */
};

struct blobs_name {
    uint32_t blob;    /* [L] index of what it means */
    uint32_t touched; /* [L] as above */
    uint8_t size;
    char text[BLOBS_NAME_MAX];
};

struct blobs_index {
    struct blobs_blob *blob; /* [I] blob_max entries */
    struct blobs_name *name; /* [I] name_max entries; the first name_count are in use, in no order */
    uint32_t *bucket;        /* [I] bucket_mask + 1 heads */
    uint32_t *order;         /* [I] name indexes, sorted by text */
    uint64_t *bitmap;        /* [I] one bit a block, 1: taken; bitmap_blocks bits */
    uint64_t bitmap_blocks;  /* [I] that there is room for */
    uint32_t blob_max;       /* [I] */
    uint32_t name_max;       /* [I] */
    uint32_t bucket_mask;    /* [I] */
    uint32_t blob_count;     /* [L] slots in use, dropped ones too */
    uint32_t blob_free;      /* [L] list head */
    uint32_t name_count;     /* [L] */
    uint64_t blocks;         /* [L] of the volume */
    uint64_t free_blocks;    /* [L] */
    uint64_t search;         /* [L] where the next search for room begins */
};

void blobs_index_init(struct blobs_index *index, uint64_t blocks, uint32_t blobs, uint32_t names) REQUIRES(BOOT);
/* Forgets all; everything before data_start is taken. */
void blobs_index_reset(struct blobs_index *index, const struct blobs_geometry *geometry);

/* A contiguous run of free blocks, taken. ST_FULL: no such run. 0 blocks start at 0. */
status_t blobs_extent_take(struct blobs_index *index, uint64_t blocks, uint64_t *start);
void blobs_extent_give(struct blobs_index *index, uint64_t start, uint64_t blocks);

struct blobs_blob *blobs_find(struct blobs_index *index, const uint8_t digest[BLOBS_DIGEST]); /* NULL: none */
void blobs_pin(struct blobs_blob *blob);
void blobs_unpin(struct blobs_index *index, struct blobs_blob *blob);

struct blobs_name *blobs_name_find(struct blobs_index *index, const char *text, size_t size); /* NULL: free */
/* Position in order of the first name that is not before `text`. */
uint32_t blobs_name_lower_bound(const struct blobs_index *index, const char *text, size_t size);

/* The record takes effect. `replay`: it comes from the disk, so its extent is not taken yet.
 * ST_PROTO: it contradicts what is here. ST_FULL: more than the tables hold. Nothing changed then. */
status_t blobs_index_apply(struct blobs_index *index, const struct blobs_record *record, bool replay);
