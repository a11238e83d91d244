// Whoever tries to write below is refused, and told of.
#include <catch2/catch.hpp>
#include <string>

#include "tests/root/read_down/cast.h"

namespace {

using harness::eventually;
using read_down::Cast;
using read_down::has;

TEST_CASE("each way to write below is refused and recorded, and works in the reader's own tree") {
  struct Change {
    std::string kind;
    std::string file;
    std::string record;  // what it says was tried
  };
  // In an order in which each finds what it needs in one's own tree.
  const std::vector<Change> all = {{"write", "hello", "write '/export/hello'"},
                                   {"append", "hello", "write '/export/hello'"},
                                   {"open-truncate", "hello", "truncate '/export/hello'"},
                                   {"truncate", "hello", "truncate '/export/hello'"},
                                   {"chmod", "hello", "chmod '/export/hello'"},
                                   {"chown", "hello", "chown '/export/hello'"},
                                   {"utimes", "hello", "utimes '/export/hello'"},
                                   {"setxattr", "hello", "setxattr '/export/hello'"},
                                   {"removexattr", "hello", "removexattr '/export/hello'"},
                                   {"rmdir", "sub", "rmdir '/export/sub'"},
                                   {"link", "hello", "link '/export/hello.new'"},
                                   {"unlink", "hello", "unlink '/export/hello'"},
                                   {"create", "made", "create '/export/made'"},
                                   {"rename", "made2", "rename '/export/made2'"},
                                   {"symlink", "made", "symlink '/export/made.new'"},
                                   {"nameless", "", "create '/export'"},
                                   {"mkdir", "folder", "mkdir '/export/folder'"},
                                   {"mkfifo", "fifo", "mknod '/export/fifo'"},
                                   {"bind", "socket", "mknod '/export/socket'"}};
  Cast cast;
  cast.boot({"low", "high", "side"});
  cast.in("low", "cd /export; echo x >made2");
  cast.in("low", "cp -r /export /low");
  const std::string before = cast.in("low", "ls -Rl --full-time /export");
  size_t number = 0;
  for (const Change& change : all) {
    const std::string reader =
        number++ < 10 ? "high" : "side";  // of one zone, more are only counted
    INFO(change.kind << " by " << reader);
    const size_t records = cast.records(reader).size();
    // The control: the same in a tree of its own.
    cast.in(reader,
            "[ -d /srv/own ] || { mkdir -p /srv/own/sub; cp /zone/low/export/* /srv/own; }");
    CHECK(cast.in(reader, "prober change " + change.kind + " /srv/own/" + change.file) == "done");
    CHECK(cast.records(reader).size() == records);
    CHECK(cast.in(reader, "prober change " + change.kind + " /zone/low/export/" + change.file) ==
          "EROFS");
    REQUIRE(eventually([&] { return cast.records(reader).size() > records; }));
    nlohmann::json record = cast.records(reader).back();
    CHECK(record["reason"] == change.record + " of label PUBLIC (zone 'low')");
    CHECK(record["allowed"] == false);
    CHECK(record["verb"] == "send");
    CHECK(record["label_name"] == (reader == "high" ? "SECRET ENG OPS" : "SECRET HR"));
  }
  CHECK(cast.in("low", "ls -Rl --full-time /export") == before);
  CHECK(cast.records("low").empty());
}

TEST_CASE("writing is refused in /zone itself, and names that are tried are shown safely") {
  Cast cast;
  cast.boot({"low", "high"});
  CHECK(has(cast.in("high", "echo x >>/zone/low/export/hello"), "Read-only file system"));
  CHECK(has(cast.in("high", "mkdir /zone/own"), "Read-only file system"));
  CHECK(has(cast.in("high", "mkdir /zone/low/own"), "Read-only file system"));
  CHECK(
      has(cast.in("high", "mkdir $(printf '/zone/low/export/a\\033[2J\\377%0300d' 0 | cut -c-250)"),
          "Read-only file system"));
  CHECK(has(cast.in("high", "mkdir \"/zone/low/export/b$(printf '\\nc\\n')d\""),
            "Read-only file system"));
  REQUIRE(eventually([&] { return cast.records("high").size() == 5; }));
  auto records = cast.records("high");
  CHECK(records[0]["reason"] == "write '/export/hello' of label PUBLIC (zone 'low')");
  CHECK(records[1]["reason"] == "mkdir '/zone/own'");
  CHECK(records[2]["reason"] == "mkdir '/own' of label PUBLIC (zone 'low')");
  auto reason = records[3]["reason"].get<std::string>();
  CHECK(reason.starts_with("mkdir '/export/a\\x1b[2J"));
  CHECK(reason.ends_with("' of label PUBLIC (zone 'low')"));
  CHECK(reason.size() < 200);
  CHECK(records[4]["reason"] == "mkdir '/export/b\\ncd' of label PUBLIC (zone 'low')");
  CHECK(cast.box().zone_ok({"audit", "--zone", "high"}).find('\033') == std::string::npos);
  // What only looks like writing is reading; what permissions refuse is not the label's to record.
  CHECK(cast.in("high", "prober change create /zone/low/export/hello") == "EROFS");
  CHECK(cast.in("high", "su guest -c 'prober change create /zone/low/export/mine'") == "EACCES");
  CHECK(cast.in("high", "prober append-read /zone/low/export/hello") == "open");
  REQUIRE(eventually([&] { return cast.records("high").size() == 6; }));
  CHECK(cast.in("low", "cat /export/hello") == "hello");
  CHECK(cast.in("low", "echo x >/export/n && cat /export/n") == "x");
}

TEST_CASE("a flood of attempts to write below gets a bounded number of records that count all") {
  Cast cast;
  cast.boot({"low", "high"});
  constexpr uint64_t kFlood = 20000;
  auto start = std::chrono::steady_clock::now();
  CHECK(cast.in("high", "prober flood " + std::to_string(kFlood) + " /zone/low/export/n") ==
        "EROFS");
  CHECK(cast.in("low", "echo alive") == "alive");
  auto told = [&] {
    uint64_t total = 0;
    for (const nlohmann::json& record : cast.records("high")) {
      auto reason = record["reason"].get<std::string>();
      size_t last = reason.find("the last of ");
      total += last == std::string::npos ? 1 : std::stoull(reason.substr(last + 12));
    }
    return total;
  };
  CHECK(eventually([&] { return told() == kFlood; }, std::chrono::seconds(40)));
  auto passed = std::chrono::steady_clock::now() - start;
  CHECK(cast.records("high").size() <=
        10 + 2 * (static_cast<size_t>(passed / std::chrono::seconds(10)) + 1));
}

TEST_CASE("what is tried while zoned is away is recorded when it is back") {
  Cast cast;
  cast.boot({"low", "high"});
  cast.in("high",
          "(sleep 2; mkdir /zone/low/export/a; mkdir /zone/low/export/b) >/dev/null 2>&1 &");
  cast.box().kill_daemon();
  harness::sleep_for(std::chrono::seconds(3));
  cast.box().start();
  REQUIRE(eventually([&] { return !cast.records("high").empty(); }));
  CHECK(cast.records("high").back()["reason"] ==
        "mkdir '/export/b' of label PUBLIC (zone 'low'), the last of 2");
}

}  // namespace
