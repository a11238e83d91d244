// Who may do what. Every method of the API passes through authorise() with the object it will act on
// as that object is now; nothing else decides. Root may do everything; others hold the grants that a
// zone's [[admin]] entries give them. For somebody without a grant a zone does not exist: the answer is
// the same, byte for byte, as for a name that nobody has.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "labels/label.h"
#include "zoned/daemon/zone.h"

namespace zoned {

struct Caller {
  uid_t uid = 0;
  pid_t pid = 0;
  labels::Label clearance = labels::Label::admin_high();  // must dominate the zone's label
};

enum class Verb {
  kSee,        // list, info, stat, events of a zone
  kLogin,      // exec, login, console, logs, screenshot, key, vnc
  kManage,     // boot, shutdown, halt, reboot, pause, resume
  kConfigure,  // create, set, install, uninstall, delete, export, verify, run, insert, eject
  kHost,       // pools, host, stop, upgrade: no zone
};
std::string_view verb_name(Verb verb);

struct Decision {
  const Caller& caller;
  std::string_view method;  // "Boot"
  Verb verb;
  std::string_view zone;  // as asked for; empty: none
  bool allowed;
};

// Where decisions are recorded, before the effect.
class AuditSink {
 public:
  virtual ~AuditSink() = default;
  virtual void record(const Decision& decision) = 0;
};

// zone: the object, null when there is none of that name (`name`). Success means that the caller may
// go on. kNotFound: absent or hidden. kDenied: seen, and not allowed.
base::Status authorise(const Caller& caller, std::string_view method, Verb verb, const Zone* zone,
                       std::string_view name, AuditSink* audit);

// The same decision without a record: for filtering lists.
bool may_see(const Caller& caller, const Zone& zone);

// The one answer for a zone that is not there (for this caller).
base::Error no_such_zone(std::string_view name);

}  // namespace zoned
