#include "netns/share.h"

#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <map>
#include <set>

#include "netns/netlink.h"
#include "netns/shape.h"
#include "netns/tc.h"

namespace netns {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;

constexpr uint32_t kTotalClass = kRootHandle | 1;
constexpr uint32_t kFirstMinor = 2;
constexpr uint32_t kLastMinor = 0xffff;
// A port borrows in turns of at least a packet as large as the kernel makes them, counted with the
// headers of all its segments; a smaller turn would make packets count, not bytes.
constexpr uint32_t kLeastQuantum = 128 << 10;
constexpr uint32_t kMostQuantum = 16 << 20;
constexpr uint64_t kLeastQueue = 128 << 10;        // bytes: two such packets
constexpr uint64_t kQueuesPerSecond = 20;          // 50 ms of the port's part may wait
constexpr uint32_t kBurstTicks = 10'000'000 / 64;  // 10 ms in the kernel's ticks of 64 ns
constexpr uint32_t kFiltersPerPriority = 2048;     // of 4,095 that u32 takes
constexpr uint32_t kDeviceMtu = 65535;

// Acknowledgements of one batch must fit the socket's buffer.
Status send_in_parts(Links& host, std::vector<Request>& requests) {
  constexpr size_t kPart = 64;
  for (size_t i = 0; i < requests.size(); i += kPart) {
    std::vector<Request> part;
    for (size_t j = i; j < std::min(i + kPart, requests.size()); ++j)
      part.push_back(std::move(requests[j]));
    TRY(send_all(host.socket(), part));
  }
  return {};
}

Request rate_class(const Link& device, uint32_t parent, uint32_t handle, const ShareRate& rate) {
  tc_htb_opt options = {};
  options.rate.rate = clamped(rate.rate);
  options.ceil.rate = clamped(rate.ceiling);
  options.rate.linklayer = options.ceil.linklayer = TC_LINKLAYER_ETHERNET;
  options.buffer = options.cbuffer = kBurstTicks;
  options.quantum = rate.quantum;
  Request request("link '" + device.name + "': share", RTM_NEWTCLASS, NLM_F_CREATE,
                  tc_place(device, parent, handle));
  request.text(TCA_KIND, "htb").nest(TCA_OPTIONS);
  request.put(TCA_HTB_PARMS, &options, sizeof options);
  request.u64(TCA_HTB_RATE64, rate.rate).u64(TCA_HTB_CEIL64, rate.ceiling);
  return std::move(request.end());
}

Request queue_of(const Link& device, uint32_t handle, const ShareRate& rate) {
  tc_fifo_qopt options = {};
  options.limit = clamped(std::max(rate.rate / kQueuesPerSecond, kLeastQueue));
  Request request("link '" + device.name + "': queue", RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE,
                  tc_place(device, handle, 0));
  request.text(TCA_KIND, "bfifo").put(TCA_OPTIONS, &options, sizeof options);
  return request;
}

Result<Link> device_with_total(Links& host, const std::string& name, uint64_t total_bits) {
  auto found = host.find(name);
  if (!found && found.error().code == Code::kNotFound) {
    TRY(create_ifb(host, name, kDeviceMtu));
    found = host.find(name);
  }
  TRY_AS(Link device, std::move(found));
  tc_htb_glob options = {};
  options.version = 3;
  options.rate2quantum = 10;
  std::vector<Request> requests;
  requests.emplace_back("link '" + name + "': shares", RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL,
                        tc_place(device, TC_H_ROOT, kRootHandle));
  requests.back().text(TCA_KIND, "htb").nest(TCA_OPTIONS);
  requests.back().put(TCA_HTB_INIT, &options, sizeof options).end().or_there();
  ShareRate total{total_bits / 8, total_bits / 8, kLeastQuantum};
  requests.push_back(rate_class(device, kRootHandle, kTotalClass, total));
  TRY(send_all(host.socket(), requests));
  return device;
}

// A device of the network: which port has which class.
class Device {
 public:
  static Result<Device> open(Links& host, const std::string& name, uint64_t total_bits) {
    TRY_AS(Link link, device_with_total(host, name, total_bits));
    Device device(std::move(link));
    TRY(device.read_filters(host));
    TRY(device.read_classes(host));
    return device;
  }

  const Link& link() const { return link_; }
  bool has(const std::string& port) const { return filters_.contains(port); }

