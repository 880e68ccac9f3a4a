# SPDX-License-Identifier: MIT OR Apache-2.0
# tap: the network alone with an address of its own, on a TAP of the host: test/smoke/tap.sh.
profile    tap
summary    "Test: TCP echo on port 7007 of 10.77.0.2"
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
component  net/lwip dhcp=no address=10.77.0.2
component  app/tcp-echo

wire       bus/virtio.pci        -> bus/pci.functions
wire       drv/virtio-net.bus    -> bus/virtio.devices
wire       net/lwip.netif        -> drv/virtio-net.port
grant      app/tcp-echo.listen   -> net/lwip.listen tcp/7007
port       7007 echo
