#include "zoned/core/config_edit.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "zoned/core/config_scanner.h"

namespace core {
namespace {

using Kind = ConfigSlot::Kind;

bool is_header(const ConfigSlot& slot) {
  return slot.kind == Kind::kHeader || slot.kind == Kind::kListHeader;
}

bool is_statement(const ConfigSlot& slot) { return is_header(slot) || slot.kind == Kind::kPair; }

ConfigPath first_segments(const ConfigPath& path, size_t count) {
  return {path.begin(), path.begin() + static_cast<ConfigPath::difference_type>(count)};
}

ConfigPath segments_from(const ConfigPath& path, size_t begin) {
  return {path.begin() + static_cast<ConfigPath::difference_type>(begin), path.end()};
}

class Editor {
 public:
  explicit Editor(std::string_view text) : text_(text), map_(scan_config(text)) {
    size_t end = text.find('\n');
    bool carriage_return = end != std::string_view::npos && end > 0 && text[end - 1] == '\r';
    newline_ = carriage_return ? "\r\n" : "\n";
  }

  std::string set(const ConfigPath& path, std::string_view value, size_t list_depth);
  std::string remove(const ConfigPath& path);

 private:
  // One replacement of bytes; several are applied from the back.
  struct Change {
    Span span;
    std::string text;
  };

  const ConfigSlot* exact(const ConfigPath& path) const;
  size_t index_of(const ConfigSlot& slot) const {
    return static_cast<size_t>(&slot - map_.slots.data());
  }
  const ConfigSlot& statement_of(const ConfigSlot& slot) const;
  bool set_inside_value(const ConfigPath& path, std::string_view value);
  bool set_in_section(const ConfigPath& path, std::string_view value);
  bool set_beside_dotted(const ConfigPath& path, std::string_view value);
  void add_root_key(const ConfigPath& path, std::string_view value);
  void add_table(const ConfigPath& path, std::string_view value, size_t list_depth);
  void add_member(const ConfigSlot& table, const std::string& entry);
  void add_element(const ConfigSlot& array, const std::string& element);
  void insert_line(size_t offset, const std::string& line);
  void replace_value(const ConfigSlot& slot, std::string_view value);
  void remove_nested(const ConfigSlot& slot);
  void remove_statements(const ConfigPath& path);
  void remove_empty_header(const ConfigSlot& removed);
  void hoist_comments(const Span& span, size_t offset);
  std::vector<const ConfigSlot*> children_of(size_t parent) const;
  size_t section_end(size_t header_index) const;
  std::string apply();

