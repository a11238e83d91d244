#include "zoned/daemon/audit_journal.h"

#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/log.h"

namespace zoned {

void note_audit_head(const std::string& root, const api::AuditHead& head) {
  std::string where = root.empty() ? "/" : root;
  std::string text = "audit head " + head.text() + " of " + where;
  if (access("/run/systemd/journal/socket", W_OK) == 0) {
    int sent = sd_journal_send("MESSAGE=%s", text.c_str(), "PRIORITY=%i", LOG_NOTICE,
                               "SYSLOG_IDENTIFIER=zoned-audit", "ZONED_ROOT=%s", where.c_str(),
                               "ZONED_AUDIT_HEAD=%s", head.text().c_str(), nullptr);
    if (sent == 0) return;
    base::log_ignored("audit head to the journal", base::sys_error("sd_journal_send", -sent));
  } else if (access("/dev/log", W_OK) == 0) {
    openlog("zoned-audit", LOG_PID, LOG_AUTHPRIV);
    syslog(LOG_NOTICE, "%s", text.c_str());
    return closelog();
  }
  base::log_info(text);
}

}  // namespace zoned
