/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog.h: what a store knows, and how it changes: objects (the bytes of blobs and files, as runs of blocks with their CRCs),
 * the volume's free room, two trees of names, snapshots. All of it is SQLite on a volume (lib/volume); the bytes themselves are
 * moved by whoever asks here where they are. One thread's.
 *
 *  (1) catalog_run() takes a batch of operations and does the changes among them as one transaction with one commit: when it
 *      returns, each operation has its answer, and a change that says CATALOG_OK is durable. Operations act in order; one that is
 *      refused leaves no trace and does not disturb the others. When the commit fails, all changes of the batch fail. What is
 *      lent, reserved, held and given back comes after the commit.
 *  (2) Data is written before it is named: runs are lent (CATALOG_LEND), filled by the asker, and become part of an object in
 *      a change that names them; the disk is FLUSHed before such a batch commits. Runs that were lent and never named
 *      are free again when they are given back, or after a boot.
 *  (3) A block of data is known by its CRC-32C, kept here, so a block that is torn, rotten, stale or another's is found
 *      by whoever reads it. What is here is vouched for by the volume's tree of CRCs.
 *  (4) An object that is held (CATALOG_HOLD) keeps its bytes where they are until it is let go. Of an object that is not,
 *      a reader whose CRC does not fit asks again where the block is: if the answer is the same, the block is damaged.
 *  (5) Two trees: CATALOG_ROOT, with directories and files, whose paths have their parts between '/'; and CATALOG_NAMES, flat
 *      names with blobs. A change to either leaves what a snapshot of before shows untouched.
 *  (6) Everything in an operation was checked for sense by whoever asks, but names: those are checked here.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "lib/sqlite/sqlite.h"
#include "lib/volume/volume.h"

#define CATALOG_VERSION 1u
#define CATALOG_DIGEST 32u
#define CATALOG_NAME_MAX 255u               /* bytes of one name */
#define CATALOG_PATH_MAX 4095u              /* of a path */
#define CATALOG_DEPTH_MAX 64u               /* directories in one another */
#define CATALOG_MOVED_MAX 250000u           /* names in a directory, at all depths, that is moved deeper than it was */
#define CATALOG_EXTENT_BLOCKS 960u          /* of one extent at most: the row with its CRCs fits into a page */
#define CATALOG_INLINE_MAX DISK_BLOCK_BYTES /* content up to here may stand in the database itself */
#define CATALOG_EXTENTS_MAX 20u /* named by one operation: a write of 17 blocks, each in a place of its own */
#define CATALOG_COLLECT_MAX 64u /* objects looked at by one CATALOG_COLLECT */
#define CATALOG_LENDS_MAX 1024u /* runs out at once */
#define CATALOG_HOLDS_MAX 1280u /* objects held at once */
#define CATALOG_SNAPSHOTS_MAX 1024u
#define CATALOG_STEPS_MAX 64u    /* of a CATALOG_BATCH */
#define CATALOG_KEPT_MAX 64u     /* CATALOG_KEEP in one commit */
#define CATALOG_SUSPECTS_MAX 64u /* objects remembered as damaged */

#define CATALOG_ROOT 1u  /* the directory at the top */
#define CATALOG_NAMES 2u /* the flat names */
#define CATALOG_NOW 0u   /* no snapshot */

enum catalog_kind { CATALOG_DIRECTORY = 1, CATALOG_FILE = 2 };

enum catalog_answer {
    CATALOG_OK = 0,
    CATALOG_MISSING,   /* no such name, object or snapshot */
    CATALOG_EXISTS,    /* there is something of that name */
    CATALOG_CONFLICT,  /* it is not what the asker expected there */
    CATALOG_NOT_EMPTY, /* the directory */
    CATALOG_NOT_DIRECTORY,
    CATALOG_IS_DIRECTORY,
    CATALOG_BAD_NAME,
    CATALOG_DEEP,    /* directories would lie deeper in one another than CATALOG_DEPTH_MAX, or may: CATALOG_MOVED_MAX */
    CATALOG_NAMED,   /* the object has names or pins */
    CATALOG_FULL,    /* disk, database or log have no room for it */
    CATALOG_LIMIT,   /* a bound of this node */
    CATALOG_DAMAGED, /* the database is not what was written; its log line says where */
    CATALOG_FAILED,  /* the disk failed; nothing more is written before the next mount */
};

