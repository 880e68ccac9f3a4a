/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fake_tcp.c: a component for the refusal tests.
 */
int fake_tcp_nothing;
