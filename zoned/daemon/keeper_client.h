// One connection to a zone-keeper: requests by id, replies to callbacks, events. Protocol:
// zoned/core/keeper_protocol.h. Never blocks; what the socket does not take at once waits in a queue.
// Also used for other programs of ours that speak so.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/event_loop.h"
#include "base/rate_limit.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace zoned {

struct KeeperReply {
  nlohmann::json body;
  std::vector<base::UniqueFd> fds;
};

class KeeperClient {
 public:
  using OnReply = std::function<void(base::Result<KeeperReply>)>;
  using OnEvent = std::function<void(const nlohmann::json&)>;
  // The connection is over: all open requests have been answered with an error. May destroy the
  // client.
  using OnBroken = std::function<void(const base::Error&)>;

  // socket: connected SOCK_SEQPACKET; made non-blocking here.
  static base::Result<std::unique_ptr<KeeperClient>> create(base::EventLoop* loop,
                                                            base::UniqueFd socket, OnEvent on_event,
                                                            OnBroken on_broken);
  ~KeeperClient();
  // For one that may be somebody else's by now: the connection breaks when it says more than that which
  // answers nothing.
  void limit_unasked(const base::RateLimit& limit) { unasked_ = limit; }
  KeeperClient(const KeeperClient&) = delete;
  KeeperClient& operator=(const KeeperClient&) = delete;

  // fds stay the caller's: they are sent or duplicated before the call returns. on_reply is never
  // called from inside. A message that can't be sent answers with an error.
  void request(nlohmann::json body, const std::vector<int>& fds, OnReply on_reply);

 private:
  struct Outgoing {
    std::string text;
    std::vector<base::UniqueFd> fds;
  };
  KeeperClient(base::EventLoop* loop, base::UniqueFd socket, OnEvent on_event, OnBroken on_broken);
  void on_ready(uint32_t events);
  void flush();
  // False: the connection has broken (and *this may be gone).
  bool read_some();
  bool allow_unasked();
  void take(const std::string& text, std::vector<base::UniqueFd> fds);
  void watch_silence();
  void answer_later(uint64_t id, base::Error error);
  void broken(base::Error error);

  base::EventLoop* loop_;
  base::UniqueFd socket_;
  OnEvent on_event_;
  OnBroken on_broken_;
  uint64_t next_id_ = 1;
  std::unordered_map<uint64_t, OnReply> pending_;
  std::deque<Outgoing> queue_;
  std::optional<base::RateLimit> unasked_;
  base::EventLoop::TimerId silence_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace zoned
