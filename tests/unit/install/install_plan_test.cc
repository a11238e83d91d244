#include "zoned/core/install_plan.h"

#include <sys/resource.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/unit/install/temporary_folder.h"
#include "zoned/core/capabilities.h"

using core::InstallFacts;
using core::InstallJob;
using core::JobDescriptor;
using core::MountOp;
using core::Source;

namespace {

InstallFacts facts() {
  InstallFacts facts;
  facts.paths = {{"/usr", InstallFacts::Kind::kFolder},
                 {"/etc/passwd", InstallFacts::Kind::kFile},
                 {"/etc/ssl/certs", InstallFacts::Kind::kFolder}};
  facts.links = {{"/bin", "usr/bin"}, {"/lib64", "usr/lib64"}};
  facts.mmdebstrap = true;
  facts.debian_keyring = true;
  facts.suite = "bookworm";
  facts.apt_sources = {{{"http://near/debian"}, {"bookworm"}, {"main"}, ""}};
  facts.apt_options = {"Acquire::http::Proxy \"http://proxy:3142\""};
  return facts;
}

core::JobRequest request() {
  core::JobRequest request;
  request.name = "web";
  request.boot_id = std::string(32, 'b');
  request.ids = {655360};
  request.program = "/usr/libexec/zone-unpack";
  request.target = "/var/lib/zoned/zones/web/root";
  return request;
}

Source source_of(const char* text) {
  auto source = core::parse_source(text);
  REQUIRE(source);
  return *source;
}

InstallJob debian_job() {
  auto job = core::plan_debian(request(), facts(), source_of("debian:bookworm,include=nginx"));
  REQUIRE(job);
  return *job;
}

const MountOp* find_mount(const InstallJob& job, const std::string& target) {
  for (const MountOp& op : job.plan.mounts)
    if (op.target == target) return &op;
  return nullptr;
}

bool has_descriptor(const InstallJob& job, const JobDescriptor& wanted) {
  return std::find(job.descriptors.begin(), job.descriptors.end(), wanted) != job.descriptors.end();
}

}  // namespace

TEST_CASE("jobs run behind all walls") {
  std::vector<InstallJob> jobs = {core::plan_copy(request(), facts(), "/srv/tree"),
                                  core::plan_unpack(request(), facts(), "/srv/a.tar"),
                                  core::plan_import(request(), facts(), source_of("disk:/srv/d")),
                                  debian_job()};
  for (const InstallJob& job : jobs) {
    const core::ZonePlan& plan = job.plan;
    CHECK(plan.profile == core::Profile::kJob);
    CHECK(plan.namespaces.user);
    CHECK(plan.namespaces.pid);
    CHECK(plan.no_new_privs);
    CHECK(plan.lock_mounts);
    CHECK(plan.close_fds);
    CHECK(plan.stdio == core::Stdio::kClient);
    CHECK(plan.capabilities == core::capabilities_of(core::Profile::kJob));
    CHECK(plan.ids.base == 655360);
    CHECK(plan.exec.descriptor == "program");
    CHECK(plan.mounts.front().kind == MountOp::Kind::kTmpfs);
    CHECK(plan.mounts.front().target == "/");
    for (const MountOp& op : plan.mounts) {
      bool host = op.kind == MountOp::Kind::kTree && op.source.starts_with("host/");
      if (host) CHECK(op.read_only);
      if (op.kind != MountOp::Kind::kDevice) CHECK(op.nodev);
      CHECK(op.nosuid);
      if (op.kind == MountOp::Kind::kProc) CHECK(op.read_only);
    }
  }
}

TEST_CASE("only a Debian job has the host's network, and then no unix sockets") {
  CHECK(core::plan_copy(request(), facts(), "/srv/tree").plan.namespaces.net);
  CHECK(core::plan_unpack(request(), facts(), "/srv/a.tar").plan.namespaces.net);
  InstallJob job = debian_job();
  CHECK_FALSE(job.plan.namespaces.net);
  CHECK(job.plan.filter == "job-net");
  CHECK_FALSE(job.plan.loopback_up);
}

