/* SPDX-License-Identifier: MIT OR Apache-2.0
 * x.c: a component for the refusal tests.
 */
int x_nothing;
