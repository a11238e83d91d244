// What has happened: a ring of the last kEventsKept events and the streams that follow it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>

namespace zoned {

inline constexpr size_t kEventsKept = 1000;

struct Event {
  std::string time;  // UTC, "2025-01-31T12:00:00.123Z"
  std::string zone;  // empty: the host or a pool
  std::string kind;  // "booted", "exited", ...
  std::string detail;
};

class Events {
 public:
  using Listener = std::function<void(const Event&)>;

  void emit(std::string zone, std::string kind, std::string detail = {});
  // Called for each kept event, oldest first, and for each later one. Streams are told apart by id.
  uint64_t listen(Listener listener, bool replay);
  void unlisten(uint64_t id) { listeners_.erase(id); }
  const std::deque<Event>& kept() const { return kept_; }

 private:
  std::deque<Event> kept_;
  std::map<uint64_t, Listener> listeners_;
  uint64_t next_ = 1;
};

}  // namespace zoned
