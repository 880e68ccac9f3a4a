/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_scsi.h: what the files of this driver share. Section numbers of virtio are of version 1.2; of SCSI the documents are
 * named: SPC-4 (what every device has) and SBC-3 (disks).
 *
 *   virtio_scsi_start.c    BOOT: which target is a disk, what it is
 *   virtio_scsi.c          requests in, answers out
 *   virtio_scsi_command.c  command blocks, and what an answer means
 *   virtio_scsi_control.c  time-outs, aborts, resets, events
 */
#pragma once
#include "config.h"
#include "core/device.h"
#include "core/health.h"
#include "core/list.h"
#include "core/loop.h"
#include "core/room.h"
#include "lib/blkdev/blkdev.h"
#include "lib/virtio/virtio.h"

#define SCSI_F_HOTPLUG (1ull << 1) /* 5.6.3 */
#define SCSI_F_CHANGE (1ull << 2)

enum { QUEUE_CONTROL, QUEUE_EVENT, QUEUE_REQUEST, QUEUES }; /* 5.6.2 */
#define CONTROL_RING 16u
#define EVENT_RING 16u
#define TMFS 4u   /* out at once; a reset of the unit needs but one */
#define EVENTS 8u /* buffers */

/* --- what lies in memory ------------------------------------------------------------------------------------------------ */

#define CDB_BYTES 32u
#define SENSE_BYTES 96u
#define REQUEST_BYTES 51u

struct scsi_request { /* 5.6.6.1; REQUEST_BYTES of it are told */
    uint8_t lun[8];
    uint64_t id;
    uint8_t attribute, priority, crn;
    uint8_t cdb[CDB_BYTES];
};
_Static_assert(offsetof(struct scsi_request, cdb) == 19 && sizeof(struct scsi_request) == 56, "5.6.6.1");

struct scsi_response { /* [D] */
    uint32_t sense_size, residual;
    uint16_t qualifier;
    uint8_t status, response;
    uint8_t sense[SENSE_BYTES];
};
_Static_assert(sizeof(struct scsi_response) == 108, "5.6.6.1");

/* Device-visible: what a command has beside its data. */
struct scsi_wrap {
    struct scsi_request request;
    uint8_t list[24];              /* of UNMAP: SBC-3, 5.28 */
    struct scsi_response response; /* [D] */
    uint8_t unused[4];
};
_Static_assert(sizeof(struct scsi_wrap) == 192, "three cache lines");

struct scsi_tmf { /* 5.6.6.2 */
    uint32_t type, subtype;
    uint8_t lun[8];
    uint64_t id;
    uint8_t response; /* [D] */
    uint8_t unused[7];
};
_Static_assert(sizeof(struct scsi_tmf) == 32, "5.6.6.2, and padding");
#define TMF_REQUEST_BYTES 24u

struct scsi_event { /* 5.6.6.3. [D] */
    uint32_t event;
    uint8_t lun[8];
    uint32_t reason;
};
_Static_assert(sizeof(struct scsi_event) == 16, "5.6.6.3");

enum { /* scsi_response.response */
       RESPONSE_OK = 0,
       RESPONSE_ABORTED = 2,
       RESPONSE_BAD_TARGET = 3,
       RESPONSE_RESET = 4,
       RESPONSE_BUSY = 5,
       RESPONSE_LAST = 9,
       RESPONSE_NOT_WRITTEN = 0xff,
};
enum { /* scsi_response.status: SPC-4, 4.5 by way of SAM-5 */
       STATUS_GOOD = 0x00,
       STATUS_CHECK_CONDITION = 0x02,
       STATUS_BUSY = 0x08,
       STATUS_TASK_SET_FULL = 0x28,
       STATUS_TASK_ABORTED = 0x40,
};
enum { /* sense keys: SPC-4, 4.5.6 */
       SENSE_NONE = 0,
       SENSE_RECOVERED = 1,
       SENSE_NOT_READY = 2,
       SENSE_ILLEGAL_REQUEST = 5,
       SENSE_UNIT_ATTENTION = 6,
};
enum { ASC_INVALID_OPCODE = 0x20, ASC_INVALID_FIELD = 0x24, ASC_RESET = 0x29, ASC_NO_MEDIUM = 0x3a };

/* --- the driver's ---------------------------------------------------------------------------------------------------------- */

#define TABLE_SIZE (VIRTIO_SCSI_SEGMENTS_MAX + 2u)
#define LOGICAL_BYTES_MAX 4096u

/* A command's place. Keys: [I] fixed after BOOT  [L] the owning loop only */
struct scsi_slot {
    struct scsi_wrap *wrap;      /* [I] DMA memory */
    dma_t wrap_dma;              /* [I] */
    struct virtq_table table;    /* [I] for TABLE_SIZE descriptors; of NULL: no indirect ones */
    struct blk_request *request; /* [L] NULL: free, or the driver's own of BOOT */
    uint32_t data_bytes;         /* [L] of the command */
    bool reads;                  /* [L] the device writes them */
    uint32_t sent_at;            /* [L] tick of the watch when it went */
    uint64_t covers;             /* [L] FLUSH: `written` when it came */
    uint16_t tries;              /* [L] */
    uint16_t next;               /* [L] of the free list */
    bool busy;                   /* [L] with the device */
    bool aborted;                /* [L] it was late once, and will not be sent another time */
    bool doubtful;               /* [L] FLUSH: the disk was reset meanwhile */
    struct list node;            /* [L] retry */
};

