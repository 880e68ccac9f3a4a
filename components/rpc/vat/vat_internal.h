/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_internal.h: the parts of a vat and who calls whom.
 *
 *   vat_stream.c   bytes to messages and back: one copy in, none out (buffers are lent to the stream)
 *   vat_dispatch.c what each message of a peer does
 *   vat_answer.c   calls that peers made          vat_question.c  calls to peers
 *   vat_caps.c     exports, imports, descriptors  vat_promise.c   objects that are not known yet; embargoes
 *   vat_message.c  message buffers                vat_out.c       what waits to be sent
 *   vat.c          connections: open, close, reap vat_map.c       ids to entries
 *
 * What holds everywhere:
 *  (1) Messages leave in the order in which they were queued (vat_out). A Release therefore stands behind every
 *      Call that used the import, a Finish behind every call pipelined on its question.
 *  (2) Queueing needs no memory: the node stands in the thing that it speaks of (a question has its Finish, an import its
 *      Release), and answers are built in the buffer of the message that they answer when they need not more.
 *  (3) A peer's id is an allegation: a map or a bound says whether it is anything. What is wrong ends the connection
 *      through vat_abort(); whoever calls that returns at once and touches the connection's tables no more.
 *  (4) Objects outlive connections: imports and promises of a dead connection stay until their last reference goes, and
 *      fail `disconnected`.
 *  (5) No recursion that a peer can steer: calls that waited are run from vat_run_ready(), never from inside another; a chain of
 *      imports and promises ends in vat_chain_end().
 */
#pragma once
#include "core/list.h"
#include "core/loop.h"
#include "core/mem.h"
#include "lib/capnp/capnp.h"
#include "rpc/vat/rpc.capnp.h"
#include "rpc/vat/vat.h"

#define VAT_SMALL_BYTES 1152u
#define VAT_MEDIUM_BYTES (72u * 1024u)
#define VAT_LARGE_BYTES (MESSAGE_WORDS_MAX * 8u + 4096u)
#define VAT_SEGMENTS 4u      /* of a message that is built here, and of most that are read */
#define VAT_CAPS 8u          /* capabilities of a message in a small buffer */
#define VAT_HEADER_BYTES 24u /* in front of a built message's first word: the frame of VAT_SEGMENTS segments */
#define VAT_HEAD_MAX (4u * (MESSAGE_SEGMENTS_MAX + 2u))
#define VAT_PIECES 32u /* lent to a stream at a time */
#define VAT_CONTROL_BYTES 2048u
#define VAT_CONTROL_WORDS 64u /* the longest control message: a Resolve with a reason */
#define VAT_NO_EXPORT UINT32_MAX
#define VAT_REAP_A_TURN 32u
#define VAT_REPLIES_MAX 8u /* to one connection, not yet read by it, beyond the Returns of calls that were admitted */

/* ---- maps: 64-bit key, never 0, to a pointer ---- */

struct vat_map_entry {
    uint64_t key; /* 0: free */
    void *value;
};
struct vat_map {
    struct vat_map_entry *entry; /* [I] size of them */
    uint32_t size;               /* [I] a power of two, twice what is stored at most */
    uint32_t used;               /* [L] */
};
void vat_map_init(struct vat_map *map, uint32_t most) REQUIRES(BOOT);
struct vat_map_entry *vat_map_find(const struct vat_map *map, uint64_t key);
/* False: full. The key must not be there. */
bool vat_map_add(struct vat_map *map, uint64_t key, void *value);
void vat_map_remove(struct vat_map *map, struct vat_map_entry *entry);
static inline uint64_t vat_key(uint32_t id)
{
    return (uint64_t)id + 1;
}

/* ---- what waits to be sent ---- */

