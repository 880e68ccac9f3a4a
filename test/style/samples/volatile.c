/* SPDX-License-Identifier: MIT OR Apache-2.0
 * volatile.c: a bad sample.
 */
volatile int x;
/* expect: 4: volatile outside platform/ */
