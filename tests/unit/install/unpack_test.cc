#include "zoned/core/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <csignal>

#include <catch2/catch.hpp>

#include "tests/unit/install/temporary_folder.h"

using core::UnpackReport;

namespace {

// Words of one run.
struct Heard {
  std::vector<std::string> stages;
  std::vector<std::string> warnings;
  UnpackReport report{[this](std::string_view stage, uint64_t, uint64_t) {
                        if (stages.empty() || stages.back() != stage) stages.emplace_back(stage);
                      },
                      [this](const std::string& text) { warnings.push_back(text); }};
};

struct Member {
  std::string path;
  unsigned type = AE_IFREG;
  std::string text;  // content, or the target of a link
  std::string hard_link;
  int64_t uid = getuid();
  mode_t mode = 0644;
  unsigned major = 0, minor = 0;
};

// A pax archive, as a descriptor at its start.
base::UniqueFd make_archive(TemporaryFolder& folder, const std::vector<Member>& members) {
  std::string path = folder.path() + "/archive.tar";
  archive* a = archive_write_new();
  archive_write_set_format_pax(a);
  archive_write_add_filter_gzip(a);
  REQUIRE(archive_write_open_filename(a, path.c_str()) == ARCHIVE_OK);
  for (const Member& member : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, member.path.c_str());
    archive_entry_set_filetype(entry, member.type);
    archive_entry_set_perm(entry, member.mode);
    archive_entry_set_uid(entry, member.uid);
    archive_entry_set_gid(entry, getgid());
    archive_entry_set_mtime(entry, 1234567890, 0);
    archive_entry_set_rdevmajor(entry, member.major);
    archive_entry_set_rdevminor(entry, member.minor);
    bool file = member.type == AE_IFREG && member.hard_link.empty();
    archive_entry_set_size(entry, file ? static_cast<la_int64_t>(member.text.size()) : 0);
    if (member.type == AE_IFLNK) archive_entry_set_symlink(entry, member.text.c_str());
    if (!member.hard_link.empty()) archive_entry_set_hardlink(entry, member.hard_link.c_str());
    REQUIRE(archive_write_header(a, entry) == ARCHIVE_OK);
    if (file) archive_write_data(a, member.text.data(), member.text.size());
    archive_entry_free(entry);
  }
  REQUIRE(archive_write_free(a) == ARCHIVE_OK);
  auto fd = base::open_at(AT_FDCWD, path, O_RDONLY);
  REQUIRE(fd);
  return *std::move(fd);
}

base::Status unpack(const std::vector<Member>& members, TemporaryFolder& target, Heard& heard) {
  TemporaryFolder folder;
  base::UniqueFd archive = make_archive(folder, members);
  return core::unpack_archive(archive.get(), target.fd(), &heard.report);
}

Member entry(const std::string& path, unsigned type, const std::string& text = "") {
  Member member;
  member.path = path;
  member.type = type;
  member.text = text;
  return member;
}

Member device(const std::string& path, unsigned type, unsigned major, unsigned minor) {
  Member member = entry(path, type);
  member.major = major;
  member.minor = minor;
  return member;
}

}  // namespace

TEST_CASE("an archive's files, links, modes and times arrive") {
  TemporaryFolder target;
  Heard heard;
  Member top = entry("./", AE_IFDIR);
  top.mode = 0700;
  Member program = entry("./bin/tool", AE_IFREG, "content");
  program.mode = 0755;
  Member twin = entry("bin/twin", AE_IFREG);
  twin.hard_link = "./bin/tool";
  auto done =
      unpack({top, program, twin, entry("s", AE_IFLNK, "/bin/tool"), entry("fifo", AE_IFIFO)},
             target, heard);
  REQUIRE(done);
  CHECK(target.read("bin/tool") == "content");
  CHECK((target.status("bin/tool").st_mode & 07777) == 0755);
  CHECK(target.status("bin/tool").st_mtime == 1234567890);
  CHECK(target.status("bin/tool").st_ino == target.status("bin/twin").st_ino);
  CHECK(S_ISLNK(target.status("s").st_mode));
  CHECK(S_ISFIFO(target.status("fifo").st_mode));
  CHECK((target.status(".").st_mode & 0777) == 0755);
  CHECK(heard.stages == std::vector<std::string>{"unpack"});
  CHECK(heard.warnings.empty());
}

