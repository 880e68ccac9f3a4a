/* SPDX-License-Identifier: MIT OR Apache-2.0
 * models.c: the device models that every simulated image is linked with.
 */
#include "models/nvme/nvme_model.h"
#include "models/virtio-blk/virtio_blk_model.h"
#include "models/virtio-net/virtio_net_model.h"
#include "models/virtio-rng/virtio_rng_model.h"
#include "models/virtio-scsi/virtio_scsi_model.h"
#include "sim_device.h"

const struct sim_model *const sim_models[] = {
    &virtio_blk_model, &virtio_scsi_model, &nvme_model, &virtio_net_model, &virtio_rng_model, NULL,
};
