// The audit log: handing out its files, accepting that it was damaged.
#include "zoned/daemon/api.h"

namespace zoned {

using nlohmann::json;

void Api::audit(Request request) {
  const api::Answer& answer = request.call.answer;
  // What is wrong is told below.
  static_cast<void>(audit_->check());
  const std::vector<uint64_t>& files = audit_->files();
  uint64_t number = files.empty() ? 0 : files.back();
  bool one = has_parameter(request.call.parameters, "number");
  if (one) {
    int64_t asked = request.call.parameters["number"].get<int64_t>();
    number = asked < 0 ? 0 : static_cast<uint64_t>(asked);
  }
  json members = {{"number", number},
                  {"numbers", files},
                  {"head", audit_->head().text()},
                  {"trouble", audit_->trouble()},
                  {"damaged", audit_->damaged()}};
  auto file = audit_->open_file(number);
  if (!file && one) return answer.fail(file.error());
  if (!file) return answer.reply(std::move(members));
  members["file"] = 0;
  std::vector<base::UniqueFd> fds;
  fds.push_back(*std::move(file));
  answer.reply(std::move(members), std::move(fds));
}

void Api::audit_accept(Request request) {
  auto folder = audit_->accept(request.caller);
  if (!folder) return request.call.answer.fail(folder.error());
  request.call.answer.reply({{"folder", *folder}});
}

}  // namespace zoned
