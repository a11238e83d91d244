#include "zoned/api/audit_check.h"

#include "base/sha256.h"

namespace api {

using nlohmann::json;

namespace {

std::string numbered(uint64_t seq) { return "record " + std::to_string(seq); }

std::string numbered(uint64_t from, uint64_t to) {
  if (from == to) return numbered(from) + " is";
  return "records " + std::to_string(from) + " to " + std::to_string(to) + " are";
}

template <typename T>
T member(const json& object, const char* name, T fallback) {
  auto it = object.find(name);
  if (it == object.end()) return fallback;
  if constexpr (std::is_same_v<T, std::string>)
    return it->is_string() ? it->template get<std::string>() : fallback;
  else
    return it->is_number_unsigned() ? it->template get<T>() : fallback;
}

json parsed(const std::string& text) {
  json object = json::parse(text, nullptr, false);
  return object.is_object() ? object : json::object();
}

}  // namespace

AuditCheck::AuditCheck(std::vector<AuditHead> known, bool whole) : whole_(whole) {
  for (AuditHead& head : known) known_.emplace(head.seq, std::move(head.hash));
}

void AuditCheck::begin_file(std::string name) {
  file_ = std::move(name);
  lines_ = 0;
  partial_.clear();
  overlong_ = false;
}

void AuditCheck::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    size_t end = bytes.find('\n');
    std::string_view piece = bytes.substr(0, end);
    if (partial_.size() + piece.size() > kMaxAuditLine) overlong_ = true;
    if (!overlong_) partial_ += piece;
    if (end == std::string_view::npos) return;
    line(partial_, true);
    partial_.clear();
    overlong_ = false;
    bytes.remove_prefix(end + 1);
  }
}

void AuditCheck::end_file() {
  if (!partial_.empty() || overlong_) line(partial_, false);
  partial_.clear();
  overlong_ = false;
}

void AuditCheck::line(std::string_view text, bool complete) {
  Item item;
  item.place = file_ + ":" + std::to_string(++lines_);
  item.complete = complete;
  auto prefix = overlong_ || !complete ? std::nullopt : audit_prefix(text);
  if (prefix) {
    item.record = true;
    item.seq = prefix->seq;
    item.prev = prefix->prev;
    item.kind = prefix->kind;
    item.hash = base::sha256_hex(text);
    if (item.kind == "torn" || item.kind == "pruned") item.text = text;
  } else {
    item.text = text;
  }
  if (pending_) step(*pending_, &item);
  pending_ = std::move(item);
}

void AuditCheck::fault(const std::string& place, std::string text) {
  if (faults_.size() < kMaxFaults) faults_.push_back({place, std::move(text)});
}

void AuditCheck::not_a_record(const Item& item, const Item* next) {
  if (next == nullptr && !item.complete) {
    torn_ = item.text;
    return;
  }
  if (next != nullptr && next->record && next->kind == "torn") {
    json told = parsed(next->text);
    if (member<uint64_t>(told, "bytes", 0) == item.text.size() &&
        member<std::string>(told, "sha256", "") == base::sha256_hex(item.text))
      return;
  }
  std::string expected = numbered(head_.seq + 1);
  if (next != nullptr && next->record && next->seq == head_.seq + 1)
    return fault(item.place, "a line that is no record was put in before " + expected);
  fault(item.place, expected + " was changed: the line is no record");
  // Where a record stood, the next one tells the hash that it had.
  if (next != nullptr && next->record && next->seq == head_.seq + 2)
    head_ = {head_.seq + 1, next->prev};
}

void AuditCheck::begin_with(const Item& item) {
  first_ = item.seq;
  begin_explained_ = item.kind == "accepted";
  if (item.seq > 1) head_ = {item.seq - 1, item.prev};
  begin_ = head_;
  first_place_ = last_place_ = item.place;
}

void AuditCheck::learn(const Item& item) {
  if (item.kind != "pruned") return;
  json told = parsed(item.text);
  pruned_[member<uint64_t>(told, "last", 0)] = member<std::string>(told, "hash", "");
}

void AuditCheck::take(const Item& item) {
  ++records_;
  head_ = {item.seq, item.hash};
  last_place_ = item.place;
  learn(item);
  auto [from, to] = known_.equal_range(item.seq);
  for (auto it = from; it != to; ++it) {
    ++heads_seen_;
    if (it->second != item.hash)
      fault(item.place, numbered(item.seq) + " is not the one whose head was noted (" +
                            AuditHead{item.seq, it->second}.text() +
                            "): it or one before it was changed and the chain made anew");
  }
}

void AuditCheck::step(const Item& item, const Item* next) {
  if (skip_) {
    skip_ = false;
    return;
  }
  if (!item.record) return not_a_record(item, next);
  if (first_ == 0) begin_with(item);
  if (item.seq != head_.seq + 1) return out_of_order(item, next);
  if (item.prev == head_.hash) return take(item);
  bool follows = next != nullptr && next->record && next->seq == item.seq + 1;
  if (head_.seq > 0 && (!follows || next->prev == item.hash)) {
    fault(last_place_, numbered(head_.seq) + " was changed");
    return take(item);
  }
  fault(item.place, numbered(item.seq) + " was changed");
  take(item);
  if (follows) head_.hash = next->prev;
}

void AuditCheck::out_of_order(const Item& item, const Item* next) {
  uint64_t expected = head_.seq + 1;
  if (item.seq < expected) {
    fault(item.place, numbered(item.seq) + " stands behind " + numbered(head_.seq) +
                          ": a line was put in or moved");
    return;
  }
  bool record_next = next != nullptr && next->record;
  if (record_next && next->seq == expected && item.seq == expected + 1) {
    fault(item.place, numbered(expected) + " and " + numbered(item.seq) + " were swapped");
    skip_ = true;
  } else if (record_next && next->seq == expected + 1 && item.prev == head_.hash) {
    fault(item.place,
          numbered(expected) + " was changed: it is numbered " + std::to_string(item.seq));
    ++records_;
    head_ = {expected, next->prev};
    last_place_ = item.place;
    return;
  } else {
    fault(item.place, numbered(expected, item.seq - 1) + " missing: removed before this line");
  }
  take(item);
}

void AuditCheck::finish() {
  if (pending_) step(*pending_, nullptr);
  pending_.reset();
  uint64_t missing = known_.empty() ? 0 : known_.rbegin()->first;
  if (missing > head_.seq) {
    fault(first_ == 0 ? file_ + ":1" : last_place_,
          numbered(head_.seq + 1, missing) + " missing: removed from the end");
  }
  if (!whole_ || first_ <= 1 || begin_explained_) return;
  auto it = pruned_.find(begin_.seq);
  if (it == pruned_.end() || it->second != begin_.hash)
    fault(first_place_, numbered(1, begin_.seq) + " missing: removed from the beginning");
}

}  // namespace api
