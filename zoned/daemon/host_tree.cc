#include "zoned/daemon/host_tree.h"

#include "base/strings.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;

namespace {

Result<HostTree> open_tree(const core::FsSpec& fs, const labels::Label& label,
                           const TreeLabels& trees, const labels::Encodings& encodings,
                           Giver giver) {
  HostTree tree;
  tree.target = fs.dir;
  TRY_AS(tree.object, open_host_object(fs.special));
  if (!tree.folder() && !S_ISREG(tree.object.st.st_mode))
    return make_error(Code::kInvalid, "neither a folder nor a regular file");
  if (giver == Giver::kZoned) return tree;
  TRY(check_use(tree.object, label, Use::kShare, encodings));
  TRY(trees.check_below(tree.object, label));
  return tree;
}

}  // namespace

Result<std::vector<HostTree>> open_host_trees(const core::ZoneSpec& spec,
                                              const labels::Label& label, const TreeLabels& trees,
                                              const labels::Encodings& encodings, Giver giver) {
  std::vector<HostTree> opened;
  for (const core::FsSpec& fs : spec.fs) {
    auto tree = open_tree(fs, label, trees, encodings, giver);
    if (!tree)
      return std::move(tree).error().context("fs " + base::quoted(fs.dir) + ": special " +
                                             base::quoted(fs.special, 200));
    opened.push_back(*std::move(tree));
  }
  return opened;
}

std::vector<bool> private_trees(const std::vector<HostTree>& trees) {
  std::vector<bool> answer;
  for (const HostTree& tree : trees) answer.push_back(tree.object.is_private);
  return answer;
}

}  // namespace zoned
