/* SPDX-License-Identifier: MIT OR Apache-2.0
 * warm.S: the input after which the third server waits, as it stands in its file.
 */
    .section .rodata
    .globl warm_input, warm_input_end
warm_input:
    .incbin WARM_FILE
warm_input_end:
    .section .note.GNU-stack, "", @progbits
