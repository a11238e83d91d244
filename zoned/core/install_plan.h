// Installing: a source becomes a job, that is a ZonePlan with Profile::kJob which the keeper launches
// as it launches zones: a user namespace with an id range of its own, all other namespaces, seccomp,
// few capabilities, no_new_privs. Inside it zone-unpack (main_unpack.cc) fills /target. A hostile
// archive or maintainer script therefore has no power over the host. Planning is pure; the host's
// paths are facts that detect_install_facts() gathers, and open_job() opens what a plan names.
//
// For a vm zone the program is zone-import (vmzone/main_import.cc), likewise.
//
// A job sees: the host's /usr and a few files of /etc, read-only; /target (its tree, idmapped); for
// dir: /source (idmapped, read-only); a private /dev, /proc, /tmp. It has no network, but for
// debian: the host's own, as an unprivileged client without unix sockets: whatever this host can
// reach over TCP and UDP (services that listen on loopback only, too) the job's maintainer scripts
// can reach. That ends when zones have networks of their own.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/core/apt_sources.h"
#include "zoned/core/plan.h"
#include "zoned/core/source.h"

namespace core {

struct InstallFacts {
  enum class Kind { kFolder, kFile };
  std::map<std::string, Kind> paths;         // those of the host's paths of interest that exist
  std::map<std::string, std::string> links;  // "/bin" -> "usr/bin": links at the host's top
  bool mmdebstrap = false;
  bool debian_keyring = false;  // kDebianKeyring exists
  std::string suite;            // the host's own Debian suite; empty: not Debian
  std::vector<AptSource> apt_sources;
  std::vector<std::string> apt_options;  // 'Acquire::http::Proxy "http://..."'
};

// Reads the host. Never fails: what can't be read is absent.
InstallFacts detect_install_facts();

// What the daemon decides for a job.
struct JobRequest {
  std::string name;     // of the zone, or of an image: the plan's name
  std::string boot_id;  // unique per job, 32 hex digits
  labels::Label label;
  IdRange ids;  // the job's own; the tree on disk has unshifted ids
  CgroupPlan cgroup;
  bool time_namespace = true;  // HostFacts::time_namespace
  std::string program;         // zone-unpack or zone-import on the host
  std::string target;          // an existing empty folder below a 0700 folder, on the host
};

// A descriptor that has to travel with the plan.
struct JobDescriptor {
  enum class Kind {
    kProgram,  // open for execveat(2)
    kArchive,  // a regular file open for reading
    kMount,    // a detached copy of the mount at `path`, a folder or a file
  };
  std::string name;
  std::string path;  // on the host
  Kind kind = Kind::kMount;
  bool operator==(const JobDescriptor&) const = default;
};

struct InstallJob {
  ZonePlan plan;
  std::vector<JobDescriptor> descriptors;  // beside "filter", the cgroups' and the client's stdio
  // Folders that must exist in the target before the launch, relative to it.
  std::vector<std::string> target_folders;
};

// A job's stdout has lines "progress STAGE DONE TOTAL": bytes for copy, import and tar, packages for debian's
// download; TOTAL 0: unknown. Its stderr has lines "warning: ..." and, when it failed, "error: ..."
// and maybe "hint: ...", among other output. Exit status: 0 done, 2 the source is refused, 1 all else.

// `folder` is a tree on the host: a dir: source, or an image in the daemon's cache.
InstallJob plan_copy(const JobRequest& request, const InstallFacts& facts,
                     const std::string& folder);
InstallJob plan_unpack(const JobRequest& request, const InstallFacts& facts,
                       const std::string& archive);
// kernel:, disk: and iso: the files travel as descriptors. Virtual memory is capped: what looks into
// images may be led to want much.
InstallJob plan_import(const JobRequest& request, const InstallFacts& facts, const Source& source);
// kUnsupported with a hint when mmdebstrap, Debian's keyring or an archive is missing.
base::Result<InstallJob> plan_debian(const JobRequest& request, const InstallFacts& facts,
                                     const Source& source);

// A job of zone copy in the tree of a zone (JobRequest::target): zone-unpack with these words (see
// main_unpack.cc). The stream is its descriptor 3, passed as "content".
struct TransferSpec {
  std::vector<std::string> words;
  bool read_only = true;   // the tree
  bool content = true;     // there is a stream
  uint64_t max_bytes = 0;  // of a file that it writes; 0: no limit
};
InstallJob plan_transfer(const JobRequest& request, const InstallFacts& facts,
                         const TransferSpec& spec);

// Name of the image that a debian: source gives, for LIB/images: "debian-SUITE-HASH" with 16 hex
// digits over packages and archives. Equal names, equal wishes.
std::string image_name(const InstallFacts& facts, const Source& source);

struct OpenDescriptor {
  std::string name;
  base::UniqueFd fd;
};
// Makes target_folders and opens the descriptors, in the caller's mount namespace. Errors name the
// source. A folder to copy that contains the target is refused (kInvalid).
base::Result<std::vector<OpenDescriptor>> open_job(const InstallJob& job);

struct Progress {
  std::string stage;
  uint64_t done = 0;
  uint64_t total = 0;
  bool operator==(const Progress&) const = default;
};
// One line of a job's stdout, without the newline. The job is not trusted: strict.
base::Result<Progress> parse_progress(std::string_view line);
// The error of a failed job, from its exit status and the end of its stderr. Control characters are
// replaced: what a job says may come from an archive.
base::Error job_error(int exit_status, std::string_view stderr_tail);
// What a job that succeeded has to say; at most 16.
std::vector<std::string> job_warnings(std::string_view stderr_tail);

}  // namespace core
