// A parsed document as a spec, and a spec as text, by the table of keys.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "zoned/core/config_document.h"
#include "zoned/core/spec.h"

namespace core {

// Spec is ZoneSpec or PoolSpec. Errors begin with the place in the document's text; what did not come
// from a text (an assignment) is named by its key alone. The canonical text of what is returned has
// at most kMaxConfigBytes.
template <typename Spec>
base::Result<Spec> spec_from_document(std::string_view name, const ConfigDocument& document);

// Canonical text.
template <typename Spec>
std::string format_spec(const Spec& spec);

}  // namespace core
