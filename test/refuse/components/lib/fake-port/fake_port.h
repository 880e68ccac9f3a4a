/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fake_port.h: a component for the refusal tests.
 */
#pragma once
struct fakeport {
    int unused;
};
