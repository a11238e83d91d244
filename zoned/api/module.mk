api_srcs := $(filter-out zoned/api/main%.cc,$(wildcard zoned/api/*.cc))
$(eval $(call library,api,$(api_srcs)))
