// zone-unpack: what runs inside an installing job (install_plan.h). Not meant for people.
//
//   zone-unpack tar [FD]       unpacks the archive on descriptor FD (0) into /target
//   zone-unpack copy           copies /source into /target
//   zone-unpack debian ARGV    runs mmdebstrap
//   zone-unpack pack [-r] [-x] PATH           packs what is at PATH of /target onto descriptor 3;
//                                             says "packed FILES BYTES IDENTITY"
//   zone-unpack place [-f] PATH TEMPORARY     writes the stream on descriptor 3 to PATH of /target;
//                                             says "nothing left" of a failure that left nothing
//   zone-unpack retract [-x] PATH TEMPORARY   removes what a killed "place" left; -x: a file that
//                                             it placed, too
//   zone-unpack take PATH IDENTITY            takes a moved file away: says "held", and does it
//                                             when it reads "go"
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
#include "zoned/core/transfer.h"
#include "zoned/core/unpack.h"

namespace {

using base::Status;
using base::UniqueFd;

constexpr int kFailed = 1;
constexpr int kRefused = 2;
constexpr int kContent = 3;  // the descriptor of a stream

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

// The modes of zone copy. words: the mode, flags, then what it needs.
Status run_transfer(std::vector<std::string> words, int tree, core::UnpackReport* report) {
  const std::string mode = words[0];
  auto flag = [&words](const char* name) { return std::erase(words, name) > 0; };
  bool recursive = flag("-r");
  bool exclusive = flag("-x");
  bool replace = flag("-f");
  size_t needed = mode == "pack" ? 2 : 3;
  if (words.size() != needed)
    return base::make_error(base::Code::kInvalid, "mode " + base::quoted(mode) + ": words");
  if (mode == "pack") {
    TRY_AS(core::Packed packed,
           core::pack_files(tree, words[1], {recursive, exclusive}, kContent, report));
    say(STDOUT_FILENO, "packed " + std::to_string(packed.files) + " " +
                           std::to_string(packed.bytes) + " " + packed.identity);
    return {};
  }
  if (mode == "place") {
    core::PlaceResult placed =
        core::place_files(tree, words[1], words[2], replace, kContent, report);
    if (!placed.status && !placed.left) say(STDOUT_FILENO, "nothing left");
    return placed.status;
  }
  if (mode == "retract") return core::retract_files(tree, words[1], words[2], exclusive, kContent);
  return core::take_away(tree, words[1], words[2], []() -> Status {
    say(STDOUT_FILENO, "held");
    TRY_AS(std::string word, base::read_fd(STDIN_FILENO, 64));
    if (word == "go\n") return {};
    return base::make_error(base::Code::kState, "called off");
  });
}

bool is_transfer(const std::string& mode) {
  return mode == "pack" || mode == "place" || mode == "retract" || mode == "take";
}

Status run(const Options& options, core::UnpackReport* report) {
  const std::string& mode = options.words[0];
  if (mode == "debian")
    return core::run_mmdebstrap({options.words.begin() + 1, options.words.end()}, report);
  TRY_AS(UniqueFd target, base::open_at(AT_FDCWD, options.target, O_RDONLY | O_DIRECTORY));
  if (is_transfer(mode)) return run_transfer(options.words, target.get(), report);
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
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGIO, SIG_IGN);  // a lease is wanted: it is asked, not told
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
  switch (done.error().code) {
    case base::Code::kInvalid:
      return kRefused;
    case base::Code::kExists:
      return core::kJobExists;
    case base::Code::kBusy:
    case base::Code::kState:
      return core::kJobBusy;
    case base::Code::kNotFound:
      return core::kJobMissing;
    default:
      return kFailed;
  }
}
