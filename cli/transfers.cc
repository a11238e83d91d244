// zone copy and zone relabel: files from one zone to another; what goes down is shown first.
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "base/strings.h"
#include "cli/handlers.h"
#include "cli/table.h"
#include "zoned/api/copy_stream.h"

namespace cli {
namespace {

using api::CopyEntry;
using base::Code;
using base::make_error;
using base::Result;
using nlohmann::json;

struct ZonePath {
  std::string zone;
  std::string path;
};

Result<ZonePath> parse_place(const std::string& word, const char* what) {
  size_t colon = word.find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == word.size())
    return make_error(Code::kInvalid, base::quoted(word) + " is not ZONE:PATH",
                      std::string("such as: ") + what);
  return ZonePath{word.substr(0, colon), word.substr(colon + 1)};
}

std::string last_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Its first lines, if it is text.
std::string first_lines(std::string_view data) {
  constexpr size_t kLines = 5;
  constexpr size_t kMaxLine = 200;
  if (data.find('\0') != std::string_view::npos) return {};
  std::string out;
  size_t lines = 0;
  if (data.ends_with('\n')) data.remove_suffix(1);
  if (data.empty()) return {};
  for (const std::string& line : base::split(data, '\n')) {
    if (lines++ == kLines) break;
    out += "    | " + shown(line.substr(0, kMaxLine)) + "\n";
  }
  return out;
}

// What the frozen stream holds, entry by entry: nobody is believed who only tells about it. Its top has no
// name there; it is shown under the source's.
base::Status show_content(int content, const json& copy, size_t most) {
  constexpr size_t kLook = 2048;
  const std::string top = last_name(text_of(copy, "from_path"));
  api::CopyReader reader(content);
  size_t count = 0;
  while (true) {
    TRY_AS(auto entry, reader.next());
    if (!entry) break;
    if (++count > most) continue;
    const std::string path = entry->path.empty() ? top : top + "/" + entry->path;
    if (entry->kind == CopyEntry::Kind::kFolder) {
      print("  folder              " + shown(path) + "/\n");
    } else if (entry->kind == CopyEntry::Kind::kLink) {
      print("  link                " + shown(path) + " -> " + shown(entry->link) + "\n");
    } else {
      std::string size = std::to_string(entry->size);
      size.resize(std::max<size_t>(size.size() + 1, 15), ' ');
      print("  file " + size + shown(path) + "\n");
      TRY_AS(auto chunk, reader.chunk());
      if (chunk && chunk->offset == 0) print(first_lines(chunk->data.substr(0, kLook)));
    }
  }
  if (count > most) print("  and " + std::to_string(count - most) + " more; --preview shows all\n");
  return {};
}

std::string summary(const json& copy) {
  auto end = [&copy](const std::string& side) {
    return shown(text_of(copy, side.c_str()) + ":" + text_of(copy, (side + "_path").c_str())) +
           " (" + shown(text_of(copy, (side + "_label").c_str())) + ")";
  };
  int64_t files = int_of(copy, "files");
  return (files == 1 ? "one file or folder, " : std::to_string(files) + " files and folders, ") +
         std::to_string(int_of(copy, "bytes")) + " bytes, from " + end("from") + " to " + end("to");
}

bool confirmed(const std::string& question) {
  print(question + " [y/N] ");
  std::cout.flush();
  std::string line;
  std::getline(std::cin, line);
  return line == "y" || line == "Y" || line == "yes";
}

struct Wish {
  json parameters;
  bool preview = false;
  bool yes = false;
};

Result<int> transfer(const Context& context, const Wish& wish) {
  TRY_AS(api::Client client, context.connect());
  TRY_AS(api::Reply frozen, client.call("Copy", wish.parameters));
  const json copy = frozen.parameters.value("copy", json::object());
  const json number = {{"number", int_of(copy, "number")}};
  if (frozen.fds.size() != 1) return make_error(Code::kInternal, "zoned sent no content");
  bool down = text_of(copy, "flow") == "down";
  constexpr size_t kListed = 50;
  if (!context.json && (down || wish.preview)) {
    print(summary(copy) + ":\n");
    TRY(show_content(frozen.fds[0].get(), copy, wish.preview ? SIZE_MAX : kListed));
    print("SHA-256 of the copy: " + shown(text_of(copy, "sha256")) + "\n");
  }
  auto cancel = [&]() -> base::Status {
    TRY_AS(api::Reply cancelled, client.call("CopyCancel", number));
    return {};
  };
  if (wish.preview) {
    TRY(cancel());
    if (context.json) print_json(copy);
    return 0;
  }
  if (down && !wish.yes) {
    if (isatty(STDIN_FILENO) == 0) {
      TRY(cancel());
      return make_error(Code::kInvalid, "this goes down, and there is nobody to ask",
                        "--preview shows it; --yes does it");
    }
    if (!confirmed("Take this down?")) {
      TRY(cancel());
      return 1;
    }
  }
  TRY_AS(api::Reply done, client.call("CopyConfirm", number));
  bool queued = bool_of(done.parameters, "queued");
  if (context.json) {
    json shown_copy = copy;
    shown_copy["state"] = queued ? "queued" : "done";
    print_json(shown_copy);
  } else if (queued) {
    print("copy " + std::to_string(int_of(copy, "number")) +
          " waits for a second person: zone copy approve\n");
  }
  return 0;
}

Result<int> decide(const Context& context, const Arguments& arguments, const char* method) {
  TRY_AS(uint64_t number, base::parse_uint(arguments.words[0], 0, INT32_MAX));
  TRY_AS(json reply, call(context, method, {{"number", number}}));
  if (context.json) print_json(reply);
  return 0;
}

}  // namespace