enum scsi_verdict {
    VERDICT_OK,
    VERDICT_FAILED, /* ST_IO */
    VERDICT_UNSUPPORTED,
    VERDICT_RETRY,
    VERDICT_RESET, /* retry, too: the disk was reset, and what it had cached may be lost */
    VERDICT_GONE,  /* nobody there */
    VERDICT_LIE,   /* no answer that a device may give */
};

/* What a command is, for scsi_command_fill(). */
struct scsi_limits {
    bool wide;      /* [I] knows READ(16) and the like */
    bool unmap;     /* [I] may WRITE SAME give back the room */
    uint8_t shift;  /* [I] a block is 1 << so many bytes */
    uint8_t target; /* [I] */
};
#define RETRIES_MAX 50u

/* Keys: [I] fixed after BOOT  [L] the owning loop only */
struct virtio_scsi {
    struct virtio_bus *bus;       /* [I] */
    struct virtio_device *device; /* [I] */
    struct blkdev blkdev;
    struct scsi_limits limits;  /* [I] */
    struct virtq queue[QUEUES]; /* [L] */
    struct scsi_slot *slot;     /* [I] VIRTIO_SCSI_DEPTH + 1, the last for BOOT's own commands */
    dma_t zeroes;               /* [I] a block of them, for WRITE SAME */
    struct scsi_tmf *tmf;       /* [I] TMFS, DMA memory */
    dma_t tmf_dma;              /* [I] */
    uint32_t tmf_busy;          /* [L] bits */
    struct scsi_event *event;   /* [I] EVENTS, DMA memory */
    dma_t event_dma;            /* [I] */
    uint16_t slot_free;         /* [L] == VIRTIO_SCSI_DEPTH: none */
    uint32_t taken;             /* [L] requests lent: with the device, to be sent again, waiting, instant */
    struct list waiting;        /* [L] requests that found no slot or descriptors; first come, first served */
    struct list retry;          /* [L] slots that are sent again when the timer fires */
    struct timer retry_timer;   /* [L] */
    struct list instant;        /* [L] flushes that need no device */
    struct work instant_work;   /* [L] answers them */
    struct work bell;           /* [L] at turn end: something was submitted */
    struct work again;          /* [L] more may have finished, and no interrupt will say so */
    struct timer watch;         /* [L] ticks while requests are with the device */
    uint32_t tick;              /* [L] */
    uint64_t written;           /* [L] writes that ended and may be in the cache, ever */
    uint64_t flushed;           /* [L] of those: that no FLUSH has to vouch for any more */
    uint64_t lost;              /* [L] of those: before the last reset that came when some were not flushed */
    struct health health;       /* [L] */
};
extern struct virtio_scsi virtio_scsi_self;
extern const struct virtio_driver virtio_scsi_driver;
extern const struct blkdev_ops virtio_scsi_ops;

/* virtio_scsi_command.c: pure */
void virtio_scsi_lun(uint8_t lun[8], unsigned target, unsigned unit);
/* The command block of a request, and the list of an UNMAP. */
void virtio_scsi_fill(const struct scsi_limits *limits, struct scsi_wrap *wrap, const struct blk_request *request);
uint64_t virtio_scsi_get(const uint8_t *bytes, unsigned size); /* as SCSI has numbers: the highest byte first */
void virtio_scsi_put(uint8_t *bytes, unsigned size, uint64_t value);
struct scsi_answer {
    uint8_t key, asc, ascq; /* sense */
    uint32_t missing;       /* bytes of the data that were not moved */
};
/* What the answer to the slot's command means. `written`: what the device says that it wrote. */
enum scsi_verdict virtio_scsi_verdict(const struct scsi_response *response, const struct scsi_slot *slot,
                                      uint32_t written, struct scsi_answer *answer);

/* virtio_scsi.c */
/* The slot's command, whose block is filled in, with `data` of `count` segments. BOOT or LOOP. */
status_t virtio_scsi_submit(struct scsi_slot *slot, const struct virtq_segment *data, uint16_t count, bool reads);
void virtio_scsi_init(struct virtio_scsi *scsi) REQUIRES(BOOT); /* lists, works, timers */

/* virtio_scsi_control.c */
void virtio_scsi_die(const char *why) REQUIRES(LOOP);
void virtio_scsi_lied(const char *what) REQUIRES(LOOP);
/* The disk is not there any more: nothing is taken from here on. */
void virtio_scsi_gone(void) REQUIRES(LOOP);
/* The disk was, or will be, reset: no FLUSH vouches across that. */
void virtio_scsi_was_reset(void) REQUIRES(LOOP);
void virtio_scsi_watch_begin(void) REQUIRES(LOOP);
/* Of the two queues that no requests are in. False: it lied. */
bool virtio_scsi_control_reap(void) REQUIRES(LOOP);
bool virtio_scsi_event_reap(void) REQUIRES(LOOP);
void virtio_scsi_events_lend(void);          /* BOOT or LOOP */
void virtio_scsi_watch(struct timer *timer); /* LOOP */
