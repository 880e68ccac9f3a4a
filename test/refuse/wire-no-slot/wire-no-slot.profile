profile   wire-no-slot
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
component lib/fake-port
component drv/fake-net
component net/fake-tcp
wire      net/fake-tcp.netif -> drv/fake-net.port
wire      net/fake-tcp.nic -> drv/fake-net.port
