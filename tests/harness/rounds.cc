#include "tests/harness/rounds.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "base/strings.h"

namespace harness {
namespace {

constexpr uint64_t kAll = 100;

uint64_t percent() {
  const char* set = getenv("ZONED_ROUNDS");
  if (set == nullptr) return kAll;
  auto value = base::parse_uint(set, 1, kAll);
  return value ? *value : kAll;
}

}  // namespace

bool soaking() {
  const char* set = getenv("ZONED_SOAK");
  return set != nullptr && std::string_view(set) == "1";
}

size_t rounds(size_t usual, size_t soak) {
  size_t all = soaking() ? soak : usual;
  return std::max<size_t>(1, all * percent() / kAll);
}

bool slow_machine() { return percent() < kAll; }

}  // namespace harness
