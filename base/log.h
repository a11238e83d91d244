// The log sink: one line to stderr per call, with a <N> priority prefix (sd-daemon(3)) when stderr
// is the journal. Only daemons and the command log; library code returns errors.
#pragma once

#include <string_view>

#include "base/result.h"

namespace base {

enum class LogLevel { kError = 3, kWarning = 4, kInfo = 6, kDebug = 7 };

// Messages above the level are dropped; kInfo unless set.
void set_log_level(LogLevel level);
// `program` starts each line, such as "zoned".
void set_log_program(std::string_view program);
void log(LogLevel level, std::string_view message);

inline void log_error(std::string_view message) { log(LogLevel::kError, message); }
inline void log_warning(std::string_view message) { log(LogLevel::kWarning, message); }
inline void log_info(std::string_view message) { log(LogLevel::kInfo, message); }
inline void log_debug(std::string_view message) { log(LogLevel::kDebug, message); }
// "<what>: <error>, ignoring", for the failures that may be ignored; a success logs nothing.
void log_ignored(std::string_view what, const Status& status);

}  // namespace base
