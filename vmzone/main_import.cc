// zone-import: what runs inside the installing job of a vm zone (zoned/core/install_plan.h). Not meant
// for people.
//
//   zone-import kernel IMAGE [INITRD]
//   zone-import disk IMAGE
//   zone-import iso IMAGE
//
// fill /target; IMAGE and INITRD are numbers of descriptors. Output and status as install_plan.h says.
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "vmzone/import.h"

namespace {

using base::Code;
using base::Status;
using base::UniqueFd;

constexpr int kFailed = 1;
constexpr int kRefused = 2;
constexpr const char* kTarget = "/target";

void say(int fd, const std::string& line) {
  // Whoever listened may be gone; that is no reason to stop.
  [[maybe_unused]] Status ignored = base::write_all(fd, line + "\n");
}

base::Result<int> descriptor_from(const std::string& word) {
  TRY_AS(uint64_t fd, base::parse_uint(word, 3, 1023));
  return static_cast<int>(fd);
}

Status run(const std::vector<std::string>& words, core::UnpackReport* report) {
  if (words.size() < 2)
    return base::make_error(Code::kInvalid, "no mode and image given",
                            "zone-import kernel IMAGE [INITRD] | disk IMAGE | iso IMAGE");
  TRY_AS(UniqueFd target, base::open_at(AT_FDCWD, kTarget, O_RDONLY | O_DIRECTORY));
  TRY_AS(int image, descriptor_from(words[1]));
  if (words[0] == "disk") return vmzone::import_disk(image, target.get(), kTarget, report);
  if (words[0] == "iso") return vmzone::import_iso(image, target.get(), report);
  if (words[0] != "kernel")
    return base::make_error(Code::kInvalid, "unknown mode " + base::quoted(words[0]));
  std::optional<int> initrd;
  if (words.size() > 2) {
    TRY_AS(initrd, descriptor_from(words[2]));
  }
  return vmzone::import_kernel(image, initrd, target.get(), report);
}

}  // namespace

int main(int argc, char** argv) {
  umask(022);
  std::signal(SIGPIPE, SIG_IGN);
  core::UnpackReport report(
      [](std::string_view stage, uint64_t done, uint64_t total) {
        say(STDOUT_FILENO, "progress " + std::string(stage) + " " + std::to_string(done) + " " +
                               std::to_string(total));
      },
      [](const std::string& text) { say(STDERR_FILENO, "warning: " + text); });
  Status done = run({argv + 1, argv + argc}, &report);
  if (done) return 0;
  say(STDERR_FILENO, "error: " + done.error().message);
  if (!done.error().hint.empty()) say(STDERR_FILENO, "hint: " + done.error().hint);
  bool refused = done.error().code == Code::kInvalid || done.error().code == Code::kUnsupported;
  return refused ? kRefused : kFailed;
}
