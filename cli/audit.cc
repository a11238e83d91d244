// zone audit: reads, follows and verifies the audit log. zoned hands out the files; what is in them is
// looked at here, the same way with and without a daemon.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <optional>
#include <thread>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "cli/handlers.h"
#include "cli/verbs.h"
#include "zoned/api/audit_check.h"

namespace cli {
namespace {

using api::AuditCheck;
using api::AuditHead;
using base::Code;
using base::make_error;
using nlohmann::json;

constexpr auto kPoll = std::chrono::milliseconds(200);

struct File {
  base::UniqueFd fd;
  uint64_t number = 0;
  std::vector<uint64_t> numbers;
  AuditHead head;
  std::string trouble;
  bool damaged = false;
};

// The file of that number; without one the last.
base::Result<File> request_file(const Context& context, std::optional<uint64_t> number) {
  TRY_AS(api::Client client, context.connect());
  json parameters = json::object();
  if (number) parameters["number"] = *number;
  TRY_AS(api::Reply reply, client.call("Audit", parameters));
  File file;
  if (!reply.fds.empty()) file.fd = std::move(reply.fds.front());
  file.number = static_cast<uint64_t>(int_of(reply.parameters, "number"));
  for (const json& item : reply.parameters.value("numbers", json::array()))
    if (item.is_number_unsigned()) file.numbers.push_back(item.get<uint64_t>());
  TRY_AS(file.head, AuditHead::parse(text_of(reply.parameters, "head")));
  file.trouble = text_of(reply.parameters, "trouble");
  file.damaged = bool_of(reply.parameters, "damaged");
  return file;
}

// What has come since; empty at the end.
base::Result<std::string_view> read_some(int fd, std::array<char, 65536>* buffer) {
  ssize_t n = read(fd, buffer->data(), buffer->size());
  if (n < 0) return base::sys_error("read the audit log");
  return std::string_view(buffer->data(), static_cast<size_t>(n));
}

// "2026-01-31", "2026-01-31T12:00" or a time before now, as records have it.
base::Result<std::string> since_text(const std::string& given) {
  if (given.size() > 4 && given[4] == '-' &&
      given.find_first_not_of("0123456789-T:.Z") == std::string::npos)
    return given;
  auto before = base::parse_duration_ms(given);
  if (!before)
    return make_error(Code::kInvalid, "--since " + base::quoted(given) + ": not a time",
                      "such as 2026-01-31, 2026-01-31T12:00 (UTC) or 2h");
  constexpr uint64_t kMsPerSecond = 1000;
  time_t start = time(nullptr) - static_cast<time_t>(*before / kMsPerSecond);
  tm parts = {};
  gmtime_r(&start, &parts);
  std::array<char, 40> text = {};
  return std::string(text.data(), strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts));
}

// Prints the records that were asked for.
class Printer {
 public:
  static base::Result<Printer> from(const Context& context, const Arguments& arguments) {
    Printer printer;
    printer.json_ = context.json;
    if (arguments.has("since")) {
      TRY_AS(printer.since_, since_text(arguments.value("since")));
    }
    if (arguments.has("uid")) {
      TRY_AS(printer.uid_, base::parse_uint(arguments.value("uid"), 0, UINT32_MAX));
    }
    printer.zone_ = arguments.value("zone");
    printer.refused_ = arguments.has("refused");
    return printer;
  }
  void feed(std::string_view bytes) {
    partial_ += bytes;
    size_t begin = 0;
    for (size_t end; (end = partial_.find('\n', begin)) != std::string::npos; begin = end + 1)
      line(partial_.substr(begin, end - begin));
    partial_.erase(0, begin);
  }
  bool file_ended() const { return rotated_; }
  void begin_file() { rotated_ = false; }

 private:
  void line(const std::string& text) {
    auto prefix = api::audit_prefix(text);
    if (!prefix) return;
    rotated_ = prefix->kind == "rotated";
    if (prefix->time < since_) return;
    json record = json::parse(text, nullptr, false);
    if (!record.is_object() || !wanted(record)) return;
    print(json_ ? text + "\n" : told(record) + "\n");
  }
  bool wanted(const json& record) const {
    if (!zone_.empty() && text_of(record, "zone") != zone_) return false;
    if (uid_ && int_of(record, "uid", -1) != static_cast<int64_t>(*uid_)) return false;
    return !refused_ || (text_of(record, "kind") == "decision" && !bool_of(record, "allowed"));
  }
  static std::string told(const json& record) {
    constexpr size_t kToMilliseconds = 23;
    std::string text = text_of(record, "time").substr(0, kToMilliseconds) + "Z  " +
                       std::to_string(int_of(record, "seq")) + "  ";
    if (text_of(record, "kind") == "decision") {
      text += "uid " + std::to_string(int_of(record, "uid")) + "  " + text_of(record, "method");
      for (const char* member : {"zone", "label_name"})
        if (record.contains(member)) text += "  " + text_of(record, member);
      text += bool_of(record, "allowed") ? "  allowed" : "  refused: " + text_of(record, "reason");
      if (record.contains("detail")) text += "  " + text_of(record, "detail");
      return shown(text);
    }
    text += text_of(record, "kind");
    for (const auto& [name, value] : record.items())
      if (name != "seq" && name != "prev" && name != "time" && name != "kind")
        text += "  " + name + " " + (value.is_string() ? value.get<std::string>() : value.dump());
    return shown(text);
  }

