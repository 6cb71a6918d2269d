// Plan files: YAML to a Plan, in three steps. First the settings, events and names of all files; then the expressions,
// which may use any name; then what can only be judged over the whole (circles).
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <utility>

#include "base/hash.h"
#include "event/name.h"
#include "language/nearest.h"
#include "language/parser.h"
#include "language/token.h"
#include "plan/checks.h"
#include "plan/plan.h"
#include "plan/schema_file.h"
#include "plan/source.h"
#include "plan/trigger_settings.h"

namespace attune {
namespace {

// What a definition still waits for: its expression's text.
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

class Loader {
 public:
  // Files are (name, text).
  LoadedPlan Run(std::vector<std::pair<std::string, std::string>> files) {
    plan_ = std::make_unique<Plan>();
    std::string all;
    sources_.reserve(files.size());
    for (auto& [file, text] : files) {
      plan_->files.push_back(file);
      all += text;
      all += '\0';
      sources_.emplace_back(file, std::move(text), static_cast<int>(sources_.size()));
    }
    plan_->text_fingerprint = Hash64(all);
    for (const PlanSource& source : sources_) ReadFile(source);
    CollectNames();
    ReadExpressions();
    CheckWhole();
    return Finish();
  }

  LoadedPlan Unreadable(const std::string& path, const std::string& why) {
    Report({path, 1, 1, why});
    return Finish();
  }

 private:
  // --- reporting ---

  void Report(Problem problem) {
    failed_ |= !problem.warning;
    problems_.push_back(std::move(problem));
  }
  void Report(const PlanSource& source, Location at, std::string message, bool warning = false) {
    Report({source.file(), at.line, at.column, std::move(message), warning});
  }
  void Report(const PlanSource& source, const YAML::Node& node, std::string message) {
    Report(source, source.At(node), std::move(message));
  }

  LoadedPlan Finish() {
    const auto file_order = [&](const Problem& p) {
      const auto& files = plan_ ? plan_->files : std::vector<std::string>();
      return std::find(files.begin(), files.end(), p.file) - files.begin();
    };
    std::stable_sort(problems_.begin(), problems_.end(), [&](const Problem& a, const Problem& b) {
      return std::tuple(file_order(a), a.line, a.column) < std::tuple(file_order(b), b.line, b.column);
    });
    if (failed_) plan_ = nullptr;
    return {std::move(plan_), std::move(problems_)};
  }

  // --- YAML ---

  static std::string Kind(const YAML::Node& node) {
    return node.IsMap() ? "a mapping" : node.IsSequence() ? "a list" : node.IsScalar() ? "\"" + node.Scalar() + "\"" : "nothing";
  }

  // Calls fn(key, value) for each entry; reports a key that stands twice, and a node that is no mapping.
  template <typename Fn>
  void ForEach(const PlanSource& source, const YAML::Node& map, const std::string& what, Fn fn) {
    if (map.IsNull()) return;
    if (!map.IsMap()) return Report(source, map, "expected a mapping for " + what + ", found " + Kind(map));
    std::set<std::string> seen;
    for (const auto& entry : map) {
      if (!entry.first.IsScalar()) {
        Report(source, entry.first, "expected a name as key, found " + Kind(entry.first));
        continue;
      }
      const std::string key = entry.first.Scalar();
      if (!seen.insert(key).second) Report(source, entry.first, "\"" + key + "\" stands here twice");
      fn(key, entry.first, entry.second);
    }
  }

  // One key of a mapping: its name and what reads its value.
  struct Field {
    const char* name;
    std::function<void(const YAML::Node&)> read;
  };

  void ReadFields(const PlanSource& source, const YAML::Node& map, const std::string& what, const std::vector<Field>& fields) {
    ForEach(source, map, what, [&](const std::string& key, const YAML::Node& at, const YAML::Node& value) {
      for (const Field& field : fields) {
        if (key == field.name) return field.read(value);
      }
      std::vector<std::string> known;
      for (const Field& field : fields) known.push_back(field.name);
      std::string expected;
      for (const std::string& name : known) expected += (expected.empty() ? "" : ", ") + name;
      const std::string near = DidYouMean(key, known);
      Report(source, at, "unknown key \"" + key + "\" in " + what + (near.empty() ? "; expected one of " + expected : near));
    });
  }

  bool ReadText(const PlanSource& source, const YAML::Node& node, const std::string& what, std::string* out) {
    if (!node.IsScalar()) return Report(source, node, "expected " + what + ", found " + Kind(node)), false;
    *out = node.Scalar();
    return true;
  }

