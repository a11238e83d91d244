// The host and the daemon itself: host, stat, events, stop, upgrade.
#include <algorithm>

#include "base/strings.h"
#include "vmzone/host.h"
#include "zoned/daemon/api.h"

namespace zoned {

using nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr int64_t kMinIntervalMs = 100;
constexpr int64_t kMaxIntervalMs = int64_t{3600} * 1000;
constexpr size_t kMaxStats = 64;  // users whose previous look is remembered

// Host pids, sources and reasons of failures (which other zones may be) are root's.
std::string detail_for_others(const Event& event) {
  return event.kind == "exited" ? event.detail : std::string();
}

}  // namespace

void Api::host(Request request) {
  json checks = json::array();
  std::vector<core::HostCheck> found = core::check_host(*parts_.host);
  for (core::HostCheck& check : parts_.networks->checks()) found.push_back(std::move(check));
  for (core::HostCheck& check : vmzone::check_vm_host(parts_.guests->kvm()))
    found.push_back(std::move(check));
  for (const core::HostCheck& check : found)
    checks.push_back({{"subject", check.subject},
                      {"state", check.state},
                      {"detail", check.detail},
                      {"fix", check.fix}});
  const core::HostFacts& host = *parts_.host;
  const auto zones = visible(request.caller);
  auto running = std::count_if(zones.begin(), zones.end(), [this](const std::string& name) {
    return parts_.registry->find(name)->record.has_value();
  });
  json facts = {{"cpus", std::to_string(host.cpus)},
                {"memory", base::format_size(host.memory_bytes)},
                {"cgroups", std::string(parts_.cgroups->name())},
                {"controllers", base::join(parts_.cgroups->controllers(), " ")},
                {"zones", std::to_string(zones.size())},
                {"zones-running", std::to_string(running)}};
  if (request.caller.root()) {
    facts["keepers"] = std::to_string(parts_.keepers->size());
    facts["id-ranges-leased"] = std::to_string(parts_.ids->leased());
  }
  request.call.answer.reply({{"version", ZONED_VERSION},
                             {"kernel", host.kernel_release},
                             {"checks", std::move(checks)},
                             {"facts", std::move(facts)}});
}

bool Api::sees(const Caller& caller, const std::string& zone) const {
  const Zone* found = parts_.registry->find(zone);
  return found != nullptr && may_see(caller, *found);
}

std::shared_ptr<StatSession> Api::stat_of(const Caller& caller) {
  auto found = stats_.find(caller.uid);
  if (found != stats_.end()) return found->second;
  auto session = std::make_shared<StatSession>(parts_);
  if (caller.root() || stats_.size() < kMaxStats) stats_[caller.uid] = session;
  return session;
}

// For others than root nothing exists but what they see: not in sums, nor in what shares are parts of.
std::optional<std::set<std::string>> Api::scope(const Caller& caller) const {
  if (caller.root()) return std::nullopt;
  auto names = visible(caller);
  return std::set<std::string>(names.begin(), names.end());
}

void Api::stat(Request request) {
  int64_t interval = request.call.parameters["interval_ms"].get<int64_t>();
  base::Status status;
  auto names = visible(request.caller, request.call.parameters["names"], &status);
  if (!status) return request.call.answer.fail(status.error());
  if (interval <= 0)
    return request.call.answer.reply(stat_of(request.caller)->look(names, scope(request.caller)));
  request.call.parameters["interval_ms"] = std::clamp(interval, kMinIntervalMs, kMaxIntervalMs);
  auto session = std::make_shared<StatSession>(parts_);
  session->look(names, scope(request.caller));
  stat_again(session, request);
}

// A timer lives as long as somebody looks.
void Api::stat_again(const std::shared_ptr<StatSession>& session, const Request& request) {
  milliseconds interval(request.call.parameters["interval_ms"].get<int64_t>());
  auto call = std::make_shared<api::Call>(api::Call{request.call.peer,
                                                    request.call.method,
                                                    request.call.parameters,
                                                    {},
                                                    {},
                                                    request.call.more,
                                                    request.call.answer});
  auto timer = parts_.loop->after(interval, [this, session, call, caller = request.caller] {
    if (!call->answer.open()) return;
    // Clearances, grants and zones may have changed meanwhile: what may be seen is decided anew.
    Caller now = parts_.users->caller(caller.uid, caller.pid);
    base::Status ignored;
    auto names = visible(now, call->parameters["names"], &ignored);
    json members = session->look(names, scope(now));
    if (!call->more) return call->answer.reply(std::move(members));
    call->answer.next(std::move(members));
    stat_again(session, Request{std::move(*call), caller, nullptr});
  });
  request.call.answer.on_close([loop = parts_.loop, timer] { loop->cancel(timer); });
}

void Api::events(Request request) {
  api::Answer answer = request.call.answer;
  if (!request.call.more)
    return answer.fail(base::make_error(base::Code::kInvalid, "events: a stream needs 'more'"));
  const Caller caller = request.caller;
  auto listener = [this, answer, caller](const Event& event) {
    // What a deleted zone was, only root may still know; clearances may have changed meanwhile.
    if (!caller.root() && !sees(parts_.users->caller(caller.uid, caller.pid), event.zone)) return;
    answer.next({{"event",
                  {{"time", event.time},
                   {"zone", event.zone},
                   {"kind", event.kind},
                   {"detail", caller.root() ? event.detail : detail_for_others(event)}}}});
  };
  // How far back the record goes tells how much happened in other zones, and names outlive zones.
  uint64_t id = parts_.events->listen(std::move(listener), caller.root());
  answer.on_close([events = parts_.events, id] { events->unlisten(id); });
}

void Api::stop_all(Request request) {
  hooks_.stop_all([answer = request.call.answer](base::Status status) {
    if (!status) return answer.fail(status.error());
    answer.reply(json::object());
  });
}

void Api::upgrade(Request request) {
  hooks_.upgrade([answer = request.call.answer](base::Status status) {
    if (!status) return answer.fail(status.error());
    answer.reply(json::object());
  });
}

}  // namespace zoned
