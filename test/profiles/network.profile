# SPDX-License-Identifier: MIT OR Apache-2.0
# The network handed out as capabilities: one port to listen on, one to exchange datagrams, connections to anywhere.
profile    network
summary    "Test: the network as capabilities over RPC"
platform   kvm-q35
memory     16M
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
component  drv/virtio-net rx_buffers=640
component  drv/virtio-rng
component  crypto/entropy
component  net/lwip udp_buffers=32
component  rpc/vat
component  svc/node
component  svc/network

wire       bus/virtio.pci          -> bus/pci.functions
wire       drv/virtio-net.bus      -> bus/virtio.devices
wire       drv/virtio-rng.bus      -> bus/virtio.devices
wire       crypto/entropy.device   -> drv/virtio-rng.source
wire       net/lwip.netif          -> drv/virtio-net.port
wire       net/lwip.random         -> crypto/entropy.random
wire       svc/node.vat            -> rpc/vat.vat
wire       svc/network.info        -> net/lwip.info

grant      rpc/vat.listen          -> net/lwip.listen tcp/7000
grant      svc/network.listen      -> net/lwip.listen tcp/7100
grant      svc/network.connect     -> net/lwip.connect tcp/any
grant      svc/network.udp         -> net/lwip.udp udp/7200
insecure   rpc/vat

expose     network                 -> svc/network.network
port       7000 rpc
port       7100 listen
