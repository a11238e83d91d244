-: zoned/daemon/stat.h base/event_loop.h base/result.h base/unique_fd.h \
 zoned/daemon/runtime.h resource/cgroup.h vmzone/plan.h vmzone/closure.h \
 vmzone/machine.h vmzone/hardware.h vmzone/disk_format.h \
 zoned/core/spec.h vmzone/profiles.h zoned/core/plan.h labels/label.h \
 netns/port.h netns/address.h netns/firewall.h netns/instance.h \
 netns/network.h zoned/core/cell_tree.h zoned/core/root_tree.h \
 zoned/core/planner.h zoned/core/host_facts.h zoned/core/id_registry.h \
 zoned/core/keeper_protocol.h zoned/core/mounts.h zoned/daemon/events.h \
 zoned/daemon/guests.h vmzone/control.h vmzone/keys.h vmzone/qmp.h \
 vmzone/qmp_protocol.h vmzone/host.h zoned/daemon/keepers.h \
 zoned/daemon/children.h zoned/daemon/keeper_client.h \
 zoned/daemon/registry.h zoned/api/paths.h zoned/daemon/zone.h \
 zoned/daemon/state.h zoned/daemon/networks.h netns/lease.h netns/links.h \
 netns/nft.h netns/ruleset_watch.h zoned/daemon/shares.h
base/event_loop.h:
base/result.h:
base/unique_fd.h:
zoned/daemon/runtime.h:
resource/cgroup.h:
vmzone/plan.h:
vmzone/closure.h:
vmzone/machine.h:
vmzone/hardware.h:
vmzone/disk_format.h:
zoned/core/spec.h:
vmzone/profiles.h:
zoned/core/plan.h:
labels/label.h:
netns/port.h:
netns/address.h:
netns/firewall.h:
netns/instance.h:
netns/network.h:
zoned/core/cell_tree.h:
zoned/core/root_tree.h:
zoned/core/planner.h:
zoned/core/host_facts.h:
zoned/core/id_registry.h:
zoned/core/keeper_protocol.h:
zoned/core/mounts.h:
zoned/daemon/events.h:
zoned/daemon/guests.h:
vmzone/control.h:
vmzone/keys.h:
vmzone/qmp.h:
vmzone/qmp_protocol.h:
vmzone/host.h:
zoned/daemon/keepers.h:
zoned/daemon/children.h:
zoned/daemon/keeper_client.h:
zoned/daemon/registry.h:
zoned/api/paths.h:
zoned/daemon/zone.h:
zoned/daemon/state.h:
zoned/daemon/networks.h:
netns/lease.h:
netns/links.h:
netns/nft.h:
netns/ruleset_watch.h:
zoned/daemon/shares.h:
