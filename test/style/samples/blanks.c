/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blanks.c: a bad sample.
 */
int x; 
/* expect: 4: blanks at the end of the line */
