// evilvmm: what an attacker tries who has taken over a VMM. The same program tries the same things in
// the cell and, as the control, as root of the host; there it must succeed, and harm nothing: what it
// changes is in namespaces and files of its own, and where a success would harm the host, arguments
// are chosen that fail behind the check of privilege.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace evil {

struct HostPath {
  char kind = 'f';  // f: file, d: folder, c: device, s: socket or pipe
  uint64_t device = 0;
  uint64_t inode = 0;
  bool readable = false;  // it has a bit for reading, writing
  bool writable = false;
  std::string path;
};

// A device that the host has a driver for.
struct Node {
  char kind = 'c';
  unsigned major_number = 0;
  unsigned minor_number = 0;
  std::string name;
};

// What the test tells of the host, one line each; see read_target.
struct Target {
  bool bare = false;               // root of the host: may fork for each attempt
  size_t from = 0;                 // index of the first attempt
  size_t step = 1;                 // from one to the next
  std::map<std::string, int> fds;  // inherited, by name
  std::map<std::string, std::string> values;
  std::vector<HostPath> paths;
  std::vector<Node> nodes;
  std::vector<pid_t> pids;
  std::set<int> loads_module;  // socket families that the host would load a module for
  long number(const std::string& name) const;
  const std::string& text(const std::string& name) const;
};

enum class Result { kReached, kRefused, kAbsent };

struct Attempt {
  std::string name;    // as in the list of what is reached
  std::string object;  // what it is tried on, where there are many
  std::function<Result(const Target&)> run;
};
using Attempts = std::vector<Attempt>;

// kReached, or by errno: kAbsent when this kernel or this object has no such thing, else kRefused.
Result verdict(bool reached);
// For calls whose success would do harm: reached when they got past the check of privilege.
Result past_privilege(long result, int expected_errno);

// A system call by its number, without libc in between; -errno. A child that it makes ends at once.
long raw_call(long number, const long (&arguments)[6]);

void add_numbers(Attempts* attempts);                            // numbers.cc
void add_sockets(const Target& target, Attempts* attempts);      // sockets.cc
void add_descriptors(const Target& target, Attempts* attempts);  // descriptors.cc
void add_paths(const Target& target, Attempts* attempts);        // host.cc
void add_processes(const Target& target, Attempts* attempts);    // host.cc
void add_privileges(Attempts* attempts);                         // privileges.cc
void add_bombs(Attempts* attempts);                              // bombs.cc

}  // namespace evil
