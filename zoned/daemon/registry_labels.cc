// The labels of zones: names to stored forms.
#include <unistd.h>

#include "base/strings.h"
#include "zoned/daemon/registry.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using labels::Label;

namespace {

constexpr const char* kRelabelling = "relabel";

std::string subject(const Zone& zone) { return "zone " + base::quoted(zone.name); }

// A zone that holds no data of its label yet.
bool is_blank(const Zone& zone) {
  return zone.file.state == State::kConfigured && !zone.record && !zone.job && !zone.ephemeral;
}

}  // namespace

Status Registry::check_labels(std::string_view encodings_file) const {
  for (const auto& [name, zone] : zones_) {
    // What has no readable label is for root alone, whatever the names.
    if (zone->label == Label::admin_high()) continue;
    Status valid = encodings_->check_label(zone->label);
    if (valid) continue;
    std::string label =
        zone->spec.label.empty() ? encodings_->name_of(zone->label) : zone->spec.label;
    return std::move(valid)
        .error()
        .context(subject(*zone) + ": " + zone->name + ".toml: label " + base::quoted(label) +
                 ", stored as " + base::quoted(zone->label.encode()))
        .context(encodings_file)
        .with_hint("give the label back to the encodings, or delete the zone under the old ones");
  }
  return {};
}

Result<Label> Registry::label_for(const core::ZoneSpec& spec, const Zone* zone) const {
  auto label = new_label(spec, zone);
  if (label) return label;
  return std::move(label).error().context("zone " + base::quoted(spec.name));
}

Result<Label> Registry::new_label(const core::ZoneSpec& spec, const Zone* zone) const {
  if (zone != nullptr && (spec.label.empty() || spec.label == zone->spec.label))
    if (!is_blank(*zone) || spec.label.empty()) return zone->label;
  if (spec.label.empty()) return encodings_->default_label();
  TRY_AS(Label parsed, encodings_->parse_label(spec.label));
  if (zone != nullptr && parsed == zone->label) return zone->label;
  TRY(encodings_->check_label(parsed));
  if (zone != nullptr && !is_blank(*zone))
    return make_error(Code::kState,
                      "label: the zone is " + base::quoted(encodings_->name_of(zone->label)) +
                          " and holds what has that label",
                      "make a zone of the other label, and take data there by 'zone copy'");
  return parsed;
}

Status Registry::check_label_text(const Zone& zone) const {
  if (zone.spec.label.empty()) return {};
  auto parsed = encodings_->parse_label(zone.spec.label);
  if (parsed && *parsed == zone.label) return {};
  std::string own = encodings_->name_of(zone.label);
  const std::string right = parsed && is_blank(zone) ? zone.spec.label : own;
  return make_error(Code::kState,
                    subject(zone) + ": " + zone.name + ".toml: label " +
                        base::quoted(zone.spec.label) + " is not the zone's, which is " +
                        base::quoted(own),
                    "set it right: zone set " + zone.name + " label='" + right + "'");
}

Status Registry::begin_relabelling(const Zone& zone, const Label& label) const {
  TRY_AS(base::UniqueFd dir, zone_dir(zone.name, true));
  return base::replace_file(dir.get(), kRelabelling, label.encode(), base::Durability::kDisk);
}

// Also after a start: counts if the configuration was written. What lasts of the zone's former life
// goes: its output, and the id by which others may know it.
Status Registry::end_relabelling(Zone* zone) {
  TRY_AS(base::UniqueFd dir, zone_dir(zone->name, true));
  auto text = base::read_file(dir.get(), kRelabelling);
  if (!text && text.error().code == Code::kNotFound) return {};
  if (!text) return std::move(text).error().context(subject(*zone));
  TRY_AS(Label label, Label::decode(*text));
  auto meant = label_for(zone->spec, zone);
  if (meant && *meant == label && label != zone->label) {
    TRY(discard(dir.get(), "log"));
    ZoneFile file = zone->file;
    file.id = random_id();
    file.label = label.encode();
    TRY(base::replace_file(dir.get(), "zone.json", to_text(file), base::Durability::kDisk));
    zone->file = file;
    zone->label = label;
    zone->boots = 0;
    zone->exit.reset();
  }
  if (unlinkat(dir.get(), kRelabelling, 0) != 0) return base::sys_error("remove the mark");
  return {};
}

}  // namespace zoned
