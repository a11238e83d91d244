// The effects beside install_plan.cc: reading the host, opening what a plan names, and what a job
// says.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "zoned/core/install_plan.h"
#include "zoned/core/mounts.h"
#include "zoned/core/unpack.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::quoted;
using base::Result;
using base::Status;
using base::sys_error;
using base::UniqueFd;

constexpr size_t kMaxAptFile = 256 << 10;

// What the unpacking programs read. /etc/ssl/private and the like stay out.
constexpr const char* kHostPaths[] = {"/usr",
                                      "/bin",
                                      "/sbin",
                                      "/lib",
                                      "/lib32",
                                      "/lib64",
                                      "/libx32",
                                      "/etc/alternatives",
                                      "/etc/ld.so.cache",
                                      "/etc/ssl/certs",
                                      "/etc/ssl/openssl.cnf",
                                      "/etc/perl",
                                      "/etc/passwd",
                                      "/etc/group",
                                      "/etc/nsswitch.conf",
                                      "/etc/resolv.conf",
                                      "/etc/hosts",
                                      "/etc/host.conf",
                                      "/etc/gai.conf",
                                      "/etc/services",
                                      "/etc/protocols",
                                      "/etc/localtime",
                                      "/etc/apt/trusted.gpg.d"};

// Of the host's apt configuration a job takes these: how to reach an archive, and its clock rules.
constexpr const char* kAptOptions[] = {"Acquire::http::Proxy", "Acquire::https::Proxy",
                                       "Acquire::Check-Valid-Until", "Acquire::Check-Date"};

void detect_paths(InstallFacts* facts) {
  for (const char* path : kHostPaths) {
    struct stat st = {};
    bool top = std::string_view(path).find('/', 1) == std::string_view::npos;
    if (top && lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
      char text[256];
      ssize_t size = readlink(path, text, sizeof text);
      if (size > 0 && static_cast<size_t>(size) < sizeof text)
        facts->links[path] = std::string(text, static_cast<size_t>(size));
      continue;
    }
    if (stat(path, &st) != 0) continue;
    if (S_ISDIR(st.st_mode)) facts->paths[path] = InstallFacts::Kind::kFolder;
    if (S_ISREG(st.st_mode)) facts->paths[path] = InstallFacts::Kind::kFile;
  }
  facts->mmdebstrap = access("/usr/bin/mmdebstrap", X_OK) == 0;
  facts->debian_keyring = access(kDebianKeyring, R_OK) == 0;
}

void detect_suite(InstallFacts* facts) {
  auto text = base::read_file(AT_FDCWD, "/etc/os-release", kMaxAptFile);
  if (!text) return;
  bool debian = false;
  std::string codename;
  constexpr std::string_view kKey = "VERSION_CODENAME=";
  for (const std::string& line : base::split(*text, '\n')) {
    if (line == "ID=debian") debian = true;
    if (line.starts_with(kKey)) codename = line.substr(kKey.size());
  }
  if (debian) facts->suite = codename;
}

void detect_apt_sources(InstallFacts* facts) {
  auto take = [facts](const std::string& path) {
    auto text = base::read_file(AT_FDCWD, path, kMaxAptFile);
    if (!text) return;
    auto found = path.ends_with(".sources") ? parse_apt_stanzas(*text) : parse_apt_list(*text);
    for (AptSource& source : found) facts->apt_sources.push_back(std::move(source));
  };
  take("/etc/apt/sources.list");
  const std::string folder = "/etc/apt/sources.list.d";
  auto names = base::list_dir(AT_FDCWD, folder);
  if (!names) return;
  for (const std::string& name : *names)
    if (name.ends_with(".list") || name.ends_with(".sources")) take(folder + "/" + name);
}

// apt-config(8) dump prints lines such as: Acquire::http::Proxy "http://proxy:3142";
void detect_apt_options(InstallFacts* facts) {
  auto dump = base::run_program({"apt-config", "dump", "Acquire"}, std::chrono::seconds(10));
  if (!dump || dump->status != 0) return;
  for (const std::string& line : base::split(dump->out, '\n'))
    for (const char* key : kAptOptions) {
      std::string start = std::string(key) + " \"";
      if (!line.starts_with(start) || !line.ends_with("\";")) continue;
      std::string value = line.substr(start.size(), line.size() - start.size() - 2);
      if (!value.empty() && value.find_first_of("\"\\") == std::string::npos)
        facts->apt_options.push_back(start + value + "\"");
    }
}

// What comes from --from; all else is ours.
bool is_users(const JobDescriptor& wanted) {
  return wanted.name == "source" || wanted.kind == JobDescriptor::Kind::kArchive;
}

base::Error source_error(const JobDescriptor& wanted, base::Error error) {
  if (!is_users(wanted)) return std::move(error).context("install");
  return std::move(error).context("source").with_hint("check the path given to --from");
}

