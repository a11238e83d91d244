// Users, clearances and roles.
#include "base/strings.h"
#include "zoned/daemon/api.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Status;
using nlohmann::json;

namespace {

json members_of(const User& user, const labels::Encodings& encodings) {
  json grants = json::array();
  if (user.rights.upgrade) grants.push_back("upgrade");
  if (user.rights.downgrade) grants.push_back("downgrade");
  return {{"name", user.name},
          {"clearance", encodings.clearance_name_of(user.rights.clearance)},
          {"minimum", encodings.name_of(user.rights.minimum)},
          {"grants", std::move(grants)},
          {"role", role_name(user.role)}};
}

}  // namespace

// A security administrator can neither raise himself nor make another one of his kind.
Status Api::check_user_change(const Caller& caller, const std::string& name,
                              const User* after) const {
  if (caller.root()) return {};
  auto uid = uid_of_user(name);
  if (uid && *uid == caller.uid)
    return make_error(Code::kDenied, "your own entry is somebody else's to change");
  const User* before = parts_.users->find(name);
  Role old_role = before == nullptr ? Role::kNone : before->role;
  Role new_role = after == nullptr ? Role::kNone : after->role;
  if (old_role == Role::kNone && new_role == Role::kNone) return {};
  return make_error(Code::kDenied, "user " + base::quoted(name) + ": roles are root's to give",
                    "root also changes the entries of those who have one");
}

// The changed text is read by a process apart before it is taken.
void Api::change_users(const api::Answer& answer, const Users::Change& change,
                       const std::string& done) {
  parts_.parsers->read({parts_.users->file(), change.text},
                       [this, answer, change, done](base::Result<core::ConfigDocument> document) {
                         Status changed = document ? parts_.users->set(change, *document)
                                                   : Status(document.error());
                         if (!changed) return answer.fail(changed.error());
                         parts_.events->emit("", "user", done);
                         answer.reply(json::object());
                       });
}

void Api::user_set(Request request) {
  const json& parameters = request.call.parameters;
  std::string name = parameters["name"].get<std::string>();
  auto edit = [&]() -> base::Result<Users::Change> {
    TRY(uid_of_user(name));
    TRY_AS(Users::Change change,
           parts_.users->edited(name, parameters["assignments"].get<std::vector<std::string>>()));
    TRY(check_user_change(request.caller, name, change.find(name)));
    return change;
  };
  auto change = edit();
  if (!change) return request.call.answer.fail(change.error());
  change_users(request.call.answer, *change, name + " set");
}

void Api::user_list(Request request) {
  json users = json::array();
  for (const User& user : parts_.users->all()) users.push_back(members_of(user, *parts_.encodings));
  request.call.answer.reply({{"users", std::move(users)}});
}

void Api::user_delete(Request request) {
  std::string name = request.call.parameters["name"].get<std::string>();
  auto edit = [&]() -> base::Result<Users::Change> {
    TRY(check_user_change(request.caller, name, nullptr));
    return parts_.users->without(name);
  };
  auto change = edit();
  if (!change) return request.call.answer.fail(change.error());
  change_users(request.call.answer, *change, name + " deleted");
}

}  // namespace zoned
