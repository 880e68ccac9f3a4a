# SPDX-License-Identifier: MIT OR Apache-2.0
# rules.mk: clients that smoke tests need: the reference implementation of Cap'n Proto against an image.
NETWORK_SCHEMAS := svc/node/node.capnp svc/network/network.capnp
$(foreach s,$(filter-out $(HOST_SCHEMAS),$(NETWORK_SCHEMAS)),$(eval $(call host_schema,$s,$(SRC)/components)))
HOST_SCHEMAS += $(NETWORK_SCHEMAS)
build/host/gen/svc/network/network.capnp.o: | build/host/gen/c.capnp.c++
$(if $(filter c.capnp,$(HOST_SCHEMAS)),,$(eval $(call host_schema,c.capnp,$(SRC)/build-scripts/schema)))

build/test/smoke/network_client: $(SRC)/test/smoke/network_client.c++ $(patsubst %,build/host/gen/%.o,$(NETWORK_SCHEMAS) c.capnp) $(CONFIGURED)
	@$(STEP) CXX $@ $(CXX) $(HOST_CXXFLAGS) -Ibuild/host/gen -o $@ $(filter %.c++ %.o,$^) -Wl,--as-needed $(HOST_CAPNP_LIBS) -pthread
CHECK_NEEDS += $(call want,build/test/smoke/network_client,smoke sim)
