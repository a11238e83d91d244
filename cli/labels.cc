// zone label: encodings files, without the daemon.
#include <fcntl.h>

#include "base/files.h"
#include "base/strings.h"
#include "cli/handlers.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "labels/encodings.h"
#include "labels/encodings_data.h"
#include "labels/encodings_names.h"
#include "zoned/api/paths.h"

namespace cli {
namespace {

using labels::Encodings;
using labels::Label;
using nlohmann::json;

struct Source {
  std::string name;
  std::string text;
};

// The file given, else the host's, else the built-in one.
base::Result<Source> find_source(const Context& context, const std::string& file) {
  if (!file.empty()) {
    TRY_AS(std::string text, base::read_file(AT_FDCWD, file, Encodings::kMaxSize));
    return Source{file, std::move(text)};
  }
  std::string host = api::paths_for(context.root).etc + "/label_encodings";
  auto text = base::read_file(AT_FDCWD, host, Encodings::kMaxSize);
  if (text) return Source{host, *std::move(text)};
  if (text.error().code == base::Code::kDenied)
    return std::move(text).error().with_hint(
        "the host's configuration is root's to read; --file names another file");
  if (text.error().code != base::Code::kNotFound) return std::move(text).error();
  return Source{"built-in", std::string(Encodings::built_in_text())};
}

base::Result<Encodings> load(const Context& context, const Arguments& arguments,
                             std::string* name) {
  TRY_AS(Source source, find_source(context, arguments.value("file")));
  *name = source.name;
  auto encodings = Encodings::parse(source.text, source.name);
  if (!encodings)
    return std::move(encodings).error().with_hint("'zone label check " + source.name +
                                                  "' tells all faults");
  return encodings;
}

std::string range_text(const labels::Range& range) {
  switch (range.kind) {
    case labels::Range::Kind::kNone:
      return "none";
    case labels::Range::Kind::kAll:
      return "all";
    case labels::Range::Kind::kAllExcept:
      return "all but " + std::to_string(range.listed.size());
    case labels::Range::Kind::kOnly:
      return "only " + std::to_string(range.listed.size());
  }
  return {};
}

std::string bits_text(const labels::Bits& bits) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < labels::kCompartments; ++i) {
    if (bits.on.test(i)) parts.push_back(std::to_string(i));
    if (bits.off.test(i)) parts.push_back("~" + std::to_string(i));
  }
  return base::join(parts, " ");
}

std::string class_text(const labels::EncodingsData& data, const std::optional<uint8_t>& value) {
  return value ? data.classification(*value)->name : "";
}

std::string word_colour(const labels::EncodingsData& data, size_t word) {
  for (const labels::WordColour& colour : data.word_colours)
    if (colour.word == word) return colour.colour;
  return {};
}

json classifications_of(const Encodings& encodings) {
  json all = json::array();
  for (const labels::Classification& it : encodings.data().classifications)
    all.push_back({{"name", it.name},
                   {"short_name", it.short_name},
                   {"value", it.value},
                   {"range", range_text(encodings.data().ranges[it.value])},
                   {"colour", encodings.colour_of(Label(it.value, it.initial_compartments))}});
  return all;
}

json words_of(const Encodings& encodings) {
  const labels::EncodingsData& data = encodings.data();
  json all = json::array();
  for (size_t i = 0; i < data.sensitivity.words.size(); ++i) {
    const labels::Word& it = data.sensitivity.words[i];
    if (it.is_affix()) continue;
    all.push_back({{"name", labels::word_name(data.sensitivity, i)},
                   {"short_name", it.short_name},
                   {"compartments", bits_text(it.compartments)},
                   {"minclass", class_text(data, it.minclass)},
                   {"maxclass", class_text(data, it.maxclass)},
                   {"colour", word_colour(data, i)}});
  }
  return all;
}

void add_rows(Table* table, const json& rows, const std::vector<const char*>& members) {
  for (const json& row : rows) {
    std::vector<std::string> cells;
    for (const char* member : members)
      cells.push_back(row[member].is_string() ? dash(shown(text_of(row, member)))
                                              : std::to_string(int_of(row, member)));
    table->add(std::move(cells));
  }
}

// How `a` stands to `b`.
std::string_view relation(const Label& a, const Label& b) {
  if (a == b) return "equal";
  if (a.dominates(b)) return "dominates";
  return b.dominates(a) ? "dominated" : "incomparable";
}

}  // namespace

base::Result<int> label_check(const Context& context, const Arguments& arguments) {
  std::string file = arguments.words.empty() ? "" : arguments.words[0];
  TRY_AS(Source source, find_source(context, file));
  std::vector<labels::Fault> faults = Encodings::check(source.text);
  json list = json::array();
  std::string text;
  for (const labels::Fault& fault : faults) {
    list.push_back({{"line", fault.line}, {"rule", fault.rule}, {"message", fault.message}});
    text += shown(source.name) + ":" + std::to_string(fault.line) + ": " + fault.rule + ": " +
            fault.message + "\n";
  }
  if (faults.empty()) {
    TRY_AS(Encodings encodings, Encodings::parse(source.text, source.name));
    text = shown(source.name) + ": " + encodings.data().version + ": " +
           std::to_string(encodings.data().classifications.size()) + " classifications, " +
           std::to_string(words_of(encodings).size()) + " words, default label " +
           encodings.name_of(encodings.default_label()) + ", default clearance " +
           encodings.clearance_name_of(encodings.default_clearance()) + "\n";
  }
  if (context.json)
    print_json({{"file", source.name}, {"faults", list}});
  else
    print(text);
  return faults.empty() ? 0 : kFailed;
}

base::Result<int> label_list(const Context& context, const Arguments& arguments) {
  std::string file;
  TRY_AS(Encodings encodings, load(context, arguments, &file));
  json classifications = classifications_of(encodings);
  json words = words_of(encodings);
  std::string label = encodings.name_of(encodings.default_label());
  std::string clearance = encodings.clearance_name_of(encodings.default_clearance());
  if (context.json) {
    print_json({{"file", file},
                {"version", encodings.data().version},
                {"default_label", label},
                {"default_clearance", clearance},
                {"classifications", classifications},
                {"words", words}});
    return 0;
  }
  Table classes({{"CLASSIFICATION"}, {"SHORT"}, {"VALUE"}, {"COMBINATIONS"}, {"COLOUR"}});
  add_rows(&classes, classifications, {"name", "short_name", "value", "range", "colour"});
  Table table({{"WORD"}, {"SHORT"}, {"COMPARTMENTS"}, {"FROM"}, {"UP TO"}, {"COLOUR"}});
  add_rows(&table, words, {"name", "short_name", "compartments", "minclass", "maxclass", "colour"});
  print("file:              " + shown(file) + "\nversion:           " + encodings.data().version +
        "\ndefault label:     " + label + "\ndefault clearance: " + clearance + "\n\n" +
        classes.text() + "\n" + table.text());
  return 0;
}

base::Result<int> label_dominates(const Context& context, const Arguments& arguments) {
  std::string file;
  TRY_AS(Encodings encodings, load(context, arguments, &file));
  TRY_AS(Label a, encodings.parse_label(arguments.words[0]));
  TRY_AS(Label b, encodings.parse_label(arguments.words[1]));
  std::string word(relation(a, b));
  if (context.json)
    print_json({{"relation", word}, {"dominates", a.dominates(b)}});
  else
    print(word + "\n");
  return a.dominates(b) ? 0 : kFailed;
}

}  // namespace cli
