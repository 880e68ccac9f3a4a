# Drivers of virtio devices, tried against QEMU's or the simulator's: test/smoke/virtio.sh and test/sim/virtio.sh run it.
profile   virtio
summary   "Exercises network, disk and entropy, then halts"
platform  kvm-q35
memory    16M
status    experiment

component lib/pci
component lib/virtio
component lib/netdev
component lib/blkdev
component lib/entropy
component bus/pci
component bus/virtio
component drv/virtio-net
component drv/virtio-blk queues=4
component drv/virtio-rng
component crypto/entropy
component app/virtio-test

wire bus/virtio.pci         -> bus/pci.functions
wire drv/virtio-net.bus     -> bus/virtio.devices
wire drv/virtio-blk.bus     -> bus/virtio.devices
wire drv/virtio-rng.bus     -> bus/virtio.devices
wire crypto/entropy.device  -> drv/virtio-rng.source
wire app/virtio-test.port   -> drv/virtio-net.port
wire app/virtio-test.disk   -> drv/virtio-blk.disk
wire app/virtio-test.random -> crypto/entropy.random
wire app/virtio-test.source -> drv/virtio-rng.source
