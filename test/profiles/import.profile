# SPDX-License-Identifier: MIT OR Apache-2.0
# A FAT or ISO 9660 disk, served as a Directory.
profile    import
summary    "Test: a FAT or ISO 9660 disk, to be read over Cap'n Proto RPC"
platform   kvm-q35
memory     24M
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
component  bus/pci
component  bus/virtio
component  drv/virtio-net rx_buffers=640    # a full window (16 segments) of each of 32 connections, and the ring
component  drv/virtio-blk
component  net/lwip
component  lib/disk
component  store/disk
component  store/import
component  rpc/vat
component  svc/node

wire       bus/virtio.pci          -> bus/pci.functions
wire       drv/virtio-net.bus      -> bus/virtio.devices
wire       drv/virtio-blk.bus      -> bus/virtio.devices
wire       net/lwip.netif          -> drv/virtio-net.port
wire       store/disk.disk         -> drv/virtio-blk.disk
wire       store/import.disk       -> store/disk.device
wire       svc/node.vat            -> rpc/vat.vat

grant      rpc/vat.listen          -> net/lwip.listen tcp/7000
insecure   rpc/vat

expose     root                    -> store/import.root
expose     volume                  -> store/import.volume
port       7000 rpc
