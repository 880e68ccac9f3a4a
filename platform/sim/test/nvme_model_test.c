/* SPDX-License-Identifier: MIT OR Apache-2.0
 * nvme_model_test.c: the simulator's NVMe controller at its registers and in the guest's memory, against the NVM Express base
 * specification 1.4: what a trace of QEMU does not show: interrupts, full queues, slow media, resets, and what no driver may do.
 */
#include "fake_machine.h"
#include "../models/nvme/nvme_admin.c"
#include "../models/nvme/nvme_data.c"
#include "../models/nvme/nvme_fault.c"
#include "../models/nvme/nvme_model.c"
#include "../models/nvme/nvme_rings.c"
#include "../pci.c"
#include "../pci_msix.c"

enum { SLOT = 2, ENTRIES = 4, SQ = 0x0, CQ = 0x1000, IO_SQ = 0x2000, IO_CQ = 0x3000, DATA = 0x4000, LIST = 0x8000 };

static struct nvme_device *tried;
static struct disk_request *lent[8]; /* that the medium has not ended */
static unsigned lent_count;
static bool slow;
static uint64_t now_ns;
static unsigned tail[2], head[2];
static uint8_t blocks[64 * DISK_SECTOR];

uint64_t sim_clock_ns(void)
{
    return now_ns += 1000000;
}

static void medium_end(unsigned i)
{
    struct disk_request *request = lent[i];

    lent[i] = lent[--lent_count];
    if (request->work == DISK_READ) {
        memcpy(request->bytes, blocks + request->sector * DISK_SECTOR, request->size);
    } else if (request->work == DISK_WRITE) {
        memcpy(blocks + request->sector * DISK_SECTOR, request->bytes, request->size);
    }
    tried->medium->done(tried->medium, request, true);
}

static void medium_begin(struct disk_medium *medium, struct disk_request *request)
{
    (void)medium;
    REQUIRE(lent_count < 8);
    lent[lent_count++] = request;
    if (!slow) {
        medium_end(lent_count - 1);
    }
}

struct disk_medium *disk_medium_open(const char *argument, char *why, size_t why_size)
{
    static struct disk_medium medium = {.begin = medium_begin, .sectors = 64};

    (void)argument, (void)why, (void)why_size;
    return &medium;
}

/* --- a driver ----------------------------------------------------------------------------------------------------------- */

static uint64_t bar(unsigned i)
{
    uint64_t high = i == 0 ? fake_config(SLOT, 0x14, 4) : 0; /* a wide one */

    return high << 32 | (fake_config(SLOT, 0x10 + 4 * i, 4) & ~0xfu);
}

static uint32_t get(unsigned offset)
{
    return fake_read(bar(0) + offset, 4);
}

static void set(unsigned offset, uint32_t value)
{
    fake_write(bar(0) + offset, 4, value);
}

static void bell(unsigned number, uint32_t value)
{
    set(0x1000 + 8 * number, value);
}

static uint64_t at(unsigned offset)
{
    return FAKE_MEMORY_BASE + offset;
}

static void add(unsigned queue, struct nvme_command command)
{
    memcpy(fake.memory + (queue == 0 ? SQ : IO_SQ) + 64 * tail[queue], &command, sizeof command);
    tail[queue] = (tail[queue] + 1) % ENTRIES;
}

static struct nvme_completion completion(unsigned queue, unsigned i)
{
    struct nvme_completion entry;

    memcpy(&entry, fake.memory + (queue == 0 ? CQ : IO_CQ) + 16 * (i % ENTRIES), sizeof entry);
    return entry;
}

/* The status of an admin command. */
static unsigned admin(uint8_t opcode, uint32_t word10, uint32_t word11, uint64_t prp1)
{
    add(0, (struct nvme_command){.opcode = opcode, .prp1 = prp1, .word = {word10, word11}});
    bell(0, tail[0]);
    struct nvme_completion entry = completion(0, head[0]);
    head[0] = (head[0] + 1) % ENTRIES;
    bell(1, head[0]);
    return entry.status >> 1 & 0x7ff;
}

static void switch_on(void)
{
    memset(fake.memory, 0, sizeof fake.memory);
    memset(tail, 0, sizeof tail);
    memset(head, 0, sizeof head);
    set(REG_AQA, (ENTRIES - 1) << 16 | (ENTRIES - 1));
    set(REG_ASQ, (uint32_t)at(SQ));
    set(REG_ASQ + 4, (uint32_t)(at(SQ) >> 32));
    set(REG_ACQ, (uint32_t)at(CQ));
    set(REG_ACQ + 4, (uint32_t)(at(CQ) >> 32));
    set(REG_CC, 0x460001);
    CHECK_EQ(get(REG_CSTS), 1);
}

