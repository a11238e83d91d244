#include <catch2/catch.hpp>

#include "base/strings.h"
#include "labels/encodings.h"
#include "tests/unit/labels/encodings_samples.h"

namespace {

using labels::Encodings;
using labels::Fault;

// In line `line` of the small sample the first `from` becomes `to`; an empty `from`: `to` becomes a
// line of its own before it. The first fault must then be in line `where` and of `rule`.
struct Broken {
  size_t line;
  const char* from;
  const char* to;
  unsigned where;
  const char* rule;
  const char* message;
};

std::string broken_text(const Broken& row) {
  std::vector<std::string> lines = base::split(samples::kSmall, '\n');
  if (*row.from == 0) {
    lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(row.line) - 1, row.to);
  } else {
    std::string& line = lines.at(row.line - 1);
    size_t at = line.find(row.from);
    REQUIRE(at != std::string::npos);
    line.replace(at, std::string(row.from).size(), row.to);
  }
  return base::join(lines, "\n");
}

constexpr char kIl[] = "INFORMATION LABELS: WORDS";

const Broken kBroken[] = {
    {1, "VERSION= small", "* none", 2, "VERSION",
     "'VERSION=' is missing: 'CLASSIFICATIONS:' stands"},
    {1, "small", "", 1, "VERSION", "the version is empty"},
    {1, "VERSION=", "VERSION =", 1, "syntax", "blank before '=' of 'VERSION='"},
    {1, "small", "sm\x01ll", 1, "syntax", "holds other than printable ASCII"},
    {1, "small", "sm\xc3\xa4ll", 1, "syntax", "holds other than printable ASCII"},
    {2, "CLASSIFICATIONS:", "CLASIFICATIONS:", 2, "CLASSIFICATIONS",
     "'CLASSIFICATIONS:' is missing"},
    {3, "name= LOW; ", "", 3, "CLASSIFICATIONS", "'SNAME=' has no place here"},
    {3, "sname= L; ", "", 3, "CLASSIFICATIONS", "'LOW' has no SNAME="},
    {3, "value= 1;", "", 3, "CLASSIFICATIONS", "'LOW' has no VALUE="},
    {3, "value= 1;", "value= 256", 3, "CLASSIFICATIONS: value",
     "'256' is not a number from 0 to 255"},
    {3, "value= 1;", "value= 5", 4, "CLASSIFICATIONS: value", "'HIGH' has the value of 'LOW'"},
    {3, "value= 1;", "value= 1; value= 2", 3, "CLASSIFICATIONS: value", "'VALUE=' comes twice"},
    {4, "name= HIGH", "name= LOW", 4, "CLASSIFICATIONS: name", "name 'LOW' is taken"},
    {4, "sname= H", "sname= L", 4, "CLASSIFICATIONS: name", "name 'L' is taken"},
    {4, "sname= H", "aname= low; sname= H", 4, "CLASSIFICATIONS: name", "name 'low' is taken"},
    {4, "name= HIGH", "name= HI/GH", 4, "CLASSIFICATIONS: name", "name 'HI/GH' holds '/'"},
    {4, "name= HIGH", "name= HI,GH", 4, "CLASSIFICATIONS: name", "name 'HI,GH' holds ','"},
    {4, "name= HIGH", "name= Admin_High", 4, "CLASSIFICATIONS: name", "is reserved"},
    {4, "name= HIGH", "name= prefix", 4, "CLASSIFICATIONS: name", "reads as a keyword"},
    {4, "name= HIGH", "name= [HIGH]", 4, "CLASSIFICATIONS: name", "holds '['"},
    {4, "= 3;", "= 240;", 4, "CLASSIFICATIONS: initial compartments", "'240' is neither N nor N-M"},
    {4, "= 3;", "= 3-3;", 4, "CLASSIFICATIONS: initial compartments", "'3-3' is neither N nor N-M"},
    {4, "= 3;", "= ~3;", 4, "CLASSIFICATIONS: initial compartments", "initial bits can't be off"},
    {4, "initial compartments= 3;", "compartments= 3", 4, "CLASSIFICATIONS: compartments",
     "no place here"},
    {4, "initial compartments= 3;", "initial compartment= 3", 4, "CLASSIFICATIONS",
     "perhaps 'INITIAL COMPARTMENTS='"},
    {6, "WORDS:", "* none", 7, "INFORMATION LABELS", "'WORDS:' is missing: 'NAME=' stands"},
    {9, "name= A; ", "", 8, kIl, "word 'ONLY' is a suffix, which has no bits"},
    {9, "compartments= 0; ", "", 9, kIl, "word 'A' has neither compartments nor markings"},
    {9, "minclass= H;", "minclass= M;", 9, "INFORMATION LABELS: WORDS: minclass",
     "unknown classification 'M'"},
    {9, "minclass= H;", "minclass= H; maxclass= L", 9, "INFORMATION LABELS: WORDS: minclass",
     "word 'A' has its minclass above its maxclass"},
    {9, "minclass= H;", "minclass= H; omaxclass= L", 9, "INFORMATION LABELS: WORDS: minclass",
     "word 'A' has its minclass above its omaxclass"},
    {9, "minclass= H;", "ominclass= H; maxclass= L", 9, "INFORMATION LABELS: WORDS: ominclass",
     "word 'A' has its ominclass above its maxclass"},
    {9, "minclass= H;", "ominclass= H; omaxclass= L", 9, "INFORMATION LABELS: WORDS: ominclass",
     "word 'A' has its ominclass above its omaxclass"},
    {10, "name= B", "name= a", 10, "INFORMATION LABELS: WORDS: name", "name 'a' is taken"},
    {10, "name= B", "name= B; iname= A", 10, "INFORMATION LABELS: WORDS: iname",
     "name 'A' is taken"},
    {10, "name= B", "name= !", 10, "INFORMATION LABELS: WORDS: name", "combinations can't name"},
    {10, "name= B", "name= B; flags= 15", 10, "INFORMATION LABELS: WORDS: flags",
     "flags are on and of 0 to 14"},
    {10, "= 1;", "= 1 ~1;", 10, "INFORMATION LABELS: WORDS: compartments", "bit 1 on and off"},
    {11, "suffix= ONLY", "suffix= REL", 11, "INFORMATION LABELS: WORDS: suffix",
     "'REL' is no suffix above"},
    {12, "prefix= REL", "prefix= RELL", 12, "INFORMATION LABELS: WORDS: prefix",
     "'RELL' is no prefix above"},
    {7, "prefix;", "prefix; suffix;", 7, kIl, "word 'REL' is both prefix and suffix"},
    {8, "suffix;", "suffix; compartments= 0;", 8, kIl,
     "word 'ONLY' is a suffix, which has no bits"},
    {8, "suffix;", "prefix; prefix= REL", 8, kIl, "is a prefix or suffix and needs one"},
    {12, "~3", "~4", 12, "INFORMATION LABELS: WORDS: compartments",
     "word 'D': inverse bit 4 is not among the initial bits"},
    {9, "compartments= 0;", "compartments= 0; minclass= H;", 9,
     "INFORMATION LABELS: WORDS: minclass", "'MINCLASS=' comes twice"},
    {13, "REQUIRED COMBINATIONS:", "* none", 14, kIl, "unknown keyword in 'A B'"},
    {14, "A B", "A X", 14, "INFORMATION LABELS: REQUIRED COMBINATIONS", "unknown word 'x'"},
    {14, "A B", "A", 14, "INFORMATION LABELS: REQUIRED COMBINATIONS",
     "'A' does not name two words"},
    {14, "A B", "A A", 14, "INFORMATION LABELS: REQUIRED COMBINATIONS",
     "'A A' does not name two words"},
    {14, "A B", "A D", 14, "INFORMATION LABELS: REQUIRED COMBINATIONS",
     "'d' needs 'REL' before it"},
    {14, "A B", "A B \\", 15, "syntax", "a keyword in a continued line"},
    {16, "B ! C ONLY", "A ! B", 14, "INFORMATION LABELS: REQUIRED COMBINATIONS",
     "word 'A' requires what the constraint in line 16 forbids"},
    {16, "B ! C ONLY", "A &", 14, "INFORMATION LABELS: REQUIRED COMBINATIONS",
     "word 'A' requires what the constraint in line 16 forbids"},
    {16, "B ! C ONLY", "B C ONLY", 16, "INFORMATION LABELS: COMBINATION CONSTRAINTS",
     "'B C ONLY' holds neither '!' nor '&'"},
    {16, "B ! C ONLY", "A ! B ! C ONLY", 16, "INFORMATION LABELS: COMBINATION CONSTRAINTS",
     "more than one '!' or '&'"},
    {16, "B ! C ONLY", "A !", 16, "INFORMATION LABELS: COMBINATION CONSTRAINTS",
     "a word is missing"},
    {16, "B ! C ONLY", "A B ! C ONLY", 16, "INFORMATION LABELS: COMBINATION CONSTRAINTS",
     "is not one word"},
    {16, "B ! C ONLY", "B ! C", 16, "INFORMATION LABELS: COMBINATION CONSTRAINTS",
     "missing 'ONLY' at the end"},
    {17, "SENSITIVITY LABELS:", "CLEARANCES:", 17, "SENSITIVITY LABELS",
     "'SENSITIVITY LABELS:' is missing"},
    {21, "= 0;", "= 0; markings= 1;", 21, "SENSITIVITY LABELS: WORDS: markings", "no place here"},
    {21, "= 0;", "= 0; access related;", 21, "SENSITIVITY LABELS: WORDS: access related",
     "no place here"},
    {21, "= 0;", "= 0 7;", 21, "SENSITIVITY LABELS: WORDS: compartments",
     "word 'A': compartment 7 is not in the words of INFORMATION LABELS"},
    {23, "name= C; compartments= 2; minclass= H; suffix= ONLY;",
     "name= C; compartments= 1; suffix= ONLY;", 11, "INFORMATION LABELS: WORDS: compartments",
     "word 'C': compartment 2 is not in the words of SENSITIVITY LABELS"},
    {34, "= 2;", "= 1;", 11, "INFORMATION LABELS: WORDS: compartments",
     "compartment 2 is not in the words of CLEARANCES"},
    {34, "= 2;", "= 2 9;", 34, "CLEARANCES: WORDS: compartments",
     "word 'C': compartment 9 is not in the words of INFORMATION LABELS"},
    {12, "compartments= ~3", "compartments= 2 ~3", 24, "SENSITIVITY LABELS: WORDS: compartments",
     "word 'D' is inverse, but no word of INFORMATION LABELS answers to it"},
    {4, "compartments= 3", "compartments= 3 5", 10, kIl,
     "word 'E' has initial bits of 'HIGH' and others as well"},
    {3, "value= 1;", "value= 1; initial compartments= 0;", 9, "INFORMATION LABELS: WORDS: minclass",
     "word 'A' is initially in 'LOW', below its minclass"},
    {40, "= 0;", "= 9;", 40, "CHANNELS: WORDS: compartments", "word 'CH A' has compartments"},
    {40, "= 0;", "= 0; iname= X;", 40, "CHANNELS: WORDS: iname", "no place here"},
    {43, "= 1;", "= 2;", 43, "PRINTER BANNERS: WORDS: markings", "word 'BANNER' has markings"},
    {45, "classification= LOW; all compartment combinations valid;", "* none", 49,
     "ACCREDITATION RANGE: minimum sensitivity label", "'L' is outside of the accreditation range"},
    {45, "LOW", "MIDDLE", 45, "ACCREDITATION RANGE: classification",
     "unknown classification 'MIDDLE'"},
    {46, "HIGH", "L", 46, "ACCREDITATION RANGE: classification", "'L' comes twice"},
    {46, "all compartment combinations valid except:", "", 47,
     "ACCREDITATION RANGE: classification", "what combinations are valid is missing for 'HIGH'"},
    {45, " valid;", " valid except:", 45,
     "ACCREDITATION RANGE: all compartment combinations valid except", "no label is listed"},
    {46, " except:", "", 47, "ACCREDITATION RANGE: all compartment combinations valid",
     "no label may follow"},
    {47, "H A B", "L", 47, "ACCREDITATION RANGE: all compartment combinations valid except",
     "label 'L' is not of the classification 'HIGH'"},
    {47, "H A B", "H B A", 47, "ACCREDITATION RANGE: all compartment combinations valid except",
     "label 'H B A' is not in canonical form, which is 'H A B'"},
    {47, "H A B", "H A", 47, "ACCREDITATION RANGE: all compartment combinations valid except",
     "label 'H A' is not in canonical form, which is 'H A B'"},
    {47, "H A B", "H B C ONLY", 47,
     "ACCREDITATION RANGE: all compartment combinations valid except",
     "label 'H B C ONLY': 'B' does not go with 'C ONLY'"},
    {48, "", "HIGH A B", 48, "ACCREDITATION RANGE: all compartment combinations valid except",
     "label 'HIGH A B' comes twice"},
    {48, "minimum clearance= L;", "", 49, "ACCREDITATION RANGE",
     "'MINIMUM CLEARANCE=' is missing here"},
    {48, "= L", "= M", 48, "ACCREDITATION RANGE: minimum clearance",
     "label 'M': unknown classification 'm'"},
    {49, "= L", "= H B", 48, "ACCREDITATION RANGE: minimum clearance",
     "'L' does not dominate the minimum sensitivity label 'H B'"},
    {49, "minimum sensitivity label= L;", "", 50, "ACCREDITATION RANGE", "is missing here"},
    {50, "= L", "= H", 50, "ACCREDITATION RANGE: minimum protect as classification",
     "'H' is above the minimum clearance 'L'"},
    {50, "= L", "= L B", 50, "ACCREDITATION RANGE: minimum protect as classification",
     "unknown classification 'L B'"},
    {52, "name= CH A; ", "", 52, "NAME INFORMATION LABELS: il", "no NAME= precedes it"},
    {52, "CH A", "CH B", 52, "NAME INFORMATION LABELS: name", "unknown name 'CH B'"},
    {52, " il= LOW;", "", 52, "NAME INFORMATION LABELS: name", "'CH A' has no IL="},
    {52, "il= LOW", "il= MIDDLE", 52, "NAME INFORMATION LABELS: il",
     "unknown classification 'middle'"},
    {54, "= 0", "= many", 54, "LOCAL DEFINITIONS: default flags", "'many' is not hexadecimal"},
    {54, "default flags= 0;", "admin low name= HIGH", 54, "LOCAL DEFINITIONS: admin low name",
     "name 'HIGH' is taken"},
    {54, "default flags= 0;", "admin high name= H REL D", 54, "LOCAL DEFINITIONS: admin high name",
     "name 'H REL D' is taken"},
    {54, "default flags= 0;", "admin high name= Admin_Low", 54,
     "LOCAL DEFINITIONS: admin high name", "name 'Admin_Low' is taken"},
    {4, "name= HIGH", "name= 7:000000000000000000000000000000000000000000000000000000000000", 4,
     "CLASSIFICATIONS: name", "is reserved"},
    {54, "default flags= 0;", "default user clearance= M", 54,
     "LOCAL DEFINITIONS: default user clearance", "unknown classification 'm'"},
    {54, "default flags= 0;", "default user sensitivity label= H B", 54,
     "LOCAL DEFINITIONS: default user sensitivity label",
     "the clearance of users does not dominate"},
    {54, "default flags= 0;", "colour= 0", 54, "LOCAL DEFINITIONS", "perhaps 'COLOR='"},
    {56, "green", "greenish", 56, "LOCAL DEFINITIONS: COLOR NAMES: color",
     "unknown colour 'greenish'"},
    {56, "green", "#12345", 56, "LOCAL DEFINITIONS: COLOR NAMES: color", "unknown colour '#12345'"},
    {56, "label= L; ", "", 56, "LOCAL DEFINITIONS: COLOR NAMES: color",
     "no LABEL= or WORD= precedes it"},
    {56, "label= L", "label= M", 56, "LOCAL DEFINITIONS: COLOR NAMES: label",
     "unknown classification 'm'"},
    {56, "label= L", "word= X", 56, "LOCAL DEFINITIONS: COLOR NAMES: word", "unknown word 'x'"},
    {56, " color= green;", "", 56, "LOCAL DEFINITIONS: COLOR NAMES", "'L' has no COLOR="},
    {57, "", "CLEARANCES:", 57, "sections", "'CLEARANCES:' has no place here"},
    {57, "", "nonsense", 57, "LOCAL DEFINITIONS: COLOR NAMES", "unknown keyword in 'nonsense'"},
};

