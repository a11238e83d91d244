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

std::vector<std::string> list_of(std::string_view text) {
  std::vector<std::string> items;
  for (const std::string& item : base::split(text, ','))
    if (std::string_view word = base::trim(item); !word.empty()) items.emplace_back(word);
  return items;
}

// The TOML of what stands behind "KEY=": TOML, or a bare word.
Result<std::string> value_of(const std::string& key, std::string_view text) {
  auto document = core::parse_document("v = " + std::string(text) + "\n", "value");
  bool toml = document && document->entries.size() == 1 &&
              document->entries[0].path == core::ConfigPath{"v"};
  using Texts = std::vector<std::string>;
  if (toml && (std::holds_alternative<std::string>(document->entries[0].value) ||
               std::holds_alternative<Texts>(document->entries[0].value)))
    return core::value_text(document->entries[0].value);
  if (text.starts_with('"') || text.starts_with('\'') || text.starts_with('['))
    return make_error(Code::kInvalid, key + ": " + base::quoted(text) + " is not TOML");
  return core::value_text(key == "grants" ? core::ConfigValue(list_of(text))
                                          : core::ConfigValue(std::string(text)));
}

// The place of the user's entry in the text; none: where a new one goes.
size_t index_of(const core::ConfigDocument& document, const std::string& name) {
  size_t size = core::list_size(document, {kList});
  for (size_t i = 0; i < size; ++i) {
    const core::ConfigEntry* entry = core::find_entry(document, {kList, std::to_string(i), "name"});
    const auto* text = entry == nullptr ? nullptr : std::get_if<std::string>(&entry->value);
    if (text != nullptr && *text == name) return i;
  }
  return size;
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
      users.push_back(
          {{}, {encodings.default_label(), encodings.default_clearance(), false, false}});
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
  auto text = base::read_file(AT_FDCWD, folder + "/" + kFile);
  if (!text && text.error().code == Code::kNotFound) return users;
  if (!text) return std::move(text).error().context("users");
  std::vector<base::Result<core::ConfigDocument>> read =
      reader->documents({{folder + "/" + kFile, *text}});
  TRY_AS(core::ConfigDocument document, std::move(read.at(0)));
  TRY_AS(std::vector<User> parsed, users_from(document, *encodings));
  TRY(users.take(*std::move(text), std::move(parsed), problems));
  return users;
}

Result<std::vector<User>> Users::parse(std::string_view text) const {
  TRY_AS(core::ConfigDocument document, core::parse_document(text, folder_ + "/" + kFile));
  return users_from(document, *encodings_);
}

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

const User* Users::find(std::string_view name) const {
  auto found = std::find_if(users_.begin(), users_.end(),
                            [name](const User& user) { return user.name == name; });
  return found == users_.end() ? nullptr : &*found;
}

Result<std::string> Users::edited(const std::string& name,
                                  const std::vector<std::string>& assignments) const {
  TRY_AS(core::ConfigDocument document, core::parse_document(text_, kFile));
  size_t index = index_of(document, name);
  const core::ConfigPath at = {kList, std::to_string(index)};
  auto path = [&at](const std::string& key) {
    core::ConfigPath whole = at;
    whole.push_back(key);
    return whole;
  };
  std::string text = text_;
  if (index == core::list_size(document, {kList}))
    text = core::set_in_text(text, path("name"), core::string_text(name), kListDepth);
  for (const std::string& assignment : assignments) {
    if (!base::is_clean_utf8(assignment))
      return make_error(Code::kInvalid, "an assignment is not valid UTF-8 without NUL");
    size_t equals = assignment.find('=');
    std::string key(base::trim(assignment.substr(0, equals)));
    if (equals == std::string::npos || key == "name" ||
        std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end())
      return make_error(Code::kInvalid, base::quoted(assignment) + " is not KEY=VALUE",
                        "the keys are clearance, minimum, grants and role");
    std::string_view value = base::trim(std::string_view(assignment).substr(equals + 1));
    if (value.empty()) {
      text = core::remove_in_text(text, path(key));
      continue;
    }
    TRY_AS(std::string toml, value_of(key, value));
    text = core::set_in_text(text, path(key), toml, kListDepth);
    if (text.size() > core::kMaxConfigBytes)
      return make_error(Code::kNoSpace, std::string(kFile) + " would grow too long");
  }
  return text;
}

Result<std::string> Users::without(const std::string& name) const {
  TRY_AS(core::ConfigDocument document, core::parse_document(text_, kFile));
  size_t index = index_of(document, name);
  if (index == core::list_size(document, {kList}))
    return make_error(Code::kNotFound, subject(name) + " has no entry",
                      "'zone user list' shows the entries");
  return core::remove_in_text(text_, {kList, std::to_string(index)});
}

Status Users::set(const std::string& text) {
  TRY_AS(std::vector<User> parsed, parse(text));
  Users next(folder_, encodings_);
  std::vector<std::string> gone;  // known to whoever lists them
  TRY(next.take(text, std::move(parsed), &gone));
  TRY_AS(base::UniqueFd folder, base::open_at(AT_FDCWD, folder_, O_RDONLY | O_DIRECTORY));
  TRY(base::replace_file(folder.get(), kFile, text, base::Durability::kDisk));
  *this = std::move(next);
  return {};
}

}  // namespace zoned
