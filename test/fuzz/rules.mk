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
