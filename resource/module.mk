resource_srcs := $(wildcard resource/*.cc)
$(eval $(call library,resource,$(resource_srcs)))
