# The core alone: it boots to diag>. For those who work on core and platform.
profile   bare
summary   "Core and machine, no component: boots to the diagnostics console"
platform  kvm-q35
memory    8M
status    experiment
