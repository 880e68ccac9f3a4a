# SPDX-License-Identifier: MIT OR Apache-2.0
# rules.mk: the interop tests of lib/capnp and capnpc-c: messages of random schemas, and of the one with every kind of field,
# through libcapnp and through C. `make check` does 50 random schemas; test/deep/capnp-schemas.sh does 1,000.
INTEROP_SRC := $(SRC)/test/interop
INTEROP_INCLUDE := -I$(INTEROP_SRC) -Ibuild/test/inc/lib-capnp -I$(SRC)/core/include
INTEROP_TESTS := build/test/unit/interop-random build/test/unit/interop-all
UNIT_TESTS += $(INTEROP_TESTS)
CHECK_NEEDS += $(call want,$(INTEROP_TESTS),unit)

build/interop/schemas: $(INTEROP_SRC)/schemas.c++ $(CONFIGURED)
	@$(STEP) CXX $@ $(CXX) $(HOST_CXXFLAGS) -o $@ $<
build/interop/transcode: $(INTEROP_SRC)/transcode.c++ build/host/capnpc-c/model.o
	@$(STEP) CXX $@ $(CXX) $(HOST_CXXFLAGS) $(HOST_CAPNP_CFLAGS) -o $@ $^ $(HOST_CAPNP_LIBS)
build/interop/reference.o: $(INTEROP_SRC)/reference.c++ $(INTEROP_SRC)/shim.h $(CONFIGURED)
	@$(STEP) CXX $@ $(CXX) $(HOST_CXXFLAGS) $(HOST_CAPNP_CFLAGS) $(INTEROP_INCLUDE) -c -o $@ $<
