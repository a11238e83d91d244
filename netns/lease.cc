#include "netns/lease.h"

#include <algorithm>

#include "base/strings.h"

namespace netns {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;

// Why nobody may have the address; empty when it can be leased.
std::string reserved_in(const Network& network, const Prefix& subnet, const Address& address) {
  bool v4 = address.is_v4();
  bool has_own = subnet.length + 1 < address.bits();  // RFC 3021, RFC 6164: /31 and /127 have none
  if (has_own && address == subnet.address)
    return v4 ? "is the subnet's own address" : "is the subnet-router anycast address";
  if (has_own && v4 && address == subnet.last()) return "is the subnet's broadcast address";
  if (std::count(network.gateways.begin(), network.gateways.end(), address) != 0)
    return "is the network's gateway";
  return {};
}

std::string subnet_texts(const Network& network) {
  std::vector<std::string> texts;
  for (const Prefix& subnet : network.subnets) texts.push_back(subnet.text());
  return base::join(texts, ", ");
}

}  // namespace

LeaseTable::LeaseTable(const Network& network) : network_(network) {
  for (const Prefix& subnet : network.subnets) next_.push_back(subnet.address);
}

// From `from` on, runs of taken addresses are skipped in the sorted map; going round once.
Result<Address> LeaseTable::take_next(Family family, const std::string& holder) {
  bool has_family = false;
  for (size_t i = 0; i < network_.subnets.size(); ++i) {
    const Prefix& subnet = network_.subnets[i];
    if (subnet.address.family() != family) continue;
    has_family = true;
    for (auto [from, to] :
         {std::pair(next_[i], subnet.last()), std::pair(subnet.address, next_[i])}) {
      auto taken = holders_.lower_bound(from);
      for (Address candidate = from;; candidate = candidate.plus(1)) {
        if (taken != holders_.end() && taken->first == candidate) {
          ++taken;
        } else if (reserved_in(network_, subnet, candidate).empty()) {
          TRY(take(candidate, holder));
          next_[i] = candidate == subnet.last() ? subnet.address : candidate.plus(1);
          return candidate;
        }
        if (candidate == to) break;
      }
    }
  }
  std::string name = family == Family::kIpv4 ? "IPv4" : "IPv6";
  if (!has_family)
    return make_error(Code::kInvalid, "network '" + network_.name + "' has no " + name + " subnet",
                      "zone net set " + network_.name + " subnet=...");
  return make_error(Code::kNoSpace,
                    "network '" + network_.name + "' has no free " + name + " address left: " +
                        std::to_string(holders_.size()) + " leased of " + subnet_texts(network_),
                    "add a subnet, or delete zones that are not needed");
}

Status LeaseTable::take(const Address& address, const std::string& holder) {
  TRY(check_wanted(network_, address));
  auto [place, fresh] = holders_.try_emplace(address, holder);
  if (!fresh && place->second == holder) return {};
  if (!fresh)
    return make_error(Code::kExists, "address " + address.text() + " of network '" + network_.name +
                                         "' belongs to " + place->second);
  by_holder_.emplace(holder, address);
  return {};
}

void LeaseTable::release(const Address& address) {
  auto place = holders_.find(address);
  if (place == holders_.end()) return;
  auto [first, last] = by_holder_.equal_range(place->second);
  auto entry = std::find_if(first, last, [&](const auto& pair) { return pair.second == address; });
  if (entry != last) by_holder_.erase(entry);
  holders_.erase(place);
}

void LeaseTable::release_holder(const std::string& holder) {
  auto [first, last] = by_holder_.equal_range(holder);
  for (auto entry = first; entry != last; ++entry) holders_.erase(entry->second);
  by_holder_.erase(first, last);
}

std::vector<Address> LeaseTable::of(const std::string& holder) const {
  std::vector<Address> addresses;
  auto [first, last] = by_holder_.equal_range(holder);
  for (auto entry = first; entry != last; ++entry) addresses.push_back(entry->second);
  std::sort(addresses.begin(), addresses.end());
  return addresses;
}

std::string LeaseTable::holder_of(const Address& address) const {
  auto place = holders_.find(address);
  return place == holders_.end() ? std::string() : place->second;
}

Status check_wanted(const Network& network, const Address& address) {
  for (const Prefix& subnet : network.subnets) {
    if (!subnet.contains(address)) continue;
    std::string why = reserved_in(network, subnet, address);
    if (why.empty()) return {};
    return make_error(Code::kInvalid, "address " + address.text() + " " + why + " (" +
                                          subnet.text() + " of network '" + network.name + "')");
  }
  if (network.subnets.empty())
    return make_error(Code::kInvalid, "network '" + network.name + "' has no subnet");
  return make_error(Code::kInvalid, "address " + address.text() + " is outside of network '" +
                                        network.name + "' (" + subnet_texts(network) + ")");
}

}  // namespace netns
