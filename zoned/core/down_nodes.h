// The files that a reader sees below /zone, and what the kernel calls them (node ids of FUSE).
//
// Nothing of a lower zone is held open between two requests: its owner would see that an unlinked file
// does not go away (IN_DELETE_SELF, free space). A node is a path and the identity of what was found
// there; each request walks the path again, inside the exported tree, through no link and over no
// mount, and what is then something else is ESTALE.
#pragma once

#include <sys/stat.h>

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace core {

struct DownTree {
  std::string path;     // in its zone: "/export"
  base::UniqueFd root;  // O_PATH or a detached mount
  uint64_t mount = 0;   // its number, by set_zone()
};

class DownNodes {
 public:
  static constexpr uint64_t kRoot = 1;

  DownNodes();

  // The trees of a zone, instead of those it had. tag: whatever the caller tells it by.
  void set_zone(const std::string& zone, std::string tag, std::vector<DownTree> trees);
  void remove_zone(const std::string& zone);
  // Zones and their tags.
  std::map<std::string, std::string> zones() const;

  // Errors carry an errno of path lookup, ESTALE for a node whose file is another by now.
  struct Found {
    uint64_t node = 0;
    struct stat attributes = {};
  };
  // Counts one more lookup of the node: see forget().
  base::Result<Found> lookup(uint64_t parent, std::string_view name);
  void forget(uint64_t node, uint64_t lookups);
  // Owners as this process sees them; set-id bits masked. What is neither file, folder nor symbolic link
  // is shown as a socket: nobody can open that.
  base::Result<struct stat> attributes(uint64_t node) const;
  base::Result<std::string> link_text(uint64_t node) const;
  // A regular file, by O_DIRECT.
  base::Result<base::UniqueFd> open_file(uint64_t node) const;
  // A folder of a tree. An empty descriptor: one that only leads to trees, with the names in
  // `names`.
  base::Result<base::UniqueFd> open_folder(uint64_t node, std::vector<std::string>* names) const;
  // The zone and path of a node, or of a name in it; both empty for one that is unknown.
  std::pair<std::string, std::string> place(uint64_t node, std::string_view name) const;
  size_t size() const { return nodes_.size(); }

 private:
  // Device, inode and time of birth: an inode's number is used again.
  using Identity = std::tuple<uint64_t, uint64_t, int64_t, uint32_t, mode_t>;
  struct Node {
    std::string zone;   // empty: the root
    std::string path;   // in the zone: "" or "/export/a"
    bool real = false;  // below a tree's root, or it
    Identity identity;
    uint64_t lookups = 0;
  };
  struct Zone {
    std::string tag;
    std::vector<DownTree> trees;
  };
  using Key = std::tuple<std::string, std::string, Identity>;  // zone; path unless real; identity

  static Key key_of(const Node& node);
  base::Result<const Node*> find(uint64_t node) const;
  // The tree that the path is in and the rest of the path; null: it only leads to trees. ENOENT.
  base::Result<std::pair<const DownTree*, std::string>> locate(const Node& node) const;
  base::Result<base::UniqueFd> open(const Node& node, struct statx* info) const;
  base::Result<Node> look(std::string zone, std::string path, struct stat* attributes) const;
  base::Result<base::UniqueFd> reopen(int fd, int flags) const;

  base::UniqueFd descriptors_;  // /proc/self/fd
  std::map<std::string, Zone> zones_;
  std::unordered_map<uint64_t, Node> nodes_;
  std::map<Key, uint64_t> known_;
  uint64_t next_ = kRoot + 1;
};

}  // namespace core
