// zone-parse taken over: what its user's bytes can make of it, and what everybody else sees of that.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>

#include "base/files.h"
#include "base/unix_socket.h"
#include "labels/encodings.h"
#include "tests/harness/sandbox.h"
#include "tests/harness/shell.h"
#include "zoned/api/client.h"
#include "zoned/api/paths.h"

namespace {

using harness::Sandbox;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr uid_t kRoot = 0;
constexpr uid_t kMallory = 61001;
constexpr uid_t kBob = 61002;

template <typename T>
T must(base::Result<T> result) {
  INFO((result ? "" : result.error().message));
  REQUIRE(result.ok());
  return *std::move(result);
}

// An instance whose programs lie in a folder of its own, with another one as zone-parse.
class World {
 public:
  explicit World(const std::string& parser) : box_(Sandbox::Start::kLater) {
    namespace fs = std::filesystem;
    std::string folder = box_.root() + "/bin";
    fs::create_directory(folder);
    // The daemon's folder is that of the file that it is.
    fs::copy_file(box_.program("zoned"), folder + "/zoned");
    for (const char* name : {"zone", "zone-keeper", "zone-init", "zone-unpack", "zone-import",
                             "zone-readdown", "zone-dhcp6"})
      fs::create_symlink(box_.program(name), folder + "/" + name);
    evil_ = box_.program("victims/evilparse");
    box_.use_programs(folder);
    replace_parser(parser);
  }
  // "evil" or a program.
  void replace_parser(const std::string& parser) {
    std::filesystem::copy_file(parser == "evil" ? evil_ : parser, box_.program("zone-parse"),
                               std::filesystem::copy_options::overwrite_existing);
  }
  Sandbox& box() { return box_; }

  // A connection of that user.
  api::Client connect(uid_t uid) {
    auto run = must(base::open_at(AT_FDCWD, api::paths_for(box_.root()).run, O_PATH | O_DIRECTORY));
    REQUIRE(seteuid(uid) == 0);
    auto socket = base::connect_unix(run.get(), api::Paths::kSocketName, SOCK_STREAM);
    REQUIRE(seteuid(0) == 0);
    timeval patience = {20, 0};
    REQUIRE(setsockopt(must(base::dup_fd(socket->get())).get(), SOL_SOCKET, SO_RCVTIMEO, &patience,
                       sizeof patience) == 0);
    return api::Client(must(std::move(socket)));
  }
  base::Result<api::Reply> call(uid_t uid, const std::string& method,
                                const json& parameters = json::object()) {
    return connect(uid).call(method, parameters);
  }
  base::Result<api::Reply> list(uid_t uid) { return call(uid, "List", {{"names", json::array()}}); }
  // A message that tells the process what to do.
  base::Result<api::Reply> tell(uid_t uid, const std::string& what) {
    return call(uid, "List", {{"names", {"EVIL:" + what}}});
  }
  // How long the slowest of some calls took.
  milliseconds slowest(uid_t uid) {
    milliseconds worst{0};
    for (int i = 0; i < 10; ++i) {
      auto begin = steady_clock::now();
      CHECK(list(uid).ok());
      worst =
          std::max(worst, std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin));
    }
    return worst;
  }
  size_t parsers() { return box_.pids_of("zone-parse").size(); }
  long daemon_kib() {
    std::string status =
        harness::read_text("/proc/" + std::to_string(box_.daemon_pid()) + "/status");
    return std::atol(status.c_str() + status.find("VmRSS:") + 6);
  }

 private:
  Sandbox box_;
  std::string evil_;
};

// Who has just lost a process waits before it gets another.
bool works_again(World* world, uid_t uid) {
  return harness::eventually([&] { return world->list(uid).ok(); });
}

}  // namespace

TEST_CASE("each user has a process of its own, which goes when zoned goes") {
  World world("evil");
  world.box().start();
  auto count = [&] {
    size_t found = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::string name = entry.path().filename();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      auto line = base::read_file(AT_FDCWD, "/proc/" + name + "/cmdline", 4096);
      found += line && line->starts_with(world.box().root() + "/bin/zone-parse") ? 1 : 0;
    }
    return found;
  };
  CHECK(world.list(kRoot).ok());
  CHECK(harness::eventually([&] { return count() == 1; }));
  CHECK(world.list(kMallory).ok());
  CHECK(world.list(kBob).ok());
  CHECK(world.list(kBob).ok());
  CHECK(count() == 3);
  world.box().kill_daemon();
  CHECK(harness::eventually([&] { return count() == 0; }));
}

