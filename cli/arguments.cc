#include "cli/arguments.h"

#include <utility>

#include "base/strings.h"

namespace cli {
namespace {

using base::Code;
using base::make_error;

class Parser {
 public:
  Parser(const Grammar& grammar, std::span<const std::string> words)
      : grammar_(grammar), words_(words) {}

  base::Result<Arguments> parse() {
    while (at_ < words_.size()) {
      const std::string& word = words_[at_++];
      if (word == "--") {
        take_rest();
      } else if (word.starts_with("--")) {
        TRY(take_long(std::string_view(word).substr(2)));
      } else if (word.size() > 1 && word[0] == '-') {
        TRY(take_letters(std::string_view(word).substr(1)));
      } else if (result_.words.size() == grammar_.command_after) {
        --at_;
        take_rest();
      } else {
        result_.words.push_back(word);
      }
    }
    if (result_.words.size() < grammar_.min_words)
      return make_error(Code::kInvalid, "too few arguments");
    if (result_.words.size() > grammar_.max_words)
      return make_error(Code::kInvalid,
                        "unexpected argument " + base::quoted(result_.words[grammar_.max_words]));
    return std::move(result_);
  }

 private:
  void take_rest() {
    auto& rest = grammar_.command_after == Grammar::kNone ? result_.words : result_.command;
    for (; at_ < words_.size(); ++at_) rest.push_back(words_[at_]);
  }

  base::Status take_value(const Option& option, const std::string& shown) {
    if (at_ == words_.size())
      return make_error(Code::kInvalid,
                        shown + " needs a value (" + std::string(option.value) + ")");
    result_.set(option.name, words_[at_++]);
    return {};
  }

  base::Status take_long(std::string_view word) {
    size_t equals = word.find('=');
    std::string_view name = word.substr(0, equals);
    std::string shown = "--" + std::string(name);
    for (const Option& option : grammar_.options) {
      if (option.name != name) continue;
      bool given = equals != std::string_view::npos;
      if (option.value.empty() && given)
        return make_error(Code::kInvalid, shown + " takes no value");
      if (option.value.empty() || given) {
        result_.set(option.name, given ? std::string(word.substr(equals + 1)) : std::string());
        return {};
      }
      return take_value(option, shown);
    }
    std::vector<std::string> known;
    for (const Option& option : grammar_.options) known.emplace_back(option.name);
    std::string near = base::nearest(name, known);
    return make_error(Code::kInvalid, "unknown option " + base::quoted(shown),
                      near.empty() ? "" : "did you mean --" + near + "?");
  }

  base::Status take_letters(std::string_view letters) {
    for (size_t i = 0; i < letters.size(); ++i) {
      const Option* found = nullptr;
      for (const Option& option : grammar_.options) {
        if (option.letter == letters[i]) found = &option;
      }
      std::string shown = std::string("-") + letters[i];
      if (found == nullptr)
        return make_error(Code::kInvalid, "unknown option " + base::quoted(shown));
      if (found->value.empty()) {
        result_.set(found->name, "");
        continue;
      }
      if (i + 1 == letters.size()) return take_value(*found, shown);
      result_.set(found->name, std::string(letters.substr(i + 1)));
      return {};
    }
    return {};
  }

  const Grammar& grammar_;
  std::span<const std::string> words_;
  size_t at_ = 0;
  Arguments result_;
};

}  // namespace

bool Arguments::has(std::string_view option) const { return options_.contains(option); }

std::string Arguments::value(std::string_view option, std::string_view fallback) const {
  auto it = options_.find(option);
  return it == options_.end() ? std::string(fallback) : it->second.back();
}

std::vector<std::string> Arguments::values(std::string_view option) const {
  auto it = options_.find(option);
  return it == options_.end() ? std::vector<std::string>() : it->second;
}

void Arguments::set(std::string_view option, std::string value) {
  options_[std::string(option)].push_back(std::move(value));
}

base::Result<Arguments> parse(const Grammar& grammar, std::span<const std::string> words) {
  return Parser(grammar, words).parse();
}

}  // namespace cli
