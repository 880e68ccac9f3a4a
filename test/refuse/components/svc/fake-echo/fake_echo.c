/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fake_echo.c: a component for the refusal tests.
 */
int fake_echo_nothing;
