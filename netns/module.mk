# libnl's headers include each other from their own folder.
CXXFLAGS += -I/usr/include/libnl3

netns_srcs := $(wildcard netns/*.cc)
$(eval $(call library,netns,$(netns_srcs)))
