// Plan files: YAML to a Plan, in three steps. First the settings, events and names of all files; then the expressions,
// which may use any name; then what only the whole plan shows (circles). Private to this module: others call LoadPlan and
// ParsePlan.
//
// One class, because all steps share the plan and its problems; each of its sources holds one part: YAML, settings, events,
// definitions (metrics and segments), triggers, expressions.
#pragma once

#include <yaml-cpp/yaml.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "language/parser.h"
#include "plan/checks.h"
#include "plan/plan.h"
#include "plan/source.h"
#include "plan/yaml_fields.h"

namespace attune {

class PlanLoader {
 public:
  // Files are (name, text). Called once.
  LoadedPlan Run(std::vector<std::pair<std::string, std::string>> files);
  // No plan, and the one problem that the path cannot be read.
  LoadedPlan Unreadable(const std::string& path, const std::string& why);

 private:
  // The text of an expression that is parsed in the second step.
  struct Draft {
    const PlanSource* source;
    YAML::Node text;
  };

  struct MetricDraft {
    enum class State { kWaiting, kParsing, kDone };
    Draft draft;
    State state = State::kWaiting;
    Location location;
    ExpressionPtr value;
  };

  struct SegmentDraft {
    Segment segment;
    Draft when;
  };

  struct TriggerDraft {
    Trigger trigger;
    Draft when;  // enter, leave, where
    Draft on;
    Draft only_if;
    std::vector<std::pair<std::string, Draft>> with;
  };

  // loader.cc: the three steps, and problems.

  void ReadFile(const PlanSource& source);
  void CheckWhole();
  void Report(Problem problem);
  void Report(const PlanSource& source, Location at, std::string message, bool warning = false);
  void Report(const PlanSource& source, const YAML::Node& node, std::string message);
  void Report(const std::vector<Finding>& findings);
  LoadedPlan Finish();

  // yaml_loader.cc. A reader that finds another kind of node reports it and leaves its result as it was.

  // Calls fn(key, value) for each entry; reports a duplicate key, and a node that is no mapping.
  template <typename Fn>
  void ForEach(const PlanSource& source, const YAML::Node& map, const std::string& what, Fn fn) {
    ForEachEntry(map, what, ReporterOf(source), fn);
  }
  // Reads a mapping by its fields; reports any other key.
  void ReadFields(const PlanSource& source, const YAML::Node& map, const std::string& what,
                  const std::vector<YamlField>& fields);
  ReportAt ReporterOf(const PlanSource& source);
  bool ReadText(const PlanSource& source, const YAML::Node& node, const std::string& what, std::string* out);
  void ReadSpan(const PlanSource& source, const YAML::Node& node, Millis least, Millis* out);
  // Whether `name` can be a name and is not yet in `taken`, to which it is added.
  bool ReadName(const PlanSource& source, const YAML::Node& at, const std::string& name, const char* what,
                std::map<std::string, Location>* taken);

  // setting_loader.cc

  void ReadZone(const PlanSource& source, const YAML::Node& node);
  void ReadSessions(const PlanSource& source, const YAML::Node& node);
  void ReadLimits(const PlanSource& source, const YAML::Node& node);
  void ReadLimit(const PlanSource& source, const YAML::Node& node, int64_t most, int64_t* out);
  void ReadUnknownEvents(const PlanSource& source, const YAML::Node& node);

  // event_loader.cc

  void ReadEvents(const PlanSource& source, const YAML::Node& node);
  void ReadProperties(const PlanSource& source, const YAML::Node& node, const std::string& event, EventSpec* spec);
  bool ReadPropertyType(const PlanSource& source, const YAML::Node& node, const std::string& type,
                        PropertySpec* property);
  bool ReadSchema(const PlanSource& source, const YAML::Node& node, const std::string& name, PropertySpec* property);

  // definition_loader.cc

  void ReadMetrics(const PlanSource& source, const YAML::Node& node);
  void ReadSegments(const PlanSource& source, const YAML::Node& node);

  // trigger_loader.cc

  void ReadTriggers(const PlanSource& source, const YAML::Node& node);
  void ReadTrigger(const PlanSource& source, const std::string& key, const YAML::Node& at, const YAML::Node& value);
  void ReadWith(const PlanSource& source, const std::string& key, const YAML::Node& node, TriggerDraft* draft);
  std::optional<Cap> ReadCap(const PlanSource& source, const YAML::Node& node);
  void ReadQuietHours(const PlanSource& source, const YAML::Node& node, Trigger* trigger);
  void ReadHoldout(const PlanSource& source, const YAML::Node& node, Trigger* trigger);
  void ReadTriggerGroups(const PlanSource& source, const YAML::Node& node);
  void ReadSend(const PlanSource& source, const YAML::Node& node, Trigger* trigger);

  // expression_loader.cc: the second step.

  void CollectNames();
  void ReadExpressions();
  void ReadTriggerExpressions(TriggerDraft* draft);
  // Reports the mistakes of a draft's text.
  void Say(const Draft& draft, const std::vector<Mistake>& mistakes);
  ExpressionPtr ParseDraft(const Draft& draft);
  ExpressionPtr ParseCondition(const Draft& draft, const std::string& what);
  std::optional<StaticType> TypeOfMetric(const std::string& name);
  // The same as attune::HoldsKeys, while the metrics have not moved into the plan.
  bool HoldsKeys(const Expression& expression) const;

  std::unique_ptr<Plan> plan_;
  std::vector<PlanSource> sources_;
  std::vector<Problem> problems_;
  bool failed_ = false;
  Names names_;
  std::map<std::string, Location> metric_places_;
  std::map<std::string, Location> segment_places_;
  std::map<std::string, Location> trigger_places_;
  std::map<std::string, Location> group_places_;
  std::map<std::string, MetricDraft> metrics_;
  std::vector<SegmentDraft> segments_;
  std::vector<TriggerDraft> triggers_;
};

}  // namespace attune
