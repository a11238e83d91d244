#include "labels/encodings_scanner.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace labels {
namespace {

constexpr size_t kMaxLine = 1024;        // bytes
constexpr size_t kMaxJoined = 64 << 10;  // bytes of a line with its continuations
constexpr size_t kMaxItems = 64 << 10;

struct KeywordText {
  Keyword keyword;
  std::string_view text;
};

constexpr std::array kSpellings = {
    KeywordText{Keyword::kVersion, "VERSION="},
    KeywordText{Keyword::kClassifications, "CLASSIFICATIONS:"},
    KeywordText{Keyword::kInformationLabels, "INFORMATION LABELS:"},
    KeywordText{Keyword::kSensitivityLabels, "SENSITIVITY LABELS:"},
    KeywordText{Keyword::kClearances, "CLEARANCES:"},
    KeywordText{Keyword::kChannels, "CHANNELS:"},
    KeywordText{Keyword::kPrinterBanners, "PRINTER BANNERS:"},
    KeywordText{Keyword::kAccreditationRange, "ACCREDITATION RANGE:"},
    KeywordText{Keyword::kNameInformationLabels, "NAME INFORMATION LABELS:"},
    KeywordText{Keyword::kLocalDefinitions, "LOCAL DEFINITIONS:"},
    KeywordText{Keyword::kWords, "WORDS:"},
    KeywordText{Keyword::kRequiredCombinations, "REQUIRED COMBINATIONS:"},
    KeywordText{Keyword::kCombinationConstraints, "COMBINATION CONSTRAINTS:"},
    KeywordText{Keyword::kColorNames, "COLOR NAMES:"},
    KeywordText{Keyword::kName, "NAME="},
    KeywordText{Keyword::kSname, "SNAME="},
    KeywordText{Keyword::kAname, "ANAME="},
    KeywordText{Keyword::kIname, "INAME="},
    KeywordText{Keyword::kValue, "VALUE="},
    KeywordText{Keyword::kInitialCompartments, "INITIAL COMPARTMENTS="},
    KeywordText{Keyword::kInitialMarkings, "INITIAL MARKINGS="},
    KeywordText{Keyword::kMinclass, "MINCLASS="},
    KeywordText{Keyword::kOminclass, "OMINCLASS="},
    KeywordText{Keyword::kMaxclass, "MAXCLASS="},
    KeywordText{Keyword::kOmaxclass, "OMAXCLASS="},
    KeywordText{Keyword::kCompartmentBits, "COMPARTMENTS="},
    KeywordText{Keyword::kMarkingBits, "MARKINGS="},
    KeywordText{Keyword::kNeedsPrefix, "PREFIX="},
    KeywordText{Keyword::kNeedsSuffix, "SUFFIX="},
    KeywordText{Keyword::kIsPrefix, "PREFIX"},
    KeywordText{Keyword::kIsSuffix, "SUFFIX"},
    KeywordText{Keyword::kAccessRelated, "ACCESS RELATED"},
    KeywordText{Keyword::kFlags, "FLAGS="},
    KeywordText{Keyword::kClassification, "CLASSIFICATION="},
    KeywordText{Keyword::kAllValidExcept, "ALL COMPARTMENT COMBINATIONS VALID EXCEPT:"},
    KeywordText{Keyword::kAllValid, "ALL COMPARTMENT COMBINATIONS VALID"},
    KeywordText{Keyword::kOnlyValid, "ONLY VALID COMPARTMENT COMBINATIONS:"},
    KeywordText{Keyword::kMinimumClearance, "MINIMUM CLEARANCE="},
    KeywordText{Keyword::kMinimumSensitivityLabel, "MINIMUM SENSITIVITY LABEL="},
    KeywordText{Keyword::kMinimumProtectAs, "MINIMUM PROTECT AS CLASSIFICATION="},
    KeywordText{Keyword::kIl, "IL="},
    KeywordText{Keyword::kAdminLowName, "ADMIN LOW NAME="},
    KeywordText{Keyword::kAdminHighName, "ADMIN HIGH NAME="},
    KeywordText{Keyword::kDefaultFlags, "DEFAULT FLAGS="},
    KeywordText{Keyword::kForcedFlags, "FORCED FLAGS="},
    KeywordText{Keyword::kViewExternal, "DEFAULT LABEL VIEW IS EXTERNAL"},
    KeywordText{Keyword::kViewInternal, "DEFAULT LABEL VIEW IS INTERNAL"},
    KeywordText{Keyword::kFloatIl, "FLOAT PROCESS INFORMATION LABEL"},
    KeywordText{Keyword::kDoNotFloatIl, "DO NOT FLOAT PROCESS INFORMATION LABEL"},
    KeywordText{Keyword::kClassificationName, "CLASSIFICATION NAME="},
    KeywordText{Keyword::kCompartmentsName, "COMPARTMENTS NAME="},
    KeywordText{Keyword::kMarkingsName, "MARKINGS NAME="},
    KeywordText{Keyword::kDefaultUserLabel, "DEFAULT USER SENSITIVITY LABEL="},
    KeywordText{Keyword::kDefaultUserClearance, "DEFAULT USER CLEARANCE="},
    KeywordText{Keyword::kLabel, "LABEL="},
    KeywordText{Keyword::kWord, "WORD="},
    KeywordText{Keyword::kColor, "COLOR="},
};

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v'; }

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

size_t skip_blanks(std::string_view text, size_t at) {
  while (at < text.size() && is_blank(text[at])) ++at;
  return at;
}

// White space made single blanks, none at the ends.
std::string tidy(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (!is_blank(c))
      result += c;
    else if (!result.empty() && result.back() != ' ')
      result += ' ';
  }
  if (!result.empty() && result.back() == ' ') result.pop_back();
  return result;
}

