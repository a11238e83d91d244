// Zones of several labels whose trees the test reads and writes from the host, and users.
#pragma once

#include <string>

#include "base/process.h"
#include "tests/harness/sandbox.h"

namespace transfers {

class World {
 public:
  // Users: games may log in to all zones, clearance SECRET ENG; sys and lp are security administrators,
  // sys of the clearance SECRET ENG, lp of PUBLIC.
  World();
  // An installed zone, which does not run.
  void make(const std::string& name, const std::string& label);
  // Through the client, as that user.
  base::Output run(const std::string& user, const std::string& line);

  std::string path(const std::string& zone, const std::string& file) const;
  void write(const std::string& zone, const std::string& file, const std::string& text) const;
  std::string read(const std::string& zone, const std::string& file) const;
  bool there(const std::string& zone, const std::string& file) const;

  // Reads a file for a copy, as root, and lets it wait: ZONE:PATH each. Its number.
  std::string freeze(const std::string& from, const std::string& to, bool move = false) const;
  // A method on a copy; the code of the error, empty for success.
  std::string ask(const std::string& user, const std::string& method,
                  const std::string& number) const;
  // Nothing of a copy is left in the zone's tree.
  bool clean(const std::string& zone) const;

  harness::Sandbox box;

 private:
  std::string tree_;
};

}  // namespace transfers
