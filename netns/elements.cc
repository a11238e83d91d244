#include "netns/elements.h"

#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <string_view>

#include "labels/policy.h"
#include "netns/ruleset_tables.h"

namespace netns {
namespace {

constexpr uint64_t kBurstDivisor = 10;  // a tenth of a second's packets, at least 5 (nft's default)

Field field(std::string bytes, std::string text) { return {bytes, bytes, std::move(text)}; }

Field interface_of(const std::string& name) {
  std::string bytes = name;
  bytes.resize(IFNAMSIZ);
  return field(std::move(bytes), "\"" + name + "\"");
}

std::string bytes_of(const Address& address) {
  return {reinterpret_cast<const char*>(address.data()), address.size()};
}

Field address_of(const Address& address) { return field(bytes_of(address), address.text()); }

Field subnet_of(const Prefix& prefix) {
  return {bytes_of(prefix.address.masked(prefix.length)), bytes_of(prefix.last()), prefix.text()};
}

Field mac_of(const Mac& mac) {
  return field({reinterpret_cast<const char*>(mac.data()), mac.size()}, mac_text(mac));
}

Field payload_of(const Address& address) {
  return field(bytes_of(address), payload_number(address));
}

Field payload_of(const Mac& mac) {
  return field({reinterpret_cast<const char*>(mac.data()), mac.size()}, payload_number(mac));
}

Field protocol_of(Protocol protocol) {
  uint8_t number = protocol == Protocol::kTcp ? IPPROTO_TCP : IPPROTO_UDP;
  return field(std::string(1, static_cast<char>(number)), std::string(name_of(protocol)));
}

Field service_of(uint16_t number) {
  return field({static_cast<char>(number >> 8), static_cast<char>(number & 0xff)},
               std::to_string(number));
}

const Prefix* own_of(const PortPlan& port, Family family) {
  for (const Prefix& own : port.addresses)
    if (own.address.family() == family) return &own;
  return nullptr;
}

class PortElements {
 public:
  PortElements(const PortPlan& port, const LabelTable& labels, Elements* elements)
      : port_(port),
        labels_(labels),
        elements_(*elements),
        family_(port.bridge.empty() ? "inet" : "bridge"),
        name_(interface_of(port.host_name)) {}

  void collect() {
    if (port_.kind == PortKind::kDevice) return;
    member("ports");
    member("entry", Verdict{false, port_.packets == 0 ? "from_port" : "from_limited_port"});
    sources();
    protections();
    place();
    if (!port_.device.empty()) member("segment");
    if (port_.bridge.empty()) {
      answers();
      arp();
      multilevel();
      kind();
      dhcp();
      firewall();
      for (const Publish& publish : port_.publish) published(publish);
    }
  }

 private:
  void add(const std::string& set, Fields key, Data data = {}) {
    std::string text = text_of(key);
    elements_[{family_, set}][std::move(text)] = {std::move(key), std::move(data)};
  }
  void member(const std::string& set, Data data = {}) { add(set, {name_}, std::move(data)); }
  void with(const std::string& set, Field value) { add(set, {name_, std::move(value)}); }

  void source(const Prefix& prefix) {
    std::string digit = prefix.address.is_v4() ? "4" : "6";
    if (!prefix.is_host()) return with("net" + digit + "_ok", subnet_of(prefix));
    with("ip" + digit + "_ok", address_of(prefix.address));
    if (prefix.address.is_v6()) with("nd_ok", payload_of(prefix.address));
  }

  void sources() {
    if (auto mac = parse_mac(port_.mac)) {
      with("mac_ok", mac_of(*mac));
      with("chaddr_ok", payload_of(*mac));
      source({link_local_of(*mac), 128});
    }
    for (const Prefix& own : port_.addresses) source({own.address, own.address.bits()});
    for (const Prefix& prefix : port_.allowed) source(prefix);
  }

  void protections() {
    const Protections& on = port_.protections;
    if (on.mac_nospoof) member("mac_nospoof");
    if (on.ip_nospoof) member("ip_nospoof");
    if (on.dhcp_nospoof) member("dhcp_nospoof");
    if (on.ra_guard) member("ra_guard");
    if (on.restricted && family_ == "bridge") member("restricted");
    if (port_.packets != 0) {
      member("rate_limit",
             Limit{port_.packets, std::max<uint64_t>(5, port_.packets / kBurstDivisor)});
      member("rate");
    }
    member("denied");
    member("denied_in");
  }

  void place() {
    std::string suffix = domain_suffix({port_.network, port_.label});
    member("domain", Verdict{true, "d_" + suffix});
    member("m_" + suffix);
    member(label_set(port_.label));
    if (port_.outward) member("outward");
  }

  // What its domain may learn of the port's addresses.
  void answers() {
    std::string suffix = domain_suffix({port_.network, port_.label});
    member("errors", Verdict{true, "e_" + suffix});
    for (const Prefix& own : port_.addresses)
      add((own.address.is_v4() ? "a4_" : "a6_") + suffix, {payload_of(own.address)});
  }

  void multilevel() {
    auto own = labels_.find(port_.label);
    if (own == labels_.end()) return;
    for (uint16_t port : port_.multilevel)
      for (const auto& [sender, label] : labels_)
        if (label != own->second && labels::may_send(label, own->second, true))
          with("up_" + domain_suffix({port_.network, sender}), service_of(port));
  }

