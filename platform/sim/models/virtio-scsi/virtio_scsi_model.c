/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_scsi_model.c: a virtio SCSI host adapter (virtio 1.2, 5.6) with one disk (scsi_target.c), which is target 1, unit 0: as in
 * GCE the first target is nobody's.
 *
 *  (1) A command's data is copied between the driver's memory and the medium's when it begins (a write) or ends (a read);
 *      commands end in the order that the medium likes, each once. What ends after a reset is dropped.
 *  (2) There are tags for WORKS commands. More wait in their queues, which are looked at again when one has ended.
 *  (3) What the medium has cannot be called back: task management says that it succeeded, and the commands end by themselves.
 *  (4) Nothing ever happens to the disk that an event would tell.
 */
#include "models/virtio-scsi/virtio_scsi_model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "models/virtio-scsi/scsi_target.h"
#include "models/virtio/virtio_model.h"

#define QUEUE_SIZE 256u
#define WORKS 256u
#define TARGET 1u
#define REQUEST_BYTES 51u
#define CDB_AT 19u
#define SENSE_BYTES 96u
#define RESPONSE_BYTES (12u + SENSE_BYTES)
#define TMF_BYTES 24u
#define OUT_MAX 512u /* of data that command blocks tell something with */

enum { QUEUE_CONTROL, QUEUE_EVENT, QUEUE_REQUEST, QUEUES };
enum { RESPONSE_OK = 0, RESPONSE_BAD_TARGET = 3, TMF_COMPLETE = 0, TMF_INCORRECT_LUN = 12 };
enum { KEY_MEDIUM_ERROR = 3, ASC_READ_ERROR = 0x11, ASC_WRITE_ERROR = 0x0c };

struct config { /* 5.6.4 */
    uint32_t num_queues, seg_max, max_sectors, cmd_per_lun, event_info_size, sense_size, cdb_size;
    uint16_t max_channel, max_target;
    uint32_t max_lun;
};
_Static_assert(sizeof(struct config) == 36, "virtio 1.2, 5.6.4");

struct response { /* 5.6.6.1 */
    uint32_t sense_size, residual;
    uint16_t qualifier;
    uint8_t status, response;
    uint8_t sense[SENSE_BYTES];
};
_Static_assert(sizeof(struct response) == RESPONSE_BYTES, "5.6.6.1");

/* A command that is in the works. */
struct work {
    struct disk_request request;
    struct vm_chain chain;
    bool flushes; /* a write with FUA, whose second half is still to come */
    bool used;
};

struct adapter {
    struct vm_device device;
    struct config config;
    struct disk_medium *medium;
    struct scsi_target target;
    struct work work[WORKS]; /* by tag: (2) */
    bool batch;              /* queues are looked at, and will be signalled */
    bool stuck;              /* (2): there are chains without a tag */
};

static void requests_look(struct adapter *adapter);

/* Ends a command: `data` behind the response, of which the driver had room for so much. */
static void work_end(struct adapter *adapter, struct work *work, struct response *response, const uint8_t *data,
                     uint32_t size)
{
    struct vm_chain *chain = &work->chain;
    uint32_t room = chain->in_bytes - RESPONSE_BYTES;
    uint32_t asked = room != 0 ? room : chain->out_bytes - REQUEST_BYTES;

    response->residual = room != 0 && size < room ? room - size : response->status != SCSI_GOOD ? asked : 0;
    vm_chain_write(chain, 0, response, sizeof *response);
    if (size != 0) {
        vm_chain_write(chain, RESPONSE_BYTES, data, size);
    }
    vm_push(&adapter->device, QUEUE_REQUEST, chain, RESPONSE_BYTES + room);
    if (!adapter->batch) {
        vm_signal(&adapter->device, QUEUE_REQUEST);
    }
}

static void work_free(struct adapter *adapter, struct work *work)
{
    free(work->request.bytes);
    *work = (struct work){0};
    if (adapter->stuck && !adapter->batch) {
        requests_look(adapter); /* (2) */
    }
}

