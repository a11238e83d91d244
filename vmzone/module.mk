vmzone_srcs := $(filter-out vmzone/main%.cc,$(wildcard vmzone/*.cc))
$(eval $(call library,vmzone,$(vmzone_srcs)))

$(eval $(call program,zone-import,vmzone/main_import.cc,vmzone core netns resource labels base,))
programs += $(BUILD)/zone-import
