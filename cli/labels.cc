// zone label check, list, dominates: what labels there are.
#include <fcntl.h>
#include <sys/stat.h>

#include "base/files.h"
#include "base/strings.h"
#include "cli/handlers.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "labels/encodings.h"
#include "labels/encodings_data.h"
#include "labels/known_names.h"
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

// Never waits, as for a FIFO that nobody writes to.
base::Result<std::string> read_regular(const std::string& file) {
  TRY_AS(base::UniqueFd fd, base::open_at(AT_FDCWD, file, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  struct stat info = {};
  if (fstat(fd.get(), &info) != 0) return base::sys_error("stat " + base::quoted(file));
  if (!S_ISREG(info.st_mode))
    return base::make_error(base::Code::kInvalid, base::quoted(file) + " is not a regular file",
                            "name the file that holds the encodings");
  auto text = base::read_fd(fd.get(), Encodings::kMaxSize);
  if (!text) return std::move(text).error().context(base::quoted(file));
  return text;
}

// The file given, else the host's, else the built-in one.
base::Result<Source> find_source(const Context& context, const std::string& file) {
  if (!file.empty()) {
    TRY_AS(std::string text, read_regular(file));
    return Source{file, std::move(text)};
  }
  std::string host = api::paths_for(context.root).etc + "/label_encodings";
  auto text = read_regular(host);
  if (text) return Source{host, *std::move(text)};
  if (text.error().code == base::Code::kDenied)
    return std::move(text).error().with_hint(
        "the host's configuration is root's to read; give another file");
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

void add_rows(Table* table, const json& names, const char* list,
              const std::vector<const char*>& members) {
  const json rows = names.value(list, json::array());
  for (const json& row : rows) {
    std::vector<std::string> cells;
    for (const char* member : members) {
      std::string text = text_of(row, member);
      bool number = text.empty() && row.is_object() && row.contains(member) &&
                    row[member].is_number_integer();
      cells.push_back(number ? std::to_string(int_of(row, member)) : dash(shown(text)));
    }
    table->add(std::move(cells));
  }
}

base::Result<json> local_names(const Context& context, const Arguments& arguments) {
  std::string file;
  TRY_AS(Encodings encodings, load(context, arguments, &file));
  json names = labels::known_names(encodings, Label::admin_high());
  names["file"] = file;
  return names;
}

base::Result<json> local_relation(const Context& context, const Arguments& arguments) {
  std::string file;
  TRY_AS(Encodings encodings, load(context, arguments, &file));
  TRY_AS(Label first, encodings.parse_label(arguments.words[0]));
  TRY_AS(Label second, encodings.parse_label(arguments.words[1]));
  return json{{"relation", labels::relation(first, second)}};
}

using Local = base::Result<json> (*)(const Context&, const Arguments&);

// By the file given, else by what the daemon goes by, which tells each user his part. Without a daemon
// root reads the host's file.
base::Result<json> ask(const Context& context, const Arguments& arguments, const char* method,
                       json parameters, Local local) {
  if (arguments.has("file")) return local(context, arguments);
  auto client = context.connect();
  if (client) {
    TRY_AS(api::Reply reply, client->call(method, std::move(parameters)));
    return std::move(reply.parameters);
  }
  auto read = local(context, arguments);
  if (!read && read.error().code == base::Code::kDenied) return std::move(client).error();
  return read;
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
           std::to_string(labels::known_names(encodings, Label::admin_high())["words"].size()) +
           " words, default label " + encodings.name_of(encodings.default_label()) +
           ", default clearance " + encodings.clearance_name_of(encodings.default_clearance()) +
           "\n";
  }
  if (context.json)
    print_json({{"file", source.name}, {"faults", list}});
  else
    print(text);
  return faults.empty() ? 0 : kFailed;
}

base::Result<int> label_list(const Context& context, const Arguments& arguments) {
  TRY_AS(json names, ask(context, arguments, "LabelNames", json::object(), local_names));
  if (context.json) {
    print_json(names);
    return 0;
  }
  Table classes({{"CLASSIFICATION"}, {"SHORT"}, {"VALUE"}, {"COMBINATIONS"}, {"COLOUR"}});
  add_rows(&classes, names, "classifications", {"name", "short_name", "value", "range", "colour"});
  Table table({{"WORD"}, {"SHORT"}, {"COMPARTMENTS"}, {"FROM"}, {"UP TO"}, {"COLOUR"}});
  add_rows(&table, names, "words",
           {"name", "short_name", "compartments", "minclass", "maxclass", "colour"});
  std::string text;
  for (auto [title, member] :
       {std::pair("file:              ", "file"), std::pair("version:           ", "version"),
        std::pair("default label:     ", "default_label"),
        std::pair("default clearance: ", "default_clearance")})
    if (std::string value = text_of(names, member); !value.empty())
      text += title + shown(value) + "\n";
  print(text + "\n" + classes.text() + "\n" + table.text());
  return 0;
}

base::Result<int> label_dominates(const Context& context, const Arguments& arguments) {
  const json names = {{"first", arguments.words[0]}, {"second", arguments.words[1]}};
  TRY_AS(json reply, ask(context, arguments, "LabelDominates", names, local_relation));
  std::string word = text_of(reply, "relation");
  bool dominates = word == "equal" || word == "dominates";
  if (context.json)
    print_json({{"relation", word}, {"dominates", dominates}});
  else
    print(word + "\n");
  return dominates ? 0 : kFailed;
}

}  // namespace cli
