# SPDX-License-Identifier: MIT OR Apache-2.0
# A peer that keeps what it is given, for as long as the run takes.
profile    keeper
summary    "Test: results that are never finished"
platform   kvm-q35
memory     16M
status     simulated

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
component  drv/virtio-net rx_buffers=640
component  drv/virtio-rng
component  crypto/entropy
component  net/lwip
component  rpc/vat
component  app/storm visits=8 manner=keep until_ms=100000

wire       bus/virtio.pci          -> bus/pci.functions
wire       drv/virtio-net.bus      -> bus/virtio.devices
wire       drv/virtio-rng.bus      -> bus/virtio.devices
wire       crypto/entropy.device   -> drv/virtio-rng.source
wire       net/lwip.netif          -> drv/virtio-net.port
wire       net/lwip.random         -> crypto/entropy.random
wire       app/storm.random        -> crypto/entropy.random

grant      rpc/vat.listen          -> net/lwip.listen tcp/7000
grant      app/storm.connect       -> net/lwip.connect tcp/any
insecure   rpc/vat
port       7000 rpc
