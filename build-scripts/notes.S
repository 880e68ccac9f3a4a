/* SPDX-License-Identifier: MIT OR Apache-2.0
 * notes.S: the image's own description, in ELF notes of section .note.capos: type 1 is the BootPackage message, type 2 the
 * CodeGeneratorRequest of every schema in the image. manifest.bin and schema.bin come from the profile's build folder.
 * Both descriptions are whole words, so every note stays 4-aligned and the PVH note's segment is not disturbed.
 */
    .section .note.capos, "a", @note
    .balign 4
    .long 6, manifest_end - manifest_start, 1
    .asciz "capos"
    .balign 4
    .globl image_manifest_start, image_manifest_end
    .hidden image_manifest_start, image_manifest_end
image_manifest_start:
manifest_start:
    .incbin "manifest.bin"
manifest_end:
image_manifest_end:
    .balign 4
    .long 6, schema_end - schema_start, 2
    .asciz "capos"
    .balign 4
    .globl image_schema_start, image_schema_end
    .hidden image_schema_start, image_schema_end
image_schema_start:
schema_start:
    .incbin "schema.bin"
schema_end:
image_schema_end:
    .balign 4

    .section .note.GNU-stack, "", @progbits
