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
