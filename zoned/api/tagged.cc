#include "zoned/api/tagged.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/strings.h"

namespace api {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using nlohmann::json;

enum Tag : unsigned char { kNull, kFalse, kTrue, kInt, kUint, kDouble, kString, kArray, kObject };

base::Error bad(const char* why) {
  return make_error(Code::kInvalid, std::string("tagged value: ") + why);
}

// As JSON has it: valid UTF-8, NUL allowed.
bool is_utf8(std::string_view text) {
  while (true) {
    size_t nul = text.find('\0');
    if (!base::is_clean_utf8(text.substr(0, nul))) return false;
    if (nul == std::string_view::npos) return true;
    text.remove_prefix(nul + 1);
  }
}

template <typename Number>
void put(Number number, std::string* out) {
  for (size_t i = 0; i < sizeof number; ++i)
    out->push_back(static_cast<char>(static_cast<unsigned char>(number >> (8 * i))));
}

Status put_text(const std::string& text, std::string* out) {
  if (text.size() > kMaxTaggedBytes) return bad("too long");
  if (!is_utf8(text)) return bad("a string is not UTF-8");
  put(static_cast<uint32_t>(text.size()), out);
  *out += text;
  return {};
}

// The value itself, or the head of an array or object.
Status put_head(const json& value, std::string* out) {
  auto tag = [out](Tag t) { out->push_back(static_cast<char>(t)); };
  switch (value.type()) {
    case json::value_t::null:
      tag(kNull);
      return {};
    case json::value_t::boolean:
      tag(value.get<bool>() ? kTrue : kFalse);
      return {};
    case json::value_t::number_unsigned:
      tag(value.get<uint64_t>() > INT64_MAX ? kUint : kInt);
      put(value.get<uint64_t>(), out);
      return {};
    case json::value_t::number_integer:
      tag(kInt);
      put(static_cast<uint64_t>(value.get<int64_t>()), out);
      return {};
    case json::value_t::number_float:
      if (!std::isfinite(value.get<double>())) return bad("a number is not finite");
      tag(kDouble);
      put(std::bit_cast<uint64_t>(value.get<double>()), out);
      return {};
    case json::value_t::string:
      tag(kString);
      return put_text(value.get_ref<const std::string&>(), out);
    case json::value_t::array:
    case json::value_t::object:
      tag(value.is_array() ? kArray : kObject);
      put(static_cast<uint32_t>(value.size()), out);
      return {};
    default:
      return bad("not a value of JSON");
  }
}

struct Place {
  json::const_iterator next;
  json::const_iterator end;
  bool object;
};

class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : left_(bytes) {}

  Result<json> whole() {
    json root;
    TRY(take(&root));
    while (!open_.empty()) {
      Frame& top = open_.back();
      if (top.left == 0) {
        open_.pop_back();
        continue;
      }
      --top.left;
      json* place = nullptr;
      if (top.value->is_array()) {
        place = &top.value->emplace_back();
      } else {
        TRY_AS(place, member(top.value));
      }
      TRY(take(place));
    }
    if (!left_.empty()) return bad("bytes behind its end");
    return root;
  }

 private:
  struct Frame {
    json* value;  // its elder containers do not change while it is open
    uint32_t left;
  };

  template <typename Number>
  Result<Number> number() {
    if (left_.size() < sizeof(Number)) return bad("cut short");
    Number value = 0;
    for (size_t i = 0; i < sizeof value; ++i)
      value |=
          static_cast<Number>(static_cast<Number>(static_cast<unsigned char>(left_[i])) << (8 * i));
    left_.remove_prefix(sizeof value);
    return value;
  }

  Result<std::string> text() {
    TRY_AS(uint32_t length, number<uint32_t>());
    if (length > left_.size()) return bad("cut short");
    std::string_view bytes = left_.substr(0, length);
    if (!is_utf8(bytes)) return bad("a string is not UTF-8");
    left_.remove_prefix(length);
    return std::string(bytes);
  }

  // The next member of an object, whose keys ascend.
  Result<json*> member(json* object) {
    TRY_AS(std::string key, text());
    if (!object->empty() && std::prev(object->end()).key() >= key) return bad("keys out of order");
    return &(*object)[std::move(key)];
  }

  Status open(json* place, json::value_t type) {
    TRY_AS(uint32_t count, number<uint32_t>());
    if (count > left_.size()) return bad("cut short");  // each value has a byte at least
    if (open_.size() == kMaxTaggedDepth) return bad("nested too deep");
    *place = json(type);
    open_.push_back({place, count});
    return {};
  }

  Status take_number(unsigned char tag, json* place) {
    TRY_AS(uint64_t bits, number<uint64_t>());
    if (tag == kInt && bits <= INT64_MAX) {
      *place = bits;  // as a text's number without a sign
    } else if (tag == kInt) {
      *place = std::bit_cast<int64_t>(bits);
    } else if (tag == kUint) {
      if (bits <= INT64_MAX) return bad("a number in the wrong form");
      *place = bits;
    } else {
      if (!std::isfinite(std::bit_cast<double>(bits))) return bad("a number is not finite");
      *place = std::bit_cast<double>(bits);
    }
    return {};
  }

  Status take(json* place) {
    if (++values_ > kMaxTaggedValues) return bad("too many values");
    TRY_AS(unsigned char tag, number<unsigned char>());
    switch (tag) {
      case kNull:
        return {};
      case kFalse:
      case kTrue:
        *place = tag == kTrue;
        return {};
      case kInt:
      case kUint:
      case kDouble:
        return take_number(tag, place);
      case kString: {
        TRY_AS(*place, text());
        return {};
      }
      case kArray:
        return open(place, json::value_t::array);
      case kObject:
        return open(place, json::value_t::object);
      default:
        return bad("unknown tag");
    }
  }

  std::string_view left_;
  std::vector<Frame> open_;
  size_t values_ = 0;
};

}  // namespace

Result<std::string> encode_tagged(const json& value) {
  std::string out;
  std::vector<Place> open;
  size_t values = 0;
  const json* next = &value;
  while (next != nullptr) {
    if (++values > kMaxTaggedValues) return bad("too many values");
    TRY(put_head(*next, &out));
    if (out.size() > kMaxTaggedBytes) return bad("too long");
    if (next->is_structured()) {
      if (open.size() == kMaxTaggedDepth) return bad("nested too deep");
      open.push_back({next->cbegin(), next->cend(), next->is_object()});
    }
    while (!open.empty() && open.back().next == open.back().end) open.pop_back();
    next = nullptr;
    if (open.empty()) break;
    Place& place = open.back();
    if (place.object) TRY(put_text(place.next.key(), &out));
    next = &*place.next;
    ++place.next;
  }
  return out;
}

Result<json> decode_tagged(std::string_view bytes) {
  if (bytes.size() > kMaxTaggedBytes) return bad("too long");
  return Decoder(bytes).whole();
}

}  // namespace api
