# SPDX-License-Identifier: MIT OR Apache-2.0
# rules.mk: what the tests of host programs need besides those: the mock node and the schemas that it hands out, the
# unit test of the switch.

MOCK_SCHEMAS := svc/node/node.capnp lib/store/store.capnp svc/echo/echo.capnp
$(foreach s,$(filter-out $(HOST_SCHEMAS),$(MOCK_SCHEMAS)),$(eval $(call host_schema,$s,$(SRC)/components)))
HOST_SCHEMAS += $(MOCK_SCHEMAS)

build/test/host/mock_node: $(SRC)/test/host/mock_node.c++ $(wildcard $(SRC)/test/host/mock_*.h) $(patsubst %,build/host/gen/%.o,$(MOCK_SCHEMAS)) $(CONFIGURED)
	@$(STEP) CXX $@ $(CXX) $(HOST_CXXFLAGS) -I$(SRC)/test/host -Ibuild/host/gen -o $@ $(filter %.c++ %.o,$^) -Wl,--as-needed $(HOST_CAPNP_LIBS) -pthread
build/test/host/schema.bin: $(addprefix $(SRC)/components/,$(MOCK_SCHEMAS))
	@$(STEP) SCHEMA $@ $(SRC)/build-scripts/to-file $@ /dev/null $(CAPNP) compile -o- --src-prefix=$(SRC)/components $^
CHECK_NEEDS += $(call want,build/test/host/mock_node build/test/host/schema.bin,unit)

# The switch's core, as a unit test.
UNIT_TESTS += build/test/unit/host-lan
build/test/unit/host-lan: $(SRC)/test/host/lan_test.c build/test/support.o build/test/lib/core.a $(CONFIGURED)
	$(call link_test,test,-Wno-multichar -I$(SRC)/build-scripts/host/switch,$<,)
CHECK_NEEDS += $(call want,build/test/unit/host-lan,unit)

# `capos disk` finds what is planted.
DISK_TEST_ARCHIVES := $(patsubst %,build/test/lib/lib-%.a,catalog sqlite volume crc32c)
UNIT_TESTS += build/test/unit/host-disk
build/test/unit/host-disk: $(SRC)/test/host/disk_test.c $(filter-out %/disk_machine.c,$(wildcard $(SRC)/build-scripts/host/disk/*.c)) $(DISK_TEST_ARCHIVES) build/test/support.o build/test/lib/core.a $(CONFIGURED)
	$(call link_test,test,$(test.test.lib-catalog.flags) -I$(SRC)/components/lib/catalog -I$(SRC)/build-scripts/host/disk,$(filter %.c,$^),$(DISK_TEST_ARCHIVES))
CHECK_NEEDS += $(call want,build/test/unit/host-disk,unit)
