profile   memory-sum
summary   "x"
platform  kvm-q35
memory    1M
status    experiment
component lib/fake-port
component drv/fake-net buffer=1M
