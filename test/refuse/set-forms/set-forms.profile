profile   set-forms
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
component lib/fake-port
component drv/fake-net
