// What an encodings file says of its words in one place and contradicts in another.
#pragma once

#include "labels/encodings_data.h"
#include "labels/encodings_faults.h"

namespace labels {

// Classifications, and the sections of words against them and each other; each is sound by itself.
void check_words(const EncodingsData& data, Faults* faults);

}  // namespace labels
