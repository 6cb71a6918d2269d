// What a plan declares of its events: names and the types of their properties, against which expressions are typed.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "event/json_schema.h"

namespace attune {

enum class PropertyType { kString, kNumber, kInteger, kBoolean, kTime, kSchema };

struct PropertySpec {
  std::string name;
  PropertyType type = PropertyType::kString;
  bool optional = false;
  std::shared_ptr<const JsonSchema> schema;  // of kSchema alone
  std::string schema_name;                   // the file it was read from
};

struct EventSpec {
  std::string name;         // normalised
  std::string written;      // as the plan writes it
  std::vector<PropertySpec> properties;
};

using EventSpecs = std::map<std::string, EventSpec, std::less<>>;  // by name

}  // namespace attune
