# SPDX-License-Identifier: MIT OR Apache-2.0
# The smallest image that does something: a console and an RPC Echo.
profile    hello
summary    "Hello: the console, and an Echo over Cap'n Proto RPC"
platform   kvm-q35
memory     12M
status     supported

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
component  svc/echo

wire       bus/virtio.pci          -> bus/pci.functions
wire       drv/virtio-net.bus      -> bus/virtio.devices
wire       drv/virtio-rng.bus      -> bus/virtio.devices
wire       crypto/entropy.device   -> drv/virtio-rng.source
wire       net/lwip.netif          -> drv/virtio-net.port
wire       net/lwip.random         -> crypto/entropy.random
wire       svc/node.vat            -> rpc/vat.vat

grant      rpc/vat.listen          -> net/lwip.listen tcp/7000
insecure   rpc/vat

expose     echo                    -> svc/echo.echo
port       7000 rpc
