#include "zoned/core/install_plan.h"

#include <sys/resource.h>

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "zoned/core/capabilities.h"
#include "zoned/core/kernel_paths.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::quoted;
using base::Result;
using EntryKind = TmpfsEntry::Kind;

constexpr const char* kDevices[] = {"null", "zero", "full", "random", "urandom"};
// What a Debian tree needs to boot quietly under systemd, beside the essential packages.
constexpr const char* kPackages[] = {"systemd-sysv", "dbus", "libpam-systemd", "procps",
                                     "iproute2"};
constexpr int kImageVersion = 1;  // part of an image's name: raise it when the recipe changes
constexpr int kArchiveFd = 3;
constexpr int kInitrdFd = 4;
constexpr uint64_t kImportMemory = uint64_t{4} << 30;

// The job's root: a tmpfs with mount points, then the mounts.
class RootBuilder {
 public:
  explicit RootBuilder(InstallJob* job) : job_(job) {
    root_.kind = MountOp::Kind::kTmpfs;
    root_.target = "/";
    root_.options = {{"mode", "0755"}, {"size", "1m"}};
  }

  void folder(const std::string& path) { add(path, EntryKind::kDir, "", 0755); }

  void host_path(const std::string& path, InstallFacts::Kind kind) {
    MountOp op;
    op.kind = MountOp::Kind::kTree;
    op.target = path;
    op.source = "host" + path;
    op.read_only = true;
    add(path, kind == InstallFacts::Kind::kFile ? EntryKind::kFile : EntryKind::kDir, "", 0755);
    describe(op.source, path, JobDescriptor::Kind::kMount);
    mounts_.push_back(std::move(op));
  }

  void tree(const std::string& target, const std::string& name, const std::string& host_folder,
            bool read_only) {
    MountOp op;
    op.kind = MountOp::Kind::kTree;
    op.target = target;
    op.source = name;
    op.read_only = read_only;
    op.idmap = true;
    folder(target);
    describe(name, host_folder, JobDescriptor::Kind::kMount);
    mounts_.push_back(std::move(op));
  }

  void tmpfs(const std::string& target, const char* mode, std::vector<TmpfsEntry> entries = {}) {
    MountOp op;
    op.kind = MountOp::Kind::kTmpfs;
    op.target = target;
    op.options = {{"mode", mode}};
    op.entries = std::move(entries);
    mounts_.push_back(std::move(op));
  }

  // Read-only, and without what tells about the host: `at` is "" or "/target".
  void proc(const std::string& at) {
    MountOp op;
    op.kind = MountOp::Kind::kProc;
    op.target = at + "/proc";
    op.read_only = true;
    op.noexec = true;
    mounts_.push_back(std::move(op));
    for (std::string_view path : masked_paths())
      if (path.starts_with("/proc/")) masked_.push_back(at + std::string(path));
  }

  // mmdebstrap makes the links of its /dev itself.
  void dev(const std::string& at, bool links) {
    std::vector<TmpfsEntry> entries;
    for (const char* name : kDevices) entries.push_back({EntryKind::kFile, name, "", 0666});
    entries.push_back({EntryKind::kDir, "shm", "", 01777});
    if (links) entries.push_back({EntryKind::kSymlink, "fd", "/proc/self/fd", 0});
    tmpfs(at + "/dev", "0755", std::move(entries));
    for (const char* name : kDevices) {
      MountOp op;
      op.kind = MountOp::Kind::kDevice;
      op.target = at + "/dev/" + name;
      op.source = name;
      op.nodev = false;
      op.noexec = true;
      mounts_.push_back(std::move(op));
    }
  }

  void describe(const std::string& name, const std::string& path, JobDescriptor::Kind kind) {
    job_->descriptors.push_back({name, path, kind});
  }

  void add_host(const InstallFacts& facts) {
    for (const auto& [path, text] : facts.links) add(path, EntryKind::kSymlink, text, 0);
    for (const auto& [path, kind] : facts.paths)
      if (!facts.links.contains(path)) host_path(path, kind);
  }

  // Puts the root's mounts into the plan, in order.
  void finish() {
    job_->plan.mounts.push_back(std::move(root_));
    for (MountOp& op : mounts_) job_->plan.mounts.push_back(std::move(op));
    job_->plan.masked = std::move(masked_);
  }

