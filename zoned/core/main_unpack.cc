// zone-unpack: what runs inside an installing job (install_plan.h). Not meant for people.
//
//   zone-unpack tar [FD]       unpacks the archive on descriptor FD (0) into /target
//   zone-unpack copy           copies /source into /target
//   zone-unpack debian ARGV    runs mmdebstrap
//
// With --source DIR and --target DIR in front of the mode, other folders.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <clocale>
#include <csignal>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "zoned/core/unpack.h"

namespace {

using base::Status;
using base::UniqueFd;

constexpr int kFailed = 1;
constexpr int kRefused = 2;

void say(int fd, const std::string& line) {
  // Whoever listened may be gone; that is no reason to stop.
  [[maybe_unused]] Status ignored = base::write_all(fd, line + "\n");
}

// Deep trees need descriptors.
void raise_file_limit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

struct Options {
  std::string source = "/source";
  std::string target = "/target";
  std::vector<std::string> words;  // the mode and what follows it
};

base::Result<Options> parse_options(std::vector<std::string> words) {
  Options options;
  while (words.size() >= 2 && (words[0] == "--source" || words[0] == "--target")) {
    (words[0] == "--source" ? options.source : options.target) = words[1];
    words.erase(words.begin(), words.begin() + 2);
  }
  if (words.empty())
    return base::make_error(base::Code::kInvalid, "no mode given",
                            "zone-unpack tar [FD] | copy | debian ARGV...");
  options.words = std::move(words);
  return options;
}

Status run(const Options& options, core::UnpackReport* report) {
  const std::string& mode = options.words[0];
  if (mode == "debian")
    return core::run_mmdebstrap({options.words.begin() + 1, options.words.end()}, report);
  TRY_AS(UniqueFd target, base::open_at(AT_FDCWD, options.target, O_RDONLY | O_DIRECTORY));
  if (mode == "copy") {
    TRY_AS(UniqueFd source, base::open_at(AT_FDCWD, options.source, O_RDONLY | O_DIRECTORY));
    return core::copy_tree(source.get(), target.get(), report);
  }
  if (mode == "tar") {
    uint64_t fd = 0;
    if (options.words.size() > 1) {
      TRY_AS(fd, base::parse_uint(options.words[1], 0, 1023));
    }
    return core::unpack_archive(static_cast<int>(fd), target.get(), report);
  }
  return base::make_error(base::Code::kInvalid, "unknown mode " + base::quoted(mode));
}

}  // namespace

int main(int argc, char** argv) {
  // Names in archives are UTF-8.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  umask(022);
  std::signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  core::UnpackReport report(
      [](std::string_view stage, uint64_t done, uint64_t total) {
        say(STDOUT_FILENO, "progress " + std::string(stage) + " " + std::to_string(done) + " " +
                               std::to_string(total));
      },
      [](const std::string& text) { say(STDERR_FILENO, "warning: " + text); });
  auto options = parse_options({argv + 1, argv + argc});
  Status done = options ? run(*options, &report) : Status(std::move(options).error());
  if (done) return 0;
  say(STDERR_FILENO, "error: " + done.error().message);
  if (!done.error().hint.empty()) say(STDERR_FILENO, "hint: " + done.error().hint);
  return done.error().code == base::Code::kInvalid ? kRefused : kFailed;
}
