# Targets that run tests and checks. Programs are built by a second make, since the first may just
# have installed the compiler.
$(eval $(call unit_test,harness,harness base,-lpng))

JOBS ?= $(shell nproc)
build_now = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))
RUN_TESTS := tests/harness/run.py

test-programs: $(programs) $(unit_tests) $(root_tests)
unit-tests: $(unit_tests)
root-tests: $(root_tests)

check:
	@$(build_now) unit-tests
	@$(RUN_TESTS) --timeout 60 $(unit_tests)

test: deps
	@$(build_now) test-programs
	@$(RUN_TESTS) $(unit_tests) $(root_tests)

.PHONY: test-programs unit-tests root-tests check test

lab: deps
	@contrib/deps.sh lab
	@$(build_now) test-programs
	@tests/lab/run-all $(BUILD)

.PHONY: lab

lint: export LINT_CXXFLAGS = $(CXXFLAGS) $(gtk_cflags)
lint:
	@contrib/deps.sh build test lint
	@tests/lint/lint.py $(STEPS)

# Lays out all sources as lint wants them.
format:
	@contrib/deps.sh lint
	@git ls-files '*.cc' '*.h' | xargs clang-format-14 -i

.PHONY: lint format

include tests/bench/module.mk
bench-programs: $(bench_programs) $(programs)
bench: deps
	@contrib/deps.sh lab bench
	@$(build_now) bench-programs
	@tests/bench/run $(BUILD)

.PHONY: bench bench-programs

$(eval $(call program,screen-text,tests/demo/screen_text.cc,harness base,-lpng))
demo-programs: $(programs) $(BUILD)/screen-text
demo: deps
	@$(build_now) demo-programs
	@tests/demo/demo.sh $(BUILD)

.PHONY: demo demo-programs
