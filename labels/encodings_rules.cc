#include "labels/encodings_rules.h"

#include "labels/encodings_names.h"

namespace labels {
namespace {

// Classes that a word is read at and shown at, as words need them: each at most the next.
struct ClassOrder {
  const std::optional<uint8_t> Word::*low;
  const std::optional<uint8_t> Word::*high;
  const char* low_text;
  const char* high_text;
};

constexpr ClassOrder kClassOrders[] = {
    {&Word::minclass, &Word::maxclass, "minclass", "maxclass"},
    {&Word::minclass, &Word::omaxclass, "minclass", "omaxclass"},
    {&Word::ominclass, &Word::maxclass, "ominclass", "maxclass"},
    {&Word::ominclass, &Word::omaxclass, "ominclass", "omaxclass"},
};

}  // namespace

std::string name_problem(std::string_view name, bool referred_to) {
  std::vector<std::string> parts = name_parts(name);
  if (parts.empty()) return "is empty";
  if (name.size() > kMaxName) return "is longer than " + std::to_string(kMaxName) + " bytes";
  if (parts.size() > kMaxNameParts)
    return "has more than " + std::to_string(kMaxNameParts) + " parts";
  if (name.find(',') != std::string_view::npos) return "holds ','";
  if (!referred_to) return {};
  if (name.find_first_of("[]\\=") != std::string_view::npos) return "holds '[', ']', '\\' or '='";
  for (const std::string& part : parts)
    if (part == "!" || part == "&" || part == "|" || part.front() == '*')
      return "has a part that combinations can't name";
  return {};
}

std::vector<WordProblem> word_problems(const Word& word) {
  std::vector<WordProblem> problems;
  auto bad = [&](std::string part, std::string why) {
    problems.push_back({std::move(part), std::move(why)});
  };
  bool has_bits = word.compartments.mask().any() || word.markings.mask().any();
  if (!word.is_affix() && !has_bits) bad("", "has neither compartments nor markings");
  if (word.is_prefix && word.is_suffix) bad("", "is both prefix and suffix");
  if (word.is_affix() && (word.prefix != Word::kNone || word.suffix != Word::kNone))
    bad("", "is a prefix or suffix and needs one");
  if (word.is_suffix && has_bits) bad("", "is a suffix, which has no bits");
  if (word.is_prefix && (word.compartments.off.any() || word.markings.off.any()))
    bad("", "is a prefix with bits off");
  for (const ClassOrder& order : kClassOrders) {
    const auto& low = word.*order.low;
    const auto& high = word.*order.high;
    if (low && high && *low > *high)
      bad(order.low_text,
          std::string("has its ") + order.low_text + " above its " + order.high_text);
  }
  return problems;
}

}  // namespace labels
