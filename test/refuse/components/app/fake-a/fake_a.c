/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fake_a.c: a component for the refusal tests.
 */
int fake_a_nothing;
