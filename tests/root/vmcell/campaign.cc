#include "tests/root/vmcell/campaign.h"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "base/unix_socket.h"
#include "netns/links.h"
#include "tests/root/cells/must.h"

namespace vmcell {
namespace {

using base::UniqueFd;
using cells::must;
using nlohmann::json;

constexpr int kBecameShell = 76;
// A start waits more than it works.
constexpr unsigned kLanes = 4;

// Those are many, of one kind.
bool is_group(const std::string& name) {
  static const std::set<std::string> kGroups = {"stat",
                                                "access",
                                                "open O_PATH",
                                                "open a folder",
                                                "open for reading",
                                                "open for writing",
                                                "socket",
                                                "tgkill: processes of the host",
                                                "mknod and open"};
  return kGroups.contains(name);
}

std::string name_of(const json& announced) {
  std::string name = announced.at("name");
  std::string object = announced.at("object");
  if (object.empty() || is_group(name)) return name;
  if (name != "call") return name + " " + object;
  // Newer than some libseccomp.
  static const std::map<std::string, std::string> kNew = {{"335", "uretprobe"}, {"336", "uprobe"}};
  if (auto found = kNew.find(object); found != kNew.end()) return name + " " + found->second;
  char* known = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, std::atoi(object.c_str()));
  std::string text = name + " " + (known == nullptr ? object : known);
  std::free(known);
  return text;
}

// A call by its number has been made when the process died of anything but the filter: it may be exit.
void died(Tried* tried, int status) {
  tried->fate = Fate::kRefused;
  tried->why = "ended with status " + std::to_string(status);
  bool killed = WIFSIGNALED(status) && (WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGKILL);
  if (killed) {
    tried->fate = Fate::kKilled;
    tried->why = "killed by signal " + std::to_string(WTERMSIG(status));
  } else if (tried->name.find("call ") != std::string::npos ||
             (WIFEXITED(status) && WEXITSTATUS(status) == kBecameShell)) {
    tried->fate = Fate::kReached;
  }
}

class Reader {
 public:
  // Takes whole lines; the rest waits.
  void take(const std::string& text) {
    rest_ += text;
    size_t end = 0;
    while ((end = rest_.find('\n')) != std::string::npos) {
      line(rest_.substr(0, end));
      rest_.erase(0, end + 1);
    }
  }
  bool done() const { return done_; }
  // Index of what was announced and not answered.
  bool is_open() const { return open_; }
  size_t index() const { return index_; }
  void close_open(int status) {
    died(&tried_.back(), status);
    open_ = false;
  }
  std::vector<Tried> take_all() { return std::move(tried_); }

 private:
  void line(const std::string& text) {
    json body = json::parse(text, nullptr, false);
    if (!body.is_object()) return;  // what a try has written
    if (body.contains("try")) {
      tried_.push_back({name_of(body), body["object"], Fate::kRefused, ""});
      index_ = body["try"];
      open_ = true;
    } else if (body.contains("tried")) {
      std::string result = body["result"];
      tried_.back().fate = result == "reached"  ? Fate::kReached
                           : result == "absent" ? Fate::kAbsent
                                                : Fate::kRefused;
      tried_.back().why = body["why"];
      open_ = false;
    } else if (body.contains("died")) {
      close_open(body["status"]);
    } else if (body.contains("done")) {
      done_ = true;
    }
  }

  std::vector<Tried> tried_;
  std::string rest_;
  size_t index_ = 0;
  bool open_ = false;
  bool done_ = false;
};

std::vector<std::string> descriptor_arguments(const core::ZonePlan& plan) {
  std::vector<std::string> arguments;
  for (const core::KeptFd& kept : plan.kept_fds)
    arguments.push_back(kept.name + "=" + std::to_string(kept.number));
  return arguments;
}

UniqueFd listening(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd.get(), 4) != 0)
    FAIL("listen at " << path);
  return fd;
}

// In a child: the descriptors at the plan's numbers, and the program.
[[noreturn]] void exec_bare(const cells::VmmYard& yard, const core::ZonePlan& plan,
                            const std::map<std::string, int>& fds) {
  constexpr int kAbove = 100;
  std::vector<std::pair<int, int>> moves;
  for (const core::KeptFd& kept : plan.kept_fds)
    moves.emplace_back(fcntl(fds.at(kept.name), F_DUPFD_CLOEXEC, kAbove), kept.number);
  for (auto [from, to] : moves) dup2(from, to);
  dup2(fds.at("null"), 0);
  std::vector<std::string> arguments = descriptor_arguments(plan);
  std::vector<char*> argv = {const_cast<char*>(yard.program().c_str())};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(1);
}

}  // namespace