// The small sample with `count` lines more before line `line`, each of `make`.
template <typename Make>
std::string longer(size_t line, size_t count, const Make& make) {
  std::vector<std::string> lines = base::split(samples::kSmall, '\n');
  std::vector<std::string> more;
  for (size_t i = 0; i < count; ++i) more.push_back(make(std::to_string(i)));
  lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(line) - 1, more.begin(), more.end());
  return base::join(lines, "\n");
}

void check_limit(const std::string& text, const std::string& message) {
  INFO(message);
  bool found = false;
  for (const Fault& fault : Encodings::check(text))
    found = found || (fault.rule == "limits" && fault.message.find(message) != std::string::npos);
  CHECK(found);
}

}  // namespace

TEST_CASE("the file that is broken below has no fault") {
  const std::vector<Fault> faults = Encodings::check(samples::kSmall);
  for (const Fault& fault : faults)
    UNSCOPED_INFO(fault.line << ": " << fault.rule << ": " << fault.message);
  CHECK(faults.empty());
}

TEST_CASE("each fault of a file is told with its line and rule") {
  for (const Broken& row : kBroken) {
    INFO("line " << row.line << ": '" << row.from << "' -> '" << row.to << "'");
    std::string text = broken_text(row);
    std::vector<Fault> faults = Encodings::check(text);
    REQUIRE_FALSE(faults.empty());
    INFO(faults[0].line << ": " << faults[0].rule << ": " << faults[0].message);
    CHECK(faults[0].line == row.where);
    CHECK(faults[0].rule == row.rule);
    CHECK(faults[0].message.find(row.message) != std::string::npos);
    auto parsed = Encodings::parse(text, "small");
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().message == "small:" + std::to_string(faults[0].line) + ": " +
                                        faults[0].rule + ": " + faults[0].message);
  }
}

