// The form of requests to zone-parse and of its answers, for both sides alone (parse_text.h).
//
// request:  a byte that says which, then fields, each behind its length (4 bytes, little-endian)
// answer:   ["ok", value] | ["error", [code, message, hint]]
// config:   [text, document]
// document: [file, [entry...]]
// entry:    [[path...], kind, value, line and column of the key, line and column of the value]
#pragma once

#include <cstddef>

namespace core {

inline constexpr size_t kMaxParsedEntries = 8192;
inline constexpr size_t kMaxParsedPath = 20;  // segments
inline constexpr size_t kEntryMembers = 7;

enum RequestKind : char {
  kCall = 'c',       // a message
  kDocuments = 'd',  // file and text, for each
  kEditZone = 'z',   // name, text, assignments
  kEditPool = 'p',   // likewise
  kEncodings = 'l',  // file and text; the answer: encodings_value.h
  kJson = 'j',       // a text
};

// Kinds of values: the alternatives of ConfigValue.
enum ParsedKind {
  kBoolean = 1,
  kInteger,
  kNumber,
  kString,
  kStrings,
  kTable,
  kList,
  kOther,
};

}  // namespace core
