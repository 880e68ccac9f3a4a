# SPDX-License-Identifier: MIT OR Apache-2.0
# The store on its disk, and a session in the same image that two operations on a store of its own: for the crash explorer (test/sim).
profile    crash
summary    "Test: a store and one session that two operations on a store of its own"
platform   kvm-q35
memory     8M
status     simulated

component  lib/pci
component  lib/virtio
component  lib/netdev
component  lib/blkdev
component  lib/entropy
component  lib/inet
component  lib/stream
component  lib/tcp
component  lib/capnp
component  lib/store
component  lib/crc32c
component  bus/pci
component  bus/virtio
component  drv/virtio-blk
component  drv/virtio-rng
component  crypto/sha256
component  crypto/entropy
component  lib/disk
component  lib/volume
component  lib/sqlite heap=1M
component  lib/catalog
component  store/disk
component  store/engine uploads_max=2 sources_max=2 reads_max=4 writes_max=8 log_blocks=32 leaves=2 lists_max=1
component  rpc/vat connections=1 calls_all=16 promises=16 small_buffers=16 medium_buffers=2 large_buffers=1 exports=16 imports=16 questions=4 answers=16
component  svc/node
component  app/store-load sessions=1 ops=2 keys=2 blobs=3 think_ms=0 chosen=yes

wire       bus/virtio.pci          -> bus/pci.functions
wire       drv/virtio-blk.bus      -> bus/virtio.devices
wire       drv/virtio-rng.bus      -> bus/virtio.devices
wire       crypto/entropy.device   -> drv/virtio-rng.source
wire       store/disk.disk         -> drv/virtio-blk.disk
wire       store/engine.disk       -> store/disk.device
wire       store/engine.data       -> store/disk.port
wire       store/engine.random     -> crypto/entropy.random
wire       svc/node.vat            -> rpc/vat.vat
wire       app/store-load.random   -> crypto/entropy.random
wire       app/store-load.store    -> store/engine.store
wire       app/store-load.names    -> store/engine.names

insecure   rpc/vat
