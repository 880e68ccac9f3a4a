profile   expose-form
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
expose    echo svc/fake-echo.echo
