profile   unknown-platform
summary   "x"
platform  vax
memory    16M
status    experiment
