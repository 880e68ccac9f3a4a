profile   wire-cycle
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
component app/fake-a
component app/fake-b
wire      app/fake-a.other -> app/fake-b.half
wire      app/fake-b.other -> app/fake-a.half
