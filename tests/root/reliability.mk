# Trials that kill, flood and starve: few rounds in `make test`, many with ZONED_SOAK=1 (make soak).
$(eval $(call library,trial,$(wildcard tests/root/trial/*.cc)))
trial_libs := trial daemon vmzone core netns resource labels api
trial_needs := $(addprefix $(BUILD)/,zoned zone zone-keeper zone-init zone-unpack zone-import zone-parse zone-readdown zone-dhcp6)

$(eval $(call root_test,reliability,$(trial_libs),-lseccomp -lsystemd -lnftables -lnl-3 -lnettle))
$(BUILD)/root/reliability: | $(trial_needs)
$(eval $(call root_test,resources,$(trial_libs),-lseccomp -lsystemd -lnftables -lnl-3 -lnettle))
$(BUILD)/root/resources: | $(trial_needs) $(BUILD)/victims/forkbomb

# Guests of vm zones.
$(eval $(call library,vmguest,$(wildcard tests/root/vmguest/*.cc)))
$(eval $(call root_test,vm,vmguest $(trial_libs),-lseccomp -lsystemd -lnftables -lnl-3 -lnettle -lpng))
$(BUILD)/root/vm: | $(trial_needs)
$(eval $(call root_test,guests,vmguest api,-lpng))
$(BUILD)/root/guests: | $(trial_needs)
$(eval $(call root_test,channels,vmguest api,-lpng))
$(BUILD)/root/channels: | $(trial_needs) $(BUILD)/victims/courier

$(eval $(call root_test,view,vmguest view labels api,-lpng -lseccomp))
$(BUILD)/root/view: | $(trial_needs) $(BUILD)/zone-view $(BUILD)/victims/painter

$(BUILD)/victims/forkbomb: $(BUILD)/obj/tests/victims/forkbomb.o
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(STATIC)
all_objs += $(BUILD)/obj/tests/victims/forkbomb.o

# Fault points are compiled into other modes only: a release build tests those of MODE=test.
ifeq ($(MODE),release)
root_tests += $(BUILD)/root/faults
$(BUILD)/root/faults: faults-in-test-mode
	@mkdir -p $(@D)
	@ln -sf ../../test/root/faults $@
faults-in-test-mode:
	@$(MAKE) --no-print-directory MODE=test BUILD=build/test build/test/root/faults
.PHONY: faults-in-test-mode
else
$(eval $(call root_test,faults,$(trial_libs),-lseccomp -lsystemd -lnftables -lnl-3 -lnettle))
$(BUILD)/root/faults: | $(trial_needs)
endif

soak: deps
	@$(build_now) $(addprefix $(BUILD)/root/,reliability faults resources)
	@ZONED_SOAK=1 $(RUN_TESTS) --timeout 14400 $(addprefix $(BUILD)/root/,reliability faults resources)
.PHONY: soak
