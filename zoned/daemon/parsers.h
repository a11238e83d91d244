// The processes that read what others wrote (zone-parse), one for each who may have written it, so that
// bytes that take such a process over gain nothing: a user's can only make up calls that this user
// could have sent, and no two users share one. Root's calls have one that is always there; others come
// with a user's first call and go when it has been idle for a while. Texts of our own folders are read
// at start-up by one of their own, and each that is edited later by one more; so are label encodings.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "zoned/api/server.h"
#include "zoned/core/plan.h"
#include "zoned/daemon/config_reader.h"
#include "zoned/daemon/parser_process.h"

namespace zoned {

class Parsers : public ConfigReader {
 public:
  static constexpr size_t kMaxUsers = 64;  // that have one at a time, root not counted
  using OnConfig = std::function<void(base::Result<nlohmann::json>)>;
  using OnRead = std::function<void(base::Result<core::ConfigDocument>)>;

  // range: host ids that nobody else has. loop and children outlive us.
  Parsers(base::EventLoop* loop, Children* children, std::string program, core::IdRange range);
  ~Parsers() override;
  Parsers(const Parsers&) = delete;
  Parsers& operator=(const Parsers&) = delete;

  // Starts those for our folders and for root; blocks until they are in their cells.
  base::Status open();
  // The folders have been read.
  void close_reader();
  std::vector<base::Result<core::ConfigDocument>> documents(
      const std::vector<core::ConfigText>& texts) override;
  base::Result<nlohmann::json> json(const std::string& text) override;

  // A label_encodings file, by a process that reads nothing else. Its faults with file and line. Blocks
  // likewise.
  base::Result<labels::Encodings> encodings(const core::ConfigText& text);

  // A message from a process of uid. kBusy: too many users, or its process ends as soon as it starts.
  void call(uid_t uid, const std::string& message, const api::OnParsed& done);
  // A stored text with assignments (core::edit_request); done gets what core::take_config() takes.
  void edit(bool pool, const std::string& name, const std::string& text,
            const std::vector<std::string>& assignments, const OnConfig& done);
  // A text that zoned has changed, while it serves.
  void read(const core::ConfigText& text, const OnRead& done);

 private:
  using Clock = base::EventLoop::Clock;
  using ProcessPtr = std::shared_ptr<ParserProcess>;
  struct User {
    ProcessPtr process;  // null: none now
    Clock::time_point used = {};
    Clock::time_point refused_until = {};
  };

  using OnDocument = std::function<void(size_t, base::Result<core::ConfigDocument>)>;

  // By a process that is started for it.
  void ask_once(std::string request, const OnConfig& done);
  base::Result<ProcessPtr> start(std::function<void()> on_end, std::chrono::milliseconds answer);
  base::Result<ParserProcess*> process_of(uid_t uid);
  base::Status make_room();
  void on_end(uid_t uid);
  void sweep_later();
  void sweep();
  // take, for each text from begin to end, once.
  void ask_documents(const std::vector<core::ConfigText>& texts, size_t begin, size_t end,
                     const OnDocument& take);
  // Runs the loop until done() or, an error, the reader has ended.
  base::Status wait(const std::function<bool()>& done);

  base::EventLoop* loop_;
  Children* children_;
  std::string program_;
  core::IdRange range_;
  uint32_t next_id_ = 0;
  ProcessPtr reader_;
  std::map<uid_t, User> users_;
  std::map<uint64_t, ProcessPtr> editors_;
  uint64_t next_editor_ = 0;
  base::EventLoop::TimerId sweep_timer_ = 0;
};

}  // namespace zoned