std::vector<Tried> run_bare(cells::VmmYard& yard, const std::string& target) {
  core::ZonePlan plan = yard.plan({}, {"bare", kLanes});
  netns::Links host = must(netns::Links::open());
  UniqueFd tap = must(netns::make_tap(host, plan.ports.at(0)));
  UniqueFd qmp = listening(yard.file("bare.qmp"));
  UniqueFd null = must(base::open_at(AT_FDCWD, "/dev/null", O_RDONLY));
  auto line = must(base::socket_pair(SOCK_STREAM));
  std::map<std::string, int> fds = {{"tap0", tap.get()},
                                    {"qmp", qmp.get()},
                                    {"console", line.second.get()},
                                    {"null", null.get()}};
  std::vector<UniqueFd> files;
  for (const core::KeptFd& kept : plan.kept_fds) {
    if (fds.contains(kept.name)) continue;
    files.push_back(must(base::open_at(AT_FDCWD, yard.file(kept.name), O_RDWR)));
    fds[kept.name] = files.back().get();
  }
  pid_t pid = fork();
  if (pid == 0) exec_bare(yard, plan, fds);
  line.second.reset();
  must(base::write_all(line.first.get(), "bare\n" + target + "go\n"));
  Reader reader;
  char buffer[65536];
  ssize_t n = 0;
  while ((n = read(line.first.get(), buffer, sizeof buffer)) > 0)
    reader.take(std::string(buffer, static_cast<size_t>(n)));
  int status = 0;
  waitpid(pid, &status, 0);
  INFO("status " << status);
  REQUIRE(reader.done());
  return reader.take_all();
}

namespace {

struct Lane {
  pid_t pid = 0;
  UniqueFd results;
};

// Every attempt whose index is `number` modulo kLanes, each killed process followed by another.
void run_lane(cells::VmmYard& yard, const std::string& target, unsigned number, int results) {
  core::ZonePlan plan = yard.plan({}, {"lane" + std::to_string(number), number});
  for (std::string& argument : descriptor_arguments(plan))
    plan.exec.argv.push_back(std::move(argument));
  Reader reader;
  size_t from = number;
  size_t starts = 0;
  for (; !reader.done(); ++starts) {
    cells::Vmm vmm(yard, plan);
    INFO("from attempt " << from << ": " << vmm.error() << vmm.output());
    REQUIRE(vmm.launched());
    REQUIRE(vmm.await("ready\n"));
    vmm.narrow();
    size_t seen = vmm.output().size();
    vmm.say("from " + std::to_string(from) + " " + std::to_string(kLanes) + "\n" + target + "go\n");
    int status = vmm.end(std::chrono::seconds(60));
    reader.take(vmm.output().substr(seen) + "\n");
    REQUIRE((reader.is_open() || reader.done()));
    if (reader.is_open()) reader.close_open(status);
    from = reader.index() + kLanes;
  }
  yard.forget(plan);
  json all = json::array();
  for (const Tried& one : reader.take_all())
    all.push_back({one.name, one.object, static_cast<int>(one.fate), one.why});
  must(base::write_all(results, json{{"starts", starts}, {"tried", all}}.dump()));
}

Lane start_lane(cells::VmmYard& yard, const std::string& target, unsigned number) {
  base::Pipe pipe = must(base::make_pipe());
  Lane lane;
  lane.pid = fork();
  if (lane.pid == 0) {
    try {
      run_lane(yard, target, number, pipe.write.get());
    } catch (...) {  // Catch's way to end a test
      _exit(1);
    }
    _exit(0);
  }
  lane.results = std::move(pipe.read);
  return lane;
}

}  // namespace

std::vector<Tried> run_in_cell(cells::VmmYard& yard, const std::string& target, size_t* starts) {
  yard.tree();  // once, not by each lane
  std::vector<Lane> lanes;
  for (unsigned i = 0; i < kLanes; ++i) lanes.push_back(start_lane(yard, target, i));
  std::vector<Tried> tried;
  *starts = 0;
  bool whole = true;
  for (Lane& lane : lanes) {
    json body = json::parse(must(base::read_fd(lane.results.get())), nullptr, false);
    int status = 0;
    waitpid(lane.pid, &status, 0);
    whole = whole && status == 0 && body.is_object();
    if (!whole) continue;
    *starts += body["starts"].get<size_t>();
    for (const json& one : body["tried"]) {
      // ENOSYS is how a call that is shut looks.
      auto fate = static_cast<Fate>(one[2].get<int>());
      if (fate == Fate::kAbsent) fate = Fate::kRefused;
      tried.push_back({one[0], one[1], fate, one[3]});
    }
  }
  REQUIRE(whole);
  return tried;
}

std::vector<std::string> names_of(const std::vector<Tried>& tried, Fate fate) {
  std::set<std::string> names;
  std::set<std::string> others;
  for (const Tried& one : tried) (one.fate == fate ? names : others).insert(one.name);
  if (fate == Fate::kAbsent)
    for (const std::string& other : others) names.erase(other);
  return {names.begin(), names.end()};
}

}  // namespace vmcell