enum catalog_clock { /* how far a time may be believed; as store.capnp's Time.Clock */
                     CATALOG_CLOCK_UNKNOWN,
                     CATALOG_CLOCK_RTC,
                     CATALOG_CLOCK_IMPORTED,
                     CATALOG_CLOCK_CLIENT,
};
struct catalog_time {
    int64_t ns; /* since 1970 */
    uint32_t clock;
};

struct catalog_text { /* borrowed */
    const char *text;
    uint32_t size;
};

struct catalog_run { /* of blocks of the disk */
    uint64_t start;
    uint32_t blocks;
};

/* A run that was lent and filled, or the first blocks of one: what the asker writes down of it. */
struct catalog_extent {
    struct catalog_run run;
    const uint32_t *crc; /* of each block; borrowed */
};

struct catalog_node {
    uint64_t id;     /* never used twice */
    uint64_t object; /* CATALOG_FILE */
    uint64_t size;
    uint32_t kind;
    bool has_digest; /* the content is a blob */
    uint8_t digest[CATALOG_DIGEST];
    struct catalog_time made;
    struct catalog_time changed;
};

struct catalog_entry {
    struct catalog_node node;
    uint32_t name_size;
    char name[CATALOG_NAME_MAX + 1];
};

/* Where one part of an object is. */
struct catalog_span {
    uint64_t object;
    uint64_t size;   /* of the object */
    uint64_t at;     /* its first block, counted in the object */
    uint32_t blocks; /* 0: at or past the end */
    uint64_t start;  /* where; 0: a hole, all zero, or inside */
    bool inside;     /* all of the content stands in `bytes` */
    union {
        uint32_t crc[CATALOG_EXTENT_BLOCKS];
        uint8_t bytes[CATALOG_INLINE_MAX];
    };
};

/* The directories that something stands in, from the one that has its name: the last `size` bytes of its path name it there. */
struct catalog_above {
    uint32_t count;
    struct {
        uint64_t directory;
        uint32_t size;
    } in[CATALOG_DEPTH_MAX + 2];
};

/* One step of a batch of names: all or none of them happen. Digests are borrowed. */
struct catalog_step {
    struct catalog_text name;
    bool expect;             /* only if what stands there is `expected` (NULL: nothing) */
    const uint8_t *expected; /* CATALOG_DIGEST bytes */
    const uint8_t *digest;   /* what the name means from now on; NULL: the name goes */
};

struct catalog_info {
    uint64_t data_blocks, free_blocks, lent_blocks, reserved_blocks;
    uint64_t objects, nodes, snapshots;
    uint64_t database_pages, database_pages_max;
    uint64_t generation;
    uint64_t commits; /* since it was opened */
    uint8_t uuid[16];
};

