profile   conf-forms
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
