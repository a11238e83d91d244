#include "base/result.h"

#include <array>
#include <cstring>

namespace base {
namespace {

constexpr std::array<std::string_view, 13> kNames = {
    "invalid",  "not-found", "exists", "busy",     "state",      "denied",      "unsupported",
    "no-space", "timeout",   "io",     "internal", "no-command", "not-runnable"};

Code code_for_errno(int err) {
  switch (err) {
    case ENOENT:
    case ESRCH:
      return Code::kNotFound;
    case EEXIST:
      return Code::kExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return Code::kDenied;
    case EBUSY:
    case EAGAIN:
      return Code::kBusy;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return Code::kNoSpace;
    case ENOSYS:
    case EOPNOTSUPP:
      return Code::kUnsupported;
    case ETIMEDOUT:
      return Code::kTimeout;
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP:
    case ENOTDIR:
      return Code::kInvalid;
    default:
      return Code::kIo;
  }
}

}  // namespace

std::string_view code_name(Code code) { return kNames.at(static_cast<size_t>(code)); }

Code code_from_name(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i)
    if (kNames.at(i) == name) return static_cast<Code>(i);
  return Code::kInternal;
}

Error Error::context(std::string_view what) && {
  message.insert(0, std::string(what) + ": ");
  return std::move(*this);
}

Error Error::with_hint(std::string_view text) && {
  if (hint.empty()) hint = text;
  return std::move(*this);
}

Error make_error(Code code, std::string message, std::string hint) {
  return Error{code, std::move(message), std::move(hint), 0};
}

Error sys_error(std::string_view what, int err) {
  return Error{code_for_errno(err), std::string(what) + ": " + std::strerror(err), {}, err};
}

}  // namespace base
