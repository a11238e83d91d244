#include "netns/share.h"

#include <catch2/catch.hpp>

namespace {

using netns::share_rates;
using netns::ShareRate;
using netns::Weight;

}  // namespace

TEST_CASE("ports are guaranteed the total by their shares and may borrow all of it") {
  auto rates = share_rates(80'000'000, {{3, 0}, {1, 0}});
  REQUIRE(rates.size() == 2);
  CHECK(rates[0] == ShareRate{7'500'000, 10'000'000, 3 * 131072});
  CHECK(rates[1] == ShareRate{2'500'000, 10'000'000, 131072});
}

TEST_CASE("a port's own cap bounds its part and what it borrows") {
  auto rates = share_rates(80'000'000, {{1, 8'000'000}, {1, 64'000'000}, {2, 800'000'000}});
  CHECK(rates[0] == ShareRate{1'000'000, 1'000'000, 131072});
  CHECK(rates[1] == ShareRate{2'500'000, 8'000'000, 131072});
  CHECK(rates[2] == ShareRate{5'000'000, 10'000'000, 2 * 131072});
}

TEST_CASE("no share is too small or too large for the kernel") {
  auto rates = share_rates(netns::kMaxBits, {{netns::kMaxShare, 0}, {1, 0}});
  CHECK(rates[0].rate + rates[1].rate <= netns::kMaxBits / 8);
  CHECK(rates[0].quantum == 16 << 20);
  rates = share_rates(netns::kMinBits, {{netns::kMaxShare, 0}, {1, 0}});
  CHECK(rates[1].rate == 1);
  CHECK(share_rates(netns::kMinBits, {}).empty());
}