/* With an I/O queue, vector 1 or the pin. */
static void begin(void)
{
    slow = false;
    while (lent_count > 0) {
        medium_end(0);
    }
    if (tried->fault.gone) {
        over(tried, true);
    }
    for (unsigned i = 0; i < NVME_WORKS; i++) { /* of what ended in a panic */
        free(tried->work[i].request.bytes);
        tried->work[i] = (struct nvme_work){0};
    }
    tried->works_out = tried->batch = 0;
    if ((get(REG_CSTS) & 1) != 0) {
        set(REG_CC, 0);
    }
    CHECK_EQ(get(REG_CSTS), 0);
    switch_on();
    CHECK_EQ(admin(0x09, 7, 0, 0), 0);
    uint32_t vector = sim_pci_msix_on(&tried->function) ? 1 : 0;
    CHECK_EQ(admin(0x05, (ENTRIES - 1) << 16 | 1, vector << 16 | 3, at(IO_CQ)), 0);
    CHECK_EQ(admin(0x01, (ENTRIES - 1) << 16 | 1, 1 << 16 | 1, at(IO_SQ)), 0);
}

static struct nvme_command transfer(bool write, uint16_t id, uint32_t block, uint32_t count)
{
    return (struct nvme_command){
        .opcode = write ? 1 : 2, .id = id, .nsid = 1, .prp1 = at(DATA), .word = {block, 0, count - 1}};
}

/* --- tests -------------------------------------------------------------------------------------------------------------- */

static void test_enable_only_when_ready(void)
{
    CHECK_EQ(get(REG_CSTS), 0);
    set(REG_CC, 1 << 4); /* fields, while off */
    set(REG_CC, 0);
    CHECK_PANICS(set(REG_CC, 0x460011)); /* a command set that there is not */
    tried->cc = 0;
    now_ns = 0;
    switch_on();
    CHECK_PANICS(set(REG_AQA, 0));
    CHECK_PANICS(fake_write(bar(0) + REG_CC, 2, 0));
    tried->csts = 0; /* as if it had not become ready */
    tried->change_ns = UINT64_MAX;
    CHECK_PANICS(set(REG_CC, 0));
    tried->cc = 1;
    tried->change_ns = 0;
    (void)get(REG_CSTS);
    set(REG_CC, 0);
    CHECK(get(REG_CSTS) == 0 && get(REG_AQA) != 0 && get(REG_CC) == 0);
}

static void test_doorbells(void)
{
    begin();
    CHECK_PANICS(bell(4, 1)); /* no such queue */
    CHECK_PANICS(bell(2, ENTRIES));
    CHECK_PANICS(bell(3, 1)); /* nothing was completed */
}

/* Messages with MSI-X on; else the pin, until what lies there is taken, and not while it is masked. */
static int pulls(void)
{
    return fake.pulls[0] + fake.pulls[1] + fake.pulls[2] + fake.pulls[3];
}

static void test_pin(void)
{
    begin();
    unsigned before = fake.messages;
    int pulled = pulls();
    add(1, transfer(false, 5, 0, 1));
    add(1, transfer(false, 6, 0, 1));
    bell(2, tail[1]);
    CHECK_EQ(pulls(), pulled + 1);
    set(REG_INTMS, 1);
    CHECK_EQ(pulls(), pulled);
    set(REG_INTMC, 1);
    bell(3, 1);
    CHECK_EQ(pulls(), pulled + 1);
    bell(3, 2);
    CHECK_EQ(pulls(), pulled);
    CHECK_EQ(fake.messages, before);

    add(1, transfer(false, 7, 0, 1));
    bell(2, tail[1]);
    CHECK_EQ(pulls(), pulled + 1);
    fake.hazard->befalls(fake.hazard, SIM_FAULT_GONE, 0);
    CHECK_EQ(pulls(), pulled); /* who is gone lets go (PCI Express 2.2.8.1: a link that is down) */
    bell(3, 3);
    CHECK_EQ(pulls(), pulled);
}

static void test_messages(void)
{
    unsigned msix = fake_capability(SLOT, 0x11, 0);
    fake_config_set(SLOT, msix + 2, 2, 0x8000);
    uint64_t entry = bar(4) + (fake_config(SLOT, msix + 4, 4) & ~7u) + 16;
    fake_write(entry, 4, 0xfee00000);
    fake_write(entry + 8, 4, 77);
    fake_write(entry + 12, 4, 0);
    begin();
    unsigned before = fake.messages;
    add(1, transfer(false, 5, 0, 1));
    add(1, transfer(false, 6, 0, 1));
    bell(2, tail[1]);
    CHECK(fake.messages == before + 1 && fake.message_data == 77); /* one for both */
    fake_config_set(SLOT, msix + 2, 2, 0);
}

/* A completion queue of four entries has room for three. */
static void test_full_completion_queue(void)
{
    begin();
    for (unsigned i = 0; i < 3; i++) {
        add(1, transfer(false, (uint16_t)(10 + i), 0, 1));
    }
    bell(2, tail[1]);
    add(1, transfer(false, 13, 0, 1));
    bell(2, tail[1]);
    CHECK(completion(1, 2).id == 12 && completion(1, 3).id == 0);
    bell(3, 1);
    CHECK(completion(1, 3).id == 13 && (completion(1, 3).status & 1) == 1 && completion(1, 3).sq_head == 0);
}

