# SPDX-License-Identifier: MIT OR Apache-2.0
# rules.mk: the simulator's programs: build/sim/sim, the coordinator, and build/sim/explore, the crash explorer.
SIM_SRC := $(SRC)/test/sim
SIM_FLAGS := -std=gnu2x -O2 -g -D_GNU_SOURCE -Wno-multichar $(WARN) -I$(SIM_SRC) -I$(SRC)/platform/sim
sim_objects = $(patsubst $(SIM_SRC)/%.c,build/sim/%.o,$1) build/sim/sim_link.o
SIM_OBJECTS := $(call sim_objects,$(wildcard $(SIM_SRC)/*.c))
EXPLORE_OBJECTS := $(call sim_objects,$(wildcard $(SIM_SRC)/crash/*.c) $(SIM_SRC)/image.c $(SIM_SRC)/util.c $(SIM_SRC)/check_store.c)

build/sim/%.o: $(SIM_SRC)/%.c $(CONFIGURED)
	@$(STEP) CC $@ $(CC) $(SIM_FLAGS) -MMD -MP -c -o $@ $<
build/sim/sim_link.o: $(SRC)/platform/sim/sim_link.c $(CONFIGURED)
	@$(STEP) CC $@ $(CC) $(SIM_FLAGS) -MMD -MP -c -o $@ $<
build/sim/sim: $(SIM_OBJECTS)
	@$(STEP) LINK $@ $(CC) -o $@ $^
build/sim/explore: $(EXPLORE_OBJECTS)
	@$(STEP) LINK $@ $(CC) -o $@ $^
CHECK_NEEDS += $(call want,build/sim/sim build/sim/explore,sim)
DEPENDENCIES += $(SIM_OBJECTS:.o=.d) $(EXPLORE_OBJECTS:.o=.d)

# make sim SEED=n [FLEET=f] [FAULTS=list] [TIMELINE=file]: one run. make sim-swarm N=…: many, in all CPUs.
SEED ?= 1
FLEET ?= store
N ?= 200
SIM_FLEET := $(firstword $(wildcard $(SIM_SRC)/fleets/$(FLEET).fleet) $(FLEET))
sim_images = $(foreach p,$(shell sed -n 's/^node  *[^ ]*  *\([^ ]*\).*/\1/p' $(SIM_FLEET) 2>/dev/null),build/$p/$p.sim)
SIM_RUN = build/sim/sim --fleet $(SIM_FLEET) --seed $(SEED) $(if $(FAULTS),--faults $(FAULTS))
.PHONY: sim sim-swarm sim-shrink
sim: build/sim/sim $(sim_images)
	@$(SIM_RUN) $(if $(TIMELINE),--timeline $(TIMELINE))
sim-swarm: build/sim/sim $(sim_images)
	@$(SIM_RUN) --swarm $(N)
sim-shrink: build/sim/sim $(sim_images)
	@$(SIM_RUN) --shrink
