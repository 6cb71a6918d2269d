#include "engine/output.h"

#include <algorithm>

namespace attune {
namespace {

std::string At(Millis at) { return "{\"at\":\"" + FormatRfc3339(at) + '"'; }

void AppendNames(const std::vector<std::string>& names, std::string* out) {
  *out += '[';
  for (const std::string& name : names) {
    if (out->back() != '[') *out += ',';
    AppendJsonString(name, out);
  }
  *out += ']';
}

}  // namespace

std::string TransitionJson(const Transition& transition, const Program& program) {
  return TransitionJson(transition.at, transition.user->id(), program.conditions[transition.segment].name, transition.enter,
                        transition.corrected);
}

std::string TransitionJson(Millis at, std::string_view user, std::string_view segment, bool enter, bool corrected) {
  std::string line = At(at) + ",\"user\":";
  AppendJsonString(user, &line);
  line += ",\"segment\":";
  AppendJsonString(segment, &line);
  line += enter ? ",\"change\":\"enter\"" : ",\"change\":\"leave\"";
  return line + (corrected ? ",\"corrected\":true}" : ",\"corrected\":false}");
}

std::string FiringJson(const TriggerFiring& firing, const Program& program) {
  return FiringJson(firing.at, program.conditions[firing.trigger].name, firing.user->id(), FiringDetail(firing));
}

std::string FiringJson(Millis at, std::string_view trigger, std::string_view user, std::string_view detail) {
  std::string line = At(at) + ",\"trigger\":";
  AppendJsonString(trigger, &line);
  line += ",\"user\":";
  AppendJsonString(user, &line);
  line += ',';
  line += detail;
  return line + '}';
}

std::string FiringDetail(const TriggerFiring& firing) {
  return "\"key\":" + (firing.key.empty() ? "null" : firing.key) + ",\"id\":\"" + firing.id + "\",\"values\":" + firing.values;
}

std::string MetricsJson(const UserState& user, Millis t, Engine* engine, std::vector<std::string>* incomplete) {
  const Program& program = engine->program();
  std::string json = "{";
  for (size_t i = 0; i < program.metric_roots.size(); ++i) {
    const std::string& name = program.plan->metrics[i].name;
    const Value value = engine->Evaluate(program.metric_roots[i], user, t).value;
    if (engine->incomplete()) incomplete->push_back(name);
    if (value.is_null()) continue;
    if (json.size() > 1) json += ',';
    AppendJsonString(name, &json);
    json += ':' + ToJson(value);
  }
  return json + '}';
}

std::string ValuesJson(const UserState& user, Millis t, Engine* engine) {
  const Program& program = engine->program();
  std::vector<std::string> segments, incomplete;
  for (ConditionId c = 0; c < program.segment_count; ++c) {
    if (user.Holds(c)) segments.push_back(program.conditions[c].name);
  }
  std::sort(segments.begin(), segments.end());
  std::string line = At(t) + ",\"user\":";
  AppendJsonString(user.id(), &line);
  line += ",\"metrics\":" + MetricsJson(user, t, engine, &incomplete) + ",\"segments\":";
  AppendNames(segments, &line);
  if (!incomplete.empty()) {
    line += ",\"incomplete\":";
    AppendNames(incomplete, &line);
  }
  return line + '}';
}

}  // namespace attune
