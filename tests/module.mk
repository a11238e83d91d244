# Unit tests: one program a folder, build/MODE/unit/NAME, from tests/unit/NAME/*.cc (Catch2 2).
# unit_test NAME LIBRARIES LINKFLAGS
define unit_test
unit_srcs_$(1) := $(wildcard tests/unit/$(1)/*.cc)
$(BUILD)/unit/$(1): $(BUILD)/obj/tests/unit/main.o $$(patsubst %.cc,$(BUILD)/obj/%.o,$$(unit_srcs_$(1))) $(foreach l,$(2),$(BUILD)/lib$(l).a)
	@mkdir -p $$(@D)
	@echo "  LINK $$@"
	@$(CXX) $(LDFLAGS) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $(3)
all_objs += $(BUILD)/obj/tests/unit/main.o $$(patsubst %.cc,$(BUILD)/obj/%.o,$$(unit_srcs_$(1)))
unit_tests += $(BUILD)/unit/$(1)
endef

$(eval $(call unit_test,base,base))
$(eval $(call unit_test,core,core netns resource labels api base,-lseccomp -lnl-3))
$(eval $(call unit_test,spec,core netns labels api base))
$(eval $(call unit_test,install,core netns resource labels base,-lseccomp -larchive -lnl-3))
$(eval $(call unit_test,api,api base,-lnettle))
$(eval $(call unit_test,cli,cli api labels base,-lutil -lnettle))
$(eval $(call unit_test,view,view base,-lseccomp))
$(eval $(call unit_test,labels,labels base))
$(eval $(call unit_test,resource,resource base))
$(eval $(call unit_test,netns,netns labels base,-lnftables -lnl-3))
$(eval $(call unit_test,daemon,daemon vmzone core netns resource labels api base,-lseccomp -lsystemd -lutil -lnftables -lnl-3 -lnettle))
$(eval $(call unit_test,vmzone,vmzone core netns resource labels base,-lseccomp -lnl-3))
$(eval $(call root_test,cgroup,resource))
$(eval $(call root_test,netns,netns labels,-lnftables -lnl-3 -pthread))
include tests/fuzz/module.mk
