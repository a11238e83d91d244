// An instance of zoned on a host of its own: a network namespace that the test made. Nothing of the
// machine's network is touched.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/unique_fd.h"
#include "tests/harness/shell.h"

namespace networks {

// The calling thread is in a network namespace of its own for the object's life.
class OwnNetwork {
 public:
  OwnNetwork() : before_(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    REQUIRE(before_);
    REQUIRE(unshare(CLONE_NEWNET) == 0);
  }
  ~OwnNetwork() { CHECK(setns(before_.get(), CLONE_NEWNET) == 0); }
  OwnNetwork(const OwnNetwork&) = delete;
  OwnNetwork& operator=(const OwnNetwork&) = delete;

 private:
  base::UniqueFd before_;
};

class World {
 public:
  World() {
    box_.emplace(harness::Sandbox::Start::kNow);
    box_->busybox_tree();
    harness::shell_ok(*box_, "ip link set lo up");
  }
  harness::Sandbox& box() { return *box_; }
  std::string ok(const std::vector<std::string>& args) { return box_->zone_ok(args); }
  base::Output zone(const std::vector<std::string>& args) { return box_->zone(args); }
  // An os zone (busybox init): its root may do anything to its own network stack.
  void boot(const std::string& name, const std::vector<std::string>& settings) {
    std::vector<std::string> args = {"create", name, "--from", "dir:" + box_->root() + "/tree"};
    for (const std::string& setting : settings) args.insert(args.end(), {"--set", setting});
    args.push_back("--boot");
    ok(args);
  }
  nlohmann::json port_of(const std::string& zone, size_t index = 0) {
    nlohmann::json ports = nlohmann::json::parse(ok({"net", "ports", zone, "--json"}));
    REQUIRE(ports.size() > index);
    return ports[index];
  }
  std::string address_of(const std::string& zone) { return port_of(zone)["addresses"][0]; }
  uint64_t refused(const std::string& zone, const std::string& counter) {
    return port_of(zone)["refused"].value(counter, uint64_t{0});
  }
  bool reaches(const std::string& from, const std::string& address) {
    return zone({"exec", from, "--", "/bin/ping", "-c", "1", "-W", "1", address}).status == 0;
  }
  // The first process of a zone; 0: it does not run.
  pid_t pid_of(const std::string& name) {
    nlohmann::json zones = nlohmann::json::parse(ok({"list", "--json"}));
    for (const auto& zone : zones)
      if (zone["name"] == name && zone["pid"].is_number()) return zone["pid"].get<pid_t>();
    return 0;
  }
  std::string tables() { return harness::shell_ok(*box_, "nft list tables"); }
  // Links of the host's side but loopback, and but those that no zone has yet (netns::prepare_link).
  std::string links() {
    return harness::shell_ok(*box_, "ip -br link | grep -v -e ^lo -e 02:00:00:00:00:02 || true");
  }
  // Those: their names.
  std::set<std::string> prepared() {
    std::istringstream lines(
        harness::shell_ok(*box_, "ip -br link | grep 02:00:00:00:00:02 | cut -d@ -f1 || true"));
    return {std::istream_iterator<std::string>(lines), {}};
  }

 private:
  OwnNetwork network_;  // outlives the instance
  std::optional<harness::Sandbox> box_;
};

}  // namespace networks
