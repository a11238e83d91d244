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

void Api::user_set(Request request) {
  const json& parameters = request.call.parameters;
  std::string name = parameters["name"].get<std::string>();
  auto change = [&]() -> Status {
    TRY(uid_of_user(name));
    TRY_AS(std::string text,
           parts_.users->edited(name, parameters["assignments"].get<std::vector<std::string>>()));
    TRY_AS(std::vector<User> users, parts_.users->parse(text));
    const User* after = nullptr;
    for (const User& user : users)
      if (user.name == name) after = &user;
    TRY(check_user_change(request.caller, name, after));
    return parts_.users->set(text);
  };
  if (Status changed = change(); !changed) return request.call.answer.fail(changed.error());
  parts_.events->emit("", "user", name + " set");
  request.call.answer.reply(json::object());
}

void Api::user_list(Request request) {
  json users = json::array();
  for (const User& user : parts_.users->all()) users.push_back(members_of(user, *parts_.encodings));
  request.call.answer.reply({{"users", std::move(users)}});
}

void Api::user_delete(Request request) {
  std::string name = request.call.parameters["name"].get<std::string>();
  auto remove = [&]() -> Status {
    TRY(check_user_change(request.caller, name, nullptr));
    TRY_AS(std::string text, parts_.users->without(name));
    return parts_.users->set(text);
  };
  if (Status removed = remove(); !removed) return request.call.answer.fail(removed.error());
  parts_.events->emit("", "user", name + " deleted");
  request.call.answer.reply(json::object());
}

}  // namespace zoned
