#include "tests/harness/host_objects.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "base/files.h"
#include "base/strings.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

// Everything here races with processes and folders that end: what vanished is not there.
std::string slurp(const std::string& path) {
  auto text = base::read_file(AT_FDCWD, path, 16 << 20);
  return text.ok() ? *text : std::string();
}

// Mount point and type of each line of mountinfo (proc(5)).
std::vector<std::pair<std::string, std::string>> mounts() {
  std::vector<std::pair<std::string, std::string>> result;
  for (const std::string& line : base::split(slurp("/proc/self/mountinfo"), '\n')) {
    auto fields = base::split(line, ' ');
    for (size_t i = 6; i + 1 < fields.size(); ++i) {
      if (fields[i] != "-") continue;
      result.emplace_back(fields[4], fields[i + 1]);
      break;
    }
  }
  return result;
}

bool is_below(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

bool names(pid_t pid, const std::string& path) {
  std::string proc = "/proc/" + std::to_string(pid);
  if (slurp(proc + "/cmdline").find(path) != std::string::npos) return true;
  std::vector<fs::path> links = {proc + "/cwd", proc + "/exe"};
  std::error_code error;
  for (fs::directory_iterator it(proc + "/fd", error), end; !error && it != end;
       it.increment(error))
    links.push_back(it->path());
  for (const fs::path& link : links) {
    auto target = fs::read_symlink(link, error);
    if (!error && is_below(target.string(), path)) return true;
  }
  return false;
}

}  // namespace

std::set<std::string> zoned_cgroups() {
  std::set<std::string> result;
  for (const auto& [point, type] : mounts()) {
    if (type != "cgroup" && type != "cgroup2") continue;
    std::error_code error;
    for (fs::recursive_directory_iterator it(point, error), end; !error && it != end;
         it.increment(error))
      if (it->path().filename().string().starts_with("zoned")) result.insert(it->path().string());
  }
  return result;
}

std::vector<std::string> mounts_below(const std::string& path) {
  std::vector<std::string> result;
  for (const auto& [point, type] : mounts())
    if (is_below(point, path)) result.push_back(point + " (" + type + ")");
  return result;
}

std::vector<pid_t> processes_naming(const std::string& path) {
  std::vector<pid_t> result;
  auto entries = base::list_dir(AT_FDCWD, "/proc");
  if (!entries.ok()) return result;
  for (const std::string& entry : *entries) {
    auto pid = base::parse_uint(entry, 1, 1 << 22);
    if (!pid.ok() || static_cast<pid_t>(*pid) == getpid()) continue;
    if (names(static_cast<pid_t>(*pid), path)) result.push_back(static_cast<pid_t>(*pid));
  }
  return result;
}

std::string command_of(pid_t pid) {
  return std::string(base::trim(slurp("/proc/" + std::to_string(pid) + "/comm")));
}

pid_t parent_of(pid_t pid) {
  constexpr std::string_view kField = "PPid:\t";
  for (const std::string& line :
       base::split(slurp("/proc/" + std::to_string(pid) + "/status"), '\n'))
    if (line.starts_with(kField)) return atoi(line.c_str() + kField.size());
  return 0;
}

std::vector<std::string> sockets_below(const std::string& path) {
  std::vector<std::string> result;
  std::error_code error;
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end;
       it.increment(error))
    if (it->is_socket(error)) result.push_back(it->path().string());
  return result;
}

}  // namespace harness
