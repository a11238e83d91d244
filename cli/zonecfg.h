// The zonecfg(8) language of Solaris and illumos, translated to our keys (zone.toml(5)). Pure: what
// comes out are steps for the caller to carry out.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cli {

struct ZonecfgStep {
  enum class Kind { kCreate, kAssign, kVerify, kCommit, kInfo, kExport, kRevert, kDelete, kExit };
  Kind kind = Kind::kAssign;
  std::vector<std::string> assignments;  // kAssign: KEY=VALUE
  std::vector<std::string> notes;        // what was accepted and has no meaning here
  bool force = false;                    // kDelete -F
};

class ZonecfgTranslator {
 public:
  // existing: how many entries of each list the configuration has, such as {"fs": 2}; new entries
  // go behind them.
  explicit ZonecfgTranslator(std::map<std::string, size_t> existing = {})
      : counts_(std::move(existing)) {}

  // One line, which may hold several commands with ';' between. Errors name the line; the word
  // nearest to an unknown one is the hint.
  base::Result<std::vector<ZonecfgStep>> line(std::string_view text);
  // The resource that `add` has begun and `end` not ended, or empty.
  const std::string& open_resource() const { return resource_; }

 private:
  using Words = std::vector<std::string>;
  base::Error fault(const std::string& what, std::string hint = {}) const;
  base::Status command(const Words& words, std::vector<ZonecfgStep>* steps);
  base::Status set(const Words& words, std::vector<ZonecfgStep>* steps);
  base::Status clear(const Words& words, std::vector<ZonecfgStep>* steps);
  base::Status add(const Words& words);
  base::Status set_in_resource(const std::string& name, const std::string& value);
  base::Status end(std::vector<ZonecfgStep>* steps);
  base::Status end_rctl(ZonecfgStep* step);

  int line_ = 0;
  std::map<std::string, size_t> counts_;
  std::string resource_;
  std::map<std::string, std::string> values_;  // of the open resource
};

// Counts "[[fs]]" and the like in a configuration.
std::map<std::string, size_t> count_lists(std::string_view config);

}  // namespace cli
