vmzone_srcs := $(wildcard vmzone/*.cc)
$(eval $(call library,vmzone,$(vmzone_srcs)))
