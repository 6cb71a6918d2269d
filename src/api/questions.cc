// Answers from state: each is computed on the thread of the shard that it is about.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <nlohmann/json.hpp>

#include "api/call.h"
#include "base/hash.h"
#include "base/json.h"
#include "engine/output.h"
#include "event/event.h"
#include "http/problem.h"
#include "shard/user_view.h"
#include "state/keyspace.h"

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
    for (size_t dot = name.find('.'); dot != name.npos && at->is_object() && ++depth < kMaxEventDepth; dot = name.find('.')) {
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

// An answer about a user but for her events, which are read from the log on another thread.
struct Behavior {
  std::string before, after;     // the JSON around the events
  std::vector<uint64_t> recent;  // their sequences in the log, as they came
  size_t limit;
};

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

// The latest event first; of one instant that which came last. What the log no longer holds is left out; all are
// when it cannot be read, since nothing else in the answer needs it.
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

// {"name","description","size"}, to be closed by the caller.
std::string SegmentHead(const Segment& segment, uint64_t size) {
  std::string json = "{\"name\":";
  AppendJsonString(segment.name, &json);
  json += ",\"description\":";
  AppendJsonString(segment.description, &json);
  return json + fmt::format(",\"size\":{}", size);
}

std::string SizesJson(const std::vector<SizePoint>& points) {
  std::string json = "[";
  for (const SizePoint& point : points) {
    if (json.size() > 1) json += ',';
    json += fmt::format("{{\"at\":\"{}\",\"size\":{}}}", FormatRfc3339(point.at), point.size);
  }
  return json + ']';
}

}  // namespace

void AfterAllShards(Runtime* runtime, std::function<void()> then) {
  const auto left = std::make_shared<std::atomic<int>>(kShards);
  for (int shard = 0; shard < kShards; ++shard) {
    runtime->AskNow(static_cast<uint8_t>(shard), [left, then](Shard&, Millis) {
      if (--*left == 0) then();
    });
  }
}

void Api::Behavior(Call call) {
  const auto limit = call.Number("limit", kRecentEvents, 0, kRecentEvents);
  if (!limit || !call.CheckPosition(runtime_.durable_sequence())) return;
  const std::string user = call.names[0];
  auto shared = std::make_shared<Call>(std::move(call));
  const auto answer = [this, shared, user, limit = static_cast<size_t>(*limit)](Shard& shard, std::string_view person, Millis now) {
    UserView view(&shard.engine(), person, now);
    if (!view.user()) return shared->reply.Send(Problem(Code::kUnknownUser, user));
    auto behavior = BehaviorOf(*view.user(), now, limit, &view.engine());
    if (behavior.recent.empty() || limit == 0) return shared->Json(behavior.before + behavior.after);
    runtime_.AskLog(
        [shared, behavior = std::move(behavior)](ReadableLog& log) { shared->Json(BehaviorJson(behavior, &log)); });
  };
  runtime_.AskPerson(user, answer);
}

void Api::Unmerge(Call call) {
  if (!call.CheckPosition(runtime_.durable_sequence())) return;
  const std::string id = call.names[0];
  auto shared = std::make_shared<Call>(std::move(call));
  runtime_.AskPerson(id, [this, shared, id](Shard& shard, std::string_view person, Millis) {
    if (person == id) {
      const bool known = shard.engine().Find(id) != nullptr;
      return shared->reply.Send(known ? Problem(Code::kNotMerged, id)
                                      : Problem(Code::kUnknownUser, id));
    }
    const auto answer = [shared, id, from = std::string(person)](const Status& durable, uint64_t sequence) {
      if (!durable.ok()) return shared->reply.Send(Later(Code::kStorageFailed, durable.error().message));
      std::string json = "{\"user\":";
      AppendJsonString(id, &json);
      json += ",\"from\":";
      AppendJsonString(from, &json);
      Response response{200, kJson, {{"Cache-Control", "no-store"}, {"Attune-Position", std::to_string(sequence)}}, json + '}'};
      shared->reply.Send(std::move(response));
    };
    const Status status = runtime_.UndoMerge(id, answer);
    if (!status.ok()) shared->reply.Send(Later(Code::kOverloaded, status.error().message));
  });
}

