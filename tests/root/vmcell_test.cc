// The attacker in the VMM's place: what root of the host does, the cell does not let it do.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <map>

#include "base/files.h"
#include "base/strings.h"
#include "netns/links.h"
#include "tests/root/cells/must.h"
#include "tests/root/vmcell/campaign.h"
#include "tests/root/vmcell/host_targets.h"
#include "vmzone/plan.h"

namespace {

using base::UniqueFd;
using cells::must;
using vmcell::Fate;
using vmcell::Tried;

constexpr const char* kReachedFile = "tests/root/vmcell/reached.txt";
constexpr int kShmKey = 0x7a6f6e67;
constexpr double kMustSucceed = 0.95;

// What the attacks are after. In the yard's network namespace, which plays the host's.
class Bait {
 public:
  explicit Bait(const cells::VmmYard& yard) : yard_(yard), victim_(fork()) {
    if (victim_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      while (true) pause();
    }
    netns::Links links = must(netns::Links::open());
    must(links.set_up("lo", true));
    abstract_ = listen_unix(std::string(1, '\0') + name(), name().size() + 1);
    std::string path = yard.file("host.sock");
    unix_ = listen_unix(path, path.size() + 1);
    tcp_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (listen(tcp_.get(), 64) != 0) FAIL("listen");
    must(base::make_dirs(AT_FDCWD, yard.file("scratch"), 0755));
  }
  ~Bait() {
    kill(victim_, SIGKILL);
    waitpid(victim_, nullptr, 0);
    shmctl(memory_, IPC_RMID, nullptr);
  }
  Bait(const Bait&) = delete;
  Bait& operator=(const Bait&) = delete;

  std::string lines() const {
    sockaddr_in address = {};
    socklen_t size = sizeof address;
    getsockname(tcp_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    constexpr uint64_t kMoreMemory = 1 << 30;
    std::map<std::string, std::string> values = {
        {"victim", std::to_string(victim_)},
        {"abstract", name()},
        {"unix", yard_.file("host.sock")},
        {"tcp", std::to_string(ntohs(address.sin_port))},
        {"shm", std::to_string(kShmKey)},
        {"scratch", yard_.file("scratch")},
        {"memory", std::to_string(kMoreMemory)},
        {"files", std::to_string(2 * cells::VmmYard::kOpenFiles)},
        {"threads", "400"}};
    std::string lines;
    for (const auto& [key, value] : values) lines += key + " " + value + "\n";
    return lines;
  }

 private:
  static std::string name() { return "zoned-evil-" + std::to_string(getpid()); }
  static UniqueFd listen_unix(const std::string& path, size_t size) {
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
    if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        listen(fd.get(), 64) != 0)
      FAIL("listen");
    return fd;
  }

  const cells::VmmYard& yard_;
  pid_t victim_;
  UniqueFd abstract_, unix_, tcp_;
  int memory_ = shmget(kShmKey, 4096, IPC_CREAT | IPC_EXCL | 0600);
};

size_t count(const std::vector<Tried>& tried, Fate fate) {
  return static_cast<size_t>(std::count_if(tried.begin(), tried.end(),
                                           [fate](const Tried& one) { return one.fate == fate; }));
}

void print(const char* where, const std::vector<Tried>& tried, double seconds) {
  std::printf("%-10s %zu attempts: %zu reached, %zu refused, %zu killed, %zu absent; %.1f s\n",
              where, tried.size(), count(tried, Fate::kReached), count(tried, Fate::kRefused),
              count(tried, Fate::kKilled), count(tried, Fate::kAbsent), seconds);
  std::fflush(stdout);
}

template <typename Work>
auto timed(const char* where, Work work) {
  auto start = std::chrono::steady_clock::now();
  auto tried = work();
  std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  print(where, tried, time.count());
  return tried;
}

// "NAME # REASON" each, sorted; empty lines and lines of nothing but a comment are passed over.
std::vector<std::string> allowed_names() {
  std::vector<std::string> names;
  for (const std::string& line : base::split(must(base::read_file(AT_FDCWD, kReachedFile)), '\n')) {
    if (line.empty() || line[0] == '#') continue;
    size_t hash = line.find(" # ");
    INFO(line);
    REQUIRE(hash != std::string::npos);
    names.emplace_back(base::trim(line.substr(0, hash)));
  }
  CHECK(std::is_sorted(names.begin(), names.end()));
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += name + "\n";
  return text;
}

}  // namespace

TEST_CASE("an attacker in the VMM's place reaches what is listed and nothing else") {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  cells::VmmYard yard("evilvmm");
  Bait bait(yard);
  std::string target = bait.lines() + vmcell::crawl_host({yard.path()});

  auto bare = timed("as root", [&] { return vmcell::run_bare(yard, target); });
  double possible = static_cast<double>(bare.size() - count(bare, Fate::kAbsent));
  double succeeded = static_cast<double>(count(bare, Fate::kReached)) / possible;
  std::printf("as root    %.1f %% of what can be attempted succeeds\n", 100 * succeeded);
  std::string missed;
  for (const Tried& one : bare)
    if (one.fate == Fate::kRefused || one.fate == Fate::kKilled)
      missed += one.name + " " + one.object + ": " + one.why + "\n";
  INFO("refused to root:\n" << missed);
  CHECK(succeeded >= kMustSucceed);

  size_t starts = 0;
  auto celled = timed("in cell", [&] { return vmcell::run_in_cell(yard, target, &starts); });
  std::printf("in cell    started %zu times\n", starts);
  auto reached = vmcell::names_of(celled, Fate::kReached);
  // What this kernel does not have can't be reached.
  auto absent = vmcell::names_of(bare, Fate::kAbsent);
  std::vector<std::string> expected;
  for (const std::string& name : allowed_names())
    if (!std::binary_search(absent.begin(), absent.end(), name)) expected.push_back(name);
  CHECK(joined(reached) == joined(expected));
}
