#include "cli/logs.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/files.h"
#include "base/strings.h"
#include "cli/escape_filter.h"
#include "cli/handlers.h"

namespace cli {
namespace {

using base::Code;
using base::make_error;
using nlohmann::json;

constexpr size_t kChunk = size_t{64} * 1024;
constexpr auto kPoll = std::chrono::milliseconds(200);
constexpr int kPollsPerRequest = 5;  // a second: how soon a rotation is noticed

base::Result<std::vector<base::UniqueFd>> request_files(const Context& context,
                                                        const std::string& name) {
  TRY_AS(api::Client client, context.connect());
  TRY_AS(api::Reply reply, client.call("Logs", {{"name", name}}));
  std::vector<base::UniqueFd> files;
  for (const json& index : reply.parameters.value("files", json::array())) {
    auto i = index.is_number_unsigned() ? index.get<size_t>() : reply.fds.size();
    if (i >= reply.fds.size()) return make_error(Code::kInternal, "zoned sent no log");
    files.push_back(std::move(reply.fds[i]));
  }
  return files;
}

struct Sink {
  EscapeFilter escapes;
  bool filter = isatty(STDOUT_FILENO) != 0;
  base::Status write(const std::string& text) {
    return base::write_all(STDOUT_FILENO, filter ? escapes.filter(text) : text);
  }
};

base::Status copy_from(int file, off_t* offset, Sink* sink) {
  std::string buffer(kChunk, '\0');
  while (true) {
    ssize_t n = pread(file, buffer.data(), buffer.size(), *offset);
    if (n < 0) return base::sys_error("read the log");
    if (n == 0) return {};
    *offset += n;
    TRY(sink->write(buffer.substr(0, static_cast<size_t>(n))));
  }
}

struct Identity {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  bool same_file(const Identity& other) const {
    return device == other.device && inode == other.inode;
  }
};

base::Result<Identity> identify(int file) {
  struct stat info = {};
  if (fstat(file, &info) != 0) return base::sys_error("fstat");
  return Identity{info.st_dev, info.st_ino, info.st_size};
}

// Follows the newest of the files over rotation.
class Follower {
 public:
  Follower(const Context& context, std::string name, Sink* sink)
      : context_(context), name_(std::move(name)), sink_(sink) {}

  base::Status run(std::vector<base::UniqueFd> files, off_t offset) {
    files_ = std::move(files);
    offset_ = offset;
    for (int polls = 1;; ++polls) {
      std::this_thread::sleep_for(kPoll);
      TRY(poll_current());
      if (polls % kPollsPerRequest == 0) TRY(look_for_rotation());
    }
  }

 private:
  base::Status poll_current() {
    if (files_.empty()) return {};
    TRY_AS(Identity now, identify(files_.back().get()));
    if (now.size < offset_) offset_ = 0;  // truncated: start over
    return copy_from(files_.back().get(), &offset_, sink_);
  }

  base::Status look_for_rotation() {
    auto files = request_files(context_, name_);
    if (!files) {
      // A daemon that is away comes back; a zone that is gone does not.
      if (files.error().message.find("no zoned is running") != std::string::npos) return {};
      return files.error().code == Code::kNotFound ? base::Status(files.error()) : base::Status();
    }
    if (files->empty()) return {};
    TRY_AS(Identity newest, identify(files->back().get()));
    if (files_.empty()) {
      files_ = *std::move(files);
      offset_ = 0;
      return poll_current();
    }
    TRY_AS(Identity ours, identify(files_.back().get()));
    if (newest.same_file(ours)) return {};
    TRY(poll_current());  // what was written before the rotation
    bool passed = false;
    for (auto& file : *files) {
      TRY_AS(Identity one, identify(file.get()));
      if (passed || files->size() == 1 || &file == &files->back()) {
        off_t start = 0;
        TRY(copy_from(file.get(), &start, sink_));
        offset_ = start;
      }
      passed = passed || one.same_file(ours);
    }
    files_ = *std::move(files);
    return {};
  }

  const Context& context_;
  std::string name_;
  Sink* sink_;
  std::vector<base::UniqueFd> files_;
  off_t offset_ = 0;
};

}  // namespace

std::string_view last_lines(std::string_view text, size_t lines) {
  size_t at = text.ends_with('\n') ? text.size() - 1 : text.size();
  if (lines == 0) return {};
  while (lines-- > 0) {
    if (at == 0) return text;
    size_t newline = text.rfind('\n', at - 1);
    if (newline == std::string_view::npos) return text;
    at = newline;
  }
  return text.substr(at + 1);
}

base::Result<int> logs(const Context& context, const Arguments& arguments) {
  const std::string& name = arguments.words[0];
  TRY_AS(auto files, request_files(context, name));
  Sink sink;
  off_t offset = 0;
  if (arguments.has("lines")) {
    TRY_AS(uint64_t lines, base::parse_uint(arguments.value("lines"), 0, 1000000000));
    std::string all;
    for (const auto& file : files) {
      constexpr size_t kMaxLog = size_t{1} << 30;  // log-size is at most 1G
      TRY_AS(std::string text, base::read_fd(file.get(), kMaxLog + kChunk));
      offset = static_cast<off_t>(text.size());
      all += text;
    }
    TRY(sink.write(std::string(last_lines(all, lines))));
  } else {
    for (const auto& file : files) {
      offset = 0;
      TRY(copy_from(file.get(), &offset, &sink));
    }
  }
  if (arguments.has("follow")) TRY(Follower(context, name, &sink).run(std::move(files), offset));
  return 0;
}

}  // namespace cli
