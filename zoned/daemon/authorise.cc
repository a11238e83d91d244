#include "zoned/daemon/authorise.h"

#include <unistd.h>

#include "base/strings.h"

namespace zoned {
namespace {

bool granted(const Caller& caller, Verb verb, const Zone& zone) {
  if (!caller.clearance.dominates(zone.label)) return false;
  if (caller.uid == 0) return true;
  for (const Grant& grant : zone.grants) {
    if (grant.uid != caller.uid) continue;
    if (verb == Verb::kSee) return true;
    if (verb == Verb::kLogin && grant.login) return true;
    if (verb == Verb::kManage && grant.manage) return true;
  }
  return false;
}

base::Status decide(const Caller& caller, Verb verb, const Zone* zone, std::string_view name) {
  bool root = caller.uid == 0;
  if (zone != nullptr) {
    if (granted(caller, verb, *zone)) return {};
    if (!granted(caller, Verb::kSee, *zone)) return no_such_zone(name);
    return base::make_error(
        base::Code::kDenied,
        "zone " + base::quoted(name) + ": you may not " + std::string(verb_name(verb)) + " it",
        "an [[admin]] entry of the zone with that right would allow it");
  }
  // Acting on a named zone that is not there: root is told by the method itself (create wants that).
  if (!name.empty() && verb != Verb::kHost && (!root || verb != Verb::kConfigure))
    return no_such_zone(name);
  if (root) return {};
  return base::make_error(base::Code::kDenied, "only root may do this");
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
    case Verb::kAudit:
      return "audit";
    case Verb::kHost:
      break;
  }
  return "host";
}

base::Error no_such_zone(std::string_view name) {
  return base::make_error(base::Code::kNotFound, "zone " + base::quoted(name) + ": no such zone",
                          "'zone list' shows the zones");
}

bool may_see(const Caller& caller, const Zone& zone) { return granted(caller, Verb::kSee, zone); }

base::Status authorise(const Caller& caller, std::string_view method, Verb verb, const Zone* zone,
                       std::string_view name, AuditSink* audit, const nlohmann::json* given) {
  base::Status status = decide(caller, verb, zone, name);
  if (audit == nullptr) return status;
  std::string_view reason = status ? std::string_view() : status.error().message;
  TRY(audit->record({caller, method, verb, name, status.ok(), zone, reason, given}));
  return status;
}

void record_own(AuditSink* audit, std::string_view act, const Zone& zone, AuditSink::Then then) {
  const Caller self{0, getpid()};
  base::Status recorded = audit->record({self, act, Verb::kManage, zone.name, true, &zone});
  if (!recorded) return then(std::move(recorded));
  audit->settle(act, std::move(then));
}

}  // namespace zoned
