# SPDX-License-Identifier: MIT OR Apache-2.0
# tcp-echo: the network alone, for test/smoke/tcp-echo.sh.
profile    tcp-echo
summary    "TCP echo on port 7007"
platform   kvm-q35
memory     16M
status     experiment

component  lib/pci
component  lib/virtio
component  lib/netdev
component  lib/inet
component  lib/stream
component  lib/tcp
component  lib/entropy
component  bus/pci
component  bus/virtio
component  drv/virtio-net rx_buffers=256
component  net/lwip
component  app/tcp-echo

wire       bus/virtio.pci        -> bus/pci.functions
wire       drv/virtio-net.bus    -> bus/virtio.devices
wire       net/lwip.netif        -> drv/virtio-net.port
grant      app/tcp-echo.listen   -> net/lwip.listen tcp/7007
port       7007 echo
