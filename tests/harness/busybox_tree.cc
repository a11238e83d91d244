#include "tests/harness/busybox_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "base/unique_fd.h"

namespace harness {
namespace {

constexpr const char* kBusybox = "/bin/busybox";

base::Status write_file(int root, const std::string& path, std::string_view text, mode_t mode) {
  TRY_AS(base::UniqueFd file, base::open_at(root, path, O_WRONLY | O_CREAT | O_EXCL, mode));
  return base::write_all(file.get(), text);
}

}  // namespace

base::Status make_busybox_tree(const std::string& path) {
  auto program = base::read_file(AT_FDCWD, kBusybox, 16 << 20);
  if (!program.ok()) return std::move(program).error().with_hint("apt-get install busybox-static");
  TRY_AS(base::Output applets, base::run_program({kBusybox, "--list"}));

  TRY_AS(base::UniqueFd root, base::make_dirs(AT_FDCWD, path, 0755));
  for (const char* folder : {"bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "var/log"})
    TRY(base::make_dirs(root.get(), folder, 0755));
  if (fchmodat(root.get(), "tmp", 01777, 0) != 0) return base::sys_error("chmod 'tmp'");
  for (const char* link : {"sbin", "usr"})
    if (symlinkat(link == std::string_view("usr") ? "." : "bin", root.get(), link) != 0)
      return base::sys_error("symlink " + base::quoted(link));

  TRY(write_file(root.get(), "bin/busybox", *program, 0755));
  for (const std::string& applet : base::split(base::trim(applets.out), '\n')) {
    if (applet == "busybox") continue;
    if (symlinkat("busybox", root.get(), ("bin/" + applet).c_str()) != 0)
      return base::sys_error("symlink " + base::quoted(applet));
  }
  TRY(write_file(root.get(), "etc/passwd",
                 "root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000:guest:/tmp:/bin/sh\n", 0644));
  return write_file(root.get(), "etc/group", "root:x:0:\nguest:x:1000:\n", 0644);
}

}  // namespace harness
