#include "zoned/core/install_finish.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "zoned/core/root_tree.h"

namespace core {
namespace {

using base::Result;
using base::Status;
using base::sys_error;
using base::UniqueFd;

constexpr const char* kUnits = "/etc/systemd/system";
constexpr const char* kKeyUnit = "zoned-ssh-host-keys.service";
constexpr const char* kKeyUnitText =
    "[Unit]\n"
    "Description=Make the host keys of this zone's SSH server\n"
    "ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key\n"
    "Before=ssh.service sshd.service ssh.socket\n"
    "\n"
    "[Service]\n"
    "Type=oneshot\n"
    "ExecStart=/usr/bin/ssh-keygen -A\n"
    "\n"
    "[Install]\n"
    "WantedBy=multi-user.target\n";

Result<UniqueFd> open_folder(int root, const std::string& path) {
  return base::open_in_root(root, path, O_RDONLY | O_DIRECTORY);
}

// Removes a name, whatever it is; absent (or without its folder) is success. Never a folder.
Status remove_name(int root, const std::string& folder, const std::string& name) {
  auto at = open_folder(root, folder);
  if (!at) return {};
  if (unlinkat(at->get(), name.c_str(), 0) == 0 || errno == ENOENT || errno == EISDIR) return {};
  return sys_error("remove " + base::quoted(folder + "/" + name));
}

Status put_file(int root, const std::string& folder, const std::string& name,
                const std::string& text, mode_t mode) {
  TRY_AS(UniqueFd at, open_folder(root, folder));
  return base::replace_file(at.get(), name, text, base::Durability::kRuntime, mode);
}

Status put_link(int root, const std::string& folder, const std::string& name,
                const std::string& text) {
  TRY(remove_name(root, folder, name));
  TRY_AS(UniqueFd at, open_folder(root, folder));
  if (symlinkat(text.c_str(), at.get(), name.c_str()) != 0)
    return sys_error("link " + base::quoted(folder + "/" + name));
  return {};
}

bool exists(int root, const std::string& path) {
  return base::open_in_root(root, path, O_PATH | O_NOFOLLOW).ok();
}

Result<std::string> new_machine_id() {
  unsigned char bytes[16];
  if (getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes))
    return sys_error("getrandom");
  // Version and variant of a random UUID, as machine-id(5) advises.
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id;
  for (unsigned char byte : bytes) {
    id += kDigits[byte >> 4];
    id += kDigits[byte & 15];
  }
  return id;
}

Status renew_identity(int root, const std::string& zone, bool systemd) {
  if (systemd || exists(root, "/etc/machine-id")) {
    TRY_AS(std::string id, new_machine_id());
    TRY(put_file(root, "/etc", "machine-id", id + "\n", 0444));
  }
  TRY(remove_name(root, "/var/lib/dbus", "machine-id"));
  TRY(remove_name(root, "/var/lib/systemd", "random-seed"));
  TRY(put_file(root, "/etc", "hostname", zone + "\n", 0644));
  if (exists(root, "/etc/hosts")) return {};
  return put_file(
      root, "/etc", "hosts",
      "127.0.0.1\tlocalhost\n127.0.1.1\t" + zone + "\n::1\tlocalhost ip6-localhost ip6-loopback\n",
      0644);
}

Status renew_host_keys(int root, bool systemd) {
  auto folder = open_folder(root, "/etc/ssh");
  if (!folder) return {};
  TRY_AS(auto names, base::list_dir(folder->get()));
  for (const std::string& name : names)
    if (name.starts_with("ssh_host_") && (name.ends_with("_key") || name.ends_with("_key.pub")))
      TRY(remove_name(root, "/etc/ssh", name));
  bool sshd = exists(root, "/usr/sbin/sshd") && exists(root, "/usr/bin/ssh-keygen");
  if (!systemd || !sshd) return {};
  std::string wants = std::string(kUnits) + "/multi-user.target.wants";
  TRY(make_folders(root, wants));
  TRY(put_file(root, kUnits, kKeyUnit, kKeyUnitText, 0644));
  return put_link(root, wants, kKeyUnit, std::string(kUnits) + "/" + kKeyUnit);
}

Status mask_units(int root) {
  TRY(make_folders(root, kUnits));
  for (const char* unit : masked_units()) TRY(put_link(root, kUnits, unit, "/dev/null"));
  return {};
}

Status finish(int root, const std::string& zone) {
  TRY_AS(TreeFacts facts, inspect_tree(root, {}));
  TRY(check_mountpoints(root));
  TRY(make_folders(root, "/etc"));
  TRY(renew_identity(root, zone, facts.systemd));
  TRY(renew_host_keys(root, facts.systemd));
  if (facts.systemd) TRY(mask_units(root));
  if (syncfs(root) != 0) return sys_error("syncfs");
  return {};
}

}  // namespace

const std::vector<const char*>& masked_units() {
  static const std::vector<const char*> kMasked = {"sys-kernel-debug.mount",
                                                   "sys-kernel-tracing.mount"};
  return kMasked;
}

Status finish_install(int root, const std::string& zone) {
  auto done = finish(root, zone);
  if (!done) return std::move(done).error().context("finish the tree");
  return {};
}

}  // namespace core
