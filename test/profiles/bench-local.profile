# What make bench measures inside an image (test/bench/README.md): calls, and reads of the disk; then it halts.
profile   bench-local
summary   "make bench: calls and disk reads, counted from outside"
platform  kvm-q35
memory    12M
status    experiment

component lib/pci
component lib/virtio
component lib/blkdev
component lib/mark
component lib/capnp
component lib/disk
component store/disk
component bus/pci
component bus/virtio
component drv/virtio-blk
component app/bench

wire bus/virtio.pci     -> bus/pci.functions
wire drv/virtio-blk.bus -> bus/virtio.devices
wire store/disk.disk    -> drv/virtio-blk.disk
wire app/bench.disk     -> drv/virtio-blk.disk
wire app/bench.device   -> store/disk.device
