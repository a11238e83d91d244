// Verification of an audit log: reads records in order and finds each place where the chain is not
// what was written. The chain alone can be computed anew by whoever may write the files; heads that
// were noted elsewhere (journal, another machine) tell that, and tell what is missing at the end.
// Pure: bytes in, faults out; any bytes will do.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zoned/api/audit_record.h"

namespace api {

struct AuditFault {
  std::string place;  // "audit.000001.log:123": file and line
  std::string text;   // "record 456 was changed"
};

class AuditCheck {
 public:
  static constexpr size_t kMaxFaults = 100;

  // known: heads noted elsewhere. whole: the log from its first file on; without it a beginning that
  // is missing is no fault.
  AuditCheck(std::vector<AuditHead> known, bool whole);

  // A file, its bytes in pieces, its end; the files in order.
  void begin_file(std::string name);
  void feed(std::string_view bytes);
  void end_file();
  void finish();

  // The first kMaxFaults, in order.
  const std::vector<AuditFault>& faults() const { return faults_; }
  // After the last record that is in its place.
  const AuditHead& head() const { return head_; }
  uint64_t records() const { return records_; }
  uint64_t first() const { return first_; }  // number of the first record; 0: none
  size_t heads_seen() const { return heads_seen_; }
  // Bytes of an incomplete last line: what a crash leaves, no fault by itself. Empty: none.
  const std::string& torn() const { return torn_; }

 private:
  struct Item {
    std::string place;
    bool record = false;
    uint64_t seq = 0;
    std::string prev;
    std::string hash;
    std::string kind;
    std::string text;  // of kinds that tell of the log itself, and of what is no record
    bool complete = true;
  };
  void line(std::string_view text, bool complete);
  // next: what follows, null at the end.
  void step(const Item& item, const Item* next);
  void not_a_record(const Item& item, const Item* next);
  void out_of_order(const Item& item, const Item* next);
  void begin_with(const Item& item);
  void take(const Item& item);
  void learn(const Item& item);
  void fault(const std::string& place, std::string text);

  std::multimap<uint64_t, std::string> known_;
  std::map<uint64_t, std::string> pruned_;  // last record of a removed file -> its hash
  bool whole_;
  std::string file_;
  uint64_t lines_ = 0;
  std::string partial_;
  bool overlong_ = false;
  std::optional<Item> pending_;
  bool skip_ = false;  // the next item has been dealt with
  AuditHead head_;
  AuditHead begin_;  // what the first record follows
  std::string first_place_;
  std::string last_place_;
  uint64_t first_ = 0;
  uint64_t records_ = 0;
  bool begin_explained_ = false;
  size_t heads_seen_ = 0;
  std::string torn_;
  std::vector<AuditFault> faults_;
};

}  // namespace api