  void arp() {
    family_ = "arp";
    member("ports");
    if (auto mac = parse_mac(port_.mac)) with("mac_ok", mac_of(*mac));
    for (const Prefix& own : port_.addresses)
      if (own.address.is_v4()) with("ip4_ok", address_of(own.address));
    for (const Prefix& prefix : port_.allowed)
      if (prefix.address.is_v4())
        with(prefix.is_host() ? "ip4_ok" : "net4_ok",
             prefix.is_host() ? address_of(prefix.address) : subnet_of(prefix));
    if (port_.protections.mac_nospoof) member("mac_nospoof");
    if (port_.protections.ip_nospoof) member("ip_nospoof");
    std::string suffix = domain_suffix({port_.network, port_.label});
    member("domain", Verdict{true, "d_" + suffix});
    for (const Prefix& own : port_.addresses)
      if (own.address.is_v4()) add("a4_" + suffix, {address_of(own.address)});
    family_ = "inet";
  }

  void kind() {
    if (port_.network_kind == NetworkKind::kIsolated) member("isolated");
    if (port_.network_kind == NetworkKind::kNat) member("nat");
    // Fragments are put together, and so have ports, only where connections are tracked.
    if (port_.firewall.active() || !port_.publish.empty() || !port_.multilevel.empty()) return;
    member("plain");
    for (const Prefix& own : port_.addresses)
      add(own.address.is_v4() ? "plain4" : "plain6", {address_of(own.address)});
  }

  void dhcp() {
    if (port_.serves_dhcp) member("dhcp_servers");
    const Prefix* own = own_of(port_, Family::kIpv4);
    auto mac = parse_mac(port_.mac);
    if (mac) guided(*mac);
    if (!port_.dhcp_server.valid() || own == nullptr || !mac) return;
    Fields address = {address_of(own->address)};
    member("dhcp_source", address);
    member("dhcp_server", Fields{address_of(port_.dhcp_server)});
    add("dhcp_hardware", {address_of(port_.dhcp_server), payload_of(*mac)}, address);
  }

  void guided(const Mac& mac) {
    const Prefix* own = own_of(port_, Family::kIpv6);
    if (!port_.dhcp6_server.valid() || own == nullptr) return;
    Fields address = {address_of(own->address)};
    member("dhcp6_source", address);
    member("dhcp6_server", Fields{address_of(port_.dhcp6_server)});
    add("dhcp6_local", address, Fields{address_of(link_local_of(mac))});
  }

  void firewall() {
    if (!port_.firewall.active()) return;
    member("firewall_in", Verdict{true, "i_" + port_.host_name});
    member("firewall_out", Verdict{true, "o_" + port_.host_name});
  }

  void published(const Publish& publish) {
    const Prefix* own = own_of(port_, publish.host.family());
    if (own == nullptr) return;
    Field zone = address_of(own->address);
    std::string digit = own->address.is_v4() ? "4" : "6";
    Fields key = {protocol_of(publish.protocol), service_of(publish.host_port)};
    Fields data = {zone, service_of(publish.zone_port)};
    if (publish.host.is_unspecified()) {
      add("publish" + digit + "_any", std::move(key), std::move(data));
    } else {
      key.insert(key.begin(), address_of(publish.host));
      add("publish" + digit, std::move(key), std::move(data));
    }
    add("self" + digit, {zone, zone});
  }

  const PortPlan& port_;
  const LabelTable& labels_;
  Elements& elements_;
  std::string family_;
  Field name_;
};

std::string joined(const Fields& fields, std::string Field::*part) {
  constexpr size_t kRegister = 4;
  std::string result;
  for (const Field& field : fields) {
    result += field.*part;
    if (fields.size() > 1) result.resize((result.size() + kRegister - 1) / kRegister * kRegister);
  }
  return result;
}

}  // namespace

Elements elements_of(const std::vector<PortPlan>& ports, const LabelTable& labels) {
  Elements elements;
  for (const PortPlan& port : ports) PortElements(port, labels, &elements).collect();
  return elements;
}

Elements difference(const Elements& a, const Elements& b) {
  Elements result;
  for (const auto& [name, entries] : a) {
    auto theirs = b.find(name);
    for (const auto& entry : entries) {
      if (theirs != b.end()) {
        auto same = theirs->second.find(entry.first);
        if (same != theirs->second.end() && same->second == entry.second) continue;
      }
      result[name].insert(entry);
    }
  }
  return result;
}

std::string text_of(const Fields& fields) {
  std::string text;
  for (const Field& field : fields) text += (text.empty() ? "" : " . ") + field.text;
  return text;
}

std::string text_of(const Data& data) {
  if (const auto* fields = std::get_if<Fields>(&data)) return " : " + text_of(*fields);
  if (const auto* verdict = std::get_if<Verdict>(&data))
    return (verdict->jump ? " : jump " : " : goto ") + verdict->chain;
  if (const auto* limit = std::get_if<Limit>(&data))
    return " limit rate over " + std::to_string(limit->packets) + "/second burst " +
           std::to_string(limit->burst) + " packets";
  return {};
}

std::string bytes_of(const Fields& fields) { return joined(fields, &Field::bytes); }
std::string last_bytes_of(const Fields& fields) { return joined(fields, &Field::last); }
bool is_interval(const Fields& fields) {
  return std::any_of(fields.begin(), fields.end(),
                     [](const Field& field) { return field.bytes != field.last; });
}

}  // namespace netns
