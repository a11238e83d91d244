// What lies on the host and is given to zones: folders of [[fs]] and zone run, disks, CDs. Each carries a
// label, kept with it in the attribute trusted.zoned.label (xattr(7): root's alone, and no zone can
// write it); what lies below has the label of the nearest folder above that has one. What has none
// counts as ADMIN_HIGH: it is given to nobody until the administrator labels it (tree_labels.h).
#pragma once

#include <sys/stat.h>

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "labels/encodings.h"
#include "labels/label.h"

namespace zoned {

inline constexpr const char* kLabelAttribute = "trusted.zoned.label";  // labels::Label::encode()

struct HostObject {
  std::string path;   // as it was passed, without "." and empty parts
  base::UniqueFd fd;  // O_PATH
  struct stat st = {};
  labels::Label label = labels::Label::admin_high();
  std::string labelled;     // the path that has the label; empty: none has
  bool is_private = false;  // below a folder of root's that nobody else may enter
};

// Folder by folder, no symbolic link: the folders that are looked at are those that are passed. path:
// absolute. kNotFound; kInvalid for a symbolic link, "..", and for a label that can't be read.
base::Result<HostObject> open_host_object(const std::string& path);
// The same for what an open descriptor refers to, found by its name. kInvalid when that name no
// longer is its: then nothing tells its label.
base::Result<HostObject> host_object_of(int fd);

// The label that the object itself has; kNotFound: none.
base::Result<labels::Label> own_label(int fd);

enum class Use {
  kShare,  // mounted, or read through the page cache that others have too: equal labels alone
  kWrite,  // likewise
  kRead,   // by descriptor, by a VMM: the zone's label dominates
};
// kDenied with the reason; the hint tells what would make it fit.
base::Status check_use(const HostObject& object, const labels::Label& zone, Use use,
                       const labels::Encodings& encodings);

}  // namespace zoned
