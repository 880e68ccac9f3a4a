profile   no-memory
summary   "x"
platform  kvm-q35
status    experiment
