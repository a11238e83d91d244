// After an installing job: what makes a copied tree a machine of its own. Works on the unshifted
// tree, whose content is hostile: every path by openat2(2) inside it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace core {

// Units that can't work in a zone and would count as failed (zone(1) lists them).
const std::vector<const char*>& masked_units();

// root: the tree's folder, open for reading; zone: its name.
// - /etc/machine-id is new where there is one or the init is systemd; /var/lib/dbus/machine-id goes
//   (dbus makes it again from there), /var/lib/systemd/random-seed too;
// - /etc/ssh/ssh_host_* go; where there are sshd and systemd, a unit makes new ones at boot;
// - /etc/hostname is the zone's name, /etc/hosts is written if there is none;
// - units that can't work in a zone are masked where the init is systemd;
// - all of it, and the job's work, is on disk when this returns (syncfs(2)).
base::Status finish_install(int root, const std::string& zone);

}  // namespace core
