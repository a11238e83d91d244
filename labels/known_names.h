// What one may know of the encodings: classifications, words and colours of the labels that a clearance
// dominates, and how labels stand to each other.
#pragma once

#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "labels/encodings.h"

namespace labels {

// Members of LabelNames (zoned/api/io.zoned.varlink), which says what they are. Nothing that depends on
// a label which the clearance does not dominate: a word shows when some label has it that is dominated.
// Costs at most a look at each classification with each word.
nlohmann::json known_names(const Encodings& encodings, const Label& clearance);

// kInvalid with the reason for a clearance of ADMIN_HIGH. For all others a name that is none and one of
// a label that the clearance does not dominate give the same error.
base::Result<Label> parse_known_label(const Encodings& encodings, std::string_view name,
                                      const Label& clearance);

// How `a` stands to `b`: "equal", "dominates", "dominated" or "incomparable".
std::string_view relation(const Label& a, const Label& b);

}  // namespace labels
