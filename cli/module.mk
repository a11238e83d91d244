cli_srcs := $(filter-out cli/main%.cc,$(wildcard cli/*.cc))
$(eval $(call library,cli,$(cli_srcs)))
$(eval $(call program,zone,cli/main_zone.cc,cli api labels base,$(STATIC) -lnettle))
programs += $(BUILD)/zone
