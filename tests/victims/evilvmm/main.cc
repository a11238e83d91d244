// evilvmm [NAME=DESCRIPTOR...]: starts as a VMM does, says "ready", reads from its console what there
// is to attack up to a line "go", and then tries one thing after the other:
//   {"try":N,"name":...,"object":...}    before
//   {"tried":N,"result":"reached"|"refused"|"absent","why":...}    after; missing when it died of it
// and at last {"done":N}. A try that replaces the program by a shell ends with status 76.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "tests/victims/evilvmm/attempts.h"

namespace evil {

long Target::number(const std::string& name) const { return std::atol(text(name).c_str()); }
const std::string& Target::text(const std::string& name) const {
  static const std::string kNone = "0";
  auto found = values.find(name);
  return found == values.end() ? kNone : found->second;
}

Result verdict(bool reached) {
  if (reached) return Result::kReached;
  constexpr int kNoSuchThing[] = {ENOSYS,          EOPNOTSUPP, ENOTTY, EAFNOSUPPORT,
                                  EPROTONOSUPPORT, ENODEV,     ENXIO};
  for (int err : kNoSuchThing)
    if (errno == err) return Result::kAbsent;
  return Result::kRefused;
}
Result past_privilege(long result, int expected_errno) {
  return verdict(result >= 0 || errno == expected_errno);
}

namespace {

constexpr int kSaidIt = 77;

void say(int fd, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    ssize_t n = write(fd, text.data() + done, text.size() - done);
    if (n <= 0) _exit(3);
    done += static_cast<size_t>(n);
  }
}

// Paths of the host are what they are.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c >= ' ' && c != 0x7f ? c : '?';
  }
  return out + "\"";
}

HostPath read_path(std::istringstream& words) {
  HostPath path;
  words >> path.kind >> path.device >> path.inode >> path.readable >> path.writable >> std::ws;
  std::getline(words, path.path);
  return path;
}

// Lines: bare | from N STEP | path KIND DEVICE INODE READABLE WRITABLE PATH | pid N | loads FAMILY |
// node c|b MAJOR MINOR NAME | NAME VALUE | go
bool read_target(int fd, Target* target) {
  std::string text;
  char buffer[4096];
  while (!text.ends_with("\ngo\n")) {
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n <= 0) return false;
    text.append(buffer, static_cast<size_t>(n));
  }
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key == "bare") {
      target->bare = true;
    } else if (key == "from") {
      words >> target->from >> target->step;
    } else if (key == "path") {
      target->paths.push_back(read_path(words));
    } else if (key == "pid") {
      words >> target->pids.emplace_back();
    } else if (key == "node") {
      Node& node = target->nodes.emplace_back();
      words >> node.kind >> node.major_number >> node.minor_number >> node.name;
    } else if (key == "loads") {
      int family = 0;
      words >> family;
      target->loads_module.insert(family);
    } else {
      words >> target->values[key];
    }
  }
  return true;
}

// What QEMU does before its guest runs; false when the cell does not even allow that.
bool start_as_a_vmm(const char* program) {
  int file = open(program, O_RDONLY | O_CLOEXEC);
  char magic[4] = {};
  bool read_it = file >= 0 && read(file, magic, sizeof magic) == sizeof magic;
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  for (int fd : {file, timer, other}) close(fd);
  return read_it && timer >= 0 && other >= 0;
}

void try_one(int out, const Target& target, const Attempt& attempt, size_t index) {
  say(out, "{\"try\":" + std::to_string(index) + ",\"name\":" + quoted(attempt.name) +
               ",\"object\":" + quoted(attempt.object) + "}\n");
  errno = 0;
  Result result = attempt.run(target);
  int why = errno;
  const char* word = result == Result::kReached   ? "reached"
                     : result == Result::kRefused ? "refused"
                                                  : "absent";
  say(out, "{\"tried\":" + std::to_string(index) + ",\"result\":\"" + word +
               "\",\"why\":" + quoted(std::strerror(why)) + "}\n");
}

// Each in a child, which may end, hang, or change what it likes about itself.
void try_in_child(int out, const Target& target, const Attempt& attempt, size_t index) {
  constexpr unsigned kSeconds = 2;
  pid_t child = fork();
  if (child == 0) {
    alarm(kSeconds);
    try_one(out, target, attempt, index);
    _exit(kSaidIt);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kSaidIt) return;
  say(out, "{\"died\":" + std::to_string(index) + ",\"status\":" + std::to_string(status) + "}\n");
}

// The control must not harm the host: mounts and host name are its own.
bool step_aside() {
  return unshare(CLONE_NEWNS | CLONE_NEWUTS) == 0 &&
         mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

Attempts all_attempts(const Target& target) {
  Attempts attempts;
  add_numbers(&attempts);
  add_privileges(&attempts);
  add_sockets(target, &attempts);
  add_descriptors(target, &attempts);
  add_processes(target, &attempts);
  add_paths(target, &attempts);
  add_bombs(&attempts);
  return attempts;
}

int run(int argc, char** argv) {
  Target target;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    size_t equals = word.find('=');
    if (equals != std::string::npos)
      target.fds[word.substr(0, equals)] = std::atoi(word.c_str() + equals + 1);
  }
  int console = target.fds.at("console");
  if (!start_as_a_vmm(argv[0])) return 2;
  say(console, "ready\n");
  if (!read_target(console, &target)) return 2;
  if (target.bare && !step_aside()) return 2;
  Attempts attempts = all_attempts(target);
  for (size_t i = target.from; i < attempts.size(); i += target.step) {
    if (target.bare) {
      try_in_child(console, target, attempts[i], i);
    } else {
      try_one(console, target, attempts[i], i);
    }
  }
  say(console, "{\"done\":" + std::to_string(attempts.size()) + "}\n");
  return 0;
}

}  // namespace
}  // namespace evil

int main(int argc, char** argv) { return evil::run(argc, argv); }
