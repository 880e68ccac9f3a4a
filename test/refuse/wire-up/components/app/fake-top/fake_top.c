/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fake_top.c: a component for the refusal tests.
 */
int fake_top_nothing;
