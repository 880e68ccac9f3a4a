profile   grant-types
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
component lib/fake-port
component drv/fake-net
component net/fake-tcp
component app/fake-x
component drv/fake-y
wire net/fake-tcp.netif -> drv/fake-net.port
grant app/fake-x.h -> net/fake-tcp.listen tcp/1
grant drv/fake-y.h -> net/fake-tcp.listen tcp/2
grant app/fake-x.n -> app/fake-x.g x
