# SPDX-License-Identifier: MIT OR Apache-2.0
# rules.mk: fuzz targets that belong to no component: the doors of the host programs.

HOST_FUZZ := build/fuzz/run/profile build/fuzz/run/image
FUZZ_TESTS += $(HOST_FUZZ)
build/fuzz/run/profile: $(SRC)/test/fuzz/profile_fuzz.c $(CONFIGURED)
	@$(STEP) LINK $@ $(FUZZ_CC) $(fuzz.FLAGS) $(WARN) -o $@ $< $(fuzz.LINK)
build/fuzz/run/image: $(SRC)/test/fuzz/image_fuzz.c++ $(SRC)/build-scripts/host/capos/image.c++ build/host/gen/boot.capnp.o $(CONFIGURED) | $(patsubst %,build/host/gen/%.c++,$(capos.schemas))
	@$(STEP) CXX $@ $(FUZZ_CC) -x c++ $(HOST_CXXFLAGS) $(SANITIZE) -fno-sanitize=vptr -fsanitize=fuzzer -Ibuild/host/gen -I$(SRC)/build-scripts/host/capos -o $@ $< \
		$(addprefix $(SRC)/build-scripts/host/capos/,args.c++ fail.c++ progress.c++ text.c++) -x none build/host/gen/boot.capnp.o $(HOST_CAPNP_LIBS) -lstdc++ -lm -pthread
CHECK_NEEDS += $(if $(FUZZ_CC),$(call want,$(HOST_FUZZ),fuzz))

# A whole image under libFuzzer (whole/): the objects of build/store/sim once more, compiled as fuzz targets are. Their rules are
# those of the image with the other flavor's name in them.
ifneq ($(and $(FUZZ_CC),$(wildcard build/store/rules.mk)),)
comma := ,
WHOLE_SRC := $(SRC)/test/fuzz/whole
WHOLE_SEEDS := $(SRC)/test/fuzz/whole-store
fuzz.MACHINE := $(sim.MACHINE)
build/fuzz/store.mk: build/store/rules.mk $(SRC)/test/fuzz/rules.mk
	@mkdir -p $(@D) && sed -n 's|\bstore\([./]\)sim\b|store\1fuzz|g; s|,sim,|,fuzz,|; /store[./]fuzz\b\|,fuzz,/p' $< >$@
-include build/fuzz/store.mk
$(eval $(call flavor_rules,store,fuzz))
WHOLE_OBJECTS := $(filter-out %/sim/main.o %/sim/preempt.o,$(store.fuzz.core)) $(store.fuzz.objects) $(store.fuzz.generated) build/host/switch/dhcp.o
WHOLE_WRAPPED := sim_link_send sim_link_next vm_device_add vm_pop vm_push vm_chain_alive vm_chain_write vm_config_read vm_features_read
WHOLE_FLAGS := $(C_ALL) -O1 -D_GNU_SOURCE $(SANITIZE) $(WARN) '-DWARM_FILE="$(WHOLE_SEEDS)/warm"' -Ibuild/store/inc/core \
	$(addprefix -I$(SRC)/,core/include platform/sim build-scripts/host/switch components)
build/fuzz/run/whole-store: $(wildcard $(WHOLE_SRC)/*.[chS]) $(WHOLE_SEEDS)/warm $(WHOLE_OBJECTS) $(CONFIGURED)
	@$(STEP) LINK $@ $(FUZZ_CC) $(WHOLE_FLAGS) -o $@ $(filter %.c %.S %.o,$^) $(WHOLE_WRAPPED:%=-Wl$(comma)--wrap=%) -Wl,--build-id=sha1 $(fuzz.LINK)
FUZZ_TESTS += build/fuzz/run/whole-store
CHECK_NEEDS += $(call want,build/fuzz/run/whole-store,fuzz)
DEPENDENCIES += $(wildcard build/store/fuzz/*/*.d)
endif
