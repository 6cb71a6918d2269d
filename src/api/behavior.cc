#include "api/behavior.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/json.h"
#include "engine/output.h"
#include "event/event.h"

namespace attune {
namespace {

void AppendTime(Millis t, std::string* out) { *out += '"' + FormatRfc3339(t) + '"'; }

// Dotted names become objects again, which nest no deeper than what was sent may.
std::string TraitsJson(const UserState& user) {
  nlohmann::json traits = nlohmann::json::object();
  for (const Fact& trait : user.facts()) {
    if (trait.kind != FactKind::kTrait) continue;
    nlohmann::json* at = &traits;
    std::string_view name = trait.name;
    size_t depth = 1;
    for (size_t dot = name.find('.'); dot != name.npos && at->is_object() && ++depth < kMaxEventDepth;
         dot = name.find('.')) {
      nlohmann::json& inner = (*at)[std::string(name.substr(0, dot))];
      if (!inner.is_object()) inner = nlohmann::json::object();
      at = &inner;
      name.remove_prefix(dot + 1);
    }
    auto value = nlohmann::json::parse(trait.json, nullptr, false);
    if (!value.is_discarded() && !value.is_null()) (*at)[std::string(name)] = std::move(value);
  }
  return traits.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string ConsentsJson(const UserState& user) {
  std::map<std::string_view, std::string_view> given;
  for (const Fact& fact : user.facts()) {
    if (fact.kind == FactKind::kConsent) given.emplace(fact.name, fact.json);
  }
  std::string json = "{";
  for (const auto& [purpose, answer] : given) {
    if (json.size() > 1) json += ',';
    AppendJsonString(purpose, &json);
    json.append(":").append(answer);
  }
  return json + '}';
}

std::string SegmentsJson(const UserState& user, Millis t, Engine* engine) {
  const Program& program = engine->program();
  struct Membership {
    ConditionId condition;
    Millis since;
  };
  std::vector<Membership> members;
  for (ConditionId c = 0; c < program.segment_count; ++c) {
    if (user.Holds(c)) members.push_back({c, user.Since(c)});
  }
  std::sort(members.begin(), members.end(), [&](const Membership& a, const Membership& b) {
    return program.conditions[a.condition].name < program.conditions[b.condition].name;
  });
  std::string json = "[";
  for (const Membership& m : members) {
    if (json.size() > 1) json += ',';
    json += "{\"name\":";
    AppendJsonString(program.conditions[m.condition].name, &json);
    json += ",\"since\":";
    AppendTime(m.since, &json);
    json += ",\"until\":";
    const Millis until = engine->LapsesAt(user, m.condition, t);
    if (until == kNever) {
      json += "null";
    } else {
      AppendTime(until, &json);
    }
    json += '}';
  }
  return json + ']';
}

// The id derives from the user and the session's first event, so that a replay gives the same.
std::string SessionJson(const UserState& user, Millis t, const SessionRules& rules) {
  const Session* session = user.sessions.OpenAt(t, rules);
  if (!session) return "null";
  const std::string id = ToHex(Hash128(std::string(user.id()) + '\0' + std::to_string(session->first_id)));
  return fmt::format("{{\"id\":\"{}\",\"start\":\"{}\",\"events\":{}}}", id, FormatRfc3339(session->first),
                     session->events);
}

}  // namespace

Behavior BehaviorOf(const UserState& user, Millis now, size_t limit, Engine* of_user) {
  Engine& engine = *of_user;
  // An event may lie ahead of the server's clock; nothing is asked about before it.
  const Millis t = std::max({now, user.now, user.looked});
  std::vector<std::string> incomplete;
  Behavior behavior;
  behavior.limit = limit;
  std::string& json = behavior.before;
  json = "{\"user\":";
  AppendJsonString(user.id(), &json);
  json += ",\"traits\":" + TraitsJson(user);
  json += ",\"segments\":" + SegmentsJson(user, t, &engine);
  json += ",\"metrics\":" + MetricsJson(user, t, &engine, &incomplete);
  json += ",\"scores\":{},\"session\":" + SessionJson(user, t, engine.program().sessions);
  json += ",\"consents\":" + ConsentsJson(user) + ",\"recent_events\":[";
  behavior.after = "]";
  if (!incomplete.empty()) behavior.after += ",\"incomplete\":" + nlohmann::json(incomplete).dump();
  behavior.after += '}';
  behavior.recent.assign(user.recent().begin(), user.recent().end());
  return behavior;
}

namespace {

struct RecentEvent {
  Millis time;
  std::string json;
};

RecentEvent RecentOf(const EncodedEvent& event, EventReader* reader) {
  RecentEvent recent{event.head.time, "{\"id\":"};
  AppendJsonString(event.head.id, &recent.json);
  recent.json += ",\"event\":";
  AppendJsonString(event.head.name, &recent.json);
  recent.json += ",\"timestamp\":";
  AppendTime(event.head.time, &recent.json);
  const std::string properties = reader->Open(event.json).ok() ? reader->JsonOf(Member::kProperties) : "";
  if (event.head.clock_ignored) recent.json += ",\"clock_ignored\":true";
  recent.json += ",\"properties\":" + (properties.starts_with('{') ? properties : "{}") + '}';
  return recent;
}

}  // namespace

std::string BehaviorJson(const Behavior& behavior, ReadableLog* log) {
  std::vector<RecentEvent> events;
  EventReader reader;
  const auto records = log->Read(behavior.recent);
  for (size_t i = 0; records.ok() && i < records->size(); ++i) {
    const auto& found = (*records)[i];
    if (!found) continue;
    const auto event = DecodeEvent(found->payload);
    if (event.ok()) events.insert(events.begin(), RecentOf(*event, &reader));
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const RecentEvent& a, const RecentEvent& b) { return a.time > b.time; });
  events.resize(std::min(events.size(), behavior.limit));
  std::string json = behavior.before;
  for (const RecentEvent& event : events) {
    if (&event != &events.front()) json += ',';
    json += event.json;
  }
  return json + behavior.after;
}

}  // namespace attune
