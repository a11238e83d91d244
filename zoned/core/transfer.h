// What zone-unpack does inside the jobs of zone copy and zone relabel: packs files of one zone's tree
// into a stream (zoned/api/copy_stream.h), writes a stream into another's, and takes a moved file away.
// The tree is a zone's and may be hostile and change meanwhile: no symbolic link is followed, no mount
// crossed, no path walked twice. Sockets, FIFOs, devices, set-id bits and attributes stay behind.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/core/unpack.h"

namespace core {

// Where an absolute path in a tree ends: its folder, open, and its name there. kInvalid for a path that
// leads through a file, a symbolic link or a mount; kNotFound when the folder is absent.
struct Place {
  base::UniqueFd folder;
  std::string name;
};
base::Result<Place> find_place(int tree, const std::string& path);

struct Packed {
  uint64_t files = 0;  // entries: files, folders, links
  uint64_t bytes = 0;  // of files, holes included
  // Of a single file that nobody else has open: what it was, to be compared when it is taken away.
  std::string identity;
};

struct PackOptions {
  bool recursive = false;  // a folder with all in it; else a single file
  bool exclusive = false;  // a regular file with one name, that nobody has open (a lease, fcntl(2))
};

// tree: the top of a zone's tree; path: absolute in it, not "/". kInvalid for what can't be copied;
// kBusy when exclusive and somebody has it open.
base::Result<Packed> pack_files(int tree, const std::string& path, const PackOptions& options,
                                int out, UnpackReport* report);

// Writes the stream to the path, whose parent folder exists: first beside it under the name `temporary`,
// durably, then under its own. kExists when there is something, unless replace and both are regular
// files. On failure nothing is left, or `left` says so.
struct PlaceResult {
  base::Status status;
  bool left =
      false;  // of a failure: a piece is under the temporary name, or the whole under its own
};
PlaceResult place_files(int tree, const std::string& path, const std::string& temporary,
                        bool replace, int in, UnpackReport* report);
// Removes what a killed place_files() left; placed: also the single file at the path, if that is what
// the stream holds. Absent is success; kInvalid when the path leads nowhere that can be walked.
base::Status retract_files(int tree, const std::string& path, const std::string& temporary,
                           bool placed, int in);

// Takes away a file that pack_files() found exclusive. Holds a lease on it while `go` is called, which
// waits for the word that its copy is durable; an error of go's leaves the file, and is returned.
// kBusy when it is open, kState when it has changed or is opened meanwhile: then it stays.
base::Status take_away(int tree, const std::string& path, const std::string& identity,
                       const std::function<base::Status()>& go);

}  // namespace core
