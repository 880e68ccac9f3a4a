/* no-spdx.c: a bad sample. */
/* expect: 1: the first line has no SPDX-License-Identifier */
