#include "zoned/daemon/authorise.h"

#include <unistd.h>

#include <algorithm>

#include "base/strings.h"
#include "labels/policy.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Status;
using labels::Label;

namespace {

const Grant* grant_of(const Caller& caller, const Zone& zone) {
  auto grant = std::find_if(zone.grants.begin(), zone.grants.end(),
                            [&caller](const Grant& item) { return item.uid == caller.uid; });
  return grant == zone.grants.end() ? nullptr : &*grant;
}

// Of a zone that the caller sees.
bool has_right(const Caller& caller, Verb verb, const Zone& zone) {
  const Grant* grant = grant_of(caller, zone);
  switch (verb) {
    case Verb::kSee:
      return true;
    case Verb::kLogin:
      return grant != nullptr && grant->login;
    case Verb::kManage:
      return caller.role == Role::kSystem || (grant != nullptr && grant->manage);
    case Verb::kConfigure:
    case Verb::kReadHost:
    case Verb::kHost:
    case Verb::kUsers:
    case Verb::kAudit:
    case Verb::kSend:
      break;
  }
  return false;
}

Status decide_on_zone(const Caller& caller, Verb verb, const Zone& zone) {
  if (!may_see(caller, zone)) return no_such_zone(zone.name);
  if (caller.root()) return {};
  const std::string act =
      "zone " + base::quoted(zone.name) + ": you may not " + std::string(verb_name(verb)) + " it";
  if (!has_right(caller, verb, zone))
    return make_error(Code::kDenied, act,
                      verb == Verb::kConfigure
                          ? "only root configures zones"
                          : "an [[admin]] entry of the zone with that right would allow it");
  if (verb == Verb::kSee || caller.rights.in_range(zone.label)) return {};
  return make_error(Code::kDenied, act + ": its label is outside of your range");
}

Status decide_on_host(const Caller& caller, Verb verb) {
  bool reads_host = verb == Verb::kReadHost && caller.role == Role::kSystem;
  // The audit log holds records of every label.
  bool cleared =
      verb == Verb::kUsers ||
      (verb == Verb::kAudit && labels::may_see(caller.rights.clearance, Label::admin_high()));
  bool security = cleared && caller.role == Role::kSecurity;
  if (caller.root() || reads_host || security) return {};
  if (verb == Verb::kReadHost)
    return make_error(Code::kDenied, "only root and system administrators may do this");
  if (verb == Verb::kAudit)
    return make_error(Code::kDenied,
                      "only root and security administrators of clearance ADMIN_HIGH may do this");
  if (verb == Verb::kUsers)
    return make_error(Code::kDenied, "only root and security administrators may do this");
  return make_error(Code::kDenied, "only root may do this");
}

bool is_of_zone(Verb verb) {
  return verb == Verb::kSee || verb == Verb::kLogin || verb == Verb::kManage ||
         verb == Verb::kConfigure;
}

Status decide(const Caller& caller, Verb verb, const Zone* zone, std::string_view name) {
  if (zone != nullptr) return decide_on_zone(caller, verb, *zone);
  // Acting on a named zone that is not there: root is told by the method itself (create wants that).
  if (!name.empty() && is_of_zone(verb) && (!caller.root() || verb != Verb::kConfigure))
    return no_such_zone(name);
  return decide_on_host(caller, verb);
}

}  // namespace

std::string_view verb_name(Verb verb) {
  switch (verb) {
    case Verb::kSee:
      return "see";
    case Verb::kLogin:
      return "log in to";
    case Verb::kManage:
      return "manage";
    case Verb::kConfigure:
      return "configure";
    case Verb::kReadHost:
      return "read the host";
    case Verb::kHost:
      return "host";
    case Verb::kUsers:
      return "users";
    case Verb::kAudit:
      return "audit";
    case Verb::kSend:
      return "send";
  }
  return "";
}

base::Error no_such_zone(std::string_view name) {
  return make_error(Code::kNotFound, "zone " + base::quoted(name) + ": no such zone",
                    "'zone list' shows the zones");
}

bool may_see(const Caller& caller, const Zone& zone) {
  if (!labels::may_see(caller.rights.clearance, zone.label)) return false;
  if (caller.root()) return true;
  // A security administrator has no business in zones. What serves zones is the host's.
  if (caller.role == Role::kSecurity || is_service(zone)) return false;
  if (grant_of(caller, zone) != nullptr) return true;
  return caller.role == Role::kSystem && caller.rights.in_range(zone.label);
}

namespace {

// For the audit log alone: why a zone that is there does not exist for the caller.
std::string why_hidden(const Caller& caller, const Zone& zone) {
  if (!labels::may_see(caller.rights.clearance, zone.label))
    return "hidden: the clearance does not dominate the zone's label";
  if (caller.role == Role::kSecurity) return "hidden: from security administrators";
  return is_service(zone) ? "hidden: the zone serves others" : "hidden: no [[admin]] entry";
}

}  // namespace

Status authorise(const Caller& caller, std::string_view method, Verb verb, const Zone* zone,
                 std::string_view name, AuditSink* audit, const nlohmann::json* given) {
  Status status = decide(caller, verb, zone, name);
  if (audit == nullptr) return status;
  std::string reason = status ? std::string() : status.error().message;
  if (zone != nullptr && !may_see(caller, *zone)) reason = why_hidden(caller, *zone);
  TRY(audit->record({caller, method, verb, name, status.ok(), zone, reason, given}));
  return status;
}

void record_own(AuditSink* audit, std::string_view act, const Zone& zone, AuditSink::Then then) {
  const Caller self = Caller::of_root(getpid());
  base::Status recorded = audit->record({self, act, Verb::kManage, zone.name, true, &zone});
  if (!recorded) return then(std::move(recorded));
  audit->settle(act, std::move(then));
}

base::Status record_attempt(AuditSink* audit, std::string_view act, const Zone& zone,
                            std::string_view reason) {
  const Caller self = Caller::of_root(getpid());
  return audit->record({self, act, Verb::kSend, zone.name, false, &zone, reason});
}

}  // namespace zoned
