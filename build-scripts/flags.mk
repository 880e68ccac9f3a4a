# SPDX-License-Identifier: MIT OR Apache-2.0
# flags.mk: how each kind of code is compiled and linked. Included by the Makefile; a change here rebuilds everything.
# Kinds ("flavors"): elf, the image; sim, the same image as a Linux process; test, host unit tests; fuzz, libFuzzer targets.

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wundef \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wformat -Wformat-security -Wno-unused-parameter -Wno-missing-field-initializers \
	-Werror=implicit-function-declaration -Werror=incompatible-pointer-types -Werror=int-conversion -Werror=return-type \
	-Werror=unused-result $(WERROR)
CLANG_THREADS := -Wthread-safety -Wno-ignored-attributes
# No path of this machine gets into an object, so an image is the same bytes wherever it is built.
C_ALL := -std=gnu2x -g -fno-common -fno-omit-frame-pointer -ffile-prefix-map=$(SRC)/= -fdebug-prefix-map=$(CURDIR)=. $(DEBUG_FLAGS)

# __FILE_NAME__ is clang's only; both compilers get the file's own name.
elf.CC := $(CC)
elf.FLAGS := $(C_ALL) $(OPTIMIZE) -ffreestanding -nostdinc -isystem $(CC_INCLUDE) -I$(SRC)/core/include/libc \
	-fpie -m64 -march=x86-64 -mno-red-zone -mcmodel=small -fvisibility=hidden -fcf-protection=none \
	-fstack-protector-strong -mstack-protector-guard=global -fstack-clash-protection -ftrivial-auto-var-init=zero \
	$(CC_AUTO_VAR_INIT) -fno-asynchronous-unwind-tables -fno-unwind-tables -ffunction-sections -fdata-sections
elf.CORE_FLAGS := -mgeneral-regs-only
elf.LINK := -nostdlib -pie --no-dynamic-linker -z text -z noexecstack -z max-page-size=4096 -z pack-relative-relocs --gc-sections --build-id=sha1

sim.CC := $(CC)
sim.FLAGS := $(C_ALL) -O1 -D_GNU_SOURCE -DCONFIG_POINTS=1 -fpie -fstack-protector-strong -ftrivial-auto-var-init=zero $(CC_AUTO_VAR_INIT) $(SIM_SANITIZE) $(SIM_EDGES)
# The machine is stopped at no edge of its own.
sim.MACHINE_FLAGS := $(if $(SIM_EDGES),-fno-sanitize-coverage=trace-pc)
# What the machine puts in the place of core's: platform/sim/scarce.c.
sim.LINK := -pie -Wl,--build-id=sha1 -Wl,--wrap=pool_get -Wl,--wrap=arena_alloc $(SIM_SANITIZE) -pthread

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
test.CC := $(CC)
test.FLAGS := $(C_ALL) -O1 -D_GNU_SOURCE -DCONFIG_ASSERT_SLOW=1 $(SANITIZE) -I$(SRC)/test/unit
test.LINK := -pthread -lm

fuzz.CC := $(FUZZ_CC)
fuzz.FLAGS := $(C_ALL) -O1 -D_GNU_SOURCE -DCONFIG_ASSERT_SLOW=1 -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all -I$(SRC)/test/unit
fuzz.LINK := -fsanitize=fuzzer -pthread -lm

# Third-party files are compiled as their makers meant them: no warnings of ours, no strict aliasing.
LIBRARY := -w -fno-strict-aliasing

HOST_CXXFLAGS := -std=c++17 -O1 -g -Wall -Wextra -Wno-unused-parameter $(WERROR)
