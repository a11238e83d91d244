#include "resource/shares.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <numeric>
#include <random>

namespace {

using resource::ShareInput;
using resource::WeightRange;

constexpr WeightRange kV1{2, 262144, 1024};
constexpr WeightRange kV2{1, 10000, 100};

// The largest error of a portion, in percentage points, on the written weights and (worse) on what
// the scheduler makes of them.
double worst_error(const std::vector<uint32_t>& shares, const std::vector<uint32_t>& weights,
                   const WeightRange& range, bool as_scheduled) {
  std::vector<double> effective;
  for (uint32_t weight : weights)
    effective.push_back(as_scheduled ? std::round(weight * 1024.0 / range.default_value) : weight);
  double total = std::accumulate(effective.begin(), effective.end(), 0.0);
  double all = std::accumulate(shares.begin(), shares.end(), 0.0);
  double worst = 0;
  for (size_t i = 0; i < shares.size(); ++i)
    worst = std::max(worst, 100 * std::abs(effective[i] / total - shares[i] / all));
  return worst;
}

class Generator {
 public:
  explicit Generator(uint64_t seed) : engine_(seed) {}
  uint32_t between(uint32_t low, uint32_t high) {
    return static_cast<uint32_t>(low + engine_() % (high - low + 1));
  }
  double fraction() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  // Sizes 1..1000, mostly small; shares uniform, log-uniform, small, or one giant among dwarfs.
  std::vector<uint32_t> shares() {
    std::vector<uint32_t> result(between(0, 3) == 0 ? between(1, 1000) : between(1, 20));
    uint32_t kind = between(0, 3);
    for (uint32_t& share : result) {
      if (kind == 0) share = between(1, 65535);
      if (kind == 1) share = static_cast<uint32_t>(std::exp2(fraction() * 15.999));
      if (kind == 2) share = between(1, 100);
      if (kind == 3) share = between(1, 4);
    }
    if (kind == 3) result[between(0, static_cast<uint32_t>(result.size()) - 1)] = between(1, 65535);
    return result;
  }

 private:
  std::mt19937_64 engine_;
};

std::vector<ShareInput> random_siblings(Generator* random) {
  std::vector<ShareInput> siblings(random->between(1, 12));
  for (ShareInput& s : siblings) {
    s.shares = random->between(1, 100);
    s.active = random->between(0, 3) != 0;
    s.cap_cpus = random->between(0, 1) == 0 ? 0 : random->between(1, 300) / 100.0;
  }
  return siblings;
}

}  // namespace

TEST_CASE("any set of shares maps within half a point or is refused by name") {
  Generator random(7);
  size_t mapped = 0;
  size_t refused = 0;
  for (int i = 0; i < 20000; ++i) {
    const WeightRange& range = i % 2 == 0 ? kV1 : kV2;
    std::vector<uint32_t> shares = random.shares();
    auto weights = resource::weights_for(shares, range);
    if (!weights) {
      ++refused;
      REQUIRE(weights.error().code == base::Code::kUnsupported);
      bool named = false;
      for (uint32_t share : shares)
        named |= weights.error().message.starts_with("shares " + std::to_string(share));
      REQUIRE(named);
      REQUIRE(range.max == kV2.max);  // v1 expresses every set
      continue;
    }
    ++mapped;
    REQUIRE(weights->size() == shares.size());
    for (uint32_t weight : *weights) REQUIRE((weight >= range.min && weight <= range.max));
    REQUIRE(worst_error(shares, *weights, range, false) <= resource::kMaxShareError);
    REQUIRE(worst_error(shares, *weights, range, true) <= resource::kMaxShareError);
    REQUIRE(*resource::weights_for(shares, range) == *weights);
  }
  CHECK(mapped > 15000);
  CHECK(refused > 20);
}

TEST_CASE("adding a sibling that the scale serves leaves the other weights alone") {
  Generator random(11);
  for (int i = 0; i < 2000; ++i) {
    const WeightRange& range = i % 2 == 0 ? kV1 : kV2;
    std::vector<uint32_t> shares(random.between(1, 50));
    for (uint32_t& share : shares) share = random.between(1, 600);
    auto before = resource::weights_for(shares, range);
    shares.push_back(random.between(1, 600));
    auto after = resource::weights_for(shares, range);
    REQUIRE((before.ok() && after.ok()));
    after->pop_back();
    REQUIRE(*before == *after);
  }
}

