// Encodings files, and names for them: "FILE\n%%\nNAME\nNAME...". A file has faults, in order, each with
// a line of the file, or is read; a name that is read gives a label whose name is read as the same.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/strings.h"
#include "labels/encodings.h"
#include "labels/encodings_data.h"

namespace {

using labels::Encodings;
using labels::Label;

void require(bool good, const char* what, const std::string& detail) {
  if (good) return;
  std::fprintf(stderr, "%s:\n%s\n", what, detail.c_str());
  std::abort();
}

void check_clean(const std::string& text) {
  require(base::is_clean_utf8(text), "not UTF-8", text);
  require(text.find_first_of("\n\r\t\x1b") == std::string::npos, "control character", text);
}

void check_label(const Encodings& encodings, const Label& label) {
  std::string name = encodings.name_of(label);
  bool has_name = name != label.encode();
  auto back = encodings.parse_label(name);
  require(back.ok() == has_name, "a name that is none", name);
  require(!has_name || *back == label, "a name of another label", name);
  auto shortened = encodings.parse_label(encodings.short_name_of(label));
  require(!has_name || (shortened && *shortened == label), "a short name of another label", name);
  if (encodings.check_label(label)) require(has_name, "in range without a name", label.encode());
  require(encodings.colour_of(label).size() == 7, "colour", encodings.colour_of(label));
}

void check_clearance(const Encodings& encodings, const Label& label) {
  std::string name = encodings.clearance_name_of(label);
  auto back = encodings.parse_clearance(name);
  require(!encodings.check_clearance(label) || (back && *back == label), "clearance", name);
}

void check_name(const Encodings& encodings, const std::string& name) {
  auto label = encodings.parse_label(name);
  if (label) {
    require(encodings.name_of(*label) != label->encode(), "a label without a name", name);
    check_label(encodings, *label);
  } else {
    check_clean(label.error().message);
    check_clean(label.error().hint);
  }
  auto clearance = encodings.parse_clearance(name);
  if (clearance) check_clearance(encodings, *clearance);
}

void check_faults(std::string_view text) {
  std::vector<labels::Fault> faults = Encodings::check(text);
  size_t lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  unsigned last = 0;
  for (const labels::Fault& fault : faults) {
    require(fault.line >= 1 && fault.line <= lines, "line", fault.message);
    require(fault.line >= last, "order", fault.message);
    require(!fault.rule.empty() && !fault.message.empty(), "empty fault", fault.rule);
    check_clean(fault.message);
    last = fault.line;
  }
  require(faults.empty() == Encodings::parse(text, "fuzz").ok(), "check and parse differ", "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kMark = "\n%%\n";
  size_t mark = input.find(kMark);
  std::string_view text = input.substr(0, mark == std::string_view::npos ? size : mark + 1);
  check_faults(text);
  auto parsed = Encodings::parse(text, "fuzz");
  const Encodings& encodings = parsed ? *parsed : Encodings::built_in();
  if (mark != std::string_view::npos)
    for (const std::string& name : base::split(input.substr(mark + kMark.size()), '\n'))
      check_name(encodings, name);
  if (!parsed) return 0;
  auto accepted = Encodings::accept(encodings.data());
  require(accepted.ok(), "read but not accepted", accepted ? "" : accepted.error().message);
  require(encodings.check_label(encodings.default_label()).ok(), "default label", "");
  require(encodings.check_clearance(encodings.default_clearance()).ok(), "default clearance", "");
  require(encodings.default_clearance().dominates(encodings.default_label()), "defaults", "");
  for (const labels::Classification& classification : encodings.data().classifications) {
    check_label(encodings, {classification.value, classification.initial_compartments});
    check_name(encodings, classification.name);
    for (const labels::Word& word : encodings.data().sensitivity.words)
      check_name(encodings, classification.short_name + " " + word.name);
  }
  return 0;
}
