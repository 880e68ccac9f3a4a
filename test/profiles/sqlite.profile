# SPDX-License-Identifier: MIT OR Apache-2.0
# SQLite on a thread over a disk's capability: test/smoke/sqlite.sh and test/sim/sqlite.sh run it.
profile   sqlite
summary   "Test: SQLite on a volume; transactions with verification, then halts"
platform  kvm-q35
memory    24M
status    experiment

component lib/pci
component lib/virtio
component lib/blkdev
component lib/capnp
component lib/crc32c
component lib/disk
component lib/entropy
component lib/mark
component lib/volume
component lib/sqlite
component bus/pci
component bus/virtio
component drv/virtio-blk
component drv/virtio-rng
component crypto/entropy
component store/disk
component app/sqlite-test

wire bus/virtio.pci         -> bus/pci.functions
wire drv/virtio-blk.bus     -> bus/virtio.devices
wire drv/virtio-rng.bus     -> bus/virtio.devices
wire crypto/entropy.device  -> drv/virtio-rng.source
wire store/disk.disk        -> drv/virtio-blk.disk
wire app/sqlite-test.disk   -> store/disk.device
wire app/sqlite-test.random -> crypto/entropy.random
