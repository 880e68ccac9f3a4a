profile   budget-name
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
budget    code=1K