  // The classes of ports that are not among these, and what has no filter.
  Status forget_others(Links& host, const std::set<std::string>& ports) {
    std::vector<Request> requests;
    std::set<uint32_t> kept;
    for (auto it = filters_.begin(); it != filters_.end();) {
      if (ports.contains(it->first)) {
        kept.insert((it++)->second);
      } else {
        it = filters_.erase(it);
      }
    }
    for (const auto& [port, place] : all_filters_)
      if (!ports.contains(port))
        requests.emplace_back("link '" + link_.name + "': forget '" + port + "'", RTM_DELTFILTER, 0,
                              place);
    for (uint32_t handle : classes_)
      if (!kept.contains(handle))
        requests.emplace_back("link '" + link_.name + "': remove a share", RTM_DELTCLASS, 0,
                              tc_place(link_, 0, handle));
    classes_ = std::move(kept);
    return send_in_parts(host, requests);
  }

  Status set_rates(Links& host, const std::vector<std::string>& ports,
                   const std::vector<ShareRate>& rates) {
    std::vector<Request> requests;
    for (size_t i = 0; i < ports.size(); ++i) {
      TRY_AS(uint32_t handle, class_of(ports[i]));
      requests.push_back(rate_class(link_, kTotalClass, handle, rates[i]));
      requests.push_back(queue_of(link_, handle, rates[i]));
    }
    return send_in_parts(host, requests);
  }

  // Last: a port with a filter is known to be shared.
  Request find_by(const Link& port) {
    uint32_t handle = class_of_.at(port.name);
    tcmsg info = tc_place(link_, kRootHandle, 0);
    info.tcm_info = filter_info(1 + TC_H_MIN(handle) / kFiltersPerPriority);
    Request request("link '" + link_.name + "': find '" + port.name + "'", RTM_NEWTFILTER,
                    NLM_F_CREATE | NLM_F_EXCL, info);
    match_all(request.text(TCA_KIND, "u32").nest(TCA_OPTIONS));
    request.u32(TCA_U32_CLASSID, handle).text(TCA_U32_INDEV, port.name);
    return std::move(request.end());
  }

 private:
  explicit Device(Link link) : link_(std::move(link)) {}

  // A filter whose port is gone has lost the name; hash tables have no class.
  Status read_filters(Links& host) {
    Request request("link '" + link_.name + "': read its filters", RTM_GETTFILTER, NLM_F_DUMP,
                    tc_place(link_, kRootHandle, 0));
    return dump(host.socket(), request, [this](const nlmsghdr* message) {
      tcmsg info = *static_cast<const tcmsg*>(payload_of(message));
      Attributes attributes(message, sizeof info);
      if (!attributes.has(TCA_OPTIONS)) return;
      Attributes options = attributes.nested(TCA_OPTIONS);
      if (!options.has(TCA_U32_CLASSID)) return;
      std::string port = options.text(TCA_U32_INDEV);
      all_filters_.emplace_back(port, info);
      if (!port.empty()) filters_[port] = options.value<uint32_t>(TCA_U32_CLASSID);
    });
  }

  Status read_classes(Links& host) {
    Request request("link '" + link_.name + "': read its shares", RTM_GETTCLASS, NLM_F_DUMP,
                    tc_place(link_, 0, 0));
    return dump(host.socket(), request, [this](const nlmsghdr* message) {
      uint32_t handle = static_cast<const tcmsg*>(payload_of(message))->tcm_handle;
      if (TC_H_MAJ(handle) == kRootHandle && handle != kTotalClass) classes_.insert(handle);
    });
  }

  Result<uint32_t> class_of(const std::string& port) {
    if (auto known = filters_.find(port); known != filters_.end())
      return class_of_[port] = known->second;
    for (uint32_t minor = std::max(next_, kFirstMinor); minor <= kLastMinor; ++minor) {
      if (!classes_.insert(kRootHandle | minor).second) continue;
      next_ = minor + 1;
      return class_of_[port] = kRootHandle | minor;
    }
    return make_error(Code::kUnsupported, "more than 65,534 ports share a network's bandwidth");
  }

