#include "zoned/daemon/users.h"

#include <fcntl.h>
#include <pwd.h>

#include <algorithm>

#include "base/files.h"
#include "base/strings.h"
#include "zoned/core/config_document.h"
#include "zoned/core/config_edit.h"
#include "zoned/core/spec_toml.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using labels::Label;

namespace {

constexpr const char* kFile = "users.toml";
constexpr const char* kList = "user";
constexpr size_t kListDepth = 2;  // user.0.clearance
const std::vector<std::string> kKeys = {"name", "clearance", "minimum", "grants", "role"};

base::Error wrong(const core::ConfigDocument& document, const core::ConfigPlace& place,
                  const std::string& what, std::string hint = {}) {
  return make_error(Code::kInvalid, core::place_text(document, place) + what, std::move(hint));
}

std::string subject(std::string_view name) { return "user " + base::quoted(name); }

base::Error unknown_key(const core::ConfigDocument& document, const core::ConfigEntry& entry,
                        const std::string& key, const std::vector<std::string>& known) {
  std::string near = base::nearest(key, known);
  return wrong(document, entry.key_place, "unknown key " + base::quoted(key),
               near.empty() ? "" : "did you mean '" + near + "'?");
}

Status set_grants(const core::ConfigDocument& document, const core::ConfigEntry& entry,
                  User* user) {
  const auto* grants = std::get_if<std::vector<std::string>>(&entry.value);
  if (grants == nullptr)
    return wrong(document, entry.value_place, "grants is a list, such as [\"upgrade\"]");
  for (const std::string& grant : *grants) {
    if (grant != "upgrade" && grant != "downgrade")
      return wrong(document, entry.value_place, "no grant " + base::quoted(grant),
                   "the grants are upgrade and downgrade");
    (grant == "upgrade" ? user->rights.upgrade : user->rights.downgrade) = true;
  }
  return {};
}

Status set_label(const core::ConfigDocument& document, const core::ConfigEntry& entry,
                 const labels::Encodings& encodings, const std::string& key,
                 const std::string& text, User* user) {
  bool clearance = key == "clearance";
  auto label = clearance ? encodings.parse_clearance(text) : encodings.parse_label(text);
  Status valid =
      label ? (clearance ? encodings.check_clearance(*label) : encodings.check_label(*label))
            : Status(label.error());
  if (!valid)
    return wrong(document, entry.value_place, key + ": " + valid.error().message,
                 valid.error().hint);
  (clearance ? user->rights.clearance : user->rights.minimum) = *label;
  return {};
}

Status set_key(const core::ConfigDocument& document, const core::ConfigEntry& entry,
               const labels::Encodings& encodings, User* user) {
  const std::string& key = entry.path.back();
  if (key == "grants") return set_grants(document, entry, user);
  if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end())
    return unknown_key(document, entry, key, kKeys);
  const auto* text = std::get_if<std::string>(&entry.value);
  if (text == nullptr) return wrong(document, entry.value_place, key + " is a text");
  if (key == "clearance" || key == "minimum")
    return set_label(document, entry, encodings, key, *text, user);
  if (key == "name") {
    user->name = *text;
    return {};
  }
  if (*text != role_name(Role::kSystem) && *text != role_name(Role::kSecurity))
    return wrong(document, entry.value_place, "no role " + base::quoted(*text),
                 "the roles are system and security");
  user->role = *text == role_name(Role::kSystem) ? Role::kSystem : Role::kSecurity;
  return {};
}

// What the entries of one user say together.
Status check_user(const core::ConfigDocument& document, const core::ConfigEntry& table,
                  const labels::Encodings& encodings, const std::vector<User>& others,
                  const User& user) {
  if (user.name.empty()) return wrong(document, table.key_place, "the user has no name");
  if (std::any_of(others.begin(), others.end(),
                  [&user](const User& other) { return other.name == user.name; }))
    return wrong(document, table.key_place, subject(user.name) + " has an entry already");
  if (user.rights.clearance.dominates(user.rights.minimum)) return {};
  return wrong(document, table.key_place,
               subject(user.name) + ": the clearance " +
                   base::quoted(encodings.clearance_name_of(user.rights.clearance)) +
                   " does not dominate the minimum " +
                   base::quoted(encodings.name_of(user.rights.minimum)));
}

// "x" or 'x' without its quotes, where it has any.
Result<std::string> unquoted(std::string_view text) {
  text = base::trim(text);
  char quote = text.empty() ? '\0' : text.front();
  if (quote != '"' && quote != '\'') return std::string(text);
  bool closed = text.size() > 1 && text.back() == quote;
  std::string_view inner = closed ? text.substr(1, text.size() - 2) : std::string_view();
  if (!closed || inner.find_first_of("\"'\\") != std::string_view::npos)
    return make_error(Code::kInvalid, base::quoted(text) + " is not one quoted text");
  return std::string(inner);
}

