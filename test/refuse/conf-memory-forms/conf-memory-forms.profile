profile   conf-memory-forms
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
component app/fake-1
component app/fake-2
component app/fake-3
component app/fake-4
component app/fake-5
component app/fake-6
component app/fake-7
