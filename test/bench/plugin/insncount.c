/* SPDX-License-Identifier: MIT OR Apache-2.0
 * insncount.c: a plug-in of QEMU's TCG that counts the instructions that a guest executes, in a file that others map.
 *
 *   qemu-system-x86_64 -smp 1 ... -plugin build/bench/insncount.so,out=FILE[,section=N]
 *
 *  (1) Counting begins at the reset vector, firmware included; a CPU that sleeps costs nothing. Works with any guest.
 *  (2) Counted is a translation block, on entry: one that a fault leaves early counts in full. One CPU only.
 *  (3) TCG executes an iteration of a string instruction (`rep movsb`) as an instruction of its own. They are in `all`, and
 *      once more in `strings`, so that a reader may leave them out.
 *  (4) Any page of the file may be read at any time. Blocks are appended and never move: two looks can be subtracted.
 *  (5) With section=N only the Nth section between two marks (lib/mark), from 0, is counted block by block; `all` is of everything.
 *
 * The few prototypes of qemu-plugin.h are here because no Debian package has that header. PLUGIN_VERSION is the version of the
 * interface that the QEMU at hand speaks (rules.mk): 1 before QEMU 9, then 3, in which the bytes of an instruction are copied.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define MAGIC 0x6361704f53636e74ull
#define MARKS_MAX 4096u
#define BLOCKS_MAX (1u << 20)
#define INSTRUCTION_MAX 15u
#define MARK_BYTES 7u

/* The file. test/bench/counter.py and test/bench/host/client.c++ read it. */
struct mark {
    uint64_t all, strings; /* even ones begin a section, odd ones end it */
};
struct block {
    uint64_t address, instructions, entered;
};
struct counts {
    uint64_t magic;
    uint64_t all;
    uint64_t strings;
    uint64_t mark_count;
    uint64_t block_count;
    uint64_t lost; /* blocks and marks for which there was no place, and marks out of order */
    uint64_t reserved[2];
    struct mark mark[MARKS_MAX];
    struct block block[BLOCKS_MAX];
};

/* qemu-plugin.h, as much of it as is used here. */
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t plugin_id;
typedef void (*plugin_translated)(plugin_id id, struct qemu_plugin_tb *tb);
typedef void (*plugin_executed)(unsigned cpu, void *context);
enum { PLUGIN_NO_REGISTERS = 0 };
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, plugin_translated translated);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, plugin_executed executed, int flags,
                                          void *context);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, plugin_executed executed, int flags,
                                            void *context);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
#if PLUGIN_VERSION >= 3
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *bytes, size_t size);
#define INSN_BYTES(insn, bytes, size) ((void)qemu_plugin_insn_data(insn, bytes, size))
#else
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
#define INSN_BYTES(insn, bytes, size) ((void)memcpy(bytes, qemu_plugin_insn_data(insn), size))
#endif
EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);
EXPORT extern int qemu_plugin_version;
int qemu_plugin_version = PLUGIN_VERSION;

static struct counts *counts;
static bool by_section;
static bool counting_blocks = true;
static uint64_t section;
static struct block nowhere;

static void on_block(unsigned cpu, void *context)
{
    struct block *block = context;

    counts->all += block->instructions;
    block->entered += counting_blocks;
}

static void on_string(unsigned cpu, void *context)
{
    counts->strings++;
}

static void on_mark(unsigned cpu, void *context)
{
    bool end = context != NULL;

    if (by_section) {
        counting_blocks = !end && counts->mark_count / 2 == section; /* (5) */
    }
    if (counts->mark_count == MARKS_MAX || counts->mark_count % 2 != end) {
        counts->lost++;
        return;
    }
    counts->mark[counts->mark_count] = (struct mark){counts->all, counts->strings};
    __atomic_store_n(&counts->mark_count, counts->mark_count + 1, __ATOMIC_RELEASE);
}

/* rep or repne before ins, outs, movs, cmps, stos, lods or scas. */
static bool is_string(const uint8_t *bytes, size_t size)
{
    bool repeated = false;

    for (size_t i = 0; i < size; i++) {
        bool prefix = bytes[i] == 0x66 || bytes[i] == 0x67 || (bytes[i] & 0xf0) == 0x40;
        if (bytes[i] == 0xf2 || bytes[i] == 0xf3) {
            repeated = true;
        } else if (!prefix) {
            uint8_t op = bytes[i] & 0xfe;
            return repeated && ((op >= 0x6c && op <= 0x6e) || (op >= 0xa4 && op <= 0xa6) || (op >= 0xaa && op <= 0xae));
        }
    }
    return false;
}

static bool is_mark(const uint8_t *bytes, size_t size)
{
    return size == MARK_BYTES && bytes[0] == 0x0f && bytes[1] == 0x1f && bytes[2] == 0x80 && bytes[4] == 0 &&
           bytes[5] == 0x4b && bytes[6] == 0x4d;
}

static struct block *block_new(uint64_t address, uint64_t instructions)
{
    struct block *block = &nowhere;

    if (counts->block_count < BLOCKS_MAX) {
        block = &counts->block[counts->block_count];
        *block = (struct block){.address = address, .instructions = instructions};
        __atomic_store_n(&counts->block_count, counts->block_count + 1, __ATOMIC_RELEASE);
    } else {
        counts->lost++;
    }
    return block;
}

static void on_translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    size_t count = qemu_plugin_tb_n_insns(tb);

    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, PLUGIN_NO_REGISTERS, block_new(qemu_plugin_tb_vaddr(tb), count));
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        size_t size = qemu_plugin_insn_size(insn);
        uint8_t bytes[INSTRUCTION_MAX + 1] = {0};
        INSN_BYTES(insn, bytes, size < sizeof bytes ? size : sizeof bytes);
        if (is_string(bytes, size)) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_string, PLUGIN_NO_REGISTERS, NULL);
        } else if (is_mark(bytes, size)) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, PLUGIN_NO_REGISTERS, (void *)(uintptr_t)bytes[3]);
        }
    }
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    const char *file = "insncount.bin";

    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0) {
            file = argv[i] + 4;
        } else if (strncmp(argv[i], "section=", 8) == 0) {
            by_section = true;
            counting_blocks = false;
            section = strtoull(argv[i] + 8, NULL, 10);
        }
    }
    int fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || ftruncate(fd, sizeof *counts) != 0) {
        return -1;
    }
    counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (counts == MAP_FAILED) {
        return -1;
    }
    counts->magic = MAGIC;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translated);
    return 0;
}
