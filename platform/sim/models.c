/* SPDX-License-Identifier: MIT OR Apache-2.0
 * models.c: the device models that every simulated image is linked with.
 */
#include "sim_device.h"

const struct sim_model *const sim_models[] = {
    NULL,
};
