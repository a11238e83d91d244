// The small parts: settings, events, host trees, children.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/unit/daemon/temporary.h"
#include "zoned/daemon/children.h"
#include "zoned/daemon/events.h"
#include "zoned/daemon/instance.h"
#include "zoned/daemon/settings.h"

namespace zoned {
namespace {

using testing::must;

base::Result<Settings> settings(std::string_view text, std::string_view file) {
  TRY_AS(core::ConfigDocument document, core::parse_document(text, file));
  return settings_from_document(document);
}

TEST_CASE("settings have defaults, ranges and errors with a place") {
  CHECK(must(settings("", "f")) == Settings{});
  CHECK(must(settings("host-shares = 250\n", "f")).host_shares == 250);
  CHECK(must(settings("host-reserve = \"2G\"\n", "f")).host_reserve == 2ULL << 30);
  CHECK(must(settings("audit-keep = 7\n", "f")).audit_keep == 7);
  CHECK_FALSE(settings("audit-keep = -1\n", "f").ok());
  CHECK(must(settings("", "f")).prepared == 4);
  CHECK(must(settings("prepared = 0\n", "f")).prepared == 0);
  CHECK(must(settings("prepared = 64\n", "f")).prepared == 64);
  for (const char* bad : {"prepared = 65\n", "prepared = -1\n", "prepared = true\n"})
    CHECK_FALSE(settings(bad, "f").ok());
  CHECK_FALSE(settings("host-shares = 0\n", "f").ok());
  CHECK_FALSE(settings("host-shares = \"1\"\n", "f").ok());
  CHECK_FALSE(settings("host-reserve = 5\n", "f").ok());
  auto unknown = settings("# comment\nhost-share = 5\n", "zoned.toml");
  REQUIRE_FALSE(unknown.ok());
  CHECK(unknown.error().message.starts_with("zoned.toml:2:1: "));
  CHECK(unknown.error().hint.find("host-shares") != std::string::npos);
}

TEST_CASE("zones together never get the whole memory") {
  constexpr uint64_t kMiB = 1 << 20;
  CHECK(memory_for_zones({}, 16384 * kMiB) == 15360 * kMiB);
  CHECK(memory_for_zones({}, 1024 * kMiB) == 768 * kMiB);
  CHECK(memory_for_zones({}, 300 * kMiB) == 150 * kMiB);
  CHECK(memory_for_zones({100, 1024 * kMiB}, 16384 * kMiB) == 15360 * kMiB);
}

TEST_CASE("the last events are kept and replayed, oldest first") {
  Events events;
  for (size_t i = 0; i < kEventsKept + 5; ++i) events.emit("z", "kind", std::to_string(i));
  CHECK(events.kept().size() == kEventsKept);
  std::vector<std::string> seen;
  uint64_t id = events.listen([&](const Event& event) { seen.push_back(event.detail); }, true);
  REQUIRE(seen.size() == kEventsKept);
  CHECK(seen.front() == "5");
  events.emit("z", "kind", "new");
  CHECK(seen.back() == "new");
  events.unlisten(id);
  events.emit("z", "kind", "unseen");
  CHECK(seen.back() == "new");
}

TEST_CASE("a listener may leave while it is told") {
  Events events;
  uint64_t id = 0;
  int told = 0;
  id = events.listen(
      [&](const Event&) {
        ++told;
        events.unlisten(id);
      },
      false);
  events.emit("", "a");
  events.emit("", "b");
  CHECK(told == 1);
}

TEST_CASE("children are reaped with their status, and hold no descriptor of ours") {
  Children children;
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  base::UniqueFd read_end(ends[0]), write_end(ends[1]);
  int other = ends[0];
  int status = -1;
  // The child tells whether it still has the read end.
  must(children.run(
      {write_end.get()}, [other] { return fcntl(other, F_GETFD) < 0 ? 7 : 8; },
      [&status](int ended) { status = ended; }));
  while (status == -1) {
    children.reap();
    usleep(1000);
  }
  CHECK(WEXITSTATUS(status) == 7);
}

TEST_CASE("a child of nobody's goes to the stranger's callback") {
  Children children;
  pid_t stranger = fork();
  REQUIRE(stranger >= 0);
  if (stranger == 0) _exit(3);
  pid_t seen = 0;
  int code = 0;
  children.on_stranger([&](pid_t pid, int status) {
    seen = pid;
    code = WEXITSTATUS(status);
  });
  while (seen == 0) {
    children.reap();
    usleep(1000);
  }
  CHECK(seen == stranger);
  CHECK(code == 3);
}

TEST_CASE("one daemon a root, and the second learns the first one's pid") {
  testing::TemporaryFolder folder;
  auto dir = must(base::open_at(AT_FDCWD, folder.path(), O_RDONLY | O_DIRECTORY));
  {
    auto first = must(Instance::lock(folder.path(), dir.get()));
    auto second = Instance::lock(folder.path(), dir.get());
    REQUIRE_FALSE(second.ok());
    CHECK(second.error().code == base::Code::kBusy);
    CHECK(second.error().message.find(std::to_string(getpid())) != std::string::npos);
  }
  CHECK(Instance::lock(folder.path(), dir.get()).ok());
}

TEST_CASE("every root has a subtree name of its own") {
  CHECK(subtree_name("") == "zoned");
  CHECK(subtree_name("/a") != subtree_name("/b"));
  CHECK(subtree_name("/a").size() == std::string("zoned-").size() + 16);
}

TEST_CASE("the machine's start is seen once, and again after it was forgotten") {
  testing::TemporaryFolder folder;
  auto dir = must(base::open_at(AT_FDCWD, folder.path(), O_RDONLY | O_DIRECTORY));
  CHECK(must(first_since_machine_start(dir.get())));
  CHECK_FALSE(must(first_since_machine_start(dir.get())));
  forget_machine_start(dir.get());
  CHECK(must(first_since_machine_start(dir.get())));
}

}  // namespace
}  // namespace zoned