// What stands behind "KEY=": a text, or a list of words with commas between them.
Result<core::ConfigValue> value_of(const std::string& key, std::string_view text) {
  if (key != "grants") {
    TRY_AS(std::string value, unquoted(text));
    return core::ConfigValue(std::move(value));
  }
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  std::vector<std::string> items;
  for (const std::string& item : base::split(text, ',')) {
    TRY_AS(std::string word, unquoted(item));
    bool again = std::find(items.begin(), items.end(), word) != items.end();
    if (!word.empty() && !again) items.push_back(std::move(word));
  }
  return core::ConfigValue(std::move(items));
}

size_t index_of(const std::vector<User>& users, std::string_view name) {
  auto found = std::find_if(users.begin(), users.end(),
                            [name](const User& user) { return user.name == name; });
  return static_cast<size_t>(found - users.begin());
}

const User* find_user(const std::vector<User>& users, std::string_view name) {
  size_t index = index_of(users, name);
  return index == users.size() ? nullptr : &users[index];
}

User user_without_keys(const std::string& name, const labels::Encodings& encodings) {
  return {name, {encodings.default_label(), encodings.default_clearance(), false, false}};
}

void remove_key(const std::string& key, const labels::Encodings& encodings, User* user) {
  const User fresh = user_without_keys(user->name, encodings);
  if (key == "clearance") user->rights.clearance = fresh.rights.clearance;
  if (key == "minimum") user->rights.minimum = fresh.rights.minimum;
  if (key == "grants") user->rights.upgrade = user->rights.downgrade = false;
  if (key == "role") user->role = Role::kNone;
}

struct Assignment {
  std::string key;
  std::string_view value;
};

Result<Assignment> parse_assignment(const std::string& text) {
  if (!base::is_clean_utf8(text))
    return make_error(Code::kInvalid, "an assignment is not valid UTF-8 without NUL");
  size_t equals = text.find('=');
  std::string key(base::trim(std::string_view(text).substr(0, equals)));
  if (equals == std::string::npos || key == "name" ||
      std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end())
    return make_error(Code::kInvalid, base::quoted(text) + " is not KEY=VALUE",
                      "the keys are clearance, minimum, grants and role");
  return Assignment{std::move(key), base::trim(std::string_view(text).substr(equals + 1))};
}

}  // namespace

std::string_view role_name(Role role) {
  if (role == Role::kNone) return "";
  return role == Role::kSystem ? "system" : "security";
}

Caller Caller::of_root(pid_t pid) {
  return {0, pid, {Label::admin_low(), Label::admin_high(), true, true}, Role::kNone};
}

Result<uid_t> uid_of_user(const std::string& name) {
  passwd entry = {};
  passwd* found = nullptr;
  std::vector<char> buffer(16384);
  if (getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr)
    return make_error(Code::kNotFound, "no user " + base::quoted(name) + " on this host",
                      "make the user first: useradd(8)");
  return entry.pw_uid;
}

Result<std::vector<User>> users_from(const core::ConfigDocument& document,
                                     const labels::Encodings& encodings) {
  std::vector<User> users;
  const core::ConfigEntry* table = nullptr;
  auto close = [&]() -> Status {
    if (table == nullptr) return {};
    User last = std::move(users.back());
    users.pop_back();
    TRY(check_user(document, *table, encodings, users, last));
    users.push_back(std::move(last));
    return {};
  };
  for (const core::ConfigEntry& entry : document.entries) {
    if (entry.path[0] != kList) return unknown_key(document, entry, entry.path[0], {kList});
    if (entry.path.size() == 1) {
      if (!std::holds_alternative<core::ConfigList>(entry.value))
        return wrong(document, entry.key_place, "users are written as [[user]] tables");
    } else if (entry.path.size() == kListDepth) {
      TRY(close());
      table = &entry;
      users.push_back(user_without_keys({}, encodings));
    } else if (entry.path.size() > kListDepth + 1) {
      return wrong(document, entry.key_place,
                   base::quoted(core::path_text(entry.path)) + " is no key of a user");
    } else {
      TRY(set_key(document, entry, encodings, &users.back()));
    }
  }
  TRY(close());
  return users;
}

Result<Users> Users::load(const std::string& folder, const labels::Encodings* encodings,
                          ConfigReader* reader, std::vector<std::string>* problems) {
  Users users(folder, encodings);
  auto text = base::read_file(AT_FDCWD, users.file());
  if (!text && text.error().code == Code::kNotFound) return users;
  if (!text) return std::move(text).error().context("users");
  std::vector<base::Result<core::ConfigDocument>> read = reader->documents({{users.file(), *text}});
  TRY_AS(core::ConfigDocument document, std::move(read.at(0)));
  TRY_AS(std::vector<User> parsed, users_from(document, *encodings));
  TRY(users.take(*std::move(text), std::move(parsed), problems));
  return users;
}

