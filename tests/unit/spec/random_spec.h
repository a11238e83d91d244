// Random valid specs and random ways to write them, for property tests. Fixed seeds: a failure repeats.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "zoned/core/spec_keys.h"

class RandomSpec {
 public:
  explicit RandomSpec(uint32_t seed) : engine_(seed) {}

  size_t below(size_t count) {
    return std::uniform_int_distribution<size_t>(0, count - 1)(engine_);
  }
  bool chance(size_t percent) { return below(100) < percent; }

  core::ZoneSpec zone() {
    core::ZoneSpec spec;
    spec.name = "web";
    spec.brand = chance(30) ? core::Brand::kVm : core::Brand::kNative;
    for (const core::Key<core::ZoneSpec>& key : core::keys_of<core::ZoneSpec>()) {
      if (!chance(40) || key.info.name.find(".N") != std::string_view::npos) continue;
      if (key.info.name == "brand" || !takes(spec, key)) continue;
      size_t times = key.refs != nullptr ? below(4) : 1;
      for (size_t i = 0; i < times; ++i) put(spec, key, {0, "V" + std::to_string(below(9))});
    }
    for (size_t i = 0, count = below(4); i < count; ++i) {
      bool vm = spec.brand == core::Brand::kVm;
      add_element(spec, vm ? "disk.N" : "fs.N", i);
    }
    for (size_t i = 0, count = below(3); i < count; ++i) add_element(spec, "net.N", i);
    for (size_t i = 0, count = below(3); i < count; ++i) add_element(spec, "firewall.N", i);
    for (size_t i = 0, count = below(3); i < count; ++i) add_element(spec, "admin.N", i);
    return spec;
  }

  static bool takes(const core::ZoneSpec& spec, const core::Key<core::ZoneSpec>& key) {
    return !key.info.brand || *key.info.brand == spec.brand;
  }

  // A valid value of the key's type, in the form that Key::set takes.
  core::ConfigValue value(const core::KeyInfo& info, size_t unique) {
    using core::KeyType;
    switch (info.type) {
      case KeyType::kBoolean:
        return chance(50);
      case KeyType::kInteger:
      case KeyType::kSize:
      case KeyType::kRate:
      case KeyType::kBits:
      case KeyType::kDuration:
        return whole(info);
      case KeyType::kNumber:
        return std::uniform_real_distribution<double>(info.min, info.max)(engine_);
      case KeyType::kChoice:
        return std::string(info.choices[below(info.choices.size())]);
      case KeyType::kChoices:
        return some_of(info);
      case KeyType::kText:
        return text(info.name, unique);
      case KeyType::kTexts:
        if (info.check != nullptr) return checked_words(info.name);
        return words(1 + below(4));
    }
    return {};
  }

  // Any text but NUL, with what makes quoting hard.
  std::string hard_text() {
    constexpr std::string_view kPieces[] = {
        "a",  "\"",  "'",      "\\",   "\n",   "\t",       "#",
        "=",  "[",   "}",      "\x01", "\x7f", "\xc3\xa4", "\xf0\x9f\x98\x80",
        "\r", "'''", "\"\"\"", "\\u",  " "};
    std::string out;
    for (size_t i = below(8); i > 0; --i) out += kPieces[below(std::size(kPieces))];
    return out;
  }

 private:
  int64_t whole(const core::KeyInfo& info) {
    auto min = static_cast<int64_t>(info.min);
    auto max = static_cast<int64_t>(info.max);
    if (chance(10)) return chance(50) ? min : max;
    int64_t any = std::uniform_int_distribution<int64_t>(min, max)(engine_);
    if (chance(50)) return any;
    return std::clamp(any & -(int64_t{1} << (10 * (1 + below(3)))), min, max);
  }

  std::vector<std::string> some_of(const core::KeyInfo& info) {
    std::vector<std::string> out;
    for (std::string_view choice : info.choices)
      if (chance(50)) out.emplace_back(choice);
    if (out.empty() && info.min > 0) out.emplace_back(info.choices[0]);
    return out;
  }

