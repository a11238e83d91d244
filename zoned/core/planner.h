// Planning: spec + host facts + what the daemon holds -> ZonePlan. Pure: no effects, no clock, no
// files beyond the ones passed in as values. Every refusal happens here, before the first effect.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "resource/cgroup.h"
#include "zoned/core/host_facts.h"
#include "zoned/core/plan.h"
#include "zoned/core/spec.h"

namespace core {

// What was found in the zone's tree (see root_tree.h).
struct TreeFacts {
  std::string init;                  // "/sbin/init" or empty
  bool systemd = false;              // init is systemd
  bool command_found = true;         // as a program: a regular file that may be executed
  bool command_exists = false;       // not found as a program, but there is something of its name
  std::vector<std::string> exports;  // folders that may be read from above (exports.h)
  bool own_resolver = false;         // /etc/resolv.conf is a link, such as into a resolver's /run
  std::string command_path;          // argv[0] resolved along PATH inside the tree
  uint32_t uid = 0, gid = 0;         // `user` resolved in the tree's passwd
  std::vector<uint32_t> groups;
  std::string home = "/";
};

struct PlanInputs {
  const ZoneSpec& spec;
  const HostFacts& host;
  const TreeFacts& tree;
  IdRange ids;
  std::string boot_id;
  uint32_t cpu_weight = 0;  // from resource::weights_for; 0: leave the default
  const resource::CgroupDriver* cgroups = nullptr;
  bool ephemeral = false;              // zone run: an overlay over the source
  bool client_stdio = false;           // zone run: the client's descriptors
  bool client_tty = false;             // zone run: a pty for the client instead
  std::vector<bool> private_trees;     // per [[fs]]: is `special` below a folder that only root
                                       // may enter? Only then is it idmapped (else a zone's
                                       // root would make files of the host's root)
  std::vector<netns::PortPlan> ports;  // per [[net]], planned by netns::plan_port
  labels::Label label;                 // the zone's, from the registry: never parsed here
  std::string label_name;              // its canonical name, for the guest
};

// Of a zone with ports: a file of ours (descriptor "hosts"), read-only.
inline constexpr const char* kHostsFile = "/etc/hosts";
// Likewise (descriptor "resolver"), unless the tree has a link there or a port asks by
// DHCP: then it minds its own.
inline constexpr const char* kResolverFile = "/etc/resolv.conf";

struct Planned {
  ZonePlan plan;
  std::vector<std::string> warnings;  // settings that this host can't fully honour
};

base::Result<Planned> plan_zone(const PlanInputs& inputs);
// What zones of all brands share: identity, label, ids, limits, ports.
base::Result<Planned> plan_common(const PlanInputs& inputs);

// True when the plan mounts the tree behind the descriptor of that name.
bool mounts_tree(const ZonePlan& plan, std::string_view descriptor);

// A process joining a running zone.
base::Result<EnterPlan> plan_enter(const ZonePlan& zone, const std::vector<std::string>& argv,
                                   const std::vector<std::string>& env, const TreeFacts& tree,
                                   const std::string& workdir, bool tty);

// The limits of a spec, for planning and for live `zone set`.
resource::Limits limits_of(const ZoneSpec& spec, uint32_t cpu_weight);
resource::Limits limits_of(const PoolSpec& spec, uint32_t cpu_weight);

}  // namespace core
