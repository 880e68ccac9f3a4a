/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine.h: what the parts of store/engine know of each other.
 *
 *  (1) The catalog is the thread's. The loop asks it by operations (struct engine_op), which are lent until done(): all that wait
 *      go to the thread as one batch, by one call on its endpoint, and come back when that call returns. What comes meanwhile is
 *      the next batch: so the slower the disk, the more share a commit.
 *  (2) Data moves between messages and disk on the loop, never through the thread.
 */
#pragma once
#include "core/health.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/ring.h"
#include "crypto/sha256/sha256.h"
#include "lib/blkdev/blkdev_queue.h"
#include "lib/capnp/capnp.h"
#include "lib/catalog/catalog.h"
#include "lib/entropy/random.h"

#define ENGINE_CHUNK_MAX 65536u
#define ENGINE_SECTORS (DISK_BLOCK_BYTES / BLKDEV_SECTOR_BYTES) /* of a block */

/* --- the queue to the thread: engine_queue.c --- */

#define ENGINE_BATCH_MAX 64u

enum engine_command { ENGINE_MOUNT, ENGINE_FORMAT, ENGINE_RUN };
enum engine_state {
    ENGINE_MOUNTING,
    ENGINE_MOUNTED,
    ENGINE_READ_ONLY, /* the disk failed: what is there can be read, if the disk still does that */
    ENGINE_FOREIGN,   /* not ours, damaged, or too new: see engine_self.why */
};

struct engine_op {
    struct catalog_op op;
    void (*done)(struct engine_op *op); /* LOOP; the memory is the asker's again */
    uint64_t since_ns;
    struct list node;
};

/* What the thread and the loop hand each other: the loop's, and the thread's while the call is out. */
struct engine_desk {
    enum engine_command command;
    struct catalog_op *batch[ENGINE_BATCH_MAX];
    uint32_t count;
    uint8_t seed[SHA256_BYTES]; /* for MOUNT and FORMAT: a volume's UUID, and what SQLite wants */
    enum engine_state state;    /* the thread's answer to MOUNT and FORMAT, and after each batch */
    const char *why;            /* with FOREIGN and READ_ONLY */
};

#define ENGINE_LATENCIES 20u /* below 16 us, below 32 us, ..., below 4 s, the others */

struct engine_counters { /* since the boot */
    uint64_t batches, operations;
    uint64_t latency[ENGINE_LATENCIES]; /* of operations, from submit to done */
    uint64_t bytes_read, bytes_written; /* of data: the thread reads and writes its own */
    uint64_t errors;                    /* transfers that failed */
    uint64_t damaged;                   /* blocks that did not hold what was written */
};

/* --- views: engine_view.c --- */

enum engine_right {
    ENGINE_MAKE = 1u << 0,    /* what is not there yet; append */
    ENGINE_REPLACE = 1u << 1, /* and remove, rename, write over */
    ENGINE_ALL = ENGINE_MAKE | ENGINE_REPLACE,
};

/* Bytes that may be written through views. Counted in memory, for as long as a view or an upload has it. */
struct engine_quota {
    uint64_t limit, used;
    struct engine_quota *wider; /* that has to have room too; NULL: none */
    uint32_t references;
};

/* A capability for names: a Namespace or a Directory, and what its holder may do there. */
struct engine_view {
    struct object object;
    struct catalog_place at;
    uint32_t rights;
    struct engine_quota *quota; /* NULL: none */
    uint32_t prefix_size;       /* of a Namespace: all its names begin with it */
    char prefix[CATALOG_NAME_MAX + 1];
};

static inline struct engine_view *engine_view_of(struct object *object)
{
    return CONTAINER_OF(object, struct engine_view, object);
}

static inline struct catalog_text engine_text(struct capnp_text text)
{
    return (struct catalog_text){text.text, text.size};
}

