#include "zoned/daemon/tree_labels.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/strings.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using labels::Label;

namespace {

constexpr const char* kList = "labelled-trees";
constexpr size_t kMaxTrees = 10000;
constexpr size_t kMaxShown = 400;

std::string link_of(const HostObject& object) {
  return "/proc/self/fd/" + std::to_string(object.fd.get());
}

bool below(const std::string& path, const std::string& folder) {
  if (folder == "/") return path != "/";
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

// An attribute is on disk once its file is.
Status sync(const HostObject& object) {
  TRY_AS(base::UniqueFd fd, base::open_at(AT_FDCWD, link_of(object), O_RDONLY | O_NONBLOCK));
  if (fsync(fd.get()) != 0) return base::sys_error("sync " + base::quoted(object.path, kMaxShown));
  return {};
}

}  // namespace

bool overlap(const std::string& a, const std::string& b) {
  return a == b || below(a, b) || below(b, a);
}

Result<std::vector<std::string>> TreeLabels::listed() const {
  std::vector<std::string> paths;
  auto text = base::read_file(AT_FDCWD, paths_.lib + "/" + kList, size_t{64} << 20);
  if (!text && text.error().code == Code::kNotFound) return paths;
  if (!text) return std::move(text).error();
  for (const std::string& line : base::split(base::trim(*text), '\n')) {
    if (line.empty()) continue;
    auto path = nlohmann::json::parse(line, nullptr, false);
    if (!path.is_string())
      return make_error(Code::kIo,
                        base::quoted(paths_.lib + "/" + kList, kMaxShown) + " is damaged",
                        "remove it, and set the labels of the trees anew");
    paths.push_back(path.get<std::string>());
  }
  return paths;
}

Status TreeLabels::write(const std::vector<std::string>& paths) const {
  std::string text;
  // A name that is not UTF-8 is not taken: see set().
  for (const std::string& path : paths) text += nlohmann::json(path).dump() + "\n";
  TRY_AS(base::UniqueFd lib, base::open_at(AT_FDCWD, paths_.lib, O_RDONLY | O_DIRECTORY));
  return base::replace_file(lib.get(), kList, text, base::Durability::kDisk);
}

Result<std::vector<HostObject>> TreeLabels::trees() const {
  TRY_AS(auto paths, listed());
  std::vector<HostObject> trees;
  for (const std::string& path : paths) {
    auto object = open_host_object(path);
    if (object && object->labelled == object->path) trees.push_back(*std::move(object));
  }
  return trees;
}

Status TreeLabels::check_below(const HostObject& object, const Label& label) const {
  if (!S_ISDIR(object.st.st_mode)) return {};
  TRY_AS(auto known, trees());
  for (const HostObject& tree : known)
    if (below(tree.path, object.path) && tree.label != label)
      return make_error(Code::kDenied,
                        base::quoted(object.path, kMaxShown) + " holds " +
                            base::quoted(tree.path, kMaxShown) + ", which is " +
                            base::quoted(encodings_->name_of(tree.label)),
                        "keep trees of different labels apart");
  return {};
}

Status TreeLabels::set(const HostObject& object, const Label& label) const {
  const std::string path = base::quoted(object.path, kMaxShown);
  const std::string name = base::quoted(encodings_->name_of(label));
  for (const std::string& own : {paths_.etc, paths_.lib, paths_.run})
    if (overlap(object.path, own))
      return make_error(Code::kDenied,
                        path + " overlaps " + base::quoted(own) + ", a folder of zoned's",
                        "a zone's files have the label of the zone");
  if (!S_ISDIR(object.st.st_mode) && !S_ISREG(object.st.st_mode))
    return make_error(Code::kInvalid, path + " is neither a folder nor a regular file");
  if (!base::is_clean_utf8(object.path))
    return make_error(Code::kInvalid, path + ": a name that is not plain UTF-8", "rename it");
  bool own = object.labelled == object.path;
  if (own && object.label != label)
    return make_error(Code::kExists,
                      path + " is " + base::quoted(encodings_->name_of(object.label)) + " already",
                      "'zone label clear' takes that away; what has gone where stays there");
  if (!own && !object.labelled.empty() && object.label != label)
    return make_error(Code::kDenied,
                      path + " lies in " + base::quoted(object.labelled, kMaxShown) +
                          ", which is " + base::quoted(encodings_->name_of(object.label)),
                      "keep trees of different labels apart");
  TRY_AS(auto paths, listed());
  TRY(check_below(object, label));
  // Listed first: a label that the list lacks would not be found from above. What is away (a disk that
  // is not mounted) stays listed.
  if (std::find(paths.begin(), paths.end(), object.path) == paths.end()) {
    if (paths.size() == kMaxTrees)
      return make_error(Code::kNoSpace,
                        "more than " + std::to_string(kMaxTrees) + " labelled trees");
    paths.push_back(object.path);
    std::sort(paths.begin(), paths.end());
    TRY(write(paths));
  }
  const std::string text = label.encode();
  if (setxattr(link_of(object).c_str(), kLabelAttribute, text.data(), text.size(), 0) != 0) {
    if (errno == ENOTSUP)
      return make_error(Code::kUnsupported, path + ": its file system keeps no trusted attributes",
                        "keep the tree on another one");
    return base::sys_error("label " + path + " as " + name);
  }
  return sync(object);
}

Status TreeLabels::clear(const HostObject& object) const {
  const std::string path = base::quoted(object.path, kMaxShown);
  if (removexattr(link_of(object).c_str(), kLabelAttribute) != 0) {
    if (errno == ENODATA || errno == ENOTSUP)
      return make_error(
          Code::kNotFound, path + " has no label of its own",
          object.labelled.empty()
              ? ""
              : "that of " + base::quoted(object.labelled, kMaxShown) + " holds for it");
    return base::sys_error("clear the label of " + path);
  }
  TRY(sync(object));
  TRY_AS(auto paths, listed());
  std::erase(paths, object.path);
  return write(paths);
}

}  // namespace zoned
