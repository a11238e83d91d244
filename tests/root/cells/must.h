// Fails the running test with the error's text.
#pragma once

#include <catch2/catch.hpp>
#include <utility>

#include "base/result.h"

namespace cells {

template <typename T>
T must(base::Result<T> result) {
  if (!result) FAIL(result.error().message);
  return *std::move(result);
}
void must(const base::Status& status);

}  // namespace cells
