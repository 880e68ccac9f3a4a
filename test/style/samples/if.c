/* SPDX-License-Identifier: MIT OR Apache-2.0
 * if.c: a bad sample.
 */
#ifdef X
#endif
/* expect: 4: #if in a .c file */
