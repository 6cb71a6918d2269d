// The values of some(…) and top(…).
#include <algorithm>
#include <vector>

#include "engine/evaluate/crossing.h"
#include "engine/evaluate/evaluate.h"
#include "engine/evaluate/moving.h"
#include "engine/state/keys.h"

namespace attune {
namespace {

using Kind = Expression::Kind;

bool CountsAsTrue(const Value& value) { return value.type() == Type::kNumber && value.number() != 0; }

}  // namespace

Millis Evaluator::JudgeKeys(uint32_t keys, const UserState& user, Millis t, std::vector<const Key*>* changed) {
  user_ = outer_ = &user;
  t_ = t;
  KeyStates* states = user.keys(keys);
  if (!states) return kNever;
  RefreshKeys(keys, states, changed);
  return states->NextDue();
}

Timed Evaluator::EvaluateWithin(uint32_t keys, NodeId node, const UserState& user, const Key& key, Millis t) {
  user_ = outer_ = &user;
  t_ = t;
  return Within(keys, key).Node(node);
}

bool Evaluator::WindowWithin(uint32_t keys, const AggregateSpec& spec, const UserState& user, const Key& key, Millis t,
                             Millis* low, Millis* high) {
  user_ = outer_ = &user;
  t_ = t;
  const Bounds bounds = Within(keys, key).BoundsOf(spec);
  *low = bounds.low;
  *high = bounds.high;
  return !bounds.none;
}

bool Evaluator::incomplete() const {
  return incomplete_ || std::any_of(within_.begin(), within_.end(), [](const auto& within) { return within->incomplete_; });
}

void Evaluator::ResetIncomplete() {
  incomplete_ = false;
  for (const auto& within : within_) within->incomplete_ = false;
}

Evaluator& Evaluator::Within(uint32_t keys, const Key& key) {
  Evaluator& within = *within_[keys];
  within.user_ = &key.state;
  within.outer_ = user_;
  within.outer_program_ = &program_;
  within.restriction_ = {program_.sequences.ColumnOf(program_.keys[keys].field), key.value};
  within.t_ = t_;
  return within;
}

Timed Evaluator::FromKeys(const attune::Node& node) {
  const bool some = node.kind == Kind::kSome;
  KeyStates* states = user_->keys(node.index);
  if (!states) return {some ? Value::Bool(false) : Value(), kNever};
  if (states->truncated()) incomplete_ = true;
  if (!some) return Top(node.index, states);
  const Outcome outcome = Some(node.index, states);
  return {Value::Bool(outcome.holds), outcome.until};
}

void Evaluator::RefreshKeys(uint32_t keys, KeyStates* states, std::vector<const Key*>* changed) {
  const KeySpec& spec = program_.keys[keys];
  states->Refresh(t_, [&](Key* key) {
    Evaluator& within = Within(keys, *key);
    ++judged_keys_;
    judged_clock_keys_ += spec.reads_clock;
    const bool held = key->holds;
    if (spec.kind == Kind::kSome) {
      const Outcome outcome = within.Holds(spec.root);
      key->holds = outcome.holds;
      key->until = outcome.until;
    } else {
      const Timed timed = within.Node(spec.root);
      key->holds = CountsAsTrue(timed.value);
      key->number = key->holds ? timed.value.number() : 0;
      key->until = timed.until;
    }
    if (changed && key->holds != held) changed->push_back(key);
  });
}

// One key that holds fixes the result, whatever the others do.
Outcome Evaluator::Some(uint32_t keys, KeyStates* states) {
  if (judging_) {
    RefreshKeys(keys, states, nullptr);
    return {states->holding() > 0, states->NextDue()};
  }
  Millis decided = kAlways;
  Millis all = kNever;
  states->ForEach([&](const Key& key) {
    const Outcome x = Within(keys, key).Holds(program_.keys[keys].root);
    if (x.holds) decided = std::max(decided, x.until);
    all = std::min(all, x.until);
  });
  return decided != kAlways ? Outcome{true, decided} : Outcome{false, all};
}

Timed Evaluator::Top(uint32_t keys, KeyStates* states) {
  const KeySpec& spec = program_.keys[keys];
  struct Ranked {
    double number;
    const Key* key;
  };
  std::vector<Ranked> ranked;
  Millis until = kNever;
  const bool moving = spec.within->nodes[spec.root].moving;
  if (judging_ && !moving) {
    RefreshKeys(keys, states, nullptr);
    until = states->NextDue();
    states->ForEach([&](const Key& key) {
      if (key.holds) ranked.push_back({key.number, &key});
    });
  } else {
    states->ForEach([&](const Key& key) {
      const Timed x = Within(keys, key).Node(spec.root);
      until = std::min(until, x.until);
      if (CountsAsTrue(x.value)) ranked.push_back({x.value.number(), &key});
    });
  }
  const size_t listed = std::min<size_t>(spec.listed, ranked.size());
  std::partial_sort(ranked.begin(), ranked.begin() + static_cast<ptrdiff_t>(listed), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return a.number != b.number ? a.number > b.number : SeenLater(*a.key, *b.key);
  });
  std::vector<const Key*> order;
  for (size_t i = 0; i < listed; ++i) order.push_back(ranked[i].key);
  if (moving) until = RankingStays(keys, *states, order, until);
  if (listed == 0) return {Value(), until};
  std::vector<Value>& items = lists_.emplace_back();
  for (const Key* key : order) items.push_back(key->value.Load(interner_));
  return {Value::List(items), until};
}

// Returns until when moving numbers keep this ranking: each listed key ranks above the next, the last one above all
// others, and the number of ranked keys stays the same.
Millis Evaluator::RankingStays(uint32_t keys, const KeyStates& states, std::span<const Key* const> listed, Millis until) {
  const NodeId root = program_.keys[keys].root;
  struct Runner {
    const Key* key;
    MovingTerm term;
  };
  const MovingTerm zero(Value::Number(0));
  const auto run = [&](const Key& key) {
    Evaluator& within = Within(keys, key);
    const Value value = within.Node(root).value;
    Runner runner{&key, MovingTerm(&within, root, value)};
    until = Crossing(this, Kind::kNotEqual, runner.term, zero, CountsAsTrue(value)).Find(until);
    return std::pair(runner, CountsAsTrue(value));
  };
  const auto stays_above = [&](const Runner& a, const Runner& b) {
    const Kind above = SeenLater(*a.key, *b.key) ? Kind::kGreaterEqual : Kind::kGreater;
    until = Crossing(this, above, a.term, b.term, true).Find(until);
  };
  std::vector<Runner> before;
  for (const Key* key : listed) {
    before.push_back(run(*key).first);
    if (before.size() > 1) stays_above(before[before.size() - 2], before.back());
  }
  states.ForEach([&](const Key& key) {
    if (std::find(listed.begin(), listed.end(), &key) != listed.end()) return;
    const auto [runner, counts] = run(key);
    if (counts) stays_above(before.back(), runner);
  });
  return until;
}

}  // namespace attune