  void ReadSpan(const PlanSource& source, const YAML::Node& node, Millis least, Millis* out) {
    std::string text;
    if (!ReadText(source, node, "a duration such as 30m", &text)) return;
    Millis span;
    if (!ParseDuration(text, &span) || span < least) {
      return Report(source, node, "expected a duration such as 30m, found \"" + text + "\"");
    }
    *out = span;
  }

  // --- the first step: files ---

  void ReadFile(const PlanSource& source) {
    YAML::Node root;
    try {
      root = source.Load();
    } catch (const YAML::Exception& e) {
      return Report({source.file(), e.mark.line + 1, e.mark.column + 1, "not YAML: " + e.msg});
    }
    plan_->fingerprint = Hash64(NormalText(root), plan_->fingerprint);
    ReadFields(source, root, "the plan",
               {{"timezone", [&](const YAML::Node& n) { ReadZone(source, n); }},
                {"sessions", [&](const YAML::Node& n) { ReadSessions(source, n); }},
                {"limits", [&](const YAML::Node& n) { ReadLimits(source, n); }},
                {"dedupe", [&](const YAML::Node& n) { ReadSpan(source, n, 0, &plan_->dedupe); }},
                {"unknown_events", [&](const YAML::Node& n) { ReadUnknownEvents(source, n); }},
                {"events", [&](const YAML::Node& n) { ReadEvents(source, n); }},
                {"metrics", [&](const YAML::Node& n) { ReadMetrics(source, n); }},
                {"segments", [&](const YAML::Node& n) { ReadSegments(source, n); }},
                {"triggers", [&](const YAML::Node& n) { ReadTriggers(source, n); }},
                {"trigger_groups", [&](const YAML::Node& n) { ReadTriggerGroups(source, n); }}});
  }

  void ReadZone(const PlanSource& source, const YAML::Node& node) {
    std::string name;
    if (!ReadText(source, node, "a time zone such as Europe/Warsaw", &name)) return;
    const auto zone = Zone::Find(name);
    if (!zone.ok()) return Report(source, node, zone.error().message);
    plan_->timezone = name;
  }

  void ReadSessions(const PlanSource& source, const YAML::Node& node) {
    ReadFields(source, node, "sessions",
               {{"gap", [&](const YAML::Node& n) { ReadSpan(source, n, 1, &plan_->session_gap); }},
                {"max", [&](const YAML::Node& n) { ReadSpan(source, n, 1, &plan_->session_max); }}});
  }