struct Match {
  const KeywordText* spelling = nullptr;
  size_t end = 0;             // behind the keyword
  bool blank_before = false;  // "NAME =", a common slip
};

// Where `word` ends in `text` from `at` on, or npos.
size_t match_word(std::string_view text, size_t at, std::string_view word) {
  for (char c : word) {
    if (c == ' ') {
      size_t next = skip_blanks(text, at);
      if (next == at) return std::string_view::npos;
      at = next;
    } else if (at < text.size() && upper(text[at]) == c) {
      ++at;
    } else {
      return std::string_view::npos;
    }
  }
  return at;
}

Match match_keyword(std::string_view text, size_t at) {
  for (const KeywordText& spelling : kSpellings) {
    bool valued = spelling.text.back() == '=';
    std::string_view word = spelling.text;
    if (valued) word.remove_suffix(1);
    size_t end = match_word(text, at, word);
    if (end == std::string_view::npos) continue;
    size_t next = skip_blanks(text, end);
    if (valued) {
      if (next < text.size() && text[next] == '=') return {&spelling, next + 1, next != end};
      continue;
    }
    bool ended = next == text.size() || text[next] == ';' || (text[next] == '*' && next != end);
    if (ended) return {&spelling, end, false};
  }
  return {};
}

class Scanner {
 public:
  Scanner(std::string_view text, Faults* faults) : rest_(text), faults_(faults) {}

  std::vector<Item> run() {
    while (!stopped_ && (again_ || next_line())) {
      again_ = false;
      scan_line();
    }
    items_.push_back({std::max(number_, 1U), Keyword::kEnd, {}});
    return std::move(items_);
  }

 private:
  bool next_line() {
    if (rest_.empty()) return false;
    size_t end = rest_.find('\n');
    line_ = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    ++number_;
    if (line_.size() > kMaxLine) {
      fault("a line is longer than " + std::to_string(kMaxLine) + " bytes");
      line_ = line_.substr(0, kMaxLine);
    }
    return true;
  }

