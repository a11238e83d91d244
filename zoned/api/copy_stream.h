// The form in which files travel between zones (zone copy): what the reading side froze, what a person
// is shown of it, and what the writing side makes. A stream is "zoned-copy-1\n", entries, one byte 'e'.
// Numbers are little-endian. An entry:
//
//   u8 kind 'f' | 'd' | 'l'; u32 mode (0..0777); u32 uid; u32 gid (0..65535); i64 mtime, seconds;
//   u64 size, of a file; u16 and the path; u16 and a link's text
//
// and of a file its data: {u64 offset, u32 length, bytes}..., in order, holes left out, {0, 0} last.
//
// The path is relative to what is copied, whose own path is empty; it comes first. A folder comes
// before what is in it, and all of that before its next sibling. Nothing else is believed: a stream
// comes from a zone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace api {

inline constexpr size_t kMaxCopyChunk = size_t{1} << 20;
inline constexpr size_t kMaxCopyDepth = 200;  // folders inside each other
inline constexpr uint64_t kMaxCopyEntries = 1000000;
inline constexpr uint32_t kMaxCopyId = 65535;

struct CopyEntry {
  enum class Kind : uint8_t { kFile = 'f', kFolder = 'd', kLink = 'l' };
  Kind kind = Kind::kFile;
  std::string path;
  uint32_t mode = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  int64_t mtime = 0;
  uint64_t size = 0;  // of a file; holes count
  std::string link;   // of a link: its text
  bool operator==(const CopyEntry&) const = default;
};

struct CopyChunk {
  uint64_t offset = 0;
  std::string_view data;
};

// A name in a folder: 1 to 255 bytes, not "." or "..", without '/' and NUL.
bool is_file_name(std::string_view name);

// Writes a stream to a descriptor, through a buffer.
class CopyWriter {
 public:
  explicit CopyWriter(int fd);
  base::Status put(const CopyEntry& entry);
  // Of the file that was put last; in order, not empty.
  base::Status data(uint64_t offset, std::string_view bytes);
  base::Status end_data();
  base::Status finish();

 private:
  base::Status append(std::string_view bytes);
  base::Status flush();
  int fd_;
  std::string buffer_;
};

// Reads a stream that may hold anything: what it gives follows all rules above, or kInvalid tells
// which is broken. Memory is bounded whatever comes.
class CopyReader {
 public:
  // Reads from the descriptor's position.
  explicit CopyReader(int fd) : fd_(fd) {}
  // The next entry, nothing at the end. Data of a file that was not asked for is passed over.
  base::Result<std::optional<CopyEntry>> next();
  // The next data of the file that next() gave last, nothing at its end. Valid until the next call.
  base::Result<std::optional<CopyChunk>> chunk();

 private:
  base::Status fill(size_t bytes);
  base::Result<std::string_view> take(size_t bytes);
  base::Result<uint64_t> number(size_t bytes);
  base::Result<std::string> text(size_t max);
  base::Result<CopyEntry> entry(CopyEntry::Kind kind);
  base::Status check_place(const CopyEntry& entry);

  int fd_;
  std::string buffer_;
  size_t at_ = 0;  // in the buffer
  bool started_ = false;
  bool ended_ = false;
  uint64_t entries_ = 0;
  bool in_file_ = false;
  uint64_t size_ = 0;                 // of that file
  uint64_t reached_ = 0;              // end of its last chunk
  std::vector<std::string> folders_;  // names from the top to the folder that was entered last
  bool top_is_folder_ = false;
};

}  // namespace api
