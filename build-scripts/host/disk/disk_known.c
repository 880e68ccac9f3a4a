/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_known.c: what a disk that holds no volume of ours looks like, by the marks that others leave near its beginning. It is
 * for people: nothing is decided by it.
 */
#include <stdio.h>
#include <string.h>
#include "disk_private.h"

#define HEAD_BYTES (128u * 1024u)
#define MBR_END 510u
#define TEXT(s) (s), sizeof(s) - 1

static const struct {
    uint32_t at;
    const char *mark;
    size_t size;
    const char *kind;
    const char *words;
} known[] = {
    /* The first that fits counts: a disk of partitions keeps the head of what it was. */
    {0, TEXT(VOLUME_BLANK_MARK), "blank", "a blank disk that capos made: an image formats it at its first boot"},
    {0, TEXT("capOSst1"), "old", "a volume of capOS's first store, which this version does not read"},
    {0, TEXT("QFI\xfb"), "qcow2",
     "a disk in QEMU's qcow2 format; `qemu-img convert -O raw` makes a raw disk of it, which can be looked at"},
    {0, TEXT("KDMV"), "vmdk", "a disk in VMware's format; `qemu-img convert -O raw` makes a raw disk of it"},
    {0, TEXT("LUKS\xba\xbe"), "luks", "a LUKS volume, encrypted"},
    {512, TEXT("LABELONE"), "lvm", "a physical volume of LVM"},
    {512, TEXT("EFI PART"), "gpt", "a GPT partition table"},
    {4096, TEXT("EFI PART"), "gpt", "a GPT partition table, of a disk with sectors of 4 KiB"},
    {0, TEXT("XFSB"), "xfs", "an XFS file system"},
    {0, TEXT("hsqs"), "squashfs", "a squashfs file system"},
    {0, TEXT("SQLite format 3"), "sqlite", "an SQLite database"},
    {65600, TEXT("_BHRfS_M"), "btrfs", "a btrfs file system"},
    {32769, TEXT("CD001"), "iso9660", "an ISO 9660 file system (a CD or DVD)"},
    {1080, TEXT("\x53\xef"), "ext", "an ext2, ext3 or ext4 file system"},
    {4086, TEXT("SWAPSPACE2"), "swap", "Linux swap space"},
    {3, TEXT("NTFS    "), "ntfs", "an NTFS file system"},
    {3, TEXT("EXFAT   "), "exfat", "an exFAT file system"},
    {82, TEXT("FAT32   "), "fat", "a FAT32 file system"},
    {54, TEXT("FAT1"), "fat", "a FAT file system"},
    {MBR_END, TEXT("\x55\xaa"), "mbr", "a boot sector or an MBR partition table"},
    {0,
     TEXT("\x7f"
          "ELF"),
     "elf", "an ELF program, no disk"},
    {0, TEXT("\x1f\x8b"), "gzip", "a file that gzip packed"},
};

static bool all_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* As much of the beginning as there is. */
static size_t read_head(struct disk_file *file, unsigned char head[HEAD_BYTES])
{
    size_t blocks = 0;

    while (blocks < HEAD_BYTES / DISK_BLOCK_BYTES &&
           file->io.ops->read(&file->io, blocks, 1, head + blocks * DISK_BLOCK_BYTES) == ST_OK) {
        blocks++;
    }
    return blocks * DISK_BLOCK_BYTES;
}

static bool fill(char kind[16], char words[DISK_WHY], const char *short_word, const char *sentence)
{
    (void)snprintf(kind, 16, "%s", short_word);
    (void)snprintf(words, DISK_WHY, "%s", sentence);
    return true;
}

bool disk_known(struct disk_file *file, char kind[16], char words[DISK_WHY])
{
    static unsigned char head[HEAD_BYTES];
    size_t size = read_head(file, head);

    if (size == 0) {
        return fill(kind, words, "short", "less than one block of 4 KiB can be read");
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].at + known[i].size <= size && memcmp(head + known[i].at, known[i].mark, known[i].size) == 0) {
            return fill(kind, words, known[i].kind, known[i].words);
        }
    }
    if (all_zero(head, size)) {
        return fill(kind, words, "zeros", "nothing but zeros, at its beginning at least");
    }
    (void)fill(kind, words, "unknown", "nothing that is known");
    return false;
}
