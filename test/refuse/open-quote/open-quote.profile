profile   open-quote
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
summary   "no end
