// The audit log's reader: any bytes will do; and a log that is changed anywhere is never taken for what was
// written, once its head is known.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "zoned/api/audit_check.h"

namespace {

constexpr int64_t kTime = 1767225600000000000;

struct Log {
  std::string text;
  api::AuditHead head;
};

const Log& sample() {
  static const Log log = [] {
    Log made;
    for (const char* method : {"Boot", "Halt", "Set", "Exec"}) {
      std::string line = api::audit_line(made.head, kTime, "decision", {{"method", method}});
      made.head = api::head_after(made.head, line);
      made.text += line + "\n";
    }
    return made;
  }();
  return log;
}

api::AuditCheck check(const std::string& text, std::vector<api::AuditHead> known, size_t piece) {
  api::AuditCheck check(std::move(known), true);
  check.begin_file("a.log");
  for (size_t at = 0; at < text.size(); at += piece) check.feed(text.substr(at, piece));
  check.end_file();
  check.finish();
  return check;
}

}  // namespace

// The first bytes say where the rest goes into a sound log and how much it replaces.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  check(text, {}, 1 + size / 3);
  static_cast<void>(api::AuditHead::parse(text));
  if (size < 3) return 0;
  const Log& log = sample();
  std::string changed = log.text;
  size_t at = (data[0] * size_t{256} + data[1]) % (changed.size() + 1);
  changed.replace(at, data[2], text.substr(3));
  api::AuditCheck found = check(changed, {log.head}, 1 + data[2]);
  bool sound = found.faults().empty() && found.torn().empty();
  if (sound != (changed == log.text)) abort();
  return 0;
}