static struct response condition(uint8_t key, uint8_t asc)
{
    struct response response = {.status = SCSI_CHECK_CONDITION, .sense_size = 18};

    response.sense[0] = 0x70;
    response.sense[2] = key;
    response.sense[7] = 10;
    response.sense[12] = asc;
    return response;
}

static void medium_done(struct disk_medium *medium, struct disk_request *request, bool ok)
{
    struct adapter *adapter = medium->model;
    struct work *work = &adapter->work[request->tag];
    bool read = request->work == DISK_READ;
    struct response good = {.status = SCSI_GOOD};
    struct response bad = condition(KEY_MEDIUM_ERROR, read ? ASC_READ_ERROR : ASC_WRITE_ERROR);

    if (!vm_chain_alive(&adapter->device, &work->chain)) { /* (1) */
        work_free(adapter, work);
        return;
    }
    if (ok && work->flushes) {
        work->flushes = false;
        free(request->bytes);
        *request = (struct disk_request){.tag = request->tag, .work = DISK_FLUSH};
        medium->begin(medium, request);
        return;
    }
    work_end(adapter, work, ok ? &good : &bad, request->bytes, ok && read ? request->size : 0);
    work_free(adapter, work);
}

static void medium_ask(struct adapter *adapter, struct work *work, const struct scsi_outcome *outcome)
{
    uint32_t room = work->chain.in_bytes - RESPONSE_BYTES;
    uint32_t given = work->chain.out_bytes - REQUEST_BYTES;

    if ((outcome->work == DISK_READ && room != outcome->bytes) ||
        (outcome->work == DISK_WRITE && !outcome->zeroes && given != outcome->bytes)) {
        sim_die("virtio-scsi: a command of %u bytes with %u to read and %u to write", outcome->bytes, given, room);
    }
    work->flushes = outcome->flushes;
    work->request.work = outcome->work;
    work->request.sector = outcome->sector;
    work->request.size = outcome->bytes;
    work->request.bytes = calloc(1, outcome->bytes != 0 ? outcome->bytes : 1);
    if (work->request.bytes == NULL) {
        sim_die("virtio-scsi: no memory for %u bytes", outcome->bytes);
    }
    if (outcome->work == DISK_WRITE && !outcome->zeroes) {
        vm_chain_read(&work->chain, REQUEST_BYTES, work->request.bytes, outcome->bytes);
    }
    adapter->medium->begin(adapter->medium, &work->request);
}

static bool is_disk(const uint8_t *lun)
{
    return lun[0] == 1 && lun[1] == TARGET && (lun[2] & 0x3f) == 0 && lun[3] == 0;
}

static void command_begin(struct adapter *adapter, struct work *work, const uint8_t *request)
{
    uint8_t out[OUT_MAX];
    uint32_t given = work->chain.out_bytes - REQUEST_BYTES;
    struct response response = {.response = RESPONSE_BAD_TARGET};
    struct scsi_outcome outcome = {0};

    if (is_disk(request)) {
        vm_chain_read(&work->chain, REQUEST_BYTES, out, given < sizeof out ? given : sizeof out);
        scsi_command(&adapter->target, request + CDB_AT, out, given, &outcome);
        response = (struct response){.status = SCSI_GOOD};
    }
    if (outcome.medium) {
        medium_ask(adapter, work, &outcome);
        return;
    }
    if (outcome.status == SCSI_CHECK_CONDITION) {
        response = condition(outcome.key, outcome.asc);
    }
    uint32_t room = work->chain.in_bytes - RESPONSE_BYTES;
    work_end(adapter, work, &response, outcome.data, outcome.data_size < room ? outcome.data_size : room);
    work_free(adapter, work);
}

/* NULL: (2) */
static struct work *work_find(struct adapter *adapter)
{
    for (uint32_t i = 0; i < WORKS; i++) {
        if (!adapter->work[i].used) {
            return &adapter->work[i];
        }
    }
    return NULL;
}