/* Keys: [I] fixed after BOOT  [L] the loop only  [T] the thread only */
struct engine {
    struct object store;          /* [I] */
    struct object store_reader;   /* [I] the same, to be read */
    struct object volume;         /* [I] */
    struct engine_view names;     /* [I] all flat names */
    struct engine_view root;      /* [I] the directory at the top */
    struct blkdev *data;          /* [I] */
    struct random *random;        /* [I] or NULL */
    enum engine_state state;      /* [L] */
    const char *why;              /* [L] */
    struct engine_desk desk;      /* (1) */
    struct endpoint endpoint;     /* [I] where the thread takes its calls */
    struct call bell;             /* [L] out: the desk is the thread's */
    struct list waiting;          /* [L] operations for the next batch */
    struct list batch;            /* [L] those that the thread has */
    struct call *format_call;     /* [L] waits for the end of a format */
    bool format_wanted;           /* [L] */
    uint32_t open;                /* [L] uploads, sources and files */
    uint32_t files;               /* [L] of them: files */
    uint32_t out;                 /* [L] operations that are lent */
    struct ready ready;           /* [L] held until a disk is mounted, or known not to be */
    struct health health;         /* [L] */
    struct blkdev_queue io;       /* [L] engine_io.c */
    uint64_t changes;             /* [L] of names and files that were answered: engine_source.c */
    struct engine_counters count; /* [L] */
};
extern struct engine engine_self;

/* Lends the operation; done() comes later, never from inside. */
void engine_submit(struct engine_op *op) REQUIRES(LOOP);
void engine_format(struct call *call) REQUIRES(LOOP);
void engine_queue_init(void) REQUIRES(BOOT);
void engine_queue_start(void) REQUIRES(LOOP);

/* --- the thread: engine_thread.c --- */

status_t engine_thread_init(void) REQUIRES(BOOT);

/* --- transfers of data: engine_io.c --- */

struct engine_io {
    struct blk_request request;
    struct blk_segment segment[2];
    void (*done)(struct engine_io *io, status_t status); /* LOOP */
};
/* Sets one up, from or to a block of the disk; bytes are added in one or two parts. */
void engine_io_set(struct engine_io *io, enum blk_op op, uint64_t block,
                   void (*done)(struct engine_io *io, status_t status));
void engine_io_add(struct engine_io *io, void *bytes, uint32_t size);
void engine_io_start(struct engine_io *io) REQUIRES(LOOP);

/* --- a blob on its way in: engine_upload.c --- */

#define ENGINE_FILLS 4u
#define ENGINE_INSIDE_MAX 2000u /* bytes of a blob that stands in the database */

#define ENGINE_NEXT UINT64_MAX

struct engine_upload;
struct engine_write {
    uint8_t *bytes; /* device-reachable, 4-aligned; moved about */
    uint32_t size;
    uint64_t offset; /* of its first byte in the blob; ENGINE_NEXT: behind what came */
    void (*done)(struct engine_write *write, status_t status);
    struct engine_upload *upload;
    struct engine_io io;
    uint32_t hashed;         /* bytes; all of them, before any is on its way */
    uint32_t left;           /* bytes that did not begin */
    bool begun, listed, out; /* some bytes are on their way; some are not; a part is with the disk */
    struct list node;
};
struct engine_block {
    uint8_t *bytes; /* [I] */
    bool busy;
    struct engine_io io;
    struct engine_upload *upload;
};
/* A run that was lent and is filled. */
struct engine_fill {
    struct catalog_run lent; /* blocks 0: none */
    uint32_t used;           /* blocks of it that have a CRC and are on their way */
    uint32_t *crc;           /* [I] CATALOG_EXTENT_BLOCKS */
};
struct engine_upload {
    uint64_t size;
    uint64_t received; /* bytes of writes that began */
    uint64_t blocks;   /* of the object that are in extents which the catalog has */
    uint64_t reserved; /* blocks */
    uint64_t object;   /* 0: the catalog has none yet */
    struct sha256 hash;
    uint8_t digest[CATALOG_DIGEST];
    struct engine_block carry[2]; /* bytes that do not fill a block yet */
    unsigned carry_at;
    uint32_t carry_used;
    struct engine_fill fill[ENGINE_FILLS];
    unsigned fill_at; /* which one is being filled */
    struct catalog_extent extent[ENGINE_FILLS];
    uint32_t io_out;
    status_t failed;
    enum catalog_answer answer; /* why, when it was the catalog */
    struct list waiting;        /* writes */
    struct list hashing;        /* engine_hash.c: the first of them waits for time */
    struct engine_op ask;       /* LEND, EXTEND, PUT, and what closing takes; one at a time */
    bool asking;
    bool padded, committed, advancing, let_go;
    struct catalog_op name;           /* what PUT takes of it: at, path, flags; path.size 0: the blob gets no name */
    uint8_t expected[CATALOG_DIGEST]; /* with `expects`: the digest that it must have */
    bool expects;
    void (*opened)(struct engine_upload *upload, enum catalog_answer answer);
    void (*finished)(struct engine_upload *upload, status_t status);
    void (*closed)(struct engine_upload *upload);
};
void engine_upload_init(struct engine_upload *upload) REQUIRES(BOOT);
/* Reserves room, for upload->name as it stands there; after `opened` with another answer than CATALOG_OK the upload is nothing. */
void engine_upload_open(struct engine_upload *upload, uint64_t size,
                        void (*opened)(struct engine_upload *upload, enum catalog_answer answer)) REQUIRES(LOOP);
