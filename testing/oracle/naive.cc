#include "oracle/naive.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "crypto/sha256.h"
#include "oracle/sequence.h"

namespace attune::oracle {
namespace {

using Kind = Expression::Kind;

Value Eval(const Expression& e, const History& history, Millis t, const Entry* event);

// --- windows ---

std::optional<Millis> Anchor(const Window& window, const History& history, Millis t) {
  const Value anchor = Eval(*window.anchor, history, t, nullptr);
  if (anchor.type() != Type::kTime) return std::nullopt;
  return anchor.time();
}

// The instants that a window shows: (after, until]. None for a session, which is no stretch of
// time.
struct Instants {
  Millis after;
  Millis until;
};

std::optional<Instants> InstantsIn(const Window& window, const History& history, Millis t) {
  const LocalTime& local = history.local_time();
  switch (window.kind) {
    case Window::Kind::kEver: return Instants{kAlways, t};
    case Window::Kind::kSliding:
      return Instants{t - window.offset - window.length, t - window.offset};
    case Window::Kind::kThisHour: return Instants{local.HourStart(t) - 1, t};
    case Window::Kind::kToday: return Instants{local.DayStart(t) - 1, t};
    case Window::Kind::kThisWeek: return Instants{local.WeekStart(t) - 1, t};
    case Window::Kind::kThisMonth: return Instants{local.MonthStart(t) - 1, t};
    case Window::Kind::kRange: return Instants{window.from - 1, std::min(window.to - 1, t)};
    case Window::Kind::kAfter: {
      const auto anchor = Anchor(window, history, t);
      if (!anchor) return std::nullopt;
      return Instants{*anchor, std::min(*anchor + window.length, t)};
    }
    case Window::Kind::kSince: return Instants{Anchor(window, history, t).value_or(kAlways), t};
    case Window::Kind::kSession: case Window::Kind::kLastSession: break;
  }
  return std::nullopt;
}

// --- aggregates ---

Entries Selected(const Expression& e, const History& history, Millis t) {
  Entries found;
  for (const Entry* entry : EventsIn(e.window, history, t)) {
    if (Selects(e.selector, *entry, history)) found.push_back(entry);
  }
  return found;
}

// The property's values in order; events without it, and lists, are skipped.
std::vector<Value> Values(const Expression& e, const History& history, Millis t) {
  std::vector<Value> values;
  for (const Entry* entry : Selected(e, history, t)) {
    const Value value = PropertyOf(*entry, e.path);
    if (!value.is_null() && value.type() != Type::kList) values.push_back(value);
  }
  return values;
}

std::vector<Value> OfType(const std::vector<Value>& values, Type type) {
  std::vector<Value> found;
  for (const Value& value : values) {
    if (value.type() == type) found.push_back(value);
  }
  return found;
}

std::vector<double> Numbers(const std::vector<Value>& values) {
  std::vector<double> numbers;
  for (const Value& value : OfType(values, Type::kNumber)) numbers.push_back(value.number());
  return numbers;
}

// Each value once, the one seen last first.
std::vector<Value> LatestFirst(const std::vector<Value>& values) {
  std::vector<Value> distinct;
  for (auto value = values.rbegin(); value != values.rend(); ++value) {
    const auto same = [&](const Value& other) { return Identical(*value, other); };
    if (std::none_of(distinct.begin(), distinct.end(), same)) distinct.push_back(*value);
  }
  return distinct;
}

Value Mode(const std::vector<Value>& values) {
  Value mode;
  int64_t most = 0;
  for (const Value& value : LatestFirst(values)) {
    const int64_t count = std::count_if(values.begin(), values.end(),
                                        [&](const Value& v) { return Identical(v, value); });
    if (count > most) {
      most = count;
      mode = value;
    }
  }
  return mode;
}

// The declared type decides; undeclared: numbers if there is one, else strings, else times.
Value Extreme(const Expression& e, const std::vector<Value>& all, bool least) {
  std::vector<Value> values;
  if (!e.dynamic) {
    values = OfType(all, e.type);
  } else {
    for (const Type type : {Type::kNumber, Type::kString, Type::kTime}) {
      if (values.empty()) values = OfType(all, type);
    }
  }
  if (values.empty()) return Value();
  const auto before = [](const Value& a, const Value& b) { return Order(a, b) < 0; };
  return least ? *std::min_element(values.begin(), values.end(), before)
               : *std::max_element(values.begin(), values.end(), before);
}

// Nearest rank. The small step back keeps 0.9 * 10 from becoming the tenth of ten.
Value Quantile(double share, std::vector<double> numbers) {
  if (numbers.empty()) return Value();
  std::sort(numbers.begin(), numbers.end());
  const double n = static_cast<double>(numbers.size());
  const double rank = std::max(1.0, std::ceil(share * n - 1e-9));
  return Value::Number(numbers[static_cast<size_t>(std::min(rank, n)) - 1]);
}

Value OverProperty(const Expression& e, const History& history, Millis t) {
  const std::vector<Value> values = Values(e, history, t);
  const std::vector<double> numbers = Numbers(values);
  switch (e.kind) {
    case Kind::kSum: return Value::Number(ExactSum(numbers));
    case Kind::kAvg:
      if (numbers.empty()) return Value();
      return Value::Number(ExactSum(numbers) / static_cast<double>(numbers.size()));
    case Kind::kAggregateMin: return Extreme(e, values, true);
    case Kind::kAggregateMax: return Extreme(e, values, false);
    case Kind::kDistinct: return Value::Number(static_cast<double>(LatestFirst(values).size()));
    case Kind::kFirst: return values.empty() ? Value() : values.front();
    case Kind::kLast: return values.empty() ? Value() : values.back();
    case Kind::kMode: return Mode(values);
    case Kind::kQuantile: return Quantile(e.number, numbers);
    case Kind::kListOf: {
      std::vector<Value> list = LatestFirst(values);
      if (list.empty()) return Value();
      list.resize(std::min(list.size(), static_cast<size_t>(e.number)));
      return history.KeepList(std::move(list));
    }
    default: break;
  }
  ATTUNE_CHECK(false, "the caller sends aggregates over a property alone");
  return Value();
}

Value OverEvents(const Expression& e, const History& history, Millis t) {
  if (e.kind == Kind::kCount && !e.path.keys.empty()) {  // the events that have the property
    return Value::Number(static_cast<double>(Values(e, history, t).size()));
  }
  const Entries events = Selected(e, history, t);
  if (e.kind == Kind::kCount) return Value::Number(static_cast<double>(events.size()));
  if (events.empty()) return Value();
  const Millis first = events.front()->time();
  const Millis last = events.back()->time();
  switch (e.kind) {
    case Kind::kFirstTime: return Value::Time(first);
    case Kind::kLastTime: return Value::Time(last);
    case Kind::kSince: return Value::Duration(t - last);
    case Kind::kAge: return Value::Duration(t - first);
    default: break;
  }
  ATTUNE_CHECK(false, "the caller sends aggregates over events alone");
  return Value();
}

// Sessions whose first event is one that the window shows.
Value SessionsBegun(const Expression& e, const History& history, Millis t) {
  const Entries shown = EventsIn(e.window, history, t);
  int64_t count = 0;
  for (const Session& session : SessionsAt(history, t)) {
    count += std::count(shown.begin(), shown.end(), session.front());
  }
  return Value::Number(static_cast<double>(count));
}

Value SessionDuration(const Expression& e, const History& history, Millis t) {
  const Entries shown = EventsIn(e.window, history, t);
  if (shown.empty()) return Value();
  return Value::Duration(shown.back()->time() - shown.front()->time());
}

// In how many of the stretches (t - (k+1) * length, t - k * length] there was one.
Value Periods(const Expression& e, const History& history, Millis t) {
  int64_t count = 0;
  for (int64_t k = 0; k < static_cast<int64_t>(e.number); ++k) {
    const Millis end = t - k * e.window.length;
    const Millis begin = end - e.window.length;
    const auto in_stretch = [&](const Entry* entry) {
      return entry->time() > begin && entry->time() <= end && Selects(e.selector, *entry, history);
    };
    count += std::any_of(history.events().begin(), history.events().end(), in_stretch);
  }
  return Value::Number(static_cast<double>(count));
}

// --- facts ---

// What the latest identify that mentions it says; null takes it back.
Value Trait(const std::string& name, const History& history, Millis t) {
  Value latest;
  for (const Entry* entry : history.identifies()) {
    if (entry->time() > t) break;
    const auto trait = entry->traits().find(name);
    if (trait != entry->traits().end()) latest = trait->second;
  }
  return latest;
}

// What the latest record that speaks of the purpose says; no until one says yes.
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

// Some change that way, at an instant that the window shows.
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

// --- keys ---

Value Some(const Expression& e, const History& history, Millis t) {
  for (const Value& key : KeysAt(e.path, history, t)) {
    if (Eval(*e.args[0], history.Restricted(e.path, key), t, nullptr).IsTrue())
      return Value::Bool(true);
  }
  return Value::Bool(false);
}

Value Top(const Expression& e, const History& history, Millis t) {
  std::vector<std::pair<double, Value>> ranked;
  const std::vector<Value> keys = KeysAt(e.path, history, t);
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
    const Value value = Eval(*e.args[0], history.Restricted(e.path, *key), t, nullptr);
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

// --- operators ---

// Compiling takes longer than all the rest, so a pattern is compiled once.
const RE2& Compiled(const std::string& pattern) {
  static std::map<std::string, RE2> compiled;
  return compiled.try_emplace(pattern, pattern).first->second;
}

bool Matches(std::string_view text, const std::string& pattern) {
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), Compiled(pattern));
}

// Unicode's simple case folding, as RE2 has it.
bool SameText(std::string_view text, std::string_view part, bool whole) {
  const std::string quoted = RE2::QuoteMeta(re2::StringPiece(part.data(), part.size()));
  return Matches(text, whole ? "(?i)\\A" + quoted + "\\z" : "(?i)" + quoted);
}

bool TextTest(Kind kind, std::string_view text, std::string_view part) {
  switch (kind) {
    case Kind::kContains: return text.find(part) != std::string_view::npos;
    case Kind::kStartsWith: return text.substr(0, part.size()) == part;
    case Kind::kEndsWith:
      return text.size() >= part.size() && text.substr(text.size() - part.size()) == part;
    case Kind::kIContains: return SameText(text, part, false);
    case Kind::kIEquals: return SameText(text, part, true);
    default: return false;
  }
}

bool ListHas(const Value& list, const Value& item) {
  if (list.type() != Type::kList) return false;
  return std::any_of(list.list().begin(), list.list().end(),
                     [&](const Value& value) { return Compare(Kind::kEqual, value, item); });
}

bool IsQuantity(const Value& v) {
  return v.type() == Type::kNumber || v.type() == Type::kDuration || v.type() == Type::kTime;
}

Value Unary(Kind kind, const Value& x) {
  if (x.type() == Type::kDuration) {
    if (kind == Kind::kNegate) return Value::Duration(-x.duration());
    if (kind == Kind::kAbs) return Value::Duration(std::abs(x.duration()));
  }
  if (x.type() != Type::kNumber) return Value();
  switch (kind) {
    case Kind::kNegate: return Value::Number(-x.number());
    case Kind::kAbs: return Value::Number(std::fabs(x.number()));
    case Kind::kRound: return Value::Number(std::round(x.number()));
    case Kind::kLog1p: return x.number() <= -1 ? Value() : Value::Number(std::log1p(x.number()));
    default: return Value();
  }
}

Value NumberArithmetic(Kind kind, double a, double b) {
  switch (kind) {
    case Kind::kAdd: return Value::Number(a + b);
    case Kind::kSubtract: return Value::Number(a - b);
    case Kind::kMultiply: return Value::Number(a * b);
    case Kind::kDivide: return b == 0 ? Value() : Value::Number(a / b);
    default: return Value();
  }
}

Value DurationArithmetic(Kind kind, Millis a, Millis b) {
  switch (kind) {
    case Kind::kAdd: return Value::Duration(a + b);
    case Kind::kSubtract: return Value::Duration(a - b);
    case Kind::kDivide:
      if (b == 0) return Value();
      return Value::Number(static_cast<double>(a) / static_cast<double>(b));
    default: return Value();
  }
}

Value TimeArithmetic(Kind kind, const Value& a, const Value& b) {
  const bool add = kind == Kind::kAdd;
  const bool subtract = kind == Kind::kSubtract;
  if (a.type() == Type::kTime && b.type() == Type::kDuration) {
    if (add) return Value::Time(a.time() + b.duration());
    if (subtract) return Value::Time(a.time() - b.duration());
  }
  if (a.type() == Type::kDuration && b.type() == Type::kTime && add) {
    return Value::Time(a.duration() + b.time());
  }
  if (a.type() == Type::kTime && b.type() == Type::kTime && subtract) {
    return Value::Duration(a.time() - b.time());
  }
  return Value();
}

Value MinMax(Kind kind, const std::vector<Value>& args) {
  Value best = args.front();
  for (const Value& value : args) best = Arithmetic(kind, best, value);
  return best;
}

Value Coalesce(const std::vector<Value>& args) {
  for (const Value& value : args) {
    if (!value.is_null()) return value;
  }
  return Value();
}

Value Scale(const Value& x, const Value& lo, const Value& hi) {
  if (!IsQuantity(x) || x.type() != lo.type() || x.type() != hi.type()) return Value();
  Value above = Arithmetic(Kind::kSubtract, x, lo);
  Value width = Arithmetic(Kind::kSubtract, hi, lo);
  const Value share = Arithmetic(Kind::kDivide, above, width);
  if (share.is_null()) return Value();
  return Value::Number(std::min(1.0, std::max(0.0, share.number())));
}

Value Operator(const Expression& e, const std::vector<Value>& args) {
  switch (e.kind) {
    case Kind::kEqual: case Kind::kNotEqual: case Kind::kLess: case Kind::kLessEqual:
    case Kind::kGreater: case Kind::kGreaterEqual:
      return Value::Bool(Compare(e.kind, args[0], args[1]));
    case Kind::kIn: return Value::Bool(ListHas(args[1], args[0]));
    case Kind::kBetween:
      return Value::Bool(Compare(Kind::kLessEqual, args[1], args[0]) &&
                         Compare(Kind::kLessEqual, args[0], args[2]));
    case Kind::kContains: case Kind::kStartsWith: case Kind::kEndsWith:
    case Kind::kIContains: case Kind::kIEquals:
      if (e.kind == Kind::kContains && args[0].type() == Type::kList) {
        return Value::Bool(ListHas(args[0], args[1]));
      }
      return Value::Bool(args[0].type() == Type::kString && args[1].type() == Type::kString &&
                         TextTest(e.kind, args[0].string(), args[1].string()));
    case Kind::kMatches:
      return Value::Bool(args[0].type() == Type::kString && Matches(args[0].string(), e.text));
    case Kind::kExists: return Value::Bool(!args[0].is_null());
    case Kind::kNegate: case Kind::kAbs: case Kind::kRound: case Kind::kLog1p:
      return Unary(e.kind, args[0]);
    case Kind::kAdd: case Kind::kSubtract: case Kind::kMultiply: case Kind::kDivide:
      return Arithmetic(e.kind, args[0], args[1]);
    case Kind::kMin: case Kind::kMax: return MinMax(e.kind, args);
    case Kind::kCoalesce: return Coalesce(args);
    case Kind::kClamp:
      return Arithmetic(Kind::kMax, args[1], Arithmetic(Kind::kMin, args[0], args[2]));
    case Kind::kScale: return Scale(args[0], args[1], args[2]);
    default: break;
  }
  ATTUNE_CHECK(false, "every kind of expression has a meaning");
  return Value();
}

Value Logic(const Expression& e, const History& history, Millis t, const Entry* event) {
  const auto is_true = [&](const ExpressionPtr& arg) {
    return Eval(*arg, history, t, event).IsTrue();
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
  for (const ExpressionPtr& arg : e.args) args.push_back(Eval(*arg, history, t, event));
  return args;
}

// `event` is the one at hand inside a selector's braces, elsewhere null.
Value Eval(const Expression& e, const History& history, Millis t, const Entry* event) {
  const Plan& plan = history.plan();
  switch (e.kind) {
    case Kind::kLiteral: return Literal(e);
    case Kind::kList: return history.KeepList(Arguments(e, history, t, event));
    case Kind::kProperty: return PropertyOf(*event, e.path);
    case Kind::kTrait: return Trait(e.text, history, t);
    case Kind::kMetric: return Eval(*plan.FindMetric(e.text)->value, history, t, nullptr);
    case Kind::kAnd: case Kind::kOr: case Kind::kNot: return Logic(e, history, t, event);
    case Kind::kCount: case Kind::kFirstTime: case Kind::kLastTime:
    case Kind::kSince: case Kind::kAge:
      return OverEvents(e, history, t);
    case Kind::kSum: case Kind::kAvg: case Kind::kAggregateMin: case Kind::kAggregateMax:
    case Kind::kDistinct: case Kind::kFirst: case Kind::kLast: case Kind::kMode:
    case Kind::kQuantile: case Kind::kListOf:
      return OverProperty(e, history, t);
    case Kind::kSessions: return SessionsBegun(e, history, t);
    case Kind::kDuration: return SessionDuration(e, history, t);
    case Kind::kPeriods: return Periods(e, history, t);
    case Kind::kInSegment:
      return Value::Bool(
          Eval(*plan.FindSegment(e.text)->when, history.whole(), t, nullptr).IsTrue());
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
    case Kind::kScore: case Kind::kCluster: return Value();  // no model has spoken
    default: return Operator(e, Arguments(e, history, t, event));
  }
}

}  // namespace

Value Evaluate(const Expression& expression, const History& history, Millis t) {
  return Eval(expression, history, t, nullptr);
}

std::vector<Session> SessionsAt(const History& history, Millis t) {
  const Plan& plan = history.plan();
  std::vector<Session> sessions;
  for (const Entry* entry : history.events()) {
    if (entry->time() > t) break;
    const bool goes_on = !sessions.empty() &&
                         entry->time() - sessions.back().back()->time() <= plan.session_gap &&
                         entry->time() - sessions.back().front()->time() <= plan.session_max;
    if (!goes_on) sessions.emplace_back();
    sessions.back().push_back(entry);
  }
  return sessions;
}

bool IsOpen(const Session& session, const Plan& plan, Millis t) {
  return t - session.back()->time() <= plan.session_gap;
}

bool Selects(const Selector& selector, const Entry& entry, const History& history) {
  const auto& names = selector.names;
  if (!names.empty() && std::find(names.begin(), names.end(), entry.record().name) == names.end()) {
    return false;
  }
  if (!history.IsSelectable(entry)) return false;
  if (selector.filter && !Eval(*selector.filter, history, entry.time(), &entry).IsTrue()) {
    return false;
  }
  const auto& alternatives = selector.alternatives;
  return alternatives.empty() ||
         std::any_of(alternatives.begin(), alternatives.end(), [&](const Selector& alternative) {
           return Selects(alternative, entry, history);
         });
}

Value PropertyOf(const Entry& entry, const PropertyPath& path) {
  const Value value = entry.Find(path.in_context ? "context" : "properties", path.keys);
  if (!path.is_time || value.type() != Type::kString) return value;
  const auto time = ParseRfc3339(value.string());
  return time ? Value::Time(*time) : Value();
}

Entries EventsIn(const Window& window, const History& history, Millis t) {
  if (window.kind == Window::Kind::kSession || window.kind == Window::Kind::kLastSession) {
    const std::vector<Session> sessions = SessionsAt(history, t);
    if (sessions.empty()) return {};
    const bool must_be_open = window.kind == Window::Kind::kSession;
    if (must_be_open && !IsOpen(sessions.back(), history.plan(), t)) return {};
    return sessions.back();
  }
  Entries found;
  const auto shown = InstantsIn(window, history, t);
  if (!shown) return found;
  for (const Entry* entry : history.events()) {
    if (entry->time() > shown->after && entry->time() <= shown->until) found.push_back(entry);
  }
  return found;
}

std::vector<Value> KeysAt(const PropertyPath& path, const History& history, Millis t) {
  std::vector<Value> keys;
  for (const Entry* entry : history.events()) {
    if (entry->time() > t) break;
    Value key = PropertyOf(*entry, path);
    if (key.is_null() || key.type() == Type::kList) continue;
    if (key.type() == Type::kNumber) key = Value::Number(key.number() + 0.0);  // -0 is 0
    std::erase_if(keys, [&](const Value& other) { return Identical(other, key); });
    keys.push_back(key);
  }
  return keys;
}

double BucketOf(const std::string& name, const std::string& user) {
  const Sha256Digest digest = Sha256(name + ":" + user);
  uint64_t head = 0;
  for (int i = 0; i < 8; ++i) head = head << 8 | digest[i];
  return static_cast<double>(head >> 11) / 9007199254740992.0;
}

Value Arithmetic(Kind kind, const Value& a, const Value& b) {
  if (kind == Kind::kMin || kind == Kind::kMax) {
    const bool ordered = IsQuantity(a) || a.type() == Type::kString;
    if (a.type() != b.type() || !ordered) return Value();
    return (Order(a, b) < 0) == (kind == Kind::kMin) ? a : b;
  }
  if (a.type() == Type::kNumber && b.type() == Type::kNumber) {
    return NumberArithmetic(kind, a.number(), b.number());
  }
  if (a.type() == Type::kDuration && b.type() == Type::kDuration) {
    return DurationArithmetic(kind, a.duration(), b.duration());
  }
  return TimeArithmetic(kind, a, b);
}

bool Compare(Kind kind, const Value& a, const Value& b) {
  if (a.is_null() || a.type() != b.type()) return false;
  if (kind == Kind::kEqual) return Identical(a, b);
  if (kind == Kind::kNotEqual) return !Identical(a, b);
  if (a.type() == Type::kList) return false;
  const int order = Order(a, b);
  switch (kind) {
    case Kind::kLess: return order < 0;
    case Kind::kLessEqual: return order <= 0;
    case Kind::kGreater: return order > 0;
    case Kind::kGreaterEqual: return order >= 0;
    default: return false;
  }
}

double ExactSum(const std::vector<double>& numbers) {
  // Shewchuk's partial sums: they never overlap and add up to the exact sum.
  std::vector<double> partials;
  for (double x : numbers) {
    size_t kept = 0;
    for (double y : partials) {
      if (std::fabs(x) < std::fabs(y)) std::swap(x, y);
      const double high = x + y;
      const double low = y - (high - x);
      if (low != 0) partials[kept++] = low;
      x = high;
    }
    partials.resize(kept);
    partials.push_back(x);
  }
  if (partials.empty()) return 0;
  double sum = partials.back();
  partials.pop_back();
  double low = 0;
  while (!partials.empty() && low == 0) {
    const double high = sum;
    const double next = partials.back();
    partials.pop_back();
    sum = high + next;
    low = next - (sum - high);
  }
  // Half-way cases: what is still below decides which way the last rounding should have gone.
  const bool more = !partials.empty() && ((low < 0 && partials.back() < 0) ||
                                          (low > 0 && partials.back() > 0));
  if (more) {
    const double step = low * 2;
    const double other = sum + step;
    if (other - sum == step) sum = other;
  }
  return sum;
}

}  // namespace attune::oracle
