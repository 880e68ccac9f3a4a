profile   symbol-raw
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
component drv/fake-x
