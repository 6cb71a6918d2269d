#include "event/canonical_json.h"

#include <cmath>
#include <map>
#include <string_view>

#include "event/value.h"

namespace attune {
namespace {

namespace dom = simdjson::dom;
using simdjson::dom::element_type;

void Append(dom::element element, std::string* out);

void AppendDouble(double number, std::string* out) {
  if (number == std::floor(number) && std::abs(number) < 9.2e18) {
    *out += std::to_string(static_cast<int64_t>(number));
  } else {
    AppendJsonNumber(number, out);
  }
}

void AppendArray(dom::array array, std::string* out) {
  *out += '[';
  for (const dom::element item : array) {
    Append(item, out);
    *out += ',';
  }
  *out += ']';
}

void AppendObject(dom::object object, std::string* out) {
  std::map<std::string_view, dom::element> members;
  for (const dom::key_value_pair member : object) members.insert_or_assign(member.key, member.value);
  *out += '{';
  for (const auto& [key, value] : members) {
    AppendJsonString(key, out);
    *out += ':';
    Append(value, out);
    *out += ',';
  }
  *out += '}';
}

void Append(dom::element element, std::string* out) {
  switch (element.type()) {
    case element_type::ARRAY: return AppendArray(element.get_array().value_unsafe(), out);
    case element_type::OBJECT: return AppendObject(element.get_object().value_unsafe(), out);
    case element_type::STRING: return AppendJsonString(element.get_string().value_unsafe(), out);
    case element_type::INT64: *out += std::to_string(element.get_int64().value_unsafe()); return;
    case element_type::UINT64: *out += std::to_string(element.get_uint64().value_unsafe()); return;
    case element_type::DOUBLE: return AppendDouble(element.get_double().value_unsafe(), out);
    case element_type::BOOL: *out += element.get_bool().value_unsafe() ? "true" : "false"; return;
    case element_type::NULL_VALUE: *out += "null"; return;
  }
}

}  // namespace

std::string CanonicalJson(dom::element element) {
  std::string out;
  Append(element, &out);
  return out;
}

}  // namespace attune
