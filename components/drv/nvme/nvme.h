/* SPDX-License-Identifier: MIT OR Apache-2.0
 * nvme.h: what the files of this driver share. Numbers are of the NVM Express base specification 1.4.
 *
 *   nvme_start.c    BOOT: finds the function, takes memory, opens interrupts
 *   nvme_bringup.c  from whatever it did to queues that work, one look at a time
 *   nvme_control.c  time-outs, reset, recovery, death
 *   nvme.c          requests in, answers out
 *   nvme_prp.c      the memory of a request as the controller is told of it
 *   nvme_queue.c    one submission queue and its completion queue: the door
 */
#pragma once
#include "config.h"
#include "core/device.h"
#include "core/list.h"
#include "core/loop.h"
#include "core/room.h"
#include "lib/blkdev/blkdev.h"
#include "lib/pci/pci.h"

#define NVME_PAGE 4096u /* the only page size that is asked for: CC.MPS 0 */
#define NVME_ADMIN_SIZE 8u

/* --- queues (nvme_queue.c) ------------------------------------------------------------------------------------------ */

struct nvme_command { /* 4.2 */
    uint8_t opcode;
    uint8_t flags;
    uint16_t id;
    uint32_t nsid;
    uint32_t word2, word3;
    uint64_t metadata;
    uint64_t prp1, prp2;
    uint32_t word10, word11, word12, word13, word14, word15;
};
_Static_assert(sizeof(struct nvme_command) == 64, "4.2");

struct nvme_completion { /* 4.6. [D] */
    uint32_t result;
    uint32_t reserved;
    uint32_t heads;  /* SQ head, SQ identifier */
    uint32_t status; /* command identifier, phase, status */
};
_Static_assert(sizeof(struct nvme_completion) == 16, "4.6");

enum { /* status code type and code, with neither phase nor "do not retry": 4.6.1 */
       NVME_OK = 0,
       NVME_INVALID_OPCODE = 0x001,
       NVME_INVALID_FIELD = 0x002,
       NVME_ABORTED = 0x007,
};

/* A command's place. Keys: [I] fixed after BOOT  [L] the owning loop only */
struct nvme_slot {
    void *owner;      /* [L] the job, or what the admin command is for; NULL: free */
    uint64_t *list;   /* [I] DMA memory for a PRP list; NULL in the admin queue */
    dma_t list_dma;   /* [I] */
    uint32_t bytes;   /* [L] that the command moves */
    uint32_t sent_at; /* [L] tick of the watch when it went */
    uint16_t id;      /* [L] of the command that is out: generation and place */
    uint16_t next;    /* [L] of the free list */
    bool aborting;    /* [L] it was late, and its abort was asked for */
};

/* Keys: [I] fixed after BOOT  [L] the owning loop only */
struct nvme_queue {
    struct mmio doorbells;      /* [I] */
    size_t sq_bell, cq_bell;    /* [I] offsets in it */
    struct nvme_command *sq;    /* [I] DMA memory */
    struct nvme_completion *cq; /* [I] DMA memory, the controller's to write */
    dma_t sq_dma, cq_dma;       /* [I] */
    struct nvme_slot *slot;     /* [I] size - 1 of them: a full SQ has one empty entry (4.1.1) */
    uint16_t number;            /* [I] 0: admin */
    uint16_t size;              /* [I] entries of either ring; before the first command it may be made smaller */
    uint16_t slot_free;         /* [L] == size - 1: none */
    uint16_t in_flight;         /* [L] */
    uint16_t sq_tail;           /* [L] */
    uint16_t sq_rung;           /* [L] the tail that the controller was told */
    uint16_t sq_head;           /* [L] up to where it says that it has fetched */
    uint16_t cq_head;           /* [L] */
    uint16_t cq_rung;           /* [L] the head that the controller was told */
    uint8_t phase;              /* [L] of a new completion */
};

struct nvme_memory { /* what a queue is made of; lists.cpu may be NULL */
    struct dma_memory sq, cq, lists;
    struct nvme_slot *slot;
    size_t list_bytes;
};

struct nvme_answer {
    struct nvme_slot *slot;
    uint32_t result; /* dword 0 */
    uint16_t status; /* NVME_OK ... */
};

