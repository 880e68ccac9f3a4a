/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fake_up.c: a component for the refusal tests.
 */
int fake_up_nothing;
