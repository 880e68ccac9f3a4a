# SPDX-License-Identifier: MIT OR Apache-2.0
# An image of your own: the smallest one, with the guest book of this folder where hello has an Echo.
profile    guests
summary    "A guest book over Cap'n Proto RPC, from a component outside the tree"
platform   kvm-q35
memory     12M
status     experiment

component  lib/pci
component  lib/virtio
component  lib/netdev
component  lib/entropy
component  lib/inet
component  lib/stream
component  lib/tcp
component  lib/capnp
component  bus/pci
component  bus/virtio
component  drv/virtio-net rx_buffers=640    # a full window (16 segments) of each of 32 connections, and the ring
component  drv/virtio-rng
component  crypto/entropy
component  net/lwip
component  rpc/vat
component  svc/node
component  svc/guests remembered=3 welcome=Hello

wire       bus/virtio.pci          -> bus/pci.functions
wire       drv/virtio-net.bus      -> bus/virtio.devices
wire       drv/virtio-rng.bus      -> bus/virtio.devices
wire       crypto/entropy.device   -> drv/virtio-rng.source
wire       net/lwip.netif          -> drv/virtio-net.port
wire       net/lwip.random         -> crypto/entropy.random
wire       svc/node.vat            -> rpc/vat.vat

grant      rpc/vat.listen          -> net/lwip.listen tcp/7000
insecure   rpc/vat

expose     guests                  -> svc/guests.book
port       7000 rpc
