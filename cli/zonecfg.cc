#include "cli/zonecfg.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/strings.h"

namespace cli {
namespace {

using base::Code;
using base::make_error;
using Kind = ZonecfgStep::Kind;

// How a value is written in TOML.
enum class Form { kBare, kText, kSize, kList };

// A property and its key; an empty key: accepted, and without meaning here.
struct Property {
  std::string_view name;
  std::string_view key;
  Form form = Form::kBare;
};

constexpr Property kGlobal[] = {
    {"autoboot", "autoboot"},
    {"brand", "brand", Form::kText},
    {"pool", "pool", Form::kText},
    {"cpu-shares", "cpu-shares"},
    {"max-processes", "limits.processes"},
    {"max-lwps", "limits.processes"},
    {"max-locked-memory", "capped-memory.locked", Form::kSize},
    {"max-swap", "capped-memory.swap", Form::kSize},
    {"hostname", "hostname", Form::kText},
    {"boot-priority", "boot-priority"},
    {"label", "label", Form::kText},
    {"zonepath", "", Form::kText},
    {"ip-type", "", Form::kText},
    {"scheduling-class", "", Form::kText},
};
constexpr Property kFs[] = {{"dir", "dir", Form::kText},
                            {"special", "special", Form::kText},
                            {"options", "options", Form::kList},
                            {"type", "", Form::kText}};
constexpr Property kNet[] = {{"physical", "network", Form::kText},
                             {"global-nic", "network", Form::kText},
                             {"address", "address", Form::kText},
                             {"defrouter", "router", Form::kText}};
constexpr Property kAdmin[] = {{"user", "user", Form::kText}, {"auths", "auths", Form::kList}};
constexpr Property kCappedCpu[] = {{"ncpus", "ncpus"}};
constexpr Property kDedicatedCpu[] = {{"ncpus", "ncpus", Form::kText}, {"importance", ""}};
constexpr Property kCappedMemory[] = {{"physical", "physical", Form::kSize},
                                      {"swap", "swap", Form::kSize},
                                      {"locked", "locked", Form::kSize}};
constexpr Property kAttr[] = {{"name", ""}, {"type", ""}, {"value", ""}};
constexpr Property kRctl[] = {{"name", ""}, {"value", ""}};

struct Resource {
  std::string_view name;
  bool list = false;  // of several, numbered
  std::span<const Property> properties;
};
constexpr Resource kResources[] = {
    {"fs", true, kFs},
    {"net", true, kNet},
    {"anet", true, kNet},
    {"admin", true, kAdmin},
    {"capped-cpu", false, kCappedCpu},
    {"dedicated-cpu", false, kDedicatedCpu},
    {"capped-memory", false, kCappedMemory},
    {"attr", false, kAttr},
    {"rctl", false, kRctl},
};

// Resource controls that a zone may carry (resource_controls(7)).
constexpr Property kControls[] = {{"zone.cpu-shares", "cpu-shares"},
                                  {"zone.max-processes", "limits.processes"},
                                  {"zone.max-lwps", "limits.processes"},
                                  {"zone.max-locked-memory", "capped-memory.locked", Form::kSize},
                                  {"zone.max-swap", "capped-memory.swap", Form::kSize}};

constexpr std::string_view kCommands[] = {"create", "set",    "add",    "end",  "cancel",
                                          "clear",  "verify", "commit", "info", "export",
                                          "revert", "delete", "exit",   "help"};

template <typename List>
std::string near_hint(std::string_view word, const List& list) {
  std::vector<std::string> known;
  for (const auto& item : list) known.emplace_back(item.name);
  std::string near = base::nearest(word, known);
  return near.empty() ? "one of " + base::join(known, ", ") : "did you mean " + near + "?";
}

template <typename List>
auto find(const List& list, std::string_view name) -> decltype(std::data(list)) {
  for (const auto& item : list) {
    if (item.name == name) return &item;
  }
  return nullptr;
}

std::string quoted_toml(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

// "[a,b]", "(a,b)" and "a,b".
std::vector<std::string> list_items(std::string_view value) {
  if (value.size() >= 2 && (value.front() == '[' || value.front() == '(')) {
    value.remove_prefix(1);
    value.remove_suffix(1);
  }
  std::vector<std::string> items;
  for (const std::string& item : base::split(value, ',')) {
    std::string_view text = base::trim(item);
    if (!text.empty()) items.emplace_back(text);
  }
  return items;
}

std::string toml_value(Form form, const std::string& value) {
  switch (form) {
    case Form::kBare:
      return value;
    case Form::kText:
      return quoted_toml(value);
    case Form::kSize: {
      std::string size = value;
      if (!size.empty() && std::string_view("kmgt").find(size.back()) != std::string_view::npos)
        size.back() = static_cast<char>(size.back() - 'a' + 'A');
      return quoted_toml(size);
    }
    case Form::kList: {
      std::vector<std::string> items;
      for (const std::string& item : list_items(value)) items.push_back(quoted_toml(item));
      return "[" + base::join(items, ", ") + "]";
    }
  }
  return value;
}

// A line into commands of words. Quotes hold spaces, ';' and '#'; brackets hold spaces; '=' with
// spaces around it joins; '#' begins a comment.
class Splitter {
 public:
  base::Result<std::vector<std::vector<std::string>>> split(std::string_view text) {
    for (char c : text) {
      if (in_quotes_) {
        in_quotes_ = c != '"';
        if (in_quotes_) word_.push_back(c);
      } else if (c == '"') {
        in_quotes_ = has_word_ = true;
      } else if (c == '#' && !has_word_) {
        break;
      } else if (c == ';' && depth_ == 0) {
        end_command();
      } else if ((c == ' ' || c == '\t' || c == '\r') && depth_ == 0) {
        end_word();
      } else {
        if (c == '[' || c == '(') ++depth_;
        if (c == ']' || c == ')') --depth_;
        word_.push_back(c);
        has_word_ = true;
      }
    }
    if (in_quotes_) return make_error(Code::kInvalid, "a quote is not closed");
    if (depth_ != 0) return make_error(Code::kInvalid, "a bracket is not closed");
    end_command();
    return std::move(commands_);
  }

 private:
  void end_word() {
    if (!has_word_) return;
    bool joins = !words_.empty() && (word_.starts_with("=") || words_.back().ends_with("="));
    if (joins && words_.size() > 1) {
      words_.back() += word_;
    } else {
      words_.push_back(word_);
    }
    word_.clear();
    has_word_ = false;
  }
  void end_command() {
    end_word();
    if (!words_.empty()) commands_.push_back(std::exchange(words_, {}));
  }

  bool in_quotes_ = false;
  bool has_word_ = false;
  int depth_ = 0;
  std::string word_;
  std::vector<std::string> words_;
  std::vector<std::vector<std::string>> commands_;
};

ZonecfgStep assign(std::string_view key, Form form, const std::string& value) {
  ZonecfgStep step;
  step.assignments.push_back(std::string(key) + "=" + toml_value(form, value));
  return step;
}

ZonecfgStep plain(Kind kind) {
  ZonecfgStep step;
  step.kind = kind;
  return step;
}

}  // namespace

base::Error ZonecfgTranslator::fault(const std::string& what, std::string hint) const {
  return make_error(Code::kInvalid, "line " + std::to_string(line_) + ": " + what, std::move(hint));
}

base::Result<std::vector<ZonecfgStep>> ZonecfgTranslator::line(std::string_view text) {
  ++line_;
  std::vector<ZonecfgStep> steps;
  auto commands = Splitter().split(text);
  if (!commands) return fault(commands.error().message);
  for (const Words& words : *commands) TRY(command(words, &steps));
  return steps;
}

base::Status ZonecfgTranslator::command(const Words& words, std::vector<ZonecfgStep>* steps) {
  const std::string& verb = words[0];
  bool anywhere = verb == "set" || verb == "end" || verb == "cancel" || verb == "help";
  if (!resource_.empty() && !anywhere && verb != "add")
    return fault(base::quoted(verb) + " inside resource " + base::quoted(resource_),
                 "end it first: end");
  if (verb == "set") return set(words, steps);
  if (verb == "clear") return clear(words, steps);
  if (verb == "add") return add(words);
  if (verb == "end") return end(steps);
  if (verb == "create") {
    for (size_t i = 1; i < words.size(); ++i) {
      if (words[i] != "-b" && words[i] != "-F")
        return fault("create " + base::quoted(words[i]) + " is not supported",
                     "to copy a zone's configuration: zone export, zone create -f");
    }
    counts_.clear();
    steps->push_back(plain(Kind::kCreate));
    return {};
  }
  if (verb == "cancel") {
    resource_.clear();
    values_.clear();
    return {};
  }
  if (verb == "delete") {
    steps->push_back(plain(Kind::kDelete));
    steps->back().force = words.size() > 1 && words[1] == "-F";
    return {};
  }
  constexpr std::pair<std::string_view, Kind> kPlain[] = {
      {"verify", Kind::kVerify}, {"commit", Kind::kCommit}, {"info", Kind::kInfo},
      {"export", Kind::kExport}, {"revert", Kind::kRevert}, {"exit", Kind::kExit}};
  for (const auto& [name, kind] : kPlain) {
    if (verb != name) continue;
    steps->push_back(plain(kind));
    return {};
  }
  std::vector<std::string> known(std::begin(kCommands), std::end(kCommands));
  if (verb == "help") {
    steps->push_back({});
    steps->back().notes.push_back("commands: " + base::join(known, ", "));
    return {};
  }
  std::string near = base::nearest(verb, known);
  return fault("unknown command " + base::quoted(verb),
               near.empty() ? "one of " + base::join(known, ", ") : "did you mean " + near + "?");
}

base::Status ZonecfgTranslator::set(const Words& words, std::vector<ZonecfgStep>* steps) {
  size_t equals = words.size() == 2 ? words[1].find('=') : std::string::npos;
  if (equals == std::string::npos) return fault("set needs PROPERTY=VALUE");
  std::string name = words[1].substr(0, equals);
  std::string value = words[1].substr(equals + 1);
  if (!resource_.empty()) return set_in_resource(name, value);
  const Property* property = find(kGlobal, name);
  if (property == nullptr)
    return fault("unknown property " + base::quoted(name), near_hint(name, kGlobal));
  if (name == "ip-type" && value != "exclusive")
    return fault("ip-type " + base::quoted(value) + " is not supported",
                 "every zone has a network stack of its own: exclusive");
  if (!property->key.empty()) {
    steps->push_back(assign(property->key, property->form, value));
    return {};
  }
  steps->push_back({});
  steps->back().notes.push_back(name + " has no meaning here, ignoring");
  return {};
}

base::Status ZonecfgTranslator::clear(const Words& words, std::vector<ZonecfgStep>* steps) {
  if (words.size() != 2) return fault("clear needs one property");
  const Property* property = find(kGlobal, words[1]);
  if (property == nullptr)
    return fault("unknown property " + base::quoted(words[1]), near_hint(words[1], kGlobal));
  if (!property->key.empty()) steps->push_back(assign(property->key, Form::kBare, ""));
  return {};
}

base::Status ZonecfgTranslator::add(const Words& words) {
  if (resource_ == "rctl" && words.size() == 3 && words[1] == "value")
    return set_in_resource("value", words[2]);
  if (words.size() == 3 && !resource_.empty() && (words[1] == "options" || words[1] == "auths")) {
    std::string sum = values_[words[1]];
    for (const std::string& item : list_items(words[2])) sum += (sum.empty() ? "" : ",") + item;
    return set_in_resource(words[1], sum);
  }
  if (!resource_.empty())
    return fault("add inside resource " + base::quoted(resource_), "end it first: end");
  if (words.size() != 2) return fault("add needs one resource");
  if (find(kResources, words[1]) == nullptr)
    return fault("unknown resource " + base::quoted(words[1]), near_hint(words[1], kResources));
  resource_ = words[1];
  values_.clear();
  return {};
}

base::Status ZonecfgTranslator::set_in_resource(const std::string& name, const std::string& value) {
  const Resource* resource = find(kResources, resource_);
  if (find(resource->properties, name) == nullptr)
    return fault(
        "unknown property " + base::quoted(name) + " of resource " + base::quoted(resource_),
        near_hint(name, resource->properties));
  values_[name] = value;
  return {};
}

base::Status ZonecfgTranslator::end_rctl(ZonecfgStep* step) {
  const Property* control = find(kControls, values_["name"]);
  if (control == nullptr)
    return fault("unknown resource control " + base::quoted(values_["name"]),
                 near_hint(values_["name"], kControls));
  for (const std::string& item : list_items(values_["value"])) {
    if (!item.starts_with("limit=")) continue;
    *step = assign(control->key, control->form, item.substr(6));
    return {};
  }
  return fault("rctl " + base::quoted(values_["name"]) + " has no limit",
               "add value (priv=privileged,limit=20,action=none)");
}

base::Status ZonecfgTranslator::end(std::vector<ZonecfgStep>* steps) {
  if (resource_.empty()) return fault("end without add");
  const Resource* resource = find(kResources, resource_);
  ZonecfgStep step;
  if (resource_ == "rctl") {
    TRY(end_rctl(&step));
  } else if (resource_ == "attr") {
    step.notes.push_back("attr " + base::quoted(values_["name"]) +
                         " has no meaning here, ignoring");
  } else {
    std::string key = resource_ == "anet" ? "net" : resource_;
    if (resource->list) key += "." + std::to_string(counts_[key]++);
    for (const Property& property : resource->properties) {
      auto value = values_.find(std::string(property.name));
      if (value == values_.end() || property.key.empty()) continue;
      step.assignments.push_back(key + "." + std::string(property.key) + "=" +
                                 toml_value(property.form, value->second));
    }
    if (step.assignments.empty())
      return fault("resource " + base::quoted(resource_) + " is empty",
                   near_hint("", resource->properties));
  }
  resource_.clear();
  values_.clear();
  steps->push_back(std::move(step));
  return {};
}

std::map<std::string, size_t> count_lists(std::string_view config) {
  std::map<std::string, size_t> counts;
  for (const std::string& line : base::split(config, '\n')) {
    std::string_view text = base::trim(line);
    size_t close = text.find("]]");
    if (!text.starts_with("[[") || close == std::string_view::npos) continue;
    ++counts[std::string(base::trim(text.substr(2, close - 2)))];
  }
  return counts;
}

}  // namespace cli
