// Where a zone comes from: the text behind --from, as a typed value. For native zones a tree:
//
//   dir:PATH      a folder of this host, copied
//   tar:FILE      an archive, unpacked: tar, cpio, zip or 7-zip, with gzip, bzip2, xz, zstd, lz4
//   debian:SUITE[,include=PACKAGE[+PACKAGE...]][,mirror=URL]
//                 made by mmdebstrap(1) from Debian's archive
//
// In a list of packages "+" separates and "++" belongs to the name: include=g+++libstdc++6+nginx
// names g++, libstdc++6 and nginx. include= may be repeated.
//
// For vm zones what a machine starts from:
//
//   kernel:IMAGE[,initrd=FILE]  a kernel that the VMM loads itself
//   disk:IMAGE                  a disk, raw or qcow2
//   iso:IMAGE                   a CD, read-only
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "zoned/core/spec.h"

namespace core {

struct Source {
  enum class Kind { kDir, kTar, kDebian, kKernel, kDisk, kIso };
  Kind kind = Kind::kDir;
  std::string path;                  // all but kDebian: absolute, without "." and ".."
  std::string initrd;                // kKernel: likewise; empty: none. path has no ",initrd=" in it
  std::string suite;                 // kDebian: [a-z]+, such as "bookworm"
  std::vector<std::string> include;  // kDebian: packages beside the default ones; sorted, unique
  std::string mirror;                // kDebian: http or https URL; empty: the host's own
  bool operator==(const Source&) const = default;
};

// kInvalid with a hint that lists the forms; kUnsupported for the sources of later versions (oci:,
// clone:).
base::Result<Source> parse_source(std::string_view text);
// Canonical text: parsing it gives the same value.
std::string format_source(const Source& source);
// kInvalid when zones of that brand are not installed from such a source.
base::Status check_source_brand(const Source& source, Brand brand);

}  // namespace core
