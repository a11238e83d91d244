#include "zoned/api/copy_stream.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "base/files.h"
#include "base/strings.h"

namespace api {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;

namespace {

constexpr std::string_view kMagic = "zoned-copy-1\n";
constexpr uint8_t kEnd = 'e';
constexpr uint32_t kModeBits = 0777;
constexpr size_t kBuffer = size_t{256} << 10;
constexpr size_t kMaxName = 255;

base::Error broken(const std::string& rule) {
  return make_error(Code::kInvalid, "the copy's stream is broken: " + rule);
}

void put_number(std::string* out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) out->push_back(static_cast<char>((value >> (8 * i)) & 0xff));
}

void put_text(std::string* out, std::string_view text) {
  put_number(out, text.size(), 2);
  out->append(text);
}

}  // namespace

bool is_file_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

CopyWriter::CopyWriter(int fd) : fd_(fd), buffer_(kMagic) {}

Status CopyWriter::append(std::string_view bytes) {
  buffer_.append(bytes);
  return buffer_.size() >= kBuffer ? flush() : Status();
}

Status CopyWriter::flush() {
  Status written = base::write_all(fd_, buffer_);
  buffer_.clear();
  return written;
}

Status CopyWriter::put(const CopyEntry& entry) {
  std::string out;
  put_number(&out, static_cast<uint8_t>(entry.kind), 1);
  put_number(&out, entry.mode & kModeBits, 4);
  put_number(&out, entry.uid, 4);
  put_number(&out, entry.gid, 4);
  put_number(&out, static_cast<uint64_t>(entry.mtime), 8);
  put_number(&out, entry.size, 8);
  put_text(&out, entry.path);
  put_text(&out, entry.link);
  return append(out);
}

Status CopyWriter::data(uint64_t offset, std::string_view bytes) {
  std::string head;
  put_number(&head, offset, 8);
  put_number(&head, bytes.size(), 4);
  TRY(append(head));
  return append(bytes);
}

Status CopyWriter::end_data() { return append(std::string(12, '\0')); }

Status CopyWriter::finish() {
  TRY(append(std::string(1, static_cast<char>(kEnd))));
  return flush();
}

// At least so many bytes in the buffer.
Status CopyReader::fill(size_t bytes) {
  if (buffer_.size() - at_ >= bytes) return {};
  buffer_.erase(0, at_);
  at_ = 0;
  size_t have = buffer_.size();
  buffer_.resize(std::max(bytes, kBuffer));
  while (have < bytes) {
    ssize_t n = read(fd_, buffer_.data() + have, buffer_.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      buffer_.resize(have);
      return n < 0 ? Status(base::sys_error("read the copy")) : Status(broken("it is cut short"));
    }
    have += static_cast<size_t>(n);
  }
  buffer_.resize(have);
  return {};
}

Result<std::string_view> CopyReader::take(size_t bytes) {
  TRY(fill(bytes));
  std::string_view view = std::string_view(buffer_).substr(at_, bytes);
  at_ += bytes;
  return view;
}

Result<uint64_t> CopyReader::number(size_t bytes) {
  TRY_AS(std::string_view view, take(bytes));
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i)
    value |= uint64_t{static_cast<unsigned char>(view[i])} << (8 * i);
  return value;
}

Result<std::string> CopyReader::text(size_t max) {
  TRY_AS(uint64_t size, number(2));
  if (size > max) return broken("a text is too long");
  TRY_AS(std::string_view view, take(size));
  if (view.find('\0') != std::string_view::npos) return broken("a text holds a NUL byte");
  return std::string(view);
}