static void test_data(void)
{
    begin();
    memset(fake.memory + DATA, 0x11, 0x4000);
    memset(fake.memory + DATA + 0x1000, 0x22, 0x1000);
    memset(fake.memory + DATA + 0x2000, 0x33, 0x1000);
    const uint64_t pages[] = {at(DATA + 0x1000), at(LIST + 0x1000)};
    const uint64_t more[] = {at(DATA + 0x2000), at(DATA + 0x3000)};
    memcpy(fake.memory + LIST + 0xff0, pages, sizeof pages); /* the list goes on in another page */
    memcpy(fake.memory + LIST + 0x1000, more, sizeof more);
    struct nvme_command command = transfer(true, 1, 8, 25);
    command.prp1 = at(DATA + 0xe00);
    command.prp2 = at(LIST + 0xff0);
    add(1, command);
    bell(2, tail[1]);
    CHECK(completion(1, 0).status == 1 && blocks[8 * 512] == 0x11 && blocks[9 * 512] == 0x22 &&
          blocks[17 * 512] == 0x33);
    CHECK(blocks[25 * 512] == 0x11 && blocks[33 * 512] == 0);
    command.prp1 = at(DATA + 2);
    add(1, command);
    CHECK_PANICS(bell(2, tail[1]));
    command.prp1 = at(DATA + 0xe00);
    command.prp2 = at(DATA + 0x4);
    command.word[2] = 1;
    begin();
    add(1, command);
    CHECK_PANICS(bell(2, tail[1])); /* the second page begins within one */
    begin();
    add(1, transfer(false, 1, 0, 257));
    CHECK_PANICS(bell(2, tail[1])); /* more than MDTS */
}

/* What was given to the medium before a reset ends unseen, and the reset waits for it. */
static void test_reset_waits(void)
{
    begin();
    slow = true;
    memset(fake.memory + DATA, 0xaa, 512);
    add(1, transfer(true, 1, 0, 1));
    bell(2, tail[1]);
    set(REG_CC, 0);
    CHECK(get(REG_CSTS) == 1 && get(REG_CSTS) == 1);
    medium_end(0);
    CHECK_EQ(get(REG_CSTS), 0);
    CHECK_EQ(completion(1, 0).status, 0);
}

static void strike_with(uint32_t what, uint64_t argument)
{
    begin();
    fake.hazard->befalls(fake.hazard, what, argument);
    add(1, transfer(false, 40, 0, 1));
    bell(2, tail[1]);
}

static void test_faults(void)
{
    strike_with(SIM_FAULT_LIE, LIE_ID | 7 << 8);
    CHECK(completion(1, 0).id != 40 && completion(1, 0).status == 1);
    strike_with(SIM_FAULT_LIE, LIE_TWICE);
    CHECK(completion(1, 0).id == 40 && completion(1, 1).id == 40);
    strike_with(SIM_FAULT_LIE, LIE_QUEUE);
    CHECK(completion(1, 0).sq != 1);
    strike_with(SIM_FAULT_LIE, LIE_HEAD);
    CHECK_EQ(completion(1, 0).sq_head, 2); /* of one command */
    add(1, transfer(false, 41, 0, 1));
    bell(2, tail[1]);
    CHECK_EQ(completion(1, 1).status, 0); /* it says nothing more */
    fake.hazard->befalls(fake.hazard, SIM_FAULT_OVER, 1);
    CHECK_EQ(get(REG_CSTS), 3); /* and failed, since nobody reset it */
    bell(2, tail[1]);           /* which its driver does not know yet */

    strike_with(SIM_FAULT_STALL, 2);
    CHECK_EQ(completion(1, 0).status, 0);
    fake.hazard->befalls(fake.hazard, SIM_FAULT_OVER, 1);
    CHECK(completion(1, 0).id == 40 && completion(1, 0).status == 1);

    strike_with(SIM_FAULT_RESET, 1);
    CHECK(completion(1, 0).status == 0 && get(REG_CSTS) == 0 && get(REG_CC) == 0);

    strike_with(SIM_FAULT_GONE, 0);
    CHECK(get(REG_CSTS) == UINT32_MAX && completion(1, 0).status == 0);
    fake.hazard->befalls(fake.hazard, SIM_FAULT_OVER, 1);
    CHECK_EQ(get(REG_CSTS), 0);
}

int main(void)
{
    char why[100];

    REQUIRE(nvme_model.start("", why, sizeof why));
    tried = (struct nvme_device *)((char *)fake.hazard - offsetof(struct nvme_device, fault.hazard));
    fake_config_set(SLOT, 4, 2, 6);
    RUN(test_enable_only_when_ready);
    RUN(test_doorbells);
    RUN(test_pin);
    RUN(test_messages);
    RUN(test_full_completion_queue);
    RUN(test_data);
    RUN(test_reset_waits);
    RUN(test_faults);
    begin();
    return test_end();
}
