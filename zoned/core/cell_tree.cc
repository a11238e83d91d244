#include "zoned/core/cell_tree.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::quoted;
using base::Result;
using base::Status;
using base::sys_error;
using base::UniqueFd;

#if defined(__aarch64__)
constexpr const char* kLoader = "/lib/ld-linux-aarch64.so.1";
constexpr const char* kTriplet = "aarch64-linux-gnu";
#else
constexpr const char* kLoader = "/lib64/ld-linux-x86-64.so.2";
constexpr const char* kTriplet = "x86_64-linux-gnu";
#endif
constexpr const char* kLoaderCache = "/etc/ld.so.cache";
constexpr std::array kMerged = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};
constexpr mode_t kPlain = 0644;
constexpr mode_t kProgram = 0755;

struct File {
  mode_t mode = kPlain;
  std::string stamp;  // changes when the file does
};
// By path in the tree, which opens the file on the host too.
using Files = std::map<std::string, File>;

// "/lib/x" -> "/usr/lib/x": the tree's /lib is a link.
std::string merged(const std::string& path) {
  for (const char* folder : kMerged)
    if (path.starts_with(std::string("/") + folder + "/")) return "/usr" + path;
  return path;
}

Status add_file(const std::string& path, mode_t mode, Files* files) {
  struct stat st = {};
  if (stat(path.c_str(), &st) != 0) return sys_error(quoted(path, 400));
  if (!S_ISREG(st.st_mode))
    return make_error(Code::kInvalid, quoted(path, 400) + " is not a regular file");
  File file;
  file.mode = mode;
  file.stamp = std::to_string(st.st_size) + " " + std::to_string(st.st_mtim.tv_sec) + "." +
               std::to_string(st.st_mtim.tv_nsec);
  (*files)[merged(path)] = std::move(file);
  return {};
}

// One line of what the loader lists: "NAME => PATH (ADDRESS)", "PATH (ADDRESS)", or without a path
// (the kernel's own, "statically linked").
Result<std::string> library_of(const std::string& line, const std::string& program) {
  constexpr std::string_view kArrow = " => ";
  std::string text(base::trim(line));
  size_t arrow = text.find(kArrow);
  std::string path = arrow == std::string::npos ? text : text.substr(arrow + kArrow.size());
  if (path == "not found")
    return make_error(Code::kNotFound, quoted(program, 400) + " needs the library " +
                                           quoted(text.substr(0, arrow)) + ", which is missing");
  path = path.substr(0, path.rfind(" ("));
  return path.starts_with('/') ? path : std::string();
}

// Found by a search that needs no cache (ld.so(8)).
bool in_default_folder(const std::string& path) {
  std::string folder = merged(path);
  folder.resize(folder.rfind('/'));
  return folder == "/usr/lib" || folder == "/usr/lib64" ||
         folder == std::string("/usr/lib/") + kTriplet;
}

Status add_elf(const std::string& path, Files* files) {
  TRY(add_file(path, kProgram, files));
  TRY_AS(base::Output listed, base::run_program({"env", "-i", kLoader, "--list", path}));
  if (listed.status != 0 && listed.out.empty())
    return make_error(Code::kInvalid, quoted(path, 400) + " is not a program of this machine");
  for (const std::string& line : base::split(listed.out, '\n')) {
    TRY_AS(std::string library, library_of(line, path));
    if (library.empty()) continue;
    TRY(add_file(library, kProgram, files));
    if (!in_default_folder(library)) TRY(add_file(kLoaderCache, kPlain, files));
  }
  return {};
}

Status add_data(const std::string& path, Files* files) {
  std::vector<std::string> left = {path};
  while (!left.empty()) {
    std::string here = std::move(left.back());
    left.pop_back();
    struct stat st = {};
    if (lstat(here.c_str(), &st) != 0) return sys_error(quoted(here, 400));
    if (!S_ISDIR(st.st_mode)) {
      bool dangling = S_ISLNK(st.st_mode) && access(here.c_str(), F_OK) != 0 && here != path;
      if (!dangling) TRY(add_file(here, kPlain, files));
      continue;
    }
    TRY_AS(auto names, base::list_dir(AT_FDCWD, here));
    for (const std::string& name : names) left.push_back(here + "/" + name);
  }
  return {};
}

Status check_path(const std::string& path) {
  std::vector<std::string> parts = base::split(path, '/');
  bool clean = path.starts_with('/') && std::none_of(parts.begin(), parts.end(), [](const auto& p) {
                 return p == "." || p == "..";
               });
  if (clean) return {};
  return make_error(Code::kInvalid, "not an absolute path: " + quoted(path, 400));
}

