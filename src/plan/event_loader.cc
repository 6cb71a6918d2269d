// The events that a plan declares, and the types of their properties.
#include <filesystem>

#include "base/hash.h"
#include "event/json_schema.h"
#include "event/name.h"
#include "language/nearest.h"
#include "plan/loader.h"
#include "plan/schema_file.h"

namespace attune {

void PlanLoader::ReadEvents(const PlanSource& source, const YAML::Node& node) {
  ForEach(source, node, "events", [&](const std::string& key, const YAML::Node& at, const YAML::Node& value) {
    EventSpec spec;
    spec.written = key;
    spec.name = NormaliseEventName(key);
    if (spec.name.empty()) return Report(source, at, "expected the name of an event, found \"" + key + "\"");
    if (spec.name == "any") return Report(source, at, "\"any\" means every event; it cannot be the name of one");
    ReadFields(source, value, "the event " + key,
               {{"properties", [&](const YAML::Node& n) { ReadProperties(source, n, key, &spec); }},
                {"description", [&](const YAML::Node&) {}}});
    const auto [place, inserted] = plan_->events.emplace(spec.name, spec);
    if (!inserted) Report(source, at, "the event \"" + spec.name + "\" is defined twice (as \"" + place->second.written + "\")");
  });
}

void PlanLoader::ReadProperties(const PlanSource& source, const YAML::Node& node, const std::string& event, EventSpec* spec) {
  ForEach(source, node, "the properties of " + event, [&](const std::string& key, const YAML::Node&, const YAML::Node& value) {
    PropertySpec property;
    property.name = key;
    std::string type;
    if (!ReadText(source, value, "a type (string, number, integer, boolean, time, or the file of a JSON Schema)", &type)) return;
    if (!type.empty() && type.back() == '?') {
      property.optional = true;
      type.pop_back();
    }
    if (!ReadPropertyType(source, value, type, &property)) return;
    spec->properties.push_back(std::move(property));
  });
}

bool PlanLoader::ReadPropertyType(const PlanSource& source, const YAML::Node& node, const std::string& type, PropertySpec* property) {
  static const std::vector<std::pair<std::string, PropertyType>> kTypes = {{"string", PropertyType::kString},
                                                                           {"number", PropertyType::kNumber},
                                                                           {"integer", PropertyType::kInteger},
                                                                           {"boolean", PropertyType::kBoolean},
                                                                           {"time", PropertyType::kTime}};
  std::vector<std::string> known;
  for (const auto& [name, value] : kTypes) {
    known.push_back(name);
    if (type != name) continue;
    property->type = value;
    return true;
  }
  if (type.size() > 5 && type.ends_with(".json")) return ReadSchema(source, node, type, property);
  Report(source, node, "unknown type \"" + type + "\"" + DidYouMean(type, known) +
                           "; expected string, number, integer, boolean, time (with ? when it may be missing), or a JSON Schema's file");
  return false;
}

bool PlanLoader::ReadSchema(const PlanSource& source, const YAML::Node& node, const std::string& name, PropertySpec* property) {
  // A plan's files lie in one folder, side by side.
  const auto text = ReadSchemaFile(std::filesystem::path(source.file()).parent_path(), name);
  if (!text.ok()) return Report(source, node, text.error().message), false;
  auto schema = JsonSchema::Compile(*text);
  if (!schema.ok()) return Report(source, node, name + ": " + schema.error().message), false;
  plan_->fingerprint = Hash64(*text, plan_->fingerprint);
  plan_->text_fingerprint = Hash64(*text, plan_->text_fingerprint);
  property->type = PropertyType::kSchema;
  property->schema = std::move(schema).value();
  property->schema_name = name;
  return true;
}

}  // namespace attune
