# SPDX-License-Identifier: MIT OR Apache-2.0
# Three sessions whose blobs are larger than any buffer between them and the disk, and empty.
profile    huge
summary    "Test: sessions that put blobs of up to 4 MB, and empty ones"
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
component  app/store-load sessions=3 ops=10 blobs=8 scale=100 deadline_ms=20000

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
