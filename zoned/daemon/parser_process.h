// One zone-parse as seen from zoned: requests go out in order, answers come back in order. It may have
// been taken over by what it reads: it gets a deadline for each answer, is not asked for more than it
// was asked, and is killed at the first byte that does not belong there.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/daemon/children.h"

namespace zoned {

class ParserProcess : public std::enable_shared_from_this<ParserProcess> {
 public:
  using Clock = base::EventLoop::Clock;
  using OnAnswer = std::function<void(base::Result<nlohmann::json>)>;

  struct Options {
    std::string program;                                         // zone-parse
    uid_t host_id = 0;                                           // who it is on the host
    std::chrono::milliseconds start = std::chrono::seconds(10);  // until it is in its cell
    std::chrono::milliseconds answer = std::chrono::seconds(2);  // for each answer
  };
  // on_end: once, when it has ended or been killed for what it did; not from start(), not from ask(),
  // not when it is destroyed.
  static base::Result<std::shared_ptr<ParserProcess>> start(base::EventLoop* loop,
                                                            Children* children, Options options,
                                                            std::function<void()> on_end);
  ~ParserProcess();
  ParserProcess(const ParserProcess&) = delete;
  ParserProcess& operator=(const ParserProcess&) = delete;

  // on_answer gets what core::take_answer() makes of the answer, from the loop; kIo when the process
  // ended instead, kTimeout when it was too slow; nothing when we are destroyed first. It may destroy
  // us.
  void ask(std::string request, OnAnswer on_answer);
  bool ready() const { return ready_; }
  bool ended() const { return ended_; }
  bool idle() const { return waiting_.empty(); }
  Clock::time_point started() const { return started_; }

 private:
  ParserProcess(base::EventLoop* loop, Options options, base::UniqueFd socket,
                std::function<void()> on_end);
  void on_event(uint32_t events);
  base::Status greet();
  base::Status receive();
  base::Status take_answers();
  base::Status flush();
  void watch_deadline();
  void end(const base::Error& why);

  base::EventLoop* loop_;
  Options options_;
  base::UniqueFd socket_;
  base::UniqueFd pidfd_;
  std::function<void()> on_end_;
  std::deque<std::string> out_;  // not sent yet; the first from out_offset_ on
  size_t out_offset_ = 0;
  std::string in_;
  std::deque<OnAnswer> waiting_;
  Clock::time_point started_ = Clock::now();
  Clock::time_point since_ = started_;  // the oldest request is the oldest
  base::EventLoop::TimerId timer_ = 0;
  uint32_t watched_ = EPOLLIN;
  bool ready_ = false;
  bool ended_ = false;
};

}  // namespace zoned
