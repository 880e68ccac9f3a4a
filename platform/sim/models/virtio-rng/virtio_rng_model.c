/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_rng_model.c: a virtio entropy device (virtio 1.2, 5.4) fed by the host.
 */
#include <stdio.h>
#include "models/virtio/virtio_model.h"
#include "models/virtio-rng/virtio_rng_model.h"

static void notify(struct vm_device *device, unsigned queue)
{
    static struct vm_chain chain;

    while (vm_pop(device, queue, &chain)) {
        if (chain.out != 0) {
            sim_die("virtio-rng: a readable buffer (5.4.6.1)");
        }
        for (unsigned i = 0; i < chain.in; i++) {
            sim_random(chain.segment[i].bytes, chain.segment[i].size);
        }
        vm_push(device, queue, &chain, chain.in_bytes);
    }
    vm_signal(device, queue);
}

static bool start(const char *argument, char *why, size_t why_size)
{
    static struct vm_device device = {
        .name = "virtio-rng", .type = 4, .queue_count = 1, .queue_size = 8, .notify = notify};
    static bool started;

    (void)argument;
    if (started) {
        snprintf(why, why_size, "one is enough");
        return false;
    }
    started = true;
    vm_device_add(&device);
    return true;
}

const struct sim_model virtio_rng_model = {.name = "virtio-rng", .start = start};