TEST_CASE("the job's root has a mount point for each of its mounts, parents first") {
  InstallJob job = core::plan_copy(request(), facts(), "/srv/tree");
  std::vector<std::string> made;
  for (const core::TmpfsEntry& entry : job.plan.mounts.front().entries) {
    size_t slash = entry.path.rfind('/');
    if (slash != std::string::npos)
      CHECK(std::count(made.begin(), made.end(), entry.path.substr(0, slash)) == 1);
    CHECK(std::count(made.begin(), made.end(), entry.path) == 0);
    made.push_back(entry.path);
  }
  for (const char* path : {"usr", "bin", "etc/passwd", "etc/ssl/certs", "target", "source", "tmp"})
    CHECK(std::count(made.begin(), made.end(), path) == 1);
}

TEST_CASE("trees are idmapped: the target to write, the source to read") {
  InstallJob job = core::plan_copy(request(), facts(), "/srv/tree");
  const MountOp* target = find_mount(job, "/target");
  const MountOp* source = find_mount(job, "/source");
  REQUIRE(target != nullptr);
  REQUIRE(source != nullptr);
  CHECK(target->idmap);
  CHECK_FALSE(target->read_only);
  CHECK(source->idmap);
  CHECK(source->read_only);
  CHECK(has_descriptor(job, {"source", "/srv/tree", JobDescriptor::Kind::kMount}));
  CHECK(has_descriptor(job, {"target", request().target, JobDescriptor::Kind::kMount}));
  CHECK(job.plan.exec.argv == std::vector<std::string>{"zone-unpack", "copy"});
}

TEST_CASE("an archive travels as a descriptor that stays open") {
  InstallJob job = core::plan_unpack(request(), facts(), "/srv/a.tar");
  CHECK(has_descriptor(job, {"archive", "/srv/a.tar", JobDescriptor::Kind::kArchive}));
  REQUIRE(job.plan.kept_fds.size() == 1);
  CHECK(job.plan.kept_fds[0] == core::KeptFd{"archive", 3});
  CHECK(job.plan.exec.argv == std::vector<std::string>{"zone-unpack", "tar", "3"});
  CHECK(find_mount(job, "/source") == nullptr);
}

TEST_CASE(
    "what a vm zone is installed from travels as descriptors, into a job with little memory") {
  auto kernel = core::parse_source("kernel:/srv/vmlinuz,initrd=/srv/initrd");
  REQUIRE(kernel);
  InstallJob job = core::plan_import(request(), facts(), *kernel);
  CHECK(has_descriptor(job, {"image", "/srv/vmlinuz", JobDescriptor::Kind::kArchive}));
  CHECK(has_descriptor(job, {"initrd", "/srv/initrd", JobDescriptor::Kind::kArchive}));
  CHECK(job.plan.kept_fds == std::vector<core::KeptFd>{{"image", 3}, {"initrd", 4}});
  CHECK(job.plan.exec.argv == std::vector<std::string>{"zone-import", "kernel", "3", "4"});
  auto limit = std::find_if(job.plan.rlimits.begin(), job.plan.rlimits.end(),
                            [](const core::Rlimit& one) { return one.resource == RLIMIT_AS; });
  CHECK(limit != job.plan.rlimits.end());
  for (const char* kind : {"disk", "iso"}) {
    auto source = core::parse_source(std::string(kind) + ":/srv/image");
    REQUIRE(source);
    job = core::plan_import(request(), facts(), *source);
    CHECK(job.plan.kept_fds == std::vector<core::KeptFd>{{"image", 3}});
    CHECK(job.plan.exec.argv == std::vector<std::string>{"zone-import", kind, "3"});
  }
}

TEST_CASE("mmdebstrap gets packages, options and sources as whole words") {
  InstallJob job = debian_job();
  const std::vector<std::string>& argv = job.plan.exec.argv;
  REQUIRE(argv.size() > 5);
  CHECK(argv[0] == "zone-unpack");
  CHECK(argv[1] == "debian");
  CHECK(argv[2] == "mmdebstrap");
  auto has = [&argv](const std::string& word) {
    return std::find(argv.begin(), argv.end(), word) != argv.end();
  };
  CHECK(has("--include=dbus,iproute2,libpam-systemd,nginx,procps,systemd-sysv"));
  CHECK(has("--aptopt=Acquire::http::Proxy \"http://proxy:3142\""));
  CHECK(argv[argv.size() - 3] == "bookworm");
  CHECK(argv[argv.size() - 2] == "/target");
  CHECK(argv.back().starts_with("deb [signed-by="));
  CHECK(job.target_folders == std::vector<std::string>{"dev", "proc"});
}

