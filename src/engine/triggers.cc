// Triggers: what fires, and what prevents it.
#include <algorithm>
#include <cstdlib>

#include "base/hash.h"
#include "engine/engine.h"
#include "engine/state/keys.h"

namespace attune {

void Engine::FireOn(UserState* user, const Record& record, Effects* effects) {
  for (const ConditionId c : program_->condition_of_on_trigger) {
    const Condition& condition = program_->conditions[c];
    if (std::find(matched_.begin(), matched_.end(), condition.on_selector) == matched_.end()) continue;
    const bool where = condition.root == kNone || evaluator_.Judge(condition.root, *user, user->now).holds;
    if (where) Fire(user, c, record.time, effects);
  }
  evaluator_.Forget();
}

// Whether the trigger may fire. If so, the firing is recorded and counts for later ones.
bool Engine::MayFire(UserState* user, ConditionId c, Millis at, uint64_t key) {
  if (quiet_) return false;
  const Condition& condition = program_->conditions[c];
  const Trigger& trigger = *condition.trigger;
  if (trigger.holdout > 0 && BucketOf(trigger.name, user->id()) < trigger.holdout) return false;
  if (trigger.quiet_hours && trigger.quiet_hours->Contains(program_->zone.Minute(at))) return false;
  if (condition.only_if != kNone && !evaluator_.Judge(condition.only_if, *user, std::max(at, user->now)).holds) return false;
  if (condition.firings_count == 0) return true;
  if (!IsWithinCaps(user, c, at, key)) return false;
  user->MakeFirings().push_back({c, at, key});
  return true;
}

// A firing counts while it is recent by the user's clock, because the event it is compared with may be late.
bool Engine::IsWithinCaps(UserState* user, ConditionId c, Millis at, uint64_t key) {
  const Condition& condition = program_->conditions[c];
  const Trigger& trigger = *condition.trigger;
  const Millis now = std::max(at, user->now);
  auto& firings = user->MakeFirings();
  std::erase_if(firings, [&](const Firing& f) { return f.at <= now - program_->conditions[f.condition].firings_count; });
  int recent = 0;
  int recent_of_group = 0;
  for (const Firing& firing : firings) {
    const Millis apart = std::max(std::abs(at - firing.at), now - firing.at);
    if (firing.condition == c) {
      if (trigger.cooldown > 0 && firing.key == key && apart < trigger.cooldown) return false;
      if (trigger.at_most && apart < trigger.at_most->span) ++recent;
    }
    const bool of_group = program_->conditions[firing.condition].trigger->group == trigger.group;
    if (of_group && apart < condition.group_cap.span) ++recent_of_group;
  }
  if (trigger.at_most && recent >= trigger.at_most->count) return false;
  return condition.group_cap.span == 0 || recent_of_group < condition.group_cap.count;
}

void Engine::Fire(UserState* user, ConditionId c, Millis at, Effects* effects, const Key* key, const std::string& key_json) {
  const Condition& condition = program_->conditions[c];
  if (!MayFire(user, c, at, key ? Hash64(key_json) : 0)) return;
  TriggerFiring firing;
  firing.at = at;
  firing.user = user;
  firing.trigger = c;
  firing.key = key_json;
  // Parts are separated by zero bytes, which do not occur in names, JSON and instants.
  firing.id = ToHex(Hash128(condition.name + '\0' + std::string(user->id()) + '\0' + key_json + '\0' + std::to_string(at)));
  firing.values = "{";
  for (const auto& [name, node] : condition.with) {
    const Millis t = std::max(at, user->now);
    const Value value = key ? evaluator_.EvaluateWithin(condition.keys, node, *user, *key, t).value : evaluator_.Evaluate(node, *user, t).value;
    if (value.is_null()) continue;
    if (firing.values.size() > 1) firing.values += ',';
    AppendJsonString(name, &firing.values);
    firing.values += ':' + ToJson(value);
  }
  firing.values += '}';
  effects->firings.push_back(std::move(firing));
}

}  // namespace attune
