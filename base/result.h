// Result<T>: a value or an Error. Every fallible function of the project returns one.
//
// An Error carries a stable code (for JSON and for callers that branch), a message built outermost
// context first ("zone 'web': mount '/proc': Operation not permitted") and, where a fix is known,
// a hint. errno is captured at the call that failed, never later.
#pragma once

#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace base {

// Stable over releases; the string form (code_name) is what JSON errors carry.
enum class Code {
  kInvalid,      // "invalid": the input is wrong; same input will always fail
  kNotFound,     // "not-found": also the answer for a hidden object
  kExists,       // "exists"
  kBusy,         // "busy": in use by somebody else, try later
  kState,        // "state": the zone's state does not allow this verb
  kDenied,       // "denied": the caller may not do this
  kUnsupported,  // "unsupported": this host lacks what is needed
  kNoSpace,      // "no-space": disk, memory, ids or another resource ran out
  kTimeout,      // "timeout"
  kIo,           // "io": the kernel or a helper program failed
  kInternal,     // "internal": a bug of ours
  kNoCommand,    // "no-command": the command to run is not there (127 of a shell)
  kNotRunnable,  // "not-runnable": the command is there and can't be executed (126 of a shell)
};

// "invalid", "not-found", ...
std::string_view code_name(Code code);
// Inverse of code_name; kInternal for an unknown name.
Code code_from_name(std::string_view name);

struct Error {
  Code code = Code::kInternal;
  std::string message;  // no trailing full stop, no newline
  std::string hint;     // empty: no fix known
  int sys_errno = 0;    // 0: not caused by a system call

  // Prefixes the message: context("zone 'web'") gives "zone 'web': <message>".
  Error context(std::string_view what) &&;
  Error with_hint(std::string_view text) &&;
};

// An error without errno.
Error make_error(Code code, std::string message, std::string hint = {});
// "<what>: <strerror(err)>"; the code is derived from err (ENOENT -> kNotFound, EEXIST -> kExists,
// EACCES/EPERM -> kDenied, EBUSY -> kBusy, ENOSPC/EDQUOT/ENOMEM/EMFILE/ENFILE -> kNoSpace,
// ENOSYS/EOPNOTSUPP -> kUnsupported, ETIMEDOUT -> kTimeout, EINVAL -> kInvalid, else kIo).
Error sys_error(std::string_view what, int err = errno);

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : v_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Error error) : v_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  explicit operator bool() const { return v_.index() == 0; }
  bool ok() const { return v_.index() == 0; }
  T& operator*() & { return std::get<0>(v_); }
  const T& operator*() const& { return std::get<0>(v_); }
  T&& operator*() && { return std::get<0>(std::move(v_)); }
  T* operator->() { return &std::get<0>(v_); }
  const T* operator->() const { return &std::get<0>(v_); }
  const Error& error() const& { return std::get<1>(v_); }
  Error&& error() && { return std::get<1>(std::move(v_)); }

 private:
  std::variant<T, Error> v_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

  explicit operator bool() const { return !error_; }
  bool ok() const { return !error_; }
  const Error& error() const& { return *error_; }
  Error&& error() && { return *std::move(error_); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace base

// TRY(expr): evaluates a Result<void> (or ignores a value) and returns its error from the function.
// TRY_AS(var, expr): declares var with the value, or returns the error.
#define TRY(expr)                                                 \
  do {                                                            \
    auto try_result_ = (expr);                                    \
    if (!try_result_.ok()) return std::move(try_result_).error(); \
  } while (false)
#define TRY_CAT2_(a, b) a##b
#define TRY_CAT_(a, b) TRY_CAT2_(a, b)
#define TRY_AS_(tmp, var, expr)                 \
  auto tmp = (expr);                            \
  if (!tmp.ok()) return std::move(tmp).error(); \
  var = *std::move(tmp)
#define TRY_AS(var, expr) TRY_AS_(TRY_CAT_(try_as_, __LINE__), var, expr)
