// Mounts as descriptors (open_tree(2), fsopen(2), move_mount(2), mount_setattr(2)), and how the
// launcher puts a zone's root together from a plan. Nothing here walks a path of the zone twice.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/core/plan.h"

namespace core {

// Descriptors that travel with a plan, by name. Not owned.
using FdTable = std::map<std::string, int, std::less<>>;
// kInternal naming the descriptor when it is not there.
base::Result<int> find_fd(const FdTable& fds, std::string_view name);

// A detached private copy of the mount at the folder (or file) `fd`, without what is mounted below
// it. To be made in the mount namespace in which fd was opened.
base::Result<base::UniqueFd> clone_tree(int fd);

// A detached folder that holds the device node "fuse" and nothing else.
base::Result<base::UniqueFd> fuse_folder();

// True for operations whose file system the child makes (it must belong to the zone's user namespace).
bool made_by_child(MountOp::Kind kind);
// "proc", "tmpfs", ... of such an operation.
const char* filesystem_type(MountOp::Kind kind);
// MOUNT_ATTR_* of an operation's flags.
unsigned mount_attributes(const MountOp& op);

// Puts a zone's root together inside the caller's own (private) mount namespace.
class RootAssembler {
 public:
  // user_namespace: for idmapping; -1: none (tests without that wall).
  RootAssembler(const ZonePlan& plan, const FdTable& fds, int user_namespace)
      : plan_(plan), fds_(fds), user_namespace_(user_namespace) {}

  // Sources that need the host's paths: idmapped trees, overlay, devices. Before the child's offer.
  base::Status prepare();
  // Takes the child's file systems, in plan order.
  void take_offer(std::vector<base::UniqueFd> filesystems) { offered_ = std::move(filesystems); }
  // Attaches all but masks and pivots into the new root; the host's tree is gone afterwards.
  base::Status assemble();
  // ZonePlan::masked and read_only.
  base::Status protect();

 private:
  base::Result<base::UniqueFd> device(const std::string& name);
  base::Result<base::UniqueFd> mask_file();
  base::Result<base::UniqueFd> overlay(const MountOp& op, base::UniqueFd lower);
  base::Result<base::UniqueFd> source_of(const MountOp& op);
  base::Status attach(const MountOp& op, int mount);
  base::Status make_target(const std::string& path, bool folder_wanted);
  base::Status attach_console(const MountOp& op);
  base::Status mask(const std::string& target);
  base::Status make_read_only(const std::string& target);
  base::Status pivot();

  const ZonePlan& plan_;
  const FdTable& fds_;
  int user_namespace_;
  std::vector<base::UniqueFd> prepared_;  // one per operation; empty where made later
  std::vector<base::UniqueFd> offered_;
  base::UniqueFd file_cover_;
  base::UniqueFd folder_cover_;
  std::set<const base::UniqueFd*> covers_used_;
  base::UniqueFd root_;
  base::UniqueFd devices_;  // a folder of nodes, made when the first is wanted
  int stacked_ = 0;         // mounts of ours on top of our root that the zone does not get
};

}  // namespace core
