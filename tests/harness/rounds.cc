#include "tests/harness/rounds.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "base/strings.h"

namespace harness {

bool soaking() {
  const char* set = getenv("ZONED_SOAK");
  return set != nullptr && std::string_view(set) == "1";
}

size_t rounds(size_t usual, size_t soak) {
  const char* set = getenv("ZONED_ROUNDS");
  constexpr uint64_t kAll = 100;
  auto percent = base::parse_uint(set == nullptr ? "100" : set, 1, kAll);
  size_t all = soaking() ? soak : usual;
  return percent ? std::max<size_t>(1, all * *percent / kAll) : all;
}

}  // namespace harness
