profile   bad-status
summary   "x"
platform  kvm-q35
memory    16M
status    fine