Result<UniqueFd> open_archive(const JobDescriptor& wanted) {
  const std::string& path = wanted.path;
  TRY_AS(UniqueFd fd, base::open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  struct stat st = {};
  if (fstat(fd.get(), &st) != 0) return sys_error("stat " + quoted(path, 400));
  if (!S_ISREG(st.st_mode))
    return make_error(
        Code::kInvalid, quoted(path, 400) + " is not a file",
        S_ISDIR(st.st_mode) && wanted.name == "archive" ? "for a folder write dir:PATH" : "");
  return fd;
}

// The job never holds a descriptor onto the host's own file.
Result<UniqueFd> sealed_copy(const std::string& path) {
  constexpr size_t kMaxProgram = 64 << 20;
  TRY_AS(std::string bytes, base::read_file(AT_FDCWD, path, kMaxProgram));
  return base::sealed_memfd("zone-unpack", bytes, true);
}

// A folder that holds the target would be copied into itself without end.
Status check_apart(int source, int target) {
  struct stat outer = {};
  if (fstat(source, &outer) != 0) return sys_error("stat the source");
  TRY_AS(UniqueFd here, base::open_at(target, ".", O_PATH | O_DIRECTORY));
  struct stat last = {};
  while (true) {
    struct stat st = {};
    if (fstat(here.get(), &st) != 0) return sys_error("stat a folder above the zone's tree");
    if (st.st_dev == outer.st_dev && st.st_ino == outer.st_ino)
      return make_error(Code::kInvalid, "the folder holds the zones of this daemon itself",
                        "name a folder below it, or keep the zones elsewhere");
    if (st.st_dev == last.st_dev && st.st_ino == last.st_ino) return {};
    last = st;
    TRY_AS(here, base::open_at(here.get(), "..", O_PATH | O_DIRECTORY));
  }
}

Result<UniqueFd> open_mount(const JobDescriptor& wanted, int target) {
  bool folder = wanted.name == "source" || wanted.name == "target";
  auto fd = base::open_at(AT_FDCWD, wanted.path, O_PATH | (folder ? O_DIRECTORY : 0));
  if (!fd && fd.error().sys_errno == ENOTDIR)
    return make_error(Code::kInvalid, quoted(wanted.path, 400) + " is not a folder",
                      "for an archive write tar:FILE");
  if (!fd) return fd;
  if (wanted.name == "source") TRY(check_apart(fd->get(), target));
  return clone_tree(fd->get());
}

Result<UniqueFd> open_descriptor(const JobDescriptor& wanted, int target) {
  switch (wanted.kind) {
    case JobDescriptor::Kind::kProgram:
      return sealed_copy(wanted.path);
    case JobDescriptor::Kind::kArchive:
      return open_archive(wanted);
    case JobDescriptor::Kind::kMount:
      break;
  }
  return open_mount(wanted, target);
}

// A job's words reach a terminal: nothing that it would obey, and not without end.
std::string printable(std::string_view text) {
  constexpr size_t kMaxMessage = 400;
  std::string out(text.substr(0, kMaxMessage));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return base::is_clean_utf8(out) ? out : quoted(out, kMaxMessage);
}

}  // namespace

InstallFacts detect_install_facts() {
  InstallFacts facts;
  detect_paths(&facts);
  detect_suite(&facts);
  detect_apt_sources(&facts);
  detect_apt_options(&facts);
  return facts;
}

Result<std::vector<OpenDescriptor>> open_job(const InstallJob& job) {
  UniqueFd target;
  for (const JobDescriptor& wanted : job.descriptors)
    if (wanted.name == "target") {
      TRY_AS(target, base::open_at(AT_FDCWD, wanted.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    }
  if (!target) return make_error(Code::kInternal, "the job has no target");
  // What the user named first: that is where mistakes are.
  std::vector<JobDescriptor> descriptors = job.descriptors;
  std::stable_partition(descriptors.begin(), descriptors.end(), is_users);
  std::vector<OpenDescriptor> open;
  for (const JobDescriptor& wanted : descriptors) {
    auto fd = open_descriptor(wanted, target.get());
    if (!fd) return source_error(wanted, std::move(fd).error());
    open.push_back({wanted.name, *std::move(fd)});
  }
  for (const std::string& name : job.target_folders) TRY(base::make_dirs(target.get(), name, 0755));
  return open;
}

Result<Progress> parse_progress(std::string_view line) {
  constexpr size_t kMaxStage = 32;
  std::vector<std::string> words = base::split(line, ' ');
  auto is_stage = [](const std::string& text) {
    return !text.empty() && text.size() <= kMaxStage &&
           text.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string::npos;
  };
  if (words.size() != 4 || words[0] != "progress" || !is_stage(words[1]))
    return make_error(Code::kInvalid, quoted(line) + " is not a progress line");
  Progress progress;
  progress.stage = words[1];
  TRY_AS(progress.done, base::parse_uint(words[2], 0, INT64_MAX));
  TRY_AS(progress.total, base::parse_uint(words[3], 0, INT64_MAX));
  return progress;
}

base::Error job_error(int exit_status, std::string_view stderr_tail) {
  constexpr int kRefused = 2;
  std::string message, hint;
  for (const std::string& line : base::split(stderr_tail, '\n')) {
    if (line.starts_with("hint: ")) {
      hint = printable(line.substr(6));
    } else if (line.starts_with("error: ")) {
      message = printable(line.substr(7));
      hint.clear();
    }
  }
  if (message.empty())
    message = "the installing job ended with status " + std::to_string(exit_status);
  Code code = Code::kIo;
  if (exit_status == kRefused) code = Code::kInvalid;
  if (exit_status == kJobExists) code = Code::kExists;
  if (exit_status == kJobBusy) code = Code::kBusy;
  if (exit_status == kJobMissing) code = Code::kNotFound;
  if (message.find("no space left") != std::string::npos) code = Code::kNoSpace;
  return make_error(code, std::move(message), std::move(hint));
}

std::vector<std::string> job_warnings(std::string_view stderr_tail) {
  constexpr size_t kMaxWarnings = 16;
  std::vector<std::string> warnings;
  for (const std::string& line : base::split(stderr_tail, '\n'))
    if (line.starts_with("warning: ") && warnings.size() < kMaxWarnings)
      warnings.push_back(printable(line.substr(9)));
  return warnings;
}

}  // namespace core
