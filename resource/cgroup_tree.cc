#include "resource/cgroup_tree.h"

#include <sys/stat.h>

#include "base/files.h"
#include "base/strings.h"
#include "resource/cgroup_folder.h"

namespace resource {
namespace {

constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

// Opens, making it first if it is not there.
base::Result<base::UniqueFd> make_and_open(int at, const std::string& name) {
  if (mkdirat(at, name.c_str(), 0755) != 0 && errno != EEXIST)
    return base::sys_error("make cgroup " + base::quoted(name));
  return base::open_at(at, name, kFolder);
}

}  // namespace

base::Result<CgroupTree> CgroupTree::open(const std::string& root, const std::string& subtree) {
  TRY_AS(auto root_fd, base::open_at(AT_FDCWD, root, O_RDONLY | O_DIRECTORY));
  CgroupTree tree(std::move(root_fd), subtree);
  auto found = base::open_at(tree.root(), subtree, kFolder);
  if (found)
    tree.subtree_ = *std::move(found);
  else if (found.error().code != base::Code::kNotFound)
    return std::move(found).error();
  return tree;
}

base::Status CgroupTree::make_subtree() {
  if (subtree_) return {};
  TRY_AS(subtree_, make_and_open(root_.get(), name_));
  return {};
}

base::Status CgroupTree::remove_subtree() {
  pools_.clear();
  TRY(remove_cgroup(root_.get(), name_));
  subtree_.reset();
  return {};
}

base::Result<int> CgroupTree::pool(const std::string& name) {
  TRY_AS(int fd, find_pool(name));
  if (fd < 0)
    return base::make_error(base::Code::kNotFound, "pool " + base::quoted(name) + " has no cgroup");
  return fd;
}

base::Result<int> CgroupTree::find_pool(const std::string& name) {
  auto known = pools_.find(name);
  if (known != pools_.end()) return known->second.get();
  if (!subtree_) return -1;
  auto opened = base::open_at(subtree_.get(), name, kFolder);
  if (!opened && opened.error().code == base::Code::kNotFound) return -1;
  if (!opened) return std::move(opened).error();
  return pools_.emplace(name, *std::move(opened)).first->second.get();
}

base::Result<int> CgroupTree::make_pool(const std::string& name) {
  TRY(make_subtree());
  TRY_AS(base::UniqueFd folder, make_and_open(subtree_.get(), name));
  base::UniqueFd& kept = pools_[name];
  kept = std::move(folder);
  return kept.get();
}

base::Status CgroupTree::remove_pool(const std::string& name) {
  if (!subtree_) return {};
  if (unlinkat(subtree_.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    if (errno == EBUSY || errno == ENOTEMPTY)
      return base::make_error(base::Code::kBusy,
                              "pool " + base::quoted(name) + " still holds zones");
    return base::sys_error("remove the cgroup of pool " + base::quoted(name));
  }
  pools_.erase(name);
  return {};
}

base::Result<Place> CgroupTree::place(const std::string& pool_name, const std::string& zone) {
  if (pool_name.empty()) {
    if (!subtree_)
      return base::make_error(base::Code::kNotFound, "no cgroup " + base::quoted(name_));
    return Place{subtree_.get(), ""};
  }
  TRY_AS(int at, pool(pool_name));
  return Place{at, zone.empty() ? "" : zone + "/"};
}

base::Status CgroupTree::list(std::vector<CgroupDriver::Found>* found) {
  if (!subtree_) return {};
  TRY_AS(auto pools, child_folders(subtree_.get()));
  for (const std::string& name : pools) {
    TRY_AS(int fd, find_pool(name));
    if (fd < 0) continue;
    TRY_AS(auto zones, child_folders(fd));
    for (std::string& zone : zones) found->push_back({name, std::move(zone)});
  }
  return {};
}

MadeFolders::~MadeFolders() {
  for (auto made = made_.rbegin(); made != made_.rend(); ++made) {
    // The failure that led here is the one to report; recovery finds what is left.
    [[maybe_unused]] base::Status ignored = remove_cgroup(made->first, made->second);
  }
}

base::Status MadeFolders::make(int pool, const std::string& zone) {
  TRY(make_fresh(pool, zone));
  made_.emplace_back(pool, zone);
  return {};
}

}  // namespace resource