TEST_CASE("a message that ends its process ends its user's calls alone") {
  World world("evil");
  world.box().start();
  auto bob = world.connect(kBob);
  auto other = world.connect(kMallory);
  for (const char* what : {"crash", "rubbish", "huge", "twice", "flood"}) {
    INFO(what);
    REQUIRE(works_again(&world, kMallory));
    auto told = world.tell(kMallory, what);
    // The first of two answers is one.
    if (std::string_view(what) == "twice") continue;
    REQUIRE_FALSE(told.ok());
    CHECK(told.error().code == base::Code::kIo);
    CHECK(bob.call("List", {{"names", json::array()}}).ok());
    CHECK(world.list(kRoot).ok());
  }
  CHECK(works_again(&world, kMallory));
  // A connection that asked nothing meanwhile goes on.
  CHECK(other.call("List", {{"names", json::array()}}).ok());
}

TEST_CASE("root's process may end too: zoned goes on") {
  World world("evil");
  world.box().start();
  pid_t daemon = world.box().daemon_pid();
  CHECK_FALSE(world.tell(kRoot, "crash").ok());
  CHECK(works_again(&world, kRoot));
  CHECK(world.box().daemon_pid() == daemon);
}

TEST_CASE("a message that hangs its process delays nobody but its user") {
  World world("evil");
  world.box().start();
  CHECK(world.list(kBob).ok());
  auto mallory = world.connect(kMallory);
  auto begin = steady_clock::now();
  REQUIRE(mallory.start("List", {{"names", {"EVIL:hang"}}}, false).ok());
  CHECK(world.slowest(kRoot) < milliseconds(1000));
  CHECK(world.slowest(kBob) < milliseconds(1000));
  auto told = mallory.next();
  auto took = steady_clock::now() - begin;
  REQUIRE_FALSE(told.ok());
  CHECK(told.error().code == base::Code::kTimeout);
  CHECK(took > milliseconds(1500));
  CHECK(took < milliseconds(10000));
  CHECK(works_again(&world, kMallory));
}

TEST_CASE("a process that lies makes its user's calls into others of the same user") {
  World world("evil");
  world.box().start();
  // The lie is a call that only root may make.
  auto told = world.tell(kMallory, "lie");
  REQUIRE_FALSE(told.ok());
  CHECK(told.error().code != base::Code::kIo);
  auto again = world.list(kMallory);
  REQUIRE_FALSE(again.ok());
  CHECK((again.error().code == base::Code::kDenied || again.error().code == base::Code::kNotFound));
  CHECK(world.list(kBob)->parameters["zones"].empty());
  CHECK(world.list(kRoot)->parameters["zones"].empty());
  // Root's bytes, the same lie: the call is made.
  static_cast<void>(world.tell(kRoot, "lie"));
  CHECK(world.list(kBob)->parameters["zones"].empty());
  CHECK(std::filesystem::exists(world.box().root() + "/etc/zones/evil.toml"));
  // For the end of the sandbox, which asks as root.
  static_cast<void>(world.tell(kRoot, "crash"));
  CHECK(works_again(&world, kRoot));
}

TEST_CASE("descriptors of a client never reach the process") {
  World world("evil");
  world.box().start();
  auto client = world.connect(kMallory);
  auto null = must(base::open_at(AT_FDCWD, "/dev/null", O_RDWR));
  int fds[] = {null.get(), null.get(), null.get()};
  static_cast<void>(client.call("List", {{"names", json::array()}}, {fds[0], fds[1], fds[2]}));
  for (pid_t pid : world.box().pids_of("zone-parse")) {
    std::vector<std::string> open;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd"))
      open.push_back(entry.path().filename());
    CHECK(open == std::vector<std::string>{"0"});
  }
}

TEST_CASE("floods and crashes in a loop cost the daemon no memory") {
  World world("evil");
  world.box().start();
  CHECK(world.list(kMallory).ok());
  static_cast<void>(world.tell(kMallory, "flood"));
  long before = world.daemon_kib();
  constexpr int kRounds = 6;
  for (int i = 0; i < kRounds; ++i) {
    CHECK(works_again(&world, kMallory));
    static_cast<void>(world.tell(kMallory, i % 2 == 0 ? "flood" : "huge"));
    // Nobody is started again for each call of a user whose process ends at once.
    for (int k = 0; k < 20; ++k) static_cast<void>(world.tell(kMallory, "crash"));
  }
  constexpr long kMayGrowKib = 16 << 10;
  CHECK(world.daemon_kib() - before < kMayGrowKib);
  CHECK(world.slowest(kRoot) < milliseconds(1000));
}

