#include "event/value.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/check.h"

namespace attune {

std::string_view TypeName(Type type) {
  switch (type) {
    case Type::kNull: return "null";
    case Type::kBool: return "boolean";
    case Type::kNumber: return "number";
    case Type::kString: return "string";
    case Type::kTime: return "time";
    case Type::kDuration: return "duration";
    case Type::kList: return "list";
  }
  return "?";
}

bool Identical(const Value& a, const Value& b) {
  if (a.type() != b.type()) return false;
  switch (a.type()) {
    case Type::kNull: return true;
    case Type::kBool: return a.boolean() == b.boolean();
    case Type::kNumber: return a.number() == b.number();
    case Type::kString: return a.string() == b.string();
    case Type::kTime: return a.time() == b.time();
    case Type::kDuration: return a.duration() == b.duration();
    case Type::kList: break;
  }
  if (a.list().size() != b.list().size()) return false;
  for (size_t i = 0; i < a.list().size(); ++i) {
    if (!Identical(a.list()[i], b.list()[i])) return false;
  }
  return true;
}

int Order(const Value& a, const Value& b) {
  ATTUNE_CHECK(a.type() == b.type(), "only values of one type have an order");
  switch (a.type()) {
    case Type::kBool: return a.boolean() - b.boolean();
    case Type::kNumber: return (a.number() > b.number()) - (a.number() < b.number());
    case Type::kString: return a.string().compare(b.string());
    case Type::kTime: return (a.time() > b.time()) - (a.time() < b.time());
    case Type::kDuration: return (a.duration() > b.duration()) - (a.duration() < b.duration());
    case Type::kNull:
    case Type::kList: break;
  }
  return 0;
}

void AppendJsonNumber(double number, std::string* out) {
  char digits[32];
  const bool whole = std::abs(number) < 9007199254740992.0 && number == std::floor(number);
  const auto end = whole ? std::to_chars(digits, digits + sizeof digits, static_cast<int64_t>(number)).ptr
                         : std::to_chars(digits, digits + sizeof digits, number).ptr;
  out->append(digits, end);
}

std::string ToJson(const Value& value) {
  std::string out;
  switch (value.type()) {
    case Type::kNull: return "null";
    case Type::kBool: return value.boolean() ? "true" : "false";
    case Type::kNumber: AppendJsonNumber(value.number(), &out); return out;
    case Type::kString: AppendJsonString(value.string(), &out); return out;
    case Type::kTime: return '"' + FormatRfc3339(value.time()) + '"';
    case Type::kDuration: return std::to_string(value.duration());
    case Type::kList: break;
  }
  out = "[";
  for (const Value& item : value.list()) {
    if (out.size() > 1) out += ',';
    out += ToJson(item);
  }
  return out + "]";
}

}  // namespace attune
