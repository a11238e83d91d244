#include "zoned/daemon/host_tree.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/files.h"
#include "base/strings.h"

namespace zoned {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::UniqueFd;

bool only_root_enters(const struct stat& st) {
  return S_ISDIR(st.st_mode) && st.st_uid == 0 && (st.st_mode & 0077) == 0;
}

// Folder by folder, no symbolic link: the folders that are looked at are those that are passed.
Result<HostTree> open_tree(const core::FsSpec& fs) {
  HostTree tree;
  tree.target = fs.dir;
  TRY_AS(tree.fd, base::open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
  struct stat st = {};
  for (const std::string& part : base::split(fs.special, '/')) {
    if (part.empty()) continue;
    if (fstat(tree.fd.get(), &st) != 0) return base::sys_error("stat");
    tree.is_private = tree.is_private || only_root_enters(st);
    auto next = base::open_at(tree.fd.get(), part, O_PATH | O_NOFOLLOW);
    if (!next && next.error().sys_errno == ENOENT)
      return make_error(Code::kNotFound, "no such folder or file", "make it first");
    if (!next) return std::move(next).error();
    tree.fd = *std::move(next);
  }
  if (fstat(tree.fd.get(), &st) != 0) return base::sys_error("stat");
  tree.is_private = tree.is_private || only_root_enters(st);
  tree.folder = S_ISDIR(st.st_mode);
  if (S_ISLNK(st.st_mode))
    return make_error(Code::kInvalid, "a symbolic link", "name what it points to");
  if (!tree.folder && !S_ISREG(st.st_mode))
    return make_error(Code::kInvalid, "neither a folder nor a regular file");
  return tree;
}

}  // namespace

Result<std::vector<HostTree>> open_host_trees(const core::ZoneSpec& spec) {
  std::vector<HostTree> trees;
  for (const core::FsSpec& fs : spec.fs) {
    auto tree = open_tree(fs);
    if (!tree)
      return std::move(tree).error().context("fs " + base::quoted(fs.dir) + ": special " +
                                             base::quoted(fs.special, 200));
    trees.push_back(*std::move(tree));
  }
  return trees;
}

std::vector<bool> private_trees(const std::vector<HostTree>& trees) {
  std::vector<bool> answer;
  for (const HostTree& tree : trees) answer.push_back(tree.is_private);
  return answer;
}

}  // namespace zoned