  void ReadLimits(const PlanSource& source, const YAML::Node& node) {
    ReadFields(source, node, "limits",
               {{"events", [&](const YAML::Node& n) { ReadLimit(source, n, 200'000, &plan_->limit_events); }},
                {"catch_up", [&](const YAML::Node& n) { ReadLimit(source, n, 1'000'000, &plan_->limit_catch_up); }},
                {"oldest_event", [&](const YAML::Node& n) { ReadSpan(source, n, 1, &plan_->oldest_event); }}});
  }

  void ReadLimit(const PlanSource& source, const YAML::Node& node, int64_t most, int64_t* out) {
    int64_t limit = 0;
    if (!YAML::convert<int64_t>::decode(node, limit) || limit < 1 || limit > most) {
      return Report(source, node, "expected a whole number from 1 to " + std::to_string(most) + ", found " + Kind(node));
    }
    *out = limit;
  }

  void ReadUnknownEvents(const PlanSource& source, const YAML::Node& node) {
    std::string text;
    if (!ReadText(source, node, "keep or refuse", &text)) return;
    if (text != "keep" && text != "refuse") return Report(source, node, "expected keep or refuse, found \"" + text + "\"");
    plan_->refuse_unknown_events = text == "refuse";
  }

  void ReadEvents(const PlanSource& source, const YAML::Node& node) {
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

  void ReadProperties(const PlanSource& source, const YAML::Node& node, const std::string& event, EventSpec* spec) {
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

  bool ReadPropertyType(const PlanSource& source, const YAML::Node& node, const std::string& type, PropertySpec* property) {
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

  bool ReadSchema(const PlanSource& source, const YAML::Node& node, const std::string& name, PropertySpec* property) {
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

  bool ReadName(const PlanSource& source, const YAML::Node& at, const std::string& name, const char* what, std::map<std::string, Location>* taken) {
    const std::vector<Token> tokens = Tokenise(name);
    if (tokens.size() != 2 || tokens[0].kind != Token::Kind::kIdentifier) {
      return Report(source, at, std::string("expected the name of a ") + what + " (letters, digits, _), found \"" + name + "\""), false;
    }
    const Location here = source.At(at);
    const auto [place, inserted] = taken->emplace(name, here);
    if (inserted) return true;
    if (place->second.file == here.file) return false;  // the same mapping: said as "stands here twice"
    Report(source, at, std::string("the ") + what + " \"" + name + "\" is defined twice, also in " +
                           plan_->files[static_cast<size_t>(place->second.file)] + ":" + std::to_string(place->second.line));
    return false;
  }

  void ReadMetrics(const PlanSource& source, const YAML::Node& node) {
    ForEach(source, node, "metrics", [&](const std::string& key, const YAML::Node& at, const YAML::Node& value) {
      if (!ReadName(source, at, key, "metric", &metric_places_)) return;
      MetricDraft draft{{&source, value}, MetricDraft::State::kWaiting, source.At(at), nullptr};
      if (value.IsMap()) {
        draft.draft.text.reset(YAML::Node());
        ReadFields(source, value, "the metric " + key,
                   {{"value", [&](const YAML::Node& n) { draft.draft.text.reset(n); }}, {"description", [&](const YAML::Node&) {}}});
      }
      if (!draft.draft.text.IsScalar()) return Report(source, value, "expected an expression for the metric " + key + ", found " + Kind(value));
      metrics_.emplace(key, std::move(draft));
    });
  }

  void ReadSegments(const PlanSource& source, const YAML::Node& node) {
    ForEach(source, node, "segments", [&](const std::string& key, const YAML::Node& at, const YAML::Node& value) {
      if (!ReadName(source, at, key, "segment", &segment_places_)) return;
      SegmentDraft draft;
      draft.segment.name = key;
      draft.segment.location = source.At(at);
      draft.when.source = &source;
      if (value.IsScalar()) {
        draft.when.text.reset(value);
      } else {
        ReadFields(source, value, "the segment " + key,
                   {{"when", [&](const YAML::Node& n) { draft.when.text.reset(n); }},
                    {"description", [&](const YAML::Node& n) { ReadText(source, n, "text", &draft.segment.description); }}});
      }
      if (!draft.when.text.IsScalar()) {
        return Report(source, at, "the segment \"" + key + "\" has no \"when\"; expected {when: \"an expression\"}");
      }
      segments_.push_back(std::move(draft));
    });
  }

  void ReadTriggers(const PlanSource& source, const YAML::Node& node) {
    ForEach(source, node, "triggers", [&](const std::string& key, const YAML::Node& at, const YAML::Node& value) {
      if (ReadName(source, at, key, "trigger", &trigger_places_)) ReadTrigger(source, key, at, value);
    });
  }

  void ReadTrigger(const PlanSource& source, const std::string& key, const YAML::Node& at, const YAML::Node& value) {
    TriggerDraft draft;
    Trigger& trigger = draft.trigger;
    trigger.name = key;
    trigger.location = source.At(at);
    draft.when.source = draft.on.source = draft.only_if.source = &source;
    int kinds = 0;
    bool where = false;
    const auto rise = [&](Trigger::Kind kind) {
      return [&, kind](const YAML::Node& n) {
        ++kinds;
        trigger.kind = kind;
        draft.when.text.reset(n);
      };
    };
    ReadFields(source, value, "the trigger " + key,
               {{"enter", rise(Trigger::Kind::kEnter)},
                {"leave", rise(Trigger::Kind::kLeave)},
                {"on", [&](const YAML::Node& n) { ++kinds; trigger.kind = Trigger::Kind::kOn; draft.on.text.reset(n); }},
                {"where", [&](const YAML::Node& n) { where = true; draft.when.text.reset(n); }},
                {"with", [&](const YAML::Node& n) { ReadWith(source, key, n, &draft); }},
                {"cooldown", [&](const YAML::Node& n) { ReadSpan(source, n, 1, &trigger.cooldown); }},
                {"at_most", [&](const YAML::Node& n) { trigger.at_most = ReadCap(source, n); }},
                {"quiet_hours", [&](const YAML::Node& n) { ReadQuietHours(source, n, &trigger); }},
                {"only_if", [&](const YAML::Node& n) { draft.only_if.text.reset(n); }},
                {"holdout", [&](const YAML::Node& n) { ReadHoldout(source, n, &trigger); }},
                {"group", [&](const YAML::Node& n) { ReadText(source, n, "the name of a group of triggers", &trigger.group); }},
                {"send", [&](const YAML::Node& n) { ReadSend(source, n, &trigger); }},
                {"description", [&](const YAML::Node& n) { ReadText(source, n, "text", &trigger.description); }}});
    if (kinds != 1) return Report(source, at, "the trigger \"" + key + "\" needs exactly one of enter, leave and on");
    if (where && trigger.kind != Trigger::Kind::kOn) {
      return Report(source, at, "\"where\" stands beside \"on\" only; join the conditions with \"and\"");
    }
    triggers_.push_back(std::move(draft));
  }

  void ReadWith(const PlanSource& source, const std::string& key, const YAML::Node& node, TriggerDraft* draft) {
    ForEach(source, node, "\"with\" of the trigger " + key, [&](const std::string& name, const YAML::Node&, const YAML::Node& value) {
      if (!value.IsScalar()) return Report(source, value, "expected an expression, found " + Kind(value));
      draft->with.emplace_back(name, Draft{&source, value});
    });
  }

  std::optional<Cap> ReadCap(const PlanSource& source, const YAML::Node& node) {
    std::string text;
    if (!ReadText(source, node, "a cap such as 2 per 1h", &text)) return std::nullopt;
    const auto cap = ParseCap(text);
    if (!cap) {
      Report(source, node, "expected a cap such as 2 per 1h (at most " + std::to_string(kMaxCap) + "), found \"" + text + "\"");
    }
    return cap;
  }

  void ReadQuietHours(const PlanSource& source, const YAML::Node& node, Trigger* trigger) {
    std::string text;
    if (!ReadText(source, node, "quiet hours such as 22:00-08:00", &text)) return;
    trigger->quiet_hours = ParseQuietHours(text);
    if (!trigger->quiet_hours) Report(source, node, "expected quiet hours such as 22:00-08:00, found \"" + text + "\"");
  }

  void ReadHoldout(const PlanSource& source, const YAML::Node& node, Trigger* trigger) {
    std::string text;
    if (!ReadText(source, node, "a share such as 10%", &text)) return;
    const auto share = ParseShare(text);
    if (!share) return Report(source, node, "expected a share such as 10% or 0.1, found \"" + text + "\"");
    trigger->holdout = *share;
  }

  void ReadTriggerGroups(const PlanSource& source, const YAML::Node& node) {
    ForEach(source, node, "trigger_groups", [&](const std::string& key, const YAML::Node& at, const YAML::Node& value) {
      if (!ReadName(source, at, key, "group of triggers", &group_places_)) return;
      std::optional<Cap> cap;
      bool written = false;
      ReadFields(source, value, "the group of triggers " + key,
                 {{"at_most", [&](const YAML::Node& n) { written = true; cap = ReadCap(source, n); }}, {"description", [&](const YAML::Node&) {}}});
      if (!written) return Report(source, at, "the group of triggers \"" + key + "\" has no \"at_most\"; expected {at_most: 2 per 1d}");
      if (cap) plan_->trigger_groups.push_back({key, *cap, source.At(at)});
    });
  }

  void ReadSend(const PlanSource& source, const YAML::Node& node, Trigger* trigger) {
    if (node.IsScalar()) return trigger->send.push_back(node.Scalar());
    if (!node.IsSequence()) return Report(source, node, "expected a list of names for \"send\", found " + Kind(node));
    for (const YAML::Node& item : node) {
      std::string name;
      if (ReadText(source, item, "a name", &name)) trigger->send.push_back(name);
    }
  }

  // --- the second step: expressions ---

  void CollectNames() {
    names_.specs = &plan_->events;
    names_.refuse_unknown_events = plan_->refuse_unknown_events;
    for (const auto& [name, spec] : plan_->events) names_.events.push_back(name);
    for (const char* name : {"page_viewed", "screen_viewed"}) {
      if (!plan_->events.contains(name)) names_.events.push_back(name);
    }
    for (const auto& [name, location] : metric_places_) names_.metrics.push_back(name);
    for (const auto& [name, location] : segment_places_) names_.segments.push_back(name);
    names_.metric_type = [this](const std::string& name) { return TypeOfMetric(name); };
  }

  void Say(const Draft& draft, const std::vector<Mistake>& mistakes) {
    for (const Mistake& mistake : mistakes) {
      Report(*draft.source, draft.source->At(draft.text, mistake.offset), mistake.message, mistake.warning);
    }
  }

  ExpressionPtr ParseDraft(const Draft& draft) {
    std::vector<Mistake> mistakes;
    ExpressionPtr e = Parse(draft.text.Scalar(), names_, *Zone::Find(plan_->timezone), &mistakes);
    Say(draft, mistakes);
    return e;
  }

  ExpressionPtr ParseCondition(const Draft& draft, const std::string& what) {
    ExpressionPtr e = ParseDraft(draft);
    if (e && !e->dynamic && e->type != Type::kBool) {
      Report(*draft.source, draft.source->At(draft.text, 0),
             "expected a condition for " + what + ", found " + ToText(*e) + ", a " + std::string(TypeName(e->type)));
    }
    return e;
  }

  std::optional<StaticType> TypeOfMetric(const std::string& name) {
    const auto found = metrics_.find(name);
    if (found == metrics_.end()) return std::nullopt;
    MetricDraft& metric = found->second;
    if (metric.state == MetricDraft::State::kParsing) {
      Report(*metric.draft.source, metric.location, "the metric \"" + name + "\" is defined by itself, in a circle");
      return std::nullopt;
    }
    if (metric.state == MetricDraft::State::kWaiting) {
      metric.state = MetricDraft::State::kParsing;
      metric.value = ParseDraft(metric.draft);
      metric.state = MetricDraft::State::kDone;
    }
    if (!metric.value) return std::nullopt;
    return StaticType{metric.value->type, metric.value->dynamic, HoldsKeys(*metric.value)};
  }

  // As attune::HoldsKeys, while the metrics have not moved into the plan.
  bool HoldsKeys(const Expression& expression) const {
    bool holds = attune::HoldsKeys(expression, *plan_);
    attune::ForEach(expression, [&](const Expression& e) {
      if (e.kind == Expression::Kind::kMetric) holds |= HoldsKeys(*metrics_.at(e.text).value);
    });
    return holds;
  }

  void ReadExpressions() {
    for (const auto& [name, metric] : metrics_) TypeOfMetric(name);
    for (auto& [name, metric] : metrics_) plan_->metrics.push_back({name, std::move(metric.value), metric.location});
    // Types of metrics are asked for once more below, when their values have moved into the plan.
    names_.metric_type = [this](const std::string& name) -> std::optional<StaticType> {
      const Metric* metric = plan_->FindMetric(name);
      if (!metric || !metric->value) return std::nullopt;
      return StaticType{metric->value->type, metric->value->dynamic, attune::HoldsKeys(*metric->value, *plan_)};
    };
    for (SegmentDraft& draft : segments_) {
      draft.segment.when = ParseCondition(draft.when, "the segment \"" + draft.segment.name + "\"");
      plan_->segments.push_back(std::move(draft.segment));
    }
    for (TriggerDraft& draft : triggers_) ReadTriggerExpressions(&draft);
    const auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
    std::sort(plan_->segments.begin(), plan_->segments.end(), by_name);
    std::sort(plan_->triggers.begin(), plan_->triggers.end(), by_name);
    std::sort(plan_->trigger_groups.begin(), plan_->trigger_groups.end(), by_name);
  }

  void ReadTriggerExpressions(TriggerDraft* draft) {
    Trigger& trigger = draft->trigger;
    if (trigger.kind == Trigger::Kind::kOn) {
      if (!draft->on.text.IsScalar()) return Report(*draft->on.source, trigger.location, "expected a selector for \"on\"");
      std::vector<Mistake> mistakes;
      auto selector = ParseSelector(draft->on.text.Scalar(), names_, *Zone::Find(plan_->timezone), &mistakes);
      Say(draft->on, mistakes);
      if (selector) trigger.on = std::move(*selector);
    }
    if (draft->when.text.IsScalar()) {
      trigger.when = ParseCondition(draft->when, "the trigger \"" + trigger.name + "\"");
    } else if (trigger.kind != Trigger::Kind::kOn) {
      Report(*draft->when.source, trigger.location, "expected an expression for the trigger \"" + trigger.name + "\"");
    }
    if (!draft->only_if.text.IsNull() && !draft->only_if.text.IsScalar()) {
      Report(*draft->only_if.source, draft->only_if.text, "expected a condition for \"only_if\", found " + Kind(draft->only_if.text));
    } else if (draft->only_if.text.IsScalar()) {
      trigger.only_if = ParseCondition(draft->only_if, "\"only_if\" of the trigger \"" + trigger.name + "\"");
    }
    for (const auto& [name, text] : draft->with) trigger.with.emplace_back(name, ParseDraft(text));
    std::sort(trigger.with.begin(), trigger.with.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    plan_->triggers.push_back(std::move(trigger));
  }

  // --- the third step: the whole ---

  void Report(const std::vector<Finding>& findings) {
    for (const Finding& finding : findings) {
      Report(sources_[static_cast<size_t>(finding.location.file)], finding.location, finding.message, finding.warning);
    }
  }

  void CheckWhole() {
    if (failed_) return;
    Report(FindCircles(*plan_));
    if (failed_) return;
    Report(CheckTriggers(*plan_));
  }

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

bool ReadWhole(const std::filesystem::path& path, std::string* text) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return false;
  std::stringstream buffer;
  buffer << in.rdbuf();
  *text = buffer.str();
  return in.good() || in.eof();
}

}  // namespace

LoadedPlan LoadPlan(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<std::string> paths;
  if (fs::is_directory(path, error)) {
    for (const auto& entry : fs::directory_iterator(path, error)) {
      const auto extension = entry.path().extension();
      if (extension == ".yaml" || extension == ".yml") paths.push_back(entry.path().string());
    }
    std::sort(paths.begin(), paths.end());
    if (paths.empty()) return Loader().Unreadable(path, "the folder holds no *.yaml or *.yml file");
  } else {
    paths.push_back(path);
  }
  std::vector<std::pair<std::string, std::string>> files;
  for (const std::string& file : paths) {
    std::string text;
    if (!ReadWhole(file, &text)) return Loader().Unreadable(file, "cannot be read; expected a plan file or a folder of them");
    files.emplace_back(file, std::move(text));
  }
  return Loader().Run(std::move(files));
}

LoadedPlan ParsePlan(std::string_view yaml, const std::string& file) {
  std::vector<std::pair<std::string, std::string>> files;
  files.emplace_back(file, std::string(yaml));
  return Loader().Run(std::move(files));
}

namespace {

Names NamesOf(const Plan& plan) {
  Names names;
  names.specs = &plan.events;
  names.refuse_unknown_events = plan.refuse_unknown_events;
  for (const auto& [name, spec] : plan.events) names.events.push_back(name);
  for (const Metric& metric : plan.metrics) names.metrics.push_back(metric.name);
  for (const Segment& segment : plan.segments) names.segments.push_back(segment.name);
  names.metric_type = [&plan](const std::string& name) -> std::optional<StaticType> {
    const Metric* metric = plan.FindMetric(name);
    if (!metric) return std::nullopt;
    return StaticType{metric->value->type, metric->value->dynamic, HoldsKeys(*metric->value, plan)};
  };
  return names;
}

Problem At(std::string_view text, const std::string& file, const Mistake& mistake) {
  Problem problem{file, 1, 1, mistake.message, mistake.warning};
  for (const char c : text.substr(0, mistake.offset)) {
    if (c == '\n') {
      ++problem.line;
      problem.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {  // a character of UTF-8 begins
      ++problem.column;
    }
  }
  return problem;
}

}  // namespace

ParsedExpression ParseExpression(std::string_view text, const Plan& plan) {
  std::vector<Mistake> mistakes;
  ParsedExpression parsed;
  parsed.expression = Parse(text, NamesOf(plan), *Zone::Find(plan.timezone), &mistakes);
  for (const Mistake& mistake : mistakes) parsed.problems.push_back(At(text, "expression", mistake));
  return parsed;
}

ParsedExpression ParseCondition(std::string_view text, const Plan& plan) {
  ParsedExpression parsed = ParseExpression(text, plan);
  const Expression* e = parsed.expression.get();
  if (e && !e->dynamic && e->type != Type::kBool) {
    parsed.problems.push_back(At(text, "expression", {0, "expected a condition, found " + ToText(*e) + ", a " + std::string(TypeName(e->type))}));
    parsed.expression.reset();
  }
  return parsed;
}

ParsedSelector ParseSelector(std::string_view text, const Plan& plan) {
  std::vector<Mistake> mistakes;
  ParsedSelector parsed;
  parsed.selector = ParseSelector(text, NamesOf(plan), *Zone::Find(plan.timezone), &mistakes);
  for (const Mistake& mistake : mistakes) parsed.problems.push_back(At(text, "selector", mistake));
  return parsed;
}

}  // namespace attune
