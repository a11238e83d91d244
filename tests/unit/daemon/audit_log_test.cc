#include "zoned/daemon/audit_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/files.h"
#include "base/strings.h"
#include "tests/unit/daemon/temporary.h"
#include "zoned/api/audit_check.h"
#include "zoned/api/idl.h"

namespace zoned {
namespace {

using testing::must;
using testing::TemporaryFolder;
using testing::write_text;

constexpr uid_t kUser = 1000;

// An audit log that is opened and ended at will.
struct Bench {
  TemporaryFolder lib;
  std::unique_ptr<base::EventLoop> loop = must(base::EventLoop::create());
  std::vector<api::AuditHead> told;
  AuditLog::Options options;
  std::unique_ptr<AuditLog> log;

  Bench() {
    options.clearance_name_of = [](const labels::Label&) { return "CLEARANCE"; };
    options.name_of = [](const labels::Label&) { return "NAME"; };
    options.note = [this](const api::AuditHead& head) { told.push_back(head); };
  }
  void open() { log = std::make_unique<AuditLog>(loop.get(), lib.path(), options); }
  void reopen() {
    log.reset();
    open();
  }
  // The decision is recorded and settled, or the error.
  base::Status decide(std::string_view method, uid_t uid = 0, bool allowed = true) {
    Caller caller{uid, 1, {}, Role::kNone};
    TRY(log->record({caller, method, Verb::kManage, "web", allowed}));
    base::Status outcome;
    bool done = false;
    log->settle(method, [&](base::Status status) {
      outcome = std::move(status);
      done = true;
    });
    for (int i = 0; !done && i < 1000; ++i) must_run();
    REQUIRE(done);
    return outcome;
  }
  void must_run() { REQUIRE(loop->run_once(std::chrono::milliseconds(10)).ok()); }
  std::string file(uint64_t number = 1) const {
    return lib / ("audit/" + api::audit_file_name(number));
  }
  std::string text(uint64_t number = 1) const {
    return must(base::read_file(AT_FDCWD, file(number), 64 << 20));
  }
  std::vector<std::string> faults(std::vector<api::AuditHead> known = {}) const {
    api::AuditCheck check(std::move(known), true);
    for (uint64_t number : log->files()) {
      check.begin_file(api::audit_file_name(number));
      check.feed(text(number));
      check.end_file();
    }
    check.finish();
    std::vector<std::string> texts;
    for (const auto& fault : check.faults()) texts.push_back(fault.place + ": " + fault.text);
    return texts;
  }
};

using Texts = std::vector<std::string>;

TEST_CASE(
    "every method of the interface is a look, a change or halting, and only these are looks") {
  auto interface = must(api::parse_interface(api::interface_text()));
  std::vector<std::string> looks;
  std::vector<std::string> halts;
  for (const auto& [name, method] : interface.methods) {
    if (act_of(name) == Act::kLook) looks.push_back(name);
    if (act_of(name) == Act::kHalt) halts.push_back(name);
  }
  CHECK(looks == Texts{"Audit", "CopyList", "Events", "Export", "Host", "Info", "LabelGet",
                       "LabelTrees", "List", "NetInfo", "NetList", "NetPorts", "PoolInfo",
                       "PoolList", "Stat", "UserList", "Verify"});
  CHECK(halts == Texts{"Halt", "Shutdown", "StopAll"});
  CHECK(act_of("AuditAccept") == Act::kAccept);
  CHECK(act_of("Unheard") == Act::kChange);
}

TEST_CASE("a change goes on when its record is on disk, a look at once") {
  Bench bench;
  bench.open();
  Caller caller = Caller::of_root(7);
  REQUIRE(bench.log->record({caller, "Boot", Verb::kManage, "web", true}).ok());
  bool done = false;
  bench.log->settle("Boot", [&](const base::Status& status) { done = status.ok(); });
  CHECK_FALSE(done);
  bool looked = false;
  REQUIRE(bench.log->record({caller, "List", Verb::kSee, "", true}).ok());
  bench.log->settle("List", [&](const base::Status& status) { looked = status.ok(); });
  CHECK(looked);
  CHECK_FALSE(done);
  for (int i = 0; !done && i < 1000; ++i) bench.must_run();
  CHECK(done);
  CHECK(bench.text().find("\"method\":\"Boot\"") != std::string::npos);
  CHECK(bench.faults({bench.log->head()}) == Texts{});
}

TEST_CASE("the chain goes on over restarts, and the head is told at start and end") {
  Bench bench;
  bench.open();
  REQUIRE(bench.decide("Boot").ok());
  bench.reopen();
  REQUIRE(bench.told.size() == 1);
  REQUIRE(bench.decide("Set").ok());
  CHECK(bench.log->head().seq == 5);  // start, Boot, stop, start, Set
  CHECK(bench.faults({bench.told[0], bench.log->head()}) == Texts{});
  struct stat info = {};
  REQUIRE(stat(bench.file().c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("files follow each other at a size; the oldest are pruned, and the chain tells of it") {
  Bench bench;
  bench.options.file_bytes = 2000;
  bench.open();
  for (int i = 0; i < 40; ++i) REQUIRE(bench.decide("Boot").ok());
  CHECK(bench.log->files().size() > 4);
  CHECK(bench.faults({bench.log->head()}) == Texts{});
  bench.options.keep = 2;
  bench.reopen();
  for (int i = 0; i < 20; ++i) REQUIRE(bench.decide("Boot").ok());
  CHECK(bench.log->files().size() == 3);
  CHECK(bench.faults({bench.log->head()}) == Texts{});
  CHECK(base::list_dir(AT_FDCWD, bench.lib / "audit")->size() == 4);
}

TEST_CASE("a last line that a crash cut off is told of, and all goes on") {
  Bench bench;
  bench.open();
  REQUIRE(bench.decide("Boot").ok());
  bench.log.reset();
  std::string before = bench.text();
  write_text(bench.file(), before + "{\"seq\":4,\"prev");
  bench.open();
  CHECK(bench.log->trouble().empty());
  REQUIRE(bench.decide("Set").ok());
  CHECK(bench.text().find("\"kind\":\"torn\",\"bytes\":14") != std::string::npos);
  CHECK(bench.faults({bench.log->head()}) == Texts{});
  bench.reopen();
  CHECK(bench.log->trouble().empty());
}

// What is done to the log while zoned is away, and what it then says.
struct Harm {
  const char* name;
  std::function<void(const Bench&)> act;
  std::string says;
};

TEST_CASE("a log that was tampered with changes nothing until it is accepted; halting goes on") {
  auto lines = [](const Bench& bench) { return base::split(base::trim(bench.text()), '\n'); };
  auto put = [](const Bench& bench, std::vector<std::string> all) {
    write_text(bench.file(), base::join(all, "\n") + "\n");
  };
  const std::vector<Harm> harms = {
      {"a changed byte",
       [&](const Bench& bench) {
         auto all = lines(bench);
         all[1].replace(all[1].find("Boot"), 4, "List");
         put(bench, all);
       },
       "audit.000001.log:2: record 2 was changed"},
      {"a cut end",
       [&](const Bench& bench) {
         auto all = lines(bench);
         all.resize(3);
         put(bench, all);
       },
       "audit.000001.log:3: record 4 is missing: removed from the end"},
      {"half of a record that was on disk",
       [&](const Bench& bench) {
         std::string text = bench.text();
         write_text(bench.file(), text.substr(0, text.size() - 10));
       },
       "audit.000001.log:3: record 4 is missing: removed from the end"},
      {"no file", [](const Bench& bench) { unlink(bench.file().c_str()); },
       "the files are missing: records up to 4 were noted"},
      {"no head", [](const Bench& bench) { unlink((bench.lib / "audit/head").c_str()); },
       "head: the file that notes the last record is missing"},
      {"a bad head", [](const Bench& bench) { write_text(bench.lib / "audit/head", "x\n"); },
       "head: head 'x' is not NUMBER:HASH"},
      {"a head that is a folder",
       [](const Bench& bench) {
         unlink((bench.lib / "audit/head").c_str());
         REQUIRE(mkdir((bench.lib / "audit/head").c_str(), 0700) == 0);
       },
       "head: not a regular file"},
      {"a head that nobody writes to",
       [](const Bench& bench) {
         unlink((bench.lib / "audit/head").c_str());
         REQUIRE(mkfifo((bench.lib / "audit/head").c_str(), 0600) == 0);
       },
       "head: not a regular file"},
      {"a link instead of the file",
       [](const Bench& bench) {
         REQUIRE(rename(bench.file().c_str(), (bench.lib / "away").c_str()) == 0);
         REQUIRE(symlink((bench.lib / "away").c_str(), bench.file().c_str()) == 0);
       },
       "audit.000001.log: not a regular file"},
  };
  for (const Harm& harm : harms) {
    INFO(harm.name);
    Bench bench;
    bench.open();
    REQUIRE(bench.decide("Boot").ok());
    REQUIRE(bench.decide("Set").ok());
    bench.log.reset();
    harm.act(bench);
    bench.open();
    CHECK(bench.log->trouble() == harm.says);
    auto refused = bench.decide("Boot");
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().message.find(harm.says) != std::string::npos);
    CHECK(bench.decide("Halt").ok());
    CHECK(bench.decide("List").ok());
    CHECK_FALSE(bench.decide("List", kUser).ok());
    uint64_t known = 4;
    auto folder = bench.log->accept({0, 1});
    INFO((folder ? std::string() : folder.error().message));
    REQUIRE(folder.ok());
    REQUIRE(bench.decide("Boot").ok());
    CHECK(bench.log->head().seq > known);
    CHECK(bench.faults({bench.log->head()}) == Texts{});
    CHECK_FALSE(bench.log->accept({0, 1}).ok());
    bench.reopen();
    CHECK(bench.log->trouble().empty());
  }
}

TEST_CASE("what others do to the log while it is written is noticed before the next record") {
  const std::string kHead = "audit/head";
  const std::vector<Harm> harms = {
      {"removed", [](const Bench& bench) { unlink(bench.file().c_str()); },
       "audit.000001.log: was removed while zoned ran"},
      {"replaced by a copy",
       [](const Bench& bench) {
         write_text(bench.lib / "copy", bench.text());
         REQUIRE(rename((bench.lib / "copy").c_str(), bench.file().c_str()) == 0);
       },
       "audit.000001.log: was removed while zoned ran"},
      {"moved away, another in its place",
       [](const Bench& bench) {
         REQUIRE(rename(bench.file().c_str(), (bench.lib / "away").c_str()) == 0);
         write_text(bench.file(), must(base::read_file(AT_FDCWD, bench.lib / "away")));
       },
       "audit.000001.log: was moved away or replaced while zoned ran"},
      {"cut off", [](const Bench& bench) { REQUIRE(truncate(bench.file().c_str(), 100) == 0); },
       "audit.000001.log: was cut off while zoned ran"},
      {"a byte changed in place",
       [](const Bench& bench) {
         auto file = must(base::open_at(AT_FDCWD, bench.file(), O_WRONLY));
         REQUIRE(pwrite(file.get(), "X", 1, 100) == 1);
       },
       "audit.000001.log: was written to by another while zoned ran"},
      {"no head", [=](const Bench& bench) { unlink((bench.lib / kHead).c_str()); },
       "head: was removed or replaced while zoned ran"},
      {"a head that is a folder",
       [=](const Bench& bench) {
         unlink((bench.lib / kHead).c_str());
         REQUIRE(mkdir((bench.lib / kHead).c_str(), 0700) == 0);
       },
       "head: was removed or replaced while zoned ran"},
      {"an older head",
       [=](const Bench& bench) { write_text(bench.lib / kHead, audit_head_text({})); },
       "head: was written to by another while zoned ran"},
      {"the folder moved away",
       [](const Bench& bench) {
         REQUIRE(rename((bench.lib / "audit").c_str(), (bench.lib / "away").c_str()) == 0);
       },
       "the folder was removed or replaced while zoned ran"},
  };
  for (const Harm& harm : harms) {
    INFO(harm.name);
    Bench bench;
    bench.open();
    REQUIRE(bench.decide("Boot").ok());
    REQUIRE(bench.decide("Set").ok());
    CHECK(bench.log->check().ok());
    const std::string written = bench.text();
    usleep(20000);  // the grain of file times
    harm.act(bench);
    auto refused = bench.decide("Boot");
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().message.find(harm.says) != std::string::npos);
    CHECK(refused.error().hint.find("zone audit accept") != std::string::npos);
    CHECK(bench.log->trouble() == harm.says);
    CHECK(bench.log->head().seq == 3);
    CHECK(bench.decide("Halt").ok());
    CHECK(bench.decide("List").ok());
    CHECK_FALSE(bench.decide("Set").ok());
    CHECK(bench.decide("AuditAccept").ok());
    std::string aside = must(bench.log->accept({0, 1}));
    if (harm.says.find("was removed while") != std::string::npos)
      CHECK(must(base::read_file(AT_FDCWD, aside + "/audit.000001.log.written")) == written);
    REQUIRE(bench.decide("Boot").ok());
    CHECK(bench.log->head().seq > 3);
    CHECK(bench.faults({bench.log->head()}) == Texts{});
    bench.reopen();
    CHECK(bench.log->trouble().empty());
  }
}

TEST_CASE("accepting goes by what is there now, and says why it can't") {
  Bench bench;
  bench.open();
  REQUIRE(bench.decide("Boot").ok());
  auto undamaged = bench.log->accept({0, 1});
  REQUIRE_FALSE(undamaged.ok());
  CHECK(undamaged.error().message.find("is in use and undamaged") != std::string::npos);
  // Nothing has looked since.
  unlink(bench.file().c_str());
  CHECK(bench.decide("AuditAccept").ok());
  REQUIRE(bench.log->accept({0, 1}).ok());
  REQUIRE(bench.decide("Boot").ok());
  // Not a matter of records.
  bench.log.reset();
  REQUIRE(base::remove_tree(AT_FDCWD, bench.lib / "audit").ok());
  write_text(bench.lib / "audit", "x");
  bench.open();
  auto absent = bench.log->accept({0, 1});
  REQUIRE_FALSE(absent.ok());
  CHECK(absent.error().message.find("Not a directory") != std::string::npos);
  unlink((bench.lib / "audit").c_str());
  CHECK(bench.decide("Boot").ok());
}

TEST_CASE("a file that others put where the next one goes stops the log") {
  Bench bench;
  bench.options.file_bytes = 2000;
  bench.open();
  write_text(bench.file(2), "x\n");
  base::Status refused;
  for (int i = 0; refused.ok() && i < 40; ++i) refused = bench.decide("Boot");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.find("audit.000002.log: made by another") != std::string::npos);
  REQUIRE(bench.log->accept({0, 1}).ok());
  REQUIRE(bench.decide("Boot").ok());
  CHECK(bench.log->files() == std::vector<uint64_t>{3});
  CHECK(bench.faults({bench.log->head()}) == Texts{});
}

TEST_CASE("what could not be recorded is counted and recorded later") {
  Bench bench;
  bench.open();
  REQUIRE(bench.decide("Boot").ok());
  bench.log.reset();
  std::string good = bench.text();
  std::string bad = good;
  bad.replace(bad.find("Boot"), 4, "List");
  write_text(bench.file(), bad);
  bench.open();
  CHECK(bench.decide("Halt").ok());
  CHECK(bench.decide("Halt").ok());
  CHECK_FALSE(bench.decide("Boot").ok());
  REQUIRE(bench.log->accept({0, 1}).ok());
  REQUIRE(bench.decide("Boot").ok());
  CHECK(bench.text(2).find("\"kind\":\"unwritten\",\"halts\":2,\"refused\":1") !=
        std::string::npos);
}

TEST_CASE("refusals of one user are told up to a rate, then counted, and push nobody else out") {
  Bench bench;
  bench.open();
  for (int i = 0; i < 500; ++i) REQUIRE(bench.decide("Boot", kUser, false).ok());
  CHECK(bench.log->head().seq < 60);
  uint64_t before = bench.log->head().seq;
  REQUIRE(bench.decide("Boot", kUser + 1, false).ok());
  REQUIRE(bench.decide("Boot", 0, false).ok());
  CHECK(bench.log->head().seq == before + 2);
  auto told = [&] { return bench.text().find("\"kind\":\"left-out\",\"act\":\"refusal\""); };
  for (int i = 0; told() == std::string::npos && i < 300; ++i) bench.must_run();
  CHECK(told() != std::string::npos);
  CHECK(bench.faults() == Texts{});
}

TEST_CASE("allowances of very many users are shared, not endless") {
  AuditQuota quota;
  auto now = AuditQuota::Clock::time_point() + std::chrono::hours(1);
  size_t taken = 0;
  for (uid_t uid = 1; uid <= 100000; ++uid) taken += quota.take(uid, now) ? 1 : 0;
  CHECK(taken <= AuditQuota::kMaxUids + static_cast<size_t>(AuditQuota::kBurst));
  auto left = quota.left_out(now);
  REQUIRE(left.size() == 1);
  CHECK(left[0].uid == AuditQuota::kOthers);
  CHECK(left[0].count + taken == 100000);
  CHECK(quota.left_out(now + std::chrono::hours(1)).empty());
  CHECK(quota.take(7, now + std::chrono::hours(1)));
}

}  // namespace
}  // namespace zoned
