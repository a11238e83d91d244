// Copies between zones that are under way or wait for a second person: LIB/transfers/NUMBER, 0700, each
// with its record and the frozen content. What is shown, approved and written are the same bytes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "labels/label.h"
#include "labels/policy.h"

namespace zoned {

struct Transfer {
  enum class Stage {
    kFreezing,  // the content is being read
    kFrozen,    // waits for the word of who asked
    kQueued,    // waits for a second person
    kWriting,   // the target is being written
    kPlaced,    // the target is there; a moved file's source goes next
    kLeft,      // it failed, and what it may have left in the target could not be taken back
  };
  uint64_t number = 0;  // random, 6 digits: it tells of no others
  std::string id;       // 16 hex digits
  Stage state = Stage::kFreezing;
  uid_t uid = 0;      // who asked
  std::string asked;  // when, as in events
  std::string from, from_path, to, to_path;
  labels::Label from_label, to_label;
  bool recursive = false;
  bool replace = false;  // a file by a file
  bool move = false;     // zone relabel
  uint64_t files = 0;
  uint64_t bytes = 0;
  std::string sha256;    // of the content's stream; empty: there is none, or none any more
  std::string identity;  // of a moved file (core::Packed)

  labels::Flow flow() const { return labels::flow(from_label, to_label); }
  std::string temporary() const { return ".zone-copy-" + id; }
  // "copy of 'a:/x' (SECRET)" is put together by who has the names; this is "a:/x to b:/y".
  std::string text() const { return from + ":" + from_path + " to " + to + ":" + to_path; }
};
std::string_view transfer_stage_name(Transfer::Stage state);

// A JSON object; from text: strict, the file is ours.
std::string to_text(const Transfer& transfer);
base::Result<Transfer> transfer_from_text(std::string_view text);

class TransferStore {
 public:
  static base::Result<TransferStore> open(const std::string& lib);

  // Every record; what can't be read is removed.
  std::vector<Transfer> load() const;
  // A folder for a new one, with a free number; the content's file, open for writing.
  base::Result<base::UniqueFd> create(Transfer* transfer) const;
  base::Status write(const Transfer& transfer) const;                    // durable
  base::Result<base::UniqueFd> content(const Transfer& transfer) const;  // open for reading
  base::Status drop_content(uint64_t number) const;                      // absent is success
  base::Status remove(uint64_t number) const;

 private:
  explicit TransferStore(base::UniqueFd folder) : folder_(std::move(folder)) {}
  base::UniqueFd folder_;
};

// Absolute, of names alone (no ".", "..", "//"), not "/". kInvalid for /dev, /proc, /sys, /run, /tmp and
// /zone: what a zone sees there is not in its tree.
base::Status check_zone_path(const std::string& path);

}  // namespace zoned
