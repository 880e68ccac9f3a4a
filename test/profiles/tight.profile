# SPDX-License-Identifier: MIT OR Apache-2.0
# The storage node with little room for anything.
profile    tight
summary    "Test: a store whose tables are all small"
platform   kvm-q35
memory     32M
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
component  drv/virtio-net rx_buffers=640    # a full window (16 segments) of each of 32 connections, and the ring
component  drv/virtio-blk queues=2
component  drv/virtio-rng
component  crypto/sha256
component  crypto/entropy
component  net/lwip
component  lib/disk
component  lib/volume
component  lib/sqlite heap=2M
component  lib/catalog
component  store/disk
component  store/engine uploads_max=2 kept_seconds=10 sources_max=2 reads_max=2 writes_max=2 ops_max=2 lists_max=1 log_blocks=256 leaves=2
component  rpc/vat idle_seconds=60 small_buffers=24 medium_buffers=2 large_buffers=1 answers=16 calls=4 calls_all=16 window=16K
component  svc/node

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

grant      rpc/vat.listen          -> net/lwip.listen tcp/7000
insecure   rpc/vat

expose     store                   -> store/engine.store
expose     names                   -> store/engine.names
expose     volume                  -> store/engine.volume
expose     root                    -> store/engine.root
port       7000 rpc
