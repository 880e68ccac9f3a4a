/* SPDX-License-Identifier: MIT OR Apache-2.0
 * replay.c: asks the simulator's models what QEMU's devices were asked, and wants the same answers.
 * usage: replay FILE.trace     (`record` in this folder says what stands in one)
 *
 *  (1) What a device may choose is not compared: `rules` names each with its reason.
 *  (2) Of the features a model may offer fewer than QEMU, never one that QEMU's device has not; what the driver then takes of
 *      QEMU's is cut to the model's.
 */
#include <limits.h>
#include "fake_machine.h"
#include "models/disk/disk_medium.h"
#include "models/nvme/nvme_model.h"
#include "models/virtio-blk/virtio_blk_model.h"
#include "models/virtio-net/virtio_net_model.h"
#include "models/virtio-rng/virtio_rng_model.h"

#define DISK_SECTORS 16384u /* as `record` has it */
#define COMPARED_LEAST 10u  /* of a trace: fewer is no trace */

enum { SLOT = 2 }; /* the first that a device takes */
enum { KIND_COMMON = 1, KIND_ISR = 3, KIND_DEVICE = 4, KIND_ACCESS = 5 };

struct access {
    char place[16];
    bool write;
    unsigned offset, size;
    uint32_t value;
};

static struct {
    const char *file;
    unsigned line, compared, wrong;
    bool mmio, net, rng;
    uint32_t offered[2]; /* features of the model, as it said them */
    unsigned feature_select, driver_feature_select;
    uint64_t now_ns;
    uint8_t disk[DISK_SECTORS * DISK_SECTOR];
} self;

/* --- the devices ----------------------------------------------------------------------------------------------------- */

uint64_t sim_clock_ns(void)
{
    return self.now_ns += 1000000; /* whatever takes time has taken it at the next look */
}

static void disk_begin(struct disk_medium *medium, struct disk_request *request)
{
    uint8_t *at = self.disk + request->sector * DISK_SECTOR;

    if (request->work == DISK_READ) {
        memcpy(request->bytes, at, request->size);
    } else if (request->work == DISK_WRITE) {
        memcpy(at, request->bytes, request->size);
    }
    medium->done(medium, request, true);
}

struct disk_medium *disk_file_open(const char *path, char *why, size_t why_size)
{
    static struct disk_medium medium = {.begin = disk_begin, .sectors = DISK_SECTORS};

    (void)path, (void)why, (void)why_size;
    return &medium;
}

struct disk_medium *disk_port_open(void)
{
    return NULL;
}

static enum net_wire_result wire_send(const void *frame, size_t size)
{
    (void)frame, (void)size;
    return NET_WIRE_DONE;
}

static ssize_t wire_receive(void *frame, size_t size)
{
    (void)frame, (void)size;
    return 0;
}

static void wire_want(bool frame, bool room)
{
    (void)frame, (void)room;
}

const struct net_wire *net_wire_open(const char *argument, char *why, size_t why_size)
{
    static const struct net_wire wire = {wire_send, wire_receive, wire_want};

    (void)argument, (void)why, (void)why_size;
    return &wire;
}

const struct net_wire *net_port_open(void)
{
    return NULL;
}

static void device_start(const char *name, const char *way)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56}; /* as `record` has it */
    static const struct sim_model *const models[] = {&virtio_net_model, &virtio_blk_model, &virtio_rng_model,
                                                     &nvme_model};
    char why[100];

    self.mmio = strcmp(way, "mmio") == 0;
    sim_transport = (struct sim_transport){.pci = !self.mmio, .vectors = strcmp(way, "pci") == 0 ? UINT32_MAX : 0};
    for (unsigned i = 0; i < sizeof models / sizeof models[0]; i++) {
        if (strcmp(models[i]->name, name) == 0) {
            REQUIRE(models[i]->start("", why, sizeof why));
        }
    }
    REQUIRE(fake.window_count > 0);
    self.net = strcmp(name, "virtio-net") == 0;
    self.rng = strcmp(name, "virtio-rng") == 0;
    if (strcmp(name, "nvme") == 0) {
        fake_config_set(SLOT, 4, 2, 6); /* it fetches its commands itself */
    }
    if (self.net) {
        net_model_state(true, mac);
    }
}

