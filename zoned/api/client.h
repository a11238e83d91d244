// The client's side of the API: one blocking connection, one call at a time.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/api/frame.h"

namespace api {

struct Reply {
  nlohmann::json parameters;
  std::vector<base::UniqueFd> fds;
  bool continues = false;
};

class Client {
 public:
  // The daemon of `root` (empty: the host's own; see paths.h). kNotFound with a hint how to start
  // it when nobody listens.
  static base::Result<Client> connect(const std::string& root);
  // Over a connected blocking stream socket.
  explicit Client(base::UniqueFd socket) : socket_(std::move(socket)) {}

  // One call, one reply. `method` without a dot is one of io.zoned. fds stay the caller's.
  base::Result<Reply> call(std::string_view method, nlohmann::json parameters,
                           const std::vector<int>& fds = {});
  // A call with "more": callback gets every reply, the last one too, and returns false to stop
  // (the connection is then of no further use).
  base::Status call_more(std::string_view method, nlohmann::json parameters,
                         const std::function<bool(Reply)>& callback);

  // The parts of call_more, for callers that wait for something else as well.
  base::Status start(std::string_view method, nlohmann::json parameters, bool more,
                     const std::vector<int>& fds = {});
  // The next reply; blocks. An error reply is returned as the error that it carries.
  base::Result<Reply> next();
  // A reply is here already: next() won't block.
  bool has_reply() const { return reader_.has_frame(); }
  // To poll(2) for input.
  int fd() const { return socket_.get(); }

 private:
  base::UniqueFd socket_;
  FrameReader reader_{kMaxReplyBytes, kMaxReplyFds};
};

}  // namespace api
