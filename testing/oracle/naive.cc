#include "oracle/naive.h"

#include <algorithm>
#include <utility>

#include "crypto/sha256.h"
#include "oracle/aggregate.h"
#include "oracle/operators.h"
#include "oracle/sequence.h"
#include "oracle/window.h"

namespace attune::oracle {
namespace {

using Kind = Expression::Kind;

// The value in the latest identify that has the trait; null removes it.
Value Trait(const std::string& name, const History& history, Millis t) {
  Value latest;
  for (const Entry* entry : history.identifies()) {
    if (entry->time() > t) break;
    const auto trait = entry->traits().find(name);
    if (trait != entry->traits().end()) latest = trait->second;
  }
  return latest;
}

// The value in the latest record that has the purpose; false until a record gives consent.
Value Consent(const std::string& purpose, const History& history, Millis t) {
  bool given = false;
  for (const Entry* entry : history.whole().records()) {
    if (entry->time() > t) break;
    const Value said = entry->Find("context", {"consent", "categoryPreferences", purpose});
    if (said.type() == Type::kBool) given = said.boolean();
  }
  return Value::Bool(given);
}

// A member at t, and at every instant of the `length` before.
Value MemberFor(const Expression& e, const History& history, Millis t) {
  const auto changes = history.ChangesOf(*history.plan().FindSegment(e.text), t);
  return Value::Bool(!changes.empty() && changes.back().enter &&
                     changes.back().at <= t - e.window.length);
}

// Whether the window contains a change of that kind.
Value Changed(const Expression& e, const History& history, Millis t) {
  const auto shown = InstantsIn(e.window, history, t);
  if (!shown) return Value::Bool(false);
  const auto changes = history.ChangesOf(*history.plan().FindSegment(e.text), t);
  return Value::Bool(
      std::any_of(changes.begin(), changes.end(), [&](const History::Change& change) {
        return change.enter == (e.kind == Kind::kEntered) && change.at > shown->after &&
               change.at <= shown->until;
      }));
}

Value Some(const Expression& e, const History& history, Millis t) {
  for (const Value& key : KeysAt(e.path, history, t)) {
    if (EvaluateWith(*e.args[0], history.Restricted(e.path, key), t, nullptr).IsTrue())
      return Value::Bool(true);
  }
  return Value::Bool(false);
}

Value Top(const Expression& e, const History& history, Millis t) {
  std::vector<std::pair<double, Value>> ranked;
  const std::vector<Value> keys = KeysAt(e.path, history, t);
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
    const Value value = EvaluateWith(*e.args[0], history.Restricted(e.path, *key), t, nullptr);
    if (value.type() == Type::kNumber && value.number() != 0)
      ranked.emplace_back(value.number(), *key);
  }
  if (ranked.empty()) return Value();
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Value> top;
  for (const auto& [value, key] : ranked) {
    if (top.size() < static_cast<size_t>(e.number)) top.push_back(key);
  }
  return history.KeepList(std::move(top));
}

Value Logic(const Expression& e, const History& history, Millis t, const Entry* event) {
  const auto is_true = [&](const ExpressionPtr& arg) {
    return EvaluateWith(*arg, history, t, event).IsTrue();
  };
  if (e.kind == Kind::kNot) return Value::Bool(!is_true(e.args[0]));
  if (e.kind == Kind::kAnd) return Value::Bool(std::all_of(e.args.begin(), e.args.end(), is_true));
  return Value::Bool(std::any_of(e.args.begin(), e.args.end(), is_true));
}

Value Literal(const Expression& e) {
  return e.type == Type::kString ? Value::String(e.text) : e.literal;
}

std::vector<Value> Arguments(const Expression& e, const History& history, Millis t,
                             const Entry* event) {
  std::vector<Value> args;
  for (const ExpressionPtr& arg : e.args) args.push_back(EvaluateWith(*arg, history, t, event));
  return args;
}

}  // namespace

Value EvaluateWith(const Expression& e, const History& history, Millis t, const Entry* event) {
  const Plan& plan = history.plan();
  switch (e.kind) {
    case Kind::kLiteral: return Literal(e);
    case Kind::kList: return history.KeepList(Arguments(e, history, t, event));
    case Kind::kProperty: return PropertyOf(*event, e.path);
    case Kind::kTrait: return Trait(e.text, history, t);
    case Kind::kMetric: return EvaluateWith(*plan.FindMetric(e.text)->value, history, t, nullptr);
    case Kind::kAnd: case Kind::kOr: case Kind::kNot: return Logic(e, history, t, event);
    case Kind::kAggregate: return RuleOf(e).value(e, history, t);
    case Kind::kInSegment:
      return Value::Bool(
          EvaluateWith(*plan.FindSegment(e.text)->when, history.whole(), t, nullptr).IsTrue());
    case Kind::kHour: return Value::Number(history.local_time().Hour(t));
    case Kind::kWeekday: return Value::Number(history.local_time().Weekday(t));
    case Kind::kDate: return Value::Time(history.local_time().DayStart(t));
    case Kind::kBucket: return Value::Number(BucketOf(e.text, history.user()));
    case Kind::kSequence: case Kind::kSequenceDepth: case Kind::kSequenceMatches:
      return OverSequence(e, history, t);
    case Kind::kSome: return Some(e, history, t);
    case Kind::kTop: return Top(e, history, t);
    case Kind::kInSegmentFor: return MemberFor(e, history, t);
    case Kind::kEntered: case Kind::kLeft: return Changed(e, history, t);
    case Kind::kConsent: return Consent(e.text, history, t);
    case Kind::kScore: case Kind::kCluster: return Value();  // no record of a score or cluster exists
    default: return Operator(e, Arguments(e, history, t, event));
  }
}

Value Evaluate(const Expression& expression, const History& history, Millis t) {
  return EvaluateWith(expression, history, t, nullptr);
}

double BucketOf(const std::string& name, const std::string& user) {
  const Sha256Digest digest = Sha256(name + ":" + user);
  uint64_t head = 0;
  for (int i = 0; i < 8; ++i) head = head << 8 | digest[i];
  return static_cast<double>(head >> 11) / 9007199254740992.0;
}

}  // namespace attune::oracle