enum catalog_op_kind {
    /* questions */
    CATALOG_STAT,      /* at + path -> node */
    CATALOG_STAT_NODE, /* id -> node, as it is now */
    CATALOG_LIST,      /* at + path, prefix, after -> entries, more */
    CATALOG_FIND,      /* digest -> object */
    CATALOG_SPAN,      /* object, or id of a file, and block -> *span */
    CATALOG_INFO,      /* -> *info */
    CATALOG_EXTENT, /* id, object -> id: the first extent behind, *span: start, blocks, crc; object: the last that there is, if
                        * that one stands behind `object`; size: bytes in use. see catalog_owner.c */
    CATALOG_OWNER, /* id: of an extent; object, size: (0, 0), or what the last step said -> count: 1 if this object leads there:
                        * run: to which blocks, counted in the extent; node.object, .size, .digest; more */
    CATALOG_PATH, /* object; id, generation: (0, 0), or what the last step said -> count: 1 if it has a name now: path_room,
                        * path_size; more */
    CATALOG_WHERE,     /* id -> path_room, path_size: its path, as it is now; *above */
    CATALOG_SNAPSHOTS, /* after (a generation) -> entries: name = label, node.id = generation, node.made; more */
    CATALOG_CHECK, /* -> count: faults, said in the log. Not bounded. CATALOG_LIMIT: it needs more heap than SQLite has */
    CATALOG_SUSPECT, /* object: a block is not what was written. A PUT of its bytes replaces them, if nobody holds it */
    CATALOG_HOLD, /* digest, at + path, or object -> object, size, and of a path node; (4). An empty file has no object: 0 */
    CATALOG_UNHOLD,    /* object */
    CATALOG_LEND,      /* blocks, hint -> run, of at least one and at most `blocks` */
    CATALOG_UNLEND,    /* run, as it was lent */
    CATALOG_RESERVE,   /* size, in blocks: CATALOG_FULL when there are not so many free that nobody reserved */
    CATALOG_UNRESERVE, /* size, in blocks */
    /* changes */
    CATALOG_CHANGES,
    CATALOG_EXTEND =
        CATALOG_CHANGES, /* object (0: a new one, unfinished -> object), extents: more of its bytes; size so far */
    CATALOG_PUT, /* object (0: none so far), digest, size, rest of the extents or bytes -> object; then, with a path, as BIND */
    CATALOG_BIND,     /* at + path, digest, or object: this file's content from now on -> previous */
    CATALOG_BATCH,    /* at, steps -> failed_step */
    CATALOG_MKDIR,    /* at + path -> node */
    CATALOG_CREATE,   /* at + path -> node; an empty file */
    CATALOG_REMOVE,   /* at + path; a file, or an empty directory */
    CATALOG_RENAME,   /* at + path to to + to_path */
    CATALOG_WRITE,    /* id, block, extents or bytes; the file is at least `size` long afterwards -> object, size */
    CATALOG_TRUNCATE, /* id, size; block, extents: new ones; or bytes: all of it -> object */
    CATALOG_PIN,      /* digest -> object */
    CATALOG_UNPIN,    /* digest -> object */
    CATALOG_FORGET,   /* digest: a blob without names and pins; or object: an unfinished one */
    CATALOG_COLLECT, /* object: to begin behind -> count, size of blobs without names and pins and unfinished ones that went,
                          * more, object: to go on behind */
    CATALOG_SNAPSHOT,   /* label -> generation */
    CATALOG_UNSNAPSHOT, /* generation */
};

enum catalog_flag {
    CATALOG_EXCLUSIVE = 1u << 0, /* BIND, PUT, RENAME, CREATE: CATALOG_EXISTS when there is one of that name */
    CATALOG_EXPECT = 1u << 1,   /* BIND, PUT: CATALOG_CONFLICT when what stands there is not `expected` (NULL: nothing).
                               * WRITE, TRUNCATE: when the file's object is not `object` */
    CATALOG_KEEP = 1u << 2,     /* PUT, EXTEND: the object is held too, once for all of them */
    CATALOG_RESERVED = 1u << 3, /* LEND: of what the asker has reserved. PUT, EXTEND: the blocks that it names were */
};

struct catalog_place { /* a directory, as it is or was */
    uint64_t directory;
    uint64_t generation; /* CATALOG_NOW, or of a snapshot */
};

/* Asker's memory; the catalog's from catalog_run() until it returned. What it points to is borrowed as long. */
struct catalog_op {
    enum catalog_op_kind kind;
    uint32_t flags;
    enum catalog_answer answer; /* out */

    struct catalog_place at;
    struct catalog_text path; /* of CATALOG_NAMES: one name */
    struct catalog_place to;
    struct catalog_text to_path;
    struct catalog_text prefix; /* LIST; SNAPSHOT: the label */
    struct catalog_text after;

    uint64_t id;     /* of a file; after LIST of snapshots: the generation to begin behind */
    uint64_t object; /* in and out */
    uint64_t size;   /* in and out */
    uint64_t block;
    uint32_t blocks;
    uint64_t hint; /* LEND: a block that the run should begin at, if it is free */
    const uint8_t *digest;
    const uint8_t *expected;
    struct catalog_time time;

    const struct catalog_extent *extent;
    uint32_t extent_count;
    uint32_t extent_named; /* out, PUT: 0 when the blob was there already: the runs are still lent */
    const void *bytes;     /* content that stands in the database; NULL: none */
    uint32_t bytes_size;

    const struct catalog_step *step;
    uint32_t step_count;
    uint32_t failed_step; /* out */

