// Strict text-to-value conversions and small text helpers. Nothing here accepts trailing garbage,
// leading white space or a sign that was not asked for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace base {

// Decimal digits only; the whole text; min <= value <= max. The error names the text and the range.
Result<uint64_t> parse_uint(std::string_view text, uint64_t min, uint64_t max);
// "512M": a decimal number (fractions allowed: "1.5G") and an optional K, M, G, T (powers of 1024).
// Bytes. Rejects zero-length, negative, and over 2^63-1.
Result<uint64_t> parse_size(std::string_view text);
// Inverse for people: "512M", "1.5G", "123".
std::string format_size(uint64_t bytes);
// "10s", "500ms", "2m", "1h" or a bare number of seconds. Milliseconds.
Result<uint64_t> parse_duration_ms(std::string_view text);
// "0-3,8" -> {0,1,2,3,8}: the kernel's cpulist format (cpuset(7)). Sorted, unique, each < 8192.
Result<std::vector<unsigned>> parse_cpu_list(std::string_view text);
std::string format_cpu_list(const std::vector<unsigned>& cpus);

// [a-z0-9][a-z0-9-]{0,62}: names of zones, pools and networks. kind goes into the error ("zone").
Status check_name(std::string_view kind, std::string_view name);

// The candidate nearest to word by edit distance, or empty when none is within a third of its
// length (at least 2).
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

std::vector<std::string> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);
// 'text' with control characters and quotes escaped (\n, \x1b), at most max bytes, for messages. What is beyond
// ASCII is escaped too unless is_plain_utf8().
std::string quoted(std::string_view text, size_t max = 80);
// True for valid UTF-8 without NUL.
bool is_clean_utf8(std::string_view text);
// is_clean_utf8(), and no character beyond ASCII that terminals act on (U+0080..9F: C1 of ECMA-48) or that can't be
// seen or changes the order of others (Unicode TR 36 and TR 9: U+200B..F, 2028..E, 2060..9, FEFF).
bool is_plain_utf8(std::string_view text);

}  // namespace base
