// Triggers and their groups, as drafts of their expressions.
#include "plan/loader.h"
#include "plan/trigger_settings.h"

namespace attune {

void PlanLoader::ReadTriggers(const PlanSource& source, const YAML::Node& node) {
  ForEach(source, node, "triggers", [&](const std::string& key, const YAML::Node& at, const YAML::Node& value) {
    if (ReadName(source, at, key, "trigger", &trigger_places_)) ReadTrigger(source, key, at, value);
  });
}

void PlanLoader::ReadTrigger(const PlanSource& source, const std::string& key, const YAML::Node& at, const YAML::Node& value) {
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
    return Report(source, at, "\"where\" is only allowed with \"on\"; join the conditions with \"and\"");
  }
  triggers_.push_back(std::move(draft));
}

void PlanLoader::ReadWith(const PlanSource& source, const std::string& key, const YAML::Node& node, TriggerDraft* draft) {
  ForEach(source, node, "\"with\" of the trigger " + key, [&](const std::string& name, const YAML::Node&, const YAML::Node& value) {
    if (!value.IsScalar()) return Report(source, value, "expected an expression, found " + NodeKind(value));
    draft->with.emplace_back(name, Draft{&source, value});
  });
}

std::optional<Cap> PlanLoader::ReadCap(const PlanSource& source, const YAML::Node& node) {
  std::string text;
  if (!ReadText(source, node, "a cap such as 2 per 1h", &text)) return std::nullopt;
  const auto cap = ParseCap(text);
  if (!cap) {
    Report(source, node, "expected a cap such as 2 per 1h (at most " + std::to_string(kMaxCap) + "), found \"" + text + "\"");
  }
  return cap;
}

void PlanLoader::ReadQuietHours(const PlanSource& source, const YAML::Node& node, Trigger* trigger) {
  std::string text;
  if (!ReadText(source, node, "quiet hours such as 22:00-08:00", &text)) return;
  trigger->quiet_hours = ParseQuietHours(text);
  if (!trigger->quiet_hours) Report(source, node, "expected quiet hours such as 22:00-08:00, found \"" + text + "\"");
}

void PlanLoader::ReadHoldout(const PlanSource& source, const YAML::Node& node, Trigger* trigger) {
  std::string text;
  if (!ReadText(source, node, "a share such as 10%", &text)) return;
  const auto share = ParseShare(text);
  if (!share) return Report(source, node, "expected a share such as 10% or 0.1, found \"" + text + "\"");
  trigger->holdout = *share;
}

void PlanLoader::ReadTriggerGroups(const PlanSource& source, const YAML::Node& node) {
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

void PlanLoader::ReadSend(const PlanSource& source, const YAML::Node& node, Trigger* trigger) {
  if (node.IsScalar()) return trigger->send.push_back(node.Scalar());
  if (!node.IsSequence()) return Report(source, node, "expected a list of names for \"send\", found " + NodeKind(node));
  for (const YAML::Node& item : node) {
    std::string name;
    if (ReadText(source, item, "a name", &name)) trigger->send.push_back(name);
  }
}

}  // namespace attune
