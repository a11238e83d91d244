// Labelling the host's trees: the administrator's own act (zone label set). The label itself is an
// attribute of the tree (host_object.h); LIB/labelled-trees lists where there are some, one path a line
// in JSON's form, so that a tree inside another one is found from above.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "labels/encodings.h"
#include "zoned/api/paths.h"
#include "zoned/daemon/host_object.h"

namespace zoned {

class TreeLabels {
 public:
  TreeLabels(api::Paths paths, const labels::Encodings* encodings)
      : paths_(std::move(paths)), encodings_(encodings) {}

  // Labels the tree, durably. kExists: it has another label already (clear it first). kDenied: it lies
  // in or around a tree of another label, or zoned's own folders, whose labels are their zones'.
  // kUnsupported: its file system keeps no such attributes.
  base::Status set(const HostObject& object, const labels::Label& label) const;
  // Takes the tree's own label away. kNotFound: it has none of its own.
  base::Status clear(const HostObject& object) const;
  // The trees that have a label now, sorted by path.
  base::Result<std::vector<HostObject>> trees() const;
  // kDenied when a tree of another label than this lies below `object`: mounting brings both.
  base::Status check_below(const HostObject& object, const labels::Label& label) const;

 private:
  base::Result<std::vector<std::string>> listed() const;
  base::Status write(const std::vector<std::string>& paths) const;

  api::Paths paths_;
  const labels::Encodings* encodings_;
};

// One path is the other, or lies below it. Both absolute and without ".".
bool overlap(const std::string& a, const std::string& b);

}  // namespace zoned