build/interop/shim.o build/interop/runtime.o: build/interop/%.o: $(INTEROP_SRC)/%.c $(INTEROP_SRC)/shim.h $(wildcard $(SRC)/components/lib/capnp/*.[ch]) $(CONFIGURED)
	$(call compile,test,CC,$(INTEROP_INCLUDE))
build/interop/reference.a: build/interop/reference.o build/interop/shim.o build/interop/runtime.o build/test/support.o
	@$(STEP) AR $@ $(archive_of)

build/interop/random.capnp: build/interop/schemas $(INTEROP_SRC)/batch
	@$(STEP) SCHEMAS $@ sh -c '$(INTEROP_SRC)/batch "$$0" 1 50 "$$1" >/dev/null' $< $@
build/interop/all.capnp: $(SRC)/components/lib/capnp/test/all.capnp
	@$(STEP) COPY $@ cp $< $@
build/interop/random build/interop/all: build/interop/%: build/interop/%.capnp build/interop/reference.a build/interop/transcode build/capnpc-c $(INTEROP_SRC)/compare
	@$(STEP) INTEROP $@ env CC="$(CC)" CXX="$(CXX)" CAPNP="$(CAPNP)" LIBS="$(HOST_CAPNP_LIBS)" $(INTEROP_SRC)/compare $(SRC) build $<
$(INTEROP_TESTS): build/test/unit/interop-%: build/interop/%
	@$(STEP) TEST $@ sh -c 'mkdir -p build/test/unit; printf "#!/bin/sh\nexec %s/$< %s/$<.request 100 1\n" "$$PWD" "$$PWD" >$@; chmod +x $@'
.SECONDARY: build/interop/reference.o build/interop/shim.o build/interop/runtime.o

# Programs over RPC, between libcapnp and rpc/vat, both ways: the calculator; late, for capabilities that become known late. In a
# folder's name: server.c and client.c, ours, reference.c++, libcapnp's. What they share is the calculator's.
# $(call over_rpc,FOLDER,SCHEMA,SCHEMA'S ROOT,INCLUDES,ARCHIVES,TESTS)
OVER_RPC := $(INTEROP_SRC)/calculator
# -Wno-maybe-uninitialized: gcc 12 sees ghosts in kj's promises.
define over_rpc
build/interop/$1/server build/interop/$1/client: build/interop/$1/%: $(INTEROP_SRC)/$1/%.c $(wildcard $(INTEROP_SRC)/$1/*.h $(OVER_RPC)/*.h) $5 build/test/support.o build/test/lib/core.a
	$$(call link_test,test,-Ibuild/test/inc/rpc-vat -Ibuild/test/inc/rpc-vat/gen $4 -I$(OVER_RPC),$$<,$5)
build/interop/gen/$2.c++: $3/$2 $(CONFIGURED)
	@$(STEP) CAPNPC $$@ sh -c 'mkdir -p build/interop/gen && $(CAPNP) compile --src-prefix=$3 -oc++:build/interop/gen $$<'
build/interop/$1/reference: $(INTEROP_SRC)/$1/reference.c++ build/interop/gen/$2.c++
	@$(STEP) CXX $$@ $(CXX) $(HOST_CXXFLAGS) -Wno-maybe-uninitialized $(HOST_CAPNP_CFLAGS) -Ibuild/interop/gen -o $$@ $$^ -Wl,--as-needed $(HOST_CAPNP_LIBS) -pthread
UNIT_TESTS += $6
CHECK_NEEDS += $$(call want,$6,unit)
$6: build/test/unit/interop-$1-%: build/interop/$1/server build/interop/$1/client build/interop/$1/reference $(OVER_RPC)/both
	@$(STEP) TEST $$@ sh -c 'mkdir -p build/test/unit; printf "#!/bin/sh\nexec $(abspath $(OVER_RPC))/both %s/build/interop/$1 $$*\n" "$$$$PWD" >$$@; chmod +x $$@'
endef
$(eval $(call over_rpc,calculator,app/calculator/calculator.capnp,$(SRC)/components,\
	-Ibuild/test/inc/app-calculator -Ibuild/test/inc/app-calculator/gen,\
	build/test/lib/app-calculator.a build/test/lib/rpc-vat.a build/test/lib/lib-capnp.a,\
	$(addprefix build/test/unit/interop-calculator-,c-serves c-calls)))
$(call schema_rule,$(INTEROP_SRC)/late/,late.capnp)
$(INTEROP_SRC)/late/server.c $(INTEROP_SRC)/late/client.c: build/gen/late.capnp.h
$(eval $(call over_rpc,late,late.capnp,$(INTEROP_SRC)/late,-Ibuild/gen,build/test/lib/rpc-vat.a build/test/lib/lib-capnp.a,\
	$(addprefix build/test/unit/interop-late-,c-serves c-calls c-serves-huge c-calls-huge)))

UNIT_TESTS += build/test/unit/capnpc-names
CHECK_NEEDS += $(call want,build/test/unit/capnpc-names,unit)
build/test/unit/capnpc-names: $(INTEROP_SRC)/names.sh build/capnpc-c
	@$(STEP) TEST $@ sh -c 'mkdir -p build/test/unit; printf "#!/bin/sh\nexec $(abspath $<) $(abspath $(SRC)) %s/build\n" "$$PWD" >$@; chmod +x $@'

# rpc/vat over net/lwip, as a peer sees it on the wire.
UNIT_TESTS += build/test/unit/interop-segments
CHECK_NEEDS += $(call want,build/test/unit/interop-segments,unit)
SEGMENTS_ARCHIVES := build/test/lib/rpc-vat.a build/test/lib/net-lwip.a build/test/lib/lib-capnp.a build/test/lib/lib-inet.a
build/test/unit/interop-segments: $(INTEROP_SRC)/segments_test.c $(SEGMENTS_ARCHIVES) build/test/support.o build/test/lib/core.a
	$(call link_test,test,$(test.test.net-lwip.flags) -Ibuild/test/inc/rpc-vat -Ibuild/test/inc/rpc-vat/gen -I$(SRC)/components/net/lwip,$<,$(SEGMENTS_ARCHIVES))
