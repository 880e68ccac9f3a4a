/* SPDX-License-Identifier: MIT OR Apache-2.0
 * nvme_model.h: for models.c.
 */
#pragma once
#include "sim_device.h"

extern const struct sim_model nvme_model;
