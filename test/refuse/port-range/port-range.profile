profile   port-range
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
port      70000 rpc
