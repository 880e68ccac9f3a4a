profile   conf-need-sideways
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
component net/fake-x
