# An image that goes wrong as its command line says: test/smoke/faults.sh.
profile   fault
summary   "Test: what an image does when it goes wrong"
platform  kvm-q35
memory    16M
status    experiment
component app/fault-test