/* In order. At done, ST_BADARG: not the offset that is next. ST_RANGE: more than was announced. */
void engine_upload_write(struct engine_upload *upload, struct engine_write *write) REQUIRES(LOOP);
/* ST_RANGE: bytes are missing. ST_STALE: not the digest that was expected. ST_PROTO: the catalog refused; upload.answer says
 * why. Else the digest stands in upload.digest. */
void engine_upload_finish(struct engine_upload *upload, void (*finished)(struct engine_upload *upload, status_t status))
    REQUIRES(LOOP);
/* Whether who knows the bytes behind those that were received could end it. */
bool engine_upload_may_go_on(const struct engine_upload *upload);
/* Whatever its state. The memory is the caller's again at closed(). */
void engine_upload_close(struct engine_upload *upload, void (*closed)(struct engine_upload *upload)) REQUIRES(LOOP);

/* There is time for its first write again. */
void engine_upload_go_on(struct engine_upload *upload) REQUIRES(LOOP);

/* --- hashing: engine_hash.c --- */

void engine_hash_init(void) REQUIRES(BOOT);
/* How many of so many bytes may be hashed in this turn. Fewer: engine_upload_go_on() in a later one, unless the upload leaves the
 * list before. */
uint32_t engine_hash_take(struct engine_upload *upload, uint32_t wanted) REQUIRES(LOOP);

/* --- an object being read: engine_source.c --- */

#define ENGINE_READ_BLOCKS (ENGINE_CHUNK_MAX / DISK_BLOCK_BYTES + 1)

struct engine_source;
struct engine_read {
    uint64_t offset;
    uint8_t *bytes; /* device-reachable; room for `size` */
    uint32_t size;  /* with `place`: at most so many; then how many there are */
    bool (*place)(
        struct engine_read *read); /* not NULL: sets `bytes` for `size`; false: there is nothing to be read, it ended */
    void (*done)(struct engine_read *read, enum catalog_answer answer);
    struct engine_source *source;
    struct engine_io io;
    uint8_t *bounce; /* [I] a block: for what is not a whole block */
    uint32_t got;    /* bytes that are there */
    uint32_t crc[ENGINE_READ_BLOCKS];
    uint64_t block; /* of the disk, where the transfer under way begins */
    uint64_t doubt; /* a block of the disk whose CRC did not fit; 0: none */
    uint32_t doubt_crc;
    uint64_t object, version; /* of the source, when the first part began */
    uint32_t again;           /* how often it began anew */
    uint32_t whole;           /* its bytes that go straight to `bytes` */
    uint32_t part;            /* bytes of the block in `bounce` that are wanted, from `skip` on */
    uint32_t skip;
    struct list node;
};
struct engine_source {
    uint64_t id;     /* of a file that is read as it changes; 0: `object` is held, and does not */
    uint64_t seen;   /* engine_self.changes when its span was said */
    uint64_t object; /* 0: there are no bytes */
    uint64_t size;
    uint64_t version;          /* of a node: how often its file was written to since it was opened */
    struct catalog_span *span; /* [I] blocks 0: nothing there yet */
    struct engine_op ask;
    bool asking, advancing;
    uint32_t reads_out;
    struct list waiting;
    void (*opened)(struct engine_source *source, enum catalog_answer answer);
    void (*closed)(struct engine_source *source);
};
void engine_source_init(struct engine_source *source) REQUIRES(BOOT);
void engine_read_init(struct engine_read *read) REQUIRES(BOOT);
/* Holds what `which` says (CATALOG_HOLD), whose node then is in source->ask.op. After `opened` with another answer than CATALOG_OK
 * the source is nothing. */