void Api::ListSegments(Call call) {
  if (!call.CheckPosition(runtime_.durable_sequence())) return;
  auto shared = std::make_shared<Call>(std::move(call));
  AfterAllShards(&runtime_, [this, shared] {
    const auto plan_state = runtime_.plan_state();
    const Program& program = plan_state->program();
    std::string json = "{\"segments\":[";
    for (size_t i = 0; i < program.plan->segments.size(); ++i) {
      if (i > 0) json += ',';
      json += SegmentHead(program.plan->segments[i], plan_state->SegmentSize(program.condition_of_segment[i])) + '}';
    }
    shared->Json(json + "]}");
  });
}

void Api::ShowSegment(Call call) {
  if (!call.CheckPosition(runtime_.durable_sequence())) return;
  auto shared = std::make_shared<Call>(std::move(call));
  AfterAllShards(&runtime_, [this, shared] {
    const std::string& name = shared->names[0];
    const auto plan_state = runtime_.plan_state();
    const Segment* segment = plan_state->plan().FindSegment(name);
    if (!segment) return shared->reply.Send(Problem(Code::kUnknownSegment, name));
    const ConditionId condition = *plan_state->program().FindSegment(name);
    const uint64_t size = plan_state->SegmentSize(condition);
    std::vector<SizePoint> sizes = plan_state->SegmentSizes(condition);
    if (sizes.empty() || sizes.back().size != size) sizes.push_back({runtime_.Now(), size});
    std::string json = SegmentHead(*segment, size) + ",\"when\":";
    AppendJsonString(ToText(*segment->when), &json);
    shared->Json(json + ",\"sizes\":" + SizesJson(sizes) + '}');
  });
}

namespace {

// Walks the shards one after the other, each on its own thread, until a page is full.
struct MembersPage {
  Runtime* runtime;
  std::function<void(std::string)> answer;
  std::string segment;
  size_t limit;
  size_t found = 0;
  std::string json = "{\"users\":[";

  static void Continue(std::shared_ptr<MembersPage> page, int shard, uint32_t slot) {
    if (shard == kShards) return page->answer(page->json + "],\"next\":null}");
    page->runtime->Ask(static_cast<uint8_t>(shard), [page, shard, slot](Shard& owner) {
      const auto& users = owner.engine().users();
      const auto segment = owner.engine().program().FindSegment(page->segment);  // another plan may have come meanwhile
      for (uint32_t i = slot; segment && i < users.size(); ++i) {
        if (!users[i].Holds(*segment)) continue;
        if (page->found == page->limit) {
          return page->answer(page->json + fmt::format("],\"next\":\"{}.{}\"}}", shard, i));
        }
        if (page->found++ > 0) page->json += ',';
        page->json += "{\"user\":";
        AppendJsonString(users[i].id(), &page->json);
        page->json += ",\"since\":\"" + FormatRfc3339(users[i].Since(*segment)) + "\"}";
      }
      Continue(page, shard + 1, 0);
    });
  }
};

// `12.3456`: the shard and the user's place in it.
bool ReadCursor(const std::string& text, int* shard, uint32_t* slot) {
  int read = 0;
  return std::sscanf(text.c_str(), "%2d.%9u%n", shard, slot, &read) == 2 && static_cast<size_t>(read) == text.size() &&
         *shard >= 0 && *shard < kShards;
}

}  // namespace

void Api::ListMembers(Call call) {
  const auto limit = call.Number("limit", 100, 1, 1000);
  if (!limit || !call.CheckPosition(runtime_.durable_sequence())) return;
  const std::string name = call.names[0];
  if (!runtime_.plan_state()->plan().FindSegment(name)) return call.reply.Send(Problem(Code::kUnknownSegment, call.names[0]));
  int shard = 0;
  uint32_t slot = 0;
  const auto cursor = call.request.QueryParameter("cursor");
  if (cursor && !ReadCursor(*cursor, &shard, &slot)) {
    return call.reply.Send(
        Problem(Code::kInvalidParameter, "cursor: expected the `next` of an earlier answer"));
  }
  auto shared = std::make_shared<Call>(std::move(call));
  auto page = std::make_shared<MembersPage>();
  page->runtime = &runtime_;
  page->answer = [shared](std::string json) { shared->Json(std::move(json)); };
  page->segment = name;
  page->limit = static_cast<size_t>(*limit);
  AfterAllShards(&runtime_, [page, shard, slot] { MembersPage::Continue(page, shard, slot); });
}

}  // namespace attune