/* --- where the model has it ------------------------------------------------------------------------------------------ */

/* A vendor's capability of this kind, with a BAR that there is. */
static unsigned vendor_capability(unsigned kind)
{
    unsigned at = fake_capability(SLOT, 9, 0);

    while (at != 0 && (fake_config(SLOT, at + 3, 1) != kind || fake_config(SLOT, at + 4, 1) > 5)) {
        at = fake_capability(SLOT, 9, at);
    }
    return at;
}

static uint64_t bar_address(unsigned bar)
{
    uint32_t low = fake_config(SLOT, 0x10 + 4 * bar, 4);
    uint64_t high = (low & 6) == 4 ? fake_config(SLOT, 0x14 + 4 * bar, 4) : 0;

    return high << 32 | (low & ~0xfu);
}

/* What a capability of virtio points at. */
static uint64_t structure(unsigned kind)
{
    unsigned at = vendor_capability(kind);

    REQUIRE(at != 0);
    return bar_address(fake_config(SLOT, at + 4, 1)) + fake_config(SLOT, at + 8, 4);
}

static uint32_t at_config(const struct access *access, unsigned base)
{
    if (!access->write) {
        return fake_config(SLOT, base + access->offset, access->size);
    }
    fake_config_set(SLOT, base + access->offset, access->size, access->value);
    return 0;
}

/* A field of the common configuration by way of configuration space (virtio 1.2, 4.1.4.9). */
static uint32_t at_access(const struct access *access)
{
    unsigned to = vendor_capability(KIND_COMMON);
    unsigned through = vendor_capability(KIND_ACCESS);
    struct access data = *access;

    fake_config_set(SLOT, through + 4, 1, fake_config(SLOT, to + 4, 1));
    fake_config_set(SLOT, through + 8, 4, fake_config(SLOT, to + 8, 4) + access->offset);
    fake_config_set(SLOT, through + 12, 4, access->size);
    data.offset = 16;
    return at_config(&data, through);
}

static uint64_t msix_table(void)
{
    uint32_t where = fake_config(SLOT, fake_capability(SLOT, 0x11, 0) + 4, 4);

    return bar_address(where & 7) + (where & ~7u);
}

/* Of "cap-ID" or "cap-ID-KIND", both in hexadecimal. 0: the model has no such capability. */
static unsigned capability_named(const char *place)
{
    unsigned id = 0;
    unsigned kind = 0;
    int words = sscanf(place, "cap-%2x-%2x", &id, &kind);

    return words == 2 ? vendor_capability(kind) : fake_capability(SLOT, (uint8_t)id, 0);
}

static uint32_t at_window(const struct access *access, uint64_t base)
{
    if (!access->write) {
        return fake_read(base + access->offset, access->size);
    }
    fake_write(base + access->offset, access->size, access->value);
    return 0;
}

/* Doorbells by their number: CAP says how far apart they are (NVMe 1.4, 3.1.24). */
static uint64_t doorbell(unsigned number)
{
    uint32_t stride = 4u << (fake_read(bar_address(0) + 4, 4) & 15);

    return bar_address(0) + 0x1000 + (uint64_t)number * stride;
}