  static std::vector<std::string> checked_words(std::string_view name) {
    if (name == "net.N.publish") return {"8080:80", "127.0.0.1:5353:53/udp"};
    if (name == "export") return {"/srv/a \"b\"", "/export"};
    if (name == "net.N.multilevel-port") return {"udp:514", "udp:65535"};
    return {"10.0.0.0/8", "fd00::/64"};
  }

  std::vector<std::string> words(size_t count) {
    std::vector<std::string> out = {"/bin/x" + hard_text()};
    while (out.size() < count) out.push_back(hard_text());
    return out;
  }

  std::string text(std::string_view name, size_t unique) {
    std::string number = std::to_string(unique);
    if (name == "env.NAME") return hard_text();
    if (name == "vm.machine") return "pc-q35-7." + number;
    if (name == "vm.cpu") return "Nehalem,-aes,level=" + number;
    if (name == "vm.kernel-command-line") return "root=/dev/vda, a=\"b\" " + number;
    if (name == "disk.N.path") return (chance(50) ? "/a b/" : "") + ("disk " + number);
    if (name == "label") return "SECRET \"A\" '#' \xc3\xa4 " + number;
    if (name == "display" || name == "workdir" || name == "fs.N.dir" || name == "fs.N.special")
      return "/a b/" + std::string(chance(50) ? "#" : "\\'\"") + "/" + number;
    if (name == "dedicated-cpu.ncpus") return "0-" + number + ",70";
    if (name == "hostname") return "host-" + number + ".example";
    if (name == "pool") return "pool-" + number;
    if (name == "net.N.mac") return "02:00:00:00:00:0" + std::to_string(unique % 10);
    if (name == "net.N.address") return "10.1.2." + number + ",fd00::" + number;
    if (name == "net.N.name") return "lan" + number;
    if (name == "net.N.network") return "net-" + number;
    if (name == "firewall.N.ports") return "80,8000-80" + std::to_string(10 + unique % 10);
    return "name" + number;
  }

  void put(core::ZoneSpec& spec, const core::Key<core::ZoneSpec>& key, const core::KeyRef& ref) {
    if (!key.set(spec, ref, value(key.info, ref.index)).ok()) std::abort();
  }

  void add_element(core::ZoneSpec& spec, std::string_view list, size_t index) {
    for (const core::Key<core::ZoneSpec>& key : core::keys_of<core::ZoneSpec>())
      if (key.info.name.starts_with(list) && takes(spec, key)) put(spec, key, {index, {}});
  }

  std::mt19937 engine_;
};

// Writes a spec in a random style: tables, dotted keys or inline tables, values over several lines,
// quoted keys, odd blanks, and a numbered comment line "# note N" wherever one may stand.
class RandomText {
 public:
  RandomText(RandomSpec& random, const core::ZoneSpec& spec) : random_(random), spec_(spec) {
    newline_ = random.chance(20) ? "\r\n" : "\n";
  }

  std::string write() {
    comment();
    std::string tables;
    for (const char* table :
         {"", "env", "capped-cpu", "dedicated-cpu", "capped-memory", "limits", "vm"})
      write_table(table, tables);
    write_list("fs", spec_.fs.size(), tables);
    write_list("disk", spec_.disk.size(), tables);
    write_list("net", spec_.net.size(), tables);
    write_list("firewall", spec_.firewall.size(), tables);
    write_list("admin", spec_.admin.size(), tables);
    comment();
    out_ += tables;
    if (random_.chance(20)) out_.resize(out_.size() - newline_.size());
    return out_;
  }

 private:
  struct Pair {
    core::ConfigPath path;
    std::string key;  // the last segment, perhaps quoted
    std::string value;
  };

