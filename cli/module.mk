cli_srcs := $(filter-out cli/main%.cc,$(wildcard cli/*.cc))
$(eval $(call library,cli,$(cli_srcs)))
