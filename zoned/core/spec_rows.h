// How rows of the table of keys are written; for the files that hold rows alone.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/result.h"
#include "zoned/core/spec_keys.h"

namespace core::rows {

using base::Status;
using std::string_view;
using Texts = std::vector<std::string>;

inline constexpr string_view kBrands[] = {"native", "vm"};
inline constexpr string_view kRestarts[] = {"no", "on-failure", "always"};

template <typename Enum>
constexpr std::span<const string_view> names_of() {
  if constexpr (std::is_same_v<Enum, Brand>)
    return kBrands;
  else
    return kRestarts;
}

// --- from a checked value to a member and back -------------------------------------------------

template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <typename T>
void assign(T& member, const ConfigValue& value) {
  if constexpr (IsOptional<T>::value) {
    assign(member.emplace(), value);
  } else if constexpr (std::is_enum_v<T>) {
    auto names = names_of<T>();
    auto at = std::find(names.begin(), names.end(), std::get<std::string>(value)) - names.begin();
    member = static_cast<T>(at);
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    member = static_cast<T>(std::get<int64_t>(value));
  } else {
    member = std::get<T>(value);
  }
}

template <typename T>
ConfigValue read(const T& member) {
  if constexpr (IsOptional<T>::value) {
    if (!member) return std::monostate();
    return read(*member);
  } else if constexpr (std::is_enum_v<T>) {
    return std::string(names_of<T>()[static_cast<size_t>(member)]);
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    return static_cast<int64_t>(member);
  } else {
    return member;
  }
}

template <typename T>
struct MemberOf;
template <typename Class, typename T>
struct MemberOf<T Class::*> {
  using Owner = Class;
};

// A row for a plain member.
template <auto Member>
constexpr auto field(KeyInfo info) {
  using Spec = typename MemberOf<decltype(Member)>::Owner;
  return Key<Spec>{info,
                   [](Spec& spec, const KeyRef&, const ConfigValue& value) -> Status {
                     assign(spec.*Member, value);
                     return {};
                   },
                   [](const Spec& spec, const KeyRef&) { return read(spec.*Member); }, nullptr};
}

template <typename List>
auto& element_at(List& list, size_t index) {
  if (list.size() <= index) list.resize(index + 1);
  return list[index];
}

template <auto List>
std::vector<KeyRef> indices(const ZoneSpec& spec) {
  std::vector<KeyRef> refs;
  for (size_t i = 0; i < (spec.*List).size(); ++i) refs.push_back({i, {}});
  return refs;
}

// A row for a member of a member.
template <auto Part, auto Member>
constexpr Key<ZoneSpec> part(KeyInfo info) {
  return {info,
          [](ZoneSpec& spec, const KeyRef&, const ConfigValue& value) -> Status {
            assign(spec.*Part.*Member, value);
            return {};
          },
          [](const ZoneSpec& spec, const KeyRef&) { return read(spec.*Part.*Member); }, nullptr};
}

// A row for a member of a list's elements.
template <auto List, auto Member>
constexpr Key<ZoneSpec> item(KeyInfo info) {
  return {info,
          [](ZoneSpec& spec, const KeyRef& ref, const ConfigValue& value) -> Status {
            assign(element_at(spec.*List, ref.index).*Member, value);
            return {};
          },
          [](const ZoneSpec& spec, const KeyRef& ref) -> ConfigValue {
            if (ref.index >= (spec.*List).size()) return std::monostate();
            return read((spec.*List)[ref.index].*Member);
          },
          indices<List>};
}

// --- what a row says ---------------------------------------------------------------------------

inline constexpr bool kLive = true;
inline constexpr bool kBoot = false;

constexpr KeyInfo boolean(string_view name, bool live, string_view description) {
  return {name, KeyType::kBoolean, 0, 1, {}, nullptr, live, false, description};
}
constexpr KeyInfo number(string_view name, KeyType type, double min, double max, bool live,
                         string_view description) {
  return {name, type, min, max, {}, nullptr, live, false, description};
}
constexpr KeyInfo choice(string_view name, std::span<const string_view> choices, bool live,
                         string_view description) {
  return {name, KeyType::kChoice, 0, 0, choices, nullptr, live, false, description};
}
constexpr KeyInfo text(string_view name, double max, Status (*check)(string_view), bool live,
                       string_view description) {
  return {name, KeyType::kText, 0, max, {}, check, live, false, description};
}
constexpr KeyInfo texts(string_view name, double max, bool live, string_view description,
                        Status (*check)(string_view) = nullptr) {
  return {name, KeyType::kTexts, 0, max, {}, check, live, false, description};
}
constexpr KeyInfo choices(string_view name, double min, std::span<const string_view> of, bool live,
                          string_view description) {
  return {name,  KeyType::kChoices, min, static_cast<double>(of.size()), of, nullptr, live,
          false, description};
}
constexpr KeyInfo required(KeyInfo info) {
  info.required = true;
  return info;
}
constexpr KeyInfo native(KeyInfo info) {
  info.brand = Brand::kNative;
  return info;
}
constexpr KeyInfo vm(KeyInfo info) {
  info.brand = Brand::kVm;
  return info;
}

}  // namespace core::rows
