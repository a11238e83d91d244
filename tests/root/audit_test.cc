// The audit log of a running instance: nothing happens without a record, whatever dies or fills up.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "base/files.h"
#include "base/strings.h"
#include "tests/harness/rounds.h"
#include "tests/harness/sandbox.h"
#include "tests/harness/shell.h"
#include "zoned/api/audit_check.h"

using base::UniqueFd;
using harness::Sandbox;

namespace {

using nlohmann::json;

constexpr const char* kSleep = R"(command=["/bin/sleep","1000"])";

// The calling thread has mounts of its own for the object's life.
class OwnMounts {
 public:
  OwnMounts() : before_(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC)) {
    REQUIRE(before_);
    REQUIRE(unshare(CLONE_NEWNS) == 0);
    REQUIRE(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
  }
  ~OwnMounts() {
    CHECK(setns(before_.get(), CLONE_NEWNS) == 0);
    CHECK(chdir("/") == 0);
  }
  OwnMounts(const OwnMounts&) = delete;
  OwnMounts& operator=(const OwnMounts&) = delete;

 private:
  UniqueFd before_;
};

std::string audit_file(const Sandbox& box, uint64_t number = 1) {
  return box.root() + "/lib/audit/" + api::audit_file_name(number);
}

std::string text_of(const std::string& path) {
  auto text = base::read_file(AT_FDCWD, path, 64 << 20);
  INFO(path);
  REQUIRE(text.ok());
  return *text;
}

void write_file(const std::string& path, const std::string& text) {
  auto fd = base::open_at(AT_FDCWD, path, O_WRONLY | O_TRUNC);
  REQUIRE(fd.ok());
  REQUIRE(base::write_all(fd->get(), text).ok());
}

std::vector<json> records(const Sandbox& box, std::vector<std::string> filter = {}) {
  std::vector<std::string> args = {"audit", "--json"};
  args.insert(args.end(), filter.begin(), filter.end());
  std::vector<json> all;
  for (const std::string& line : base::split(box.zone_ok(args), '\n'))
    if (!line.empty()) all.push_back(json::parse(line));
  return all;
}

size_t count_of(const std::vector<json>& all, const std::string& method) {
  return static_cast<size_t>(std::count_if(all.begin(), all.end(), [&](const json& record) {
    return record.value("method", "") == method && record.value("allowed", false);
  }));
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void make_zone(Sandbox& box, const std::string& name) {
  box.zone_ok({"create", name, "--set", kSleep, "--from", "dir:" + box.root() + "/tree"});
}

}  // namespace

TEST_CASE("every call has a record, which can be read, filtered and followed") {
  Sandbox box;
  box.busybox_tree();
  make_zone(box, "web");
  make_zone(box, "db");
  std::thread later([&box] {
    harness::sleep_for(std::chrono::milliseconds(500));
    static_cast<void>(box.zone({"boot", "web"}));
  });
  std::string followed = harness::shell_ok(box,
                                           "timeout 5 $Z audit -f --zone web | "
                                           "sed '/ Boot  web .* allowed/q'");
  later.join();
  CHECK(contains(followed, "Boot  web"));
  CHECK_FALSE(contains(followed, "  db"));
  auto of_web = records(box, {"--zone", "web"});
  CHECK(count_of(of_web, "Create") == 1);
  CHECK(count_of(of_web, "Boot") == 1);
  CHECK(of_web.back()["label_name"] == harness::listed(box, "web")["label"]);
  CHECK(of_web.back()["config"].get<std::string>().size() == api::kHashDigits);
  // What was allowed and failed has another.
  CHECK(box.zone({"boot", "web"}).status == 1);
  json failed = records(box, {"--zone", "web"}).back();
  CHECK(failed["kind"] == "failed");
  CHECK(failed["method"] == "Boot");
  CHECK(contains(failed.value("reason", ""), "zone 'web' is running"));
  CHECK(records(box, {"--since", "2099-01-01"}).empty());
  CHECK_FALSE(records(box, {"--since", "1h"}).empty());
  CHECK(records(box, {"--uid", "4242"}).empty());
  box.zone_ok({"audit", "verify"});
}

TEST_CASE("what happened has its record, however often zoned is killed in between") {
  Sandbox box;
  box.busybox_tree();
  make_zone(box, "web");
  size_t done = 0;
  for (size_t round = 0; round < harness::rounds(15, 300); ++round) {
    std::thread changes([&box, round] {
      for (int i = 0; i < 4; ++i)
        static_cast<void>(
            box.zone({"create", "z" + std::to_string(round) + "-" + std::to_string(i)}));
      static_cast<void>(box.zone({round % 2 == 0 ? "boot" : "halt", "web"}));
    });
    harness::sleep_for(std::chrono::milliseconds(7 * (round % 9)));
    box.kill_daemon();
    changes.join();
    box.start();
    auto all = records(box);
    std::set<std::string> recorded;
    for (const json& record : all)
      if (record.value("method", "") == "Create") recorded.insert(record.value("zone", ""));
    json zones = json::parse(box.zone_ok({"list", "--json"}));
    done = zones.size();
    for (const json& zone : zones) CHECK(recorded.contains(zone["name"].get<std::string>()));
    if (harness::state_of(box, "web") == "running") CHECK(count_of(all, "Boot") > 0);
    box.zone_ok({"audit", "verify"});
  }
  CHECK(done > 1);
}

TEST_CASE("on a full disk nothing is changed, root may look, and halting works") {
  OwnMounts mounts;
  Sandbox box(Sandbox::Start::kLater);
  box.busybox_tree();
  std::string folder = box.root() + "/lib/audit";
  REQUIRE(base::make_dirs(AT_FDCWD, folder).ok());
  REQUIRE(mount("none", folder.c_str(), "tmpfs", 0, "size=256k,mode=0700") == 0);
  box.start();
  make_zone(box, "web");
  make_zone(box, "db");
  box.zone_ok({"boot", "web"});
  harness::shell(box, "dd if=/dev/zero of=$R/lib/audit/filler bs=4k 2>/dev/null");

  base::Output refused;
  for (int i = 0; i < 40 && refused.status == 0; ++i)
    refused = box.zone({"set", "db", "cpu-shares=3"});
  CHECK(refused.status == 1);
  CHECK(contains(refused.err, "audit log '" + audit_file(box) + "': "));
  CHECK(contains(refused.err, "No space left on device"));
  CHECK(contains(refused.err, "hint: free space on the file system of '" + folder + "'"));
  CHECK(box.zone({"boot", "db"}).status == 1);
  CHECK(box.zone({"exec", "web", "--", "/bin/true"}).status == 125);
  CHECK(harness::state_of(box, "db") == "installed");
  CHECK(harness::state_of(box, "web") == "running");
  box.zone_ok({"halt", "web"});
  CHECK(harness::state_of(box, "web") == "installed");
  CHECK(contains(text_of(audit_file(box)), "\"method\":\"Halt\""));
  // Beyond the reserve.
  for (int i = 0; i < 150; ++i)
    CHECK(contains(box.zone({"halt", "web"}).err, "zone 'web' is installed, not running"));
  CHECK(box.zone({"boot", "web"}).status == 1);

  REQUIRE(unlink((folder + "/filler").c_str()) == 0);
  box.zone_ok({"boot", "db"});
  auto all = records(box);
  auto unwritten = std::find_if(all.begin(), all.end(),
                                [](const json& record) { return record["kind"] == "unwritten"; });
  REQUIRE(unwritten != all.end());
  CHECK((*unwritten)["halts"].get<uint64_t>() + count_of(all, "Halt") == 151);
  CHECK((*unwritten)["halts"].get<uint64_t>() > 0);
  CHECK((*unwritten)["refused"].get<uint64_t>() >= 4);
  box.zone_ok({"audit", "verify"});
  box.stop_all();
  CHECK(umount(folder.c_str()) == 0);
}

TEST_CASE("a tampered log is found at the record; halting goes on; accepting begins another") {
  Sandbox box;
  box.busybox_tree();
  make_zone(box, "web");
  box.zone_ok({"boot", "web"});
  box.zone_ok({"set", "web", "cpu-shares=3"});
  box.kill_daemon();
  std::string text = text_of(audit_file(box));
  size_t at = text.find("\"method\":\"Boot\"");
  REQUIRE(at != std::string::npos);
  auto line = std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(at), '\n') + 1;
  std::string place = api::audit_file_name(1) + ":" + std::to_string(line) + ": record " +
                      std::to_string(line) + " was changed";
  text.replace(at, 15, "\"method\":\"Info\"");
  write_file(audit_file(box), text);
  box.start();
  auto refused = box.zone({"set", "web", "cpu-shares=4"});
  CHECK(refused.status == 1);
  CHECK(contains(refused.err, place));
  CHECK(contains(refused.err, "zone audit accept"));
  auto verified = box.zone({"audit", "verify"});
  CHECK(verified.status == 1);
  CHECK(contains(verified.out, place));
  auto offline = box.zone({"audit", "verify", "--file", audit_file(box)});
  CHECK(offline.status == 1);
  CHECK(contains(offline.out, place));
  CHECK(harness::state_of(box, "web") == "running");
  box.zone_ok({"halt", "web"});
  CHECK(box.zone({"boot", "web"}).status == 1);
  box.zone_ok({"audit", "accept"});
  box.zone_ok({"boot", "web"});
  box.zone_ok({"audit", "verify"});
  auto all = records(box);
  CHECK(all.front()["kind"] == "accepted");
  CHECK(contains(all.front()["fault"], place));
  CHECK(box.zone({"audit", "verify", "--file",
                  box.root() + "/lib/audit/" + all.front()["folder"].get<std::string>() + "/" +
                      api::audit_file_name(1)})
            .status == 1);
}