TEST_CASE("a configuration file that ends its reader costs its zone, not the others") {
  World world("evil");
  world.box().start();
  for (const char* name : {"a", "m", "z"}) world.box().zone_ok({"create", name});
  world.box().kill_daemon();
  harness::write_text(world.box().root() + "/etc/zones/m.toml", "# EVIL:crash\n");
  world.box().start();
  CHECK(harness::state_of(world.box(), "a") == "configured");
  CHECK(harness::state_of(world.box(), "m") == "absent");
  CHECK(harness::state_of(world.box(), "z") == "configured");
  std::string log = harness::read_text(world.box().root() + "/run/zoned.log");
  CHECK(log.find("m.toml: the process that reads it ended") != std::string::npos);
}

TEST_CASE("a process that lies about label encodings or ends over them starts no daemon") {
  World world("evil");
  world.box().start();
  world.box().zone_ok({"create", "mine", "--set", "label=SECRET"});
  world.box().kill_daemon();
  const std::string file = world.box().root() + "/etc/label_encodings";
  const std::string text(labels::Encodings::built_in_text());
  auto write = [&](const std::string& what) {
    harness::write_text(file, "* EVIL:" + what + "\n" + text);
  };
  for (const char* what : {
           "crash",
           "rubbish",
           "huge",
           "flood",
           "set  7",
           "set /1 []",
           "set /1/0/3 300",
           "set /1/0/3 6",
           "set /1/0/0 \"SECRET\"",
           "set /1/0/0 \"\\u001b[2J\"",
           "set /1/0/4 \"00\"",
           "set /2/1 7",
           "set /2/1/0 []",
           "set /2/1/0/0/5 511",
           "set /2/1/0/0/7/0 255",
           "set /2/1/1/0 [0,511]",
           "set /2/1/2/0 [false,\"\",\"\"]",
           "set /3 []",
           "set /3/0/0 255",
           "set /4/1 \"high\"",
           "set /5/1 \"high\"",
           "set /6/0 \"SECRET\"",
           "set /7/0 [511,\"#000000\"]",
           "set /8/0/2 \"red; x\"",
       }) {
    INFO(what);
    write(what);
    auto started = must(base::run_program(
        {world.box().program("zoned"), "--root", world.box().root(), "--background"}));
    CHECK(started.status == 1);
    CHECK(started.err.find("label_encodings: the process that reads it failed") !=
          std::string::npos);
  }
  // The same act, true: and a lie that makes sound encodings changes names, not labels, and goes with
  // its file.
  auto label = [&] {
    auto reply = must(world.call(kRoot, "List", {{"names", {"mine"}}}));
    return reply.parameters["zones"][0]["label"];
  };
  write("nothing");
  world.box().start();
  CHECK(label() == "SECRET");
  world.box().kill_daemon();
  write("set /1/3/0 \"LIED\"");
  world.box().start();
  CHECK(label() == "LIED");
  world.box().kill_daemon();
  std::filesystem::remove(file);
  world.box().start();
  CHECK(label() == "SECRET");
}

TEST_CASE("ending zones goes on whatever label encodings do to who reads them") {
  World world("evil");
  world.box().start();
  world.box().kill_daemon();
  const std::string file = world.box().root() + "/etc/label_encodings";
  harness::write_text(file, "* EVIL:crash\n");
  auto run = [&](const char* what) {
    return must(
        base::run_program({world.box().program("zoned"), "--root", world.box().root(), what}));
  };
  CHECK(run("--background").status == 1);
  CHECK(run("--stop-all").status == 0);
  std::filesystem::remove(file);
}

TEST_CASE("zoned itself holds no reader of TOML or of label encodings") {
  World world("evil");
  auto holds_one = [&](const std::string& program, const char* name) {
    return must(base::read_file(AT_FDCWD, world.box().program(program), 64 << 20)).find(name) !=
           std::string::npos;
  };
  for (const char* name : {"N4toml", "NAME INFORMATION LABELS:"}) {
    CHECK(holds_one("zone-parse", name));
    CHECK_FALSE(holds_one("zoned", name));
  }
}

TEST_CASE("without a process to read with zoned does not serve") {
  World world("/bin/false");
  auto started = must(base::run_program(
      {world.box().program("zoned"), "--root", world.box().root(), "--background"}));
  CHECK(started.status != 0);
  CHECK(started.err.find("process that reads configuration") != std::string::npos);
  world.replace_parser("evil");  // so that the sandbox can end
}
