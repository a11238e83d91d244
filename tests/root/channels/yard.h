// An instance with zones of five labels: two native zones and two Linux guests of each, all on one routed
// network and one bridge, and a user of each clearance who has the right to look at all of them.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/root/channels/policy.h"
#include "tests/root/networks/world.h"
#include "tests/root/vmguest/guest.h"

namespace channels {

struct Site {
  std::string zone;
  size_t label = 0;  // of test_labels()
  bool guest = false;
  std::string log_token;                               // what the zone has written to its console
  std::map<std::string, std::string> tokens;           // by channel
  std::map<std::string, std::set<std::string>> heard;  // likewise: tokens
  std::map<std::string, std::string> stuck;            // why a channel could not be sent on
};

class Yard {
 public:
  Yard();

  std::vector<Site>& sites() { return sites_; }
  // Couriers in all zones at once.
  void run_couriers();
  // What the user whose clearance is that label gets to see by `zone ARGS...`, stdout and stderr.
  std::string as_user(size_t label, const std::vector<std::string>& args);
  // A picture of the guest's screen as text, taken by that user; empty when he may not.
  std::string screen_as(size_t label, const std::string& zone);

 private:
  void boot_all();
  void boot_native(Site* site);
  void boot_guest(Site* site);
  void prepare_guest(const Site& site);
  std::string guest_source();
  void start_native(const Site& site, size_t lane, const std::string& lanes);
  void start_guest(const Site& site);
  std::string script_for(const Site& site) const;
  void collect(Site* site, const std::string& output);
  std::string wait_for(const Site& site, const std::string& text);
  std::string file(const Site& site, const std::string& kind);

  std::string linux_ = vm_test::linux_source();  // fetched before there is no network
  networks::World world_;
  std::vector<Site> sites_;
  std::vector<std::string> addresses_;  // IPv4 and IPv6 of all ports of all zones
  std::map<std::string, std::unique_ptr<vm_test::Console>> consoles_;
};

std::string random_token();

}  // namespace channels
