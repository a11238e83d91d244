// zone set and pool set: assignments onto a text. What is meant is worked out on the document; the text
// is edited beside it, parsed again and compared, so a slip in editing can't leave a wrong file.
#include <algorithm>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "zoned/core/config_document.h"
#include "zoned/core/config_edit.h"
#include "zoned/core/spec_document.h"
#include "zoned/core/spec_keys.h"
#include "zoned/core/spec_toml.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using Kind = KeyMatch::Kind;

constexpr size_t kMaxAssignments = 256;

// One change of the text; an empty value removes.
struct Step {
  ConfigPath path;
  std::string value;
  size_t list_depth = 0;
};

// The value as a document with the one root key "v"; nothing when it is not the TOML of one value.
std::optional<ConfigDocument> parse_toml_value(std::string_view text) {
  auto document = parse_document("v = " + std::string(text) + "\n", "value");
  if (!document || document->entries.empty() || document->entries[0].path.size() != 1 ||
      document->entries[0].path[0] != "v")
    return std::nullopt;
  for (const ConfigEntry& entry : document->entries)
    if (entry.path[0] != "v") return std::nullopt;
  return *std::move(document);
}

bool takes_string(KeyType type) {
  return type == KeyType::kText || type == KeyType::kChoice || type == KeyType::kSize ||
         type == KeyType::kRate || type == KeyType::kBits || type == KeyType::kDuration;
}

Result<ConfigValue> value_for(const KeyInfo& info, std::string_view text) {
  auto document = parse_toml_value(text);
  bool plain_text = info.type == KeyType::kText || info.type == KeyType::kChoice;
  bool usable = document && document->entries.size() == 1;
  // A bare 10 or true is a string where the key is one.
  if (usable && (!plain_text || std::holds_alternative<std::string>(document->entries[0].value)))
    return document->entries[0].value;
  bool starts_quoted = text.starts_with('"') || text.starts_with('\'');
  if (takes_string(info.type) && !starts_quoted) return ConfigValue(std::string(text));
  bool texts = info.type == KeyType::kTexts || info.type == KeyType::kChoices;
  return make_error(Code::kInvalid, quote(text) + " is not the TOML of one value",
                    texts ? "write it as in [\"one\", \"two\"]" : "");
}

template <typename Spec>
class Edit {
 public:
  explicit Edit(ConfigDocument document) : document_(std::move(document)) {}

  Status take(std::string_view assignment) {
    if (!base::is_clean_utf8(assignment))
      return make_error(Code::kInvalid, "an assignment is not valid UTF-8 without NUL");
    size_t equals = assignment.find('=');
    if (equals == std::string_view::npos)
      return make_error(Code::kInvalid, quote(assignment) + " is not KEY=VALUE",
                        "such as cpu-shares=20 or env.LANG=C; zone.toml(5) lists the keys");
    ConfigPath path = base::split(base::trim(assignment.substr(0, equals)), '.');
    std::string_view value = base::trim(assignment.substr(equals + 1));
    KeyMatch match = match_key<Spec>(path);
    if (match.kind == Kind::kUnknown) return unknown_key<Spec>(path);
    Status done = value.empty() ? remove(path, match) : set(path, match, value);
    if (done) return {};
    return std::move(done).error().context("key " + quote(path_text(path)));
  }

  const ConfigDocument& document() const { return document_; }
  const std::vector<Step>& steps() const { return steps_; }

 private:
  Status remove(const ConfigPath& path, const KeyMatch& match) {
    if (match.list_depth > 0) {
      size_t size = list_size(document_, {path[0]});
      if (match.ref.index >= size) return no_element(path, size);
    }
    if (match.kind == Kind::kElement)
      remove_element(document_, path);
    else
      remove_entries(document_, path);
    steps_.push_back({path, "", match.list_depth});
    return {};
  }

  Status set(const ConfigPath& path, const KeyMatch& match, std::string_view value) {
    if (match.kind == Kind::kKey) {
      const KeyInfo& info = keys_of<Spec>()[match.row].info;
      TRY_AS(ConfigValue plain, value_for(info, value));
      return set_key(path, match, std::move(plain));
    }
    auto given = parse_toml_value(value);
    if (!given) return make_error(Code::kInvalid, quote(value) + " is not the TOML of one value");
    if (match.kind == Kind::kList) return set_list(path, *given);
    return set_table(path, match.list_depth, *given, {"v"});
  }

  Status set_key(const ConfigPath& path, const KeyMatch& match, ConfigValue value) {
    TRY(check_value(keys_of<Spec>()[match.row].info, value));
    if (match.list_depth > 0) {
      size_t size = list_size(document_, {path[0]});
      if (match.ref.index > size) return no_element(path, size);
    }
    steps_.push_back({path, value_text(value), match.list_depth});
    set_entry(document_, path, std::move(value), match.list_depth);
    return {};
  }

