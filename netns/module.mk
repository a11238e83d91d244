# libnl's headers include each other from their own folder.
CXXFLAGS += -I/usr/include/libnl3

netns_srcs := $(filter-out netns/main%.cc,$(wildcard netns/*.cc))
$(eval $(call library,netns,$(netns_srcs)))
# Static: its cell holds it, dnsmasq and nothing else.
$(eval $(call program,zone-dhcp6,netns/main_dhcp6.cc,netns base,$(STATIC)))
programs += $(BUILD)/zone-dhcp6