 private:
  void add(const std::string& path, EntryKind kind, const std::string& text, uint32_t mode) {
    std::string relative = path.substr(1);
    for (size_t slash = relative.find('/'); slash != std::string::npos;
         slash = relative.find('/', slash + 1))
      if (std::string parent = relative.substr(0, slash); known_.insert(parent).second)
        root_.entries.push_back({EntryKind::kDir, parent, "", 0755});
    if (known_.insert(relative).second) root_.entries.push_back({kind, relative, text, mode});
  }

  InstallJob* job_;
  MountOp root_;
  std::vector<MountOp> mounts_;
  std::vector<std::string> masked_;
  std::set<std::string> known_;
};

// All that jobs have in common; the root is not finished.
void start_job(const JobRequest& request, const InstallFacts& facts, InstallJob* job,
               RootBuilder* root, bool read_only_target = false) {
  ZonePlan& plan = job->plan;
  plan.name = request.name;
  plan.boot_id = request.boot_id;
  plan.profile = Profile::kJob;
  plan.label = request.label;
  plan.namespaces.time = request.time_namespace;
  plan.ids = request.ids;
  plan.hostname = "localhost";
  plan.capabilities = capabilities_of(Profile::kJob);
  plan.filter = "app";
  plan.cgroup = request.cgroup;
  plan.stdio = Stdio::kClient;
  plan.rlimits = {{RLIMIT_CORE, 0, 0}};
  plan.exec.descriptor = "program";
  plan.exec.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                   "LC_ALL=C.UTF-8", "HOME=/tmp", "TMPDIR=/tmp"};
  root->describe("program", request.program, JobDescriptor::Kind::kProgram);
  root->folder("/proc");
  root->folder("/dev");
  root->folder("/tmp");
  root->add_host(facts);
  root->tree("/target", "target", request.target, read_only_target);
  root->proc("");
  root->dev("", true);
  root->tmpfs("/tmp", "1777");
}

uint64_t fnv1a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325U;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

std::vector<std::string> packages_of(const Source& source) {
  std::set<std::string> names(std::begin(kPackages), std::end(kPackages));
  names.insert(source.include.begin(), source.include.end());
  return {names.begin(), names.end()};
}

std::string sources_of(const InstallFacts& facts, const Source& source) {
  return debian_sources(source.suite, source.mirror, facts.apt_sources, facts.suite);
}

// mmdebstrap neither mounts nor makes devices here (it could not): /target/dev and /target/proc are
// mounted beforehand, and tar must leave that /proc alone.
std::vector<std::string> mmdebstrap_command(const InstallFacts& facts, const Source& source) {
  std::vector<std::string> argv = {
      "mmdebstrap",         "--mode=root",       "--variant=minbase",      "--format=directory",
      "--skip=check/empty", "--skip=check/qemu", "--skip=check/signed-by", "--skip=chroot/mount"};
  argv.push_back("--verbose");                  // apt and dpkg tell how far they are
  argv.push_back("--dpkgopt=force-unsafe-io");  // finish_install() syncs once, at the end
  argv.push_back("--include=" + base::join(packages_of(source), ","));
  for (const std::string& option : facts.apt_options) argv.push_back("--aptopt=" + option);
  // What describes this host or this run, not the new tree.
  argv.push_back(
      "--customize-hook=rm -f \"$1/etc/apt/apt.conf.d/99mmdebstrap\" "
      "\"$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap\" \"$1/etc/resolv.conf\" \"$1/etc/hostname\"");
  argv.insert(argv.end(), {source.suite, "/target", sources_of(facts, source)});
  return argv;
}

}  // namespace

InstallJob plan_copy(const JobRequest& request, const InstallFacts& facts,
                     const std::string& folder) {
  InstallJob job;
  RootBuilder root(&job);
  start_job(request, facts, &job, &root);
  root.tree("/source", "source", folder, true);
  root.finish();
  job.plan.exec.argv = {"zone-unpack", "copy"};
  return job;
}

