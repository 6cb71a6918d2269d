// What a plan declares about its events: names and the types of their properties. Expressions are typed against it.
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
  std::shared_ptr<const JsonSchema> schema;  // for kSchema only
  std::string schema_name;                   // the file it was read from
};

struct EventSpec {
  std::string name;         // normalised
  std::string written;      // as written in the plan
  std::vector<PropertySpec> properties;
};

using EventSpecs = std::map<std::string, EventSpec, std::less<>>;  // by name

}  // namespace attune