TEST_CASE("a log that is harmed while zoned runs stops changes at once, and says what to do") {
  Sandbox box;
  box.busybox_tree();
  make_zone(box, "web");
  const std::string head = box.root() + "/lib/audit/head";
  auto stopped = [&](const std::string& why) {
    INFO(why);
    auto refused = box.zone({"set", "web", "cpu-shares=4"});
    CHECK(refused.status == 1);
    CHECK(contains(refused.err, why));
    CHECK(contains(refused.err, "hint: nothing is changed until 'zone audit accept'"));
    auto verified = box.zone({"audit", "verify"});
    CHECK(verified.status == 1);
    CHECK(contains(verified.out, why));
    CHECK(harness::state_of(box, "web") == "running");
    box.zone_ok({"halt", "web"});
    CHECK(box.zone({"boot", "web"}).status == 1);
    CHECK(harness::state_of(box, "web") == "installed");
    box.zone_ok({"audit", "accept"});
    box.zone_ok({"audit", "verify"});
    CHECK(contains(records(box).front().value("fault", ""), why));
    CHECK(contains(box.zone({"audit", "accept"}).err, "is in use and undamaged"));
    box.zone_ok({"set", "web", "cpu-shares=3"});
    box.zone_ok({"boot", "web"});
  };
  box.zone_ok({"boot", "web"});
  REQUIRE(unlink(audit_file(box).c_str()) == 0);
  stopped("audit.000001.log: was removed while zoned ran");
  REQUIRE(truncate(audit_file(box, 2).c_str(), 10) == 0);
  stopped("audit.000002.log: was cut off while zoned ran");
  REQUIRE(unlink(head.c_str()) == 0);
  stopped("head: was removed or replaced while zoned ran");
  // At a start it is no disaster either.
  box.kill_daemon();
  REQUIRE(unlink(head.c_str()) == 0);
  REQUIRE(mkdir(head.c_str(), 0700) == 0);
  box.start();
  stopped("head: not a regular file");
  box.restart();
  box.zone_ok({"audit", "verify"});
}

