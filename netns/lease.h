// Allocation of addresses from a network's subnets. Pure; the daemon keeps the leases and stores
// them. 10,000 leases of one network take some ms in all.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "netns/address.h"
#include "netns/network.h"

namespace netns {

class LeaseTable {
 public:
  explicit LeaseTable(const Network& network);

  // Takes the next free address of the family for `holder` ("zone/port", for messages). Skips the
  // subnet's own address, IPv4 broadcast (prefixes shorter than /31), IPv6 subnet-router anycast,
  // and gateways. Goes round: an address that was just released is reused last. kNoSpace when
  // exhausted (the message counts the leases), kInvalid when no subnet has the family.
  base::Result<Address> take_next(Family family, const std::string& holder);
  // Takes this address. kInvalid outside of the subnets or reserved (says which), kExists when
  // taken (names who has it). The holder's own lease is success.
  base::Status take(const Address& address, const std::string& holder);
  // Absent is success.
  void release(const Address& address);
  void release_holder(const std::string& holder);

  std::vector<Address> of(const std::string& holder) const;  // sorted
  // Empty: free.
  std::string holder_of(const Address& address) const;
  size_t size() const { return holders_.size(); }
  // All leases, sorted by address, for the daemon's state.
  const std::map<Address, std::string>& all() const { return holders_; }

 private:
  Network network_;
  std::map<Address, std::string> holders_;
  std::multimap<std::string, Address> by_holder_;
  std::vector<Address> next_;  // of each subnet: where the search goes on
};

// As take(), without taking: for planning.
base::Status check_wanted(const Network& network, const Address& address);

}  // namespace netns