TEST_CASE("all faults are told, in the file's order") {
  std::string text = samples::kSmall;
  auto replace = [&](const char* from, const char* to) {
    text.replace(text.find(from), std::string(from).size(), to);
  };
  replace("label= L; color= green", "label= L; color= puce");
  replace("minimum clearance= L", "minimum clearance= X");
  replace("value= 1;", "value= one;");
  std::vector<Fault> faults = Encodings::check(text);
  REQUIRE(faults.size() == 3);
  CHECK(faults[0].line == 3);
  CHECK(faults[1].line == 48);
  CHECK(faults[2].line == 56);
}

TEST_CASE("a file has bounds, and what is at them is read") {
  auto word = [](const std::string& i) {
    return "name= W" + i + "; compartments= 0; minclass= H;";
  };
  check_limit(longer(13, 600, word), "more than 512 words");
  check_limit(longer(14, 2100, [](const std::string&) { return std::string("A B"); }),
              "more than 2048 combinations");
  check_limit(longer(16, 1100, [](const std::string&) { return std::string("B ! C ONLY"); }),
              "more than 1024 constraints");
  check_limit(longer(57, 1100, [](const std::string&) { return "label= L; color= #000;"; }),
              "more than 1024 colours");
  check_limit(longer(2, 70000, [](const std::string&) { return std::string("words:"); }),
              "more than 65536 keywords");
  check_limit(std::string(Encodings::kMaxSize + 1, '\n'), "larger than 1 MiB");
  CHECK(Encodings::check(longer(13, 500, word)).empty());
  CHECK(Encodings::check(std::string(samples::kSmall) + "* " + std::string(1000, 'x')).empty());
  std::vector<Fault> faults = Encodings::check(samples::kSmall + std::string(1025, '*'));
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].message == "a line is longer than 1024 bytes");
}

TEST_CASE("of many faults the first hundred are told") {
  CHECK(Encodings::check(longer(16, 500, [](const std::string& i) { return "X" + i; })).size() ==
        100);
}

TEST_CASE("an empty file, and one that ends early, is told where it ends") {
  for (const char* text : {"", "\n\n", "* nothing"}) {
    std::vector<Fault> faults = Encodings::check(text);
    REQUIRE(faults.size() == 1);
    CHECK(faults[0].rule == "VERSION");
  }
  std::string text(samples::kSmall);
  text.resize(text.find("CHANNELS:"));
  std::vector<Fault> faults = Encodings::check(text);
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].rule == "CHANNELS");
  CHECK(faults[0].line == 37);
}
