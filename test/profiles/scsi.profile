# The virtio SCSI driver, tried against QEMU's adapter and the simulator's: test/smoke/scsi.sh and test/sim/scsi.sh run it.
profile   scsi
summary   "Exercises a SCSI disk, network and entropy, then halts"
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
component drv/virtio-scsi
component drv/virtio-rng
component crypto/entropy
component app/virtio-test

wire bus/virtio.pci         -> bus/pci.functions
wire drv/virtio-net.bus     -> bus/virtio.devices
wire drv/virtio-scsi.bus    -> bus/virtio.devices
wire drv/virtio-rng.bus     -> bus/virtio.devices
wire crypto/entropy.device  -> drv/virtio-rng.source
wire app/virtio-test.port   -> drv/virtio-net.port
wire app/virtio-test.disk   -> drv/virtio-scsi.disk
wire app/virtio-test.random -> crypto/entropy.random
wire app/virtio-test.source -> drv/virtio-rng.source
