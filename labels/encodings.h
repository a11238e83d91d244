// What labels there are, and their names and colours: a label_encodings file (DoD "Compartmented Mode
// Workstation Labeling: Encodings Format", DDS-2600-6216-93; Trusted Extensions label_encodings(5);
// ours: label_encodings(5)). Plain value, parsed once and cheap to copy; stored labels are binary
// (label.h) and outlive a file.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "labels/label.h"

namespace labels {

struct EncodingsData;

// One fault of a file.
struct Fault {
  unsigned line = 0;    // from 1
  std::string rule;     // which part of the format is broken: "CLASSIFICATIONS: value"
  std::string message;  // what is wrong, its subject quoted
};

class Encodings {
 public:
  // Bytes of a file; more is a fault.
  static constexpr size_t kMaxSize = 1 << 20;

  // kInvalid with the first fault: "FILE:LINE: RULE: MESSAGE".
  static base::Result<Encodings> parse(std::string_view text, std::string_view file);
  // What parse() made, as a process that is not trusted tells it. Derived parts, lines and titles are made
  // anew. kInvalid for data that no file gives; its text is for developers.
  static base::Result<Encodings> accept(EncodingsData data);
  // All faults (at most 100) in the file's order; empty: parse() succeeds.
  static std::vector<Fault> check(std::string_view text);
  // What serves a host without a file: PUBLIC, INTERNAL, CONFIDENTIAL, SECRET and a few compartments.
  static const Encodings& built_in();
  static std::string_view built_in_text();

  // What a zone without `label` gets, and the least label of a user whom nobody gave another: the
  // default user sensitivity label of the local definitions, else the minimum sensitivity label.
  const Label& default_label() const;
  // What a user has whom nobody gave another: the default user clearance of the local definitions,
  // else the minimum clearance.
  const Label& default_clearance() const;

  // A name in any case, long or short, words in any order; ADMIN_LOW and ADMIN_HIGH; "[...]" around it
  // is ignored. What required combinations and minimum classes add is added. kInvalid with a hint.
  // The label is well-formed, but not always within the accreditation range (check_label).
  base::Result<Label> parse_label(std::string_view name) const;
  base::Result<Label> parse_clearance(std::string_view name) const;
  // Canonical long name: parse_label(name_of(l)) == l for every well-formed l. A label that has no name
  // here, or one that another label has as well, gives its stored form, which parse_label refuses.
  std::string name_of(const Label& label) const;
  // The same with short names of classification and words where there are any.
  std::string short_name_of(const Label& label) const;
  std::string clearance_name_of(const Label& label) const;
  // Well-formed and within the accreditation range; ADMIN_LOW and ADMIN_HIGH are not. kInvalid.
  base::Status check_label(const Label& label) const;
  // Well-formed as a clearance; ADMIN_HIGH is one, ADMIN_LOW is not. kInvalid.
  base::Status check_clearance(const Label& label) const;
  // "#rrggbb": of a word of the label, else of the exact label, else of its classification, else black.
  std::string colour_of(const Label& label) const;

  // Everything that the file holds, to show it.
  const EncodingsData& data() const { return *data_; }

 private:
  explicit Encodings(std::shared_ptr<const EncodingsData> data) : data_(std::move(data)) {}
  std::shared_ptr<const EncodingsData> data_;  // never null
};

}  // namespace labels
