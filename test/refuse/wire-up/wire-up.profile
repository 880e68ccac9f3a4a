profile   wire-up
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
component drv/fake-up
component app/fake-top
wire      drv/fake-up.friend -> app/fake-top.friend
