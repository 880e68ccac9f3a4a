# SPDX-License-Identifier: MIT OR Apache-2.0
# rules.mk: make coverage, which lines and branches the unit tests and some seeds of the simulator run. `report` does it, in a
# build folder of its own. Not among its tests: those of what the optimiser leaves, and those that a script links.
COVERED_TESTS = $(filter-out %-as-in-the-image $(INTEROP_TESTS),$(UNIT_TESTS))
.PHONY: coverage coverage-tests
coverage:
	@$(SRC)/test/coverage/report $(SRC) build "$(MAKE)"
coverage-tests:
	@printf '%s\n' $(COVERED_TESTS)