  bool json_ = false;
  std::string since_;
  std::string zone_;
  std::optional<uint64_t> uid_;
  bool refused_ = false;
  bool rotated_ = false;
  std::string partial_;
};

// To the end of the file, or, following, until the next one has begun.
base::Status print_file(int fd, bool follow, Printer* printer) {
  std::array<char, 65536> buffer = {};
  printer->begin_file();
  while (true) {
    TRY_AS(std::string_view bytes, read_some(fd, &buffer));
    printer->feed(bytes);
    if (!bytes.empty()) continue;
    fflush(stdout);
    if (!follow || printer->file_ended() || ferror(stdout) != 0) return {};
    std::this_thread::sleep_for(kPoll);
  }
}

// The file behind `number`, once it is there.
base::Result<File> next_file(const Context& context, uint64_t number, bool follow) {
  while (true) {
    auto file = request_file(context, number + 1);
    bool soon = !file && (file.error().code == Code::kNotFound || file.error().code == Code::kIo);
    if (!follow || !soon) return file;
    std::this_thread::sleep_for(kPoll);
  }
}

// Heads in text: "audit head NUMBER:HASH of ROOT" anywhere in a line, or the head alone. Other lines and
// those of other instances are passed over.
base::Status collect_heads(const std::string& text, const std::string& root,
                           std::vector<AuditHead>* heads) {
  constexpr std::string_view kWords = "audit head ";
  const std::string of = " of " + root;
  for (const std::string& whole : base::split(text, '\n')) {
    std::string_view line = base::trim(whole);
    size_t at = line.find(kWords);
    std::string_view rest = at == std::string_view::npos ? line : line.substr(at + kWords.size());
    if (rest.empty()) continue;
    std::string_view word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(word.size());
    if (!rest.empty() && (at == std::string_view::npos || rest != of)) continue;
    auto head = AuditHead::parse(word);
    if (!head && at != std::string_view::npos) return std::move(head).error();
    if (head) heads->push_back(*std::move(head));
  }
  return {};
}

// The instance's name in noted heads.
std::string instance_name(const Context& context) {
  if (context.root.empty()) return "/";
  std::unique_ptr<char, decltype(&free)> path(realpath(context.root.c_str(), nullptr), &free);
  return path ? path.get() : context.root;
}

base::Result<std::vector<AuditHead>> noted_heads(const Context& context,
                                                 const Arguments& arguments) {
  std::vector<AuditHead> heads;
  std::string root = instance_name(context);
  for (const std::string& text : arguments.values("head")) {
    TRY_AS(AuditHead head, AuditHead::parse(text));
    heads.push_back(std::move(head));
  }
  for (const std::string& file : arguments.values("heads")) {
    TRY_AS(std::string text, read_text(file));
    size_t before = heads.size();
    TRY(collect_heads(text, root, &heads));
    if (heads.size() == before)
      return make_error(Code::kNotFound, base::quoted(file) + " holds no head of this audit log");
  }
  if (!arguments.has("journal")) return heads;
  // Anybody may write to the journal; only root's processes have root's uid there.
  TRY_AS(base::Output found,
         base::run_program({"journalctl", "-q", "--no-pager", "-o", "cat", "-n", "5000", "_UID=0",
                            "SYSLOG_IDENTIFIER=zoned-audit", "ZONED_ROOT=" + root}));
  size_t before = heads.size();
  if (found.status == 0) TRY(collect_heads(found.out, root, &heads));
  if (found.status != 0 || heads.size() == before)
    return make_error(Code::kNotFound, "the journal holds no head of this audit log",
                      "heads kept elsewhere are given by --heads FILE");
  return heads;
}

base::Status check_file(int fd, const std::string& name, AuditCheck* check) {
  std::array<char, 65536> buffer = {};
  check->begin_file(name);
  while (true) {
    TRY_AS(std::string_view bytes, read_some(fd, &buffer));
    if (bytes.empty()) break;
    check->feed(bytes);
  }
  check->end_file();
  return {};
}

base::Result<AuditCheck> check_files(const std::vector<std::string>& files,
                                     std::vector<AuditHead> heads) {
  AuditCheck check(std::move(heads), false);
  for (const std::string& name : files) {
    TRY_AS(base::UniqueFd fd, base::open_at(AT_FDCWD, name, O_RDONLY));
    TRY(check_file(fd.get(), name, &check));
  }
  check.finish();
  return check;
}

// What zoned says of its log, and what can't be read of it.
struct Told {
  std::string trouble;
  bool damaged = false;
  std::vector<api::AuditFault> unread;
};

// The daemon's log; what was noted first, so that the files hold it.
base::Result<AuditCheck> check_daemon(const Context& context, std::vector<AuditHead> heads,
                                      Told* told) {
  TRY_AS(File last, request_file(context, {}));
  told->trouble = last.trouble;
  told->damaged = last.damaged;
  heads.push_back(last.head);
  AuditCheck check(std::move(heads), true);
  for (uint64_t number : last.numbers) {
    const std::string name = api::audit_file_name(number);
    auto file = request_file(context, number);
    if (!file && (file.error().code == Code::kNotFound || file.error().code == Code::kState)) {
      bool absent = file.error().code == Code::kNotFound;
      told->unread.push_back({name, absent ? "the file is missing" : "not a regular file"});
      continue;
    }
    if (!file) return std::move(file).error();
    TRY(check_file(file->fd.get(), name, &check));
  }
  check.finish();
  return check;
}

// All that is wrong: what zoned found, unless the records show it, then these.
std::vector<api::AuditFault> all_faults(const Told& told, const AuditCheck& check) {
  std::vector<api::AuditFault> all = told.unread;
  all.insert(all.end(), check.faults().begin(), check.faults().end());
  bool shown = !told.damaged || std::any_of(all.begin(), all.end(), [&](const auto& fault) {
    return fault.place + ": " + fault.text == told.trouble;
  });
  size_t colon = told.trouble.find(": ");
  if (!shown && colon == std::string::npos) all.insert(all.begin(), {"audit log", told.trouble});
  if (!shown && colon != std::string::npos)
    all.insert(all.begin(), {told.trouble.substr(0, colon), told.trouble.substr(colon + 2)});
  return all;
}

}  // namespace

