#include "zoned/core/root_tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "base/files.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "zoned/core/plan.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::quoted;
using base::Result;
using base::Status;
using base::sys_error;
using base::UniqueFd;

constexpr size_t kMaxAccountFile = 1 << 20;

struct Found {
  UniqueFd fd;  // O_PATH
  struct stat st = {};
};

// Follows links inside the tree; O_PATH neither blocks on a FIFO nor wakes a device.
Result<Found> look_up(int root, const std::string& path, int flags = 0) {
  Found found;
  TRY_AS(found.fd, base::open_in_root(root, path, O_PATH | flags));
  if (fstat(found.fd.get(), &found.st) != 0) return sys_error("stat " + quoted(path));
  return found;
}

bool is_program(int root, const std::string& path) {
  auto found = look_up(root, path);
  return found && S_ISREG(found->st.st_mode) && (found->st.st_mode & 0111) != 0 &&
         found->st.st_size > 0;
}

bool same_file(int root, const std::string& a, const std::string& b) {
  auto first = look_up(root, a);
  auto second = look_up(root, b);
  return first && second && first->st.st_dev == second->st.st_dev &&
         first->st.st_ino == second->st.st_ino;
}

// Absent, special or oversized account files count as empty: the tree then knows no names.
std::string read_small(int root, const std::string& path) {
  auto found = look_up(root, path);
  if (!found || !S_ISREG(found->st.st_mode)) return {};
  // Between look-up and open the tree may change: O_NONBLOCK, and the opened file is checked again.
  auto fd = base::open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat st = {};
  if (!fd || fstat(fd->get(), &st) != 0 || !S_ISREG(st.st_mode)) return {};
  auto text = base::read_fd(fd->get(), kMaxAccountFile);
  return text ? *std::move(text) : std::string();
}

std::string find_init(int root) {
  constexpr const char* kCandidates[] = {"/sbin/init", "/usr/sbin/init", "/lib/systemd/systemd",
                                         "/usr/lib/systemd/systemd", "/init"};
  for (const char* path : kCandidates)
    if (is_program(root, path)) return path;
  return {};
}

void find_command(int root, const TreeQuestion& question, TreeFacts* facts) {
  const std::string& name = question.command.front();
  facts->command_found = false;
  auto is_it = [&](const std::string& path) {
    facts->command_found = is_program(root, path);
    if (facts->command_found) facts->command_path = path;
    facts->command_exists = facts->command_exists || look_up(root, path).ok();
    return facts->command_found;
  };
  if (name.empty()) return;
  if (name.find('/') != std::string::npos) {
    is_it(name.starts_with('/') ? name : question.workdir + "/" + name);
    return;
  }
  for (const std::string& folder : base::split(question.path, ':')) {
    if (!folder.starts_with('/')) continue;  // relative to what? not searched
    if (is_it((folder == "/" ? "" : folder) + "/" + name)) return;
  }
}

struct Account {
  std::string name;
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::string home;
};

Result<uint32_t> parse_id(std::string_view text) {
  TRY_AS(uint64_t id, base::parse_uint(text, 0, kIdsPerZone - 1));
  return static_cast<uint32_t>(id);
}

bool parse_account(const std::string& line, Account* account) {
  std::vector<std::string> fields = base::split(line, ':');
  if (fields.size() != 7 || fields[0].empty()) return false;
  auto uid = parse_id(fields[2]);
  auto gid = parse_id(fields[3]);
  if (!uid || !gid) return false;
  bool home = fields[5].starts_with('/') && fields[5].size() < 4096;
  *account = {fields[0], *uid, *gid, home ? fields[5] : "/"};
  return true;
}