static void requests_look(struct adapter *adapter)
{
    static struct vm_chain chain;
    struct work *work = work_find(adapter);

    adapter->batch = true;
    while (work != NULL && vm_pop(&adapter->device, QUEUE_REQUEST, &chain)) {
        uint8_t request[REQUEST_BYTES];
        if (vm_chain_read(&chain, 0, request, sizeof request) != sizeof request || chain.in_bytes < RESPONSE_BYTES) {
            sim_die("virtio-scsi: a command without request or response (5.6.6.1)");
        }
        *work = (struct work){.used = true, .chain = chain};
        work->request.tag = (uint32_t)(work - adapter->work);
        command_begin(adapter, work, request);
        work = work_find(adapter);
    }
    adapter->stuck = work == NULL;
    adapter->batch = false;
    vm_signal(&adapter->device, QUEUE_REQUEST);
}

/* 5.6.6.2: (3) */
static void controls_look(struct adapter *adapter)
{
    static struct vm_chain chain;

    while (vm_pop(&adapter->device, QUEUE_CONTROL, &chain)) {
        uint8_t tmf[TMF_BYTES];
        if (vm_chain_read(&chain, 0, tmf, sizeof tmf) != sizeof tmf || tmf[0] != 0 || chain.in_bytes != 1) {
            sim_die("virtio-scsi: a control request that is no task management (5.6.6.2)");
        }
        uint8_t answer = is_disk(tmf + 8) ? TMF_COMPLETE : TMF_INCORRECT_LUN;
        vm_chain_write(&chain, 0, &answer, 1);
        vm_push(&adapter->device, QUEUE_CONTROL, &chain, 1);
    }
    vm_signal(&adapter->device, QUEUE_CONTROL);
}

static void notify(struct vm_device *device, unsigned queue)
{
    struct adapter *adapter = (struct adapter *)device; /* the first member */

    if (queue == QUEUE_REQUEST) {
        requests_look(adapter);
    } else if (queue == QUEUE_CONTROL) {
        controls_look(adapter);
    }
}

static void reset(struct vm_device *device)
{
    struct adapter *adapter = (struct adapter *)device;

    adapter->target.attention = true;
    adapter->stuck = false;
}

/* The disk is looked at by commands; the adapter's configuration says nothing of it. */
static void medium_changed(struct disk_medium *medium)
{
    (void)medium;
}

static bool start(const char *argument, char *why, size_t why_size)
{
    static unsigned count;
    struct adapter *adapter = calloc(1, sizeof *adapter);

    if (adapter == NULL) {
        sim_die("virtio-scsi: no memory");
    }
    adapter->medium = disk_medium_open(argument, why, why_size);
    if (adapter->medium == NULL) {
        free(adapter);
        return false;
    }
    adapter->medium->model = adapter;
    adapter->medium->done = medium_done;
    adapter->medium->changed = medium_changed;
    adapter->target.medium = adapter->medium;
    snprintf(adapter->target.serial, sizeof adapter->target.serial, "sim-scsi-%u", count++);
    adapter->config = (struct config){.num_queues = 1,
                                      .seg_max = VM_SEGMENTS_MAX - 2,
                                      .max_sectors = 0xffff,
                                      .cmd_per_lun = WORKS,
                                      .event_info_size = 16,
                                      .sense_size = SENSE_BYTES,
                                      .cdb_size = 32,
                                      .max_target = 255,
                                      .max_lun = 16383};
    adapter->device = (struct vm_device){.name = "virtio-scsi",
                                         .type = 8,
                                         .queue_count = QUEUES,
                                         .queue_size = QUEUE_SIZE,
                                         .features = 1ull << 1 | 1ull << 2, /* HOTPLUG, CHANGE */
                                         .config = &adapter->config,
                                         .config_size = sizeof adapter->config,
                                         .notify = notify,
                                         .reset = reset};
    vm_device_add(&adapter->device);
    return true;
}

const struct sim_model virtio_scsi_model = {.name = "virtio-scsi", .start = start};
