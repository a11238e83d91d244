# Root tests that drive zoned through the `zone` command.
zone_programs := $(addprefix $(BUILD)/,zoned zone zone-keeper zone-init zone-unpack zone-import zone-parse zone-readdown zone-dhcp6)

$(eval $(call root_test,zones,))
$(BUILD)/root/zones: | $(zone_programs)
$(eval $(call root_test,bad_input,))
$(BUILD)/root/bad_input: | $(zone_programs)
$(eval $(call root_test,escape,))
$(BUILD)/root/escape: | $(zone_programs) $(BUILD)/victims/stalker
$(eval $(call root_test,read_down,labels))
$(BUILD)/root/read_down: | $(zone_programs) $(BUILD)/victims/prober
$(eval $(call root_test,solaris,))
$(BUILD)/root/solaris: | $(zone_programs)
$(eval $(call root_test,networks,))
$(BUILD)/root/networks: | $(zone_programs)
$(eval $(call root_test,parser,labels api base))
$(BUILD)/root/parser: | $(zone_programs) $(BUILD)/victims/evilparse
$(eval $(call root_test,qmp,vmzone,-lpng))
$(eval $(call root_test,vm_install,))
$(BUILD)/root/vm_install: | $(zone_programs)
$(eval $(call root_test,names,netns labels))
$(BUILD)/root/names: | $(zone_programs)
$(eval $(call root_test,net_labels,))
$(BUILD)/root/net_labels: | $(zone_programs)
$(eval $(call root_test,audit,api,-lnettle))
$(BUILD)/root/audit: | $(zone_programs)
$(eval $(call root_test,doors,labels api base))
$(BUILD)/root/doors: | $(zone_programs)
# Other users call as in the test of doors.
$(eval $(call library,doorclient,tests/root/doors/client.cc))
$(eval $(call root_test,transfers,doorclient api base))
$(BUILD)/root/transfers: | $(zone_programs)
