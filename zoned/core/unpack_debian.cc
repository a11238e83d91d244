#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <deque>

#include "base/files.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "zoned/core/unpack.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::Status;
using base::sys_error;
using base::UniqueFd;

struct Stage {
  std::string_view line;  // how mmdebstrap's line begins
  const char* name;
};
constexpr Stage kStages[] = {
    {"I: running apt-get update", "update"}, {"I: downloading packages", "download"},
    {"I: extracting archives", "extract"},   {"I: installing essential", "essential"},
    {"I: installing remaining", "install"},  {"I: cleaning", "clean"}};

// Reads mmdebstrap's words line by line.
class Listener {
 public:
  explicit Listener(UnpackReport* report) : report_(report) {}

  void take(std::string_view bytes) {
    constexpr size_t kMaxLine = 4096;
    for (char c : bytes) {
      if (c != '\n' && line_.size() < kMaxLine) line_ += c;
      if (c == '\n') end_line();
    }
  }

  // What went wrong: its first error line.
  base::Error error(const std::string& how) const {
    for (const std::string& line : recent_) tell(line);
    if (error_.empty()) return make_error(Code::kIo, "mmdebstrap " + how);
    return make_error(Code::kIo, "mmdebstrap: " + error_, std::string(hint()));
  }

 private:
  void end_line() {
    std::string line = std::move(line_);
    line_.clear();
    for (const Stage& stage : kStages)
      if (line.starts_with(stage.line)) {
        stage_ = stage.name;
        packages_ = 0;
        report_->progress(stage_, 0, 0);
      }
    // apt's and dpkg's words count packages; they matter to people when something goes wrong.
    for (std::string_view word : {"Get:", "Unpacking ", "Setting up "})
      if (line.starts_with(word)) report_->progress(stage_, ++packages_, 0);
    bool own = line.starts_with("I: ") || line.starts_with("W: ") || line.starts_with("E: ");
    if (line.starts_with("E: ") && error_.empty()) error_ = line.substr(3);
    if (own) return tell(line);
    constexpr size_t kRecent = 40;
    recent_.push_back(std::move(line));
    if (recent_.size() > kRecent) recent_.pop_front();
  }

  static void tell(const std::string& line) {
    [[maybe_unused]] Status ignored = base::write_all(STDERR_FILENO, line + "\n");
  }

  std::string_view hint() const {
    auto says = [this](std::string_view text) { return error_.find(text) != std::string::npos; };
    if (says("Unable to locate package") || says("has no installation candidate"))
      return "check the packages given to include=";
    if (says("No space left")) return "free some space, or keep zones on a larger disk";
    if (says("404") || says("Release file"))
      return "check the name of the suite, and that the mirror has it";
    if (says("apt-get update") || says("Failed to fetch") || says("resolve") || says("connect"))
      return "check that this host reaches the Debian archive, or name one with mirror=URL";
    return "";
  }

  UnpackReport* report_;
  std::string line_;
  std::string stage_ = "start";
  std::string error_;
  uint64_t packages_ = 0;           // in this stage
  std::deque<std::string> recent_;  // what apt and dpkg said last
};

[[noreturn]] void exec_program(const std::vector<std::string>& argv, int output) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  signal(SIGPIPE, SIG_DFL);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execvp(words[0], words.data());
  _exit(127);
}

}  // namespace

Status run_mmdebstrap(const std::vector<std::string>& argv, UnpackReport* report) {
  if (argv.empty()) return make_error(Code::kInvalid, "no program to run");
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return sys_error("pipe");
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  pid_t child = fork();
  if (child < 0) return sys_error("fork");
  if (child == 0) exec_program(argv, write_end.get());
  write_end.reset();
  Listener listener(report);
  char buffer[8192];
  while (true) {
    ssize_t n = read(read_end.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    listener.take({buffer, static_cast<size_t>(n)});
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return sys_error("wait for mmdebstrap");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFSIGNALED(status))
    return listener.error("was killed by signal " + std::to_string(WTERMSIG(status)));
  if (WEXITSTATUS(status) == 127) return listener.error("could not be started");
  return listener.error("ended with status " + std::to_string(WEXITSTATUS(status)));
}

}  // namespace core
