#include "tests/root/vmcell/host_targets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <set>

#include "base/files.h"
#include "base/strings.h"

namespace vmcell {
namespace {

constexpr size_t kPids = 60;
constexpr unsigned kMiscMajor = 10;

std::string text_of(const std::string& path) {
  auto text = base::read_file(AT_FDCWD, path, 16 << 20);
  return text ? *text : std::string();
}

// Numbers at the beginning of lines: /proc/devices (whose two parts are told apart), /proc/misc.
std::set<unsigned> numbers_in(const std::string& text) {
  std::set<unsigned> numbers;
  for (const std::string& line : base::split(text, '\n')) {
    char* end = nullptr;
    unsigned long number = std::strtoul(line.c_str(), &end, 10);
    if (end != line.c_str()) numbers.insert(static_cast<unsigned>(number));
  }
  return numbers;
}

class Drivers {
 public:
  Drivers() {
    std::string devices = text_of("/proc/devices");
    size_t blocks = devices.find("Block devices");
    if (blocks == std::string::npos) blocks = devices.size();
    characters_ = numbers_in(devices.substr(0, blocks));
    blocks_ = numbers_in(devices.substr(blocks));
    misc_ = numbers_in(text_of("/proc/misc"));
  }
  bool has(const struct stat& st) const {
    unsigned number = major(st.st_rdev);
    if (S_ISBLK(st.st_mode)) return blocks_.contains(number);
    return number == kMiscMajor ? misc_.contains(minor(st.st_rdev)) : characters_.contains(number);
  }

 private:
  std::set<unsigned> characters_, blocks_, misc_;
};

char kind_of(mode_t mode) {
  if (S_ISREG(mode)) return 'f';
  if (S_ISDIR(mode)) return 'd';
  if (S_ISCHR(mode) || S_ISBLK(mode)) return 'c';
  return S_ISSOCK(mode) || S_ISFIFO(mode) ? 's' : 0;
}

std::string path_line(const std::string& path, const struct stat& st) {
  // A block device that was open for writing is looked at again by udev: reading is proof enough.
  bool writable = (st.st_mode & 0222) != 0 && !S_ISBLK(st.st_mode);
  return std::string("path ") + kind_of(st.st_mode) + " " + std::to_string(st.st_dev) + " " +
         std::to_string(st.st_ino) + ((st.st_mode & 0444) != 0 ? " 1 " : " 0 ") +
         (writable ? "1 " : "0 ") + path + "\n";
}
std::string node_line(const std::string& path, const struct stat& st) {
  return std::string("node ") + (S_ISBLK(st.st_mode) ? "b " : "c ") +
         std::to_string(major(st.st_rdev)) + " " + std::to_string(minor(st.st_rdev)) + " " + path +
         "\n";
}

bool is_dangerous(const std::string& path) {
  return path.find("watchdog") != std::string::npos || path.find('\n') != std::string::npos;
}

// Breadth first, in the order of names; `step` takes one of so many entries of each folder.
std::string crawl(const std::string& folder, size_t count, size_t step, const Drivers& drivers) {
  std::string lines;
  std::deque<std::string> folders = {folder};
  while (!folders.empty() && count > 0) {
    std::string here = std::move(folders.front());
    folders.pop_front();
    auto names = base::list_dir(AT_FDCWD, here);
    if (!names) continue;
    std::sort(names->begin(), names->end());
    for (size_t i = 0; i < names->size() && count > 0; i += step) {
      std::string path = here + "/" + (*names)[i];
      struct stat st = {};
      if (lstat(path.c_str(), &st) != 0 || kind_of(st.st_mode) == 0 || is_dangerous(path)) continue;
      if (kind_of(st.st_mode) == 'c' && !drivers.has(st)) continue;
      lines += path_line(path, st);
      if (S_ISDIR(st.st_mode)) folders.push_back(path);
      --count;
    }
  }
  return lines;
}

std::string nodes(const Drivers& drivers) {
  std::string lines;
  for (const char* path : {"/dev/null", "/dev/mem", "/dev/kmsg", "/dev/net/tun", "/dev/fuse",
                           "/dev/loop0", "/dev/vda", "/dev/sda"}) {
    struct stat st = {};
    if (stat(path, &st) == 0 && kind_of(st.st_mode) == 'c' && drivers.has(st))
      lines += node_line(path, st);
  }
  return lines;
}

std::string pids() {
  std::string lines;
  size_t count = 0;
  auto names = base::list_dir(AT_FDCWD, "/proc");
  if (!names) return lines;
  for (const std::string& name : *names) {
    int pid = std::atoi(name.c_str());
    if (pid <= 0 || pid == getpid() || ++count > kPids) continue;
    lines += "pid " + name + "\n";
  }
  return lines;
}

std::string families_with_modules() {
  constexpr std::string_view kAlias = "alias net-pf-";
  utsname kernel = {};
  uname(&kernel);
  std::string lines;
  std::string path = std::string("/lib/modules/") + kernel.release + "/modules.alias";
  for (const std::string& line : base::split(text_of(path), '\n'))
    if (line.starts_with(kAlias))
      lines += "loads " + std::to_string(std::atoi(line.c_str() + kAlias.size())) + "\n";
  return lines;
}

}  // namespace

std::string crawl_host(const std::vector<std::string>& more_folders) {
  Drivers drivers;
  std::string lines;
  lines += crawl("/etc", 80, 3, drivers);
  lines += crawl("/dev", 60, 1, drivers);
  lines += crawl("/proc/sys", 80, 5, drivers);
  lines += crawl("/proc/1", 40, 1, drivers);
  lines += crawl("/sys", 60, 2, drivers);
  for (const char* folder : {"/home", "/root", "/run", "/usr/bin", "/var/lib", "/boot"})
    lines += crawl(folder, 15, 1, drivers);
  for (const std::string& folder : more_folders) lines += crawl(folder, 40, 1, drivers);
  return lines + nodes(drivers) + pids() + families_with_modules();
}

}  // namespace vmcell
