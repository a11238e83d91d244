// Networks whose ports share a bandwidth.
#include <algorithm>
#include <set>

#include "base/log.h"
#include "base/strings.h"
#include "netns/share.h"
#include "zoned/daemon/networks.h"

namespace zoned {

using base::Result;
using base::Status;
using netns::Network;
using netns::PortPlan;

namespace {

netns::Shapers shapers_of(const netns::Instance& instance, const std::string& network) {
  return {instance.shaper_name(network, 'r'), instance.shaper_name(network, 't')};
}

}  // namespace

Status Networks::share(const std::vector<PortPlan>& ports) {
  std::set<std::string> names;
  for (const PortPlan& port : ports) names.insert(port.network);
  for (const std::string& name : names) {
    const Network* network = find(name);
    if (network != nullptr && network->bandwidth != 0) TRY(share_whole(*network));
  }
  return {};
}

Status Networks::share(const std::string& zone) {
  auto it = live_.find(zone);
  return it == live_.end() ? Status() : share(it->second);
}

bool Networks::shares(const PortPlan& port) const {
  const Network* network = find(port.network);
  return network != nullptr && network->bandwidth != 0;
}

// Where no bandwidth is to be shared, what an earlier setting made goes.
Status Networks::share_whole(const Network& network) {
  std::vector<netns::SharedPort> ports;
  for (const auto& [zone, list] : live_)
    for (const PortPlan& port : list)
      if (port.network == network.name && port.kind != netns::PortKind::kDevice)
        ports.push_back({port.host_name, port.share, port.receive_bits, port.send_bits});
  netns::Shapers shapers = shapers_of(instance_, network.name);
  auto done = [&]() -> Status {
    if (network.bandwidth != 0)
      return netns::set_shares(kernel_->links, shapers, network.bandwidth, ports);
    bool there =
        kernel_->links.find(shapers.receive).ok() || kernel_->links.find(shapers.send).ok();
    return there ? netns::remove_shares(kernel_->links, shapers, ports) : Status();
  };
  Status shared = done();
  if (!shared) return std::move(shared).error().context("bandwidth");
  return {};
}

// Also those of networks that are gone: nothing leads to them any more.
Status Networks::remove_shapers(bool all) {
  std::set<std::string> kept;
  for (const auto& [name, object] : objects_)
    for (char direction : {'r', 't'})
      if (!all && object.network.bandwidth != 0)
        kept.insert(instance_.shaper_name(name, direction));
  TRY_AS(auto links, kernel_->links.list(instance_.prefix()));
  for (const netns::Link& link : links)
    if (instance_.is_shaper(link.name) && !kept.contains(link.name))
      TRY(kernel_->links.remove(link.name));
  return {};
}

}  // namespace zoned