void engine_source_open(struct engine_source *source, const struct catalog_op *which,
                        void (*opened)(struct engine_source *source, enum catalog_answer answer)) REQUIRES(LOOP);
/* Of a file, as it changes. */
void engine_source_open_node(struct engine_source *source, uint64_t id) REQUIRES(LOOP);
/* Bytes that a read of at most `limit` at `offset` will give: fewer at the end. */
uint32_t engine_read_size(const struct engine_source *source, uint64_t offset, uint32_t limit);
void engine_source_read(struct engine_source *source, struct engine_read *read) REQUIRES(LOOP);
void engine_source_close(struct engine_source *source, void (*closed)(struct engine_source *source)) REQUIRES(LOOP);

/* --- requests and refusals: engine_request.c --- */

/* False: the call failed, because nothing is mounted; with the reason and what to do. */
bool engine_available(struct call *call) REQUIRES(LOOP);
/* False: that is no digest, and the call failed. */
bool engine_digest_valid(struct call *call, const uint8_t *bytes, uint32_t size) REQUIRES(LOOP);
void engine_too_many(struct call *call, const char *what) REQUIRES(LOOP);
void engine_fail(struct call *call, enum catalog_answer answer, const char *what) REQUIRES(LOOP);
void engine_fail_quota(struct call *call) REQUIRES(LOOP);
/* The same about a path. */
void engine_fail_path(struct call *call, enum catalog_answer answer, struct catalog_text path) REQUIRES(LOOP);
/* Of a transfer; ST_PROTO: the catalog's answer says why. */
void engine_fail_status(struct call *call, status_t status, enum catalog_answer answer, const char *what)
    REQUIRES(LOOP);

/* --- damage, and the search for it: engine_scrub.c --- */

void engine_scrub_init(void) REQUIRES(BOOT);
/* What Volume.scrub and scrubbed do. */
void engine_scrub(struct call *call, uint64_t rate) REQUIRES(LOOP);
void engine_scrubbed(struct call *call) REQUIRES(LOOP);
void engine_scrub_stop(void) REQUIRES(LOOP);
/* Its operations that are lent. */
uint32_t engine_scrub_out(void) REQUIRES(LOOP);
void engine_scrub_show(void) REQUIRES(LOOP);
/* A block of this object is not what was written: the catalog remembers it (CATALOG_SUSPECT). */
void engine_suspect(uint64_t object) REQUIRES(LOOP);

/* An operation for one call. */
struct engine_request {
    struct engine_op op;
    struct call *call;
    struct catalog_info info;
    uint32_t mode, create;           /* of an open() */
    uint64_t collected, bytes;       /* of a collect() so far */
    struct object *watcher;          /* of a watch() */
    struct catalog_text path;        /* all of it, while mkdir() makes its parts */
    char name[CATALOG_NAME_MAX + 1]; /* of a view with a prefix */
};
/* NULL: too many, and the call failed. The time is set. */
struct engine_request *engine_request_new(struct call *call, enum catalog_op_kind kind,
                                          void (*done)(struct engine_op *op)) REQUIRES(LOOP);
/* The same, of a store that is mounted: otherwise NULL, and the call failed. */
struct engine_request *engine_request_mounted(struct call *call, enum catalog_op_kind kind,
                                              void (*done)(struct engine_op *op)) REQUIRES(LOOP);
