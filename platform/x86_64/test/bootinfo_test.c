/* SPDX-License-Identifier: MIT OR Apache-2.0
 * bootinfo_test.c: what loaders say, at addresses below 1 GiB as they say it.
 */
#include "../bootinfo.c"
#include "../memmap.c"
#include "test.h"
#include <sys/mman.h>

#define PLACE 0x10000000u
#define BYTES 0x10000u

static char *place;
static struct pvh_start_info *pvh;
static struct pvh_memmap *entries;

static void begin(void)
{
    memset(place, 0, BYTES);
    memset(&boot_info, 0, sizeof boot_info);
    pvh = (struct pvh_start_info *)place;
    entries = (struct pvh_memmap *)(place + 0x100);
    *pvh = (struct pvh_start_info){.magic = PVH_MAGIC,
                                   .version = 1,
                                   .rsdp = 0xf59e0,
                                   .cmdline = PLACE + 0x2000,
                                   .memmap = PLACE + 0x100,
                                   .memmap_entries = 4};
    entries[0] = (struct pvh_memmap){0, 0x9fc00, 1, 0};
    entries[1] = (struct pvh_memmap){0x100000, 0xff00000, 1, 0};
    entries[2] = (struct pvh_memmap){0x8000000, 0x100000, 2, 0}; /* reserved, within RAM: it wins */
    strcpy(place + 0x2000, "one base=fixed fault=null");
}

static void test_pvh(void)
{
    begin();
    CHECK(bootinfo_read(PLACE, MULTIBOOT_EAX)); /* qboot's eax */
    CHECK(!boot_info.multiboot);
    CHECK_EQ(boot_info.rsdp, 0xf59e0);
    CHECK_STR(boot_info.cmdline, "one base=fixed fault=null");
    CHECK_EQ(boot_info.ram.count, 3);
    CHECK_EQ(boot_info.ram.span[1].end, 0x8000000);
    CHECK_EQ(boot_info.ram.span[2].base, 0x8100000);
}

static void test_modules_are_not_ram(void)
{
    struct pvh_module *module = (struct pvh_module *)(place + 0x300);

    begin();
    pvh->module_count = 1;
    pvh->modules = PLACE + 0x300;
    *module = (struct pvh_module){.base = 0x200800, .size = 0x1000};
    CHECK(bootinfo_read(PLACE, 0));
    CHECK(!memmap_overlaps(&boot_info.ram, 0x200000, 0x2000));
    CHECK(memmap_overlaps(&boot_info.firmware, 0x200000, 0x2000));
}

static void test_liars(void)
{
    begin();
    pvh->memmap_entries = UINT32_MAX; /* bounded: the rest of the page is empty entries */
    CHECK(bootinfo_read(PLACE, 0));
    begin();
    pvh->memmap = READABLE_END - 8;
    CHECK(!bootinfo_read(PLACE, 0));
    begin();
    pvh->version = 0;
    CHECK(!bootinfo_read(PLACE, 0));
    begin();
    pvh->cmdline = UINT64_MAX;
    pvh->modules = UINT64_MAX - 4;
    pvh->module_count = 3;
    CHECK(bootinfo_read(PLACE, 0));
    CHECK_STR(boot_info.cmdline, "");
    begin();
    memset(place + 0x2000, 'a', 0x2000); /* no end */
    place[0x2003] = '\n';
    CHECK(bootinfo_read(PLACE, 0));
    CHECK_EQ(strlen(boot_info.cmdline), BOOT_CMDLINE_MAX - 1);
    CHECK_EQ(boot_info.cmdline[3], '?');
    begin();
    pvh->magic = 0;
    CHECK(!bootinfo_read(PLACE, 0));
    CHECK(!bootinfo_read(0, 0));
    CHECK(!bootinfo_read(UINT32_MAX, MULTIBOOT_EAX));
}

static void test_multiboot(void)
{
    struct multiboot_info *info = (struct multiboot_info *)place;
    struct multiboot_mmap *map = (struct multiboot_mmap *)(place + 0x100);

    begin();
    memset(place, 0, 0x200);
    *info = (struct multiboot_info){.flags = MULTIBOOT_FLAG_CMDLINE | MULTIBOOT_FLAG_MMAP,
                                    .cmdline = PLACE + 0x2000,
                                    .mmap = PLACE + 0x100,
                                    .mmap_bytes = 2 * sizeof *map};
    map[0] = (struct multiboot_mmap){20, 0x100000, 0x400000, 1};
    map[1] = (struct multiboot_mmap){20, 0x200000, 0x1000, 2};
    CHECK(!bootinfo_read(PLACE, 0));
    CHECK(bootinfo_read(PLACE, MULTIBOOT_EAX));
    CHECK(boot_info.multiboot);
    CHECK_STR(boot_info.cmdline, " base=fixed fault=null"); /* the file's name is not ours */
    CHECK_EQ(boot_info.ram.count, 2);
    memset(&boot_info, 0, sizeof boot_info);
    map[0].size = UINT32_MAX - 3; /* would wrap round to itself */
    CHECK(bootinfo_read(PLACE, MULTIBOOT_EAX));
    CHECK_EQ(boot_info.ram.count, 1);
}

static void test_options(void)
{
    begin();
    CHECK(bootinfo_read(PLACE, 0));
    CHECK(bootinfo_option_is("base", "fixed"));
    CHECK(bootinfo_option_is("fault", "null"));
    CHECK(!bootinfo_option_is("base", "fix"));
    CHECK(!bootinfo_option_is("ase", "fixed"));
    CHECK(!bootinfo_option_is("one", ""));
}

int main(void)
{
    place =
        mmap((void *)(uintptr_t)PLACE, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    REQUIRE(place == (char *)(uintptr_t)PLACE);
    RUN(test_pvh);
    RUN(test_modules_are_not_ram);
    RUN(test_liars);
    RUN(test_multiboot);
    RUN(test_options);
    return test_end();
}