TEST_CASE("members that leave the tree are refused by name") {
  Member linked = entry("l", AE_IFREG);
  linked.hard_link = "../outside";
  Member absolute_link = linked;
  absolute_link.hard_link = "/etc/passwd";
  struct Case {
    Member member;
    const char* message;
  };
  const Case cases[] = {
      {entry("../evil", AE_IFREG, "x"), "member '../evil' leaves the tree"},
      {entry("a/../../evil", AE_IFREG, "x"), "member 'a/../../evil' leaves the tree"},
      {entry("/evil", AE_IFREG, "x"), "member '/evil' is an absolute path"},
      {linked, "member 'l': hard link to '../outside' leaves the tree"},
      {absolute_link, "member 'l': hard link to '/etc/passwd' is an absolute path"}};
  for (const Case& c : cases) {
    TemporaryFolder target;
    Heard heard;
    auto done = unpack({c.member}, target, heard);
    REQUIRE_FALSE(done);
    CHECK(done.error().code == base::Code::kInvalid);
    CHECK(done.error().message == c.message);
    CHECK_FALSE(done.error().hint.empty());
  }
}

TEST_CASE("nothing is written through an archive's own links") {
  TemporaryFolder outside, target;
  Heard heard;
  auto done =
      unpack({entry("s", AE_IFLNK, outside.path()), entry("s/evil", AE_IFREG, "x")}, target, heard);
  REQUIRE_FALSE(done);
  CHECK(done.error().message == "member 's/evil' passes through a symbolic link");
  CHECK_FALSE(outside.has("evil"));
}

TEST_CASE("device nodes are refused, the standard ones in dev/ are left out") {
  TemporaryFolder target;
  Heard heard;
  auto done = unpack({entry("dev", AE_IFDIR), device("dev/null", AE_IFCHR, 1, 3),
                      device("dev/tty1", AE_IFCHR, 4, 1), entry("file", AE_IFREG, "x")},
                     target, heard);
  REQUIRE(done);
  CHECK_FALSE(target.has("dev/null"));
  CHECK(target.has("file"));
  CHECK(heard.warnings == std::vector<std::string>{"device nodes in dev/ were left out"});
  for (const Member& bad : {device("dev/sda", AE_IFBLK, 8, 0), device("null", AE_IFCHR, 1, 3),
                            device("dev/mem", AE_IFCHR, 1, 1), device("dev/b", AE_IFBLK, 1, 3)}) {
    TemporaryFolder other;
    auto refused = unpack({bad}, other, heard);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == base::Code::kInvalid);
    CHECK(refused.error().message == "member '" + bad.path + "' is a device node");
  }
}

TEST_CASE("owners that no zone has are refused") {
  TemporaryFolder target;
  Heard heard;
  Member member = entry("file", AE_IFREG, "x");
  member.uid = 65536;
  auto done = unpack({member}, target, heard);
  REQUIRE_FALSE(done);
  CHECK(done.error().message.starts_with("member 'file' belongs to user 65536"));
}

TEST_CASE("what is no archive, an empty or a cut one is refused") {
  TemporaryFolder target, folder;
  Heard heard;
  folder.file("junk", std::string(5000, '\xfe'));
  auto junk = base::open_at(folder.fd(), "junk", O_RDONLY);
  REQUIRE(junk);
  auto done = core::unpack_archive(junk->get(), target.fd(), &heard.report);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == base::Code::kInvalid);
  auto empty = unpack({}, target, heard);
  REQUIRE_FALSE(empty);
  CHECK(empty.error().code == base::Code::kInvalid);
  TemporaryFolder cut;
  std::string noise;
  for (unsigned i = 0, x = 1; i < 300000; ++i, x = x * 1103515245 + 12345)
    noise += static_cast<char>(x >> 16);
  base::UniqueFd whole = make_archive(cut, {entry("big", AE_IFREG, noise)});
  REQUIRE(truncate((cut.path() + "/archive.tar").c_str(), 100000) == 0);
  auto truncated = core::unpack_archive(whole.get(), target.fd(), &heard.report);
  REQUIRE_FALSE(truncated);
  CHECK(truncated.error().code == base::Code::kInvalid);
}

