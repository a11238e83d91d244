#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <algorithm>

#include "netns/elements.h"
#include "netns/netlink.h"
#include "netns/nft.h"
#include "netns/ruleset.h"

namespace netns {
namespace {

using base::Status;

constexpr size_t kElementsPerMessage = 20;  // of at most some 150 bytes; a message takes a page

// NFPROTO_INET, NFPROTO_ARP, NFPROTO_BRIDGE: their header clashes with libnl's.
uint8_t family_number(const std::string& family) {
  return family == "inet" ? 1 : family == "arp" ? 3 : 7;
}

void put_value(Request* request, int attribute, const std::string& bytes) {
  request->nest(attribute).put(NFTA_DATA_VALUE, bytes.data(), bytes.size()).end();
}

void put_verdict(Request* request, const Verdict& verdict) {
  int code = verdict.jump ? NFT_JUMP : NFT_GOTO;
  request->nest(NFTA_SET_ELEM_DATA).nest(NFTA_DATA_VERDICT);
  request->u32(NFTA_VERDICT_CODE, htonl(static_cast<uint32_t>(code)));
  request->text(NFTA_VERDICT_CHAIN, verdict.chain).end().end();
}

void put_limit(Request* request, const Limit& limit) {
  constexpr uint64_t kSecond = 1;
  request->nest(NFTA_SET_ELEM_EXPR).text(NFTA_EXPR_NAME, "limit").nest(NFTA_EXPR_DATA);
  request->u64(NFTA_LIMIT_RATE, htobe64(limit.packets)).u64(NFTA_LIMIT_UNIT, htobe64(kSecond));
  request->u32(NFTA_LIMIT_BURST, htonl(static_cast<uint32_t>(limit.burst)));
  request->u32(NFTA_LIMIT_TYPE, htonl(NFT_LIMIT_PKTS))
      .u32(NFTA_LIMIT_FLAGS, htonl(NFT_LIMIT_F_INV));
  request->end().end();
}

void put_element(Request* request, const Element& element, bool with_data) {
  request->nest(NFTA_LIST_ELEM);
  put_value(request, NFTA_SET_ELEM_KEY, bytes_of(element.key));
  if (is_interval(element.key))
    put_value(request, NFTA_SET_ELEM_KEY_END, last_bytes_of(element.key));
  if (with_data) {
    if (const auto* fields = std::get_if<Fields>(&element.data))
      put_value(request, NFTA_SET_ELEM_DATA, bytes_of(*fields));
    if (const auto* verdict = std::get_if<Verdict>(&element.data)) put_verdict(request, *verdict);
    if (const auto* limit = std::get_if<Limit>(&element.data)) put_limit(request, *limit);
  }
  request->end();
}

void put_elements(std::vector<Request>* requests, const Instance& instance, bool add,
                  const Elements& elements) {
  auto kind = static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 |
                                    (add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM));
  for (const auto& [name, entries] : elements) {
    nfgenmsg header = {family_number(name.family), NFNETLINK_V0, 0};
    size_t count = 0;
    for (const auto& [text, element] : entries) {
      if (count++ % kElementsPerMessage == 0) {
        if (count > 1) requests->back().end();
        requests->emplace_back("packet filter: set '" + name.set + "'", kind,
                               static_cast<uint16_t>(add ? NLM_F_CREATE : 0), header);
        requests->back().text(NFTA_SET_ELEM_LIST_TABLE, instance.table());
        requests->back().text(NFTA_SET_ELEM_LIST_SET, name.set);
        requests->back().nest(NFTA_SET_ELEM_LIST_ELEMENTS);
      }
      put_element(&requests->back(), element, add);
    }
    if (count != 0) requests->back().end();
  }
}

bool has_firewall(const std::vector<PortPlan>& ports) {
  return std::any_of(ports.begin(), ports.end(),
                     [](const PortPlan& port) { return port.firewall.active(); });
}

}  // namespace

Status Nft::change_ports(const Instance& instance, const std::vector<PortPlan>& before,
                         const std::vector<PortPlan>& after, const LabelTable& labels) {
  if (has_firewall(before) || has_firewall(after))
    return apply(netns::change_ports(instance, before, after, labels));
  Elements old_elements = elements_of(before, labels);
  Elements new_elements = elements_of(after, labels);
  std::vector<Request> requests;
  put_elements(&requests, instance, false, difference(old_elements, new_elements));
  put_elements(&requests, instance, true, difference(new_elements, old_elements));
  return send_batch(batches_, NFNL_SUBSYS_NFTABLES, requests);
}

}  // namespace netns
