// Reads the mappings of a YAML file by their keys, and reports what does not fit with its place.
#pragma once

#include <yaml-cpp/yaml.h>

#include <functional>
#include <string>
#include <vector>

namespace attune {

// Reports a mistake at a node.
using ReportAt = std::function<void(const YAML::Node& at, std::string message)>;

// One key of a mapping: its name and what reads its value.
struct YamlField {
  const char* name;
  std::function<void(const YAML::Node&)> read;
};

// What a node is, for messages: `a mapping`, `a list`, `nothing`, or its text in quotes.
std::string NodeKind(const YAML::Node& node);

// Calls fn(key, the key's node, value) for each entry of a mapping. Reports a duplicate key, a key that is no
// text, and a node that is no mapping; `what` names the mapping in messages. An empty node has no entries.
void ForEachEntry(const YAML::Node& map, const std::string& what, const ReportAt& report,
                  const std::function<void(const std::string&, const YAML::Node&, const YAML::Node&)>& fn);

// Reads a mapping by its fields. Reports any other key, with the nearest name.
void ReadYamlFields(const YAML::Node& map, const std::string& what, const std::vector<YamlField>& fields,
                    const ReportAt& report);

}  // namespace attune
