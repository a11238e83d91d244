#include "zoned/daemon/api.h"

#include <algorithm>

#include "base/strings.h"
#include "zoned/daemon/service_zones.h"

namespace zoned {

using nlohmann::json;

Api::Api(const Parts& parts, Runtime* runtime, Installer* installer, AuditLog* audit,
         DaemonHooks hooks)
    : parts_(parts),
      runtime_(runtime),
      installer_(installer),
      audit_(audit),
      hooks_(std::move(hooks)) {}

const std::vector<Api::Method>& Api::methods() {
  static const std::vector<Method> kMethods = {
      {"List", Verb::kSee, Target::kList, &Api::list},
      {"Info", Verb::kSee, Target::kZone, &Api::info},
      {"Create", Verb::kConfigure, Target::kNewZone, &Api::create},
      {"Install", Verb::kConfigure, Target::kZone, &Api::install},
      {"Boot", Verb::kManage, Target::kZone, &Api::boot},
      {"Shutdown", Verb::kManage, Target::kZone, &Api::shutdown},
      {"Halt", Verb::kManage, Target::kZone, &Api::halt},
      {"Reboot", Verb::kManage, Target::kZone, &Api::reboot},
      {"Uninstall", Verb::kConfigure, Target::kZone, &Api::uninstall},
      {"Delete", Verb::kConfigure, Target::kZone, &Api::remove},
      {"Run", Verb::kConfigure, Target::kNewZone, &Api::run},
      {"Exec", Verb::kLogin, Target::kZone, &Api::exec},
      {"Console", Verb::kLogin, Target::kZone, &Api::console},
      {"Logs", Verb::kLogin, Target::kZone, &Api::logs},
      {"Screenshot", Verb::kLogin, Target::kZone, &Api::screenshot},
      {"Keys", Verb::kLogin, Target::kZone, &Api::keys},
      {"Display", Verb::kLogin, Target::kZone, &Api::display},
      {"Insert", Verb::kConfigure, Target::kZone, &Api::insert},
      {"Eject", Verb::kConfigure, Target::kZone, &Api::eject},
      {"Pause", Verb::kManage, Target::kZone, &Api::pause},
      {"Resume", Verb::kManage, Target::kZone, &Api::resume},
      {"Set", Verb::kConfigure, Target::kZone, &Api::set},
      {"Configure", Verb::kConfigure, Target::kZone, &Api::configure},
      {"Export", Verb::kConfigure, Target::kZone, &Api::export_config},
      {"Verify", Verb::kConfigure, Target::kNewZone, &Api::verify},
      {"Stat", Verb::kSee, Target::kList, &Api::stat},
      {"Events", Verb::kSee, Target::kList, &Api::events},
      {"PoolCreate", Verb::kHost, Target::kHost, &Api::pool_create},
      {"PoolSet", Verb::kHost, Target::kHost, &Api::pool_set},
      {"PoolList", Verb::kReadHost, Target::kHost, &Api::pool_list},
      {"PoolInfo", Verb::kReadHost, Target::kHost, &Api::pool_info},
      {"PoolDelete", Verb::kHost, Target::kHost, &Api::pool_delete},
      {"NetCreate", Verb::kHost, Target::kHost, &Api::net_create},
      {"NetSet", Verb::kHost, Target::kHost, &Api::net_set},
      {"NetList", Verb::kReadHost, Target::kHost, &Api::net_list},
      {"NetInfo", Verb::kReadHost, Target::kHost, &Api::net_info},
      {"NetDelete", Verb::kHost, Target::kHost, &Api::net_delete},
      {"NetPorts", Verb::kSee, Target::kList, &Api::net_ports},
      {"Host", Verb::kReadHost, Target::kHost, &Api::host},
      {"LabelNames", Verb::kSee, Target::kList, &Api::label_names},
      {"LabelDominates", Verb::kSee, Target::kList, &Api::label_dominates},
      {"LabelSet", Verb::kHost, Target::kHost, &Api::label_set},
      {"LabelGet", Verb::kHost, Target::kHost, &Api::label_get},
      {"LabelClear", Verb::kHost, Target::kHost, &Api::label_clear},
      {"LabelTrees", Verb::kHost, Target::kHost, &Api::label_trees},
      {"Copy", Verb::kLogin, Target::kList, &Api::copy},
      {"CopyConfirm", Verb::kLogin, Target::kList, &Api::copy_confirm},
      {"CopyCancel", Verb::kLogin, Target::kList, &Api::copy_cancel},
      {"CopyList", Verb::kSee, Target::kList, &Api::copy_list},
      {"CopyShow", Verb::kSee, Target::kList, &Api::copy_show},
      {"CopyApprove", Verb::kLogin, Target::kList, &Api::copy_approve},
      {"CopyReject", Verb::kLogin, Target::kList, &Api::copy_reject},
      {"UserSet", Verb::kUsers, Target::kHost, &Api::user_set},
      {"UserList", Verb::kUsers, Target::kHost, &Api::user_list},
      {"UserDelete", Verb::kUsers, Target::kHost, &Api::user_delete},
      {"StopAll", Verb::kHost, Target::kHost, &Api::stop_all},
      {"Upgrade", Verb::kHost, Target::kHost, &Api::upgrade},
      {"Audit", Verb::kAudit, Target::kHost, &Api::audit},
      {"AuditAccept", Verb::kHost, Target::kHost, &Api::audit_accept},
  };
  return kMethods;
}

void Api::handle(api::Call call) {
  auto method = std::find_if(methods().begin(), methods().end(), [&call](const Method& candidate) {
    return call.method == candidate.name;
  });
  api::Answer answer = call.answer;
  if (method == methods().end())
    return answer.fail(base::make_error(base::Code::kInternal, "method without a handler"));
  Caller caller = parts_.users->caller(call.peer.uid, call.peer.pid);
  std::string name = target_name(*method, call);
  Zone* zone = name.empty() ? nullptr : parts_.registry->find(name);
  base::Status allowed;
  base::Status recorded;
  if (method->target == Target::kList) {
    // Each zone or label on the list is decided by itself; the record is of the call.
    recorded = audit_->record({caller, method->name, method->verb, "", true});
  } else {
    allowed = authorise(caller, method->name, method->verb, zone, name, audit_, &call.parameters);
  }
  auto shared = std::make_shared<api::Call>(std::move(call));
  if (!recorded) return answer.fail(recorded.error());
  audit_->settle(method->name,
                 [this, method, shared, caller, allowed](const base::Status& settled) {
                   proceed(*method, shared, caller, allowed, settled);
                 });
}

std::string Api::target_name(const Method& method, const api::Call& call) {
  bool named = method.target == Target::kZone || method.target == Target::kNewZone;
  if (!named || !has_parameter(call.parameters, "name")) return "";
  return call.parameters["name"].get<std::string>();
}

void Api::proceed(const Method& method, const std::shared_ptr<api::Call>& call,
                  const Caller& asked_by, const base::Status& allowed,
                  const base::Status& recorded) {
  const api::Answer answer = call->answer;
  if (!recorded) return answer.fail(recorded.error());
  if (!allowed) return answer.fail(allowed.error());
  // Other calls have been served meanwhile: the decision holds for caller and zone as they are now.
  const Caller caller = parts_.users->caller(asked_by.uid, asked_by.pid);
  std::string name = target_name(method, *call);
  answer.on_fail([this, caller, name, &method](const base::Error& error) {
    audit_->failed(caller, method.name, name, error);
  });
  Zone* zone = name.empty() ? nullptr : parts_.registry->find(name);
  if (method.target != Target::kList) {
    base::Status still = authorise(caller, method.name, method.verb, zone, name, nullptr);
    if (!still) return answer.fail(still.error());
  }
  if (method.target == Target::kZone && zone == nullptr) return answer.fail(no_such_zone(name));
  bool changes = method.verb == Verb::kManage || method.verb == Verb::kConfigure;
  if (method.target == Target::kZone && changes && method.handler != &Api::export_config)
    if (base::Status free = check_not_serving(parts_.registry, *zone); !free)
      return answer.fail(free.error());
  (this->*method.handler)(Request{std::move(*call), caller, zone});
}

std::vector<std::string> Api::visible(const Caller& caller, const json& names,
                                      base::Status* status) const {
  std::vector<std::string> answer;
  if (!names.empty()) {
    for (const json& item : names) {
      std::string name = item.get<std::string>();
      Zone* zone = parts_.registry->find(name);
      if (zone != nullptr && may_see(caller, *zone))
        answer.push_back(name);
      else if (status->ok())
        *status = no_such_zone(name);
    }
    return answer;
  }
  return visible(caller);
}

std::vector<std::string> Api::visible(const Caller& caller) const {
  std::vector<std::string> names;
  for (const auto& [name, zone] : parts_.registry->zones())
    if (may_see(caller, *zone)) names.push_back(name);
  return names;
}

base::Error Api::told(const Caller& caller, const std::string& zone, base::Error error) {
  if (caller.root()) return error;
  return base::make_error(base::Code::kState, "zone " + base::quoted(zone) + ": that failed",
                          "root sees why in 'zone events'");
}

json Api::zone_members(const Zone& zone, const Caller& caller) const {
  // Member by member: a list of ten thousand zones is made of these.
  json members = json::object();
  members["name"] = zone.name;
  bool paused = zone.state == State::kRunning && parts_.guests->paused(zone.name);
  members["state"] = paused ? "paused" : state_name(zone.state);
  members["brand"] = zone.spec.brand == core::Brand::kVm ? "vm" : "native";
  members["label"] = parts_.encodings->name_of(zone.label);
  members["pool"] = zone.record ? zone.record->pool : zone.spec.pool;
  members["id"] = zone.file.id;
  members["boots"] = zone.boots;
  members["ephemeral"] = zone.ephemeral;
  // Pids are the host's: nobody but root learns them.
  if (zone.record && zone.record->pid != 0 && caller.root()) members["pid"] = zone.record->pid;
  if (zone.wrong_label && caller.root())
    members["problem"] = parts_.registry->check_label_text(zone).error().message;
  if (zone.exit) {
    static constexpr std::array<const char*, 3> kKinds = {"exit", "signal", "unknown"};
    members["exit"] = {{"kind", kKinds.at(static_cast<size_t>(zone.exit->kind))},
                       {"value", zone.exit->value}};
  }
  return members;
}

Callback Api::answer_zone(const Request& request) const {
  return [this, answer = request.call.answer, caller = request.caller, name = request.zone->name,
          label = request.zone->label](base::Status status) {
    if (!status) return answer.fail(told(caller, name, status.error()));
    Zone* zone = parts_.registry->find(name);
    if (zone != nullptr) return answer.reply({{"zone", zone_members(*zone, caller)}});
    // It was ephemeral and is gone: that is its end as it should be.
    Zone gone;
    gone.name = name;
    gone.label = label;
    gone.state = State::kConfigured;
    gone.ephemeral = true;
    answer.reply({{"zone", zone_members(gone, caller)}});
  };
}

}  // namespace zoned
