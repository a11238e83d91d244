#include "vmzone/qcow2.h"

#include <algorithm>

#include "base/strings.h"
#include "vmzone/disk_format.h"

namespace vmzone {
namespace {

using base::Code;
using base::Error;
using base::make_error;
using base::Result;
using base::Status;

constexpr std::string_view kMagic = "QFI\xfb";
constexpr const char* kConvert = "make a plain image of it: qemu-img convert -O qcow2 IMAGE NEW";

constexpr size_t kHeaderBytes2 = 72;             // of version 2
constexpr size_t kHeaderBytes3 = 104;            // of version 3, at least
constexpr uint64_t kMaxL1Bytes = 32 << 20;       // as QEMU has it
constexpr uint64_t kMaxRefcountBytes = 8 << 20;  // likewise
constexpr uint32_t kMaxSnapshots = 65536;        // likewise

// Incompatible features.
constexpr uint64_t kDirty = 1;
constexpr uint64_t kCorrupt = 2;
constexpr uint64_t kDataFile = 4;
constexpr uint64_t kCompressionType = 8;
constexpr uint64_t kExtendedL2 = 16;
constexpr uint64_t kKnownFeatures = kDirty | kCompressionType | kExtendedL2;

// Header extensions.
constexpr uint32_t kEnd = 0;
constexpr uint32_t kBackingFormat = 0xe2792aca;
constexpr uint32_t kFeatureNames = 0x6803f857;
constexpr uint32_t kBitmaps = 0x23852875;
constexpr uint32_t kEncryption = 0x0537be77;
constexpr uint32_t kDataFileName = 0x44415441;

uint64_t big_endian(std::string_view bytes, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

Error malformed(const std::string& what) {
  return make_error(Code::kInvalid, "qcow2 image: " + what,
                    "check it: qemu-img check IMAGE; is it complete?");
}

Error refused(const std::string& what) {
  return make_error(Code::kUnsupported, "qcow2 image " + what, kConvert);
}

// The fields that all checks look at.
struct Fields {
  explicit Fields(std::string_view head)
      : version(number(head, 4, 4)),
        backing_offset(number(head, 8, 8)),
        backing_size(number(head, 16, 4)),
        cluster_bits(number(head, 20, 4)),
        size(number(head, 24, 8)),
        encryption(number(head, 32, 4)),
        l1_entries(number(head, 36, 4)),
        l1_offset(number(head, 40, 8)),
        refcount_offset(number(head, 48, 8)),
        refcount_clusters(number(head, 56, 4)),
        snapshots(number(head, 60, 4)),
        snapshots_offset(number(head, 64, 8)) {
    if (version < 3 || head.size() < kHeaderBytes3) return;
    features = number(head, 72, 8);
    refcount_order = number(head, 96, 4);
    header_bytes = number(head, 100, 4);
  }

  static uint64_t number(std::string_view head, size_t at, size_t count) {
    return big_endian(head, at, count);
  }

  uint64_t version, backing_offset, backing_size, cluster_bits, size, encryption, l1_entries,
      l1_offset, refcount_offset, refcount_clusters, snapshots, snapshots_offset;
  uint64_t features = 0;
  uint64_t refcount_order = 4;
  uint64_t header_bytes = kHeaderBytes2;
};

Status check_references(const Fields& f) {
  if (f.backing_offset != 0 || f.backing_size != 0) return refused("has a backing file");
  if (f.encryption != 0) return refused("is encrypted");
  if ((f.features & kDataFile) != 0) return refused("keeps its data in another file");
  if ((f.features & kCorrupt) != 0) return malformed("it is marked as corrupt");
  if ((f.features & ~(kKnownFeatures)) != 0) return refused("has features that are not known");
  return {};
}

// A table of `bytes` at `offset` begins at a cluster and lies within the file.
Status check_table(const std::string& name, uint64_t offset, uint64_t bytes, const Fields& f,
                   uint64_t file_size) {
  uint64_t cluster = uint64_t{1} << f.cluster_bits;
  if (offset == 0 || offset % cluster != 0)
    return malformed("the " + name + " does not begin at a cluster");
  if (offset > file_size || bytes > file_size - offset)
    return malformed("the " + name + " lies beyond the end of the file");
  return {};
}

Status check_tables(const Fields& f, uint64_t file_size) {
  uint64_t cluster = uint64_t{1} << f.cluster_bits;
  uint64_t l2_entry = (f.features & kExtendedL2) != 0 ? 16 : 8;
  uint64_t l2_covers = cluster / l2_entry * cluster;
  uint64_t needed = f.size / l2_covers + (f.size % l2_covers != 0 ? 1 : 0);
  if (f.l1_entries * 8 > kMaxL1Bytes) return malformed("the L1 table is too large");
  if (f.l1_entries < needed) return malformed("the L1 table is too small for the disk");
  if (f.l1_entries != 0) TRY(check_table("L1 table", f.l1_offset, f.l1_entries * 8, f, file_size));
  uint64_t refcount_bytes = f.refcount_clusters * cluster;
  if (f.refcount_clusters == 0) return malformed("there is no refcount table");
  if (refcount_bytes > kMaxRefcountBytes) return malformed("the refcount table is too large");
  // A sparse file may end within the table's last cluster.
  TRY(check_table("refcount table", f.refcount_offset, 8, f, file_size));
  if (f.snapshots > kMaxSnapshots) return malformed("it has too many snapshots");
  if (f.snapshots != 0) TRY(check_table("snapshot table", f.snapshots_offset, 8, f, file_size));
  return {};
}

Status check_sizes(const Fields& f, uint64_t file_size) {
  constexpr uint64_t kMinClusterBits = 9;
  constexpr uint64_t kMaxClusterBits = 21;
  constexpr uint64_t kMaxRefcountOrder = 6;
  if (f.cluster_bits < kMinClusterBits || f.cluster_bits > kMaxClusterBits)
    return malformed("the size of clusters is out of range");
  if (f.header_bytes < (f.version == 2 ? kHeaderBytes2 : kHeaderBytes3) ||
      f.header_bytes % 8 != 0 || f.header_bytes > (uint64_t{1} << f.cluster_bits))
    return malformed("the length of the header is out of range");
  if (f.refcount_order > kMaxRefcountOrder)
    return malformed("the width of refcounts is out of range");
  if (f.size == 0) return malformed("the disk is empty");
  if (f.size % 512 != 0) return malformed("the disk is no whole number of sectors of 512 bytes");
  if (f.size > kMaxDiskBytes)
    return malformed("the disk is larger than " + base::format_size(kMaxDiskBytes));
  return check_tables(f, file_size);
}

Status check_extension(uint32_t type) {
  switch (type) {
    case kFeatureNames:
    case kBitmaps:
      return {};
    case kBackingFormat:
      return refused("names the format of a backing file");
    case kDataFileName:
      return refused("names another file for its data");
    case kEncryption:
      return refused("is encrypted");
    default:
      return refused("has a header extension that is not known");
  }
}

Status check_extensions(const Fields& f, std::string_view head) {
  size_t at = f.header_bytes;
  size_t end = std::min<uint64_t>(head.size(), uint64_t{1} << f.cluster_bits);
  for (;;) {
    if (end < at || end - at < 8) return malformed("the header extensions have no end");
    auto type = static_cast<uint32_t>(big_endian(head, at, 4));
    uint64_t bytes = big_endian(head, at + 4, 4);
    if (type == kEnd) return {};
    TRY(check_extension(type));
    at += 8;
    if (bytes > end - at) return malformed("a header extension is cut off");
    at += (bytes + 7) / 8 * 8;
  }
}

void put(std::string* image, size_t at, uint64_t value, size_t count) {
  for (size_t i = 0; i < count; ++i)
    (*image)[at + i] = static_cast<char>(value >> (8 * (count - 1 - i)));
}

}  // namespace

bool is_qcow2(std::string_view head) { return head.starts_with(kMagic); }

Result<Qcow2Header> read_qcow2(std::string_view head, uint64_t file_size) {
  if (!is_qcow2(head)) return malformed("its magic is missing");
  if (head.size() < 8) return malformed("the header is cut off");
  uint64_t version = big_endian(head, 4, 4);
  if (version == 1) return refused("is of the first version (qcow)");
  if (version != 2 && version != 3) return refused("is of an unknown version");
  if (head.size() < (version == 2 ? kHeaderBytes2 : kHeaderBytes3))
    return malformed("the header is cut off");
  Fields f(head);
  TRY(check_references(f));
  TRY(check_sizes(f, file_size));
  TRY(check_extensions(f, head));
  Qcow2Header header;
  header.version = static_cast<uint32_t>(f.version);
  header.cluster_bits = static_cast<uint32_t>(f.cluster_bits);
  header.virtual_size = f.size;
  header.l1_entries = static_cast<uint32_t>(f.l1_entries);
  header.snapshots = static_cast<uint32_t>(f.snapshots);
  header.dirty = (f.features & kDirty) != 0;
  return header;
}

// Clusters: header, refcount table, refcount block, L1 table, L2 table, data.
Result<std::string> make_qcow2(std::string_view content) {
  constexpr uint64_t kBits = 16;
  constexpr uint64_t kCluster = uint64_t{1} << kBits;
  constexpr uint64_t kTables = 5;
  constexpr uint64_t kCopied = uint64_t{1} << 63;  // its refcount is 1: written in place
  constexpr size_t kMaxContent = 16 << 20;
  if (content.empty() || content.size() > kMaxContent)
    return make_error(Code::kInvalid, "qcow2 image: its content is empty or too large");
  uint64_t clusters = (content.size() + kCluster - 1) / kCluster;
  std::string image(kTables * kCluster, '\0');
  std::copy(kMagic.begin(), kMagic.end(), image.begin());
  put(&image, 4, 3, 4);
  put(&image, 20, kBits, 4);
  put(&image, 24, (content.size() + 511) / 512 * 512, 8);
  put(&image, 36, 1, 4);             // L1 entries
  put(&image, 40, 3 * kCluster, 8);  // L1 table
  put(&image, 48, kCluster, 8);      // refcount table
  put(&image, 56, 1, 4);             // its clusters
  put(&image, 96, 4, 4);             // refcounts of 16 bits
  put(&image, 100, kHeaderBytes3, 4);
  put(&image, kCluster, 2 * kCluster, 8);
  for (uint64_t i = 0; i < kTables + clusters; ++i) put(&image, 2 * kCluster + 2 * i, 1, 2);
  put(&image, 3 * kCluster, 4 * kCluster | kCopied, 8);
  for (uint64_t i = 0; i < clusters; ++i)
    put(&image, 4 * kCluster + 8 * i, ((kTables + i) * kCluster) | kCopied, 8);
  image += content;
  image.resize((kTables + clusters) * kCluster, '\0');
  return image;
}

}  // namespace vmzone