namespace {

// A journal of our own, in /run/systemd/journal of mounts of our own. What all instances share stays.
class Journal {
 public:
  Journal() {
    UniqueFd ids(open("/run/zoned-ids", O_PATH | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(ids);
    REQUIRE(mount("none", "/run", "tmpfs", 0, "mode=0755") == 0);
    REQUIRE(mkdir("/run/zoned-ids", 0700) == 0);
    std::string path = "/proc/self/fd/" + std::to_string(ids.get());
    REQUIRE(mount(path.c_str(), "/run/zoned-ids", nullptr, MS_BIND, nullptr) == 0);
    REQUIRE(base::make_dirs(AT_FDCWD, "/run/systemd/journal").ok());
    socket_ = UniqueFd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address = {AF_UNIX, "/run/systemd/journal/socket"};
    REQUIRE(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  // What has come since: the fields, as lines.
  std::string read_all() {
    std::string all;
    std::array<char, 65536> buffer = {};
    for (ssize_t n = 0; (n = recv(socket_.get(), buffer.data(), buffer.size(), 0)) > 0;)
      all.append(buffer.data(), static_cast<size_t>(n));
    return all;
  }

 private:
  UniqueFd socket_;
};

}  // namespace

TEST_CASE("a chain made anew passes by itself, and not before the heads in the journal") {
  OwnMounts mounts;
  Sandbox box(Sandbox::Start::kLater);
  box.busybox_tree();
  box.start();  // makes what instances share
  box.stop_all();
  Journal journal;
  box.start();
  make_zone(box, "web");
  box.zone_ok({"boot", "web"});
  std::string heads;
  REQUIRE(harness::eventually([&] {
    heads += journal.read_all();
    return contains(heads, "MESSAGE=audit head ");
  }));
  box.stop_all();
  heads += journal.read_all();
  CHECK(contains(heads, "ZONED_ROOT=" + box.root() + "\n"));
  std::string noted = box.root() + "/heads";
  REQUIRE(base::replace_file(AT_FDCWD, noted, heads, base::Durability::kRuntime).ok());
  box.start();
  box.zone_ok({"audit", "verify", "--heads", noted});
  box.stop_all();

  // As root could: the Boot becomes a List, and every hash after it is computed again.
  std::string forged;
  api::AuditHead head;
  for (const std::string& line : base::split(base::trim(text_of(audit_file(box))), '\n')) {
    auto record = nlohmann::ordered_json::parse(line);
    if (record.value("method", "") == "Boot") record["method"] = "List";
    record["prev"] = head.hash;
    std::string again = record.dump();
    head = api::head_after(head, again);
    forged += again + "\n";
  }
  write_file(audit_file(box), forged);
  std::string text = head.text();
  write_file(box.root() + "/lib/audit/head", std::string(85 - text.size(), '0') + text + "\n");
  box.start();
  box.zone_ok({"audit", "verify"});
  auto found = box.zone({"audit", "verify", "--heads", noted});
  CHECK(found.status == 1);
  CHECK(contains(found.out, "is not the one whose head was noted"));
  box.stop_all();
}