enum vat_out_kind {
    VAT_OUT_MESSAGE,   /* in a vat_message */
    VAT_OUT_FINISH,    /* in a vat_question */
    VAT_OUT_RELEASE,   /* in a vat_import that nobody holds */
    VAT_OUT_RESOLVE,   /* in a vat_export */
    VAT_OUT_EMBARGO,   /* in a vat_promise: Disembargo, senderLoopback */
    VAT_OUT_ELSEWHERE, /* in a vat_answer: Return, resultsSentElsewhere */
};
struct vat_out {
    struct list node; /* [L] queued when not empty */
    uint8_t kind;     /* [I] */
};

/* ---- message buffers ---- */

enum vat_size { VAT_SMALL, VAT_MEDIUM, VAT_LARGE, VAT_SIZES };

/* The head of a buffer; the rest of it is the message. */
struct vat_message {
    struct vat_out out;
    struct message message;
    struct vat *vat;                /* [I] */
    struct vat_connection *charged; /* [L] whose window it counts in, or NULL */
    struct list pieces;             /* [L] further buffers that belong to it */
    uint64_t *words;                /* [L] */
    uint32_t *export_id;            /* [L] by capability: what a descriptor that was sent counts for */
    uint32_t word_count;            /* [L] that fit into this buffer */
    uint8_t size;                   /* [I] enum vat_size */
    uint8_t references;             /* [L] an answer or question that keeps it, and the queue or the stream */
    uint8_t segments_sent;          /* [L] lent to the stream so far */
    bool reply;                     /* [L] counts in charged->replies */
    struct message_segment segment[VAT_SEGMENTS];
    struct object *cap[VAT_CAPS];
    uint32_t cap_export[VAT_CAPS];
};
struct vat_buffers {
    struct list free;    /* [L] */
    uint32_t bytes;      /* [I] of one */
    uint32_t count;      /* [I] */
    uint32_t free_count; /* [L] */
    uint64_t refused;    /* [L] */
};

void vat_buffers_init(struct vat *vat) REQUIRES(BOOT);
/* To build about `words` words. NULL: no buffer of that size is free. One reference. */
struct vat_message *vat_message_new(struct vat *vat, uint64_t words) REQUIRES(LOOP);
enum vat_size vat_frame_size(const struct vat *vat, const struct capnp_frame *frame);
/* To read a frame into. NULL: none free now. */
struct vat_message *vat_message_for_frame(struct vat *vat, const struct capnp_frame *frame) REQUIRES(LOOP);
/* Makes a message that was read, and is needed no more, into one to build in the same buffer. */
void vat_message_reuse(struct vat_message *m) REQUIRES(LOOP);
/* Room for `count` capabilities. False: more than MESSAGE_CAPS_MAX, or no buffer. */
bool vat_message_caps(struct vat_message *m, uint32_t count) REQUIRES(LOOP);
void vat_message_charge(struct vat_message *m, struct vat_connection *c) REQUIRES(LOOP);
/* How many small buffers it is made of. */
uint32_t vat_message_small(const struct vat_message *m);
/* Of the larger ones half are taken: the others are for connections that hold none, and who keeps one without need while
 * somebody waits is ended. */
bool vat_buffers_scarce(const struct vat *vat, enum vat_size size);
/* Whether one of that size would be within this connection's share, if there is one. */
bool vat_buffer_in_share(const struct vat_connection *c, enum vat_size size);
/* Whether one of that size may go to this connection, if at least `left` others stay free. */
bool vat_buffer_due(const struct vat_connection *c, enum vat_size size, uint32_t left);
static inline struct vat_message *vat_message_get(struct vat_message *m)
{
    m->references++;
    return m;
}
void vat_message_put(struct vat_message *m) REQUIRES(LOOP); /* NULL is nothing */

/* ---- tables ---- */

/* A call that a peer made. In a connection's answers map until both Return and Finish are done; a map value below
 * VAT_TOMBS is an answer of which only the outcome is left. */
enum vat_tomb { VAT_TOMB_EXCEPTION, VAT_TOMB_PLAIN = 4, VAT_TOMBS = 8 };

