#include <endian.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <cstring>
#include <memory>

#include "netns/nft.h"
#include "netns/ruleset.h"

namespace netns {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;

// NFPROTO_INET, NFPROTO_ARP, NFPROTO_BRIDGE: their header clashes with libnl's.
constexpr uint8_t kFamilies[] = {1, 3, 7};

using Message = std::unique_ptr<nl_msg, decltype(&nlmsg_free)>;
using Found = std::map<std::string, DropCount>;

uint64_t big_endian(const nlattr* attribute) {
  uint64_t value = 0;
  if (attribute == nullptr || nla_len(attribute) != sizeof value) return 0;
  memcpy(&value, nla_data(attribute), sizeof value);
  return be64toh(value);
}

// An element's counter: {NAME "counter", DATA {BYTES, PACKETS}}.
DropCount count_of(nlattr* expression) {
  nlattr* parts[NFTA_EXPR_MAX + 1] = {};
  nlattr* values[NFTA_COUNTER_MAX + 1] = {};
  if (expression == nullptr || nla_parse_nested(parts, NFTA_EXPR_MAX, expression, nullptr) < 0 ||
      parts[NFTA_EXPR_NAME] == nullptr || nla_strcmp(parts[NFTA_EXPR_NAME], "counter") != 0 ||
      parts[NFTA_EXPR_DATA] == nullptr ||
      nla_parse_nested(values, NFTA_COUNTER_MAX, parts[NFTA_EXPR_DATA], nullptr) < 0)
    return {};
  return {big_endian(values[NFTA_COUNTER_PACKETS]), big_endian(values[NFTA_COUNTER_BYTES])};
}

void take_element(nlattr* element, Found* found) {
  nlattr* parts[NFTA_SET_ELEM_MAX + 1] = {};
  nlattr* key[NFTA_DATA_MAX + 1] = {};
  if (nla_parse_nested(parts, NFTA_SET_ELEM_MAX, element, nullptr) < 0 ||
      parts[NFTA_SET_ELEM_KEY] == nullptr ||
      nla_parse_nested(key, NFTA_DATA_MAX, parts[NFTA_SET_ELEM_KEY], nullptr) < 0 ||
      key[NFTA_DATA_VALUE] == nullptr)
    return;
  const char* name = static_cast<const char*>(nla_data(key[NFTA_DATA_VALUE]));
  size_t size = strnlen(name, static_cast<size_t>(nla_len(key[NFTA_DATA_VALUE])));
  (*found)[std::string(name, size)] = count_of(parts[NFTA_SET_ELEM_EXPR]);
}

int take_message(nl_msg* message, void* context) {
  nlattr* parts[NFTA_SET_ELEM_LIST_MAX + 1] = {};
  if (nlmsg_parse(nlmsg_hdr(message), sizeof(nfgenmsg), parts, NFTA_SET_ELEM_LIST_MAX, nullptr) <
          0 ||
      parts[NFTA_SET_ELEM_LIST_ELEMENTS] == nullptr)
    return NL_OK;
  auto* element = static_cast<nlattr*>(nla_data(parts[NFTA_SET_ELEM_LIST_ELEMENTS]));
  int rest = nla_len(parts[NFTA_SET_ELEM_LIST_ELEMENTS]);
  for (; nla_ok(element, rest) != 0; element = nla_next(element, &rest))
    take_element(element, static_cast<Found*>(context));
  return NL_OK;
}

// Elements of a set; of one key when host_name is not empty. kNotFound: no such set or element.
Result<Found> read_set(nl_sock* socket, uint8_t family, const std::string& table,
                       const std::string& set, const std::string& host_name) {
  Message message(nlmsg_alloc_simple(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM,
                                     host_name.empty() ? NLM_F_DUMP : NLM_F_ACK),
                  nlmsg_free);
  nfgenmsg generic = {family, NFNETLINK_V0, 0};
  if (!message || nlmsg_append(message.get(), &generic, sizeof generic, NLMSG_ALIGNTO) < 0)
    return make_error(Code::kNoSpace, "netlink: no message");
  bool full = nla_put_string(message.get(), NFTA_SET_ELEM_LIST_TABLE, table.c_str()) < 0 ||
              nla_put_string(message.get(), NFTA_SET_ELEM_LIST_SET, set.c_str()) < 0;
  if (!host_name.empty()) {
    char key[IFNAMSIZ] = {};
    host_name.copy(key, sizeof key - 1);
    nlattr* list = nla_nest_start(message.get(), NFTA_SET_ELEM_LIST_ELEMENTS);
    nlattr* element = nla_nest_start(message.get(), NFTA_LIST_ELEM);
    nlattr* data = nla_nest_start(message.get(), NFTA_SET_ELEM_KEY);
    full = full || nla_put(message.get(), NFTA_DATA_VALUE, sizeof key, key) < 0;
    for (nlattr* nested : {data, element, list}) nla_nest_end(message.get(), nested);
  }
  if (full) return make_error(Code::kNoSpace, "netlink: no message");
  Found found;
  nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, take_message, &found);
  int failed = nl_send_auto(socket, message.get());
  if (failed >= 0) failed = nl_recvmsgs_default(socket);
  // A single element comes first, then the acknowledgement.
  if (failed >= 0 && !host_name.empty()) failed = nl_wait_for_ack(socket);
  if (failed == -NLE_OBJ_NOTFOUND) return make_error(Code::kNotFound, "no set or element");
  if (failed < 0)
    return make_error(Code::kIo,
                      std::string("packet filter: read counters: ") + nl_geterror(failed));
  return found;
}

Result<std::map<std::string, PortCounters>> read_all(nl_sock* socket, const Instance& instance,
                                                     const std::string& host_name) {
  std::map<std::string, PortCounters> result;
  for (uint8_t family : kFamilies)
    for (std::string_view name : kCounterNames) {
      auto found = read_set(socket, family, instance.table(), set_of_counter(name), host_name);
      if (!found && found.error().code == Code::kNotFound) continue;
      if (!found) return std::move(found).error();
      for (const auto& [port, count] : *found) {
        DropCount& sum = result[port][std::string(name)];
        sum.packets += count.packets;
        sum.bytes += count.bytes;
      }
    }
  return result;
}

}  // namespace

Result<std::map<std::string, PortCounters>> Nft::counters(const Instance& instance) {
  return read_all(socket_, instance, {});
}

Result<PortCounters> Nft::counters(const Instance& instance, const std::string& host_name) {
  TRY(check_interface_name(host_name));
  TRY_AS(auto result, read_all(socket_, instance, host_name));
  auto place = result.find(host_name);
  if (place == result.end())
    return make_error(Code::kNotFound, "packet filter: no port '" + host_name + "'");
  return place->second;
}

}  // namespace netns
