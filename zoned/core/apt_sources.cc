#include "zoned/core/apt_sources.h"

#include <algorithm>
#include <map>

#include "base/strings.h"

namespace core {
namespace {

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  for (char c : text) {
    bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!space) word += c;
    if (space && !word.empty()) out.push_back(std::exchange(word, {}));
  }
  if (!word.empty()) out.push_back(std::move(word));
  return out;
}

bool is_clean(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > 0x20 && c < 0x7f && c != '[' && c != ']' && c != '"' && c != '\'' && c != '\\';
  });
}

bool is_web(const std::string& uri) {
  return (uri.starts_with("http://") || uri.starts_with("https://")) && is_clean(uri);
}

bool all_clean(const std::vector<std::string>& list) {
  return !list.empty() && std::all_of(list.begin(), list.end(), is_clean);
}

// "[signed-by=/x arch=amd64]" in front of the URI.
void take_options(std::string_view* line, std::string* signed_by) {
  *line = base::trim(*line);
  if (!line->starts_with('[')) return;
  size_t close = line->find(']');
  if (close == std::string_view::npos) return;
  for (const std::string& option : words(line->substr(1, close - 1)))
    if (option.starts_with("signed-by=/")) *signed_by = option.substr(10);
  line->remove_prefix(close + 1);
}

void add_stanza(const std::map<std::string, std::string>& fields, std::vector<AptSource>* out) {
  auto field = [&fields](const char* name) {
    auto it = fields.find(name);
    return it == fields.end() ? std::string() : it->second;
  };
  std::vector<std::string> types = words(field("types"));
  AptSource source;
  source.uris = words(field("uris"));
  source.suites = words(field("suites"));
  source.components = words(field("components"));
  std::vector<std::string> keys = words(field("signed-by"));
  // An inline key starts with "-----BEGIN"; the suite is then checked with Debian's keyring.
  if (keys.size() == 1 && keys[0].starts_with('/')) source.signed_by = keys[0];
  std::string enabled = field("enabled");
  bool off = enabled == "no" || enabled == "false" || enabled == "0";
  bool binary = std::find(types.begin(), types.end(), "deb") != types.end();
  if (binary && !off && all_clean(source.uris) && all_clean(source.suites) &&
      all_clean(source.components))
    out->push_back(std::move(source));
}

// What a line of the new tree's sources needs.
struct Line {
  std::string uri;
  std::string suite;
  std::vector<std::string> components;
  std::string signed_by;
};

std::string format(const std::vector<Line>& lines) {
  std::string text;
  for (const Line& line : lines)
    text += "deb [signed-by=" + (line.signed_by.empty() ? kDebianKeyring : line.signed_by) + "] " +
            line.uri + " " + line.suite + " " + base::join(line.components, " ") + "\n";
  return text;
}

// Other archives may use Debian's suite names too, but not its keys.
bool is_debian(const AptSource& source) {
  bool keys = source.signed_by.empty() ||
              source.signed_by.starts_with("/usr/share/keyrings/debian-archive-");
  return keys && std::find(source.components.begin(), source.components.end(), "main") !=
                     source.components.end();
}

bool has_sections(std::string_view suite) {
  return suite != "sid" && suite != "unstable" && suite != "experimental";
}

// The host's entries whose suites are `from`, `from`-updates or `from`-security, told for `suite`.
std::vector<Line> lines_like(const std::vector<AptSource>& host, const std::string& from,
                             const std::string& suite) {
  std::vector<Line> lines;
  for (const AptSource& source : host)
    for (const std::string& theirs : source.suites)
      for (const char* section : {"", "-updates", "-security"}) {
        if (!is_debian(source)) continue;
        if (theirs != from + section || (section[0] != '\0' && !has_sections(suite))) continue;
        for (const std::string& uri : source.uris)
          if (is_web(uri))
            lines.push_back({uri, suite + section, source.components, source.signed_by});
      }
  bool main = std::any_of(lines.begin(), lines.end(),
                          [&](const Line& line) { return line.suite == suite; });
  return main ? lines : std::vector<Line>();
}

}  // namespace

std::vector<AptSource> parse_apt_list(std::string_view text) {
  std::vector<AptSource> out;
  for (const std::string& raw : base::split(text, '\n')) {
    std::string_view line = base::trim(std::string_view(raw).substr(0, raw.find('#')));
    if (!line.starts_with("deb ") && !line.starts_with("deb\t")) continue;
    line.remove_prefix(4);
    AptSource source;
    take_options(&line, &source.signed_by);
    std::vector<std::string> parts = words(line);
    if (parts.size() < 3 || !all_clean(parts)) continue;
    source.uris = {parts[0]};
    source.suites = {parts[1]};
    source.components.assign(parts.begin() + 2, parts.end());
    out.push_back(std::move(source));
  }
  return out;
}

std::vector<AptSource> parse_apt_stanzas(std::string_view text) {
  std::vector<AptSource> out;
  std::map<std::string, std::string> fields;
  std::string key;
  auto end_stanza = [&] {
    add_stanza(fields, &out);
    fields.clear();
    key.clear();
  };
  for (const std::string& line : base::split(text, '\n')) {
    if (base::trim(line).empty()) {
      end_stanza();
      continue;
    }
    if (line[0] == '#') continue;
    if ((line[0] == ' ' || line[0] == '\t') && !key.empty()) {
      fields[key] += "\n" + line;
      continue;
    }
    size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    key = line.substr(0, colon);
    for (char& c : key)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    fields[key] = base::trim(std::string_view(line).substr(colon + 1));
  }
  end_stanza();
  return out;
}

std::string debian_sources(std::string_view suite_text, std::string_view mirror,
                           const std::vector<AptSource>& host, std::string_view host_suite) {
  std::string suite(suite_text);
  if (!mirror.empty()) return format({{std::string(mirror), suite, {"main"}, ""}});
  std::vector<Line> lines = lines_like(host, suite, suite);
  if (lines.empty() && !host_suite.empty())
    lines = lines_like(host, std::string(host_suite), suite);
  return format(lines);
}

}  // namespace core
