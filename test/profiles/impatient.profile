# SPDX-License-Identifier: MIT OR Apache-2.0
# store-nvme.profile with so short a patience that stalls of the simulated disk reset the controller: test/sim/fleets/nvme.fleet.
profile    impatient
summary    "Test: the storage node on an NVMe disk whose commands are soon late"
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
component  drv/nvme timeout_ms=1000 queues=3
component  drv/virtio-rng
component  crypto/sha256
component  crypto/entropy
component  net/lwip
component  lib/disk
component  lib/volume
component  lib/sqlite
component  lib/catalog
component  store/disk
component  store/engine
component  rpc/vat
component  svc/node

wire       bus/virtio.pci          -> bus/pci.functions
wire       drv/virtio-net.bus      -> bus/virtio.devices
wire       drv/nvme.bus            -> bus/pci.functions
wire       drv/virtio-rng.bus      -> bus/virtio.devices
wire       crypto/entropy.device   -> drv/virtio-rng.source
wire       net/lwip.netif          -> drv/virtio-net.port
wire       net/lwip.random         -> crypto/entropy.random
wire       store/disk.disk         -> drv/nvme.disk
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
