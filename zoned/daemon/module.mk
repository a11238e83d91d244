daemon_srcs := $(filter-out zoned/daemon/main%.cc,$(wildcard zoned/daemon/*.cc))
$(eval $(call library,daemon,$(daemon_srcs)))