Result<Files> files_of(const CellRecipe& recipe) {
  Files files;
  for (const auto* paths : {&recipe.programs, &recipe.modules, &recipe.data})
    for (const std::string& path : *paths) TRY(check_path(path));
  for (const std::string& path : recipe.data) TRY(add_data(path, &files));
  for (const std::string& path : recipe.programs) TRY(add_elf(path, &files));
  for (const std::string& path : recipe.modules) TRY(add_elf(path, &files));
  return files;
}

// FNV-1a, 64 bits: names must differ, nobody gains from a collision.
std::string name_of(const CellRecipe& recipe, const Files& files) {
  std::string text;
  for (const MountPoint& point : recipe.mount_points)
    text += point.path + (point.folder ? "/\n" : "\n");
  for (const auto& [path, file] : files)
    text += path + " " + std::to_string(file.mode) + " " + file.stamp + "\n";
  uint64_t hash = 14695981039346656037U;
  for (unsigned char byte : text) hash = (hash ^ byte) * 1099511628211U;
  char digits[17];
  snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return recipe.name + "-" + digits;
}

Status copy_file(int tree, const std::string& path, mode_t mode) {
  TRY(make_folders(tree, path.substr(0, path.rfind('/'))));
  TRY_AS(UniqueFd from, base::open_at(AT_FDCWD, path, O_RDONLY));
  TRY_AS(UniqueFd to, base::open_in_root(tree, path, O_WRONLY | O_CREAT | O_EXCL, mode));
  constexpr size_t kChunk = 16 << 20;
  ssize_t n = 0;
  do {
    n = sendfile(to.get(), from.get(), nullptr, kChunk);
  } while (n > 0);
  if (n < 0) return sys_error("copy");
  if (fchmod(to.get(), mode) != 0) return sys_error("chmod");
  return {};
}

Status fill(int tree, const CellRecipe& recipe, const Files& files) {
  for (const char* folder : kMerged) {
    TRY(make_folders(tree, std::string("/usr/") + folder));
    if (symlinkat((std::string("usr/") + folder).c_str(), tree, folder) != 0)
      return sys_error("link " + quoted(folder));
  }
  for (const auto& [path, file] : files)
    if (Status done = copy_file(tree, path, file.mode); !done)
      return std::move(done).error().context(quoted(path, 400));
  return ensure_mountpoints(tree, recipe.mount_points);
}

Status make_tree(int cells, const std::string& name, const CellRecipe& recipe, const Files& files) {
  std::string temporary = "." + name + ".tmp";
  TRY(base::remove_tree(cells, temporary));
  TRY_AS(UniqueFd tree, base::make_dirs(cells, temporary, 0755));
  Status done = fill(tree.get(), recipe, files);
  if (done && fchmod(tree.get(), 0755) != 0) done = sys_error("chmod");
  if (done && syncfs(tree.get()) != 0) done = sys_error("syncfs");
  if (done && renameat(cells, temporary.c_str(), cells, name.c_str()) != 0)
    done = sys_error("rename");
  if (done) return {};
  [[maybe_unused]] auto ignored = base::remove_tree(cells, temporary);
  return done;
}

Result<UniqueFd> open_or_make(int cells, const CellRecipe& recipe) {
  TRY(base::check_name("cell", recipe.name));
  TRY_AS(Files files, files_of(recipe));
  std::string name = name_of(recipe, files);
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  if (!base::exists_at(cells, name)) TRY(make_tree(cells, name, recipe, files));
  TRY_AS(UniqueFd tree, base::open_at(cells, name, kFlags));
  // The time of the last use, for remove_old_cell_trees.
  if (futimens(tree.get(), nullptr) != 0) return sys_error("touch " + quoted(name));
  return tree;
}

}  // namespace

Result<UniqueFd> cell_tree(int cells_folder, const CellRecipe& recipe) {
  auto tree = open_or_make(cells_folder, recipe);
  if (!tree) return std::move(tree).error().context("tree of the cell " + quoted(recipe.name));
  return tree;
}

Status remove_old_cell_trees(int cells_folder) {
  using Used = std::pair<std::pair<time_t, long>, std::string>;
  std::map<std::string, std::vector<Used>> trees;
  TRY_AS(auto names, base::list_dir(cells_folder));
  for (const std::string& name : names) {
    if (name.starts_with('.')) {
      TRY(base::remove_tree(cells_folder, name));
      continue;
    }
    struct stat st = {};
    if (fstatat(cells_folder, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
      return sys_error("stat " + quoted(name, 400));
    trees[name.substr(0, name.rfind('-'))].push_back(
        {{st.st_mtim.tv_sec, st.st_mtim.tv_nsec}, name});
  }
  for (auto& [cell, all] : trees) {
    std::sort(all.begin(), all.end());
    all.pop_back();
    for (const Used& old : all) TRY(base::remove_tree(cells_folder, old.second));
  }
  return {};
}

}  // namespace core
