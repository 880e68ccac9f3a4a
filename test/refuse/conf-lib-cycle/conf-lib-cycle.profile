profile   conf-lib-cycle
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
component lib/fake-p
component lib/fake-q