Result<CopyEntry> CopyReader::entry(CopyEntry::Kind kind) {
  CopyEntry entry;
  entry.kind = kind;
  TRY_AS(uint64_t mode, number(4));
  TRY_AS(uint64_t uid, number(4));
  TRY_AS(uint64_t gid, number(4));
  TRY_AS(uint64_t mtime, number(8));
  TRY_AS(entry.size, number(8));
  TRY_AS(entry.path, text(PATH_MAX - 1));
  TRY_AS(entry.link, text(PATH_MAX - 1));
  if (mode > kModeBits) return broken("a mode beyond 0777");
  if (uid > kMaxCopyId || gid > kMaxCopyId) return broken("an owner beyond 65535");
  bool file = kind == CopyEntry::Kind::kFile;
  bool link = kind == CopyEntry::Kind::kLink;
  if ((!file && entry.size != 0) || entry.size > INT64_MAX) return broken("a size that can't be");
  if (link == entry.link.empty()) return broken("a link's text");
  entry.mode = static_cast<uint32_t>(mode);
  entry.uid = static_cast<uint32_t>(uid);
  entry.gid = static_cast<uint32_t>(gid);
  entry.mtime = static_cast<int64_t>(mtime);
  return entry;
}

Status CopyReader::check_place(const CopyEntry& entry) {
  bool folder = entry.kind == CopyEntry::Kind::kFolder;
  if (entries_ == 1) {
    if (!entry.path.empty()) return broken("what is copied comes first");
    top_is_folder_ = folder;
    return {};
  }
  if (!top_is_folder_) return broken("an entry that is in no folder");
  std::vector<std::string> parts = base::split(entry.path, '/');
  if (parts.size() > kMaxCopyDepth) return broken("too many folders inside each other");
  for (const std::string& part : parts)
    if (!is_file_name(part)) return broken("a path " + base::quoted(entry.path, 200));
  // In the folder that was entered last, or one above it.
  bool fits = parts.size() - 1 <= folders_.size() &&
              std::equal(parts.begin(), parts.end() - 1, folders_.begin());
  if (!fits) return broken("a path " + base::quoted(entry.path, 200) + " out of order");
  folders_.resize(parts.size() - 1);
  if (folder) folders_.push_back(parts.back());
  return {};
}

Result<std::optional<CopyEntry>> CopyReader::next() {
  if (!started_) {
    TRY_AS(std::string_view magic, take(kMagic.size()));
    if (magic != kMagic) return broken("not a stream of copies");
    started_ = true;
  }
  while (in_file_) {
    TRY_AS(auto skipped, chunk());
    if (!skipped) break;
  }
  if (ended_) return std::optional<CopyEntry>();
  TRY_AS(uint64_t kind, number(1));
  if (kind == kEnd) {
    if (entries_ == 0) return broken("it holds nothing");
    ended_ = true;
    return std::optional<CopyEntry>();
  }
  if (kind != 'f' && kind != 'd' && kind != 'l') return broken("an unknown kind of entry");
  if (++entries_ > kMaxCopyEntries) return broken("too many entries");
  TRY_AS(CopyEntry read_entry, entry(static_cast<CopyEntry::Kind>(kind)));
  TRY(check_place(read_entry));
  in_file_ = read_entry.kind == CopyEntry::Kind::kFile;
  size_ = read_entry.size;
  reached_ = 0;
  return std::optional<CopyEntry>(std::move(read_entry));
}

Result<std::optional<CopyChunk>> CopyReader::chunk() {
  if (!in_file_) return std::optional<CopyChunk>();
  TRY_AS(uint64_t offset, number(8));
  TRY_AS(uint64_t length, number(4));
  if (length == 0) {
    if (offset != 0) return broken("data without bytes");
    in_file_ = false;
    return std::optional<CopyChunk>();
  }
  if (length > kMaxCopyChunk) return broken("too much data at once");
  if (offset < reached_ || offset > size_ || length > size_ - offset)
    return broken("data outside of its file");
  reached_ = offset + length;
  TRY_AS(std::string_view bytes, take(length));
  return std::optional<CopyChunk>(CopyChunk{offset, bytes});
}

}  // namespace api