TEST_CASE("on v1 every weight is an exact multiple of its share") {
  Generator random(13);
  for (int i = 0; i < 500; ++i) {
    std::vector<uint32_t> shares = random.shares();
    auto weights = resource::weights_for(shares, kV1);
    REQUIRE(weights.ok());
    for (size_t k = 0; k < shares.size(); ++k)
      REQUIRE(uint64_t{(*weights)[k]} * shares[0] == uint64_t{(*weights)[0]} * shares[k]);
  }
}

TEST_CASE("a giant beside a thousand dwarfs is refused on v2 and the message says who") {
  std::vector<uint32_t> shares(1001, 1);
  shares[500] = 65535;
  auto weights = resource::weights_for(shares, kV2);
  REQUIRE_FALSE(weights.ok());
  CHECK(weights.error().message ==
        "shares 65535 beside 1: the kernel's weights 1..10000 can't express them within 0.5 "
        "percentage points");
  CHECK_FALSE(weights.error().hint.empty());
  CHECK(resource::weights_for(shares, kV1).ok());
}

TEST_CASE("shares out of range are invalid and no shares need no weights") {
  for (uint32_t share : {0u, 65536u}) {
    auto weights = resource::weights_for({1, share}, kV1);
    REQUIRE_FALSE(weights.ok());
    CHECK(weights.error().code == base::Code::kInvalid);
  }
  CHECK(resource::weights_for({}, kV2)->empty());
}

TEST_CASE("entitlements share out what there is, respect caps and give idle zones nothing") {
  Generator random(17);
  for (int round = 0; round < 20000; ++round) {
    std::vector<ShareInput> siblings = random_siblings(&random);
    double cpus = random.between(1, 800) / 100.0;
    std::vector<double> result = resource::entitlements(siblings, cpus);
    REQUIRE(result.size() == siblings.size());
    double sum = 0;
    bool uncapped_left = false;
    for (size_t i = 0; i < siblings.size(); ++i) {
      const ShareInput& s = siblings[i];
      sum += result[i];
      if (!s.active) REQUIRE(result[i] == 0);
      if (s.active) REQUIRE(result[i] > 0);
      if (s.active && s.cap_cpus > 0) REQUIRE(result[i] <= s.cap_cpus + 1e-9);
      uncapped_left |= s.active && (s.cap_cpus == 0 || result[i] < s.cap_cpus - 1e-9);
    }
    REQUIRE(sum <= cpus + 1e-9);
    // Nothing is left over while somebody could still take it.
    if (uncapped_left) REQUIRE(std::abs(sum - cpus) < 1e-9);
  }
}

TEST_CASE("siblings below their caps get the same per share, capped ones no more per share") {
  Generator random(19);
  for (int round = 0; round < 20000; ++round) {
    std::vector<ShareInput> siblings = random_siblings(&random);
    std::vector<double> result = resource::entitlements(siblings, 4.0);
    double level = -1;
    for (size_t i = 0; i < siblings.size(); ++i) {
      const ShareInput& s = siblings[i];
      if (!s.active || (s.cap_cpus > 0 && result[i] >= s.cap_cpus - 1e-9)) continue;
      double per_share = result[i] / s.shares;
      if (level < 0) level = per_share;
      REQUIRE(std::abs(per_share - level) < 1e-9);
    }
    for (size_t i = 0; i < siblings.size(); ++i)
      if (level >= 0 && siblings[i].active) REQUIRE(result[i] / siblings[i].shares <= level + 1e-9);
  }
}

TEST_CASE("a single active zone gets all, or its cap") {
  std::vector<ShareInput> siblings{{1, 0, true, 0}, {1000, 0, false, 0}};
  CHECK(resource::entitlements(siblings, 2.0) == std::vector<double>{2.0, 0.0});
  siblings[0].cap_cpus = 0.5;
  CHECK(resource::entitlements(siblings, 2.0) == std::vector<double>{0.5, 0.0});
}

TEST_CASE("what a cap leaves over goes to the others by shares") {
  std::vector<ShareInput> siblings{{2, 0, true, 0.5}, {1, 0, true, 0}, {3, 0, true, 0}};
  auto result = resource::entitlements(siblings, 4.5);
  CHECK(result[0] == Approx(0.5));
  CHECK(result[1] == Approx(1.0));
  CHECK(result[2] == Approx(3.0));
  CHECK(resource::entitlements({}, 2.0).empty());
}
