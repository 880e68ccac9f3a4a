/* SPDX-License-Identifier: MIT OR Apache-2.0
 * lies.h: devices that say what is not so. The models are those of platform/sim; the linker puts these between them
 * and their rings (--wrap), so that what a model does goes wrong where a device can do wrong.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* The next of the input says what a device will get wrong, and when. */
void lie_take(void);