  void scan_line() {
    size_t at = 0;
    while (!stopped_) {
      at = skip_blanks(line_, at);
      if (at == line_.size() || line_[at] == '*') return;
      if (line_[at] == ';') {
        ++at;
        continue;
      }
      Match match = match_keyword(line_, at);
      if (match.spelling == nullptr) return scan_free_line(at);
      if (match.blank_before) fault("blank before '=' of " + base::quoted(match.spelling->text));
      size_t end = line_.find(';', match.end);
      std::string_view value = line_.substr(match.end, end - match.end);
      add(number_, match.spelling->keyword,
          match.spelling->text.back() == '=' ? tidy(value) : std::string());
      if (match.spelling->text.back() != '=') {
        at = match.end;
      } else {
        if (end == std::string_view::npos) return;
        at = end + 1;
      }
    }
  }

  // This line from `at` on and those that continue it.
  void scan_free_line(size_t at) {
    unsigned first = number_;
    std::string joined;
    for (;;) {
      std::string part = without_comment(line_.substr(at));
      bool continued = !part.empty() && part.back() == '\\';
      if (continued) part.pop_back();
      joined += " " + part;
      if (!continued) break;
      if (joined.size() > kMaxJoined) {
        faults_->add(first, "syntax", "a continued line is too long");
        break;
      }
      if (!next_line()) {
        faults_->add(first, "syntax", "the file ends in a continued line");
        break;
      }
      at = skip_blanks(line_, 0);
      if (match_keyword(line_, at).spelling != nullptr) {
        fault("a keyword in a continued line");
        again_ = true;
        break;
      }
    }
    std::string text = tidy(joined);
    if (!text.empty()) add(first, Keyword::kLine, std::move(text));
  }

  static std::string without_comment(std::string_view text) {
    for (size_t i = 0; i < text.size(); ++i)
      if (text[i] == '*' && (i == 0 || is_blank(text[i - 1]))) return tidy(text.substr(0, i));
    return tidy(text);
  }

  void add(unsigned line, Keyword keyword, std::string text) {
    auto is_plain = [](char c) { return c >= ' ' && c <= '~'; };
    if (!std::all_of(text.begin(), text.end(), is_plain)) {
      faults_->add(line, "syntax", base::quoted(text) + " holds other than printable ASCII");
      return;
    }
    if (items_.size() == kMaxItems) {
      faults_->add(line, "limits",
                   "more than " + std::to_string(kMaxItems) + " keywords and lines");
      stopped_ = true;
      return;
    }
    items_.push_back({line, keyword, std::move(text)});
  }

  void fault(std::string message) { faults_->add(number_, "syntax", std::move(message)); }

  std::string_view rest_;
  std::string_view line_;
  unsigned number_ = 0;
  bool again_ = false;  // line_ is still to be scanned
  bool stopped_ = false;
  std::vector<Item> items_;
  Faults* faults_;
};

}  // namespace

std::string_view keyword_text(Keyword keyword) {
  for (const KeywordText& spelling : kSpellings)
    if (spelling.keyword == keyword) return spelling.text;
  return {};
}

bool is_section(Keyword keyword) {
  return keyword >= Keyword::kVersion && keyword <= Keyword::kLocalDefinitions;
}

bool is_subsection(Keyword keyword) {
  return keyword >= Keyword::kWords && keyword <= Keyword::kColorNames;
}

bool reads_as_keyword(std::string_view text) {
  return match_keyword(text, skip_blanks(text, 0)).spelling != nullptr;
}

std::string nearest_keyword(std::string_view line) {
  size_t end = line.find_first_of("=:");
  std::string word(line.substr(0, end == std::string_view::npos ? end : end + 1));
  if (word.size() > 60) return {};
  for (char& c : word) c = upper(c);
  std::vector<std::string> all;
  for (const KeywordText& spelling : kSpellings) all.emplace_back(spelling.text);
  return base::nearest(word, all);
}

std::vector<Item> scan(std::string_view text, Faults* faults) {
  return Scanner(text, faults).run();
}

}  // namespace labels