struct vat_answer {
    struct call call;                   /* what the server has */
    struct vat *vat;                    /* [I] */
    struct vat_connection *c;           /* [L] NULL: the connection is gone */
    struct list node;                   /* [L] in c->live */
    struct list promises;               /* [L] vat_promise.source_node: what is pipelined on it */
    struct list idle;                   /* [L] in vat->idle: its server is to be told that nobody wants it */
    struct vat_message *params;         /* [L] */
    struct vat_message *results;        /* [L] */
    struct payload content;             /* [L] of results */
    struct rpc_payload_builder payload; /* [L] of results, until they are queued */
    struct vat_question *taker;         /* [L] `yourself`: the question that takes the results */
    struct vat_out elsewhere;           /* [L] */
    const char *reason;                 /* [L] `yourself` and failed: in params' buffer */
    uint32_t id;                        /* [I] */
    uint64_t returned_ns;               /* [L] when */
    uint8_t exception;                  /* [L] enum exception, when reason is there */
    bool returned;                      /* [L] */
    bool finished;                      /* [L] the peer sent Finish */
    bool told;                          /* [L] the peer's Return is queued, or sent when it stands in `elsewhere` */
    bool yourself;                      /* [I] */
};

/* A call to the peer, or a Bootstrap. Its id is its place in c->question. */
struct vat_question {
    struct vat_connection *c;
    struct call *call;        /* [L] NULL: nobody waits for the results themselves */
    struct list promises;     /* [L] vat_promise.source_node: what is pipelined on it */
    struct vat_message *sent; /* [L] the Call, kept when it counts for exports */
    struct vat_answer *from;  /* [L] takeFromOtherQuestion: the answer that it waits for */
    struct vat_out finish;    /* [L] */
    uint32_t id;              /* [I] */
    bool returned;            /* [L] */
    bool finished;            /* [L] Finish is queued or sent */
    bool release_results;     /* [L] what the Finish says */
};

struct vat_export {
    struct object *object;    /* [L] one reference; NULL: free */
    struct vat_connection *c; /* [I] */
    struct list watch;        /* [L] in vat_promise.watchers until it resolves */
    struct vat_out resolve;   /* [L] */
    uint32_t references;      /* [L] that the peer holds */
    uint32_t next_free;       /* [L] */
    bool resolved;            /* [L] a promise's Resolve is queued or sent */
};

/* An object that lives with the peer. */
struct vat_import {
    struct object object;
    struct vat *vat;          /* [I] */
    struct vat_connection *c; /* [L] NULL: the connection is gone */
    struct object *target;    /* [L] a promise that was resolved: what it is; one reference */
    struct vat_out release;   /* [L] */
    const char *reason;       /* [L] static text of why it is broken, or NULL */
    uint32_t id;              /* [I] the peer's export */
    uint32_t remote;          /* [L] references that the peer counts for us */
    bool promise;             /* [L] a Resolve may come */
    bool resolved;            /* [L] it came */
    bool called;              /* [L] calls went out to it: a shorter way must wait for them (embargo) */
    uint8_t exception;        /* [L] resolved without target: broken so */
};

enum vat_promise_state {
    VAT_PROMISE_WAITING,  /* calls queue here */
    VAT_PROMISE_PIPELINE, /* calls go to the peer, on `question` */
    VAT_PROMISE_RESOLVED, /* calls go to target, behind what still queues here */
    VAT_PROMISE_BROKEN,
};
struct vat_promise {
    struct object object;
    struct vat *vat;               /* [I] */
    struct vat_answer *answer;     /* [L] WAITING for this answer's results, or NULL */
    struct vat_question *question; /* [L] PIPELINE */
    struct list source_node;       /* [L] in answer->promises, question->promises or c->embargoes */
    struct list calls;             /* [L] that wait */
    struct list ready;             /* [L] in vat->ready: calls can run */
    struct list watchers;          /* [L] vat_export.watch */
    struct object *target; /* [L] RESOLVED: one reference, NULL: the null capability. Embargoed: what it will be */
    struct vat_connection *embargo; /* [L] WAITING for this connection's receiverLoopback */
    struct vat_out disembargo;      /* [L] */
    uint32_t embargo_import;        /* [L] the Disembargo's target: this import of ours, or ... */
    uint32_t embargo_question;      /* [L] ... this question and `path` */
    bool embargo_on_import;         /* [L] */
    bool called;                    /* [L] PIPELINE: calls went out */
    uint8_t state;                  /* [L] */
    uint8_t path_count;             /* [I] */
    uint8_t exception;              /* [L] BROKEN */
    uint16_t path[VAT_PATH_MAX];    /* [I] */
    char reason[CALL_REASON_MAX];   /* [L] BROKEN */
};

