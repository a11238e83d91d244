// What an encodings file says in one place and contradicts in another.
#pragma once

#include "labels/encodings_data.h"
#include "labels/encodings_faults.h"

namespace labels {

// For a file whose sections are sound by themselves.
void check_consistency(const EncodingsData& data, Faults* faults);

}  // namespace labels
