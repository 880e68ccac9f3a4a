# SPDX-License-Identifier: MIT OR Apache-2.0
# rules.mk: fuzz targets that belong to no component: the doors of the host programs.

HOST_FUZZ := build/fuzz/run/profile
FUZZ_TESTS += $(HOST_FUZZ)
build/fuzz/run/profile: $(SRC)/test/fuzz/profile_fuzz.c $(CONFIGURED)
	@$(STEP) LINK $@ $(FUZZ_CC) $(fuzz.FLAGS) $(WARN) -o $@ $< $(fuzz.LINK)
CHECK_NEEDS += $(if $(FUZZ_CC),$(call want,$(HOST_FUZZ),fuzz))
