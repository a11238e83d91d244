// One hierarchy below our subtree: SUBTREE/POOL/ZONE. Pool folders are opened once and kept, so
// that a boot pays one mkdir a hierarchy and no path walks. One object per hierarchy and process.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "resource/cgroup.h"

namespace resource {

// Where the files of the subtree, a pool or a zone are.
struct Place {
  int at = -1;         // lent by the tree
  std::string prefix;  // "" or "ZONE/"
};

class CgroupTree {
 public:
  // Opens the hierarchy's folder `root`; the subtree is opened if it is there, and not made.
  static base::Result<CgroupTree> open(const std::string& root, const std::string& subtree);

  int root() const { return root_.get(); }
  bool has_subtree() const { return subtree_.valid(); }
  int subtree() const { return subtree_.get(); }  // -1 without a subtree
  base::Status make_subtree();
  // Removes it with all that is below. Absent is success; kBusy with processes.
  base::Status remove_subtree();

  // The pool's folder, lent; kNotFound when it does not exist.
  base::Result<int> pool(const std::string& name);
  // As pool(), -1 when it does not exist.
  base::Result<int> find_pool(const std::string& name);
  base::Result<int> make_pool(const std::string& name);
  // Absent is success; kBusy while it has zones.
  base::Status remove_pool(const std::string& name);

  // The zone's folder need not exist. Empty pool: the subtree; empty zone: the pool.
  base::Result<Place> place(const std::string& pool_name, const std::string& zone);
  // Adds every POOL/ZONE.
  base::Status list(std::vector<CgroupDriver::Found>* found);

 private:
  CgroupTree(base::UniqueFd root, std::string name)
      : root_(std::move(root)), name_(std::move(name)) {}

  base::UniqueFd root_;
  std::string name_;
  base::UniqueFd subtree_;
  std::map<std::string, base::UniqueFd> pools_;
};

// Removes the folders it was told of, last first, unless kept: the undo of making a zone.
class MadeFolders {
 public:
  MadeFolders() = default;
  MadeFolders(const MadeFolders&) = delete;
  MadeFolders& operator=(const MadeFolders&) = delete;
  ~MadeFolders();
  // make_fresh(pool, zone), remembered.
  base::Status make(int pool, const std::string& zone);
  void keep() { made_.clear(); }

 private:
  std::vector<std::pair<int, std::string>> made_;
};

}  // namespace resource
