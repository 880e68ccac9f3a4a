/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_blk_model.h: for models.c.
 */
#pragma once
#include "sim_device.h"

extern const struct sim_model virtio_blk_model;
