// Interfaces of the host that zones have themselves (networks of kind host-device, mode=move).
#include <fcntl.h>
#include <poll.h>

#include <algorithm>

#include "base/files.h"
#include "base/log.h"
#include "base/process.h"
#include "base/strings.h"
#include "netns/device.h"
#include "zoned/daemon/networks.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;
using netns::PortKind;
using netns::PortPlan;

// By /proc, with proof that the number was the first process's all the while: it was when the
// descriptor had been opened, and that process lives still.
Result<UniqueFd> network_namespace(const RuntimeRecord& record) {
  TRY_AS(UniqueFd pidfd, base::open_pidfd(record.pid));
  TRY_AS(uint64_t start, base::start_time_of(record.pid));
  TRY_AS(UniqueFd netns,
         base::open_at(AT_FDCWD, "/proc/" + std::to_string(record.pid) + "/ns/net", O_RDONLY));
  pollfd ended = {pidfd.get(), POLLIN, 0};
  if (start != record.start_time || poll(&ended, 1, 0) != 0)
    return make_error(Code::kState, "its first process has ended");
  return netns;
}

Status Networks::hold_devices(const Zone& zone) {
  auto live = live_.find(zone.name);
  if (live == live_.end()) return {};
  auto moved = [](const PortPlan& port) { return port.kind == PortKind::kDevice; };
  if (std::none_of(live->second.begin(), live->second.end(), moved)) return {};
  TRY_AS(UniqueFd netns, network_namespace(*zone.record));
  held_[zone.name] = std::move(netns);
  return {};
}

void Networks::give_back(const std::string& zone, const std::vector<PortPlan>& ports) {
  auto held = held_.find(zone);
  for (const PortPlan& port : ports) {
    if (port.kind != PortKind::kDevice) continue;
    Status back = held == held_.end()
                      ? netns::rename_device(kernel_->links, port.device)
                      : netns::return_device(kernel_->links, port, held->second.get());
    if (!back)
      base::log_error("zone " + base::quoted(zone) + ": interface " + base::quoted(port.device) +
                      ": " + back.error().message);
  }
  if (held != held_.end()) held_.erase(held);
}

// What came back while no daemon was there.
void Networks::take_devices_back() {
  for (const auto& [name, object] : objects_)
    if (object.network.kind == netns::NetworkKind::kHostDevice)
      base::log_ignored("network " + base::quoted(name),
                        netns::rename_device(kernel_->links, object.network.device));
}

}  // namespace zoned
