/* SPDX-License-Identifier: MIT OR Apache-2.0
 * tab.c: a bad sample.
 */
	int x;
/* expect: 4: a tab */