/* NVMe: its registers, doorbells, the guest's memory; "-at": what is written there is the device's address of memory. */
static uint32_t at_nvme(const struct access *access)
{
    uint64_t address = FAKE_MEMORY_BASE + access->value;
    uint32_t value = 0;

    REQUIRE(access->offset + 8 <= FAKE_MEMORY_BYTES);
    if (strcmp(access->place, "bell") == 0) {
        fake_write(doorbell(access->offset), 4, access->value);
    } else if (strcmp(access->place, "nvme") == 0) {
        return at_window(access, bar_address(0));
    } else if (strcmp(access->place, "nvme-at") == 0) {
        fake_write(bar_address(0) + access->offset, 4, (uint32_t)address);
        fake_write(bar_address(0) + access->offset + 4, 4, (uint32_t)(address >> 32));
    } else if (strcmp(access->place, "ram-at") == 0) {
        memcpy(fake.memory + access->offset, &address, sizeof address);
    } else if (access->write) {
        memcpy(fake.memory + access->offset, &access->value, access->size);
    } else {
        memcpy(&value, fake.memory + access->offset, access->size);
    }
    return value;
}

static bool is_nvme(const char *place)
{
    return strncmp(place, "nvme", 4) == 0 || strncmp(place, "ram", 3) == 0 || strcmp(place, "bell") == 0;
}

static uint32_t ask(const struct access *access)
{
    if (is_nvme(access->place)) {
        return at_nvme(access);
    }
    if (strcmp(access->place, "header") == 0) {
        return at_config(access, 0);
    }
    if (strncmp(access->place, "cap-", 4) == 0) {
        return at_config(access, capability_named(access->place));
    }
    if (strcmp(access->place, "access") == 0) {
        return at_access(access);
    }
    if (strcmp(access->place, "isr") == 0) {
        return at_window(access, structure(KIND_ISR));
    }
    if (strcmp(access->place, "msix") == 0) {
        return at_window(access, msix_table());
    }
    if (self.mmio) {
        return at_window(access, fake.window[0]->address + (strcmp(access->place, "device") == 0 ? 0x100 : 0));
    }
    return at_window(access, structure(strcmp(access->place, "device") == 0 ? KIND_DEVICE : KIND_COMMON));
}

/* --- what is compared ------------------------------------------------------------------------------------------------- */

/* (1): of this register only these bits. */
static const struct rule {
    const char *place; /* or its beginning */
    unsigned first, last;
    uint32_t bits;
} rules[] = {
    {"header", 0x04, 0x04, 0x402},  /* no I/O, no SERR; firmware left QEMU's a bus master */
    {"header", 0x10, 0x27, 0},      /* BARs are the device's choice, their addresses firmware's */
    {"header", 0x2e, 0x2e, 0},      /* who made it */
    {"header", 0x34, 0x34, 0},      /* where capabilities lie, and their order */
    {"cap-", 0x01, 0x01, 0},        /* the same */
    {"cap-11", 0x02, 0x02, 0xf800}, /* how many vectors */
    {"cap-11", 0x04, 0x0b, 0},      /* where the table lies */
    {"cap-09", 0x04, 0x13, 0},      /* where the structures lie, and how long they are */
    {"common", 0x12, 0x12, 0},      /* QEMU's network card has a control queue */
    {"common", 0x15, 0x15, 0},      /* where the generation begins */
    {"common", 0x1e, 0x1e, 0},      /* where queues ring */
    {"header", 0x3c, 0x3c, 0xff00}, /* firmware's line, the device's pin */
    {"nvme", 0x2c, 0x2c, 0},        /* where memory is */
    {"nvme", 0x34, 0x34, 0},        /* the same */
    {"mmio", 0x0c, 0x0c, 0},        /* who made it */
    {"mmio", 0xfc, 0xfc, 0},        /* where the generation begins */
};

static uint32_t compared_bits(const struct access *access)
{
    for (unsigned i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const struct rule *rule = &rules[i];
        if (strncmp(access->place, rule->place, strlen(rule->place)) == 0 && access->offset >= rule->first &&
            access->offset <= rule->last) {
            return rule->bits;
        }
    }
    return UINT32_MAX;
}

/* Features that QEMU's device lacks for what is behind it there. */
static uint32_t excused(void)
{
    bool net = self.net && self.feature_select == 0;

    return net ? 1 : 0; /* checksums, with -netdev user */
}

