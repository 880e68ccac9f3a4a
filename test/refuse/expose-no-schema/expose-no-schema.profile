profile   expose-no-schema
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
component app/fake-x
expose    thing -> app/fake-x.thing
