#include "plan/yaml_fields.h"

#include <set>

#include "language/nearest.h"

namespace attune {

std::string NodeKind(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  return node.IsScalar() ? "\"" + node.Scalar() + "\"" : "nothing";
}

void ForEachEntry(const YAML::Node& map, const std::string& what, const ReportAt& report,
                  const std::function<void(const std::string&, const YAML::Node&, const YAML::Node&)>& fn) {
  if (map.IsNull()) return;
  if (!map.IsMap()) return report(map, "expected a mapping for " + what + ", found " + NodeKind(map));
  std::set<std::string> seen;
  for (const auto& entry : map) {
    if (!entry.first.IsScalar()) {
      report(entry.first, "expected a name as key, found " + NodeKind(entry.first));
      continue;
    }
    const std::string key = entry.first.Scalar();
    if (!seen.insert(key).second) report(entry.first, "\"" + key + "\" occurs here twice");
    fn(key, entry.first, entry.second);
  }
}

void ReadYamlFields(const YAML::Node& map, const std::string& what, const std::vector<YamlField>& fields,
                    const ReportAt& report) {
  ForEachEntry(map, what, report, [&](const std::string& key, const YAML::Node& at, const YAML::Node& value) {
    for (const YamlField& field : fields) {
      if (key == field.name) return field.read(value);
    }
    std::vector<std::string> known;
    for (const YamlField& field : fields) known.push_back(field.name);
    std::string expected;
    for (const std::string& name : known) expected += (expected.empty() ? "" : ", ") + name;
    const std::string near = DidYouMean(key, known);
    report(at, "unknown key \"" + key + "\" in " + what + (near.empty() ? "; expected one of " + expected : near));
  });
}

}  // namespace attune