  Link link_;
  uint32_t next_ = kFirstMinor;
  std::map<std::string, uint32_t> filters_;                 // port to class
  std::vector<std::pair<std::string, tcmsg>> all_filters_;  // of ports that are gone too
  std::map<std::string, uint32_t> class_of_;
  std::set<uint32_t> classes_;
};

// Its own caps go: its classes have them.
Status redirect(Links& host, const Link& port, const Device& receive, const Device& send) {
  constexpr uint32_t kIn = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
  constexpr uint32_t kOut = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS);
  TRY(set_caps(host, port.name, 0, 0));
  std::vector<Request> requests;
  requests.emplace_back("link '" + port.name + "': share", RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL,
                        tc_place(port, TC_H_CLSACT, kIngressHandle));
  requests.back().text(TCA_KIND, "clsact");
  requests.push_back(redirect_all(port, kOut, receive.link()));
  requests.push_back(redirect_all(port, kIn, send.link()));
  return send_all(host.socket(), requests);
}

std::vector<ShareRate> rates_of(uint64_t total_bits, const std::vector<SharedPort>& ports,
                                uint64_t SharedPort::*cap) {
  std::vector<Weight> weights;
  for (const SharedPort& port : ports) weights.push_back({port.share, port.*cap});
  return share_rates(total_bits, weights);
}

Result<std::map<std::string, Link>> links_of(Links& host, const std::vector<SharedPort>& ports) {
  std::set<std::string> wanted;
  for (const SharedPort& port : ports) wanted.insert(port.host_name);
  std::map<std::string, Link> found;
  TRY_AS(auto links, host.list(""));
  for (Link& link : links)
    if (wanted.contains(link.name)) found.emplace(link.name, std::move(link));
  return found;
}

}  // namespace

std::vector<ShareRate> share_rates(uint64_t total_bits, const std::vector<Weight>& ports) {
  uint64_t total = total_bits / 8;
  uint64_t shares = 0;
  uint64_t least = kMaxShare;
  for (const Weight& port : ports) {
    shares += port.share;
    least = std::min<uint64_t>(least, port.share);
  }
  std::vector<ShareRate> rates;
  if (shares == 0) return rates;
  for (const Weight& port : ports) {
    ShareRate& rate = rates.emplace_back();
    rate.ceiling = port.cap_bits == 0 ? total : std::min(total, port.cap_bits / 8);
    rate.rate = std::clamp<uint64_t>(total * port.share / shares, 1, rate.ceiling);
    rate.quantum = static_cast<uint32_t>(
        std::min<uint64_t>(kLeastQuantum * uint64_t{port.share} / least, kMostQuantum));
  }
  return rates;
}

Status set_shares(Links& host, const Shapers& shapers, uint64_t total_bits,
                  const std::vector<SharedPort>& ports) {
  TRY_AS(auto links, links_of(host, ports));
  std::vector<SharedPort> shared;
  std::vector<std::string> names;
  for (const SharedPort& port : ports) {
    if (!links.contains(port.host_name)) continue;
    shared.push_back(port);
    names.push_back(port.host_name);
  }
  TRY_AS(Device receive, Device::open(host, shapers.receive, total_bits));
  TRY_AS(Device send, Device::open(host, shapers.send, total_bits));
  std::set<std::string> known;  // at both
  for (const std::string& name : names)
    if (receive.has(name) && send.has(name)) known.insert(name);
  for (Device* device : {&receive, &send}) TRY(device->forget_others(host, known));
  TRY(receive.set_rates(host, names, rates_of(total_bits, shared, &SharedPort::receive_bits)));
  TRY(send.set_rates(host, names, rates_of(total_bits, shared, &SharedPort::send_bits)));
  for (const std::string& name : names) {
    if (known.contains(name)) continue;
    TRY(redirect(host, links.at(name), receive, send));
    std::vector<Request> filters;
    for (Device* device : {&receive, &send}) filters.push_back(device->find_by(links.at(name)));
    TRY(send_all(host.socket(), filters));
  }
  return {};
}

Status remove_shares(Links& host, const Shapers& shapers, const std::vector<SharedPort>& ports) {
  TRY_AS(auto links, links_of(host, ports));
  for (const SharedPort& port : ports) {
    auto link = links.find(port.host_name);
    if (link == links.end()) continue;
    TRY(remove_queue(host, link->second, TC_H_CLSACT, kIngressHandle));
    TRY(set_caps(host, port.host_name, port.receive_bits, port.send_bits));
  }
  for (const std::string& name : {shapers.receive, shapers.send}) TRY(host.remove(name));
  return {};
}

}  // namespace netns
