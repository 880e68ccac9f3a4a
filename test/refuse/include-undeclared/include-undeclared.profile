profile   include-undeclared
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
component lib/fake-port
component app/fake-x
