// What zones tried to send to other labels, as the packet filter tells it.
#include <algorithm>

#include "base/log.h"
#include "base/strings.h"
#include "zoned/daemon/networks.h"

namespace zoned {

using base::Status;
using netns::Network;
using netns::PortPlan;

Status Networks::watch_refusals() {
  auto log = netns::RefusalLog::open(instance_);
  if (!log) {  // packets are refused all the same; checks() tells
    refusals_fault_ = log.error().message;
    return {};
  }
  kernel_->refusals = *std::move(log);
  return loop_->add(kernel_->refusals->fd(), EPOLLIN, [this](uint32_t) { on_refusals(); });
}

void Networks::on_refusals() {
  auto refusals = kernel_->refusals->read();
  if (!refusals) return base::log_warning("packet filter: " + refusals.error().message);
  for (const netns::Refusal& refusal : *refusals) {
    std::string zone;
    const PortPlan* from = port_named(refusal.from, &zone);
    std::string reason = from == nullptr ? std::string() : reason_of(refusal, *from);
    if (!reason.empty() && attempt_hook_) attempt_hook_(zone, reason);
  }
}

const PortPlan* Networks::port_named(const std::string& host_name, std::string* zone) const {
  for (const auto& [name, ports] : live_)
    for (const PortPlan& port : ports)
      if (port.host_name == host_name) {
        *zone = name;
        return &port;
      }
  return nullptr;
}

bool Networks::has_equal(const netns::Address& address, uint32_t label) const {
  auto has = [&](const PortPlan& port) {
    return port.label == label &&
           std::any_of(port.addresses.begin(), port.addresses.end(),
                       [&](const netns::Prefix& own) { return own.address == address; });
  };
  return std::any_of(live_.begin(), live_.end(), [&](const auto& item) {
    return std::any_of(item.second.begin(), item.second.end(), has);
  });
}

// Empty: it was not because of labels.
std::string Networks::reason_of(const netns::Refusal& refusal, const PortPlan& from) const {
  const std::string target =
      "packet to " + (refusal.target.valid() ? refusal.target.text() : "an unknown address");
  std::string zone;
  if (const PortPlan* to = port_named(refusal.to, &zone)) {
    if (to->label == from.label) return {};
    return target + " of label " + label_name(to->label) + " (zone " + base::quoted(zone) + ")";
  }
  const Network* network = find(from.network);
  // A segment carries what it can't place to all, outside too.
  if (network == nullptr || from.outward || refusal.to.starts_with(instance_.port_prefix()) ||
      has_equal(refusal.target, from.label))
    return {};
  return target + " of label " +
         encodings_->name_of(network->outside_label.value_or(encodings_->default_label())) +
         " (outside of network " + base::quoted(network->name) + ")";
}

}  // namespace zoned
