/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_scsi_model.h: see virtio_scsi_model.c.
 */
#pragma once
#include "sim_device.h"

extern const struct sim_model virtio_scsi_model;
