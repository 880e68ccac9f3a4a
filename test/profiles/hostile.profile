# SPDX-License-Identifier: MIT OR Apache-2.0
# A store with sessions of its own that never stop, and a network: for the devices of test/hostile, which lie to it.
profile    hostile
summary    "Test: a store that is used without end, and a network, beside devices that lie"
platform   kvm-q35
memory     16M
status     experiment

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
component  drv/virtio-net
component  drv/virtio-blk
component  drv/virtio-rng
component  crypto/sha256
component  crypto/entropy
component  net/lwip connections=8 dhcp=no address=10.9.0.10
component  lib/disk
component  lib/volume
component  lib/sqlite heap=2M
component  lib/catalog
component  store/disk
component  store/engine uploads_max=2 sources_max=2 reads_max=4 writes_max=8 log_blocks=256 leaves=2 lists_max=1
component  rpc/vat connections=1 calls_all=16 promises=16 small_buffers=16 medium_buffers=2 large_buffers=1 exports=16 imports=16 questions=4 answers=16
component  svc/node
component  app/store-load sessions=2 ops=100000 keys=6 blobs=12 think_ms=10

wire       bus/virtio.pci          -> bus/pci.functions
wire       drv/virtio-net.bus      -> bus/virtio.devices
wire       drv/virtio-blk.bus      -> bus/virtio.devices
wire       drv/virtio-rng.bus      -> bus/virtio.devices
wire       crypto/entropy.device   -> drv/virtio-rng.source
wire       net/lwip.netif          -> drv/virtio-net.port
wire       net/lwip.random         -> crypto/entropy.random
wire       store/disk.disk         -> drv/virtio-blk.disk
wire       store/engine.disk       -> store/disk.device
wire       store/engine.data       -> store/disk.port
wire       store/engine.random     -> crypto/entropy.random
wire       svc/node.vat            -> rpc/vat.vat
wire       app/store-load.random   -> crypto/entropy.random
wire       app/store-load.store    -> store/engine.store
wire       app/store-load.names    -> store/engine.names

grant      rpc/vat.listen          -> net/lwip.listen tcp/7000
insecure   rpc/vat
port       7000 rpc