    /* out */
    struct catalog_node node;
    bool had_previous;
    uint8_t previous[CATALOG_DIGEST];
    uint64_t previous_size; /* BIND, PUT, RENAME: of what stood there */
    struct catalog_run run;
    uint32_t names; /* FIND: names that the object has, in snapshots too */
    uint32_t pins;
    bool suspected; /* FIND: damage was met in it */
    uint32_t count;
    bool more;
    uint64_t generation;
    struct catalog_entry *entry; /* room of the asker's: entry_max */
    uint32_t entry_max;
    uint32_t entry_count;
    struct catalog_span *span; /* room of the asker's */
    struct catalog_info *info;
    char *path_room;              /* room of the asker's: CATALOG_PATH_MAX */
    struct catalog_above *above;  /* room of the asker's, or NULL */
    uint64_t parent, from_parent; /* changes of names: the directory of the name; of RENAME's first one */
    uint32_t path_size;

    uint64_t id_asked, object_asked, size_asked, generation_asked; /* the catalog's own */
};

/* --- inside, but of fixed size: the owner's memory --- */

struct catalog_lend {
    struct catalog_run run;
    uint32_t named; /* by which operation of the transaction that is open; 0: none */
    bool loose;     /* nobody reserved it before */
};
struct catalog_hold {
    uint64_t object;
    uint32_t count;
};
struct catalog_state { /* what a rollback takes back */
    uint64_t free_blocks;
    uint64_t next_node;
    uint64_t generation;    /* of what is made now */
    uint64_t last_snapshot; /* the youngest that there is; 0: none */
    uint64_t objects;
    uint64_t nodes;
    uint64_t snapshots;
};

#define CATALOG_STATEMENTS 80u

/* The thread's own. */
struct catalog {
    struct volume *volume;
    sqlite3 *db;
    sqlite3_stmt *statement[CATALOG_STATEMENTS];
    int code;           /* SQLite's first error in this operation */
    uint32_t moved_max; /* CATALOG_MOVED_MAX; a test has fewer */
    struct catalog_state state;
    struct catalog_lend lend[CATALOG_LENDS_MAX]; /* by start */
    uint32_t lend_count;
    uint64_t lent_blocks;
    uint64_t loose_blocks; /* of those, lent without a reservation */
    uint64_t reserved_blocks;
    uint64_t commits;
    uint32_t operation; /* of the batch, from 1 */
    struct catalog_hold hold[CATALOG_HOLDS_MAX];
    uint32_t hold_count;
    uint64_t kept[CATALOG_KEPT_MAX]; /* objects that are held when the open transaction has ended */
    uint32_t kept_count;
    uint64_t suspect[CATALOG_SUSPECTS_MAX]; /* a ring; 0: none */
    uint32_t suspect_next;
    uint64_t data_start, data_blocks; /* of the disk: the volume's */
    bool care_wanted;                 /* there may be something for catalog_care() */
    bool reclaim_wrap;                /* it looks once more from the beginning */
    uint64_t reclaim_after;           /* where that was */
    uint64_t pieces_left;             /* that the open transaction may take from objects that end */
    bool broken;                      /* the open transaction cannot be gone on with */
    bool names_data;                  /* the open transaction names blocks that were not FLUSHed */
};

/* Opens the catalog of a mounted volume; a volume that has none gets one. CATALOG_FAILED, CATALOG_DAMAGED, CATALOG_LIMIT (a later
 * version): said in the log, and nothing is open. */
enum catalog_answer catalog_open(struct catalog *catalog, struct volume *volume, const void *seed, uint32_t seed_bytes)
    REQUIRES(THREAD);
void catalog_close(struct catalog *catalog) REQUIRES(THREAD);

/* (1) */
void catalog_run(struct catalog *catalog, struct catalog_op *const op[], uint32_t count) REQUIRES(THREAD);

/* A bounded step of what is done when nobody asks: gives back the room of objects that nothing leads to any more. False:
 * there is nothing to do. */
bool catalog_care(struct catalog *catalog) REQUIRES(THREAD);

/* Whether all is as it must be: SQLite's own check, every block either free or in exactly one extent, every count right, every name
 * with an object. Says each fault in the log; the number of them, or UINT32_MAX when it could not be asked: the disk failed, or
 * the heap did not suffice. Not bounded. */
uint32_t catalog_check(struct catalog *catalog) REQUIRES(THREAD);

const char *catalog_answer_name(enum catalog_answer answer);