void nvme_queue_init(struct nvme_queue *q, uint16_t number, uint16_t size, const struct nvme_memory *memory);
/* As new, for a controller that was reset. All slots must be free. */
void nvme_queue_restart(struct nvme_queue *q);
/* A command to fill in, all zero but its id, for `owner` (not NULL); NULL: all slots are taken. It is sent with
 * nvme_queue_ring(). */
struct nvme_command *nvme_queue_add(struct nvme_queue *q, void *owner, struct nvme_slot **slot);
void nvme_queue_ring(struct nvme_queue *q);
/* The next answer; the slot is still the owner's, until nvme_slot_put(). ST_AGAIN: none now. ST_PROTO: the controller lies. */
status_t nvme_queue_reap(struct nvme_queue *q, struct nvme_answer *answer);
/* Tells the controller how far was reaped. */
void nvme_queue_reaped(struct nvme_queue *q);
void nvme_slot_put(struct nvme_queue *q, struct nvme_slot *slot);

/* --- requests (nvme.c) ----------------------------------------------------------------------------------------------- */

/* A request in the works: one command or several. Keys: [L] the owning loop only */
struct nvme_job {
    struct blk_request *request; /* [L] NULL: free */
    struct list node;            /* [L] job_free; waiting, while a part of it is not sent; instant */
    uint64_t sector;             /* [L] of the part that is sent next */
    uint64_t covers;             /* [L] FLUSH: `written` when it came */
    uint32_t segment_bytes;      /* [L] of the next segment, that are sent */
    uint16_t segment;            /* [L] next to be sent */
    uint16_t out;                /* [L] commands */
    bool sent;                   /* [L] all of it */
    bool again;                  /* [L] it was sent once more, and will not be another time */
    status_t status;             /* [L] the first that was not ST_OK */
};

/* --- the controller (nvme_control.c, nvme_bringup.c) ------------------------------------------------------------------ */

enum { /* registers: 3.1 */
       NVME_REG_CAP = 0x00,
       NVME_REG_VS = 0x08,
       NVME_REG_CC = 0x14,
       NVME_REG_CSTS = 0x1c,
       NVME_REG_AQA = 0x24,
       NVME_REG_ASQ = 0x28,
       NVME_REG_ACQ = 0x30,
       NVME_REG_DOORBELLS = 0x1000,
};
enum { NVME_CSTS_RDY = 1, NVME_CSTS_CFS = 2 };
#define NVME_GONE UINT32_MAX /* what a register reads as when nobody answers any more */

enum nvme_state { NVME_OFF, NVME_STOPPING, NVME_STARTING, NVME_RUNNING, NVME_DEAD };
enum nvme_step { STEP_CONTROLLER, STEP_NAMESPACES, STEP_NAMESPACE, STEP_QUEUE_COUNT, STEP_CQ, STEP_SQ, STEPS };

struct nvme_identity { /* what the controller says of itself and of the namespace that is used */
    uint64_t blocks;
    uint32_t nsid;
    uint32_t physical_bytes;
    uint32_t command_bytes; /* at most; its MDTS and our option */
    uint8_t block_shift;    /* a block is 1 << so many bytes */
    bool cache, discard, read_only;
    bool zeroes, zeroes_free; /* has Write Zeroes, which may deallocate */
    char serial[21];
};

struct nvme_irq {
    struct irq irq;
    uint32_t queues; /* [I] bits: that it speaks of */
};

