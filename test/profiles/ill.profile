# SPDX-License-Identifier: MIT OR Apache-2.0
# The workload of a hostile node (test/sim/hostile.h).
profile    ill
summary    "Test: sessions whose messages somebody spoils on their way; names of their own"
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
component  crypto/sha256
component  crypto/entropy
component  net/lwip
component  lib/store
component  rpc/vat
component  svc/node
component  app/store-load first_key=8 keys=8 ops=200 think_ms=1

wire       bus/virtio.pci          -> bus/pci.functions
wire       drv/virtio-net.bus      -> bus/virtio.devices
wire       drv/virtio-rng.bus      -> bus/virtio.devices
wire       crypto/entropy.device   -> drv/virtio-rng.source
wire       net/lwip.netif          -> drv/virtio-net.port
wire       net/lwip.random         -> crypto/entropy.random
wire       svc/node.vat            -> rpc/vat.vat
wire       app/store-load.vat      -> rpc/vat.vat
wire       app/store-load.random   -> crypto/entropy.random

grant      rpc/vat.listen          -> net/lwip.listen tcp/7000
grant      app/store-load.connect  -> net/lwip.connect tcp/any
insecure   rpc/vat
port       7000 rpc
