// An instance with users of several clearances and roles, in a network namespace of its own.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "tests/harness/host_objects.h"
#include "tests/harness/shell.h"
#include "tests/root/doors/rows.h"
#include "tests/root/networks/world.h"

namespace doors {

using harness::Sandbox;

class Doors {
 public:
  Doors() {
    open_to_others(box);
    harness::shell_ok(box, "ip link set lo up");
    tree = box.busybox_tree();
    harness::shell_ok(box, "cp /usr/lib/grub-rescue/grub-rescue-cdrom.iso $R/tree.iso");
    Sandbox::label_public(tree + ".iso");
    box.zone_ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
    box.zone_ok({"user", "set", "bin", "clearance=SECRET HR", "role=system"});
    box.zone_ok({"user", "set", "sys", "clearance=SECRET ENG", "role=security"});
    box.zone_ok({"user", "set", "lp", "clearance=ADMIN_HIGH", "role=security"});
    box.zone_ok({"user", "set", "games", "clearance=SECRET ENG", "grants=upgrade,downgrade"});
  }
  // A native zone with kGrants, installed.
  void make(const std::string& name, const std::string& label, const std::string& more = "") {
    harness::write_text(
        box.root() + "/" + name + ".toml",
        "command = [\"/bin/sleep\", \"1000\"]\nlabel = \"" + label + "\"\n" + more + kGrants);
    box.zone_ok({"create", name, "-f", box.root() + "/" + name + ".toml", "--from", "dir:" + tree});
  }
  void make_hidden() {
    make(kNative, kHiddenLabel, "[[net]]\nnetwork = \"lan\"\n");
    box.zone_ok({"boot", kNative});
    harness::write_text(box.root() + "/vm.toml",
                        "brand = \"vm\"\nlabel = \"" + std::string(kHiddenLabel) +
                            "\"\n[vm]\nprofile = \"generic-bios\"\nmemory = \"64M\"\n" + kGrants);
    box.zone_ok({"create", kVm, "-f", box.root() + "/vm.toml", "--from",
                 "iso:/usr/lib/grub-rescue/grub-rescue-cdrom.iso", "--boot"},
                std::chrono::minutes(2));
  }
  std::string ask(const std::string& user, const std::string& method, const Ask& what) const {
    return answer(box, user, method, what);
  }
  // Through the client, as that user.
  base::Output run(const std::string& user, const std::string& line) {
    if (!client_) harness::shell_ok(box, "install -m 755 $B/zone $R/client");
    client_ = true;
    std::string uid = std::to_string(uid_of(user));
    return harness::shell(box, "cd /; setpriv --reuid " + uid + " --regid " + uid +
                                   " --clear-groups $R/client --root $R " + line);
  }

  networks::OwnNetwork network;
  Sandbox box;
  std::string tree;

 private:
  bool client_ = false;
};

// Of the first message; empty: none.
inline std::string code_of(const std::string& message) {
  auto reply = nlohmann::json::parse(message.substr(0, message.find('\0')), nullptr, false);
  if (!reply.is_object()) return "no JSON";
  if (!reply.contains("error")) return "";
  return reply["parameters"].value("code", reply["error"].get<std::string>());
}

}  // namespace doors