Result<int> copy(const Context& context, const Arguments& arguments) {
  constexpr const char* kUsage = "zone copy web:/srv/report db:/srv/";
  TRY_AS(ZonePath from, parse_place(arguments.words[0], kUsage));
  TRY_AS(ZonePath to, parse_place(arguments.words[1], kUsage));
  if (to.path.ends_with('/')) to.path += last_name(from.path);
  return transfer(context, {{{"from", from.zone},
                             {"from_path", from.path},
                             {"to", to.zone},
                             {"to_path", to.path},
                             {"recursive", arguments.has("recursive")},
                             {"replace", arguments.has("force")},
                             {"move", false}},
                            arguments.has("preview"),
                            arguments.has("yes")});
}

Result<int> relabel(const Context& context, const Arguments& arguments) {
  TRY_AS(ZonePath from, parse_place(arguments.words[0], "zone relabel web:/srv/report db"));
  ZonePath to{arguments.words[1], from.path};
  if (to.zone.find(':') != std::string::npos) {
    TRY_AS(to, parse_place(to.zone, "zone relabel web:/srv/report db:/srv/"));
    if (to.path.ends_with('/')) to.path += last_name(from.path);
  }
  return transfer(context, {{{"from", from.zone},
                             {"from_path", from.path},
                             {"to", to.zone},
                             {"to_path", to.path},
                             {"recursive", false},
                             {"replace", false},
                             {"move", true}},
                            arguments.has("preview"),
                            arguments.has("yes")});
}

Result<int> copy_list(const Context& context, const Arguments&) {
  TRY_AS(json reply, call(context, "CopyList", json::object()));
  json copies = reply.value("copies", json::array());
  if (context.json) {
    print_json(copies);
    return 0;
  }
  Table table({{"NUMBER"},
               {"STATE"},
               {"UID"},
               {"FROM"},
               {"LABEL"},
               {"TO"},
               {"LABEL"},
               {"SIZE", Table::Align::kRight}});
  for (const json& item : copies)
    table.add({std::to_string(int_of(item, "number")), shown(text_of(item, "state")),
               std::to_string(int_of(item, "uid")),
               shown(text_of(item, "from") + ":" + text_of(item, "from_path")),
               shown(text_of(item, "from_label")),
               shown(text_of(item, "to") + ":" + text_of(item, "to_path")),
               shown(text_of(item, "to_label")),
               base::format_size(static_cast<uint64_t>(int_of(item, "bytes")))});
  print(table.text());
  return 0;
}

Result<int> copy_show(const Context& context, const Arguments& arguments) {
  TRY_AS(uint64_t number, base::parse_uint(arguments.words[0], 0, INT32_MAX));
  TRY_AS(api::Client client, context.connect());
  TRY_AS(api::Reply reply, client.call("CopyShow", {{"number", number}}));
  const json copy = reply.parameters.value("copy", json::object());
  if (context.json) {
    print_json(copy);
    return 0;
  }
  if (reply.fds.size() != 1) return make_error(Code::kInternal, "zoned sent no content");
  print(summary(copy) + ":\n");
  TRY(show_content(reply.fds[0].get(), copy, SIZE_MAX));
  print("SHA-256 of the copy: " + shown(text_of(copy, "sha256")) + "\n");
  return 0;
}

Result<int> copy_approve(const Context& context, const Arguments& arguments) {
  return decide(context, arguments, "CopyApprove");
}

Result<int> copy_reject(const Context& context, const Arguments& arguments) {
  return decide(context, arguments, "CopyReject");
}

}  // namespace cli
