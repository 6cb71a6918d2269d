#include "event/dom.h"

namespace attune {

using simdjson::dom::element_type;

JsonKind KindOf(simdjson::dom::element element) {
  switch (element.type()) {
    case element_type::ARRAY: return JsonKind::kArray;
    case element_type::OBJECT: return JsonKind::kObject;
    case element_type::STRING: return JsonKind::kString;
    case element_type::BOOL: return JsonKind::kBool;
    case element_type::NULL_VALUE: return JsonKind::kNull;
    case element_type::INT64:
    case element_type::UINT64:
    case element_type::DOUBLE: break;
  }
  return JsonKind::kNumber;
}

Value ScalarOf(simdjson::dom::element element) {
  switch (element.type()) {
    case element_type::STRING: return Value::String(element.get_string().value_unsafe());
    case element_type::BOOL: return Value::Bool(element.get_bool().value_unsafe());
    case element_type::INT64: return Value::Number(static_cast<double>(element.get_int64().value_unsafe()));
    case element_type::UINT64: return Value::Number(static_cast<double>(element.get_uint64().value_unsafe()));
    case element_type::DOUBLE: return Value::Number(element.get_double().value_unsafe());
    case element_type::ARRAY:
    case element_type::OBJECT:
    case element_type::NULL_VALUE: break;
  }
  return Value();
}

}  // namespace attune