  std::string_view text_;
  ConfigMap map_;
  std::string newline_;
  std::vector<Change> changes_;
};

const ConfigSlot* Editor::exact(const ConfigPath& path) const {
  for (const ConfigSlot& slot : map_.slots)
    if (!is_header(slot) && slot.path == path) return &slot;
  return nullptr;
}

const ConfigSlot& Editor::statement_of(const ConfigSlot& slot) const {
  const ConfigSlot* at = &slot;
  while (at->parent != kNoSlot) at = &map_.slots[at->parent];
  return *at;
}

std::vector<const ConfigSlot*> Editor::children_of(size_t parent) const {
  std::vector<const ConfigSlot*> children;
  for (const ConfigSlot& slot : map_.slots)
    if (slot.parent == parent) children.push_back(&slot);
  return children;
}

// Where the last statement of the header's section ends.
size_t Editor::section_end(size_t header_index) const {
  size_t end = map_.slots[header_index].whole.end;
  for (size_t i = header_index + 1; i < map_.slots.size() && !is_header(map_.slots[i]); ++i)
    if (is_statement(map_.slots[i])) end = map_.slots[i].whole.end;
  return end;
}

void Editor::insert_line(size_t offset, const std::string& line) {
  bool unfinished = offset > 0 && offset == text_.size() && text_[offset - 1] != '\n';
  changes_.push_back({{offset, offset}, (unfinished ? newline_ : "") + line + newline_});
}

// Comments inside a span that goes away become lines of their own at offset (a line's start).
void Editor::hoist_comments(const Span& span, size_t offset) {
  std::string lines;
  for (const Span& comment : map_.comments) {
    if (!span.contains(comment)) continue;
    lines += text_.substr(comment.begin, comment.end - comment.begin);
    lines += newline_;
  }
  if (!lines.empty()) changes_.push_back({{offset, offset}, lines});
}

void Editor::replace_value(const ConfigSlot& slot, std::string_view value) {
  hoist_comments(slot.value, statement_of(slot).whole.begin);
  changes_.push_back({slot.value, std::string(value)});
}

void Editor::add_member(const ConfigSlot& table, const std::string& entry) {
  std::vector<const ConfigSlot*> members = children_of(index_of(table));
  if (members.empty()) {
    changes_.push_back({table.value, "{ " + entry + " }"});
  } else {
    size_t end = members.back()->whole.end;
    changes_.push_back({{end, end}, ", " + entry});
  }
}

void Editor::add_element(const ConfigSlot& array, const std::string& element) {
  std::vector<const ConfigSlot*> elements = children_of(index_of(array));
  size_t at = elements.empty() ? array.value.begin + 1 : elements.back()->whole.end;
  changes_.push_back({{at, at}, (elements.empty() ? "" : ", ") + element});
}

// The nearest enclosing inline table or array that is written in the text.
bool Editor::set_inside_value(const ConfigPath& path, std::string_view value) {
  for (size_t length = path.size() - 1; length > 0; --length) {
    const ConfigSlot* holder = exact(first_segments(path, length));
    if (holder == nullptr) continue;
    if (holder->open == '{') {
      add_member(*holder, key_text(segments_from(path, length)) + " = " + std::string(value));
    } else if (length + 1 < path.size()) {
      add_element(*holder, "{ " + key_text(segments_from(path, length + 1)) + " = " +
                               std::string(value) + " }");
    } else {
      add_element(*holder, std::string(value));
    }
    return true;
  }
  return false;
}

// Under the header of the table that holds path.
bool Editor::set_in_section(const ConfigPath& path, std::string_view value) {
  if (path.size() < 2) return false;
  ConfigPath table = first_segments(path, path.size() - 1);
  for (size_t i = 0; i < map_.slots.size(); ++i) {
    if (!is_header(map_.slots[i]) || map_.slots[i].path != table) continue;
    insert_line(section_end(i), key_text({path.back()}) + " = " + std::string(value));
    return true;
  }
  return false;
}

// Beside "capped-cpu.ncpus = 1", where a header would define the table twice.
bool Editor::set_beside_dotted(const ConfigPath& path, std::string_view value) {
  if (path.size() < 2) return false;
  ConfigPath table = first_segments(path, path.size() - 1);
  const ConfigSlot* last = nullptr;
  for (const ConfigSlot& slot : map_.slots)
    if (slot.kind == Kind::kPair && slot.header_depth < table.size() &&
        has_prefix(slot.path, table))
      last = &slot;
  if (last == nullptr) return false;
  insert_line(last->whole.end,
              key_text(segments_from(path, last->header_depth)) + " = " + std::string(value));
  return true;
}

// Behind the last key of the root; else in front of the first header and the comments on top of it.
void Editor::add_root_key(const ConfigPath& path, std::string_view value) {
  std::string line = key_text(path) + " = " + std::string(value);
  const ConfigSlot* last = nullptr;
  const ConfigSlot* header = nullptr;
  for (const ConfigSlot& slot : map_.slots) {
    if (is_header(slot)) {
      header = &slot;
      break;
    }
    if (is_statement(slot)) last = &slot;
  }
  if (last != nullptr) return insert_line(last->whole.end, line);
  if (header == nullptr) return insert_line(text_.size(), line);
  size_t at = header->whole.begin;
  for (auto comment = map_.comments.rbegin(); comment != map_.comments.rend(); ++comment) {
    if (comment->end > at) continue;
    size_t begin = text_.rfind('\n', comment->begin);
    begin = begin == std::string_view::npos ? comment->begin : begin + 1;
    bool touches = text_.substr(comment->end, at - comment->end).find_first_not_of("\r\n") ==
                       std::string_view::npos &&
                   std::count(text_.begin() + static_cast<std::ptrdiff_t>(comment->end),
                              text_.begin() + static_cast<std::ptrdiff_t>(at), '\n') == 1;
    if (!touches) break;
    at = begin;
  }
  insert_line(at, line + newline_);
}

void Editor::add_table(const ConfigPath& path, std::string_view value, size_t list_depth) {
  ConfigPath name = first_segments(path, path.size() - 1);
  bool is_element = list_depth + 1 == path.size();
  if (is_element) name.pop_back();
  size_t at = text_.size();
  if (is_element) {
    for (const ConfigSlot& slot : map_.slots)
      if (is_statement(slot) && has_prefix(slot.path, name)) at = slot.whole.end;
  }
  std::string header = is_element ? "[[" + key_text(name) + "]]" : "[" + key_text(name) + "]";
  bool first =
      text_.substr(0, at).find_first_not_of(" \t\r\n\xef\xbb\xbf") == std::string_view::npos;
  insert_line(at, (first ? "" : newline_) + header + newline_ + key_text({path.back()}) + " = " +
                      std::string(value));
}

std::string Editor::set(const ConfigPath& path, std::string_view value, size_t list_depth) {
  if (const ConfigSlot* slot = exact(path)) {
    replace_value(*slot, value);
  } else if (!set_inside_value(path, value) && !set_in_section(path, value) &&
             !set_beside_dotted(path, value)) {
    if (path.size() == 1)
      add_root_key(path, value);
    else
      add_table(path, value, list_depth);
  }
  return apply();
}

// A member or element goes with the comma that parts it from its neighbour.
void Editor::remove_nested(const ConfigSlot& slot) {
  const ConfigSlot& parent = map_.slots[slot.parent];
  std::vector<const ConfigSlot*> siblings = children_of(slot.parent);
  size_t at =
      static_cast<size_t>(std::find(siblings.begin(), siblings.end(), &slot) - siblings.begin());
  Span span = slot.whole;
  if (at > 0) {
    span.begin = siblings[at - 1]->whole.end;
  } else if (siblings.size() > 1) {
    span.end = siblings[1]->whole.begin;
  } else {
    span = {parent.value.begin + 1, parent.value.end - 1};
  }
  hoist_comments(span, statement_of(slot).whole.begin);
  changes_.push_back({span, ""});
}

void Editor::remove_statements(const ConfigPath& path) {
  for (const ConfigSlot& slot : map_.slots) {
    if (!is_statement(slot) || !has_prefix(slot.path, path)) continue;
    hoist_comments(slot.value, slot.whole.begin);
    changes_.push_back({slot.whole, ""});
  }
}

// The header above a removed pair, when nothing is left below it.
void Editor::remove_empty_header(const ConfigSlot& removed) {
  size_t index = index_of(removed);
  while (index > 0 && !is_header(map_.slots[index])) --index;
  const ConfigSlot& header = map_.slots[index];
  if (header.kind != Kind::kHeader) return;
  size_t end = text_.size();
  for (size_t i = index + 1; i < map_.slots.size(); ++i) {
    if (is_header(map_.slots[i])) {
      end = map_.slots[i].whole.begin;
      break;
    }
    if (is_statement(map_.slots[i]) && &map_.slots[i] != &removed) return;
  }
  Span section{header.whole.end, end};
  for (const Span& comment : map_.comments)
    if (section.contains(comment) && !removed.whole.contains(comment)) return;
  changes_.push_back({header.whole, ""});
}

std::string Editor::remove(const ConfigPath& path) {
  const ConfigSlot* slot = exact(path);
  if (slot != nullptr && slot->parent != kNoSlot) {
    remove_nested(*slot);
  } else {
    remove_statements(path);
    if (slot != nullptr) remove_empty_header(*slot);
  }
  return apply();
}

std::string Editor::apply() {
  // From the back, so that offsets in front stay right; of two at one place the later one first.
  std::stable_sort(changes_.begin(), changes_.end(),
                   [](const Change& a, const Change& b) { return a.span.begin < b.span.begin; });
  std::string out(text_);
  for (auto change = changes_.rbegin(); change != changes_.rend(); ++change)
    out.replace(change->span.begin, change->span.end - change->span.begin, change->text);
  return out;
}

}  // namespace

std::string set_in_text(std::string_view text, const ConfigPath& path, std::string_view value,
                        size_t list_depth) {
  return Editor(text).set(path, value, list_depth);
}

std::string remove_in_text(std::string_view text, const ConfigPath& path) {
  return Editor(text).remove(path);
}

}  // namespace core
