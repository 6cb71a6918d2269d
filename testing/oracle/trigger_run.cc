#include "oracle/trigger_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "oracle/naive.h"
#include "oracle/window.h"

namespace attune::oracle {
namespace {

std::optional<Value> KeyOf(const Expression& some, const std::string& json, const History& history,
                           Millis t) {
  for (const Value& key : KeysAt(some.path, history, t)) {
    if (ToJson(key) == json) return key;
  }
  return std::nullopt;
}

// The keys for which the trigger's condition is true.
std::set<std::string> HoldingAt(const Trigger& trigger, const History& history, Millis t) {
  std::set<std::string> holding;
  const Expression* some = history.plan().KeyedBy(trigger);
  if (!some) {
    if (Evaluate(*trigger.when, history, t).IsTrue()) holding.insert("");
    return holding;
  }
  for (const Value& key : KeysAt(some->path, history, t)) {
    if (Evaluate(*some->args[0], history.Restricted(some->path, key), t).IsTrue())
      holding.insert(ToJson(key));
  }
  return holding;
}

std::vector<std::string> Less(const std::set<std::string>& all,
                              const std::set<std::string>& without) {
  std::vector<std::string> left;
  std::set_difference(all.begin(), all.end(), without.begin(), without.end(),
                      std::back_inserter(left));
  return left;
}

}  // namespace

std::string ToText(const Firing& firing) {
  std::string user;
  AppendJsonString(firing.user, &user);
  return fmt::format(R"({{"at":"{}","trigger":"{}","user":{},"key":{},"values":{}}})",
                     FormatRfc3339(firing.at), firing.trigger, user,
                     firing.key.empty() ? "null" : firing.key, firing.values);
}

int64_t TriggerRun::Judge(const History& history, Millis t) {
  int64_t changes = 0;
  for (size_t i = 0; i < plan_.triggers.size(); ++i) {
    const Trigger& trigger = plan_.triggers[i];
    if (trigger.kind == Trigger::Kind::kOn) continue;
    const std::set<std::string> before = holds_[i];
    holds_[i] = HoldingAt(trigger, history, t);
    const std::vector<std::string> rises = Less(holds_[i], before);
    const std::vector<std::string> falls = Less(before, holds_[i]);
    changes += static_cast<int64_t>(rises.size() + falls.size());
    for (const std::string& key : trigger.kind == Trigger::Kind::kEnter ? rises : falls) {
      Fire(trigger, key, t, t, history);
    }
  }
  return changes;
}

void TriggerRun::JudgeQuietly(const History& history, Millis t) {
  for (size_t i = 0; i < plan_.triggers.size(); ++i) {
    if (plan_.triggers[i].kind != Trigger::Kind::kOn) {
      holds_[i] = HoldingAt(plan_.triggers[i], history, t);
    }
  }
}

void TriggerRun::FireOn(const Entry& event, const History& history, Millis clock) {
  for (const Trigger& trigger : plan_.triggers) {
    if (trigger.kind != Trigger::Kind::kOn || !Selects(trigger.on, event, history)) continue;
    if (trigger.when && !Evaluate(*trigger.when, history, clock).IsTrue()) continue;
    Fire(trigger, "", event.time(), clock, history);
  }
}

void TriggerRun::Fire(const Trigger& trigger, const std::string& key, Millis at, Millis clock,
                      const History& history) {
  if (!MayFire(trigger, key, at, clock, history)) return;
  past_.push_back({&trigger, key, at});
  History seen = history;
  if (const Expression* some = plan_.KeyedBy(trigger)) {
    seen = history.Restricted(some->path, *KeyOf(*some, key, history, clock));
  }
  std::string values;
  for (const auto& [name, expression] : trigger.with) {
    const Value value = Evaluate(*expression, seen, clock);
    if (value.is_null()) continue;
    values += values.empty() ? "" : ",";
    AppendJsonString(name, &values);
    values += ':' + ToJson(value);
  }
  firings_->push_back({at, trigger.name, history.user(), key, "{" + values + "}"});
}

bool TriggerRun::MayFire(const Trigger& trigger, const std::string& key, Millis at, Millis clock,
                         const History& history) const {
  if (BucketOf(trigger.name, history.user()) < trigger.holdout) return false;
  if (trigger.quiet_hours && trigger.quiet_hours->Contains(history.local_time().MinuteOfDay(at)))
    return false;
  if (trigger.only_if && !Evaluate(*trigger.only_if, history, clock).IsTrue()) return false;
  // The number of firings accepted by `counts` less than `span` away, before or after. A firing that is older than
  // `span` by the user's clock does not count, even for a late event.
  const auto within = [&](Millis span, const auto& counts) {
    return std::count_if(past_.begin(), past_.end(), [&](const Past& past) {
      return counts(past) && clock - past.at < span && std::abs(past.at - at) < span;
    });
  };
  const auto same = [&](const Past& past) { return past.trigger == &trigger; };
  const auto same_key = [&](const Past& past) { return same(past) && past.key == key; };
  const auto same_group = [&](const Past& past) { return past.trigger->group == trigger.group; };
  if (trigger.cooldown > 0 && within(trigger.cooldown, same_key) > 0) return false;
  if (trigger.at_most && within(trigger.at_most->span, same) >= trigger.at_most->count)
    return false;
  const TriggerGroup* group = plan_.FindTriggerGroup(trigger.group);
  return !group || within(group->at_most.span, same_group) < group->at_most.count;
}

}  // namespace attune::oracle