std::vector<uint32_t> groups_of(std::string_view group, const std::string& user) {
  constexpr size_t kMaxGroups = 256;
  std::vector<uint32_t> ids;
  for (const std::string& line : base::split(group, '\n')) {
    std::vector<std::string> fields = base::split(line, ':');
    if (fields.size() != 4) continue;
    auto gid = parse_id(fields[2]);
    std::vector<std::string> members = base::split(fields[3], ',');
    if (gid && std::find(members.begin(), members.end(), user) != members.end())
      ids.push_back(*gid);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (ids.size() > kMaxGroups) ids.resize(kMaxGroups);
  return ids;
}

Status check_real_folder(int root, const std::string& path) {
  auto found = look_up(root, path, O_NOFOLLOW);
  if (!found && found.error().sys_errno == ENOENT) return {};
  if (!found) return std::move(found).error().context("root tree");
  if (S_ISDIR(found->st.st_mode)) return {};
  const char* what = S_ISLNK(found->st.st_mode) ? "a symbolic link" : "not a folder";
  return make_error(Code::kInvalid, "root tree: " + quoted(path) + " is " + what,
                    "replace it in the source by an empty folder");
}

// One component, its parent given. The result may be a link that stays inside the tree.
Status make_component(int root, const std::string& parent, const std::string& name, bool folder,
                      mode_t mode) {
  std::string here = (parent == "/" ? "" : parent) + "/" + name;
  auto found = look_up(root, here);
  if (found && S_ISDIR(found->st.st_mode) == folder) return {};
  if (found)
    return make_error(Code::kInvalid, "root tree: " + quoted(here, 400) + " is " +
                                          (folder ? "not a folder" : "not a file"));
  if (found.error().sys_errno != ENOENT) return std::move(found).error().context("root tree");
  TRY_AS(UniqueFd at, base::open_in_root(root, parent, O_RDONLY | O_DIRECTORY));
  if (folder && mkdirat(at.get(), name.c_str(), mode) != 0)
    return sys_error("root tree: make " + quoted(here, 400));
  TRY_AS(UniqueFd made, base::open_in_root(root, here,
                                           folder ? O_RDONLY | O_DIRECTORY | O_NOFOLLOW
                                                  : O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
                                           folder ? 0 : 0644));
  // umask must not narrow /tmp.
  if (fchmod(made.get(), mode) != 0) return sys_error("root tree: chmod " + quoted(here, 400));
  return {};
}

Status make_mountpoint(int root, const MountPoint& point, mode_t mode) {
  std::vector<std::string> parts;
  for (std::string& part : base::split(point.path, '/'))
    if (!part.empty()) parts.push_back(std::move(part));
  std::string parent = "/";
  for (size_t i = 0; i < parts.size(); ++i) {
    bool last = i + 1 == parts.size();
    TRY(make_component(root, parent, parts[i], !last || point.folder, last ? mode : 0755));
    parent = (parent == "/" ? "" : parent) + "/" + parts[i];
  }
  return {};
}

}  // namespace

Result<TreeFacts> find_user(std::string_view passwd, std::string_view group,
                            std::string_view user) {
  TreeFacts facts;
  bool by_number = !user.empty() && user.find_first_not_of("0123456789") == std::string_view::npos;
  if (by_number) {
    TRY_AS(facts.uid, parse_id(user));
    facts.gid = facts.uid;
  }
  for (const std::string& line : base::split(passwd, '\n')) {
    Account account;
    if (!parse_account(line, &account)) continue;
    bool hit = by_number ? account.uid == facts.uid
                         : account.name == (user.empty() ? std::string_view("root") : user);
    if (!hit) continue;
    facts.uid = account.uid;
    facts.gid = account.gid;
    facts.home = account.home;
    facts.groups = groups_of(group, account.name);
    return facts;
  }
  // Root exists without a passwd too.
  if (by_number || user.empty() || user == "root") return facts;
  return make_error(Code::kNotFound, "the zone's tree has no user " + quoted(user),
                    "use a name from its /etc/passwd, or a number");
}

Result<TreeFacts> inspect_tree(int root, const TreeQuestion& question) {
  TRY_AS(TreeFacts facts,
         find_user(read_small(root, "/etc/passwd"), read_small(root, "/etc/group"), question.user));
  facts.init = find_init(root);
  facts.systemd = !facts.init.empty() && (same_file(root, facts.init, "/lib/systemd/systemd") ||
                                          same_file(root, facts.init, "/usr/lib/systemd/systemd"));
  auto resolver = look_up(root, "/etc/resolv.conf", O_NOFOLLOW);
  facts.own_resolver = resolver && S_ISLNK(resolver->st.st_mode);
  if (!question.command.empty()) find_command(root, question, &facts);
  return facts;
}

Status make_folders(int root, const std::string& path) {
  return make_mountpoint(root, {path, true}, 0755);
}

Status check_mountpoints(int root) {
  for (const char* path : {"/dev", "/proc", "/sys"}) TRY(check_real_folder(root, path));
  return {};
}

Status ensure_mountpoints(int root, const std::vector<MountPoint>& more) {
  constexpr mode_t kShared = 01777;
  TRY(check_mountpoints(root));
  for (const char* path : {"/dev", "/proc", "/sys", "/run"})
    TRY(make_mountpoint(root, {path, true}, 0755));
  TRY(make_mountpoint(root, {"/tmp", true}, kShared));
  for (const MountPoint& point : more)
    TRY(make_mountpoint(root, point, point.folder ? 0755 : 0644));
  return {};
}

}  // namespace core
