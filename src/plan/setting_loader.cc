// The settings of a plan: time zone, sessions, limits, unknown events.
#include "language/zone.h"
#include "plan/loader.h"

namespace attune {

void PlanLoader::ReadZone(const PlanSource& source, const YAML::Node& node) {
  std::string name;
  if (!ReadText(source, node, "a time zone such as Europe/Warsaw", &name)) return;
  const auto zone = Zone::Find(name);
  if (!zone.ok()) return Report(source, node, zone.error().message);
  plan_->timezone = name;
}

void PlanLoader::ReadSessions(const PlanSource& source, const YAML::Node& node) {
  ReadFields(source, node, "sessions",
             {{"gap", [&](const YAML::Node& n) { ReadSpan(source, n, 1, &plan_->session_gap); }},
              {"max", [&](const YAML::Node& n) { ReadSpan(source, n, 1, &plan_->session_max); }}});
}

void PlanLoader::ReadLimits(const PlanSource& source, const YAML::Node& node) {
  ReadFields(source, node, "limits",
             {{"events", [&](const YAML::Node& n) { ReadLimit(source, n, 200'000, &plan_->limit_events); }},
              {"catch_up", [&](const YAML::Node& n) { ReadLimit(source, n, 1'000'000, &plan_->limit_catch_up); }},
              {"oldest_event", [&](const YAML::Node& n) { ReadSpan(source, n, 1, &plan_->oldest_event); }}});
}

void PlanLoader::ReadLimit(const PlanSource& source, const YAML::Node& node, int64_t most, int64_t* out) {
  int64_t limit = 0;
  if (!YAML::convert<int64_t>::decode(node, limit) || limit < 1 || limit > most) {
    return Report(source, node, "expected a whole number from 1 to " + std::to_string(most) + ", found " + NodeKind(node));
  }
  *out = limit;
}

void PlanLoader::ReadUnknownEvents(const PlanSource& source, const YAML::Node& node) {
  std::string text;
  if (!ReadText(source, node, "keep or refuse", &text)) return;
  if (text != "keep" && text != "refuse") return Report(source, node, "expected keep or refuse, found \"" + text + "\"");
  plan_->refuse_unknown_events = text == "refuse";
}

}  // namespace attune
