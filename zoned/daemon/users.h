// Who the callers are: ETC/users.toml, the label range, grants and role of each user of the host.
// Default deny: a user without an entry has the encodings' minimum clearance, no grants and no role;
// root needs none, is trusted, and equals ADMIN_HIGH.
//
//   [[user]]
//   name = "alice"                # of the host
//   clearance = "SECRET A"        # highest label that exists for him
//   minimum = "PUBLIC"            # lowest label that he acts on; absent: the encodings' minimum
//   grants = ["upgrade"]          # what he may take across labels: upgrade, downgrade
//   role = "system"               # system or security; nobody has both
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "labels/encodings.h"
#include "labels/policy.h"
#include "zoned/core/config_document.h"
#include "zoned/daemon/config_reader.h"

namespace zoned {

enum class Role {
  kNone,
  kSystem,    // sees and runs the zones of his range; reads host, pools and networks
  kSecurity,  // users, clearances, the audit log; no zones
};
std::string_view role_name(Role role);  // kNone: empty

struct Caller {
  uid_t uid = static_cast<uid_t>(-1);  // nobody's
  pid_t pid = 0;
  labels::Rights rights = {{}, {}, false, false};  // nothing but ADMIN_LOW
  Role role = Role::kNone;

  bool root() const { return uid == 0; }
  // uid 0: all labels, all grants.
  static Caller of_root(pid_t pid);
};

struct User {
  std::string name;
  labels::Rights rights;
  Role role = Role::kNone;
  bool operator==(const User&) const = default;
};

// What users.toml says. Errors name file, line and column: unknown keys, a name twice, root, labels that
// the encodings don't allow, a minimum that the clearance does not dominate.
base::Result<std::vector<User>> users_from(const core::ConfigDocument& document,
                                           const labels::Encodings& encodings);

// Looks a user of this host up (getpwnam_r(3)). kNotFound: "no user 'x' on this host".
base::Result<uid_t> uid_of_user(const std::string& name);

class Users {
 public:
  // folder: ETC, absolute. Users that the host does not know (any more) are kept, and nobody is them;
  // problems tells their names.
  static base::Result<Users> load(const std::string& folder, const labels::Encodings* encodings,
                                  ConfigReader* reader, std::vector<std::string>* problems);

  Caller caller(uid_t uid, pid_t pid) const;
  const std::vector<User>& all() const { return users_; }
  const User* find(std::string_view name) const;

  // A change of the file: its text, and what that is meant to say.
  struct Change {
    std::string before;  // the text that it changes
    std::string text;
    std::vector<User> users;

    const User* find(std::string_view name) const;  // null: no entry
  };
  // With these assignments ("clearance=SECRET", "grants=upgrade,downgrade"; values may be quoted, without
  // escapes; an empty one takes the key away). Nothing is written. Assignments come from users with a
  // role: no TOML of theirs is read.
  base::Result<Change> edited(const std::string& name,
                              const std::vector<std::string>& assignments) const;
  base::Result<Change> without(const std::string& name) const;
  // Names the file in errors and requests.
  std::string file() const;
  // Writes the text durably, keeping comments, and takes it. document: what was read from the text.
  // kBusy: the file was changed since. kInternal: the text does not say what is meant.
  base::Status set(const Change& change, const core::ConfigDocument& document);

 private:
  Users(std::string folder, const labels::Encodings* encodings)
      : folder_(std::move(folder)), encodings_(encodings) {}
  base::Status take(std::string text, std::vector<User> users, std::vector<std::string>* problems);

  std::string folder_;
  const labels::Encodings* encodings_;
  std::string text_;
  std::vector<User> users_;
  std::map<uid_t, size_t> by_uid_;  // of users that the host knows
};

}  // namespace zoned
