# SPDX-License-Identifier: MIT OR Apache-2.0
# rules.mk: build/test/hostile/lie, the disk and the card that lie to an image in QEMU.
HOSTILE_SRC := $(SRC)/test/hostile
HOSTILE_OBJECTS := $(patsubst $(HOSTILE_SRC)/%.c,build/test/hostile/%.o,$(wildcard $(HOSTILE_SRC)/*.c))
build/test/hostile/%.o: $(HOSTILE_SRC)/%.c $(CONFIGURED)
	@$(STEP) CC $@ $(CC) $(HOST_CFLAGS) -I$(SRC)/build-scripts/host/switch -I$(SRC)/test/sim -MMD -MP -c -o $@ $<
build/test/hostile/lie: $(HOSTILE_OBJECTS) build/sim/util.o build/host/switch/dhcp.o
	@$(STEP) LINK $@ $(CC) -o $@ $^
CHECK_NEEDS += $(call want,build/test/hostile/lie,smoke)
DEPENDENCIES += $(HOSTILE_OBJECTS:.o=.d)
