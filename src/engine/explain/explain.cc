#include "engine/explain/explain.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/json.h"
#include "event/event.h"

namespace attune {
namespace {

using Kind = Expression::Kind;

constexpr int kLooks = 1000;  // instants examined; a value that is the same at all of them counts as constant

std::optional<double> Amount(const Value& value) {
  if (value.type() == Type::kNumber) return value.number();
  if (value.type() == Type::kDuration) return static_cast<double>(value.duration());
  return std::nullopt;
}

// Texts for the steps of a sequence: each step, and the step with its conditions on the events before it.
struct StepTexts {
  explicit StepTexts(const Expression& sequence) {
    std::string nots;
    for (const SequenceStep& each : sequence.steps) {
      if (each.negated) {
        nots += ToText(each) + " -> ";
        continue;
      }
      step.push_back(ToText(each.selector));
      wanted.push_back(std::exchange(nots, "") + (each.immediate ? "=> " : "") + ToText(each));
    }
  }

  std::vector<std::string> step;
  std::vector<std::string> wanted;
};

bool IsOrder(Kind kind) { return kind >= Kind::kLess && kind <= Kind::kGreaterEqual; }

void AppendText(const Explanation& e, const std::string& lead, const std::string& below, std::string* out) {
  *out += lead + (e.key.empty() ? "" : e.key + ": ") + e.text + "  =  " + e.value;
  if (e.holding_count && *e.key_count > 0) {
    *out += "  (" + std::to_string(*e.holding_count) + " of " + std::to_string(*e.key_count) + " keys)";
  } else if (e.key_count) {
    *out += "  (" + std::to_string(*e.key_count) + " keys)";
  }
  if (!e.missing_step.empty()) *out += "  (no " + e.missing_step + ")";
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
    *out += below + stem + FormatRfc3339(event.time) + "  " + event.id;
    *out += (event.step.empty() ? "" : "  " + event.step) + '\n';
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
  t_ = t;
  engine_ = std::make_unique<Engine>(program_);
  past_.clear();
  Effects effects;
  for (const std::string& bytes : records_) {
    auto record = reader_.Read(bytes);
    if (!record.ok() || record->time > t) continue;
    record->user = user_;
    if (engine_->Apply(*record, &effects) != Applied::kDuplicate) TakeIn(*record, bytes);
    effects = {};
  }
  std::stable_sort(past_.begin(), past_.end(), [](const Past& a, const Past& b) { return a.time < b.time; });
  const Scope whole{*program_, kNone, nullptr, {}};
  UserState* user = engine_->Find(user_);
  if (!user) {  // no record yet: the value of the expression for an unknown user
    const UserState nobody(user_, 0, *program_);
    state_ = &nobody;
    return Explain(expression_, program_->extra_root, whole);
  }
  engine_->AdvanceUser(user, t, &effects);
  state_ = user;
  return Explain(expression_, program_->extra_root, whole);
}

void Explainer::TakeIn(const Record& record, std::string_view bytes) {
  if (record.kind != EventKind::kTrack) return;
  Past& event = past_.emplace_back();
  event.time = record.time;
  event.id = DecodeEvent(bytes)->head.id;
  for (const uint32_t selector : program_->selectors_of_name[record.name]) {
    if (engine_->Selects(selector, record)) event.selectors.push_back(selector);
  }
  std::sort(event.selectors.begin(), event.selectors.end());
  event.fields.resize(program_->fields.size());
  for (const uint32_t field : program_->fields_of_name[record.name]) {
    event.fields[field] = Stored::Acquire(record.fields[field], &interner_);
  }
}

Explanation Explainer::Explain(const Expression& expression, NodeId id, const Scope& scope) {
  const Node& node = scope.program.nodes[id];
  Explanation e;
  e.text = ToText(expression);
  const Timed timed = Evaluate(id, scope, t_);
  e.value = ToJson(timed.value);
  e.incomplete = engine_->incomplete();
  std::vector<Stored> listed;
  if (expression.kind == Kind::kTop && timed.value.type() == Type::kList) {
    for (const Value& key : timed.value.list()) listed.push_back(Stored::Acquire(key, &interner_));
  }
  e.moving = node.moving;
  if (!e.moving) e.until = NextChange(id, scope, e.value);
  if (expression.kind == Kind::kMetric) {
    const Metric* metric = program_->plan->FindMetric(expression.text);
    e.parts.push_back(Explain(*metric->value, id, scope));
    return e;
  }
  if (expression.kind == Kind::kLiteral || expression.kind == Kind::kList) return e;
  if (expression.kind == Kind::kSome || expression.kind == Kind::kTop) {
    ExplainKeys(expression, node.index, listed, &e);
    return e;
  }
  for (uint32_t i = 0; i < node.count && i < expression.args.size(); ++i) {
    if (expression.args[i]->kind == Kind::kLiteral || expression.args[i]->kind == Kind::kList) continue;
    e.parts.push_back(Explain(*expression.args[i], scope.program.children[node.first + i], scope));
  }
  if (IsOrder(node.kind) && e.value == "false") {
    const auto left = Amount(Evaluate(scope.program.children[node.first], scope, t_).value);
    const auto right = Amount(Evaluate(scope.program.children[node.first + 1], scope, t_).value);
    if (left && right) e.missing = ToJson(Value::Number(*right - *left));
  }
  if (node.aggregate == kNone) return e;
  const AggregateSpec& spec = scope.program.aggregates[node.aggregate];
  if (spec.sequence != kNone) {
    AddRuns(expression, spec, scope, &e);
  } else {
    AddEvents(spec, scope, &e);
  }
  if (expression.window.anchor && spec.anchor != kNone) {
    e.parts.push_back(Explain(*expression.window.anchor, spec.anchor, scope));
  }
  return e;
}

void Explainer::ExplainKeys(const Expression& expression, uint32_t index, const std::vector<Stored>& listed, Explanation* e) {
  const KeySpec& spec = program_->keys[index];
  std::vector<const Key*> keys;
  if (const KeyStates* states = state_->keys(index)) states->ForEach([&](const Key& key) { keys.push_back(&key); });
  std::sort(keys.begin(), keys.end(), [](const Key* a, const Key* b) { return SeenLater(*a, *b); });
  std::vector<Scope> scopes;
  for (const Key* key : keys) {
    const Value value = key->value.Load(engine_->interner());
    scopes.push_back({*spec.within, index, key, Stored::Acquire(value, &interner_)});
  }
  std::vector<const Scope*> told;
  if (expression.kind == Kind::kSome) {
    for (const Scope& scope : scopes) {
      if (Evaluate(spec.root, scope, t_).value.IsTrue()) told.push_back(&scope);
    }
    e->holding_count = told.size();
    if (told.size() > kExplainedKeys) told.resize(kExplainedKeys);
  } else {
    for (const Stored value : listed) {
      const auto is_listed = [&](const Scope& scope) { return scope.value == value; };
      const auto found = std::find_if(scopes.begin(), scopes.end(), is_listed);
      if (found != scopes.end()) told.push_back(&*found);
    }
  }
  if (told.empty() && !scopes.empty()) told.push_back(&scopes.front());
  e->key_count = keys.size();
  for (const Scope* scope : told) {
    e->parts.push_back(Explain(*expression.args[0], spec.root, *scope));
    e->parts.back().key = ToJson(scope->value.Load(interner_));
  }
}

void Explainer::AddEvents(const AggregateSpec& spec, const Scope& scope, Explanation* e) {
  uint32_t selector = kNone, field = kNone;
  if (spec.series != kNone) {
    selector = scope.program.series[spec.series].selector;
    field = scope.program.series[spec.series].field;
  } else if (spec.total != kNone) {
    selector = scope.program.totals[spec.total].selector;
    field = scope.program.totals[spec.total].field;
  }
  Millis low, high;
  if (selector == kNone || !WindowOf(spec, scope, &low, &high)) return;
  for (auto event = past_.rbegin(); event != past_.rend(); ++event) {
    if (event->time <= low || event->time > high || !IsIn(scope, *event)) continue;
    if (!std::binary_search(event->selectors.begin(), event->selectors.end(), selector)) continue;
    if (field != kNone && event->fields[field].is_null()) continue;
    if (++e->event_count <= kExplainedEvents) e->events.push_back({event->id, event->time, ""});
  }
}

void Explainer::AddRuns(const Expression& expression, const AggregateSpec& spec, const Scope& scope, Explanation* e) {
  const SequenceProgram& sequences = (spec.outer ? *program_ : scope.program).sequences;
  const SequenceProgram::Sequence& sequence = sequences.sequence(sequences.query(spec.sequence).sequence);
  const StepTexts texts(expression);
  std::vector<const Past*> events;
  std::vector<WitnessEvent> shown;
  Millis low, high;
  if (WindowOf(spec, scope, &low, &high)) {
    for (const Past& event : past_) {
      if (event.time <= low || event.time > high) continue;
      const bool keyed = sequence.column != SequenceProgram::kNoColumn;
      const Stored key = keyed ? event.fields[sequences.FieldOf(sequence.column)] : Stored();
      events.push_back(&event);
      shown.push_back({event.time, IsIn(scope, event) && !(keyed && key.is_null()), key, event.selectors});
    }
  }
  const auto add = [&](const Witness& witness) {
    for (size_t k = 0; k < witness.size(); ++k) {
      e->events.push_back({events[witness[k]]->id, events[witness[k]]->time, texts.step[k]});
    }
  };
  if (expression.kind == Kind::kSequenceMatches) {
    const std::vector<Witness> matches = CountedMatches(sequences, sequence, shown);
    const size_t told = std::min(matches.size(), kExplainedEvents / sequence.steps);
    for (size_t i = matches.size() - told; i < matches.size(); ++i) add(matches[i]);
    e->event_count = matches.size() * sequence.steps;
    return;
  }
  const Witness furthest = FurthestRun(sequences, sequence, shown);
  add(furthest);
  e->event_count = furthest.size();
  if (furthest.size() < sequence.steps) e->missing_step = texts.wanted[furthest.size()];
}

Timed Explainer::Evaluate(NodeId node, const Scope& scope, Millis t) {
  return scope.key ? engine_->EvaluateWithin(scope.keys, node, *state_, *scope.key, t)
                   : engine_->Evaluate(node, *state_, t);
}

bool Explainer::WindowOf(const AggregateSpec& spec, const Scope& scope, Millis* low, Millis* high) {
  return scope.key ? engine_->WindowWithin(scope.keys, spec, *state_, *scope.key, t_, low, high)
                   : engine_->WindowOf(spec, *state_, t_, low, high);
}

bool Explainer::IsIn(const Scope& scope, const Past& event) const {
  return !scope.key || event.fields[program_->keys[scope.keys].field] == scope.value;
}

Millis Explainer::NextChange(NodeId node, const Scope& scope, const std::string& value) {
  Millis t = t_;
  for (int i = 0; i < kLooks; ++i) {
    t = Evaluate(node, scope, t).until;
    if (t == kNever || ToJson(Evaluate(node, scope, t).value) != value) return t;
  }
  return kNever;
}

std::string ExplanationJson(const Explanation& e) {
  std::string json = "{";
  if (!e.key.empty()) json += "\"key\":" + e.key + ',';
  json += "\"expression\":";
  AppendJsonString(e.text, &json);
  json += ",\"value\":" + e.value + ",\"until\":" + (e.until == kNever ? "null" : '"' + FormatRfc3339(e.until) + '"');
  if (e.moving) json += ",\"moving\":true";
  if (e.incomplete) json += ",\"incomplete\":true";
  if (!e.missing.empty()) json += ",\"missing\":" + e.missing;
  if (!e.missing_step.empty()) {
    json += ",\"missing_step\":";
    AppendJsonString(e.missing_step, &json);
  }
  if (e.key_count) json += ",\"key_count\":" + std::to_string(*e.key_count);
  if (e.holding_count) json += ",\"holding_count\":" + std::to_string(*e.holding_count);
  if (e.event_count > 0) {
    json += ",\"event_count\":" + std::to_string(e.event_count) + ",\"events\":[";
    for (const Explanation::Event& event : e.events) {
      if (&event != &e.events.front()) json += ',';
      json += "{\"id\":";
      AppendJsonString(event.id, &json);
      json += ",\"timestamp\":\"" + FormatRfc3339(event.time) + '"';
      if (!event.step.empty()) {
        json += ",\"step\":";
        AppendJsonString(event.step, &json);
      }
      json += '}';
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

std::string ExplanationPage(std::string_view user, Millis at, const Explanation& explanation) {
  return std::string(user) + " at " + FormatRfc3339(at) + '\n' + ExplanationText(explanation);
}

}  // namespace attune
