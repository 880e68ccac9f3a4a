profile   line-forms
summary   "must be refused"
platform  kvm-q35
memory    16M
status    experiment
component lib/fake-port # 
component drv/fake-net ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128 ring=00128
insecure rpc/x rpc/x
budget text=1M text=2M
