netns_srcs := $(wildcard netns/*.cc)
$(eval $(call library,netns,$(netns_srcs)))
