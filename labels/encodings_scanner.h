// The words of an encodings file: keywords with their values, and the lines that hold no keyword
// (combinations, constraints, labels of an accreditation range).
//
// A keyword is read in any case, its parts apart by any white space. A value goes to the next ';' or
// to the end of the line. '*' starts a comment where a keyword can start and, on a line without
// keywords, after white space. '\' at the end of a line without keywords continues it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "labels/encodings_faults.h"

namespace labels {

enum class Keyword {
  kLine,  // no keyword: a line of its own
  kVersion,
  kClassifications,
  kInformationLabels,
  kSensitivityLabels,
  kClearances,
  kChannels,
  kPrinterBanners,
  kAccreditationRange,
  kNameInformationLabels,
  kLocalDefinitions,
  kWords,
  kRequiredCombinations,
  kCombinationConstraints,
  kColorNames,
  kName,
  kSname,
  kAname,
  kIname,
  kValue,
  kInitialCompartments,
  kInitialMarkings,
  kMinclass,
  kOminclass,
  kMaxclass,
  kOmaxclass,
  kCompartmentBits,
  kMarkingBits,
  kNeedsPrefix,
  kNeedsSuffix,
  kIsPrefix,
  kIsSuffix,
  kAccessRelated,
  kFlags,
  kClassification,
  kAllValidExcept,
  kAllValid,
  kOnlyValid,
  kMinimumClearance,
  kMinimumSensitivityLabel,
  kMinimumProtectAs,
  kIl,
  kAdminLowName,
  kAdminHighName,
  kDefaultFlags,
  kForcedFlags,
  kViewExternal,
  kViewInternal,
  kFloatIl,
  kDoNotFloatIl,
  kClassificationName,
  kCompartmentsName,
  kMarkingsName,
  kDefaultUserLabel,
  kDefaultUserClearance,
  kLabel,
  kWord,
  kColor,
  kEnd,  // behind the last item, at the file's last line
};

struct Item {
  unsigned line = 0;  // from 1; of a continued line its first
  Keyword keyword = Keyword::kEnd;
  std::string text;  // the value, white space made single blanks
};

// As the format writes it: "SNAME=", "WORDS:". Empty for a line and the end.
std::string_view keyword_text(Keyword keyword);
// Starts a section: "CLEARANCES:".
bool is_section(Keyword keyword);
// Starts a part of a section: "WORDS:".
bool is_subsection(Keyword keyword);
// The text would be taken for a keyword at the start of a line.
bool reads_as_keyword(std::string_view text);
// The keyword nearest to what a line starts with, or empty.
std::string nearest_keyword(std::string_view line);

// Never empty: the last item is kEnd.
std::vector<Item> scan(std::string_view text, Faults* faults);

}  // namespace labels
