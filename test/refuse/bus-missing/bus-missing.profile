profile   bus-missing
summary   "must be refused"
platform  microvm
memory    16M
status    experiment
component lib/fake-port
component drv/fake-net
