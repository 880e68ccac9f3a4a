# The NVMe driver on several queues that are polled; test/smoke/nvme.sh and test/sim/nvme.sh run it.
profile   nvme-many
summary   "The same, on four small queues that are polled"
platform  kvm-q35
memory    16M
status    experiment

component lib/pci
component lib/virtio
component lib/netdev
component lib/blkdev
component lib/entropy
component bus/pci
component bus/virtio
component drv/virtio-net
component drv/nvme queues=4 queue_size=16 command_max=16384 poll=yes
component drv/virtio-rng
component crypto/entropy
component app/virtio-test

wire bus/virtio.pci         -> bus/pci.functions
wire drv/virtio-net.bus     -> bus/virtio.devices
wire drv/nvme.bus           -> bus/pci.functions
wire drv/virtio-rng.bus     -> bus/virtio.devices
wire crypto/entropy.device  -> drv/virtio-rng.source
wire app/virtio-test.port   -> drv/virtio-net.port
wire app/virtio-test.disk   -> drv/nvme.disk
wire app/virtio-test.random -> crypto/entropy.random
wire app/virtio-test.source -> drv/virtio-rng.source
