/* SPDX-License-Identifier: MIT OR Apache-2.0
 * unfinished.c: a bad sample.
 */
/* FIXME: later */
/* expect: 4: unfinished work */
