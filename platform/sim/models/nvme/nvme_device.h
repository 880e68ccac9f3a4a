/* SPDX-License-Identifier: MIT OR Apache-2.0
 * nvme_device.h: what the files of this model share. Written from the NVM Express base specification 1.4, whose sections are
 * cited; it knows nothing of the image's driver.
 *
 *   nvme_model.c  registers, reset, the PCI function      nvme_rings.c  submission and completion queues, interrupts
 *   nvme_fault.c  what no controller may do
 *   nvme_admin.c  admin commands                          nvme_data.c   reads, writes, FLUSH on the medium; PRP lists
 */
#pragma once
#include "models/disk/disk_medium.h"
#include "sim_pci.h"

#define NVME_IO_QUEUES 8u
#define NVME_ENTRIES_MAX 256u /* CAP.MQES and one */
#define NVME_WORKS 250u    /* commands that are looked at before they are answered: the medium has tags for so many */
#define NVME_EVENTS_MAX 4u /* AERL and one */
#define NVME_PAGE 4096u
#define NVME_TRANSFER_MAX (NVME_PAGE << NVME_MDTS)
#define NVME_MDTS 5u

enum { CSTS_RDY = 1, CSTS_CFS = 2 }; /* 3.1.6 */

struct nvme_command { /* 4.2 */
    uint8_t opcode;
    uint8_t flags;
    uint16_t id;
    uint32_t nsid;
    uint32_t reserved[2];
    uint64_t metadata;
    uint64_t prp1, prp2;
    uint32_t word[6]; /* 10 to 15 */
};
_Static_assert(sizeof(struct nvme_command) == 64, "4.2");

struct nvme_completion { /* 4.6 */
    uint32_t result;
    uint32_t reserved;
    uint16_t sq_head, sq;
    uint16_t id, status;
};
_Static_assert(sizeof(struct nvme_completion) == 16, "4.6");

enum { /* status type and code, 4.6.1; nvme_complete() adds "do not retry" to those that will be the same again */
       STATUS_OK = 0x000,
       STATUS_INVALID_OPCODE = 0x001,
       STATUS_INVALID_FIELD = 0x002,
       STATUS_SEQUENCE = 0x00c,
       STATUS_INVALID_NAMESPACE = 0x00b,
       STATUS_LBA_RANGE = 0x080,
       STATUS_QUEUE_ID = 0x101,
       STATUS_QUEUE_SIZE = 0x102,
       STATUS_EVENTS_LIMIT = 0x105,
       STATUS_VECTOR = 0x108,
       STATUS_CQ_INVALID = 0x100,
       STATUS_QUEUE_DELETION = 0x10c,
       STATUS_READ_ONLY = 0x020,
       STATUS_WRITE_FAULT = 0x280,
       STATUS_READ_ERROR = 0x281,
       STATUS_DO_NOT_RETRY = 0x4000,
};

struct nvme_sq {
    uint64_t address;
    uint32_t size; /* 0: there is none */
    uint32_t head, tail;
    uint16_t cq;
    bool stuck; /* it has commands for which there was no room */
};

struct nvme_cq {
    uint64_t address;
    uint32_t size; /* 0: there is none */
    uint32_t head, tail;
    uint16_t vector;
    bool interrupts;
    bool phase;
    bool told;                               /* entries since the last interrupt */
    struct nvme_completion held[NVME_WORKS]; /* while it is full */
    unsigned held_count;
};

/* A command that the medium works on. */
struct nvme_work {
    struct disk_request request;
    struct nvme_command command;
    uint32_t epoch;
    uint16_t sq;
    bool used;
    bool flushes; /* the second half of a write with FUA */
};

/* What befell it: nvme_fault.c. */
struct nvme_fault {
    struct sim_hazard hazard;
    uint64_t lie;  /* the chance that says what is said; 0: nothing untrue */
    bool silent;   /* it lied, and says nothing more until it is reset */
    bool stalled;  /* it keeps its answers to itself */
    bool for_ever; /* until it is reset */
    bool gone;     /* its registers read all ones */
    bool forgot;   /* it was reset behind the driver's back */
    struct nvme_completion held[NVME_WORKS];
    unsigned held_count;
};

struct nvme_device {
    struct sim_pci_function function;
    struct nvme_fault fault;
    struct disk_medium *medium;
    uint32_t cc, csts, aqa, masked;
    uint64_t asq, acq;
    uint64_t change_ns;   /* when CSTS.RDY follows CC.EN */
    uint32_t epoch;       /* counts resets */
    unsigned queue_count; /* I/O queues that the driver may make; 0: it has not asked */
    unsigned works_out;
    unsigned batch; /* somebody will signal */
    struct nvme_sq sq[1 + NVME_IO_QUEUES];
    struct nvme_cq cq[1 + NVME_IO_QUEUES];
    struct nvme_work work[NVME_WORKS];
    unsigned events; /* asynchronous event requests that wait for ever */
    char serial[20];
};

/* nvme_model.c: it has failed, by the driver's fault that no status tells. */
void nvme_fatal(struct nvme_device *nvme);
bool nvme_enabled(const struct nvme_device *nvme);

/* As a controller reset does it (7.3.2), whoever asked for it. */
void nvme_reset(struct nvme_device *nvme);

/* nvme_fault.c */
void nvme_fault_add(struct nvme_device *nvme);
/* A reset heals. */
void nvme_fault_reset(struct nvme_device *nvme);
/* False: the completion is kept, falsified, or not said at all. */
bool nvme_fault_complete(struct nvme_device *nvme, const struct nvme_completion *completion);

/* nvme_rings.c */
/* Past every fault. */
void nvme_post(struct nvme_device *nvme, unsigned cq, struct nvme_completion completion);
void nvme_doorbell(struct nvme_device *nvme, size_t index, uint32_t value);
void nvme_complete(struct nvme_device *nvme, uint16_t sq, uint16_t id, uint16_t status, uint32_t result);
/* Interrupts for what was completed since, and fetches what there is room for now. */
void nvme_settle(struct nvme_device *nvme);
/* The pin, by what lies in the queues and INTMS. */
void nvme_pin(struct nvme_device *nvme);

/* nvme_admin.c */
void nvme_admin(struct nvme_device *nvme, const struct nvme_command *command);

/* nvme_data.c */
void nvme_io(struct nvme_device *nvme, uint16_t sq, const struct nvme_command *command);
/* Copies between the command's data and `bytes`. A PRP that breaks 4.3 ends the process. */
void nvme_data_copy(const struct nvme_command *command, void *bytes, uint32_t size, bool to_guest);
void nvme_medium_done(struct disk_medium *medium, struct disk_request *request, bool ok);
