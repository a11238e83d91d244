// A security label: a classification and a set of compartments, ordered by dominance (Bell and
// LaPadula; DoD label encodings, "Trusted Extensions"). Plain value; no policy here.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace labels {

// Compartment numbers 0..239 fit on a wire (CIPSO tag 1 holds 30 bytes).
inline constexpr unsigned kCompartments = 240;
using Compartments = std::bitset<kCompartments>;

class Label {
 public:
  // ADMIN_LOW: dominated by every label.
  Label() = default;
  Label(uint8_t classification, const Compartments& compartments)
      : kind_(Kind::kNormal), classification_(classification), compartments_(compartments) {}
  static Label admin_low() { return {}; }
  static Label admin_high();  // dominates every label; never goes on a wire

  bool is_admin_low() const { return kind_ == Kind::kAdminLow; }
  bool is_admin_high() const { return kind_ == Kind::kAdminHigh; }
  uint8_t classification() const { return classification_; }  // 0..255
  const Compartments& compartments() const { return compartments_; }

  // This label's class is at least other's and its compartments contain other's.
  bool dominates(const Label& other) const;
  bool strictly_dominates(const Label& other) const;
  // Least label that dominates both: the larger class, the union.
  static Label join(const Label& a, const Label& b);
  // Greatest label dominated by both: the smaller class, the intersection.
  static Label meet(const Label& a, const Label& b);
  bool operator==(const Label& other) const = default;

  // The stored form, independent of names: "low", "high" or "<class>:<hex bitmap, 60 digits>" where
  // the first digit's high bit is compartment 0. Class decimal without leading zeros, bitmap in
  // lower case: one label has one form, and decode accepts no other.
  std::string encode() const;
  static base::Result<Label> decode(std::string_view text);

 private:
  enum class Kind : uint8_t { kAdminLow, kNormal, kAdminHigh };
  Kind kind_ = Kind::kAdminLow;
  uint8_t classification_ = 0;
  Compartments compartments_;
};

}  // namespace labels