std::string Users::file() const { return folder_ + "/" + kFile; }

Status Users::take(std::string text, std::vector<User> users, std::vector<std::string>* problems) {
  std::map<uid_t, size_t> by_uid;
  for (size_t i = 0; i < users.size(); ++i) {
    auto uid = uid_of_user(users[i].name);
    if (!uid) {
      problems->push_back("users: " + uid.error().message);
      continue;
    }
    if (*uid == 0)
      return make_error(Code::kInvalid,
                        subject(users[i].name) + " is root, who is trusted with all",
                        "take the entry away");
    auto [at, fresh] = by_uid.emplace(*uid, i);
    if (!fresh)
      return make_error(Code::kInvalid, "users " + base::quoted(users[at->second].name) + " and " +
                                            base::quoted(users[i].name) +
                                            " are one user of the host, uid " +
                                            std::to_string(*uid));
  }
  text_ = std::move(text);
  users_ = std::move(users);
  by_uid_ = std::move(by_uid);
  return {};
}

Caller Users::caller(uid_t uid, pid_t pid) const {
  if (uid == 0) return Caller::of_root(pid);
  auto known = by_uid_.find(uid);
  if (known != by_uid_.end()) {
    const User& user = users_[known->second];
    return {uid, pid, user.rights, user.role};
  }
  return {uid,
          pid,
          {encodings_->default_label(), encodings_->default_clearance(), false, false},
          Role::kNone};
}

const User* Users::Change::find(std::string_view name) const { return find_user(users, name); }

const User* Users::find(std::string_view name) const { return find_user(users_, name); }

// The users are in the order of their tables.
Result<Users::Change> Users::edited(const std::string& name,
                                    const std::vector<std::string>& assignments) const {
  Change change{text_, text_, users_};
  size_t index = index_of(users_, name);
  const core::ConfigPath table = {kList, std::to_string(index)};
  auto path = [&table](const std::string& key) {
    core::ConfigPath whole = table;
    whole.push_back(key);
    return whole;
  };
  auto set_text = [&](const std::string& key, const core::ConfigValue& value) {
    change.text = core::set_in_text(change.text, path(key), core::value_text(value), kListDepth);
  };
  if (index == users_.size()) {
    change.users.push_back(user_without_keys(name, *encodings_));
    set_text("name", name);
  }
  const core::ConfigDocument nowhere;
  User& user = change.users[index];
  for (const std::string& text : assignments) {
    TRY_AS(Assignment assignment, parse_assignment(text));
    remove_key(assignment.key, *encodings_, &user);
    if (assignment.value.empty()) {
      change.text = core::remove_in_text(change.text, path(assignment.key));
      continue;
    }
    TRY_AS(core::ConfigValue value, value_of(assignment.key, assignment.value));
    TRY(set_key(nowhere, {path(assignment.key), value, {}, {}}, *encodings_, &user));
    set_text(assignment.key, value);
    if (change.text.size() > core::kMaxConfigBytes)
      return make_error(Code::kNoSpace, std::string(kFile) + " would grow too long");
  }
  TRY(check_user(nowhere, {table, {}, {}, {}}, *encodings_, {}, user));
  return change;
}

Result<Users::Change> Users::without(const std::string& name) const {
  size_t index = index_of(users_, name);
  if (index == users_.size())
    return make_error(Code::kNotFound, subject(name) + " has no entry",
                      "'zone user list' shows the entries");
  Change change{text_, core::remove_in_text(text_, {kList, std::to_string(index)}), users_};
  change.users.erase(change.users.begin() + static_cast<ptrdiff_t>(index));
  return change;
}

Status Users::set(const Change& change, const core::ConfigDocument& document) {
  if (change.before != text_)
    return make_error(Code::kBusy, file() + ": somebody else changes it too", "try again");
  TRY_AS(std::vector<User> parsed, users_from(document, *encodings_));
  if (parsed != change.users)
    return make_error(Code::kInternal, "the edited text does not say what was asked",
                      "edit " + file() + " by hand");
  Users next(folder_, encodings_);
  std::vector<std::string> gone;  // known to whoever lists them
  TRY(next.take(change.text, std::move(parsed), &gone));
  TRY_AS(base::UniqueFd folder, base::open_at(AT_FDCWD, folder_, O_RDONLY | O_DIRECTORY));
  TRY(base::replace_file(folder.get(), kFile, change.text, base::Durability::kDisk));
  *this = std::move(next);
  return {};
}

}  // namespace zoned
