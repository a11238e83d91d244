#include "zoned/daemon/host_object.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <climits>

#include "base/files.h"
#include "base/strings.h"
#include "labels/policy.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;
using labels::Label;

namespace {

constexpr size_t kMaxShown = 400;

// xattr calls take no O_PATH descriptors; its magic link leads to the object itself.
std::string link_of(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

bool only_root_enters(const struct stat& st) {
  return S_ISDIR(st.st_mode) && st.st_uid == 0 && (st.st_mode & 0077) == 0;
}

Status look_at(HostObject* object) {
  if (fstat(object->fd.get(), &object->st) != 0) return base::sys_error("stat");
  if (S_ISLNK(object->st.st_mode))
    return make_error(Code::kInvalid, "a symbolic link", "name what it points to");
  object->is_private = object->is_private || only_root_enters(object->st);
  auto label = own_label(object->fd.get());
  if (!label && label.error().code == Code::kNotFound) return {};
  if (!label) return std::move(label).error().context(base::quoted(object->path, kMaxShown));
  object->label = *label;
  object->labelled = object->path.empty() ? "/" : object->path;
  return {};
}

}  // namespace

Result<Label> own_label(int fd) {
  char text[256];
  ssize_t size = getxattr(link_of(fd).c_str(), kLabelAttribute, text, sizeof text);
  if (size < 0 && (errno == ENODATA || errno == ENOTSUP))
    return make_error(Code::kNotFound, "no label");
  if (size < 0) return base::sys_error(std::string("read the attribute ") + kLabelAttribute);
  auto label = Label::decode(std::string_view(text, static_cast<size_t>(size)));
  if (!label) return std::move(label).error().context(std::string("attribute ") + kLabelAttribute);
  return label;
}

Result<HostObject> open_host_object(const std::string& path) {
  HostObject object;
  if (!path.starts_with('/')) return make_error(Code::kInvalid, "not an absolute path");
  TRY_AS(object.fd, base::open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
  TRY(look_at(&object));
  for (const std::string& part : base::split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return make_error(Code::kInvalid, "holds '..'", "name the place itself");
    auto next = base::open_at(object.fd.get(), part, O_PATH | O_NOFOLLOW);
    if (!next && next.error().sys_errno == ENOENT)
      return make_error(Code::kNotFound, "no such folder or file", "make it first");
    if (!next) return std::move(next).error();
    object.fd = *std::move(next);
    object.path += "/" + part;
    TRY(look_at(&object));
  }
  if (object.path.empty()) object.path = "/";
  return object;
}

Result<HostObject> host_object_of(int fd) {
  char name[PATH_MAX];
  ssize_t size = readlink(link_of(fd).c_str(), name, sizeof name);
  if (size < 0) return base::sys_error("descriptor: readlink");
  struct stat st = {};
  if (fstat(fd, &st) != 0) return base::sys_error("descriptor: stat");
  std::string path(name, static_cast<size_t>(size));
  auto object = open_host_object(path);
  if (object && object->st.st_dev == st.st_dev && object->st.st_ino == st.st_ino) return object;
  return make_error(
      Code::kInvalid,
      "descriptor: what it refers to has no name here: " + base::quoted(path, kMaxShown),
      "name a file or folder that this host sees, by its own path");
}

Status check_use(const HostObject& object, const Label& zone, Use use,
                 const labels::Encodings& encodings) {
  labels::Access access = labels::access(zone, object.label);
  if (access == labels::Access::kReadWrite) return {};
  if (access == labels::Access::kRead && use == Use::kRead) return {};
  std::string path = base::quoted(object.path, kMaxShown);
  if (object.labelled.empty())
    return make_error(
        Code::kDenied, "the host's " + path + " has no label (ADMIN_HIGH)",
        "to give it one: zone label set " + path + " " + base::quoted(encodings.name_of(zone)));
  std::string why = "the host's " + path + " is " + base::quoted(encodings.name_of(object.label)) +
                    ", the zone " + base::quoted(encodings.name_of(zone));
  if (access == labels::Access::kRead)
    return make_error(
        Code::kDenied, why,
        "what is lower is read through a zone of that label that exports it: it is at /zone/NAME");
  return make_error(Code::kDenied, why, "a zone uses what has its own label");
}

}  // namespace zoned
