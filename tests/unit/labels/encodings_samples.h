// Encodings files for tests.
#pragma once

namespace samples {

// Every feature of the format at once; bits 0 to 11.
extern const char kRich[];
// In the style of the demonstration file of Trusted Extensions; bits 0 to 5.
extern const char kTrusted[];

// A small one, to be broken.
extern const char kSmall[];

}  // namespace samples
