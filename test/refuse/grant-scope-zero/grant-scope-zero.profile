profile   grant-scope-zero
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
component lib/fake-port
component drv/fake-net
component net/fake-tcp
component rpc/fake-vat
wire      net/fake-tcp.netif -> drv/fake-net.port
wire      rpc/fake-vat.tcp -> net/fake-tcp.tcp
insecure  rpc/fake-vat
grant     rpc/fake-vat.listen -> net/fake-tcp.listen tcp/07000
