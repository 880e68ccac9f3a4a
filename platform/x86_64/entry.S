/* SPDX-License-Identifier: MIT OR Apache-2.0
 * entry.S: from 32-bit protected mode to early_main() in long mode.
 *
 * Entered by PVH (QEMU -kernel, Firecracker and others) or by a multiboot loader such as mboot.c32, which needs no header to
 * load an ELF: paging off, flat segments, ebx = start_info or multiboot information, eax = nothing to rely on (qboot says
 * 0x2badb002 for PVH too). There is no stack.
 *
 *  (1) No absolute address: the linker refuses them in a position-independent image. ebp holds the address of `here`, and
 *      everything is named by its distance from there.
 *  (2) The first GiB is identity-mapped, writable and executable, until x86_main() drops it.
 */
#define CR0_PE 0x00000001
#define CR0_MP 0x00000002
#define CR0_ET 0x00000010
#define CR0_NE 0x00000020
#define CR0_WP 0x00010000
#define CR0_PG 0x80000000
#define CR4_PAE 0x00000020
#define CR4_PGE 0x00000080
#define CR4_OSFXSR 0x00000200
#define CR4_OSXMMEXCPT 0x00000400
#define MSR_EFER 0xc0000080
#define EFER_LME 0x00000100
#define EFER_NXE 0x00000800
#define PTE_PRESENT_WRITE 0x003
#define PTE_PRESENT_WRITE_LARGE 0x083
#define COM1 0x3f8

    .section .text.start, "ax", @progbits
    .code32
    .globl x86_start
    .hidden x86_start
    .type x86_start, @function
x86_start:
    cli
    cld
    /* A stack of one word for one call: the second word of what ebx points to, put back at once. */
    movl 4(%ebx), %edx
    leal 8(%ebx), %esp
    call here
here:
    popl %ebp
    movl %edx, 4(%ebx)
    leal (boot_stack_top - here)(%ebp), %esp
    movl %eax, %esi

    /* Long mode and no-execute, or nothing. */
    pushl %ebx
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb refuse
    movl $0x80000001, %eax
    cpuid
    andl $0x20100000, %edx
    cmpl $0x20100000, %edx
    jne refuse

    /* One table each of levels 4 and 3, and 512 pages of 2 MiB. .bss is clear. */
    leal (early_level3 - here)(%ebp), %edx
    leal PTE_PRESENT_WRITE(%edx), %eax
    leal (early_level4 - here)(%ebp), %edi
    movl %eax, (%edi)
    leal (early_level2 - here)(%ebp), %ebx
    leal PTE_PRESENT_WRITE(%ebx), %eax
    movl %eax, (%edx)
    movl $PTE_PRESENT_WRITE_LARGE, %eax
    xorl %ecx, %ecx
1:  movl %eax, (%ebx, %ecx, 8)
    addl $0x200000, %eax
    incl %ecx
    cmpl $512, %ecx
    jb 1b
    popl %ebx

    movl $(CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT), %eax
    movl %eax, %cr4
    movl %edi, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $(EFER_LME | EFER_NXE), %eax
    wrmsr
    movl $(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG), %eax
    movl %eax, %cr0

    leal (early_gdt - here)(%ebp), %eax
    subl $8, %esp
    movw $(early_gdt_end - early_gdt - 1), (%esp)
    movl %eax, 2(%esp)
    lgdt (%esp)
    leal (long_mode - here)(%ebp), %eax
    pushl $8
    pushl %eax
    lret

    /* The first byte of a console: tells a person why nothing more comes. */
refuse:
    leal (refuse_text - here)(%ebp), %esi
1:  lodsb
    testb %al, %al
    jz 2f
    movw $COM1, %dx
    outb %al, %dx
    jmp 1b
2:  movb $2, %al
    outb %al, $0xf4
3:  hlt
    jmp 3b
refuse_text:
    .asciz "capos: this CPU has no 64-bit mode with no-execute pages\r\n"

    .code64
long_mode:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    leaq boot_stack_top(%rip), %rsp
    xorl %ebp, %ebp
    movl %ebx, %edi
    call early_main
    ud2
    .size x86_start, . - x86_start

/* _Noreturn void x86_enter_high(uint64_t cr3, uintptr_t entry, uintptr_t stack_top): the new tables map this code too. */
    .globl x86_enter_high
    .hidden x86_enter_high
    .type x86_enter_high, @function
x86_enter_high:
    movq %rdi, %cr3
    movq %rdx, %rsp
    xorl %ebp, %ebp
    pushq $0 /* the end of every backtrace, and the alignment of a call */
    jmpq *%rsi
    .size x86_enter_high, . - x86_enter_high

    .balign 8
early_gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* 64-bit code */
early_gdt_end:

/* The note by which a PVH loader finds x86_start; image.lds appends the 8 bytes of its address. */
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18 /* name's size, content's size, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"

/* Stacks, and below each a page that is a table for entry.S and then, unmapped, the stack's guard. Whole pages only. */
    .section .boot_pages, "aw", @nobits
    .balign 4096
    .globl early_level4, early_level3, early_level2, boot_stack_top, stack_fault_top, stack_nmi_top, stack_double_top
    .hidden early_level4, early_level3, early_level2, boot_stack_top, stack_fault_top, stack_nmi_top, stack_double_top
early_level4:
    .skip 4096
    .skip 32768
boot_stack_top:
early_level3:
    .skip 4096
    .skip 12288
stack_fault_top:
early_level2:
    .skip 4096
    .skip 4096
stack_nmi_top:
    .skip 4096
stack_double_top:

    .section .note.GNU-stack, "", @progbits
