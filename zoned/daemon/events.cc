#include "zoned/daemon/events.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <vector>

namespace zoned {
namespace {

std::string now_text() {
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts = {};
  gmtime_r(&now.tv_sec, &parts);
  std::array<char, 40> text = {};
  size_t n = strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  constexpr long kNsPerMs = 1000000;
  std::array<char, 32> fraction = {};
  snprintf(fraction.data(), fraction.size(), ".%03ldZ", now.tv_nsec / kNsPerMs);
  return std::string(text.data(), n) + fraction.data();
}

}  // namespace

void Events::emit(std::string zone, std::string kind, std::string detail) {
  kept_.push_back({now_text(), std::move(zone), std::move(kind), std::move(detail)});
  if (kept_.size() > kEventsKept) kept_.pop_front();
  // A listener may leave while it is told.
  std::vector<uint64_t> ids;
  for (const auto& [id, listener] : listeners_) ids.push_back(id);
  const Event event = kept_.back();
  for (uint64_t id : ids) {
    auto it = listeners_.find(id);
    if (it == listeners_.end()) continue;
    Listener listener = it->second;
    listener(event);
  }
}

uint64_t Events::listen(Listener listener, bool replay) {
  if (replay) {
    const std::deque<Event> kept = kept_;
    for (const Event& event : kept) listener(event);
  }
  uint64_t id = next_++;
  listeners_[id] = std::move(listener);
  return id;
}

}  // namespace zoned