struct engine_request *engine_request_of(struct engine_op *op);
void engine_request_free(struct engine_request *request) REQUIRES(LOOP);
/* Gives the request back; its call, unless it failed with what the catalog answered: then NULL. `what` begins the reason. */
struct call *engine_request_end(struct engine_op *op, const char *what) REQUIRES(LOOP);
/* The same; that there is no such thing is an answer too. */
struct call *engine_request_end_maybe(struct engine_op *op, const char *what, bool *there) REQUIRES(LOOP);
/* The same as the first; the reason is about the path. */
struct call *engine_request_end_path(struct engine_op *op) REQUIRES(LOOP);
/* Returns a call whose results hold the object, which was made for it. */
void engine_return(struct call *call, struct object *object) REQUIRES(LOOP);
struct catalog_time engine_now(void) REQUIRES(LOOP);

/* One page of names. */
struct engine_listing {
    struct engine_op op;
    struct call *call;
    struct catalog_entry *entry; /* [I] ENGINE_PAGE */
    uint32_t strip;              /* bytes at the front of each name that are the view's */
    char prefix[CATALOG_NAME_MAX + 1], after[CATALOG_NAME_MAX + 1];
    void (*say)(struct call *call, const struct engine_listing *listing); /* returns the call */
    struct list node;
};
#define ENGINE_PAGE 100u /* entries: with the longest names and all of a Stat 50 KiB */
void engine_list(struct call *call, const struct engine_view *view, struct catalog_text path,
                 struct catalog_text prefix, struct catalog_text after, uint32_t limit,
                 void (*say)(struct call *call, const struct engine_listing *listing)) REQUIRES(LOOP);
void engine_request_init(void) REQUIRES(BOOT);

/* --- views: engine_view.c --- */

/* Another one, for as much as `from`. NULL: too many, and the call failed. */
struct engine_view *engine_view_new(struct call *call, const struct engine_view *from) REQUIRES(LOOP);
/* Whether somebody has one: its directory's number would mean another one after a format. */
bool engine_views_held(void) REQUIRES(LOOP);
/* The same as engine_view_new(), as it was at a snapshot. */
struct engine_view *engine_view_then(struct call *call, const struct engine_view *from, uint64_t generation)
    REQUIRES(LOOP);
void engine_view_dead(struct object *object) REQUIRES(LOOP);
/* False: it may not, and the call failed. */
bool engine_view_may(struct call *call, const struct engine_view *view, uint32_t rights) REQUIRES(LOOP);
/* prefix + name, in `buffer` if there is a prefix. False: no name is so long. */
bool engine_view_name(const struct engine_view *view, struct catalog_text name, char buffer[CATALOG_NAME_MAX + 1],
                      struct catalog_text *out);
/* NULL: too many, and the call failed. */
struct engine_quota *engine_quota_new(struct call *call, uint64_t limit, struct engine_quota *wider) REQUIRES(LOOP);
struct engine_quota *engine_quota_get(struct engine_quota *quota);
void engine_quota_put(struct engine_quota *quota) REQUIRES(LOOP);
/* False: there is no room for so much in it. */
bool engine_quota_take(struct engine_quota *quota, uint64_t bytes);
void engine_quota_give(struct engine_quota *quota, uint64_t bytes);
void engine_view_init(void) REQUIRES(BOOT);

/* --- capabilities: engine_put.c, engine_store.c, engine_names.c, engine_directory.c, engine_file.c, engine_volume.c --- */

extern const struct object_ops engine_store_ops, engine_names_ops, engine_directory_ops, engine_volume_ops;
void engine_store_init(void) REQUIRES(BOOT);
void engine_names_init(void) REQUIRES(BOOT);
void engine_file_init(void) REQUIRES(BOOT);
void engine_volume_init(void) REQUIRES(BOOT);

