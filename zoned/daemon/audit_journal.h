// Where the audit log's head goes, so that who may write the log can't quietly make it anew: to the journal
// (fields SYSLOG_IDENTIFIER=zoned-audit, ZONED_ROOT, ZONED_AUDIT_HEAD); without one to syslog(3), facility
// authpriv; without that to zoned's own log.
#pragma once

#include <string>

#include "zoned/api/audit_record.h"

namespace zoned {

// root: of the instance; empty: the host's own, told as "/". The text is "audit head NUMBER:HASH of ROOT".
void note_audit_head(const std::string& root, const api::AuditHead& head);

}  // namespace zoned