base::Result<int> audit(const Context& context, const Arguments& arguments) {
  bool follow = arguments.has("follow");
  TRY_AS(Printer printer, Printer::from(context, arguments));
  TRY_AS(File file, request_file(context, {}));
  if (!file.trouble.empty()) note(context, "warning: the audit log: " + shown(file.trouble));
  if (file.numbers.empty()) return 0;
  uint64_t last = file.numbers.back();
  TRY_AS(file, request_file(context, file.numbers.front()));
  while (true) {
    TRY(print_file(file.fd.get(), follow && file.number >= last, &printer));
    if (ferror(stdout) != 0 || (!follow && file.number >= last)) return 0;
    TRY_AS(file, next_file(context, file.number, follow));
  }
}

base::Result<int> audit_verify(const Context& context, const Arguments& arguments) {
  TRY_AS(std::vector<AuditHead> heads, noted_heads(context, arguments));
  size_t given = heads.size();
  std::vector<std::string> files = arguments.values("file");
  Told told;
  TRY_AS(AuditCheck check, files.empty() ? check_daemon(context, std::move(heads), &told)
                                         : check_files(files, std::move(heads)));
  const std::vector<api::AuditFault> found = all_faults(told, check);
  json faults = json::array();
  for (const api::AuditFault& fault : found)
    faults.push_back({{"place", fault.place}, {"text", fault.text}});
  bool sound = faults.empty();
  if (context.json) {
    print_json({{"records", check.records()},
                {"first", check.first()},
                {"head", check.head().text()},
                {"heads_given", given},
                {"trouble", told.trouble},
                {"faults", std::move(faults)}});
    return sound ? 0 : kFailed;
  }
  for (const api::AuditFault& fault : found)
    print(shown(fault.place) + ": " + shown(fault.text) + "\n");
  if (!told.trouble.empty())
    note(context, "warning: zoned changes nothing: " + shown(told.trouble));
  if (!check.torn().empty()) note(context, "the last line is not complete");
  if (sound)
    print(std::to_string(check.records()) + " records from " + std::to_string(check.first()) +
          " on are as they were written; " + std::to_string(given) + " noted heads\nhead " +
          check.head().text() + "\n");
  return sound ? 0 : kFailed;
}

base::Result<int> audit_accept(const Context& context, const Arguments&) {
  TRY_AS(json reply, call(context, "AuditAccept", json::object()));
  if (context.json)
    print_json(reply);
  else
    note(context, "the damaged log is in " + shown(text_of(reply, "folder")));
  return 0;
}

}  // namespace cli