  std::vector<Pair> pairs_of(std::string_view table, size_t element) {
    std::vector<Pair> pairs;
    for (const core::Key<core::ZoneSpec>& key : core::keys_of<core::ZoneSpec>()) {
      for (const core::KeyRef& ref : core::refs_of(key, spec_)) {
        core::ConfigPath path = core::path_of(key.info, ref);
        bool in_list = key.info.name.find(".N.") != std::string_view::npos;
        if ((path.size() > 1 ? path[0] : "") != table || (in_list && ref.index != element))
          continue;
        core::ConfigValue value = key.get(spec_, ref);
        bool standard = value == core::default_of(key) && !key.info.required;
        if (std::holds_alternative<std::monostate>(value) || (standard && random_.chance(80)) ||
            !RandomSpec::takes(spec_, key))
          continue;
        std::string name =
            random_.chance(20) ? core::string_text(path.back()) : core::key_text({path.back()});
        pairs.push_back({path, name, core::format_value(key.info, value)});
      }
    }
    return pairs;
  }

  std::string blank() { return std::string(random_.below(3), random_.chance(80) ? ' ' : '\t'); }

  std::string note() {
    return blank() + "# note " + std::to_string(notes_++) + " [x] = \"'" + newline_;
  }

  void comment(std::string* to = nullptr) {
    std::string& out = to != nullptr ? *to : out_;
    while (random_.chance(40)) out += random_.chance(70) ? note() : newline_;
  }

  // An array of strings may go over several lines, with comments.
  std::string spread(const std::string& value) {
    if (!value.starts_with('[') || value == "[]" || random_.chance(50)) return value;
    std::string inside = value.substr(1, value.size() - 2);
    return "[ # open" + newline_ + note() + "  " + inside + (random_.chance(50) ? "," : "") +
           newline_ + note() + "]";
  }

  std::string line(const std::string& key, const std::string& value) {
    std::string tail = random_.chance(30) ? " # tail \"" : "";
    return blank() + key + blank() + "=" + blank() + spread(value) + tail + newline_;
  }

  std::string inline_table(const std::vector<Pair>& pairs) {
    std::string out = "{";
    for (size_t i = 0; i < pairs.size(); ++i)
      out += (i > 0 ? "," : "") + blank() + pairs[i].key + " = " + pairs[i].value + blank();
    return out + "}";
  }

  void write_table(const std::string& table, std::string& tables) {
    std::vector<Pair> pairs = pairs_of(table, 0);
    if (pairs.empty() && random_.chance(80)) return;
    size_t style = table.empty() ? 3 : random_.below(3);
    if (style == 0) {
      tables += blank() + "[" + table + "]" + (random_.chance(30) ? " # table" : "") + newline_;
      for (const Pair& pair : pairs) {
        comment(&tables);
        tables += line(pair.key, pair.value);
      }
      comment(&tables);
    } else if (style == 1) {
      out_ += line(table, inline_table(pairs));
    } else {
      for (const Pair& pair : pairs) {
        comment();
        out_ += line((table.empty() ? "" : table + blank() + ".") + pair.key, pair.value);
      }
    }
  }

  void write_list(const std::string& list, size_t count, std::string& tables) {
    if (count == 0 && random_.chance(80)) return;
    if (count == 0 || random_.chance(40)) {
      std::string value = "[";
      for (size_t i = 0; i < count; ++i) {
        if (random_.chance(50)) value += newline_ + note();
        value += inline_table(pairs_of(list, i));
        if (i + 1 < count || random_.chance(30)) value += ",";
      }
      out_ += blank() + list + " = " + value + (random_.chance(30) ? newline_ + note() : "") + "]" +
              newline_;
      return;
    }
    for (size_t i = 0; i < count; ++i) {
      tables += "[[" + list + "]]" + newline_;
      for (const Pair& pair : pairs_of(list, i)) {
        comment(&tables);
        tables += line(pair.key, pair.value);
      }
    }
  }

  RandomSpec& random_;
  const core::ZoneSpec& spec_;
  std::string newline_;
  std::string out_;
  size_t notes_ = 0;
};
