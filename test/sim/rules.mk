# SPDX-License-Identifier: MIT OR Apache-2.0
# rules.mk: the simulator's programs: build/sim/sim, the coordinator, build/sim/explore, the crash
# explorer, and build/sim/check-history, the checker of a store for what ran elsewhere.
SIM_SRC := $(SRC)/test/sim
SIM_FLAGS := $(HOST_CFLAGS) -I$(SIM_SRC) -I$(SRC)/platform/sim -I$(SRC)/build-scripts/host/switch
sim_objects = $(patsubst $(SIM_SRC)/%.c,build/sim/%.o,$1) build/sim/sim_link.o
SIM_OBJECTS := $(call sim_objects,$(wildcard $(SIM_SRC)/*.c)) build/host/switch/wire_fate.o build/host/switch/dhcp.o
EXPLORE_OBJECTS := $(call sim_objects,$(wildcard $(SIM_SRC)/crash/*.c) $(SIM_SRC)/image.c $(SIM_SRC)/util.c $(SIM_SRC)/check_store.c)
HISTORY_OBJECTS := $(call sim_objects,$(SIM_SRC)/history/main.c $(SIM_SRC)/util.c $(SIM_SRC)/check_store.c)

build/sim/%.o: $(SIM_SRC)/%.c $(CONFIGURED)
	@$(STEP) CC $@ $(CC) $(SIM_FLAGS) -MMD -MP -c -o $@ $<
build/sim/sim_link.o: $(SRC)/platform/sim/sim_link.c $(CONFIGURED)
	@$(STEP) CC $@ $(CC) $(SIM_FLAGS) -MMD -MP -c -o $@ $<
build/sim/sim: $(SIM_OBJECTS)
	@$(STEP) LINK $@ $(CC) -o $@ $^
build/sim/explore: $(EXPLORE_OBJECTS)
	@$(STEP) LINK $@ $(CC) -o $@ $^
build/sim/check-history: $(HISTORY_OBJECTS)
	@$(STEP) LINK $@ $(CC) -o $@ $^
CHECK_NEEDS += $(call want,build/sim/sim build/sim/explore,sim) $(call want,build/sim/check-history,smoke)
DEPENDENCIES += $(SIM_OBJECTS:.o=.d) $(EXPLORE_OBJECTS:.o=.d) $(HISTORY_OBJECTS:.o=.d)

# The coordinator's disk, as a unit test.
UNIT_TESTS += build/test/unit/sim-disk
build/test/unit/sim-disk: $(SIM_SRC)/test/disk_test.c build/test/support.o build/test/lib/core.a $(CONFIGURED)
	$(call link_test,test,-Wno-multichar -I$(SIM_SRC) -I$(SRC)/platform/sim -I$(SRC)/build-scripts/host/switch,$<,)
CHECK_NEEDS += $(call want,build/test/unit/sim-disk,unit)

# make sim SEED=n [FLEET=f] [FAULTS=list] [TRANSPORT=t] [TIMELINE=file]: one run. make sim-swarm N=…: many, in all CPUs.
SEED ?= 1
FLEET ?= store
N ?= 200
SIM_FLEET := $(firstword $(wildcard $(SIM_SRC)/fleets/$(FLEET).fleet) $(FLEET))
sim_images = $(foreach p,$(shell sed -n 's/^node  *[^ ]*  *\([^ ]*\).*/\1/p' $(SIM_FLEET) 2>/dev/null),build/$p/$p.sim)
SIM_RUN = $(if $(wildcard $(SIM_FLEET)),,$(error FLEET=$(FLEET): there is none; a file, or one of: $(basename $(notdir $(wildcard $(SIM_SRC)/fleets/*.fleet)))))build/sim/sim --fleet $(SIM_FLEET) --seed $(SEED) $(if $(FAULTS),--faults $(FAULTS)) $(if $(TRANSPORT),--transport $(TRANSPORT))
.PHONY: sim sim-swarm sim-shrink bench-sim
sim: build/sim/sim $(sim_images)
	@$(SIM_RUN) $(if $(TIMELINE),--timeline $(TIMELINE))
sim-swarm: build/sim/sim $(sim_images)
	@$(SIM_RUN) --swarm $(N)
sim-shrink: build/sim/sim $(sim_images)
	@$(SIM_RUN) --shrink

# What an event and a crash state cost, on one CPU: eight sessions on a store, all faults; every sequence of two operations.
bench-sim: build/sim/sim build/sim/explore $(foreach p,store load crash crash-audit,build/$p/$p.sim)
	@taskset -c 0 build/sim/sim --fleet $(SIM_SRC)/fleets/store.fleet --seed 1 --swarm 200
	@taskset -c 0 build/sim/explore --all

# build/sim/replay: the device models alone, asked what QEMU's devices were asked (traces/).
REPLAY_MODELS := $(addprefix $(SRC)/platform/sim/,pci.c pci_msix.c $(addprefix models/,disk/disk_medium.c $(addprefix nvme/nvme_,model.c rings.c admin.c data.c fault.c) virtio/virtio_model.c virtio/virtio_queue.c virtio/virtio_fault.c \
	$(foreach m,mmio pci net blk rng,virtio-$m/virtio_$m_model.c)))
build/sim/replay: $(SIM_SRC)/traces/replay.c $(REPLAY_MODELS) build/test/support.o build/test/lib/core.a $(CONFIGURED)
	$(call link_test,test,$(CORE_INCLUDE) -I$(SRC)/platform/sim -I$(SRC)/platform/sim/test -Ibuild/test/inc/core -I$(SRC)/test/unit,$(filter %.c,$^),)
CHECK_NEEDS += $(call want,build/sim/replay,sim)
