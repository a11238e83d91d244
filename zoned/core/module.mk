core_srcs := $(filter-out zoned/core/main%.cc,$(wildcard zoned/core/*.cc))
$(eval $(call library,core,$(core_srcs)))
