/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fake_b.c: a component for the refusal tests.
 */
int fake_b_nothing;
