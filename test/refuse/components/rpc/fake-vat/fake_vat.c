/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fake_vat.c: a component for the refusal tests.
 */
int fake_vat_nothing;
