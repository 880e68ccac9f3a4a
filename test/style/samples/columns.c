/* SPDX-License-Identifier: MIT OR Apache-2.0
 * columns.c: a bad sample.
 */
int x; /* xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx */
/* expect: 4: the line is longer than 132 columns */
