# SPDX-License-Identifier: MIT OR Apache-2.0
# rules.mk: the simulator's coordinator, build/sim/sim.
SIM_SRC := $(SRC)/test/sim
SIM_OBJECTS := $(patsubst $(SIM_SRC)/%.c,build/sim/%.o,$(wildcard $(SIM_SRC)/*.c)) build/sim/sim_link.o
SIM_FLAGS := -std=gnu2x -O2 -g -D_GNU_SOURCE -Wno-multichar $(WARN) -I$(SIM_SRC) -I$(SRC)/platform/sim

build/sim/%.o: $(SIM_SRC)/%.c $(CONFIGURED)
	@$(STEP) CC $@ $(CC) $(SIM_FLAGS) -MMD -MP -c -o $@ $<
build/sim/sim_link.o: $(SRC)/platform/sim/sim_link.c $(CONFIGURED)
	@$(STEP) CC $@ $(CC) $(SIM_FLAGS) -MMD -MP -c -o $@ $<
build/sim/sim: $(SIM_OBJECTS)
	@$(STEP) LINK $@ $(CC) -o $@ $^
CHECK_NEEDS += $(call want,build/sim/sim,sim)
DEPENDENCIES += $(SIM_OBJECTS:.o=.d)
