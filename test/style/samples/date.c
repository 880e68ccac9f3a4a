/* SPDX-License-Identifier: MIT OR Apache-2.0
 * date.c: a bad sample.
 */
const char *x = __DATE__;
/* expect: 4: the build may not depend */