/* ---- connections ---- */

/*            vat_open                 vat_abort, vat_close, the peer    tables and stream empty, given back
 *   FREE -----------------> OPEN ---------------------------------> CLOSING ------------------------> FREE
 *
 *   FREE     No stream, no entries.
 *   OPEN     Messages flow. The stream may still be to come (vat_attach): what is queued waits.
 *   CLOSING  Nothing of the peer's is looked at. Tables empty, a bounded number of entries a turn; the stream ends. Who had it from
 *            vat_open() may still name it.
 */
enum vat_state { VAT_FREE, VAT_OPEN, VAT_CLOSING };

struct vat_piece { /* lent to the stream */
    uint32_t bytes;
    struct vat_message *message; /* one reference given back with the piece; NULL: none */
    bool control;                /* bytes of the control ring */
};

struct vat_connection {
    struct stream_client client;
    struct vat *vat;       /* [I] */
    struct stream *stream; /* [L] NULL: none yet, or closed() came */
    struct list node;      /* [L] in vat->free, vat->open or vat->closing */
    struct list hungry;    /* [L] in vat->hungry: waits for a buffer or a call slot */
    uint8_t state;         /* [L] enum vat_state */
    bool opened;           /* [L] by vat_open(), and not yet given back by vat_close() */
    bool entered;          /* [L] inside received(): sending waits for its end */
    bool full;             /* [L] the stream has ST_FULL: room() will come */
    bool blocked;          /* [L] bytes were left with the stream */

    uint8_t head[VAT_HEAD_MAX];   /* [L] a frame's header so far */
    uint32_t head_size;           /* [L] */
    uint32_t body_bytes;          /* [L] of the message so far */
    struct capnp_frame frame;     /* [L] valid when the header is whole */
    bool framed;                  /* [L] it is */
    struct vat_message *incoming; /* [L] where the body goes */

    struct list out;                    /* [L] vat_out.node, oldest first */
    struct vat_piece piece[VAT_PIECES]; /* [L] a ring */
    uint32_t piece_first, piece_count;  /* [L] */
    uint32_t piece_returned;            /* [L] bytes of the first piece that sent() has named */
    uint8_t control[VAT_CONTROL_BYTES]; /* [L] a ring: control messages are written here and lent from here */
    uint32_t control_written;           /* [L] free-running */
    uint32_t control_lent;              /* [L] free-running */
    uint32_t control_returned;          /* [L] free-running */

    struct vat_map answers;         /* [L] peer's question id -> vat_answer or tomb */
    struct vat_map imports;         /* [L] peer's export id -> vat_import */
    struct vat_map exported;        /* [L] object -> vat_export */
    struct vat_export *export;      /* [L] options.exports of them, by id */
    uint32_t export_free;           /* [L] */
    uint32_t export_count;          /* [L] */
    struct vat_question **question; /* [L] options.questions of them, by id; NULL: free */
    uint32_t question_count;        /* [L] */
    uint32_t question_hint;         /* [L] no id below it is free */
    struct list live;               /* [L] vat_answer.node */
    struct list embargoes;          /* [L] vat_promise.source_node */
    uint32_t live_count;            /* [L] */
    uint32_t running;               /* [L] of them not returned */
    uint32_t held_bytes;            /* [L] of charged messages */
    uint32_t held[VAT_SIZES];       /* [L] and how many of them, by size */
    uint32_t reap_next;             /* [L] CLOSING: how far questions are emptied */
    uint32_t replies;               /* [L] of VAT_REPLIES_MAX */
    uint32_t untaken;               /* [L] OPEN: small buffers of messages that are queued or lent */
    bool pushing;                   /* [L] vat_push() runs: what is queued meanwhile is its own to send */
    uint64_t message_ns;            /* [L] when the message began that is coming in, or could go on */
    uint64_t piece_ns;              /* [L] since when the first lent piece is the first */
    uint64_t closing_ns;            /* [L] CLOSING since */
};

