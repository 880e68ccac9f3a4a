profile   bad-memory
summary   "x"
platform  kvm-q35
memory    16Q
status    experiment
