// The fixed part of the packet filter: tables, sets, chains and rules that do not depend on ports.
// For ruleset.cc only.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "netns/instance.h"
#include "netns/network.h"

namespace netns {

// A pair of network and label: zones of one domain exchange packets.
using Domain = std::pair<std::string, uint32_t>;

// "web_0": ends the names of the domain's chain ("d_web_0") and set of members ("m_web_0"), and of
// what tells its zones of each other: "e_", "a4_", "a6_", "up_" (ruleset_domains.cc).
std::string domain_suffix(const Domain& domain);
// The set of all ports with that label: "l_0".
std::string label_set(uint32_t label);

// log_group: where the kernel tells what was refused because of labels (refusal_log.h); 0: nowhere.
std::string inet_table(const Instance& instance, const std::vector<Network>& networks,
                       const std::set<Domain>& domains, uint16_t log_group);
std::string arp_table(const Instance& instance, const std::vector<Network>& networks,
                      const std::set<Domain>& domains);
std::string bridge_table(const Instance& instance, const std::vector<Network>& networks,
                         const std::set<Domain>& domains, uint16_t log_group);

// nft reads a raw payload's value as one number: "0x0a010001".
std::string payload_number(const Address& address);
std::string payload_number(const Mac& mac);

// The parts of the three tables that follow from networks and labels (ruleset_domains.cc).
std::string inet_domains(const Instance& instance, const std::vector<Network>& networks,
                         const std::set<Domain>& domains);
std::string arp_domains(const std::vector<Network>& networks, const std::set<Domain>& domains);
std::string bridge_domains(const Instance& instance, const std::vector<Network>& networks,
                           const std::set<Domain>& domains);

}  // namespace netns