struct vat {
    struct vat_options options; /* [I] */
    struct object *bootstrap;   /* [I] */
    struct vat_buffers buffers[VAT_SIZES];
    struct pool answer_pool, question_pool, import_pool, promise_pool;
    struct vat_connection *connection; /* [I] options.connections of them */
    struct list free, open, closing;   /* [L] vat_connection.node */
    struct list hungry;                /* [L] vat_connection.hungry, served in order */
    struct list ready;                 /* [L] vat_promise.ready */
    struct list idle;                  /* [L] vat_answer.idle */
    struct vat_promise **embargoed;    /* [L] by index in promise_pool: those that wait for a receiverLoopback */
    bool running_ready;                /* [L] */
    struct work reap;                  /* [L] */
    struct work feed;                  /* [L] resumes who is hungry */
    struct work cancel;                /* [L] cancels what is idle */
    struct timer stall;                /* [L] */
    uint64_t accepted, refused, aborted, calls; /* [L] */
    uint64_t abort_log_ns;                      /* [L] when an abort was last logged */
    uint64_t aborts_unlogged;                   /* [L] */
};

/* vat.c */
/* Ends the connection for something that the peer did or that we cannot do: sends an Abort. printf-like reason. */
void vat_abort(struct vat_connection *c, enum exception type, const char *format, ...) REQUIRES(LOOP)
    __attribute__((format(printf, 3, 4)));
/* Ends it; nothing is said to the peer. */
void vat_end(struct vat_connection *c) REQUIRES(LOOP);
void vat_stall_watch(struct vat *vat) REQUIRES(LOOP);
/* Something became free that connections may wait for. */
void vat_feed(struct vat *vat) REQUIRES(LOOP);
void vat_closed(struct vat_connection *c) REQUIRES(LOOP); /* the stream is gone */

/* vat_stream.c */
extern const struct stream_client_ops vat_stream_ops;
/* Lends to the stream what is queued, as far as it takes. Inside received() it waits for the end of it. */
void vat_push(struct vat_connection *c) REQUIRES(LOOP);
void vat_stream_feed(struct vat_connection *c) REQUIRES(LOOP); /* a buffer may be there now */
/* Lends an Abort and closes the stream. */
void vat_stream_abort(struct vat_connection *c, enum exception type, const char *reason) REQUIRES(LOOP);
void vat_stream_returned(struct vat_connection *c, size_t bytes) REQUIRES(LOOP);

/* vat_out.c */
void vat_queue(struct vat_connection *c, struct vat_out *out) REQUIRES(LOOP);
/* Takes over one reference to `m`. */
void vat_queue_message(struct vat_connection *c, struct vat_message *m) REQUIRES(LOOP);
/* The same for one that answers what was no admitted call: bounded by VAT_REPLIES_MAX (vat_admit). */
void vat_queue_reply(struct vat_connection *c, struct vat_message *m) REQUIRES(LOOP);
/* The thing that a node stands in learns that its message is on its way; it may end with that. */
void vat_out_sent(struct vat_out *out) REQUIRES(LOOP);
/* Drops what waits; what was lent in part stays. */
void vat_out_clear(struct vat_connection *c) REQUIRES(LOOP);
/* Builds a control message; what it stood in may be gone afterwards. */
void vat_out_build(struct vat_connection *c, struct vat_out *out, struct message *message) REQUIRES(LOOP);
void vat_build_abort(struct message *message, enum exception type, const char *reason);
void vat_build_exception(struct rpc_exception_builder exception, enum exception type, const char *reason);
struct vat_promised {
    uint32_t question;
    const uint16_t *path;
    uint32_t count;
};
void vat_build_promised(struct rpc_promised_answer_builder builder, struct vat_promised promised);