TEST_CASE("a copied tree keeps links, holes, modes, times and attributes") {
  TemporaryFolder source, target;
  source.folder("a/b", 0711);
  source.file("a/b/file", "text", 0640);
  REQUIRE(linkat(source.fd(), "a/b/file", source.fd(), "a/twin", 0) == 0);
  source.link("a/link", "/nowhere");
  REQUIRE(mkfifoat(source.fd(), "fifo", 0600) == 0);
  source.file("sparse", "start");
  REQUIRE(truncate((source.path() + "/sparse").c_str(), 8 << 20) == 0);
  bool attributes = setxattr((source.path() + "/a/b/file").c_str(), "user.k", "v", 1, 0) == 0;
  timespec times[2] = {{1000, 0}, {2000, 0}};
  REQUIRE(utimensat(source.fd(), "a/b", times, 0) == 0);
  Heard heard;
  REQUIRE(core::copy_tree(source.fd(), target.fd(), &heard.report));
  CHECK(target.read("a/b/file") == "text");
  CHECK((target.status("a/b/file").st_mode & 07777) == 0640);
  CHECK(target.status("a/b/file").st_ino == target.status("a/twin").st_ino);
  CHECK((target.status("a/b").st_mode & 07777) == 0711);
  CHECK(target.status("a/b").st_mtime == 2000);
  CHECK(S_ISLNK(target.status("a/link").st_mode));
  CHECK(S_ISFIFO(target.status("fifo").st_mode));
  CHECK(target.status("sparse").st_size == 8 << 20);
  CHECK(target.status("sparse").st_blocks * 512 < 1 << 20);
  char value[8];
  if (attributes)
    CHECK(getxattr((target.path() + "/a/twin").c_str(), "user.k", value, sizeof value) == 1);
  CHECK(heard.stages == std::vector<std::string>{"copy"});
}

TEST_CASE("a copy that fails names the file") {
  TemporaryFolder source, target;
  source.folder("a");
  source.file("a/file", "x");
  target.folder("a");
  Heard heard;
  auto done = core::copy_tree(source.fd(), target.fd(), &heard.report);
  REQUIRE_FALSE(done);
  CHECK(done.error().message.starts_with("'a': "));
}

TEST_CASE("data that can't be written fails the whole") {
  // A limit on file size stands for a full disk: the write fails half-way.
  TemporaryFolder source, target, other;
  std::string data(1 << 20, 'x');
  source.file("big", data);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before = {};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  TemporaryFolder folder;
  base::UniqueFd archive = make_archive(folder, {entry("big", AE_IFREG, data)});
  rlimit small = {100000, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  Heard heard;
  auto copied = core::copy_tree(source.fd(), target.fd(), &heard.report);
  auto unpacked = core::unpack_archive(archive.get(), other.fd(), &heard.report);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, SIG_DFL);
  REQUIRE_FALSE(copied);
  CHECK(copied.error().message == "'big': write: File too large");
  REQUIRE_FALSE(unpacked);
  CHECK(unpacked.error().message == "member 'big': File too large");
}

TEST_CASE("a full disk is told as such") {
  for (int err : {ENOSPC, EDQUOT}) {
    base::Error error = core::write_error("write", err);
    CHECK(error.code == base::Code::kNoSpace);
    CHECK(error.message == "no space left on the disk that holds zones");
    CHECK_FALSE(error.hint.empty());
  }
  CHECK(core::write_error("write", EIO).message == "write: Input/output error");
}

TEST_CASE("folders inside each other are copied up to a depth, then refused") {
  TemporaryFolder source, target;
  std::string path = "d";
  for (int i = 0; i < 200; ++i) path += "/d";
  source.folder(path);
  Heard heard;
  REQUIRE(core::copy_tree(source.fd(), target.fd(), &heard.report));
  CHECK(target.has(path));
}

TEST_CASE("warnings are told once each and not without end") {
  Heard heard;
  for (int i = 0; i < 100; ++i) {
    heard.report.warn("same");
    heard.report.warn("number " + std::to_string(i));
  }
  CHECK(heard.warnings.size() == 16);
}

TEST_CASE("mmdebstrap's words become stages, its first error the error") {
  Heard heard;
  REQUIRE(core::run_mmdebstrap({"/bin/sh", "-c",
                                "echo 'I: running apt-get update...' >&2;"
                                "echo 'I: downloading packages with apt...' >&2;"
                                "echo 'Get:1 http://x'"},
                               &heard.report));
  CHECK(heard.stages == std::vector<std::string>{"update", "download"});
  auto failed = core::run_mmdebstrap(
      {"/bin/sh", "-c", "echo 'E: Unable to locate package x'; echo 'E: later'; exit 3"},
      &heard.report);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().message == "mmdebstrap: Unable to locate package x");
  CHECK(failed.error().hint == "check the packages given to include=");
  auto absent = core::run_mmdebstrap({"/nonexistent/program"}, &heard.report);
  REQUIRE_FALSE(absent);
  CHECK(absent.error().message == "mmdebstrap could not be started");
}
