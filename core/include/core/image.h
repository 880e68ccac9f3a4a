/* SPDX-License-Identifier: MIT OR Apache-2.0
 * image.h: what the image knows of itself; generated from the profile.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "core/object.h"
#include "core/status.h"

struct image_info {
    const char *profile;
    const char *version;
    const char *platform;
    uint64_t memory_bytes; /* that the profile asks for */
    uint64_t arena_bytes;  /* that the components' `memory` lines sum to; 0: unknown */
};
extern const struct image_info image_info;
/* What the machine was started with (QEMU's -append): words for developers and tests; a product's image needs none. */
const char *image_cmdline(void);
/* 40 hex digits of the link's build id, NUL-terminated; "unknown" where there is none. */
const char *image_build_id(void);

/* BootPackage message (type 1) and CodeGeneratorRequest (type 2) as in the ELF notes. */
extern const unsigned char image_manifest_start[], image_manifest_end[];
extern const unsigned char image_schema_start[], image_schema_end[];

/* What remote sessions may reach by name: the profile's `expose` lines. */
struct exposed {
    const char *name;
    const char *interface; /* display name, "Store" */
    uint64_t interface_id;
    struct object *(*provide)(void); /* BOOT */
};
extern const struct exposed exposed_caps[];
extern const unsigned exposed_caps_count;

/* Generated: wires, grants and starts every component in order. */
status_t components_start(void) REQUIRES(BOOT);
/* Core's: prints who refused and why the boot stops; exits. */
_Noreturn void boot_refuse(const char *component, status_t status) REQUIRES(BOOT);
