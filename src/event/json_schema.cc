#include "event/json_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "event/canonical_json.h"
#include "event/dom.h"
#include "event/json_text.h"
#include "event/schema_node.h"

namespace attune {
namespace {

namespace dom = simdjson::dom;
using Mismatch = JsonSchema::Mismatch;

constexpr size_t kPreviewBytes = 64;
// Bounds a schema that refers to itself without descending into the value, which never ends, and one that branches at
// each step, which takes exponential time.
constexpr int kMaxDepth = 256;
constexpr int kMaxSteps = 200'000;

std::string Describe(dom::element value) {
  const JsonKind kind = KindOf(value);
  if (kind == JsonKind::kNull) return "null";
  return fmt::format("{} {}", JsonKindName(kind), Preview(simdjson::minify(value), kPreviewBytes));
}

uint64_t CharacterCount(std::string_view text) {
  uint64_t count = 0;
  for (const char c : text) count += (static_cast<uint8_t>(c) & 0xC0) != 0x80;
  return count;
}

bool IsWhole(dom::element value) {
  return !value.is_double() || (std::isfinite(double(value)) && double(value) == std::floor(double(value)));
}

uint8_t TypesOf(dom::element value) {
  switch (KindOf(value)) {
    case JsonKind::kNull: return kSchemaNull;
    case JsonKind::kBool: return kSchemaBoolean;
    case JsonKind::kString: return kSchemaString;
    case JsonKind::kArray: return kSchemaArray;
    case JsonKind::kObject: return kSchemaObject;
    case JsonKind::kNumber: return IsWhole(value) ? kSchemaNumber | kSchemaInteger : kSchemaNumber;
    case JsonKind::kMissing: break;
  }
  return 0;
}

bool IsMultiple(double number, double of) {
  const double quotient = number / of;
  if (!std::isfinite(quotient)) return false;
  return std::abs(quotient - std::round(quotient)) <= 1e-9 * std::max(1.0, std::abs(quotient)) &&
         (std::abs(quotient) >= 1e9 || std::abs(quotient - std::round(quotient)) < 1e-7);
}

bool HasMember(dom::object object, std::string_view name) {
  for (const dom::key_value_pair member : object) {
    if (member.key == name) return true;
  }
  return false;
}

std::string PointerToken(std::string_view name) {
  std::string out = "/";
  for (const char c : name) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

// One check of one value. `mismatch` is null where a failure is not reported (inside anyOf, not, if …).
class Checker {
 public:
  explicit Checker(const std::vector<SchemaNode>& nodes) : nodes_(nodes) {}

  bool exhausted() const { return exhausted_; }

  bool Check(SchemaIndex index, dom::element value, Mismatch* mismatch) {
    if (++steps_ > kMaxSteps || depth_ >= kMaxDepth) {
      exhausted_ = true;
      return false;
    }
    ++depth_;
    const bool holds = CheckNode(nodes_[index], value, mismatch);
    --depth_;
    return holds;
  }

 private:
  bool Fail(Mismatch* mismatch, dom::element value, std::string expected) {
    if (mismatch != nullptr) *mismatch = {"", std::move(expected), Describe(value)};
    return false;
  }
  // A mismatch in the member or item that `token` names.
  bool Inside(Mismatch* mismatch, const std::string& token) {
    if (mismatch != nullptr) mismatch->pointer.insert(0, token);
    return false;
  }
  bool CheckAt(SchemaIndex index, dom::element value, std::string_view name, Mismatch* mismatch) {
    return Check(index, value, mismatch) || Inside(mismatch, PointerToken(name));
  }

  bool CheckNode(const SchemaNode& node, dom::element value, Mismatch* mismatch) {
    if (node.never) return Fail(mismatch, value, "nothing");
    if (node.types != 0 && (node.types & TypesOf(value)) == 0) return Fail(mismatch, value, node.type_names);
    if (node.has_enum && !Allowed(node, value)) return Fail(mismatch, value, node.allowed_text);
    if (node.ref != kNoSchema && !Check(node.ref, value, mismatch)) return false;
    switch (KindOf(value)) {
      case JsonKind::kNumber:
        if (!CheckNumber(node, value, mismatch)) return false;
        break;
      case JsonKind::kString:
        if (!CheckString(node, value, mismatch)) return false;
        break;
      case JsonKind::kArray:
        if (!CheckArray(node, value, mismatch)) return false;
        break;
      case JsonKind::kObject:
        if (!CheckObject(node, value, mismatch)) return false;
        break;
      case JsonKind::kNull:
      case JsonKind::kBool:
      case JsonKind::kMissing: break;
    }
    return CheckCombined(node, value, mismatch);
  }

  bool Allowed(const SchemaNode& node, dom::element value) {
    const std::string text = CanonicalJson(value);
    return std::find(node.allowed.begin(), node.allowed.end(), text) != node.allowed.end();
  }

  bool CheckNumber(const SchemaNode& node, dom::element value, Mismatch* mismatch) {
    const double number = double(value);
    const auto fail = [&](std::string_view what, double limit) {
      std::string text(what);
      AppendJsonNumber(limit, &text);
      return Fail(mismatch, value, std::move(text));
    };
    if (node.minimum && !(number >= *node.minimum)) return fail("a number of at least ", *node.minimum);
    if (node.exclusive_minimum && !(number > *node.exclusive_minimum)) {
      return fail("a number above ", *node.exclusive_minimum);
    }
    if (node.maximum && !(number <= *node.maximum)) return fail("a number of at most ", *node.maximum);
    if (node.exclusive_maximum && !(number < *node.exclusive_maximum)) {
      return fail("a number below ", *node.exclusive_maximum);
    }
    if (node.multiple_of && !IsMultiple(number, *node.multiple_of)) return fail("a multiple of ", *node.multiple_of);
    return true;
  }

  static std::string SpanText(const SchemaSpan& span, std::string_view of) {
    if (span.max == std::numeric_limits<uint64_t>::max()) return fmt::format("at least {} {}", span.min, of);
    return fmt::format("{} to {} {}", span.min, span.max, of);
  }

  bool CheckString(const SchemaNode& node, dom::element value, Mismatch* mismatch) {
    const std::string_view text = value.get_string().value_unsafe();
    if (!node.length.Holds(CharacterCount(text))) return Fail(mismatch, value, SpanText(node.length, "characters"));
    if (node.pattern != nullptr && !node.pattern->Matches(text)) {
      return Fail(mismatch, value, fmt::format("text that matches \"{}\"", node.pattern_text));
    }
    return true;
  }

  bool CheckArray(const SchemaNode& node, dom::element value, Mismatch* mismatch) {
    const dom::array array = value.get_array().value_unsafe();
    size_t i = 0;
    uint64_t matching = 0;
    for (const dom::element item : array) {
      const SchemaIndex schema = i < node.prefix_items.size() ? node.prefix_items[i] : node.items;
      if (schema != kNoSchema && !Check(schema, item, mismatch)) return Inside(mismatch, '/' + std::to_string(i));
      if (node.contains != kNoSchema && Check(node.contains, item, nullptr)) ++matching;
      ++i;
    }
    if (!node.items_count.Holds(i)) return Fail(mismatch, value, SpanText(node.items_count, "items"));
    if (node.contains != kNoSchema && !node.contains_count.Holds(matching)) {
      return Fail(mismatch, value, SpanText(node.contains_count, "items that match `contains`"));
    }
    if (node.unique && !AllDiffer(array)) return Fail(mismatch, value, "items that differ");
    return true;
  }

  static bool AllDiffer(dom::array array) {
    TextMap<bool> seen;
    for (const dom::element item : array) {
      if (!seen.emplace(CanonicalJson(item), true).second) return false;
    }
    return true;
  }

  bool CheckObject(const SchemaNode& node, dom::element value, Mismatch* mismatch) {
    const dom::object object = value.get_object().value_unsafe();
    uint64_t count = 0;
    for (const dom::key_value_pair member : object) {
      ++count;
      if (!CheckMember(node, member, mismatch)) return false;
      if (node.names != kNoSchema && !CheckName(node.names, member.key, mismatch)) return false;
    }
    for (const std::string& name : node.required) {
      if (!HasMember(object, name)) return Missing(name, mismatch);
    }
    if (!node.members_count.Holds(count)) return Fail(mismatch, value, SpanText(node.members_count, "members"));
    for (const auto& [name, names] : node.dependent_required) {
      if (!HasMember(object, name)) continue;
      for (const std::string& needed : names) {
        if (!HasMember(object, needed)) return Missing(needed, mismatch);
      }
    }
    for (const auto& [name, schema] : node.dependent_schemas) {
      if (HasMember(object, name) && !Check(schema, value, mismatch)) return false;
    }
    return true;
  }

  bool CheckMember(const SchemaNode& node, dom::key_value_pair member, Mismatch* mismatch) {
    bool named = false;
    if (const auto found = node.properties.find(member.key); found != node.properties.end()) {
      named = true;
      if (!CheckAt(found->second, member.value, member.key, mismatch)) return false;
    }
    for (const auto& [pattern, schema] : node.pattern_properties) {
      if (!pattern->Matches(member.key)) continue;
      named = true;
      if (!CheckAt(schema, member.value, member.key, mismatch)) return false;
    }
    return named || node.additional == kNoSchema || CheckAt(node.additional, member.value, member.key, mismatch);
  }

  bool CheckName(SchemaIndex schema, std::string_view name, Mismatch* mismatch) {
    std::string json;
    AppendJsonString(name, &json);
    dom::parser parser;
    dom::element element;
    return (parser.parse(json).get(element) == simdjson::SUCCESS && Check(schema, element, mismatch)) ||
           Inside(mismatch, PointerToken(name));
  }

  bool Missing(std::string_view name, Mismatch* mismatch) {
    if (mismatch != nullptr) *mismatch = {PointerToken(name), "a value", "nothing"};
    return false;
  }

  bool CheckCombined(const SchemaNode& node, dom::element value, Mismatch* mismatch) {
    for (const SchemaIndex schema : node.all_of) {
      if (!Check(schema, value, mismatch)) return false;
    }
    const auto matching = [&](const std::vector<SchemaIndex>& schemas, size_t enough) {
      size_t count = 0;
      for (const SchemaIndex schema : schemas) {
        count += Check(schema, value, nullptr);
        if (count >= enough) break;
      }
      return count;
    };
    if (!node.any_of.empty() && matching(node.any_of, 1) == 0) {
      return Fail(mismatch, value, fmt::format("a value that matches one of {} schemas", node.any_of.size()));
    }
    if (!node.one_of.empty() && matching(node.one_of, 2) != 1) {
      return Fail(mismatch, value, fmt::format("a value that matches exactly one of {} schemas", node.one_of.size()));
    }
    if (node.not_schema != kNoSchema && Check(node.not_schema, value, nullptr)) {
      return Fail(mismatch, value, "a value that does not match the schema of `not`");
    }
    if (node.if_schema == kNoSchema) return true;
    const SchemaIndex branch = Check(node.if_schema, value, nullptr) ? node.then_schema : node.else_schema;
    return branch == kNoSchema || Check(branch, value, mismatch);
  }

  const std::vector<SchemaNode>& nodes_;
  int steps_ = 0;
  int depth_ = 0;
  bool exhausted_ = false;
};

}  // namespace

struct JsonSchema::Impl {
  std::vector<SchemaNode> nodes;
};

JsonSchema::JsonSchema(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JsonSchema::~JsonSchema() = default;

Result<std::shared_ptr<const JsonSchema>> JsonSchema::Compile(std::string_view schema) {
  auto nodes = CompileSchema(schema);
  if (!nodes.ok()) return nodes.error();
  auto impl = std::make_unique<Impl>();
  impl->nodes = std::move(nodes).value();
  return std::shared_ptr<const JsonSchema>(new JsonSchema(std::move(impl)));
}

Result<bool> JsonSchema::Check(std::string_view json, Mismatch* mismatch) const {
  dom::parser parser;
  dom::element value;
  if (parser.parse(json.data(), json.size()).get(value) != simdjson::SUCCESS) {
    return Error{ErrorCode::kInvalid, "the value is not JSON"};
  }
  Checker checker(impl_->nodes);
  const bool holds = checker.Check(0, value, mismatch);
  if (checker.exhausted()) return Error{ErrorCode::kInvalid, "the schema takes too many steps on this value"};
  return holds;
}

}  // namespace attune
