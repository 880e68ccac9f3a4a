profile   key-without-value
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
port
