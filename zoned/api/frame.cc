#include "zoned/api/frame.h"

#include <cerrno>
#include <utility>

#include "base/unix_socket.h"

namespace api {
namespace {

using base::Code;
using base::make_error;

// One read: large enough for nearly every message, small enough to be cheap for an idle peer.
constexpr size_t kReadBytes = size_t{16} * 1024;

}  // namespace

base::Status FrameReader::append(std::string_view piece) {
  if (partial_.text.size() + piece.size() > max_bytes_)
    return make_error(Code::kInvalid,
                      "message is longer than " + std::to_string(max_bytes_) + " bytes");
  partial_.text.append(piece);
  return {};
}

base::Status FrameReader::feed(std::string_view data, std::vector<base::UniqueFd> fds) {
  // Where the last message of this piece begins: its descriptors are those of the piece.
  size_t last = data.size() < 2 ? std::string_view::npos : data.rfind('\0', data.size() - 2);
  last = last == std::string_view::npos ? 0 : last + 1;
  size_t start = 0;
  while (start < data.size()) {
    if (start == last) {
      for (auto& fd : fds) partial_.fds.push_back(std::move(fd));
      fds.clear();
      if (partial_.fds.size() > max_fds_)
        return make_error(Code::kInvalid,
                          "more than " + std::to_string(max_fds_) + " descriptors in a message");
    }
    size_t end = data.find('\0', start);
    if (end == std::string_view::npos) return append(data.substr(start));
    TRY(append(data.substr(start, end - start)));
    frames_.push_back(std::exchange(partial_, {}));
    start = end + 1;
  }
  return {};
}

base::Result<bool> FrameReader::read_from(int socket) {
  TRY_AS(base::Message message, base::receive_message(socket, kReadBytes));
  if (message.eof) return false;
  TRY(feed(message.data, std::move(message.fds)));
  return true;
}

std::optional<Frame> FrameReader::next() {
  if (frames_.empty()) return std::nullopt;
  Frame frame = std::move(frames_.front());
  frames_.pop_front();
  return frame;
}

base::Status FrameWriter::push(std::string text, std::vector<base::UniqueFd> fds) {
  size_t size = text.size() + 1;
  if (size > kMaxReplyBytes)
    return make_error(Code::kNoSpace, "message of " + std::to_string(size) + " bytes is too long");
  if (!queue_.empty() && queued_ + size > kMaxQueuedBytes)
    return make_error(Code::kNoSpace, "the peer does not read");
  text.push_back('\0');
  queued_ += size;
  queue_.push_back({std::move(text), std::move(fds)});
  return {};
}

base::Result<bool> FrameWriter::flush(int socket) {
  while (!queue_.empty()) {
    Frame& frame = queue_.front();
    std::vector<int> fds;
    for (const auto& fd : frame.fds) fds.push_back(fd.get());
    auto sent = base::send_message(socket, std::string_view(frame.text).substr(offset_), fds);
    if (!sent) {
      if (sent.error().sys_errno == EAGAIN) return false;
      return std::move(sent).error();
    }
    if (*sent > 0) frame.fds.clear();  // they went with the first byte
    offset_ += *sent;
    queued_ -= *sent;
    if (offset_ < frame.text.size()) continue;
    queue_.pop_front();
    offset_ = 0;
  }
  return true;
}

}  // namespace api