TEST_CASE("a Debian job needs mmdebstrap, Debian's keys and an archive") {
  InstallFacts without = facts();
  without.mmdebstrap = false;
  auto job = core::plan_debian(request(), without, source_of("debian:bookworm"));
  REQUIRE_FALSE(job);
  CHECK(job.error().code == base::Code::kUnsupported);
  CHECK(job.error().hint == "install the package mmdebstrap");
  without = facts();
  without.debian_keyring = false;
  CHECK_FALSE(core::plan_debian(request(), without, source_of("debian:bookworm")));
  without = facts();
  without.apt_sources.clear();
  auto nowhere = core::plan_debian(request(), without, source_of("debian:bookworm"));
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().hint == "name one: debian:bookworm,mirror=URL");
  CHECK(core::plan_debian(request(), without, source_of("debian:bookworm,mirror=http://m/debian")));
}

TEST_CASE("image names tell wishes apart and nothing else") {
  auto name = [](const char* text) { return core::image_name(facts(), source_of(text)); };
  CHECK(name("debian:bookworm,include=nginx+curl") == name("debian:bookworm,include=curl+nginx"));
  CHECK(name("debian:bookworm,include=dbus") == name("debian:bookworm"));
  CHECK(name("debian:bookworm") != name("debian:bookworm,include=nginx"));
  CHECK(name("debian:bookworm") != name("debian:bookworm,mirror=http://m/debian"));
  std::string image = name("debian:bookworm");
  CHECK(image.starts_with("debian-bookworm-"));
  CHECK(image.size() == std::string("debian-bookworm-").size() + 16);
}

TEST_CASE("progress lines are read strictly") {
  auto progress = core::parse_progress("progress copy 12 100");
  REQUIRE(progress);
  CHECK(*progress == core::Progress{"copy", 12, 100});
  for (const char* line : {"", "progress", "progress copy 1", "progress copy 1 2 3",
                           "progress Copy 1 2", "progress copy -1 2", "progress copy 1 x",
                           "progress  1 2", "Progress copy 1 2", "progress c\x1b[0m 1 2"})
    CHECK_FALSE(core::parse_progress(line));
}

TEST_CASE("a job's last words become an error without control characters") {
  base::Error refused =
      core::job_error(2, "noise\nerror: member 'dev/sda' is a device node\nhint: leave it out\n");
  CHECK(refused.code == base::Code::kInvalid);
  CHECK(refused.message == "member 'dev/sda' is a device node");
  CHECK(refused.hint == "leave it out");
  base::Error full = core::job_error(1, "error: no space left on the disk that holds zones\n");
  CHECK(full.code == base::Code::kNoSpace);
  base::Error silent = core::job_error(137, "");
  CHECK(silent.code == base::Code::kIo);
  CHECK(silent.message.find("137") != std::string::npos);
  base::Error rude = core::job_error(1, "error: a\x1b[2Jb\xff\n");
  CHECK(rude.message.find('\x1b') == std::string::npos);
  CHECK(core::job_warnings("warning: one\nx\nwarning: two\n") ==
        std::vector<std::string>{"one", "two"});
}

TEST_CASE("opening a job names what is wrong with its source") {
  TemporaryFolder folder;
  folder.folder("target");
  folder.folder("outer/zones/web");
  folder.file("program", "x", 0755);
  folder.file("plain", "x");
  core::JobRequest wish = request();
  wish.program = folder.path() + "/program";
  wish.target = folder.path() + "/target";
  InstallFacts none;
  auto missing = core::open_job(core::plan_unpack(wish, none, folder.path() + "/absent.tar"));
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == base::Code::kNotFound);
  CHECK(missing.error().message.starts_with("source: open '"));
  CHECK_FALSE(missing.error().hint.empty());
  CHECK_FALSE(core::open_job(core::plan_unpack(wish, none, folder.path() + "/target")));
}
