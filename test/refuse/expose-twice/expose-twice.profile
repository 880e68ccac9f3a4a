profile   expose-twice
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
component svc/fake-echo
expose    echo -> svc/fake-echo.echo
expose    echo -> svc/fake-echo.echo
