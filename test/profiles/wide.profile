# SPDX-License-Identifier: MIT OR Apache-2.0
# Eight sessions that use a store over the network and say what they see: the simulator's main workload.
profile    wide
summary    "Test: sessions that use more blobs and names than a small store has"
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
component  app/store-load blobs=40 keys=24 resume=yes

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
