# Programs that play the enemy. Static: they run in trees that hold nothing else.
$(BUILD)/victims/attacker: $(BUILD)/obj/tests/victims/attacker.o
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(STATIC)
$(BUILD)/victims/stalker: $(BUILD)/obj/tests/victims/stalker.o
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(STATIC)
# In zone-parse's place.
$(eval $(call program,victims/evilparse,tests/victims/evilparse.cc,core netns resource labels api base,$(STATIC) $(quiet_link) -lseccomp -lnl-3))
evilvmm_objs := $(patsubst %.cc,$(BUILD)/obj/%.o,$(wildcard tests/victims/evilvmm/*.cc))
$(BUILD)/victims/evilvmm: $(evilvmm_objs)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(STATIC)
$(BUILD)/victims/meeter: $(BUILD)/obj/tests/victims/meeter.o
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(STATIC)
all_objs += $(BUILD)/obj/tests/victims/meeter.o
$(BUILD)/victims/painter: $(BUILD)/obj/tests/victims/painter.o
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(STATIC)
all_objs += $(BUILD)/obj/tests/victims/painter.o
$(BUILD)/victims/prober: $(BUILD)/obj/tests/victims/prober.o
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(STATIC)
all_objs += $(BUILD)/obj/tests/victims/prober.o
all_objs += $(evilvmm_objs) $(BUILD)/obj/tests/victims/attacker.o $(BUILD)/obj/tests/victims/stalker.o

# Cells of VMMs with a victim in QEMU's place.
$(eval $(call library,cells,$(wildcard tests/root/cells/*.cc)))
cells_libs := cells vmzone core netns resource labels

$(eval $(call root_test,walls,$(cells_libs) view,-lseccomp -lnl-3))
$(BUILD)/root/walls: $(BUILD)/victims/attacker $(BUILD)/zone-init

$(eval $(call root_test,vmcell,$(cells_libs),-lseccomp -lnl-3))
$(BUILD)/root/vmcell: | $(BUILD)/victims/evilvmm $(BUILD)/victims/meeter

walls: deps
	@$(build_now) $(BUILD)/root/walls $(BUILD)/root/netns
	@$(BUILD)/root/walls
	@$(BUILD)/root/netns '[walls]'
.PHONY: walls
courier_objs := $(patsubst %.cc,$(BUILD)/obj/%.o,$(wildcard tests/victims/courier/*.cc))
$(BUILD)/victims/courier: $(courier_objs)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(STATIC)
all_objs += $(courier_objs)
