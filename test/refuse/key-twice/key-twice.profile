profile   key-twice
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
memory    32M
