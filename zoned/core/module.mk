down_srcs := $(wildcard zoned/core/down_*.cc)
core_srcs := $(filter-out zoned/core/main%.cc $(down_srcs),$(wildcard zoned/core/*.cc))
$(eval $(call library,core,$(core_srcs)))
$(eval $(call library,down,$(down_srcs)))

# zone-init has no libc and no start-up code; it runs the same in every mode.
$(BUILD)/zone-init: zoned/core/main_init.cc
	@mkdir -p $(@D)
	@echo "  CXX  $@"
	@$(CXX) -std=c++20 -D_GNU_SOURCE -O2 $(WARNINGS) -ffreestanding -fno-exceptions -fno-rtti \
	  -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -fno-pie -no-pie -static \
	  -nostdlib -Wl,--build-id=none -Wl,-z,noexecstack -s -o $@ $<

# libnl asks for name services that we never use; a static program would need them at run time.
quiet_link := -Wl,--no-warnings
$(eval $(call program,zone-keeper,zoned/core/main_keeper.cc,core netns resource labels base,$(STATIC) $(quiet_link) -lseccomp -lnl-3))
programs += $(BUILD)/zone-init $(BUILD)/zone-keeper

# Dynamic: libarchive brings many libraries, and a job sees the host's /usr.
$(eval $(call program,zone-unpack,zoned/core/main_unpack.cc,core netns resource labels api base,-larchive))
programs += $(BUILD)/zone-unpack

# Static: its cell holds no file.
$(eval $(call program,zone-parse,zoned/core/main_parse.cc,core netns resource labels api base,$(STATIC) $(quiet_link) -lseccomp -lnl-3))
programs += $(BUILD)/zone-parse
# Static: its cell holds it and nothing else. libfuse3 would load modules of its high-level interface.
$(eval $(call program,zone-readdown,zoned/core/main_readdown.cc,down core netns resource labels base,$(STATIC) $(quiet_link) -lfuse3))
programs += $(BUILD)/zone-readdown
