// Trees of cells. A cell is a zone whose read-only root holds one program, its libraries and its data
// and nothing else: no shell, no other program. Its tree is put together from files of this host,
// which are trusted, and kept for later boots.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/core/root_tree.h"

namespace core {

// All paths are absolute, without "." and "..".
struct CellRecipe {
  std::string name;                      // base::check_name
  std::vector<std::string> programs;     // ELF: with all libraries that ld.so(8) would load
  std::vector<std::string> modules;      // ELF that programs dlopen(3): likewise
  std::vector<std::string> data;         // files, and folders with all below them
  std::vector<MountPoint> mount_points;  // beside those of every zone (ensure_mountpoints)
};

// Opens the tree below `cells_folder` (a folder that only root may enter) that holds what the recipe
// names, each at its path on the host; one that is not there is made: built aside, put on disk, and
// renamed. Its name is NAME-HASH over the recipe and path, size and time of every file, so that an
// upgraded package gives a new tree. Owned by the caller (root), folders and ELF files 0755, others
// 0644; /bin, /sbin, /lib, /lib32, /lib64 and /libx32 are links into /usr. Links among the data become
// copies of the files that they name; one that names nothing is left out.
//
// Blocks: a few ms to find the libraries, a second to make a tree of tens of MiB. kNotFound names the
// file or library that is missing (the caller knows the package); kInvalid for a program that is no
// ELF file of this machine and for data that is neither file nor folder.
base::Result<base::UniqueFd> cell_tree(int cells_folder, const CellRecipe& recipe);

// Removes what a killed cell_tree left, and of each name all trees but the one used last. Only while
// no zone of this instance runs: a running one would lose its files.
base::Status remove_old_cell_trees(int cells_folder);

}  // namespace core
