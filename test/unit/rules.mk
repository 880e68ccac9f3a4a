# SPDX-License-Identifier: MIT OR Apache-2.0
# rules.mk: the doors of Cap'n Proto once more, compiled as in the image: its flags, without those for a machine that has no
# libc, and no sanitizer. A check that an optimiser proves away (CVE-2017-7892) is there under ASan at -O1, and gone in what runs.
plain.CC := $(elf.CC)
plain.FLAGS := $(filter-out -ffreestanding -nostdinc -I$(SRC)/core/include/libc -mno-red-zone -mstack-protector-guard=global,$(elf.FLAGS)) \
	-D_GNU_SOURCE -I$(SRC)/test/unit
plain.LINK := -pie -pthread -lm
$(eval $(call host_core,plain))

PLAIN_COMPONENTS := lib/capnp rpc/vat
PLAIN_TESTS := lib/capnp/test/capnp_test.c rpc/vat/test/vat_peer_test.c rpc/vat/test/vat_share_test.c \
	rpc/vat/test/vat_books_test.c rpc/vat/test/vat_order_test.c
plain_name = build/test/unit/$(patsubst %_test,%,$(notdir $(basename $1)))-as-in-the-image
plain_of = $(subst /,-,$(patsubst %/test/,%,$(dir $1)))

# $(call plain_component,ROOM/NAME,ROOM-NAME)
define plain_component
build/plain/$2/%.o: $(SRC)/components/$1/%.c build/test/lib/$2.a $(CONFIGURED)
	$$(call compile,plain,CC,$$(test.test.$2.flags))
build/plain/lib/$2.a: $(patsubst $(SRC)/components/$1/%.c,build/plain/$2/%.o,$(wildcard $(SRC)/components/$1/*.c))
	@$(STEP) AR $$@ $$(call archive_of,plain)
PLAIN_ARCHIVES += build/plain/lib/$2.a
DEPENDENCIES += $(patsubst $(SRC)/components/$1/%.c,build/plain/$2/%.d,$(wildcard $(SRC)/components/$1/*.c))
endef
$(foreach c,$(PLAIN_COMPONENTS),$(eval $(call plain_component,$c,$(subst /,-,$c))))

# $(call plain_test,ROOM/NAME/test/FILE.c)     -Wno-...: tests give absurd sizes, and here the compiler sees them through.
define plain_test
UNIT_TESTS += $(call plain_name,$1)
CHECK_NEEDS += $$(call want,$(call plain_name,$1),unit)
$(call plain_name,$1): $(SRC)/components/$1 $(PLAIN_ARCHIVES) build/plain/support.o build/plain/lib/core.a build/test/unit/$(call plain_of,$1)-$(patsubst %_test,%,$(notdir $(basename $1)))
	$$(call link_test,plain,-Wno-array-bounds -Wno-stringop-overread $$(test.test.$(call plain_of,$1).flags) -I$(SRC)/components/$(patsubst %/test/,%,$(dir $1)),$$<,$(PLAIN_ARCHIVES))
endef
$(foreach t,$(PLAIN_TESTS),$(eval $(call plain_test,$t)))
