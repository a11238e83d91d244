// Who may do what. Every method of the API passes through authorise() with the object it will act on
// as that object is now; nothing else decides. Default deny, in two steps:
//
//   1. Is there such a zone for him? His clearance must dominate its label (labels/policy.h), and he must
//      be root, a system administrator in whose range it is, or named in one of its [[admin]] entries. If
//      not, the answer is the same, byte for byte, as for a name that nobody has.
//   2. May he do that? Acting needs the zone's label within his range, and the right: of his role, or of
//      the [[admin]] entry.
//
// Root may do everything: who is root on the host is trusted, and equals ADMIN_HIGH.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "zoned/daemon/users.h"
#include "zoned/daemon/zone.h"

namespace zoned {

enum class Verb {
  kSee,        // list, info, stat, events of a zone
  kLogin,      // exec, login, console, logs, screenshot, key, vnc
  kManage,     // boot, shutdown, halt, reboot, pause, resume
  kConfigure,  // create, set, install, uninstall, delete, export, verify, run, insert, eject
  kReadHost,   // host, pools, networks as they are: no zone
  kHost,       // changing them; stop, upgrade
  kUsers,      // users and clearances
  kAudit,      // reading the audit log
  kSend,       // what a zone sends by itself: no call, and never allowed by authorise()
};
std::string_view verb_name(Verb verb);

struct Decision {
  const Caller& caller;
  std::string_view method;  // "Boot"
  Verb verb;
  std::string_view zone;  // as asked for; empty: none
  bool allowed;
  const Zone* object = nullptr;           // null: there is none of that name
  std::string_view reason = {};           // why it was refused
  const nlohmann::json* given = nullptr;  // the call's parameters; null: not of interest
  std::string_view detail = {};           // what is to be done, in words
};

// Where decisions are recorded, before the effect (zoned/daemon/audit_log.h).
class AuditSink {
 public:
  using Then = std::function<void(base::Status)>;
  virtual ~AuditSink() = default;
  // An error: it can't be recorded, and nothing may be done nor told.
  virtual base::Status record(const Decision& decision) = 0;
  // Calls `then` as soon as the method may go on after what was recorded last: at once or later. An
  // error: as above.
  virtual void settle(std::string_view method, Then then) = 0;
};

// zone: the object, null when there is none of that name (`name`). Success means that the caller may
// go on. kNotFound: absent or hidden. kDenied: seen, and not allowed. audit: null for a decision that
// has been recorded already and is taken anew; given: as in Decision.
base::Status authorise(const Caller& caller, std::string_view method, Verb verb, const Zone* zone,
                       std::string_view name, AuditSink* audit,
                       const nlohmann::json* given = nullptr);

// What zoned does of its own accord, such as a restart by the zone's policy: recorded as root's, then
// done by `then`, unless it gets an error.
void record_own(AuditSink* audit, std::string_view act, const Zone& zone, AuditSink::Then then);

// What a zone tried against its label, and was refused by the kernel or a helper.
base::Status record_attempt(AuditSink* audit, std::string_view act, const Zone& zone,
                            std::string_view reason);

// The first step alone, without a record: for filtering lists.
bool may_see(const Caller& caller, const Zone& zone);

// The one answer for a zone that is not there (for this caller).
base::Error no_such_zone(std::string_view name);

}  // namespace zoned
