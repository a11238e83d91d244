# The fixture of root tests, and what runs and checks all tests.
harness_srcs := $(wildcard tests/harness/*.cc)
$(eval $(call library,harness,$(harness_srcs)))

# Root tests: build/MODE/root/NAME, from tests/root/NAME_test.cc and tests/root/NAME/*.cc (Catch2 2).
# root_test NAME LIBRARIES LINKFLAGS
define root_test
root_srcs_$(1) := $(wildcard tests/root/$(1)_test.cc tests/root/$(1)/*.cc)
$(BUILD)/root/$(1): $(BUILD)/obj/tests/unit/main.o $$(patsubst %.cc,$(BUILD)/obj/%.o,$$(root_srcs_$(1))) $(foreach l,harness $(2) base,$(BUILD)/lib$(l).a)
	@mkdir -p $$(@D)
	@echo "  LINK $$@"
	@$(CXX) $(LDFLAGS) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $(3)
all_objs += $(BUILD)/obj/tests/unit/main.o $$(patsubst %.cc,$(BUILD)/obj/%.o,$$(root_srcs_$(1)))
root_tests += $(BUILD)/root/$(1)
endef
