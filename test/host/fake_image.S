/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fake_image.S: the smallest thing that `capos fleet up` takes for an image: PVH entry, a note with a manifest, and a
 * script of console output. What it does after printing is chosen with -DBEHAVIOUR=: 0 waits for a line that begins
 * with 'h' (halt) and ends with code 0; 1, 2 end at once with that code; 3 waits for ever and hears nothing; 4 is as 0 but
 * ends in a triple fault.
 */
#define COM1 0x3f8
#define EXIT_PORT 0xf4

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18              /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long start

    .section .note.capos, "a", @note
    .balign 4
    .long 6, manifest_end - manifest, 1
    .asciz "capos"
    .balign 4
manifest:
    .incbin "manifest.bin"
manifest_end:
    .balign 4

    .text
    .code32
    .globl start
start:
    movl $script, %esi
print:
    lodsb
    testb %al, %al
    jz after
    movb %al, %bl
wait_empty:
    movw $(COM1 + 5), %dx
    inb %dx, %al
    testb $0x20, %al
    jz wait_empty
    movw $COM1, %dx
    movb %bl, %al
    outb %al, %dx
    jmp print
after:
    movl $BEHAVIOUR, %eax
    cmpl $3, %eax
    je sleep
    cmpl $1, %eax
    je leave
    cmpl $2, %eax
    je leave
listen:
    movw $(COM1 + 5), %dx
    inb %dx, %al
    testb $1, %al
    jz listen
    movw $COM1, %dx
    inb %dx, %al
    cmpb $'h', %al
    jne listen
    movl $BEHAVIOUR, %eax
    cmpl $4, %eax
    jne leave
    lidt none
    int3
leave:
    movw $EXIT_PORT, %dx
    outb %al, %dx
sleep:
    hlt
    jmp sleep

    .section .rodata
script:
    .asciz SCRIPT

none:
    .zero 6

    .section .note.GNU-stack, "", @progbits