static bool is(const struct access *access, unsigned pci_offset, unsigned mmio_offset)
{
    return strcmp(access->place, self.mmio ? "mmio" : "common") == 0 &&
           access->offset == (self.mmio ? mmio_offset : pci_offset);
}

static void different(const struct access *access, uint32_t answer)
{
    self.wrong++;
    printf("%s:%u: %s at 0x%x: QEMU answered 0x%x, the model 0x%x\n", self.file, self.line, access->place,
           access->offset, access->value, answer);
}

static void compare(const struct access *access, uint32_t answer)
{
    uint32_t bits = compared_bits(access);

    self.compared += bits != 0;
    if (is(access, 0x04, 0x10)) { /* features: (2) */
        self.offered[self.feature_select & 1] = answer;
        if ((answer & ~access->value & ~excused()) != 0) {
            different(access, answer);
        }
    } else if (is(access, UINT_MAX, 0x34)) { /* QEMU takes 1024 for every queue that there is */
        if (answer > access->value || (answer == 0) != (access->value == 0)) {
            different(access, answer);
        }
    } else if (((answer ^ access->value) & bits) != 0) {
        different(access, answer);
    }
}

/* QEMU has a window for the configuration of devices that have none. */
static bool no_config(const struct access *access)
{
    return self.rng && strcmp(access->place, "cap-09-04") == 0;
}

/* False: not for the model. */
static bool translate(struct access *access)
{
    bool bar = strcmp(access->place, "header") == 0 && access->offset >= 0x10 && access->offset < 0x28;

    if (strncmp(access->place, "cap-", 4) == 0 && capability_named(access->place) == 0) {
        if (strcmp(access->place, "cap-11") == 0 || (strncmp(access->place, "cap-09", 6) == 0 && !no_config(access))) {
            different(access, 0);
        }
        return false; /* of power management, or PCI Express */
    }
    if (access->write && is(access, 0x00, 0x14)) {
        self.feature_select = access->value;
    } else if (access->write && is(access, 0x08, 0x24)) {
        self.driver_feature_select = access->value;
    } else if (access->write && is(access, 0x0c, 0x20)) {
        access->value &= self.offered[self.driver_feature_select & 1]; /* (2) */
    }
    return !(bar && access->write);
}

/* --- a file ------------------------------------------------------------------------------------------------------------ */

static bool parse(const char *text, struct access *access)
{
    char way;
    int words = sscanf(text, "%15s %c %x %u %x", access->place, &way, &access->offset, &access->size, &access->value);

    access->write = way == 'w';
    return words == 5 && (way == 'r' || way == 'w') && (access->size == 1 || access->size == 2 || access->size == 4) &&
           access->offset < 0x10000;
}

static void line_take(const char *text)
{
    struct access access;
    char name[32];
    char way[8];

    if (text[0] == '#') {
        return;
    }
    if (sscanf(text, "device %31s %7[a-z]", name, way) == 2 && fake.window_count == 0) {
        device_start(name, way);
        return;
    }
    if (!parse(text, &access) || fake.window_count == 0) {
        printf("%s:%u: no line of a trace\n", self.file, self.line);
        exit(2);
    }
    if (translate(&access)) {
        uint32_t answer = ask(&access);
        if (!access.write) {
            compare(&access, answer);
        }
    }
}

int main(int argc, char **argv)
{
    char text[128];
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;

    if (file == NULL) {
        printf("usage: replay FILE.trace\n");
        return 2;
    }
    self.file = argv[1];
    while (fgets(text, sizeof text, file) != NULL) {
        self.line++;
        line_take(text);
    }
    fclose(file);
    printf("%s: %u answers compared, %u different\n", argv[1], self.compared, self.wrong);
    return self.wrong == 0 && self.compared >= COMPARED_LEAST ? 0 : 1;
}
