# SPDX-License-Identifier: MIT OR Apache-2.0
# rules.mk: make check-planted [T="NAME ..."] [SEEDS=n]: every bug of the catalogue must be seen.
.PHONY: check-planted
check-planted: build/sim/sim
	@SEEDS="$(or $(SEEDS),40)" JOBS="$(JOBS)" $(SRC)/test/planted/check $(abspath $(SRC)) $(abspath build) $T
