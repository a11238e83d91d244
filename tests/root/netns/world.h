// A small world for one test case: a network namespace that plays the host, others that play zones
// and the outside. No processes: a namespace lives as long as its descriptor. The test's thread is
// in the host's namespace; the machine's own is never touched. Failures fail the test at once.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "netns/lease.h"
#include "netns/links.h"
#include "netns/network.h"
#include "netns/nft.h"
#include "netns/port.h"
#include "netns/refusal_log.h"
#include "netns/ruleset.h"

struct Zone {
  std::string name;
  base::UniqueFd netns;  // kind tap: none
  base::UniqueFd tap;    // kind tap: what its guest would have
  netns::PortPlan port;
  netns::Address address4() const;
  netns::Address address6() const;
};

class World {
 public:
  World();
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  const netns::Instance& instance() const { return instance_; }
  int here() const { return here_.get(); }  // the namespace that plays the host
  netns::Links& host() { return *host_; }
  netns::Nft& nft() { return *nft_; }

  // What numbers of labels stand for; before the first network.
  void labels(netns::LabelTable table) { labels_ = std::move(table); }
  // What is refused because of labels from now on; before the first network.
  netns::RefusalLog& refusals();
  // Networks before the first zone; makes the bridge of a network of kind bridge.
  void network(const std::string& name, const netns::KeyValues& settings);
  // A zone with one port, with one address of each family that the network has.
  Zone& zone(const std::string& name, const std::string& network,
             const std::function<void(netns::PortRequest&)>& tweak = {});
  // A plan only, for the error paths.
  netns::PortPlan plan(const std::string& zone, const std::string& network,
                       const std::function<void(netns::PortRequest&)>& tweak = {});
  // The zone's rules go, and it is not known any more.
  void forget(Zone& zone);
  // Applies a changed plan live.
  void change(Zone& zone, const std::function<void(netns::PortPlan&)>& tweak);
  // A namespace behind a plain link to the host: 192.0.2.1 and fd99::1 here, .2 and ::2 there.
  base::UniqueFd outside();
  // An interface of the host, "nic0", up, and a namespace with the other end, "eth0": 10.1.255.1 and
  // fd00:1::ffff, both also the segment of networks of kind host-device.
  base::UniqueFd nic();
  // All rules anew, as after a restart.
  void rules_anew();
  // An empty namespace.
  base::UniqueFd fresh();
  uint64_t count(const Zone& zone, const std::string& counter);
  std::vector<netns::PortPlan> plans() const;
  const std::vector<netns::Network>& networks() const { return networks_; }

 private:
  netns::LeaseTable& leases(const std::string& network);

  base::UniqueFd machine_;
  base::UniqueFd here_;
  netns::Instance instance_;
  std::unique_ptr<netns::Links> host_;
  std::unique_ptr<netns::Nft> nft_;
  std::vector<netns::Network> networks_;
  netns::LabelTable labels_;
  std::unique_ptr<netns::RefusalLog> refusals_;
  std::map<std::string, netns::LeaseTable> leases_;
  std::vector<std::unique_ptr<Zone>> zones_;
  std::set<const Zone*> gone_;
};

// Fails the test with the error's text.
void require(const base::Status& status);

// Sends and sees whole frames at one interface of a namespace, or in the place of a tap's guest.
class Wire {
 public:
  Wire(int netns, const std::string& interface);
  explicit Wire(const Zone& zone);  // at its port; borrows a tap
  void send(const std::string& frame);
  // Waits for a frame that holds the text; the frame, or empty after the time-out. Others are kept.
  std::string await(const std::string& text,
                    std::chrono::milliseconds timeout = std::chrono::seconds(2));
  bool seen(const std::string& text) const;
  // Takes in what comes within the time, for seen().
  void settle(std::chrono::milliseconds time = std::chrono::milliseconds(100));

 private:
  std::string receive();  // one frame; empty when it is no incoming one

  base::UniqueFd socket_;
  int tap_ = -1;
  std::vector<std::string> frames_;
};

// TCP in a namespace. Sockets stay where they were made.
base::UniqueFd listen_tcp(int netns, const netns::Address& address, uint16_t port);
// Invalid when refused or after the time-out.
base::UniqueFd connect_tcp(int netns, const netns::Address& to, uint16_t port,
                           std::chrono::milliseconds timeout = std::chrono::milliseconds(500));
// Accepts one connection; the peer's address as text, "" after the time-out.
std::string accept_from(int listener, base::UniqueFd* connection = nullptr);
// An echo request answered?
bool ping(int netns, const netns::Address& to);
void set_default_route(int netns, const std::string& via4, const std::string& via6);
// What a DHCP client would do.
void add_leased_address(Zone& zone);
// Puts an address onto an interface of a namespace, with a route to its prefix, and sets it up.
void set_address(int netns, const std::string& interface, const std::string& prefix);