  // The members of `given` at `at` become those of the table at path; others there are removed.
  Status set_table(const ConfigPath& path, size_t list_depth, const ConfigDocument& given,
                   const ConfigPath& at) {
    const ConfigEntry* table = find_entry(given, at);
    if (table == nullptr || !std::holds_alternative<ConfigTable>(table->value))
      return make_error(Code::kInvalid, "must be a table", "write { key = value }");
    bool empty = std::none_of(given.entries.begin(), given.entries.end(), [&](const auto& entry) {
      return entry.path.size() > at.size() && has_prefix(entry.path, at);
    });
    if (list_depth > 0 && empty) return make_error(Code::kInvalid, "the table is empty");
    std::vector<ConfigPath> gone;
    for (const ConfigEntry& entry : document_.entries) {
      if (entry.path.size() != path.size() + 1 || !has_prefix(entry.path, path)) continue;
      ConfigPath same = at;
      same.push_back(entry.path.back());
      if (find_entry(given, same) == nullptr) gone.push_back(entry.path);
    }
    for (const ConfigEntry& entry : given.entries) {
      if (entry.path.size() <= at.size() || !has_prefix(entry.path, at)) continue;
      ConfigPath member = path;
      for (size_t i = at.size(); i < entry.path.size(); ++i) member.push_back(entry.path[i]);
      KeyMatch match = match_key<Spec>(member);
      if (match.kind != Kind::kKey) return unknown_key<Spec>(member);
      Status done = set_key(member, match, entry.value);
      if (!done) return std::move(done).error().context(quote(member.back()));
    }
    for (const ConfigPath& member : gone) {
      remove_entries(document_, member);
      steps_.push_back({member, "", list_depth});
    }
    return {};
  }

  Status set_list(const ConfigPath& path, const ConfigDocument& given) {
    const ConfigValue& value = given.entries[0].value;
    const auto* texts = std::get_if<std::vector<std::string>>(&value);
    if (!std::holds_alternative<ConfigList>(value) && (texts == nullptr || !texts->empty()))
      return make_error(Code::kInvalid, "must be an array of tables",
                        "write [{ key = value }, ...]");
    size_t size = list_size(given, {"v"});
    for (size_t i = 0; i < size; ++i) {
      ConfigPath element = path;
      element.push_back(std::to_string(i));
      TRY(set_table(element, 2, given, {"v", std::to_string(i)}));
    }
    for (size_t i = list_size(document_, path); i > size; --i) {
      ConfigPath element = path;
      element.push_back(std::to_string(i - 1));
      remove_element(document_, element);
      steps_.push_back({element, "", 2});
    }
    return {};
  }

  static base::Error no_element(const ConfigPath& path, size_t size) {
    return make_error(Code::kInvalid, "the list has " + std::to_string(size) + " elements",
                      "the next new one is " + quote(path[0] + "." + std::to_string(size)));
  }

  ConfigDocument document_;
  std::vector<Step> steps_;
};

template <typename Spec>
Result<EditedConfig> edit_text(std::string_view name, std::string_view text,
                               const std::vector<std::string>& assignments) {
  if (assignments.size() > kMaxAssignments)
    return make_error(Code::kInvalid,
                      "more than " + std::to_string(kMaxAssignments) + " assignments");
  std::string file = std::string(name) + ".toml";
  TRY_AS(ConfigDocument document, parse_document(text, file));
  if (assignments.empty()) {
    TRY(spec_from_document<Spec>(name, document));
    return EditedConfig{std::string(text), std::move(document)};
  }
  Edit<Spec> edit(std::move(document));
  for (const std::string& assignment : assignments) TRY(edit.take(assignment));
  TRY_AS(Spec meant, spec_from_document<Spec>(name, edit.document()));

  std::string edited(text);
  for (const Step& step : edit.steps()) {
    edited = step.value.empty() ? remove_in_text(edited, step.path)
                                : set_in_text(edited, step.path, step.value, step.list_depth);
    if (edited.size() > kMaxConfigBytes)
      return make_error(Code::kInvalid, "the configuration would have more than " +
                                            std::to_string(kMaxConfigBytes) + " bytes");
  }
  TRY_AS(document, parse_document(edited, file));
  TRY_AS(Spec got, spec_from_document<Spec>(name, document));
  if (!(got == meant))
    return make_error(Code::kInternal, "the edited text does not say what was asked",
                      "edit the file by hand");
  return EditedConfig{std::move(edited), std::move(document)};
}

}  // namespace

base::Result<EditedConfig> edit_zone(std::string_view name, std::string_view text,
                                     const std::vector<std::string>& assignments) {
  return edit_text<ZoneSpec>(name, text, assignments);
}

base::Result<EditedConfig> edit_pool(std::string_view name, std::string_view text,
                                     const std::vector<std::string>& assignments) {
  return edit_text<PoolSpec>(name, text, assignments);
}

}  // namespace core
