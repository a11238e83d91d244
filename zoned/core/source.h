// Where a zone's tree comes from: the text behind --from, as a typed value.
//
//   dir:PATH      a folder of this host, copied
//   tar:FILE      an archive, unpacked: tar, cpio, zip or 7-zip, with gzip, bzip2, xz, zstd, lz4
//   debian:SUITE[,include=PACKAGE[+PACKAGE...]][,mirror=URL]
//                 made by mmdebstrap(1) from Debian's archive
//
// In a list of packages "+" separates and "++" belongs to the name: include=g+++libstdc++6+nginx
// names g++, libstdc++6 and nginx. include= may be repeated.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace core {

struct Source {
  enum class Kind { kDir, kTar, kDebian };
  Kind kind = Kind::kDir;
  std::string path;                  // kDir, kTar: absolute, without "." and ".."
  std::string suite;                 // kDebian: [a-z]+, such as "bookworm"
  std::vector<std::string> include;  // kDebian: packages beside the default ones; sorted, unique
  std::string mirror;                // kDebian: http or https URL; empty: the host's own
  bool operator==(const Source&) const = default;
};

// kInvalid with a hint that lists the forms; kUnsupported for the sources of later versions (oci:,
// clone:, disk:, kernel:, iso:).
base::Result<Source> parse_source(std::string_view text);
// Canonical text: parsing it gives the same value.
std::string format_source(const Source& source);

}  // namespace core