/* Keys: [I] fixed after BOOT  [L] the owning loop only */
struct nvme {
    struct pci_bus *bus;           /* [I] */
    struct pci_function *function; /* [I] */
    struct mmio registers;         /* [I] */
    struct blkdev blkdev;
    const char *where;                        /* [I] the function's */
    struct device_note note;                  /* [L] */
    uint64_t capabilities;                    /* [I] CAP */
    uint8_t *page;                            /* [I] DMA memory for identify */
    dma_t page_dma;                           /* [I] */
    struct nvme_irq irq[1 + NVME_QUEUES];     /* [I] */
    uint16_t irq_count;                       /* [I] MSI-X vectors that are used; 0: the pin */
    enum nvme_state state;                    /* [L] */
    uint64_t state_deadline;                  /* [L] of what STOPPING or STARTING waits for */
    bool off_asked;                           /* [L] STOPPING: CC.EN was cleared */
    bool ready;                               /* [L] STARTING: CSTS.RDY was seen */
    bool step_out;                            /* [L] STARTING: the step's command is out */
    enum nvme_step step;                      /* [L] STARTING */
    uint16_t step_queue;                      /* [L] STARTING: that is made */
    uint16_t queue_count;                     /* [L] I/O queues that there are */
    uint16_t queue_next;                      /* [L] where the next command goes */
    struct nvme_identity identity;            /* [I] of the first bring-up */
    struct nvme_identity found;               /* [L] of the last */
    struct nvme_queue queue[1 + NVME_QUEUES]; /* [L] 0: admin */
    struct nvme_job *job;                     /* [I] NVME_DEPTH */
    struct list job_free;                     /* [L] */
    struct list waiting;                      /* [L] jobs of which a part is not sent; first come, first served */
    struct list instant;        /* [L] jobs that are answered without the controller, with their `status` */
    struct work instant_work;   /* [L] answers them */
    struct work bell;           /* [L] at turn end: commands were added */
    struct work again;          /* [L] more may have finished, and no interrupt will say so */
    struct work control_work;   /* [L] STOPPING, STARTING: look again */
    struct timer control_timer; /* [L] the same, later */
    struct timer watch;         /* [L] ticks while a job is in use */
    uint32_t tick;              /* [L] */
    uint32_t taken;             /* [L] jobs in use */
    uint64_t written;           /* [L] writes that ended and may be in the cache, ever */
    uint64_t flushed;           /* [L] of those: that no FLUSH has to vouch for any more */
    bool doubt;                 /* [L] a reset came between `flushed` and `written`: the next FLUSH fails */
    bool resend;                /* [L] STOPPING: what is out may be sent again; else it ends with ST_IO */
    uint32_t resets;            /* [L] ever */
    uint32_t resets_recent;     /* [L] since resets_since_ns */
    uint64_t resets_since_ns;   /* [L] */
    uint32_t lost_interrupts;   /* [L] times that only the watch found an answer */
};
extern struct nvme nvme_self;
extern const struct blkdev_ops nvme_ops;

/* nvme_bringup.c. One look each, in BOOT or LOOP. ST_AGAIN: look again later. ST_CLOSED: it is gone. ST_TIMEOUT, and what a
 * start fails with: ST_IO, ST_PROTO, ST_UNSUPPORTED. */
void nvme_stop_begin(struct nvme *nvme);
status_t nvme_stop_step(struct nvme *nvme);  /* ST_OK: it touches no memory any more */
void nvme_start_begin(struct nvme *nvme);    /* all slots are free */
status_t nvme_start_step(struct nvme *nvme); /* ST_OK: queues are there, `found` says what it is */

/* nvme_control.c. The controller must be reset. `resend`: it is late, and what is out may be sent again; else it lied. */
void nvme_fail(struct nvme *nvme, const char *why, bool resend) REQUIRES(LOOP);
void nvme_revoke(struct blkdev *blkdev); /* LOOP */
void nvme_quiesce(void *nvme);           /* LOOP: its grant is revoked */
void nvme_control_init(struct nvme *nvme);
/* A job was taken. */
void nvme_watch_begin(struct nvme *nvme) REQUIRES(LOOP);
/* In RUNNING: answers to aborts. */
void nvme_admin_reap(struct nvme *nvme) REQUIRES(LOOP);
void nvme_note(struct nvme *nvme, const char *what);

/* nvme.c */
void nvme_requests_init(struct nvme *nvme) REQUIRES(BOOT);
void nvme_interrupt(struct irq *irq); /* LOOP */
/* At most a queue full of answers each; false: the controller lies. */
bool nvme_io_reap(struct nvme *nvme, uint32_t queues) REQUIRES(LOOP);
/* The controller has nothing any more. What it had waits to be sent again or ends with ST_IO; all ends when it is dead. */
void nvme_requests_return(struct nvme *nvme) REQUIRES(LOOP);
/* As many of the waiting as there is room for. */
void nvme_requests_send(struct nvme *nvme) REQUIRES(LOOP);

/* nvme_prp.c: tells the command of as much of the job's data as one command carries; the job moves on. Gives the bytes. */
uint32_t nvme_prp_fill(const struct device_grant *grant, struct nvme_job *job, const struct nvme_slot *slot,
                       struct nvme_command *command, uint32_t most);