InstallJob plan_unpack(const JobRequest& request, const InstallFacts& facts,
                       const std::string& archive) {
  InstallJob job;
  RootBuilder root(&job);
  start_job(request, facts, &job, &root);
  root.describe("archive", archive, JobDescriptor::Kind::kArchive);
  root.finish();
  job.plan.kept_fds = {{"archive", kArchiveFd}};
  job.plan.exec.argv = {"zone-unpack", "tar", std::to_string(kArchiveFd)};
  return job;
}

InstallJob plan_import(const JobRequest& request, const InstallFacts& facts, const Source& source) {
  InstallJob job;
  RootBuilder root(&job);
  start_job(request, facts, &job, &root);
  root.finish();
  auto pass = [&](const char* name, const std::string& path, int fd) {
    job.descriptors.push_back({name, path, JobDescriptor::Kind::kArchive});
    job.plan.kept_fds.push_back({name, fd});
    job.plan.exec.argv.push_back(std::to_string(fd));
  };
  const char* mode = source.kind == Source::Kind::kKernel ? "kernel"
                     : source.kind == Source::Kind::kDisk ? "disk"
                                                          : "iso";
  job.plan.exec.argv = {"zone-import", mode};
  job.plan.rlimits.push_back({RLIMIT_AS, kImportMemory, kImportMemory});
  pass("image", source.path, kArchiveFd);
  if (!source.initrd.empty()) pass("initrd", source.initrd, kInitrdFd);
  return job;
}

InstallJob plan_transfer(const JobRequest& request, const InstallFacts& facts,
                         const TransferSpec& spec) {
  InstallJob job;
  RootBuilder root(&job);
  start_job(request, facts, &job, &root, spec.read_only);
  root.finish();
  if (spec.content) job.plan.kept_fds = {{"content", kArchiveFd}};
  if (spec.max_bytes != 0)
    job.plan.rlimits.push_back({RLIMIT_FSIZE, spec.max_bytes, spec.max_bytes});
  job.plan.exec.argv = {"zone-unpack"};
  job.plan.exec.argv.insert(job.plan.exec.argv.end(), spec.words.begin(), spec.words.end());
  return job;
}

Result<InstallJob> plan_debian(const JobRequest& request, const InstallFacts& facts,
                               const Source& source) {
  if (!facts.mmdebstrap)
    return make_error(Code::kUnsupported, "this host has no mmdebstrap",
                      "install the package mmdebstrap");
  if (!facts.debian_keyring)
    return make_error(Code::kUnsupported, "this host has no " + quoted(kDebianKeyring),
                      "install the package debian-archive-keyring");
  if (sources_of(facts, source).empty())
    return make_error(Code::kUnsupported, "this host's apt sources name no archive of Debian's",
                      "name one: debian:" + source.suite + ",mirror=URL");
  InstallJob job;
  RootBuilder root(&job);
  start_job(request, facts, &job, &root);
  // apt and dpkg of the host look into these.
  for (const char* path : {"/etc/apt/apt.conf.d", "/etc/apt/preferences.d", "/etc/dpkg/dpkg.cfg.d",
                           "/var/lib/dpkg", "/var/cache/apt", "/run", "/sys"})
    root.folder(path);
  root.dev("/target", false);
  root.proc("/target");
  root.tmpfs("/run", "0755");
  root.finish();
  job.target_folders = {"dev", "proc"};
  ZonePlan& plan = job.plan;
  plan.namespaces.net = false;
  plan.loopback_up = false;
  plan.filter = "job-net";
  plan.exec.argv = {"zone-unpack", "debian"};
  for (std::string& word : mmdebstrap_command(facts, source))
    plan.exec.argv.push_back(std::move(word));
  plan.exec.env.insert(plan.exec.env.end(),
                       {"DEBIAN_FRONTEND=noninteractive", "DEBCONF_NONINTERACTIVE_SEEN=true",
                        "TAR_OPTIONS=--exclude=./proc"});
  return job;
}

std::string image_name(const InstallFacts& facts, const Source& source) {
  std::string wish = std::to_string(kImageVersion) + "\n" + sources_of(facts, source) +
                     base::join(packages_of(source), ",");
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hash;
  for (uint64_t value = fnv1a(wish); hash.size() < 16; value >>= 4) hash += kDigits[value & 15];
  return "debian-" + source.suite + "-" + hash;
}

}  // namespace core
