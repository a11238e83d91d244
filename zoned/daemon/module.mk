daemon_srcs := $(filter-out zoned/daemon/main%.cc,$(wildcard zoned/daemon/*.cc))
$(eval $(call library,daemon,$(daemon_srcs)))
$(eval $(call program,zoned,zoned/daemon/main_zoned.cc,daemon vmzone core netns resource labels api base,-lseccomp -lsystemd -lnftables -lnl-3 -lnettle))
programs += $(BUILD)/zoned
