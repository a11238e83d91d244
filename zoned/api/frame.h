// Framing of Varlink on a unix stream socket: messages that end in NUL, with descriptors attached
// (https://varlink.org/Wire-Protocol, unix(7) SCM_RIGHTS). Nothing here looks into a message. Every
// buffer is capped; an excess is an error after which the connection must be closed.
//
// Descriptors belong to the last message of which bytes came with them: a sender puts them beside
// the first byte of their message and sends no other message in the same sendmsg(2). (The kernel
// may prepend earlier bytes to a read that carries descriptors, but never appends later ones.)
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace api {

inline constexpr size_t kMaxCallBytes = 1 << 20;    // a message from a client
inline constexpr size_t kMaxReplyBytes = 16 << 20;  // a message from the daemon
inline constexpr size_t kMaxQueuedBytes = 4 << 20;  // replies that the peer has not read
inline constexpr size_t kMaxClientFds = 3;          // descriptors with one call
inline constexpr size_t kMaxReplyFds = 8;

struct Frame {
  std::string text;  // without the NUL
  std::vector<base::UniqueFd> fds;
};

// The receiving side of one connection.
class FrameReader {
 public:
  FrameReader(size_t max_bytes, size_t max_fds) : max_bytes_(max_bytes), max_fds_(max_fds) {}

  // Takes bytes and the descriptors that came with them. kInvalid: a message over max_bytes or with
  // more than max_fds descriptors.
  base::Status feed(std::string_view data, std::vector<base::UniqueFd> fds);
  // One recvmsg(2) into feed(). False: the peer has closed. A non-blocking socket with nothing to
  // read gives an error with sys_errno EAGAIN.
  base::Result<bool> read_from(int socket);

  // The oldest whole message, if there is one.
  std::optional<Frame> next();
  bool has_frame() const { return !frames_.empty(); }
  // A message has begun and not ended.
  bool partial() const { return !partial_.text.empty() || !partial_.fds.empty(); }

 private:
  base::Status append(std::string_view piece);

  size_t max_bytes_;
  size_t max_fds_;
  Frame partial_;
  std::deque<Frame> frames_;
};

// The sending side: a capped queue.
class FrameWriter {
 public:
  // Queues one message (without NUL). kNoSpace: more than kMaxQueuedBytes would wait; one message
  // of up to kMaxReplyBytes is always taken by an empty queue.
  base::Status push(std::string text, std::vector<base::UniqueFd> fds = {});
  // Sends as much as the socket takes. True: all is sent.
  base::Result<bool> flush(int socket);
  bool empty() const { return queue_.empty(); }
  size_t queued_bytes() const { return queued_; }

 private:
  std::deque<Frame> queue_;
  size_t offset_ = 0;  // of the first message
  size_t queued_ = 0;
};

}  // namespace api