/* vat_dispatch.c */
/* True when `m` (whole) may be handled now. */
bool vat_admit(struct vat_connection *c, struct vat_message *m) REQUIRES(LOOP);
void vat_dispatch(struct vat_connection *c, struct vat_message *m) REQUIRES(LOOP); /* takes m over */

/* vat_answer.c */
void vat_answer_call(struct vat_connection *c, struct vat_message *m, struct rpc_call_reader call) REQUIRES(LOOP);
void vat_answer_bootstrap(struct vat_connection *c, struct vat_message *m, uint32_t id) REQUIRES(LOOP);
void vat_answer_finish(struct vat_connection *c, struct rpc_finish_reader finish) REQUIRES(LOOP);
void vat_answer_refuse(struct vat_connection *c, struct vat_message *m, uint32_t id, enum exception type,
                       const char *reason) REQUIRES(LOOP); /* takes m over */
/* The same for a Call: what its capabilities counted for goes back. */
void vat_answer_refuse_call(struct vat_connection *c, struct vat_message *m, struct rpc_call_reader call,
                            enum exception type, const char *reason) REQUIRES(LOOP);
void vat_answer_sent(struct vat_answer *a) REQUIRES(LOOP); /* its Return (ELSEWHERE) is on its way */
/* NULL: not an answer of `yourself` that nobody has taken. */
struct vat_answer *vat_answer_yourself(struct vat_connection *c, uint32_t id) REQUIRES(LOOP);
void vat_answer_take(struct vat_answer *a, struct vat_question *q) REQUIRES(LOOP);
/* Nothing builds on it any more, perhaps: then it is cancelled, if the peer has finished it. */
void vat_answer_idle(struct vat_answer *a) REQUIRES(LOOP);
void vat_answers_cancel(struct work *work);
/* Somebody waits, and one of its Returns has for that long kept what there is little of. */
bool vat_answers_keep(const struct vat_connection *c, uint64_t since_ns);
/* The connection goes. */
void vat_answer_orphan(struct vat_answer *a) REQUIRES(LOOP);
/* Where a promised answer leads: an object (borrowed), NULL the null capability, or a typed failure. */
struct vat_found {
    struct object *object;
    const char *reason; /* not NULL: failed */
    enum exception exception;
    bool abort; /* failed, and the peer broke the protocol */
    bool owned; /* `object` comes with a reference */
};
struct vat_found vat_answer_find(struct vat_connection *c, struct rpc_promised_answer_reader promised) REQUIRES(LOOP);
struct vat_found vat_target_find(struct vat_connection *c, struct rpc_message_target_reader target) REQUIRES(LOOP);
struct vat_found vat_content_find(struct payload content, const uint16_t *path, uint32_t count);

/* vat_question.c */
struct vat_question *vat_question_new(struct vat_connection *c) REQUIRES(LOOP);
void vat_question_call(struct vat_connection *c, struct vat_import *import, struct vat_promise *promise,
                       struct call *call) REQUIRES(LOOP);
void vat_question_return(struct vat_connection *c, struct vat_message *m, struct rpc_return_reader answer)
    REQUIRES(LOOP);
