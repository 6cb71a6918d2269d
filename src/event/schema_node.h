// A compiled JSON Schema: nodes that refer to each other by index, because `$ref` may be circular.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/text_map.h"
#include "event/pattern.h"

namespace attune {

using SchemaIndex = uint32_t;
inline constexpr SchemaIndex kNoSchema = std::numeric_limits<SchemaIndex>::max();

// Bits of SchemaNode::types.
enum SchemaType : uint8_t {
  kSchemaNull = 1,
  kSchemaBoolean = 2,
  kSchemaObject = 4,
  kSchemaArray = 8,
  kSchemaNumber = 16,
  kSchemaString = 32,
  kSchemaInteger = 64,
};

struct SchemaSpan {  // of lengths and counts
  uint64_t min = 0;
  uint64_t max = std::numeric_limits<uint64_t>::max();
  bool Holds(uint64_t n) const { return n >= min && n <= max; }
};

struct SchemaNode {
  bool never = false;  // the schema `false`

  uint8_t types = 0;  // 0: any
  std::string type_names;
  bool has_enum = false;
  std::vector<std::string> allowed;  // for enum and const, as CanonicalJson
  std::string allowed_text;

  std::optional<double> minimum, exclusive_minimum, maximum, exclusive_maximum, multiple_of;

  SchemaSpan length;
  std::shared_ptr<const Pattern> pattern;
  std::string pattern_text;

  SchemaSpan items_count;
  bool unique = false;
  std::vector<SchemaIndex> prefix_items;
  SchemaIndex items = kNoSchema;
  SchemaIndex contains = kNoSchema;
  SchemaSpan contains_count{1, std::numeric_limits<uint64_t>::max()};

  SchemaSpan members_count;
  std::vector<std::string> required;
  std::vector<std::pair<std::string, std::vector<std::string>>> dependent_required;
  std::vector<std::pair<std::string, SchemaIndex>> dependent_schemas;
  TextMap<SchemaIndex> properties;
  std::vector<std::pair<std::shared_ptr<const Pattern>, SchemaIndex>> pattern_properties;
  SchemaIndex additional = kNoSchema;
  SchemaIndex names = kNoSchema;

  SchemaIndex ref = kNoSchema;
  std::vector<SchemaIndex> all_of, any_of, one_of;
  SchemaIndex not_schema = kNoSchema;
  SchemaIndex if_schema = kNoSchema, then_schema = kNoSchema, else_schema = kNoSchema;
};

// The nodes of a schema; the first is the schema itself.
Result<std::vector<SchemaNode>> CompileSchema(std::string_view schema);

}  // namespace attune
