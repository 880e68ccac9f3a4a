profile   "("
summary   "must be refused" more
platform  "kvm-q35 pc"
memory    512K
status    ""
"profile summary" x
port      07000 rpc
component lib/fake-port
component drv/fake-net ring=128 ring=256
component net/fake-tcp
component rpc/fake-vat
wire      net/fake-tcp.netif -> drv/fake-net.port
wire      rpc/fake-vat.tcp -> net/fake-tcp.tcp
grant     rpc/fake-vat.listen -> net/fake-tcp.listen tcp/a\b
budget    text=9999999999999
