#include "engine/explain.h"

#include <algorithm>
#include <optional>

#include "base/json.h"
#include "event/event.h"

namespace attune {
namespace {

using Kind = Expression::Kind;

constexpr int kLooks = 1000;  // at instants at which a value may change: what lasts through so many is said to stay

std::optional<double> Amount(const Value& value) {
  if (value.type() == Type::kNumber) return value.number();
  if (value.type() == Type::kDuration) return static_cast<double>(value.duration());
  return std::nullopt;
}

bool IsOrder(Kind kind) { return kind >= Kind::kLess && kind <= Kind::kGreaterEqual; }

void AppendText(const Explanation& e, const std::string& lead, const std::string& below, std::string* out) {
  *out += lead + e.text + "  =  " + e.value;
  if (!e.missing.empty()) *out += "  (" + e.missing + " missing)";
  if (e.moving) {
    *out += "  and moves with time";
  } else if (e.until != kNever) {
    *out += "  until " + FormatRfc3339(e.until);
  }
  if (e.incomplete) *out += "  (incomplete: events beyond limits.events were dropped)";
  *out += '\n';
  const std::string stem = e.parts.empty() ? "    " : "│   ";
  for (const Explanation::Event& event : e.events) {
    *out += below + stem + FormatRfc3339(event.time) + "  " + event.id + '\n';
  }
  if (e.event_count > e.events.size()) *out += below + stem + "… " + std::to_string(e.event_count) + " in all\n";
  for (const Explanation& part : e.parts) {
    const bool last = &part == &e.parts.back();
    AppendText(part, below + (last ? "└── " : "├── "), below + (last ? "    " : "│   "), out);
  }
}

}  // namespace

Explainer::Explainer(std::shared_ptr<const Plan> plan, const Expression& expression, std::string user)
    : expression_(expression),
      user_(std::move(user)),
      program_(Program::Compile(std::move(plan), &expression)),
      reader_(program_) {}

void Explainer::Add(std::string_view bytes) { records_.emplace_back(bytes); }

Explanation Explainer::At(Millis t) {
  engine_ = std::make_unique<Engine>(program_);
  Effects effects;
  for (const std::string& bytes : records_) {
    auto record = reader_.Read(bytes);
    if (!record.ok() || record->time > t) continue;
    record->user = user_;
    engine_->Apply(*record, &effects);
    effects = {};
  }
  UserState* user = engine_->Find(user_);
  if (!user) {  // nothing of her yet: what every expression says of nobody
    const UserState nobody(user_, 0, *program_);
    return Explain(expression_, program_->extra_root, nobody, t);
  }
  engine_->AdvanceUser(user, t, &effects);
  return Explain(expression_, program_->extra_root, *user, t);
}

Explanation Explainer::Explain(const Expression& expression, NodeId id, const UserState& user, Millis t) {
  const Node& node = program_->nodes[id];
  Explanation e;
  e.text = ToText(expression);
  const Timed timed = engine_->Evaluate(id, user, t);
  e.value = ToJson(timed.value);
  e.incomplete = engine_->incomplete();
  e.moving = node.moving;
  if (!e.moving) e.until = NextChange(id, user, t, e.value);
  if (expression.kind == Kind::kMetric) {
    const Metric* metric = program_->plan->FindMetric(expression.text);
    e.parts.push_back(Explain(*metric->value, id, user, t));
    return e;
  }
  if (expression.kind == Kind::kLiteral || expression.kind == Kind::kList) return e;
  for (uint32_t i = 0; i < node.count && i < expression.args.size(); ++i) {
    if (expression.args[i]->kind == Kind::kLiteral || expression.args[i]->kind == Kind::kList) continue;
    e.parts.push_back(Explain(*expression.args[i], program_->children[node.first + i], user, t));
  }
  if (IsOrder(node.kind) && e.value == "false") {
    const auto left = Amount(engine_->Evaluate(program_->children[node.first], user, t).value);
    const auto right = Amount(engine_->Evaluate(program_->children[node.first + 1], user, t).value);
    if (left && right) e.missing = ToJson(Value::Number(*right - *left));
  }
  if (node.aggregate == kNone) return e;
  const AggregateSpec& spec = program_->aggregates[node.aggregate];
  AddEvents(spec, user, t, &e);
  if (expression.window.anchor && spec.anchor != kNone) {
    e.parts.push_back(Explain(*expression.window.anchor, spec.anchor, user, t));
  }
  return e;
}

void Explainer::AddEvents(const AggregateSpec& spec, const UserState& user, Millis t, Explanation* e) {
  uint32_t selector = kNone, field = kNone;
  if (spec.series != kNone) {
    selector = program_->series[spec.series].selector;
    field = program_->series[spec.series].field;
  } else if (spec.total != kNone) {
    selector = program_->totals[spec.total].selector;
    field = program_->totals[spec.total].field;
  }
  Millis low, high;
  if (selector == kNone || !engine_->WindowOf(spec, user, t, &low, &high)) return;
  for (const std::string& bytes : records_) {
    const auto record = reader_.Read(bytes);
    if (!record.ok() || record->kind != EventKind::kTrack) continue;
    if (record->time > t || record->time <= low || record->time > high || !engine_->Selects(selector, *record)) continue;
    if (field != kNone && record->fields[field].is_null()) continue;
    const auto event = DecodeEvent(bytes);
    e->events.push_back({std::string(event->head.id), record->time});
  }
  std::stable_sort(e->events.begin(), e->events.end(),
                   [](const Explanation::Event& a, const Explanation::Event& b) { return a.time > b.time; });
  e->event_count = e->events.size();
  if (e->events.size() > kExplainedEvents) e->events.resize(kExplainedEvents);
}

Millis Explainer::NextChange(NodeId node, const UserState& user, Millis t, const std::string& value) {
  for (int i = 0; i < kLooks; ++i) {
    t = engine_->Evaluate(node, user, t).until;
    if (t == kNever || ToJson(engine_->Evaluate(node, user, t).value) != value) return t;
  }
  return kNever;
}

std::string ExplanationJson(const Explanation& e) {
  std::string json = "{\"expression\":";
  AppendJsonString(e.text, &json);
  json += ",\"value\":" + e.value + ",\"until\":" + (e.until == kNever ? "null" : '"' + FormatRfc3339(e.until) + '"');
  if (e.moving) json += ",\"moving\":true";
  if (e.incomplete) json += ",\"incomplete\":true";
  if (!e.missing.empty()) json += ",\"missing\":" + e.missing;
  if (e.event_count > 0) {
    json += ",\"event_count\":" + std::to_string(e.event_count) + ",\"events\":[";
    for (const Explanation::Event& event : e.events) {
      if (&event != &e.events.front()) json += ',';
      json += "{\"id\":";
      AppendJsonString(event.id, &json);
      json += ",\"timestamp\":\"" + FormatRfc3339(event.time) + "\"}";
    }
    json += ']';
  }
  if (!e.parts.empty()) {
    json += ",\"parts\":[";
    for (const Explanation& part : e.parts) json += (&part == &e.parts.front() ? "" : ",") + ExplanationJson(part);
    json += ']';
  }
  return json + '}';
}

std::string ExplanationText(const Explanation& explanation) {
  std::string text;
  AppendText(explanation, "", "", &text);
  return text;
}

}  // namespace attune