/* What an upload becomes at its end. */
struct engine_name {
    struct catalog_place at;
    struct catalog_text path; /* copied */
    uint32_t flags;           /* CATALOG_EXCLUSIVE */
    struct engine_quota *quota;
};
struct engine_put {
    uint64_t size;
    struct capnp_data digest;       /* that it will have; empty: nobody said */
    const struct engine_name *name; /* NULL: a blob without a name */
    void (*say)(struct call *call, struct object *upload, uint64_t received); /* puts these into the results */
};
/* An Upload for the call: a new one, or one that somebody began and did not end. */
void engine_put(struct call *call, const struct engine_put *put) REQUIRES(LOOP);
/* Uploads that nobody has, kept for who may go on with them; they count in engine_self.open. */
uint32_t engine_kept_count(void) REQUIRES(LOOP);
/* What they have is given back, in the background. */
void engine_kept_give_up(void) REQUIRES(LOOP);
/* The disk has no room for somebody: gives up what is kept. Whether it helps to ask again. */
bool engine_room_may_come(void) REQUIRES(LOOP);
void engine_put_init(void) REQUIRES(BOOT);
/* A ByteSource of what `which` holds. `say` puts it into the results. */
void engine_get(struct call *call, const struct catalog_op *which,
                void (*say)(struct call *call, struct object *blob, const struct engine_source *source)) REQUIRES(LOOP);
/* ByteSource.read() of any source. */
void engine_serve_read(struct call *call, struct engine_source *source, uint64_t offset, uint32_t limit) REQUIRES(LOOP);

#define ENGINE_FILE_MAX (1ull << 48) /* bytes */

enum engine_mode { ENGINE_READ, ENGINE_WRITE, ENGINE_APPEND }; /* as Directory.Mode */
/* One more can be opened whatever others do, until that is redeemed. False: the call failed. */
bool engine_file_promise(struct call *call) REQUIRES(LOOP);
void engine_file_redeem(void) REQUIRES(LOOP);
/* A write to the file of this node was committed: reads under way are of before. */
void engine_file_changed(uint64_t id) REQUIRES(LOOP);
/* Answers Directory.open() with a File: of the node as it changes, or of what it was at the view's snapshot. */
void engine_file_open(struct call *call, const struct engine_view *view, const struct catalog_node *node,
                      struct catalog_text path, enum engine_mode mode) REQUIRES(LOOP);

/* --- who is told of changes: engine_watch.c --- */

/* A Watch, with one reference: of the names in the directory and below, or, of CATALOG_NAMES, of those with this prefix, the
 * view's included. NULL: the call failed. */
struct object *engine_watch_new(struct call *call, const struct engine_view *view, uint64_t directory,
                                struct catalog_text prefix, struct object *watcher) REQUIRES(LOOP);
/* Of a change that came about. */
void engine_watch_note(const struct catalog_op *op) REQUIRES(LOOP);
/* Of a file that was closed by who wrote to it. */
void engine_watch_note_file(uint64_t id) REQUIRES(LOOP);
bool engine_watches_held(void) REQUIRES(LOOP);
void engine_watch_init(void) REQUIRES(BOOT);

/* --- a change to a file: engine_change.c --- */

struct engine_work;
struct engine_file {
    uint64_t id;              /* of the node */
    struct catalog_node then; /* of one that a snapshot shows */
    bool now;                 /* it is read as it changes; else it is of a snapshot */
    uint32_t views, writers;  /* capabilities for it, and those that write */
    struct engine_source source;
    struct engine_quota *quota;
    struct list waiting; /* changes, in order */
    bool changing;       /* one is under way, or waits for memory */
    bool changed;        /* since a writer opened it */
    struct engine_work *under_way;
    struct list node;   /* free, or among those with writers */
    struct list hungry; /* waits for a change's memory */
    struct call *call;  /* open(), of a snapshot */
};

enum engine_change_kind { ENGINE_CHANGE_WRITE, ENGINE_CHANGE_APPEND, ENGINE_CHANGE_TRUNCATE, ENGINE_CHANGE_SYNC };
struct engine_change {
    enum engine_change_kind kind;
    uint64_t offset; /* out: of an append */
    uint64_t size;   /* TRUNCATE: wanted; else of `bytes` */
    const uint8_t *bytes;
    void (*done)(struct engine_change *change, enum catalog_answer answer, bool quota); /* quota: that has no room */
    struct list node;
};
/* One after the other, each durable and whole at its done(). */
void engine_change_submit(struct engine_file *file, struct engine_change *change) REQUIRES(LOOP);
void engine_change_init(void) REQUIRES(BOOT);
