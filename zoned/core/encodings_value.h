// Label encodings as a value: how zone-parse hands back what it read of a file (parse_text.h). Names,
// numbers, bits; neither lines nor what follows from the rest.
//
// encodings:      [version, [classification...], [section x5], [range...], minimums, defaults,
//                  [ADMIN_LOW's name, ADMIN_HIGH's], [word colour...], [label colour...]]
// classification: [name, short, alternate, value, compartments, markings]
// section:        [[word...], [[first, second]...], [[not with, first, second]...]]
// word:           [name, short, [input name...], is prefix, is suffix, prefix, suffix,
//                  [minclass, ominclass, maxclass, omaxclass], [compartments on, off, markings on, off],
//                  access related, flags]
// range:          [class, kind, [compartments...]], ascending in both
// minimums:       [clearance, label, protect-as class]
// defaults:       [label, clearance]
// word colour:    [word, colour]
// label colour:   [label, classification alone, colour]
//
// A label is its stored form (labels/label.h), a set of bits hexadecimal digits, the lowest bits first;
// what may be missing is null.
#pragma once

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "labels/encodings_data.h"

namespace core {

nlohmann::json encodings_value(const labels::EncodingsData& data);
// Only the form is checked: the data is for labels::Encodings::accept(). kInvalid.
base::Result<labels::EncodingsData> encodings_from_value(const nlohmann::json& value);

}  // namespace core
