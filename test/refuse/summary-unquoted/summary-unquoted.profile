profile   summary-unquoted
summary   two of words
platform  kvm-q35
memory    16M
status    experiment