/* The results are at `content`: hands them over and is done with the question. */
void vat_question_results(struct vat_question *q, struct payload content) REQUIRES(LOOP);
void vat_question_fail(struct vat_question *q, enum exception type, const char *reason) REQUIRES(LOOP);
void vat_question_unimplemented(struct vat_connection *c, uint32_t id) REQUIRES(LOOP);
/* Nobody waits any more, perhaps: then Finish. */
void vat_question_idle(struct vat_question *q) REQUIRES(LOOP);
void vat_question_finish_sent(struct vat_question *q) REQUIRES(LOOP);
void vat_question_disconnect(struct vat_question *q) REQUIRES(LOOP);

/* vat_caps.c */
/* The capability table of a message that came: each entry is put into the message. False: the connection was aborted. */
bool vat_caps_read(struct vat_connection *c, struct vat_message *m, struct rpc_payload_reader payload) REQUIRES(LOOP);
/* Writes the capability table for what the message holds. ST_FULL: no export or no room is left; nothing changed. */
status_t vat_caps_write(struct vat_connection *c, struct vat_message *m, struct rpc_payload_builder payload)
    REQUIRES(LOOP);
status_t vat_descriptor_write(struct vat_connection *c, struct object *object, struct rpc_cap_descriptor_builder d,
                              uint32_t *export_id) REQUIRES(LOOP);
/* One descriptor outside of a payload (Resolve). The reference is the caller's. */
bool vat_descriptor_read(struct vat_connection *c, struct rpc_cap_descriptor_reader d, struct object **object)
    REQUIRES(LOOP);
/* What the descriptors of a message that was sent count for is the peer's no more. */
void vat_caps_unsend(struct vat_connection *c, struct vat_message *m) REQUIRES(LOOP);
bool vat_export_release(struct vat_connection *c, uint32_t id, uint32_t count) REQUIRES(LOOP);
struct vat_export *vat_export_lookup(struct vat_connection *c, uint32_t id);
void vat_export_drop(struct vat_export *e) REQUIRES(LOOP);
void vat_import_resolve(struct vat_connection *c, struct rpc_resolve_reader resolve) REQUIRES(LOOP);
void vat_import_sent(struct vat_import *import) REQUIRES(LOOP); /* its Release is on its way */
void vat_import_orphan(struct vat_import *import) REQUIRES(LOOP);
/* NULL: not an import. */
struct vat_import *vat_import_of(struct object *object);
/* Ends one that nobody holds. Gives what it led to, whose reference is the caller's now. */
struct object *vat_import_end(struct vat_import *import) REQUIRES(LOOP);

/* vat_promise.c */
struct vat_promise *vat_promise_make(struct vat *vat) REQUIRES(LOOP);
struct vat_promise *vat_promise_of(struct object *object);
/* Follows what is resolved. Borrowed; NULL: the null capability. */
struct object *vat_settle(struct object *object);
/* Ends a promise or an import that nobody holds, and what it led to, as far as each is held by the one before alone: a loop, for
 * peers made the chain as long as they liked. */
void vat_chain_end(struct object *object) REQUIRES(LOOP);
/* Whether resolving `to` to `from` would close a ring. */
bool vat_leads_to(struct object *from, const struct object *to);
void vat_resolve(struct vat_promise *p, struct object *target) REQUIRES(LOOP);
void vat_break(struct vat_promise *p, enum exception type, const char *reason) REQUIRES(LOOP);
/* Resolves by a Return or Resolve of the peer: when calls went out and the target is not the peer's, they come first. */
void vat_resolve_after_embargo(struct vat_promise *p, struct vat_connection *c, struct object *target) REQUIRES(LOOP);
/* receiverLoopback came. False: there is no such embargo. */
bool vat_embargo_lift(struct vat_connection *c, uint32_t id) REQUIRES(LOOP);
uint32_t vat_promise_index(const struct vat_promise *p);
void vat_embargo_clear(struct vat_connection *c) REQUIRES(LOOP);
void vat_run_ready(struct vat *vat) REQUIRES(LOOP);
/* Passes a call that a promise or an import has on to another object; NULL: the null capability, which fails it. */
void vat_redirect(struct call *call, struct object *target) REQUIRES(LOOP);
