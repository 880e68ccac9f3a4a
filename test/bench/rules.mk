# SPDX-License-Identifier: MIT OR Apache-2.0
# rules.mk: make bench: what runs in the Linux guest, the client, the plug-in that counts, and the run itself (README.md).
#   make bench [ROWS=boot,echo]
BENCH_SRC := $(SRC)/test/bench
BENCH_INCLUDE := -I$(SRC)/components -Ibuild/host/gen
BENCH_CFLAGS := $(HOST_CFLAGS) -I$(SRC)/components
BENCH_SCHEMAS := svc/node/node.capnp svc/echo/echo.capnp lib/store/store.capnp
BENCH_SCHEMA_OBJECTS := $(patsubst %,build/host/gen/%.o,$(BENCH_SCHEMAS))
BENCH_STATIC := -Wl,--no-warnings -Wl,-Bstatic -lcapnp-rpc -lcapnp -lkj-async -lkj
# The kernel's headers make integers of differing signs; -Wno-maybe-uninitialized: gcc 12 sees ghosts in kj's promises.
BENCH_CXXFLAGS := $(HOST_CXXFLAGS) -O2 -Wno-maybe-uninitialized $(HOST_CAPNP_CFLAGS) $(BENCH_INCLUDE)
# The interface of plug-ins that this QEMU speaks (plugin/insncount.c).
BENCH_PLUGIN_VERSION = $(if $(filter 4 5 6 7 8,$(shell qemu-system-x86_64 --version | sed -n 's/^QEMU.*version \([0-9]*\)\..*/\1/p')),1,3)

build/bench/guest/%: $(BENCH_SRC)/linux/%.c $(BENCH_SRC)/linux/guest.h $(SRC)/components/lib/mark/mark.h $(CONFIGURED)
	@$(STEP) CC $@ $(CC) $(BENCH_CFLAGS) -static -s -o $@ $<
build/bench/guest/%: $(BENCH_SRC)/linux/%.c++ $(BENCH_SRC)/linux/node.h $(BENCH_SCHEMA_OBJECTS) $(CONFIGURED)
	@$(STEP) CXX $@ $(CXX) $(BENCH_CXXFLAGS) -static -s -o $@ $< $(BENCH_SCHEMA_OBJECTS) $(BENCH_STATIC) $(BENCH_LIBS) -pthread
build/bench/guest/store: BENCH_LIBS := -lcrypto
build/bench/client: $(BENCH_SRC)/host/client.c++ $(BENCH_SCHEMA_OBJECTS) $(CONFIGURED)
	@$(STEP) CXX $@ $(CXX) $(BENCH_CXXFLAGS) -o $@ $< $(BENCH_SCHEMA_OBJECTS) -Wl,--as-needed $(HOST_CAPNP_LIBS) -pthread
build/bench/insncount.so: $(BENCH_SRC)/plugin/insncount.c $(CONFIGURED)
	@$(STEP) CC $@ $(CC) $(HOST_CFLAGS) -fPIC -shared -fvisibility=hidden -DPLUGIN_VERSION=$(BENCH_PLUGIN_VERSION) -o $@ $<

# The image that measures itself, and the counter, are tried by make check; the Linux guest is built for make bench alone.
CHECK_NEEDS += $(call want,build/bench/insncount.so,smoke)
ROWS ?=
WHAT ?= read-4k-1
BENCH_IMAGES := $(foreach p,hello store bench-local,build/$p/$p.elf)
.PHONY: bench bench-profile bench-packages
bench-packages:
	@missing=$$(sh $(SRC)/build-scripts/bootstrap $(SRC) missing bench; sh $(SRC)/build-scripts/bootstrap $(SRC) missing run); [ -z "$$missing" ] || \
		{ echo "make bench needs these Debian packages:$$missing; ./configure --bootstrap installs them" >&2; exit 1; }
bench: bench-packages $(BENCH_IMAGES) build/bench/client build/bench/insncount.so build/capos build/bench/populate \
		$(addprefix build/bench/guest/,init calls disk echo store files populate)
	@$(BENCH_SRC)/bench $(SRC) build $(ROWS)
bench-profile: bench-packages $(BENCH_IMAGES) build/bench/client build/bench/insncount.so build/capos build/bench/populate
	@$(BENCH_SRC)/bench $(SRC) build profile $(WHAT)

# build/bench/populate: a disk with many files (docs/BENCH.md, "Mount").
build/bench/populate: $(BENCH_SRC)/host/populate.c $(patsubst %,build/host/lib/%.a,disk lib-catalog lib-sqlite lib-volume lib-crc32c) $(CONFIGURED)
	@$(STEP) CC $@ $(CC) $(HOST_CFLAGS) $(test.host.lib-catalog.flags) $(ONE_ROOM) $(CORE_INCLUDE) -I$(SRC)/components -I$(SRC)/build-scripts/host/disk -o $@ $(filter %.c %.a,$^) $(filter %.a,$^) $(filter %.a,$^) -lm -pthread
