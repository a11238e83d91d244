// One connection to a QEMU by QMP: requests with a deadline each, answers to callbacks, events.
// Single-threaded, on an event loop; never blocks.
//
// A guest may have taken QEMU over. So, whatever it sends:
// - one wake-up reads at most kQmpReadBytes; beyond kQmpBytesPerSecond reading pauses, so that the
//   rest waits in QEMU's memory, which is the zone's;
// - events beyond kQmpEventsPerSecond are dropped, and counted;
// - no descriptor is ever taken: the kernel closes what comes;
// - the first malformed message ends the connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "vmzone/qmp_protocol.h"

namespace vmzone {

inline constexpr size_t kQmpReadBytes = 32 << 10;
inline constexpr size_t kQmpBytesPerSecond = 1 << 20;  // at most twice as much at once
inline constexpr size_t kQmpEventsPerSecond = 50;      // likewise
inline constexpr size_t kMaxQmpPending = 256;          // requests without an answer
inline constexpr std::chrono::milliseconds kQmpDeadline{10'000};

class Qmp {
 public:
  using OnAnswer = std::function<void(base::Result<nlohmann::json>)>;
  struct Handlers {
    // The peer takes commands. Once.
    std::function<void(const QmpGreeting&)> on_ready;
    std::function<void(const QmpEvent&)> on_event;
    // This many events were dropped since the last call; at most once a second. What they told must
    // be asked for (query_status).
    std::function<void(uint64_t)> on_lost;
    // The connection is over: all open requests have been answered with the error. Once; no
    // handler is called after it.
    std::function<void(const base::Error&)> on_broken;
  };

  // socket: a connected SOCK_STREAM, to the socket that QEMU listens on (it serves one connection
  // at a time, and the next once this is closed); made non-blocking here. The handshake
  // (qmp_capabilities) goes on its own and has kQmpDeadline. All handlers must be set; each, and
  // each OnAnswer, may destroy this.
  static base::Result<std::unique_ptr<Qmp>> create(base::EventLoop* loop, base::UniqueFd socket,
                                                   Handlers handlers);
  // Open requests are dropped without an answer.
  ~Qmp();
  Qmp(const Qmp&) = delete;
  Qmp& operator=(const Qmp&) = delete;

  // Runs a command; requests run in their order, those before on_ready wait for it. The answer is
  // the value of "return". on_answer is called exactly once (see ~Qmp), never from inside.
  //
  // fd: passed with the request (SCM_RIGHTS), -1 for none; it stays the caller's and is duplicated
  // before the call returns. QEMU takes one for a command (getfd, add-fd).
  // Errors: kTimeout after deadline (an answer that still comes is ignored: whether the command has
  // run is unknown); kBusy over kMaxQmpPending; kIo when the connection is over; QmpFailure's.
  void execute(std::string command, nlohmann::json arguments, OnAnswer on_answer, int fd = -1,
               std::chrono::milliseconds deadline = kQmpDeadline);

  // Runs callback once, not before delay has passed, also when the connection is over by then; never
  // when this is destroyed first. For what is done in steps.
  void after(std::chrono::milliseconds delay, std::function<void()> callback);

  bool ready() const { return state_ == State::kReady; }
  uint64_t dropped_events() const { return dropped_; }  // in all

 private:
  enum class State { kGreeting, kNegotiating, kReady, kBroken };
  struct Pending {
    OnAnswer on_answer;
    base::EventLoop::TimerId deadline = 0;
  };
  struct Outgoing {
    uint64_t id = 0;
    std::string text;
    size_t sent = 0;
    base::UniqueFd fd;
  };
  // So much a second, and twice as much at once.
  class Budget {
   public:
    explicit Budget(size_t per_second)
        : per_second_(static_cast<double>(per_second)), left_(2 * per_second_) {}
    // Takes the amount, even where less is left; nothing, and false, when nothing is left.
    bool take(size_t amount);

   private:
    double per_second_;
    double left_;
    base::EventLoop::Clock::time_point last_ = base::EventLoop::Clock::now();
  };

  Qmp(base::EventLoop* loop, base::UniqueFd socket, Handlers handlers);
  void on_socket(uint32_t events);
  // Of these, false: the connection has broken, or *this is gone.
  bool read_some();
  bool take(QmpMessage message);
  bool take_greeting(const QmpGreeting& greeting);
  bool take_event(const QmpEvent& event);
  bool answer(uint64_t id, base::Result<nlohmann::json> result);
  bool negotiated(base::Result<nlohmann::json> result);
  void complete(uint64_t id, base::Result<nlohmann::json> result);
  void tell_lost();
  void flush();
  void watch();
  void pause();
  void expire(uint64_t id);
  void answer_later(OnAnswer on_answer, base::Error error);
  void broken(base::Error error);

  base::EventLoop* loop_;
  base::UniqueFd socket_;
  std::shared_ptr<const Handlers> handlers_;
  State state_ = State::kGreeting;
  QmpGreeting greeting_;
  QmpReader reader_;
  uint64_t next_id_ = 1;
  std::map<uint64_t, Pending> pending_;
  std::deque<Outgoing> queue_;
  Budget bytes_{kQmpBytesPerSecond};
  Budget events_{kQmpEventsPerSecond};
  bool paused_ = false;
  uint64_t dropped_ = 0;
  uint64_t lost_ = 0;  // of them, not told yet
  base::EventLoop::TimerId handshake_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace vmzone
